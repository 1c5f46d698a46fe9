"""A bounded load generator on bare sockets, so that its own cost does not crowd out what it measures."""

import asyncio
import time
from dataclasses import dataclass
from typing import cast

DEADLINE = 120.0
CHUNKED = -1
"""Stands for a body length that the head does not tell."""


@dataclass(frozen=True)
class Call:
    """One request, ready to be sent over and over."""

    path: str
    body: bytes
    headers: str = "authorization: Bearer k\r\nanthropic-version: 2023-06-01\r\n"

    def to(self, port: int) -> bytes:
        """The bytes on the wire."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
            f"{self.headers}content-length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


class Caller(asyncio.Protocol):
    """One keep-alive connection that carries one request at a time."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[bytes] | None = None
        self._received: list[bytes] = []
        self._missing: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionResetError("closed in the middle of an answer"))

    async def ask(self, request: bytes) -> bytes:
        """Send a request and wait for the whole response, which is returned as it came."""
        self._waiter = asyncio.get_running_loop().create_future()
        self._received, self._missing = [], None
        self.transport.write(request)
        return await self._waiter

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        if self._missing is None:
            self._missing = _body_length(b"".join(self._received))
        elif self._missing > 0:
            self._missing -= len(data)
        if self._missing == 0 or (self._missing == CHUNKED and self._ends_with_last_chunk()):
            cast("asyncio.Future[bytes]", self._waiter).set_result(b"".join(self._received))

    def _ends_with_last_chunk(self) -> bool:
        tail = self._received[-1] if len(self._received[-1]) > 6 else b"".join(self._received[-6:])
        return tail.endswith(b"\r\n0\r\n\r\n")


def _body_length(received: bytes) -> int | None:
    """How many bytes of the body are missing; `CHUNKED`; None while the head is incomplete."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return None
    _, has_length, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) - len(body) if has_length else CHUNKED


async def connect(port: int) -> Caller:
    """A connection to the loopback port."""
    _, caller = await asyncio.get_running_loop().create_connection(Caller, "127.0.0.1", port)
    return caller


async def run(port: int, call: Call, count: int, concurrency: int) -> None:
    """Make `count` calls, `concurrency` at a time; each must be answered 200."""
    request = call.to(port)

    async def caller(share: int) -> None:
        connection = await connect(port)
        for _ in range(share):
            check(await connection.ask(request))
        connection.transport.close()

    shares = [count // concurrency + (number < count % concurrency) for number in range(concurrency)]
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(caller(share) for share in shares))


async def latencies(port: int, call: Call, count: int) -> list[float]:
    """Seconds for each of `count` calls, one at a time on one connection."""
    request, connection = call.to(port), await connect(port)
    taken = []
    async with asyncio.timeout(DEADLINE):
        for _ in range(count):
            began = time.perf_counter()
            check(await connection.ask(request))
            taken.append(time.perf_counter() - began)
    connection.transport.close()
    return taken


async def answer_of(port: int, call: Call) -> bytes:
    """The body of one response, to look at."""
    connection = await connect(port)
    async with asyncio.timeout(DEADLINE):
        received = await connection.ask(call.to(port))
    connection.transport.close()
    check(received)
    return received.partition(b"\r\n\r\n")[2]


def check(received: bytes) -> None:
    """Raise unless the response is a 200."""
    if not received.startswith(b"HTTP/1.1 200"):
        raise AssertionError(received[:500].decode("utf-8", "replace"))
