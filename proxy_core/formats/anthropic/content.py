"""Content blocks to domain parts; the same blocks stand in requests and in answers.

https://docs.claude.com/en/api/messages (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_core.domain.content import (
    Citation,
    MediaKind,
    MediaPart,
    NativePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from proxy_core.formats import opaque, wire_json
from proxy_core.formats.anthropic.fields import NAME, invalid, join, leftovers, objects, optional, required
from proxy_core.formats.fields import NOTE, Json

#: Where a part keeps the block it came from.
_BLOCK = f"{NOTE}block"

_TEXT_FIELDS = frozenset({"type", "text", "citations"})
_IMAGE_FIELDS = frozenset({"type", "source"})
_DOCUMENT_FIELDS = frozenset({"type", "source", "title"})
_TOOL_USE_FIELDS = frozenset({"type", "id", "name", "input"})
_TOOL_RESULT_FIELDS = frozenset({"type", "tool_use_id", "content", "is_error"})


def decode_content(content: Any, path: str) -> list[Part]:
    """The parts of a `content` field: a string, or an array of blocks."""
    if isinstance(content, str):
        return [TextPart(text=content)] if content else []
    return [decode_block(block, block_path) for block_path, block in objects(content, path)]


def decode_block(block: Json, path: str) -> Part:
    """The part for one block; a block that nobody else has is kept whole."""
    decode = _BLOCKS.get(required(block, "type", str, path), _native)
    return decode(block, path)


def _native(block: Json, _: str) -> Part:
    return NativePart(format=NAME, data=block)


def _text(block: Json, path: str) -> Part:
    return TextPart(
        text=required(block, "text", str, path),
        citations=[decode_citation(raw) for _, raw in objects(block.get("citations"), join(path, "citations"))],
        extras=leftovers(block, _TEXT_FIELDS),
    )


def decode_citation(raw: Json) -> Citation:
    """A citation of any of the five kinds. It covers the whole block it stands in, so `start` and `end` stay unknown;
    the offsets it has point into the document. One without the issuer's `encrypted_index` is not the issuer's."""
    forged = raw.get("type") == "web_search_result_location" and not raw.get("encrypted_index")
    return Citation(
        url=_string(raw, "url") or _string(raw, "source"),
        title=_string(raw, "title") or _string(raw, "document_title"),
        cited_text=_string(raw, "cited_text"),
        extras={} if forged else {NAME: raw},
    )


def _string(raw: Json, key: str) -> str | None:
    value = raw.get(key)
    return value if isinstance(value, str) else None


def _image(block: Json, path: str) -> Part:
    return _media(block, path, "image", _IMAGE_FIELDS) or _native(block, path)


def _document(block: Json, path: str) -> Part:
    part = _media(block, path, "file", _DOCUMENT_FIELDS)
    if part is not None:
        part.filename = optional(block, "title", str, path)
        return part
    return _quotation(block) if _is_text(block["source"]) else _native(block, path)


def _media(block: Json, path: str, kind: MediaKind, known: frozenset[str]) -> MediaPart | None:
    """The part for a source that points to media; None for sources that hold text, and for new kinds."""
    source, path = required(block, "source", dict, path), join(path, "source")
    field = _SOURCES.get(required(source, "type", str, path))
    if field is None:
        return None
    part = MediaPart(kind=kind, extras=leftovers(block, known))
    setattr(part, field, required(source, field, str, path))
    part.media_type = optional(source, "media_type", str, path)
    return part


_SOURCES = {"base64": "data", "url": "url", "file": "file_id"}


def _quotation(block: Json) -> TextPart:
    """Text in a wrapping of its own: plain text to others, the same block again for Anthropic."""
    return TextPart(text=plain_text(block), extras={NAME: {_BLOCK: block}})


def text_block(part: TextPart) -> Json:
    """The block for a text, without citations: the one it was decoded from, unless the text has changed since."""
    own = part.extra(NAME)
    if _BLOCK not in own:
        return {**own, "type": "text", "text": part.text}
    block: Json = own[_BLOCK]
    return block if plain_text(block) == part.text else {"type": "text", "text": part.text}


def _search_result(block: Json, _: str) -> Part:
    return _quotation(block)


def _is_text(source: Json) -> bool:
    """Whether a document's source is text through and through (a `content` source may hold images)."""
    if source["type"] == "text":
        return isinstance(source.get("data"), str)
    content = source.get("content")
    items = content if isinstance(content, list) else [content]
    return source["type"] == "content" and all(_line(item) is not None for item in items)


def plain_text(block: Json) -> str:
    """What a document or search result says, headings first; any other block as JSON."""
    if block["type"] not in ("document", "search_result"):
        return _json(block, "content")
    source = block.get("source")
    holder = source if isinstance(source, dict) else block
    body = holder.get("data") or holder.get("content")
    lines = [block.get("title"), block.get("context"), source, *(body if isinstance(body, list) else [body])]
    return "\n".join(text for line in lines if (text := _line(line)))


def _json(value: Json, path: str) -> str:
    try:
        return wire_json.dumps(value).decode()
    except ValueError as error:  # nested too deeply
        raise invalid(path, str(error)) from error


def _line(value: Any) -> str | None:
    text = value.get("text") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _thinking(block: Json, path: str) -> Part:
    """Without a signature it is nobody's; with a seal for one, whose it says."""
    signature = optional(block, "signature", str, path) or None
    text = optional(block, "thinking", str, path) or ""
    if signature and opaque.is_sealed(signature):
        return _unsealed(signature, text)
    return ReasoningPart(text=text, signature=signature, origin=NAME if signature else None)


def _redacted_thinking(block: Json, path: str) -> Part:
    data = required(block, "data", str, path)
    return _unsealed(data, "") if opaque.is_sealed(data) else ReasoningPart(data=data, origin=NAME)


def _unsealed(seal: str, text: str) -> ReasoningPart:
    """Another provider's state, or without it the mere text where somebody has broken the seal."""
    part = next(iter(opaque.unseal(seal)), ReasoningPart())
    part.text = text
    return part


def _tool_use(block: Json, path: str) -> Part:
    return ToolCallPart(
        id=required(block, "id", str, path),
        name=required(block, "name", str, path),
        arguments=_json(optional(block, "input", dict, path) or {}, join(path, "input")),
        extras=leftovers(block, _TOOL_USE_FIELDS),
    )


def _tool_result(block: Json, path: str) -> Part:
    return ToolResultPart(
        tool_call_id=required(block, "tool_use_id", str, path),
        content=_result_content(block.get("content"), join(path, "content")),
        is_error=optional(block, "is_error", bool, path) or False,
        extras=leftovers(block, _TOOL_RESULT_FIELDS),
    )


def _result_content(content: Any, path: str) -> list[TextPart | MediaPart]:
    if isinstance(content, str):
        return [TextPart(text=content)] if content else []
    return [_result_part(block, block_path) for block_path, block in objects(content, path)]


def _result_part(block: Json, path: str) -> TextPart | MediaPart:
    part = decode_block(block, path)
    return part if isinstance(part, TextPart | MediaPart) else _quotation(block)


_BLOCKS: dict[str, Callable[[Json, str], Part]] = {
    "document": _document,
    "image": _image,
    "redacted_thinking": _redacted_thinking,
    "search_result": _search_result,
    "text": _text,
    "thinking": _thinking,
    "tool_result": _tool_result,
    "tool_use": _tool_use,
}
