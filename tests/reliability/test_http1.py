"""The bytes that uvicorn's parser keeps to itself are few, and soon gone: heads, trailers, the size lines of chunks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from proxy_core.server.http1 import HttpProtocol


class FakeTransport(asyncio.Transport):
    """Remembers what was written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class SmallProtocol(HttpProtocol):
    """The server's own, with less room and patience."""

    max_head_bytes = 10_000
    head_seconds = 0.1


class Service:
    """An ASGI application that refuses at once, or reads all of a request first; and what it got."""

    def __init__(self, *, reads: bool) -> None:
        self.reads = reads
        self.bodies: list[bytes] = []
        self.headers: list[list[tuple[bytes, bytes]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.headers.append(scope["headers"])
        body, more = b"", self.reads
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


Connection = tuple[Callable[[bytes], None], FakeTransport]


@asynccontextmanager
async def connected(service: Any) -> AsyncIterator[Connection]:
    """What feeds a connection of a server that is none, and its transport."""
    config = uvicorn.Config(service, lifespan="off", log_config=None)
    config.load()
    protocol = SmallProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    transport = FakeTransport()
    protocol.connection_made(transport)
    try:
        yield protocol.data_received, transport
    finally:
        await asyncio.sleep(0.01)
        protocol.connection_lost(None)


def pushed(connection: Connection, data: bytes, limit: int = 200_000) -> int:
    """How many bytes of this, over and over, a connection takes before it is closed."""
    feed, transport = connection
    taken = 0
    while not transport.closed and taken < limit:
        feed(data)
        taken += len(data)
    return taken


HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
BOTH = pytest.mark.parametrize("reads", [True, False], ids=["read", "refused"])


@BOTH
@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (CHUNKED + b"0\r\nx: ", b"a" * 500),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", b"a: b\r\n" * 50),
        (CHUNKED + b"0\r\n", b"a: b\r\n"),
        (CHUNKED + b"5;x=", b"a" * 500),
        (CHUNKED + b"3\r\nabc\r\n0;x=", b"a" * 500),
        (HEAD + b"content-length: 0\r\n\r\n" + CHUNKED + b"0\r\nx: ", b"a" * 500),
        (HEAD + b"content-length: 0\r\n\r\n" + HEAD + b"x: ", b"a" * 500),
        (HEAD + b"content-length: 0\r\n\r\n", b"\r\n" * 50),
        (HEAD + b"x: ", b"a" * 500),
        (b"GET /", b"a" * 500),
    ],
)
async def test_what_no_callback_claims_is_bounded(reads, begin, more):
    async with connected(Service(reads=reads)) as connection:
        connection[0](begin)
        await asyncio.sleep(0.01)
        assert pushed(connection, more) <= SmallProtocol.max_head_bytes + len(more)
        assert connection[1].closed


async def test_a_head_that_is_too_long_is_answered_and_trailers_are_not():
    async with connected(Service(reads=True)) as (feed, transport):
        pushed((feed, transport), HEAD + b"x: " + b"a" * 11_000)
        await asyncio.sleep(0)
        assert transport.written.startswith(b"HTTP/1.1 400 ")
    async with connected(Service(reads=True)) as (feed, transport):
        feed(CHUNKED + b"0\r\nx: ")
        feed(b"a" * 11_000)
        assert transport.closed
        assert transport.written == b""


async def test_long_bodies_pass_in_every_framing():
    service = Service(reads=True)
    piece = b"a" * 500
    async with connected(service) as (feed, transport):
        feed(HEAD + b"content-length: 100000\r\n\r\n")
        assert pushed((feed, transport), piece, 100_000) == 100_000
        await asyncio.sleep(0.01)
        feed(CHUNKED)
        assert pushed((feed, transport), b"1f4\r\n" + piece + b"\r\n", 101_400) == 101_400
        feed(b"0\r\nx-trailer: 1\r\n\r\n")
        await asyncio.sleep(0.01)
        assert service.bodies == [piece * 200] * 2
        assert not transport.closed


async def test_trailers_do_not_become_headers():
    service = Service(reads=True)
    async with connected(service) as (feed, _):
        for byte in CHUNKED + b"0\r\nAuthorization: Bearer x\r\nhost: y\r\n\r\n" + HEAD + b"content-length: 0\r\n\r\n":
            feed(bytes([byte]))
        await asyncio.sleep(0.01)
    assert service.headers == [
        [(b"host", b"x"), (b"transfer-encoding", b"chunked")],
        [(b"host", b"x"), (b"content-length", b"0")],
    ]


async def trickle(connection: Connection, pieces: list[bytes]) -> int:
    """How many of these, sent with pauses well below the patience for heads, come before the connection is closed."""
    feed, transport = connection
    for number, piece in enumerate(pieces):
        if transport.closed:
            return number
        feed(piece)
        await asyncio.sleep(0.04)
    return len(pieces)


@pytest.mark.parametrize("piece", [b"a", b"a: b\r\n"])
async def test_slow_trailers_are_cut_off(piece):
    async with connected(Service(reads=True)) as connection:
        connection[0](CHUNKED + b"0\r\n" + b"x: " * (piece == b"a"))
        assert await trickle(connection, [piece] * 20) < 6


@pytest.mark.parametrize(
    ("head", "pieces"),
    [
        (CHUNKED, [b"1\r\na\r\n"] * 10),
        (CHUNKED, [b"1\r\n", b"a", b"\r\n"] * 4),
        (CHUNKED, [b"\r\n1\r\na"[2 * (not number) :] for number in range(10)]),
        (CHUNKED, [b"fff\r\n", *[b"a"] * 10]),
        (HEAD + b"content-length: 100\r\n\r\n", [b"a"] * 10),
        (HEAD + b"content-length: 1\r\n\r\n", [b"a" + (HEAD + b"content-length: 1\r\n\r\n")] * 10),
    ],
)
async def test_slow_uploads_are_not_cut_off(head, pieces):
    async with connected(Service(reads=True)) as connection:
        connection[0](head)
        assert await trickle(connection, pieces) == len(pieces)
        await asyncio.sleep(0.15)  # a pause within a body is no slow head either
        assert not connection[1].closed


async def test_a_line_end_too_many_after_a_request_does_not_cost_its_answer():
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.2)
        await Service(reads=True)(scope, receive, send)

    async with connected(slow) as (feed, transport):
        feed(HEAD + b"content-length: 1\r\n\r\na")
        feed(b"\r\n")
        await asyncio.sleep(0.3)
        assert transport.written.startswith(b"HTTP/1.1 200 ")
        assert not transport.closed
