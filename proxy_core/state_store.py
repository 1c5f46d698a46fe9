"""Opaque state for clients that do not bring it back.

Some providers refuse a tool's result unless the signed thinking before the call comes with it. Clients get that state
in a field where they can keep it; many keep only text and calls. So what stood before a tool call is also kept here for
a while, under the call's id, and put back when the client's history has that call without it.

In this process's memory alone: a server with several workers finds it only where the same worker is asked again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from proxy_core.domain.content import Part, ReasoningPart, ToolCallPart
from proxy_core.domain.request import DomainRequest, Message
from proxy_core.domain.response import DomainResponse
from proxy_core.domain.stream import ReasoningDelta, StreamChunk, TextDelta, ToolCallDelta, as_chunk
from proxy_core.formats.opaque import is_opaque
from proxy_core.formats.said import Said

KEEP_SECONDS: Final = 3600.0
MAX_BYTES: Final = 32 * 1024 * 1024
#: What an entry and a part weigh without their texts, about.
_ENTRY_BYTES: Final = 400
_PART_BYTES: Final = 300

_Key = tuple[str, str]


class _Entry(NamedTuple):
    expires: float
    size: int
    parts: list[ReasoningPart]


class StateStore:
    """What stood before each tool call, by `scope` (who asked whom) and the call's id. Bounded in bytes and in time;
    the oldest goes first."""

    def __init__(
        self,
        max_bytes: int = MAX_BYTES,
        seconds: float = KEEP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._size = 0

    def keep(self, scope: str, call_id: str, parts: list[ReasoningPart]) -> None:
        """Keep the opaque ones of these parts, if there are any."""
        opaque = [part for part in parts if is_opaque(part)]
        if not opaque:
            return
        key = (scope, call_id)
        self._forget(key)
        size = _ENTRY_BYTES + len(call_id) + sum(map(_size, opaque))
        self._entries[key] = _Entry(self._clock() + self._seconds, size, opaque)
        self._size += size
        while self._entries and (self._size > self._max_bytes or self._oldest().expires < self._clock()):
            self._forget(next(iter(self._entries)))

    def find(self, scope: str, call_id: str) -> list[ReasoningPart]:
        """The parts that stood before a call; none when they are not known (any more)."""
        entry = self._entries.get((scope, call_id))
        return entry.parts if entry is not None and entry.expires >= self._clock() else []

    def restore(self, scope: str, request: DomainRequest, origin: str) -> None:
        """Put back what `origin` issued, where the client's history has the calls and nothing of it."""
        if self._entries:
            for message in request.messages:
                self._restore_message(scope, message, origin)

    def _restore_message(self, scope: str, message: Message, origin: str) -> None:
        if any(isinstance(part, ReasoningPart) and part.origin == origin for part in message.content):
            return
        restored: list[Part] = []
        for part in message.content:
            if isinstance(part, ToolCallPart):
                found = [kept for kept in self.find(scope, part.id) if kept.origin == origin]
                restored = [*_without_copies(restored, found), *found]
            restored.append(part)
        message.content = restored

    def _oldest(self) -> _Entry:
        return next(iter(self._entries.values()))

    def _forget(self, key: _Key) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self._size -= entry.size


def _size(part: ReasoningPart) -> int:
    return _PART_BYTES + len(part.text) + len(part.signature or "") + len(part.data or "")


def _without_copies(parts: list[Part], found: list[ReasoningPart]) -> list[Part]:
    """The parts without the plain thinking that the client kept of what was found."""
    if not any(part.text for part in found):
        return parts
    return [part for part in parts if not isinstance(part, ReasoningPart) or is_opaque(part)]


class StateWatch:
    """Notices, in one answer on its way to the client, what stands before each tool call."""

    def __init__(self, store: StateStore, scope: str) -> None:
        self._store = store
        self._scope = scope
        self._said = Said()
        self._parts: list[ReasoningPart] = []
        #: The pieces of the text of the last of them.
        self._text: list[str] = []
        self._last: tuple[int, int | None] | None = None

    def see(self, chunks: Iterable[StreamChunk]) -> None:
        """Take notice of some chunks; they are not changed. Text alone, which most are, is none of our business."""
        for chunk in chunks:
            deltas = chunk.deltas
            if len(deltas) == 1 and type(deltas[0]) is TextDelta:
                continue
            for delta in self._said.apply(chunk).deltas:
                if type(delta) is TextDelta:
                    continue
                if isinstance(delta, ReasoningDelta):
                    self._think(delta)
                elif isinstance(delta, ToolCallDelta) and delta.name and delta.id:
                    self._settle()
                    self._store.keep(self._scope, delta.id, self._parts)
                    self._parts, self._last = [], None

    def see_whole(self, response: DomainResponse) -> None:
        """Take notice of an answer in one piece."""
        if any(isinstance(part, ReasoningPart) for part in response.content):
            self.see([as_chunk(response)])

    def _think(self, delta: ReasoningDelta) -> None:
        key = (delta.choice, delta.block)
        if key != self._last or is_opaque(self._parts[-1]):
            self._settle()
            self._parts.append(ReasoningPart())
        self._last, part = key, self._parts[-1]
        self._text.append(delta.text)
        part.signature = part.signature or delta.signature
        part.data = part.data or delta.data
        part.origin = part.origin or delta.origin
        part.id = part.id or delta.id

    def _settle(self) -> None:
        if self._text:
            self._parts[-1].text = "".join(self._text)
            self._text.clear()
