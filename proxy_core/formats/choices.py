"""Whether a stream may end, in formats where no event ends one: each of its choices ends by itself."""

from __future__ import annotations

from proxy_core.domain.stream import StreamChunk


class Choices:
    """The choices of one streamed answer; they are numbered from 0."""

    def __init__(self) -> None:
        self._begun = 0
        self._ended: set[int] = set()
        self._may_be_last = False

    def note(self, chunk: StreamChunk) -> None:
        """Take notice of a chunk; one that ends nothing, and speaks for the first choice alone, may be left out."""
        self._ended.update(finish.choice for finish in chunk.finish)
        heard = (*self._ended, *(delta.choice for delta in chunk.deltas))
        self._begun = max((self._begun, *(number + 1 for number in heard)))
        self._may_be_last = self._may_be_last or chunk.may_be_last

    def all_ended(self) -> bool:
        """Whether the upstream may end the stream here."""
        return self._may_be_last and len(self._ended) == self._begun
