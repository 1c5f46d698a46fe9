"""Events to bytes as Gemini sends them without `alt=sse`: one JSON array, an element for each event."""

import json
from collections.abc import Iterator

from tests.fault_upstream.reply import Event


class JsonArray:
    """One array; only a `complete` one is closed after the last of its events."""

    def __init__(self, complete: bool) -> None:
        self._complete, self._opening = complete, b"["

    def frames(self, events: list[Event]) -> Iterator[bytes]:
        """One block of bytes for each event, made when it is wanted."""
        for left, event in zip(reversed(range(len(events))), events, strict=True):
            yield self._element(event) + (b"]" if self._complete and not left else b"")

    def frame(self, event: Event) -> bytes:
        """One event that ends the array."""
        return self._element(event) + b"]"

    def _element(self, event: Event) -> bytes:
        opening, self._opening = self._opening, b",\r\n"
        data = event[1]
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, indent=2)
        return opening + text.encode() + b"\n"
