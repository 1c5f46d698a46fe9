"""Server-sent events, as bytes.

Lines end with CR, LF or CRLF and nothing else: `str.splitlines` also splits at U+2028 and U+0085, which may stand
inside JSON. https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream (2026-11)
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proxy_core.errors import BackendError

#: base64 images arrive as one line of more than a megabyte.
MAX_EVENT_BYTES = 32 * 1024 * 1024

KEEP_ALIVE = b": keep-alive\n\n"

BLANK_LINE = re.compile(rb"(?:\r\n|\r(?!\n)|\n)(?:\r\n|\r|\n)")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its name, where it has one, and its data lines joined by LF. `data` is None for a mere comment."""

    name: str | None
    data: bytes | None


def parse_event(block: bytes) -> Event:
    """The event that a block of lines (without or with its blank line) spells."""
    if block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block:
        return Event(None, block[6:])
    return _parse_lines(_LINE_END.split(block))


def _parse_lines(lines: list[bytes]) -> Event:
    name: str | None = None
    data: list[bytes] = []
    for line in lines:
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    return Event(name, b"\n".join(data) if data else None)


def check_event_size(size: int, limit: int = MAX_EVENT_BYTES) -> None:
    """Raises `BackendError` for an event, or what has come of one, that is longer than the limit."""
    if size > limit:
        raise BackendError(f"one stream event is longer than {limit} bytes", code="event_too_large")


class EventSplitter:
    """Cuts a byte stream into blocks of one event each, however the network has cut it.

    A block keeps its own line ends but not its blank line. Time is linear in the bytes fed, whatever their sizes.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._buffer = bytearray()
        self._scanned = 0
        self._started = False

    @property
    def pending(self) -> bool:
        """Whether bytes have come since the last blank line."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The blocks that `data` completes; raises `BackendError` when one grows beyond the limit."""
        if not self._started:
            data = self._skip_bom(data)
        if not self._buffer and data.endswith(b"\n\n") and b"\r" not in data:
            return [block for block in data.split(b"\n\n") if block]
        self._buffer += data
        return self._take_blocks()

    def flush(self) -> list[bytes]:
        """The last block of a stream that ended without a blank line, if there is one."""
        block = bytes(self._buffer).strip(b"\r\n")
        self._buffer.clear()
        self._scanned = 0
        return [block] if block else []

    def _skip_bom(self, data: bytes) -> bytes:
        if self._buffer or _BOM.startswith(data[:3]):
            data = bytes(self._buffer) + data
            self._buffer.clear()
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._buffer += data
                return b""
        self._started = True
        return data.removeprefix(_BOM)

    def _take_blocks(self) -> list[bytes]:
        blocks: list[bytes] = []
        start = 0
        for match in BLANK_LINE.finditer(self._buffer, self._scanned):
            if match.start() > start:
                blocks.append(bytes(self._buffer[start : match.start()]))
            start = match.end()
        if start:
            del self._buffer[:start]
        check_event_size(len(self._buffer), self._max)
        self._scanned = max(0, len(self._buffer) - 3)
        return blocks


def render(data: bytes, name: str | None = None) -> bytes:
    """One event, with its blank line."""
    if name is None:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


class WholeEvents:
    """Holds back the tail of a byte stream until its blank line has come; passes all else on, byte for byte."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._buffer = bytearray()
        self._scanned = 0

    def feed(self, data: bytes) -> bytes:
        """The bytes up to the last blank line; raises `BackendError` when one event grows beyond the limit."""
        if not self._buffer and data.endswith(b"\n\n"):
            return data
        self._buffer += data
        end = self._last_blank_line()
        whole = bytes(self._buffer[:end])
        del self._buffer[:end]
        check_event_size(len(self._buffer), self._max)
        self._scanned = max(0, len(self._buffer) - 3)
        return whole

    def flush(self) -> bytes:
        """What never got its blank line."""
        tail = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        return tail

    def _last_blank_line(self) -> int:
        if self._buffer.find(b"\r", self._scanned) < 0:
            found = self._buffer.rfind(b"\n\n", self._scanned)
            return found + 2 if found >= 0 else 0
        end = 0
        for match in BLANK_LINE.finditer(self._buffer, self._scanned):
            end = match.end()
        return end
