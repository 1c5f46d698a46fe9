"""The lossless lane of a stream that is one JSON array: an element takes the place of an event."""

from __future__ import annotations

import re

from proxy_core.formats.base import WireFormat
from proxy_core.formats.lossless import LosslessStream
from proxy_core.formats.sse import Event, check_event_size

_OUTSIDE_STRINGS = re.compile(rb'["{}]')
_INSIDE_STRINGS = re.compile(rb'["\\]')


class LosslessArray(LosslessStream):
    """Passes on whole elements, byte for byte, with what stands between them, to the end of the body: an error is an
    element too. Time is linear in the bytes fed."""

    def __init__(self, wire_format: WireFormat) -> None:
        super().__init__(wire_format)
        self._buffer = bytearray()
        self._scanned = 0
        self._in_string = False
        self._depth = 0

    def feed(self, data: bytes) -> bytes:
        """What has come up to the end of the last whole element, as it came."""
        self._buffer += data
        end = self._scan()
        whole = bytes(self._buffer[:end])
        del self._buffer[:end]
        check_event_size(len(self._buffer))
        self._scanned -= end
        return whole

    def flush(self) -> bytes:
        """The end of the array, which is put there if only that is missing; a torn element is discarded."""
        tail = bytes(self._buffer)
        self._buffer.clear()
        self.may_end = self.may_end and not self._depth
        if not (self.may_end or self.error):
            return b""
        return tail if b"]" in tail and not self._depth else b"]"

    def has_ended(self) -> bool:
        return False

    def _scan(self) -> int:
        """Read on to the end of the buffer; returns where the last whole element ends."""
        end = 0
        while found := (_INSIDE_STRINGS if self._in_string else _OUTSIDE_STRINGS).search(self._buffer, self._scanned):
            if found[0] == b"\\" and found.end() == len(self._buffer):
                self._scanned = found.start()  # what it escapes has yet to come
                return end
            self._scanned = found.end() + (found[0] == b"\\")
            if self._turn(found[0]):
                self._note_element(bytes(self._buffer[end : self._scanned]))
                end = self._scanned
        self._scanned = len(self._buffer)
        return end

    def _turn(self, sign: bytes) -> bool:
        """Whether this quote or bracket ends an element."""
        if sign == b'"':
            self._in_string = not self._in_string
        elif sign != b"\\":
            self._depth += 1 if sign == b"{" else -1
            return self._depth == 0
        return False

    def _note_element(self, element: bytes) -> None:
        if self.next_mark(element) >= 0:
            self.note(Event(None, element[element.index(b"{") :]))
