"""A client's parts to domain parts. https://ai.google.dev/api/caching#Part (2026-11)"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from proxy_core.domain.content import MediaPart, NativePart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from proxy_core.formats import wire_json
from proxy_core.formats.fields import Json, invalid
from proxy_core.formats.gemini.fields import FORMAT, Fields
from proxy_core.formats.gemini.ids import OpenCalls
from proxy_core.formats.media_types import guess_media_type, kind_of

#: Google's SDKs write bytes in the URL's alphabet, everybody else wants the standard one.
_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")
#: Files uploaded to Google have https addresses that nobody else can read.
_OWN_FILES: Final = ("https://generativelanguage.googleapis.com/", "https://storage.cloud.google.com/")
_VIDEOS: Final = ("https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part stands in the history, and the calls that are open there."""

    position: tuple[int, int]
    calls: OpenCalls


def standard_base64(text: str) -> str:
    """Base64 in the standard alphabet."""
    return text.translate(_STANDARD_ALPHABET) if "-" in text or "_" in text else text


def decode_part(fields: Fields, place: Place) -> Part:
    """The part; one that only Gemini has (code that ran, a server tool's call) is kept whole. Its `thoughtSignature` is
    not looked at."""
    kind = next((name for name in _READERS if fields.rest.get(name) is not None), None)
    if kind is None or (fields.rest.get("thought") is True and kind != "text"):
        return NativePart(format=FORMAT, data=fields.rest)
    return _thought(fields) if fields.take("thought", bool) else _READERS[kind](fields, place)


def _thought(fields: Fields) -> Part:
    return ReasoningPart(text=fields.need("text", str), extras=fields.extras())


def _text(fields: Fields, _: Place) -> Part:
    return TextPart(text=fields.need("text", str), extras=fields.extras())


def _inline_data(fields: Fields, _: Place) -> Part:
    inner = fields.inner("inlineData")
    part = MediaPart(
        kind="file",
        media_type=inner.take("mimeType", str),
        data=standard_base64(inner.need("data", str)),
        filename=inner.take("displayName", str),
    )
    part.kind = kind_of(guess_media_type(part))
    part.extras = fields.extras(inner=inner.rest or None)
    return part


def _file_data(fields: Fields, _: Place) -> Part:
    """An address that everybody can read, or a file that only Google has (`gs://...`, `files/...`)."""
    inner = fields.inner("fileData")
    part = MediaPart(kind="file", media_type=inner.take("mimeType", str), filename=inner.take("displayName", str))
    uri = inner.need("fileUri", str)
    if uri.lower().startswith(("http://", "https://")) and not uri.startswith(_OWN_FILES):
        part.url = uri
    else:
        part.file_id = uri
    part.kind = "video" if uri.startswith(_VIDEOS) else kind_of(guess_media_type(part))
    part.extras = fields.extras(inner=inner.rest or None)
    return part


def _function_call(fields: Fields, place: Place) -> Part:
    inner = fields.inner("functionCall")
    name, given = inner.need("name", str), inner.take("id", str) or None
    return ToolCallPart(
        id=place.calls.called(name, given, place.position),
        name=name,
        arguments=json_text(inner.take("args", dict) or {}, inner.at("args")),
        extras=fields.extras(inner=inner.rest or None),
    )


def json_text(value: Any, path: str) -> str:
    """The value as JSON; raises `InvalidRequestError` when it is nested too deeply."""
    try:
        return wire_json.dumps(value).decode()
    except ValueError as error:
        raise invalid(f"{path}: {error}", "invalid_value", path) from error


def _function_response(fields: Fields, place: Place) -> Part:
    inner = fields.inner("functionResponse")
    name, given = inner.need("name", str), inner.take("id", str) or None
    identifier = place.calls.answered(name, given, place.position)
    response = inner.take("response", dict) or {}
    content: list[TextPart | MediaPart] = []
    if text := response_text(response, inner.at("response")):
        content.append(TextPart(text=text))
    content += [_result_media(part, place) for part in inner.each("parts")]
    return ToolResultPart(
        tool_call_id=identifier,
        content=content,
        is_error=response.get("error") is not None,
        name=name,
        extras=fields.extras(response=response, id=_unlike(given, identifier), inner=inner.rest or None),
    )


def _unlike(given: str | None, identifier: str) -> str | None:
    """The id that the result itself gives, if it is not that of its call."""
    return None if given == identifier else given or ""


def _result_media(fields: Fields, place: Place) -> TextPart | MediaPart:
    """An image or the like; a part of a kind unknown to us as JSON text."""
    whole = dict(fields.rest)
    part = decode_part(fields, place)
    return part if isinstance(part, MediaPart) else TextPart(text=json_text(whole, fields.path))


#: Keys that hold all of a function's result, where they stand alone.
_RESULTS: Final = ("output", "result", "error")


def response_text(response: Json, path: str) -> str:
    """What a function gave back: the value under `output`, `result` or `error`, or else the whole object, as JSON where
    it is no string. https://ai.google.dev/api/caching#FunctionResponse (2026-11)"""
    value: Any = response
    if len(response) == 1:
        key, inner = next(iter(response.items()))
        value = inner if key in _RESULTS else response
    if not value and value in ({}, None):
        return ""
    return value if isinstance(value, str) else json_text(value, path)


_READERS: Final[dict[str, Callable[[Fields, Place], Part]]] = {
    "functionCall": _function_call,
    "functionResponse": _function_response,
    "inlineData": _inline_data,
    "fileData": _file_data,
    "text": _text,
}
