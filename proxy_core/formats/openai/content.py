"""Content parts, both ways.

https://platform.openai.com/docs/api-reference/chat/create#chat_create-messages (2026-11)
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from proxy_core.domain.content import MediaKind, MediaPart, NativePart, Part, RefusalPart, TextPart
from proxy_core.formats.fields import invalid, missing, wrong_type
from proxy_core.formats.openai.dialect import Target
from proxy_core.formats.openai.fields import FORMAT, Fields, note, own_fields

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),(.*)", re.DOTALL)
_AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_AUDIO_FORMATS = {media_type: name for name, media_type in _AUDIO_TYPES.items()}
_URL_PARTS: dict[str, MediaKind] = {"image_url": "image", "video_url": "video", "audio_url": "audio"}


def decode_content(fields: Fields, name: str = "content", *, required: bool = True) -> list[Part]:
    """The parts of a message: its content is a string or a list of parts."""
    value, path = fields.rest.pop(name, None), fields.at(name)
    if value is None:
        if required:
            raise missing(path)
        return []
    if isinstance(value, str):
        return [TextPart(text=value)]
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array of content parts", value)
    return [decode_part(part, f"{path}[{index}]") for index, part in enumerate(value)]


def decode_part(value: Any, path: str) -> Part:
    """One content part; of a type unknown to us, it is kept whole."""
    fields = Fields(value, path)
    kind = fields.need("type", str)
    reader = _READERS.get(kind)
    return reader(fields) if reader else NativePart(format=FORMAT, data=value)


def _text(fields: Fields) -> Part:
    return TextPart(text=fields.need("text", str), extras=fields.extras())


def _refusal(fields: Fields) -> Part:
    return RefusalPart(text=fields.need("refusal", str), extras=fields.extras())


def _media_by_url(name: str, kind: MediaKind) -> Callable[[Fields], Part]:
    def read(fields: Fields) -> Part:
        value = fields.rest.pop(name, None)
        inner = Fields({"url": value} if isinstance(value, str) else value, fields.at(name))
        part = media_from_url(inner.need("url", str), kind)
        part.detail = inner.take("detail", str)
        part.extras = fields.extras(inner=inner.rest or None)
        return part

    return read


def media_from_url(url: str, kind: MediaKind) -> MediaPart:
    """The media that a URL points at, or, if it is a `data:` URL, holds."""
    match = _DATA_URL.fullmatch(url) if url[:5] == "data:" else None
    if match is None:
        return MediaPart(kind=kind, url=url)
    media_type, parameters, data = match.groups()
    if not parameters.endswith(";base64"):
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return MediaPart(kind=kind, media_type=media_type or None, data=data)


def _audio(fields: Fields) -> Part:
    inner = fields.inner("input_audio")
    data, name = inner.need("data", str), inner.need("format", str)
    media_type = _AUDIO_TYPES.get(name, f"audio/{name}")
    return MediaPart(kind="audio", media_type=media_type, data=data, extras=fields.extras())


def _file(fields: Fields) -> Part:
    inner = fields.inner("file")
    data = inner.take("file_data", str)
    part = _file_data(data) if data is not None else MediaPart(kind="file")
    part.file_id = inner.take("file_id", str)
    part.filename = inner.take("filename", str)
    part.extras = fields.extras(inner=inner.rest or None)
    return part


def _file_data(data: str) -> MediaPart:
    """OpenAI wants a `data:` URL, compatible servers take bare base64 or a link as well."""
    return media_from_url(data, "file") if ":" in data[:8] else MediaPart(kind="file", data=data)


_READERS: dict[str, Callable[[Fields], Part]] = {
    "text": _text,
    "refusal": _refusal,
    "input_audio": _audio,
    "file": _file,
    **{name: _media_by_url(name, kind) for name, kind in _URL_PARTS.items()},
}


def encode_content(parts: list[Part], target: Target) -> str | list[dict[str, Any]] | None:
    """A string for a single plain text, otherwise a list of parts; None for nothing at all."""
    match parts:
        case [TextPart(extras=extras, citations=citations) as part] if not extras and not citations:
            return part.text
    return encode_parts(parts, target) or None


def encode_parts(parts: Iterable[Part], target: Target) -> list[dict[str, Any]]:
    """Content parts; what has no place in a list of them is recorded."""
    encoded = (_encode_part(part, target) for part in parts)
    return [part for part in encoded if part is not None]


def _encode_part(part: Part, target: Target) -> dict[str, Any] | None:
    writer = _WRITERS.get(type(part))
    if writer is None:
        target.note_dropped([part])
        return None
    return writer(part, target)


def _write_text(part: TextPart, target: Target) -> dict[str, Any]:
    if part.citations:
        target.request.drop("citations")
    return {"type": "text", "text": part.text, **target.own(part.extras)}


def _write_refusal(part: RefusalPart, target: Target) -> dict[str, Any]:
    return {"type": "refusal", "refusal": part.text, **target.own(part.extras)}


def _write_native(part: NativePart, target: Target) -> dict[str, Any] | None:
    if part.format == FORMAT:
        return part.data
    target.note_dropped([part])
    return None


def _write_media(part: MediaPart, target: Target) -> dict[str, Any]:
    own = target.own(part.extras)
    if part.file_id and not (target.request.source_format or FORMAT).startswith(FORMAT):  # not OpenAI's file
        message = "file_id: files stored at another provider cannot be read here; send the file itself, or its address"
        raise invalid(message, "unsupported_media", "file_id")
    return {**_MEDIA_WRITERS[part.kind](part), **own}


def encode_media(part: MediaPart) -> dict[str, Any]:
    """The content part for one image, sound, video or document."""
    return {**_MEDIA_WRITERS[part.kind](part), **own_fields(part.extras)}


def _by_url(name: str) -> Callable[[MediaPart], dict[str, Any]]:
    def write(part: MediaPart) -> dict[str, Any]:
        if part.file_id:
            return _write_file(part)
        inner = {"url": _url(part), "detail": part.detail, **(note(part.extras, "inner") or {})}
        return {"type": name, name: {key: value for key, value in inner.items() if value is not None}}

    return write


def _url(part: MediaPart) -> str | None:
    return part.url if part.data is None else f"data:{part.media_type or ''};base64,{part.data}"


def _write_audio(part: MediaPart) -> dict[str, Any]:
    if part.data is None:
        return _by_url("audio_url")(part)
    media_type = part.media_type or "audio/wav"
    name = _AUDIO_FORMATS.get(media_type, media_type.rpartition("/")[2].removeprefix("x-"))
    return {"type": "input_audio", "input_audio": {"data": part.data, "format": name}}


def _write_file(part: MediaPart) -> dict[str, Any]:
    inner = {
        "file_data": _file_url(part),
        "file_id": part.file_id,
        "filename": part.filename or _name_of(part),
    }
    inner.update(note(part.extras, "inner") or {})
    return {"type": "file", "file": {key: value for key, value in inner.items() if value is not None}}


def _file_url(part: MediaPart) -> str | None:
    return part.data if part.media_type is None and part.data is not None else _url(part)


def _name_of(part: MediaPart) -> str | None:
    """OpenAI refuses file data without a name."""
    return f"document.{(part.media_type or 'application/pdf').rpartition('/')[2]}" if part.data else None


_MEDIA_WRITERS: dict[MediaKind, Callable[[MediaPart], dict[str, Any]]] = {
    "image": _by_url("image_url"),
    "video": _by_url("video_url"),
    "audio": _write_audio,
    "file": _write_file,
}
_WRITERS: dict[type, Callable[[Any, Target], dict[str, Any] | None]] = {
    TextPart: _write_text,
    RefusalPart: _write_refusal,
    NativePart: _write_native,
    MediaPart: _write_media,
}
