"""What a request may weigh, and reading it within those limits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from starlette.types import Receive

from proxy_core.config import ServerConfig
from proxy_core.errors import ClientDisconnectedError, InvalidRequestError, RequestTooLargeError
from proxy_core.formats import wire_json

#: What must not stand in anything that goes into a head or a URL.
CONTROL_CHARACTER = re.compile(r"[\r\n\0]")

#: Names of resources, with projects and locations in them, are a few hundred characters long.
_LONGEST_MODEL = 1024

#: Looking through a longer body would hold up everybody else; a thread does it.
_LONG_BODY = 1024 * 1024


def check_headers(headers: Iterable[tuple[bytes, bytes]], limits: ServerConfig) -> dict[str, str]:
    """The headers as a dict with lower-case names (of repeated ones, the last); raises `RequestTooLargeError` (431)."""
    size = count = 0
    checked: dict[str, str] = {}
    for name, value in headers:
        count += 1
        size += len(name) + len(value)
        checked[name.decode("latin-1")] = value.decode("latin-1")
    if count > limits.max_headers or size > limits.max_header_bytes:
        raise RequestTooLargeError(
            f"the request has {count} headers of {size} bytes; "
            f"the limits are {limits.max_headers} and {limits.max_header_bytes}",
            "headers_too_large",
            status_code=431,
        )
    return checked


async def read_body(receive: Receive, headers: dict[str, str], limits: ServerConfig) -> bytes:
    """The request's body; raises `RequestTooLargeError` as soon as it is known to be too long."""
    encoding = headers.get("content-encoding", "")
    if encoding.lower() not in ("", "identity"):
        raise InvalidRequestError(f"content-encoding {encoding!r} is not supported", "bad_encoding", status_code=415)
    declared = headers.get("content-length", "0")
    _check_size(int(declared) if declared.isdecimal() else 0, limits)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError("the client left while it was sending its request")
        piece = message.get("body", b"")
        size += len(piece)
        _check_size(size, limits)
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _check_size(size: int, limits: ServerConfig) -> None:
    if size > limits.max_body_bytes:
        raise RequestTooLargeError(f"the request body is longer than {limits.max_body_bytes} bytes")


async def check_depth(body: bytes, limits: ServerConfig) -> None:
    """Refuse JSON nested so deeply that decoders would trip over it."""
    if len(body) > _LONG_BODY:
        is_deep = await asyncio.to_thread(wire_json.deeper_than, body, limits.max_json_depth)
    else:
        is_deep = wire_json.deeper_than(body, limits.max_json_depth)
    if is_deep:
        raise InvalidRequestError(f"the request body nests deeper than {limits.max_json_depth}", "nesting_too_deep")


def check_model(model: str) -> None:
    """Refuse a model name that could break out of a line, wherever an upstream wants to see it; and one so long that
    looking for names like it would hold up everybody else."""
    if len(model) > _LONGEST_MODEL:
        raise InvalidRequestError(
            f"model: it is longer than {_LONGEST_MODEL} characters", "bad_model", details={"param": "model"}
        )
    if CONTROL_CHARACTER.search(model):
        raise InvalidRequestError("model: it contains a control character", "bad_model", details={"param": "model"})
