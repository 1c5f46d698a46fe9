"""As much of HTTP/1.1 as the upstream needs: requests out of a buffer, and the bytes of a response."""

from dataclasses import dataclass
from http import HTTPStatus

LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """One request as it came; header names in lower case, in order."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes


def take_request(inbox: bytearray) -> Request | None:
    """Cut the first request out of `inbox`, or leave it alone while it is incomplete."""
    head_end = inbox.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    start_line, *lines = bytes(inbox[:head_end]).decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    taken = _take_body(inbox, head_end + 4, dict(headers))
    if taken is None:
        return None
    body, end = taken
    del inbox[:end]
    method, path, _ = start_line.split(" ", 2)
    return Request(method, path, headers, body)


def _take_body(inbox: bytearray, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _take_chunks(inbox, start)
    end = start + int(headers.get("content-length", 0))
    return (bytes(inbox[start:end]), end) if len(inbox) >= end else None


def _take_chunks(inbox: bytearray, at: int) -> tuple[bytes, int] | None:
    body = bytearray()
    while (line_end := inbox.find(b"\r\n", at)) >= 0:
        size = int(bytes(inbox[at:line_end]).partition(b";")[0], 16)
        at = line_end + 2 + size + 2
        if len(inbox) < at:
            return None
        if not size:
            return bytes(body), at
        body += inbox[line_end + 2 : at - 2]
    return None


def head(status: int, headers: dict[str, str]) -> bytes:
    """Status line and headers."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Overloaded"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def response(
    body: bytes,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    chunks: int | None = None,
) -> bytes:
    """A complete response around exactly `body`, for `FaultUpstream.register`; `chunks` cuts it so."""
    framing = {"transfer-encoding": "chunked"} if chunks else {"content-length": str(len(body))}
    top = head(status, {"content-type": content_type, **(headers or {}), **framing})
    if not chunks:
        return top + body
    return top + b"".join(chunk(body[at : at + chunks]) for at in range(0, len(body), chunks)) + LAST_CHUNK
