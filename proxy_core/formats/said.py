"""What a streamed answer has said, so that what is said again is left out.

The Responses API says each item whole when it is done, and the answer whole when that is; some servers send no pieces
of them before. Reading one event cannot tell, so the encoder remembers which blocks have said something.
"""

from __future__ import annotations

import msgspec

from proxy_core.domain.stream import Delta, ReasoningDelta, StreamChunk, TextDelta, ToolCallDelta


class Said:
    """The memory of one answer. (Who repeats has one candidate, so choices are not told apart.)"""

    def __init__(self) -> None:
        #: The number of the block that spoke last of those with text, which is in no need of another note.
        self.block: object = self
        self._blocks: set[tuple[type, int | None]] = set()
        #: By index: whether the call has any arguments yet.
        self._calls: dict[int, bool] = {}

    def apply(self, chunk: StreamChunk) -> StreamChunk:
        """The chunk without what it repeats."""
        if chunk.repeats:
            deltas = [fresh for delta in chunk.deltas if (fresh := self._fresh(delta, chunk)) is not None]
            chunk = msgspec.structs.replace(chunk, deltas=deltas, repeats=False)
        for delta in chunk.deltas:
            self.note(delta)
        return chunk

    def note(self, delta: Delta) -> None:
        """Remember that this has been said."""
        if isinstance(delta, ToolCallDelta):
            if delta.name or delta.index in self._calls:
                self._calls[delta.index] = bool(delta.arguments) or (not delta.name and self._calls[delta.index])
        elif not isinstance(delta, TextDelta):
            self._blocks.add((type(delta), delta.block))
        elif delta.text:
            self.block = delta.block
            self._blocks.add((TextDelta, delta.block))

    def _fresh(self, delta: Delta, chunk: StreamChunk) -> Delta | None:
        """What of a repeated delta has not been said. A whole answer counts only where there was nothing before: its
        blocks may go by other numbers."""
        if chunk.terminal:
            return None if self._blocks or self._calls else delta
        if isinstance(delta, ToolCallDelta):
            return self._fresh_call(delta)
        if (type(delta), delta.block) not in self._blocks:
            return delta
        if isinstance(delta, ReasoningDelta) and (delta.signature or delta.data):
            return msgspec.structs.replace(delta, text="")
        return None

    def _fresh_call(self, delta: ToolCallDelta) -> ToolCallDelta | None:
        if delta.index not in self._calls:
            return delta
        return None if self._calls[delta.index] else msgspec.structs.replace(delta, id=None, name=None)
