"""What kind of media a MIME type names, and which MIME type media has when nobody says."""

from __future__ import annotations

import mimetypes
from typing import Final, cast, get_args
from urllib.parse import urlsplit

from proxy_core.domain.content import MediaKind, MediaPart

#: How the base64 of a file begins.
_MAGIC: Final = {
    "/9j/": "image/jpeg",
    "JVBER": "application/pdf",
    "R0lGOD": "image/gif",
    "SUQz": "audio/mpeg",
    "T2dnUw": "audio/ogg",
    "UklGR": "image/webp",
    "ZkxhQ": "audio/flac",
    "iVBORw": "image/png",
}
#: `AVE` of `WAVE`: sound in a RIFF container, which WebP images are too.
_WAVE = "QVZF"


def guess_media_type(part: MediaPart) -> str | None:
    """The MIME type: as stated, or by the first bytes, or by the ending of the name or the address."""
    if part.media_type:
        return part.media_type.strip() or None
    return _by_content(part.data or "") or _by_name(part.filename) or _by_name(_path(part.url))


def bare_media_type(part: MediaPart) -> str | None:
    """The same for those who know no parameters (`; charset=utf-8`), and JPEG by its right name alone."""
    kind = (guess_media_type(part) or "").partition(";")[0].strip().lower()
    return "image/jpeg" if kind == "image/jpg" else kind or None


def _by_content(data: str) -> str | None:
    if data.startswith("UklGR"):
        return "audio/wav" if data[12:16] == _WAVE else "image/webp"
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)


def _by_name(name: str | None) -> str | None:
    return mimetypes.guess_type(name)[0] if name else None


def _path(url: str | None) -> str | None:
    try:
        return urlsplit(url).path if url else None
    except ValueError:
        return None


def kind_of(media_type: str | None) -> MediaKind:
    """`image`, `audio` or `video` by the MIME type's first word; `file` for all else."""
    word = (media_type or "").partition("/")[0].strip().lower()
    return cast("MediaKind", word) if word in get_args(MediaKind) else "file"
