"""Clients that show every byte: what the SDKs would hide is what these tests are about."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fault_upstream import FaultUpstream
from tests.reliability.dialects import DIALECTS, Event, elements
from tests.support.proxy import RunningProxy

#: The formats, each with a connector on `HTTPBackend` to an upstream that speaks it.
SPOKEN = ("openai", "openai-responses", "anthropic", "gemini")
#: Clients of each format, and of the one whose streams come in two framings, both.
CLIENTS = (*SPOKEN, "gemini-array")
PAIRS = [(client, upstream) for client in SPOKEN for upstream in SPOKEN]
#: The pairs in which nobody speaks for himself.
TRANSLATED = [(client, upstream) for client, upstream in PAIRS if client != upstream]
#: All of the above, and a connector on plain httpx whose upstream speaks Chat Completions.
BACKENDS = (*SPOKEN, "bare")
ROUTES = [(client, backend) for client in CLIENTS for backend in BACKENDS]
WIRE_FORMAT = {**{name: name for name in SPOKEN}, "bare": "openai"}
KEYS = {name: f"upstream-key-of-{name}" for name in SPOKEN}


def backends_at(upstream: FaultUpstream, **options: Any) -> dict[str, Any]:
    """The config's `backends`: every connector, pointed at one upstream, with `options` for all."""
    urls = {
        "openai": upstream.openai_url,
        "openai-responses": upstream.responses_url,
        "anthropic": upstream.anthropic_url,
        "gemini": upstream.gemini_url,
    }
    common = {"models": ["listed"], **options}
    return {name: {"api_key": KEYS[name], "api_base_url": url, **common} for name, url in urls.items()}


def is_lossless(client: str, backend: str) -> bool:
    """Whether the bytes of this client are for this backend."""
    return DIALECTS[client].format == backend


def path_of(client: str, model: str = "m", stream: bool = False) -> str:
    """Where a client asks for a model."""
    return DIALECTS[client].path_of(model, stream)


def body_of(client: str, model: str, stream: bool = False, **fields: Any) -> bytes:
    """A client's request body."""
    return DIALECTS[client].body_of(model, stream, **fields)


def request_bytes(
    client: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST", path: str | None = None
) -> bytes:
    """One HTTP/1.1 request as it goes over the wire."""
    length = {"content-length": str(len(body))} if method == "POST" else {}
    own = DIALECTS[client].headers
    fields = {"host": "127.0.0.1", "content-type": "application/json", **own, **length, **(headers or {})}
    lines = [f"{method} {path or path_of(client)} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def question(client: str, model: str, stream: bool = False, headers: Mapping[str, str] | None = None) -> bytes:
    """One plain request for a model."""
    return request_bytes(client, body_of(client, model, stream), headers, path=path_of(client, model, stream))


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
        if self.headers.get("content-type") == "application/json":
            return [Event("", element) for element in elements(self.body.decode())]
        text = self.body.replace(b"\r\n", b"\n").decode()
        blocks = text.split("\n\n")[:-1]
        return [event for block in blocks if (event := _event(block)) is not None]

    @property
    def error(self) -> dict[str, Any]:
        """The `error` object of the body: all formats have one."""
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
    client: str,
    model: str = "m",
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
    content = body_of(client, model, stream, **fields) if body is None else body
    sent = {"connection": "close", **(headers or {})}
    target = path or path_of(client, model, stream)
    request = request_bytes(client, content if method == "POST" else b"", sent, method, target)
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
