"""Images and documents of a request to `input_image` and `input_file` parts.

https://developers.openai.com/api/docs/guides/images-vision, .../guides/file-inputs (2026-11)
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from typing import Any

import msgspec

from proxy_core.domain.content import MediaKind, MediaPart
from proxy_core.errors import InvalidRequestError
from proxy_core.formats.fields import invalid, stated
from proxy_core.formats.media_types import guess_media_type
from proxy_core.formats.openai_responses.target import Target

_AUDIO_FORMATS = {"audio/wav": "wav", "audio/mpeg": "mp3"}
#: Where the client left the type out.
_USUAL_TYPES: dict[MediaKind, str] = {"image": "image/png", "file": "application/pdf"}


def encode_media(part: MediaPart, target: Target, path: str) -> dict[str, Any]:
    """The part; raises `InvalidRequestError` for what the Responses API cannot take."""
    own = target.own(part.extras)
    if not target.same_format:
        _refuse_impossible(part, target, path)
        part = _with_type(part)
    return {**_WRITERS[part.kind](part), **own}


def _refuse_impossible(part: MediaPart, target: Target, path: str) -> None:
    if part.kind in ("audio", "video"):
        raise _unsupported(path, f"{part.kind} input")
    if part.file_id is not None and not (target.request.source_format or "openai").startswith("openai"):
        raise _unsupported(path, "files stored at another provider")
    if part.url is not None and not part.url.lower().startswith(("http://", "https://")):
        raise _unsupported(path, f"URLs such as {part.url[:40]!r}, only http and https")


def _with_type(part: MediaPart) -> MediaPart:
    if part.data is None or part.media_type:
        return part
    return msgspec.structs.replace(part, media_type=guess_media_type(part) or _USUAL_TYPES.get(part.kind))


def _unsupported(path: str, what: str) -> InvalidRequestError:
    message = f"{path}: the Responses API does not take {what}; choose a model of another provider, or leave it out"
    return invalid(message, "unsupported_media", path)


def _image(part: MediaPart) -> dict[str, Any]:
    """`detail` is required, though it has a default."""
    image = {"image_url": _url(part), "file_id": part.file_id, "detail": part.detail or "auto"}
    return {"type": "input_image", **stated(image)}


def _url(part: MediaPart) -> str | None:
    """The address, or a `data:` URL."""
    return part.url if part.data is None else f"data:{part.media_type or ''};base64,{part.data}"


def _file(part: MediaPart) -> dict[str, Any]:
    """OpenAI refuses file data without a name, and tells by its ending what the file is."""
    file = {
        "file_data": part.data if part.data is None or part.media_type is None else _url(part),
        "file_url": part.url,
        "file_id": part.file_id,
        "filename": part.filename or (_name_of(part) if part.data else None),
        "detail": part.detail,
    }
    return {"type": "input_file", **stated(file)}


def _name_of(part: MediaPart) -> str:
    media_type = part.media_type or "application/pdf"
    return f"document{mimetypes.guess_extension(media_type.partition(';')[0].strip()) or '.pdf'}"


def _audio(part: MediaPart) -> dict[str, Any]:
    media_type = part.media_type or "audio/wav"
    name = _AUDIO_FORMATS.get(media_type, media_type.rpartition("/")[2])
    return {"type": "input_audio", "input_audio": {"data": part.data or "", "format": name}}


_WRITERS: dict[MediaKind, Callable[[MediaPart], dict[str, Any]]] = {
    "image": _image,
    "file": _file,
    "audio": _audio,
    "video": _file,  # no Responses client can have sent one
}
