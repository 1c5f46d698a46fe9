"""Domain parts to the content blocks of a request. https://docs.claude.com/en/api/messages (2026-11)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_core.domain.base import Extras
from proxy_core.domain.content import (
    Citation,
    MediaPart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from proxy_core.domain.request import DomainRequest
from proxy_core.formats import losses
from proxy_core.formats.anthropic.content import text_block
from proxy_core.formats.anthropic.fields import NAME, join
from proxy_core.formats.anthropic.media import encode_media
from proxy_core.formats.anthropic.tools import tool_id
from proxy_core.formats.fields import Json
from proxy_core.formats.free_text import arguments_object


def encode_parts(parts: list[Part], request: DomainRequest, path: str) -> list[Json]:
    """The blocks of a message; what cannot be carried is recorded with `request.drop`."""
    blocks = (_encode_part(part, request, join(path, i)) for i, part in enumerate(parts))
    return [block for block in blocks if block is not None]


def _encode_part(part: Part, request: DomainRequest, path: str) -> Json | None:
    if not isinstance(part, NativePart | ReasoningPart):
        record_foreign(part.extras, request)
    return _ENCODERS[type(part)](part, request, path)


def record_foreign(extras: Extras, request: DomainRequest) -> None:
    """Record the fields that only another format knows."""
    if extras:
        request.drop(*losses.of_foreign(extras, NAME))


def _text(part: TextPart, request: DomainRequest, _: str) -> Json | None:
    """None for text without a visible character, which the API rejects."""
    if not part.text.strip():
        return None
    citations = _citations(part.citations, request)
    return {**text_block(part), "citations": citations} if citations else text_block(part)


def _citations(citations: list[Citation], request: DomainRequest) -> list[Json]:
    """Only the issuer's own: each has an index that nobody else can make."""
    own = [raw for citation in citations if (raw := citation.extra(NAME))]
    if len(own) < len(citations):
        request.drop("citations")
    return own


def _refusal(part: RefusalPart, _: DomainRequest, __: str) -> Json | None:
    return {"type": "text", "text": part.text} if part.text.strip() else None


def _reasoning(part: ReasoningPart, request: DomainRequest, _: str) -> Json | None:
    """Back to the issuer unchanged, empty text and all; anybody else's is not Anthropic's to read."""
    block = own_reasoning(part)
    if block is None:
        request.drop(*losses.of_reasoning(part))
    return block


def own_reasoning(part: ReasoningPart) -> Json | None:
    """The block of reasoning that Anthropic issued; None for any other."""
    if part.origin != NAME:
        return None
    if part.data is not None:
        return {"type": "redacted_thinking", "data": part.data}
    if part.signature is not None:
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    return None


def _tool_call(part: ToolCallPart, _: DomainRequest, __: str) -> Json:
    block = {"type": "tool_use", "id": tool_id(part.id), "name": part.name, "input": arguments_object(part)}
    return {**part.extra(NAME), **block}


def _tool_result(part: ToolResultPart, request: DomainRequest, path: str) -> Json:
    parts: list[Part] = list(part.content)
    content = encode_parts(parts, request, join(path, "content"))
    block: Json = {**part.extra(NAME), "type": "tool_result", "tool_use_id": tool_id(part.tool_call_id)}
    if content:
        block["content"] = simplest(content)
    if part.is_error:
        block["is_error"] = True
    return block


def simplest(blocks: list[Json]) -> str | list[Json]:
    """The plain string where one plain text is all there is."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return blocks


def _native(part: NativePart, request: DomainRequest, _: str) -> Json | None:
    if part.format == NAME:
        return part.data
    request.drop(*losses.of_native(part))
    return None


_ENCODERS: dict[type, Callable[[Any, DomainRequest, str], Json | None]] = {
    MediaPart: encode_media,
    NativePart: _native,
    ReasoningPart: _reasoning,
    RefusalPart: _refusal,
    TextPart: _text,
    ToolCallPart: _tool_call,
    ToolResultPart: _tool_result,
}
