"""Domain parts to the parts of a request, but for reasoning, which is signed into others.

https://ai.google.dev/api/caching#Part (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from proxy_core.domain.content import MediaPart, NativePart, Part, RefusalPart, TextPart, ToolCallPart, ToolResultPart
from proxy_core.formats import losses
from proxy_core.formats.fields import Json, invalid, stated
from proxy_core.formats.free_text import arguments_object
from proxy_core.formats.gemini.fields import FORMAT, note
from proxy_core.formats.gemini.ids import is_minted
from proxy_core.formats.gemini.parts import response_text
from proxy_core.formats.gemini.target import Target
from proxy_core.formats.media_types import bare_media_type

_NO_TEXT: Final = "(see the attachment that follows)"


def encode_part(part: Part, target: Target) -> Json | None:
    """The part; None for one that cannot be carried, which is recorded, and for empty text."""
    writer = _WRITERS.get(type(part))
    return None if writer is None else writer(part, target)


def _text(part: TextPart, target: Target) -> Json | None:
    """None for text without a character, which Gemini refuses."""
    own = target.own(part.extras)
    if part.citations:
        target.request.drop("citations")
    if not part.text and not target.same_format:
        return None
    return {"text": part.text, **own}


def _refusal(part: RefusalPart, target: Target) -> Json | None:
    own = target.own(part.extras)
    return {"text": part.text, **own} if part.text else None


def _native(part: NativePart, target: Target) -> Json | None:
    if part.format == FORMAT:
        return part.data
    target.request.drop(*losses.of_native(part))
    return None


def encode_media(part: MediaPart, target: Target) -> Json:
    """`inlineData` or `fileData`; raises `InvalidRequestError` for files that only another provider has."""
    if part.detail not in (None, "auto"):
        target.request.drop("detail")
    own, inner = target.own(part.extras), note(part.extras, "inner") or {}
    if part.data is not None:
        blob = {"mimeType": _stated_type(part, target), "data": part.data, "displayName": _name(part, target)}
        return {"inlineData": {**stated(blob), **inner}, **own}
    file = {"mimeType": _file_type(part, target), "fileUri": _uri(part, target), "displayName": _name(part, target)}
    return {"fileData": {**stated(file), **inner}, **own}


def _stated_type(part: MediaPart, target: Target) -> str | None:
    if target.same_format:
        return part.media_type
    kind = bare_media_type(part)
    if kind is None:
        raise invalid("messages: the media type of a file is missing", "missing_required_parameter", "messages")
    return kind


def _file_type(part: MediaPart, target: Target) -> str | None:
    return part.media_type if target.same_format else bare_media_type(part)


def _name(part: MediaPart, target: Target) -> str | None:
    """Only the enterprise API takes names of files."""
    if part.filename is None or target.same_format:
        return part.filename
    target.request.drop("filename")
    return None


def _uri(part: MediaPart, target: Target) -> str:
    """An address, which Gemini fetches, or a file of its own.
    https://ai.google.dev/gemini-api/docs/file-input-methods (2026-11)"""
    if part.url is not None:
        return part.url
    if part.file_id is None or target.request.source_format not in (FORMAT, None):
        raise invalid(
            "messages: Gemini cannot read files stored at another provider; send the data or a URL instead",
            "unsupported_value",
            "file_id",
        )
    return part.file_id


def _tool_call(part: ToolCallPart, target: Target) -> Json:
    inner = note(part.extras, "inner") or {}
    call = {"id": _id(part.id), "name": part.name, "args": arguments_object(part), **inner}
    return {"functionCall": stated(call), **target.own(part.extras)}


def _id(identifier: str) -> str | None:
    return None if is_minted(identifier) else identifier


def _tool_result(part: ToolResultPart, target: Target) -> Json:
    result = {
        "id": _result_id(part),
        "name": result_name(part, target),
        "response": _response(part, target),
        "parts": _result_parts(part, target),
        **(note(part.extras, "inner") or {}),
    }
    return {"functionResponse": stated(result), **target.own(part.extras)}


def _result_id(part: ToolResultPart) -> str | None:
    spelled: str | None = note(part.extras, "id")
    return _id(part.tool_call_id) if spelled is None else spelled or None


def result_name(part: ToolResultPart, target: Target) -> str:
    """The name of the function whose result it is, which Gemini must have."""
    call = target.calls.get(part.tool_call_id)
    if call is not None and not (target.same_format and part.name):
        return call.name
    return part.name or "unknown_function"


def _response(part: ToolResultPart, target: Target) -> Json:
    text = _result_text(part, target)
    given = note(part.extras, "response")
    if isinstance(given, dict) and response_text(given, "") == text:
        return given
    return {"error" if part.is_error else "output": text}


def _result_text(part: ToolResultPart, target: Target) -> str:
    texts = [each for each in part.content if isinstance(each, TextPart)]
    for each in texts:
        _text(each, target)  # for the record of what is dropped
    if not texts and part.content and not target.same_format:
        return _NO_TEXT
    return "\n".join(each.text for each in texts)


def _result_parts(part: ToolResultPart, target: Target) -> list[Json] | None:
    """Media within a result, as a Gemini client put it there: only the newest models take it."""
    if not target.same_format:
        return None
    return [encode_media(each, target) for each in part.content if isinstance(each, MediaPart)] or None


_WRITERS: Final[dict[type, Callable[[Any, Target], Json | None]]] = {
    MediaPart: encode_media,
    NativePart: _native,
    RefusalPart: _refusal,
    TextPart: _text,
    ToolCallPart: _tool_call,
    ToolResultPart: _tool_result,
}
