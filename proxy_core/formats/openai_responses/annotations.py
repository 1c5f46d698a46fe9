"""Annotations of a text (its sources) and the log probabilities of its tokens, both ways.

https://platform.openai.com/docs/api-reference/responses/object#responses-object-output (2026-11)
"""

from __future__ import annotations

from typing import Any

from proxy_core.domain.content import Citation
from proxy_core.formats.fields import Json, as_text, count, dicts, leftover, text_or_none
from proxy_core.formats.openai_responses.fields import FORMAT, own_fields
from proxy_core.formats.spans import span_in

_KNOWN = frozenset({"type", "url", "title", "start_index", "end_index"})


def read_annotation(annotation: Json) -> Citation:
    """The citation that an annotation is: of a page or, kept as it came too, of a file."""
    is_page = annotation.get("type") == "url_citation"
    own = leftover(annotation, _KNOWN) if is_page else annotation
    return Citation(
        url=text_or_none(annotation.get("url")) if is_page else None,
        title=text_or_none(annotation.get("title" if is_page else "filename")),
        start=count(annotation.get("start_index")),
        end=count(annotation.get("end_index")),
        extras={FORMAT: own} if own else {},
    )


def write_annotation(citation: Citation, text: str) -> Json:
    """The annotation for a citation in a text."""
    own = own_fields(citation.extras)
    if "type" in own:
        return own
    start, end = span_in(citation, text)
    page = {"type": "url_citation", "url": citation.url or "", "title": citation.title or ""}
    return {**page, "start_index": start, "end_index": end, **own}


def read_logprobs(entries: Any) -> Json | None:
    """The log probabilities in the shape of Chat Completions; None where there are none."""
    tokens = [_token(entry) for entry in dicts(entries)]
    return {"content": tokens, "refusal": None} if tokens else None


def write_logprobs(logprobs: Json | None) -> list[Json]:
    """The log probabilities of a text; `bytes`, which Chat may leave out, are those of the token."""
    return [] if logprobs is None else [_with_bytes(_token(entry)) for entry in dicts(logprobs.get("content"))]


def _token(entry: Json) -> Json:
    return {**entry, "top_logprobs": dicts(entry.get("top_logprobs"))}


def _with_bytes(entry: Json) -> Json:
    others = [{**other, "bytes": _bytes(other)} for other in entry["top_logprobs"]]
    return {**entry, "bytes": _bytes(entry), "top_logprobs": others}


def _bytes(entry: Json) -> list[Any]:
    known = entry.get("bytes")
    return known if isinstance(known, list) else list(as_text(entry.get("token")).encode("utf-8", "replace"))
