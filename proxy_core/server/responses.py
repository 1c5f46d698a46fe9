"""Whole responses: JSON answers and errors in the client's format."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from starlette.types import Send

from proxy_core.domain.response import ErrorInfo
from proxy_core.errors import LLMProxyError
from proxy_core.formats import wire_json
from proxy_core.formats.base import RenderOptions, WireFormat
from proxy_core.server.streaming import RawHeaders
from proxy_core.upstream.headers import passed_on
from proxy_core.upstream.retry_after import bounded

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
JSON = (b"content-type", b"application/json")


def raw_headers(headers: Mapping[str, str]) -> RawHeaders:
    """Headers as ASGI wants them; what cannot be a header value is left out."""
    return [
        (name.encode("latin-1"), encoded)
        for name, value in headers.items()
        if not _CONTROL.search(encoded := value.encode("latin-1", "replace"))
    ]


async def send_json(send: Send, status: int, body: bytes, headers: RawHeaders) -> None:
    """One JSON response."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [JSON, length, *headers]})
    await send({"type": "http.response.body", "body": body})


def error_info(error: LLMProxyError) -> ErrorInfo:
    """An error of ours as formats take it."""
    return ErrorInfo(
        message=error.message,
        code=error.code,
        param=error.details.get("param"),
        status=error.status_code,
        retry_after=bounded(error.retry_after),
    )


def error_body(error: LLMProxyError, wire_format: WireFormat, options: RenderOptions) -> bytes:
    """The body for the client: the upstream's own where it speaks the same format, else ours in the client's format."""
    if error.upstream_body is not None:
        name, body = error.upstream_body
        if name == wire_format.name and body.lstrip().startswith(b"{"):
            return body
    return wire_json.dumps(wire_format.encode_error(error_info(error), options))


def error_headers(error: LLMProxyError, wire_format: WireFormat) -> RawHeaders:
    """What the client may learn of the upstream's headers, and when to come back."""
    headers = passed_on(error.headers, wire_format.response_headers)
    if (seconds := bounded(error.retry_after)) is not None:
        headers["retry-after"] = str(math.ceil(seconds))
    return raw_headers(headers)


async def send_error(
    send: Send, error: LLMProxyError, wire_format: WireFormat, options: RenderOptions, headers: RawHeaders
) -> None:
    """One error response in the client's format."""
    body = error_body(error, wire_format, options)
    await send_json(send, error.status_code, body, [*headers, *error_headers(error, wire_format)])
