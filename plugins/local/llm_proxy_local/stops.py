"""Stop sequences, found in text that comes in pieces."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["StopFinder"]


class StopFinder:
    """Lets text through up to the first stop sequence, and holds back an end that may be the start of one.

    llama.cpp stops at sequences too, but does not say at which.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [sequence for sequence in sequences if sequence]
        self._held = ""
        self.found: str | None = None

    def feed(self, text: str) -> str:
        """The text that may go out now; `found` is set once a sequence is complete, and nothing follows."""
        text = self._held + text
        hits = [(text.find(sequence), sequence) for sequence in self._sequences if sequence in text]
        if hits:
            end, self.found = min(hits)
            self._held = ""
            return text[:end]
        keep = max((_overlap(text, sequence) for sequence in self._sequences), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What is still held back, when the text has ended."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, sequence: str) -> int:
    """The length of the longest end of `text` that begins `sequence`."""
    longest = min(len(text), len(sequence) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(sequence[:size])), 0)
