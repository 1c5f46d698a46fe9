"""Clients that show every byte: what the SDKs would hide is what these tests are about."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.fault_upstream import FaultUpstream
from tests.support.proxy import RunningProxy

SPOKEN = ("openai", "anthropic")
PAIRS = [(client, upstream) for client in SPOKEN for upstream in SPOKEN]
#: The two connectors on `HTTPBackend`, and one on plain httpx whose upstream speaks Chat Completions.
ROUTES = [*PAIRS, *((client, "bare") for client in SPOKEN)]
WIRE_FORMAT = {"openai": "openai", "anthropic": "anthropic", "bare": "openai"}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
KEYS = {"openai": "upstream-key-of-openai", "anthropic": "upstream-key-of-anthropic"}


def backends_at(upstream: FaultUpstream, **options: Any) -> dict[str, Any]:
    """The config's `backends`: both connectors, pointed at one upstream, with `options` for both."""
    common = {"models": ["listed"], **options}
    return {
        "openai": {"api_key": KEYS["openai"], "api_base_url": upstream.openai_url, **common},
        "anthropic": {"api_key": KEYS["anthropic"], "api_base_url": upstream.anthropic_url, **common},
    }


def body_of(model: str, stream: bool = False, **fields: Any) -> bytes:
    """A request body that is right in both formats."""
    messages = [{"role": "user", "content": "hello"}]
    return json.dumps({"model": model, "stream": stream, "max_tokens": 64, "messages": messages, **fields}).encode()


def request_bytes(
    spoken: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST", path: str | None = None
) -> bytes:
    """One HTTP/1.1 request as it goes over the wire."""
    marker = {"anthropic-version": "2023-06-01"} if spoken == "anthropic" else {}
    length = {"content-length": str(len(body))} if method == "POST" else {}
    fields = {"host": "127.0.0.1", "content-type": "application/json", **marker, **length, **(headers or {})}
    lines = [f"{method} {path or PATHS[spoken]} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Event(NamedTuple):
    """One event of a stream, as a client reads it."""

    name: str
    data: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@dataclass
class Heard:
    """An answer as far as it came. `whole`: its framing says that it is all there."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Event]:
        """The events; a torn one at the end is left out, as clients do. Only LF and CRLF are known here."""
        text = self.body.replace(b"\r\n", b"\n").decode()
        blocks = text.split("\n\n")[:-1]
        return [event for block in blocks if (event := _event(block)) is not None]

    @property
    def error(self) -> dict[str, Any]:
        """The `error` object of the body: both formats have one."""
        found: dict[str, Any] = self.json["error"]
        return found


def _event(block: str) -> Event | None:
    lines = [line.partition(":")[::2] for line in block.split("\n")]
    names = [value.removeprefix(" ") for name, value in lines if name == "event"]
    data = [value.removeprefix(" ") for name, value in lines if name == "data"]
    return Event(names[-1] if names else "", "\n".join(data)) if data else None


def parse(received: bytes) -> Heard:
    """The first answer in these bytes."""
    top, found, rest = received.partition(b"\r\n\r\n")
    if not found:
        return Heard()
    start, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(start.split()[1])
    if headers.get("transfer-encoding") == "chunked":
        body, whole = _unchunked(rest)
    else:
        length = int(headers.get("content-length", 0))
        body, whole = rest[:length], len(rest) >= length
    return Heard(status, headers, body, whole)


def _unchunked(rest: bytes) -> tuple[bytes, bool]:
    body = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return body, True
        body, rest = body + rest[:length], rest[length + 2 :]
    return body, False


async def send_raw(proxy: RunningProxy, request: bytes, patience: float = 10) -> bytes:
    """Everything that comes back until the connection ends; the request should ask for `connection: close`."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    received = b""
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(request)
            async with asyncio.timeout(patience):
                while piece := await reader.read(65536):
                    received += piece
    finally:
        writer.transport.abort()
    return received


async def ask(
    proxy: RunningProxy,
    spoken: str,
    model: str = "",
    *,
    stream: bool = False,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    method: str = "POST",
    path: str | None = None,
    patience: float = 10,
    **fields: Any,
) -> Heard:
    """One request on a connection of its own."""
    content = body_of(model, stream, **fields) if body is None else body
    sent = {"connection": "close", **(headers or {})}
    request = request_bytes(spoken, content if method == "POST" else b"", sent, method, path)
    return parse(await send_raw(proxy, request, patience))


class Caller:
    """A client that can hang up at any moment; blocking, so that the moment is exact."""

    def __init__(self, proxy: RunningProxy, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(10)
        self._socket.connect((proxy.host, proxy.port))
        self.received = b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_until(self, wanted: bytes) -> None:
        """Read until these bytes have come."""
        while wanted not in self.received:
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionError(f"the proxy closed the connection; it said {self.received!r}")
            self.received += piece

    def hang_up(self) -> None:
        self._socket.close()
