"""Images and documents to `image` and `document` blocks.

https://docs.claude.com/en/docs/build-with-claude/vision, .../files, .../pdf-support (2026-11)
"""

from __future__ import annotations

import base64
import binascii

from proxy_core.domain.content import MediaPart
from proxy_core.domain.request import DomainRequest
from proxy_core.errors import InvalidRequestError
from proxy_core.formats.anthropic.fields import NAME, invalid
from proxy_core.formats.fields import Json
from proxy_core.formats.media_types import bare_media_type


def encode_media(part: MediaPart, request: DomainRequest, path: str) -> Json:
    """The block; raises `InvalidRequestError` for what the Messages API cannot take."""
    if part.detail not in (None, "auto"):
        request.drop("detail")
    if part.kind == "image":
        return {**part.extra(NAME), "type": "image", "source": _source(part, request, path)}
    if part.kind == "file":
        return _document(part, request, path)
    raise _unsupported(path, f"{part.kind} input")


def _unsupported(path: str, what: str) -> InvalidRequestError:
    return invalid(path, f"the Messages API does not take {what}; choose a model of another provider, or leave it out")


def _source(part: MediaPart, request: DomainRequest, path: str) -> Json:
    if part.data is not None:
        return {"type": "base64", "media_type": _media_type(part, path), "data": part.data}
    if part.url is not None:
        return {"type": "url", "url": _web_address(part.url, path)}
    if part.file_id is not None and request.source_format in (NAME, None):
        return {"type": "file", "file_id": part.file_id}
    raise _unsupported(path, "files stored at another provider")


def _web_address(url: str, path: str) -> str:
    if not url.lower().startswith(("http://", "https://")):
        raise _unsupported(path, f"URLs such as {url[:40]!r}, only http and https")
    return url


def _media_type(part: MediaPart, path: str) -> str:
    kind = bare_media_type(part)
    if kind is None:
        raise invalid(path, "the media type is missing")
    return kind


def _document(part: MediaPart, request: DomainRequest, path: str) -> Json:
    block: Json = {"type": "document", "source": _document_source(part, request, path), **part.extra(NAME)}
    return {**block, "title": part.filename} if part.filename else block


def _document_source(part: MediaPart, request: DomainRequest, path: str) -> Json:
    """PDFs as they are, text as text."""
    source = _source(part, request, path)
    kind = source.get("media_type", "application/pdf")
    if kind.startswith("text/") or kind == "application/json":
        return {"type": "text", "media_type": "text/plain", "data": _decoded(part.data or "", path)}
    if kind != "application/pdf" and request.source_format != NAME:
        raise _unsupported(path, f"documents of type {kind}, only PDF and text")
    return source


def _decoded(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid(path, f"is not UTF-8 text in base64: {error}") from error
