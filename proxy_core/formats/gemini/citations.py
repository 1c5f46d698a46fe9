"""Sources of a text: `groundingMetadata` (searches) and `citationMetadata` (recitation) to citations, and back.

Gemini counts a segment's offsets in bytes of UTF-8, over the whole text of the answer, which no event of a stream
knows: from a stream the domain gets the words of the segment, and no span. https://ai.google.dev/api/generate-content,
https://ai.google.dev/gemini-api/docs/google-search (2026-11)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from proxy_core.domain.base import Extras
from proxy_core.domain.content import Citation
from proxy_core.formats.fields import Json, as_dict, count, dicts, stated, text_or_none
from proxy_core.formats.gemini.fields import FORMAT, camel_keys, note
from proxy_core.formats.gemini.segments import Segment
from proxy_core.formats.spans import span_in

#: The fields of a candidate that hold its sources.
SOURCES: Final = ("groundingMetadata", "citationMetadata")

_KINDS: Final = ("web", "retrievedContext", "maps", "image")


Found = tuple[Citation, Segment | None]


def read_citations(candidate: Json) -> list[Found]:
    """The citations of a candidate, with the segments they are for; all of it is kept for Gemini's own clients, too."""
    return [*_grounding(as_dict(candidate.get(SOURCES[0]))), *_recited(as_dict(candidate.get(SOURCES[1])))]


def _from(field: str) -> Extras:
    """The note that a citation repeats what stands in a field of the candidate."""
    return {FORMAT: {"_from": field}}


def is_repeated(citation: Citation) -> bool:
    """Whether a citation was read from a field of a Gemini candidate."""
    return note(citation.extras, "from") is not None


def _grounding(raw: Json) -> list[Found]:
    """One for each segment and source; sources that no segment points at go without."""
    metadata = camel_keys(raw)
    chunks = metadata.get("groundingChunks")
    sources = [_source(chunk) for chunk in chunks] if isinstance(chunks, list) else []
    used = [
        (index, segment)
        for segment, indexes in map(_support, dicts(metadata.get("groundingSupports")))
        for index in indexes
        if index < len(sources)
    ]
    unused: list[tuple[int, Json]] = [(index, {}) for index in range(len(sources)) if index not in dict(used)]
    return [found for index, segment in [*used, *unused] if (found := _cited(sources[index], segment)) is not None]


def _source(chunk: Any) -> Json:
    fields = camel_keys(as_dict(chunk))
    return camel_keys(next((as_dict(fields[kind]) for kind in _KINDS if fields.get(kind)), {}))


def _support(raw: Json) -> tuple[Json, list[int]]:
    """A segment, and the numbers of its sources."""
    support = camel_keys(raw)
    numbers = support.get("groundingChunkIndices")
    indexes = [count(number) for number in numbers] if isinstance(numbers, list) else []
    return camel_keys(as_dict(support.get("segment"))), [index for index in indexes if index is not None]


def _cited(source: Json, segment: Json, field: str = SOURCES[0]) -> Found | None:
    url = text_or_none(source.get("uri")) or text_or_none(source.get("sourceUri"))
    title = text_or_none(source.get("title"))
    if url is None and title is None:
        return None
    words = text_or_none(segment.get("text"))
    return Citation(url=url, title=title, cited_text=words, extras=_from(field)), _segment_of(segment)


def _segment_of(raw: Json) -> Segment | None:
    """Offsets of 0 are left out."""
    end = count(raw.get("endIndex"))
    return None if end is None else Segment(count(raw.get("startIndex")) or 0, end)


def _recited(raw: Json) -> list[Found]:
    """The Gemini API calls them `citationSources`, Vertex AI `citations`."""
    metadata = camel_keys(raw)
    entries = dicts(metadata.get("citationSources")) or dicts(metadata.get("citations"))
    return [found for entry in map(camel_keys, entries) if (found := _cited(entry, entry, SOURCES[1])) is not None]


class Cited(NamedTuple):
    """A citation, and where the text that it is for begins and ends in the text of the candidate, in characters."""

    citation: Citation
    start: int
    end: int


def write_grounding(cited: Iterable[Cited], text: str) -> Json:
    """The `groundingMetadata` for the citations in a text. Each source is there once."""
    chunks: dict[tuple[str | None, str | None], int] = {}
    supports = []
    for each in cited:
        source = (each.citation.url, each.citation.title)
        number = chunks.setdefault(source, len(chunks))
        supports.append({"segment": _segment(each, text), "groundingChunkIndices": [number]})
    return {"groundingChunks": [_chunk(*source) for source in chunks], "groundingSupports": supports}


def _chunk(url: str | None, title: str | None) -> Json:
    """A page; what has no address is a document."""
    return {"retrievedContext" if url is None else "web": stated({"uri": url, "title": title})}


def _segment(cited: Cited, text: str) -> Json:
    """The words that the source is used for, and where they stand in the text."""
    start, end = span_in(cited.citation, text[cited.start : cited.end])
    words = text[cited.start + start : min(cited.start + end, cited.end)]
    first = len(_utf8(text[: cited.start + start]))
    return {"startIndex": first, "endIndex": first + len(_utf8(words)), "text": words}


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")
