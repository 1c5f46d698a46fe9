"""The calls of a streamed answer, told apart."""

from __future__ import annotations

import operator

import msgspec

from proxy_core.domain.stream import Delta, NativeDelta, StreamChunk, ToolCallDelta

_Key = tuple[int, int]


class CallNumbers:
    """Gives each tool call of one answer an index of its own, within its choice.

    Some servers give no index, or all calls the same: a name where a call is open already begins another call, unless
    it is the same call's name again. What belongs to no call is left out: the input of a server tool, say, which only
    the block's own format (that knows the block as a `NativeDelta`) can place.
    """

    def __init__(self) -> None:
        #: By choice and the upstream's index: the call's own index, and the id it came with.
        self._open: dict[_Key, tuple[int, str | None]] = {}
        self._taken: set[_Key] = set()

    def apply(self, chunk: StreamChunk) -> StreamChunk:
        """The chunk, or one with other indexes in its place."""
        deltas = [placed for delta in chunk.deltas if (placed := self._place(delta)) is not None]
        same = len(deltas) == len(chunk.deltas) and all(map(operator.is_, deltas, chunk.deltas))
        return chunk if same else msgspec.structs.replace(chunk, deltas=deltas)

    def _place(self, delta: Delta) -> Delta | None:
        if isinstance(delta, NativeDelta) and delta.block is not None:
            self._open[delta.choice, delta.block] = (delta.block, None)
        if not isinstance(delta, ToolCallDelta):
            return delta
        key = (delta.choice, delta.index)
        if _begins(delta, self._open.get(key)):
            self._open[key] = (self._free_number(*key), delta.id)
        if key not in self._open:
            return None
        index = self._open[key][0]
        return delta if index == delta.index else msgspec.structs.replace(delta, index=index)

    def _free_number(self, choice: int, index: int) -> int:
        while (choice, index) in self._taken:
            index += 1
        self._taken.add((choice, index))
        return index


def _begins(delta: ToolCallDelta, call: tuple[int, str | None] | None) -> bool:
    return bool(delta.name) if call is None else delta.begins_another(call[1])
