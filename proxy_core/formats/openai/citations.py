"""Citations of pages, which Chat Completions hangs on the message as annotations, both ways.

https://platform.openai.com/docs/api-reference/chat/object (2026-11)
"""

from __future__ import annotations

from typing import Any

from proxy_core.domain.content import Citation, Part, TextPart
from proxy_core.formats.fields import as_dict, count, dicts, leftover, text_or_none
from proxy_core.formats.openai.fields import FORMAT, own_fields
from proxy_core.formats.spans import span_in

_KNOWN = frozenset({"type", "url", "title", "start_index", "end_index", "content"})


def read_annotations(message: dict[str, Any], content: list[Part]) -> list[dict[str, Any]]:
    """Hang the citations on the text; what is not a citation of a page, or finds no text, is handed back."""
    text = next((part for part in content if isinstance(part, TextPart)), None)
    other = []
    for annotation in dicts(message.get("annotations")):
        citation = read_citation(annotation)
        if citation is None or text is None:
            other.append(annotation)
        else:
            text.citations = [*text.citations, citation]
    return other


def read_citation(annotation: dict[str, Any]) -> Citation | None:
    """The citation that an annotation of type `url_citation` is."""
    if annotation.get("type") != "url_citation":
        return None
    inner = as_dict(annotation.get("url_citation")) or annotation
    own = leftover(inner, _KNOWN)
    return Citation(
        url=text_or_none(inner.get("url")),
        title=text_or_none(inner.get("title")),
        start=count(inner.get("start_index")),
        end=count(inner.get("end_index")),
        cited_text=text_or_none(inner.get("content")),
        extras={FORMAT: own} if own else {},
    )


def write_citation(citation: Citation, text: str, offset: int) -> dict[str, Any]:
    """The annotation for a citation in a text that begins at `offset` in the whole content."""
    start, end = span_in(citation, text)
    inner: dict[str, Any] = {
        "url": citation.url or "",
        "title": citation.title or "",
        "start_index": offset + start,
        "end_index": offset + end,
        **own_fields(citation.extras),
    }
    if citation.cited_text:
        inner["content"] = citation.cited_text
    return {"type": "url_citation", "url_citation": inner}


def write_annotations(texts: list[TextPart]) -> list[dict[str, Any]]:
    """The annotations of a message whose content is all these texts."""
    annotations, offset = [], 0
    for part in texts:
        annotations += [write_citation(citation, part.text, offset) for citation in part.citations]
        offset += len(part.text)
    return annotations
