"""Which text, and what in it, a segment of a whole answer is. Segments count bytes of UTF-8, over all texts.

https://ai.google.dev/api/generate-content#Segment (2026-11)
"""

from __future__ import annotations

from typing import NamedTuple

from proxy_core.domain.content import Citation, Part, TextPart


class Segment(NamedTuple):
    """Begin and end, in bytes."""

    start: int
    end: int


def attach(citations: list[tuple[Citation, Segment | None]], content: list[Part]) -> None:
    """Hang each citation on the text that it is for: where its segment lies, or its words stand, or else the last."""
    texts = [part for part in content if isinstance(part, TextPart)]
    if citations and not texts:
        content.append(empty := TextPart(text=""))
        texts = [empty]
    encoded = "".join(part.text for part in texts).encode("utf-8", "replace")
    for citation, segment in citations:
        part = _by_segment(citation, segment, texts, encoded) or _by_words(citation, texts)
        part.citations = [*part.citations, citation]


def _by_segment(citation: Citation, segment: Segment | None, texts: list[TextPart], encoded: bytes) -> TextPart | None:
    """The text that a segment begins in, if it is where it says; the citation gets its span."""
    if segment is None or not segment.start < segment.end <= len(encoded):
        return None
    words = encoded[segment.start : segment.end].decode("utf-8", "replace")
    if citation.cited_text not in (None, words):
        return None
    start = len(encoded[: segment.start].decode("utf-8", "replace"))
    for part in texts:
        if start < len(part.text):
            citation.start, citation.end = start, min(start + len(words), len(part.text))
            return part
        start -= len(part.text)
    return None


def _by_words(citation: Citation, texts: list[TextPart]) -> TextPart:
    words = citation.cited_text
    return next((part for part in texts if words and words in part.text), texts[-1])
