"""Domain parts to the content parts of a message, or of a tool's output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from proxy_core.domain.content import MediaPart, NativePart, Part, RefusalPart, TextPart
from proxy_core.formats.fields import stated
from proxy_core.formats.openai_responses.annotations import write_annotation
from proxy_core.formats.openai_responses.content import CONTENT
from proxy_core.formats.openai_responses.fields import FORMAT, note
from proxy_core.formats.openai_responses.input_items import ITEM_FIELD
from proxy_core.formats.openai_responses.media_encode import encode_media
from proxy_core.formats.openai_responses.target import Target


def encode_input(parts: list[Part], target: Target, path: str) -> str | list[dict[str, Any]]:
    """What a user, a system or a tool says: a string where one plain text is all there is."""
    match parts:
        case [TextPart(extras=extras, citations=citations) as part] if not extras and not citations:
            return part.text
    return _encode_parts(parts, target, path, _input_text)


def encode_spoken(parts: list[Part], target: Target, path: str) -> list[dict[str, Any]]:
    """What the model says."""
    return _encode_parts(parts, target, path, _output_text)


def is_content(part: Part) -> bool:
    """Whether it stands in a message, and is no item of its own."""
    return isinstance(part, TextPart | RefusalPart | MediaPart) or _is_whole(part)


def _is_whole(part: Part) -> bool:
    return isinstance(part, NativePart) and part.format == FORMAT and CONTENT in part.data


_TextWriter = Callable[[TextPart, Target], dict[str, Any]]


def _encode_parts(parts: Iterable[Part], target: Target, path: str, text: _TextWriter) -> list[dict[str, Any]]:
    encoded = (_encode_part(part, target, path, text) for part in parts)
    return [part for part in encoded if part is not None]


def _encode_part(part: Part, target: Target, path: str, text: _TextWriter) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return text(part, target) if note(part.extras, "mark") is None else None
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.text, **_own(part, target)}
    if isinstance(part, MediaPart):
        return _media(part, target, path, text)
    if isinstance(part, NativePart) and _is_whole(part):
        whole: dict[str, Any] = part.data[CONTENT]
        return whole
    target.note_dropped([part])
    return None


def _own(part: TextPart | RefusalPart, target: Target) -> dict[str, Any]:
    return {name: value for name, value in target.own(part.extras).items() if not name.startswith(ITEM_FIELD)}


def _media(part: MediaPart, target: Target, path: str, text: _TextWriter) -> dict[str, Any] | None:
    """Only users and tools show images: one that the model made has no place in what it said."""
    if text is _output_text and not target.same_format:
        target.note_dropped([part])
        return None
    return encode_media(part, target, path)


def _input_text(part: TextPart, target: Target) -> dict[str, Any]:
    if part.citations:
        target.request.drop("citations")
    whole: dict[str, Any] | None = note(part.extras, "whole")
    return whole or {"type": "input_text", "text": part.text, **_own(part, target)}


def _output_text(part: TextPart, target: Target) -> dict[str, Any]:
    """Annotations are required. A source without a URL (a document of Anthropic's) cannot be one, unless it came as
    one."""
    sources = [citation for citation in part.citations if citation.url or citation.extra(FORMAT)]
    if len(sources) < len(part.citations):
        target.request.drop("citations")
    annotations = [write_annotation(citation, part.text) for citation in sources]
    text = {"type": "output_text", "text": part.text, "annotations": annotations, **_own(part, target)}
    return {**text, **stated({"logprobs": note(part.extras, "logprobs")})}
