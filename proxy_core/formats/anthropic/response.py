"""Whole answers, both ways. https://docs.claude.com/en/api/messages (2026-11)"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from proxy_core.domain.content import (
    Citation,
    MediaPart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from proxy_core.domain.response import Choice, DomainResponse, Usage
from proxy_core.errors import BackendError, InvalidRequestError
from proxy_core.formats import losses, opaque
from proxy_core.formats.anthropic.content import decode_content, text_block
from proxy_core.formats.anthropic.content_encode import own_reasoning
from proxy_core.formats.anthropic.errors import decode_error, encode_error
from proxy_core.formats.anthropic.fields import NAME, leftovers
from proxy_core.formats.anthropic.stop import decode_stop, encode_stop
from proxy_core.formats.anthropic.usage import decode_usage, encode_usage
from proxy_core.formats.base import RenderOptions
from proxy_core.formats.fields import Json, text_or_none
from proxy_core.formats.free_text import arguments_object

_FIELDS = frozenset({"content", "id", "model", "role", "stop_details", "stop_reason", "stop_sequence", "type", "usage"})


def decode_response(body: Json) -> DomainResponse:
    """An upstream's answer; raises `BackendError` when it is no message."""
    if body.get("type") == "error" or (body.get("error") and "content" not in body):
        return DomainResponse(error=decode_error(body, None))
    try:
        parts = decode_content(body["content"] or [], "content")
    except (InvalidRequestError, KeyError, ValueError) as error:
        raise BackendError(f"the upstream's answer is no message: {error}") from error
    stop = decode_stop(body)
    choice = Choice(content=parts, extras=stop.extras)
    if stop.finish is not None:
        choice.finish_reason = stop.finish.reason
        choice.native_finish_reason = stop.finish.native
        choice.stop_sequence = stop.finish.stop_sequence
    if stop.explanation:
        parts.append(RefusalPart(text=stop.explanation))
    return DomainResponse(
        id=text_or_none(body.get("id")),
        model=text_or_none(body.get("model")),
        choices=[choice],
        usage=decode_usage(body.get("usage")),
        extras=leftovers(body, _FIELDS),
    )


def encode_response(response: DomainResponse, options: RenderOptions) -> Json:
    """The body for the client: the first choice, or the error."""
    if response.error is not None:
        return encode_error(response.error, options.request_id)
    choice = response.choices[0] if response.choices else Choice()
    stop = encode_stop(
        choice.finish_reason,
        choice.native_finish_reason,
        choice.stop_sequence,
        choice.extras,
        called=any(isinstance(part, ToolCallPart) for part in choice.content),
        refused=any(isinstance(part, RefusalPart) for part in choice.content),
    )
    response.drop(*_losses(response, choice))
    content = [block for part in _said(choice) if (block := _encode_part(part)) is not None]
    body = message_body(response.id, options.model, response.usage)
    return {**response.extra(NAME), **body, "content": content, **stop}


def _losses(response: DomainResponse, choice: Choice) -> Iterator[str]:
    if len(response.choices) > 1:
        yield "choices"
    if choice.logprobs is not None:
        yield "logprobs"
    for part in choice.content:
        yield from _LOSSES[type(part)](part) if type(part) in _LOSSES else ()


def _said(choice: Choice) -> list[Part]:
    """The parts, less the refusal that goes back into `stop_details`, where it came from."""
    details = choice.extra(NAME).get("stop_details")
    if not details:
        return choice.content
    return [part for part in choice.content if not isinstance(part, RefusalPart)]


def message_body(identifier: str | None, model: str, usage: Usage | None) -> Json:
    """A message without content or end, as `message_start` carries it."""
    return {
        "id": identifier or f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": encode_usage(usage),
    }


def new_tool_id() -> str:
    """An id for a call that came without one."""
    return f"toolu_{uuid.uuid4().hex[:24]}"


def encode_citation(citation: Citation) -> Json | None:
    """A citation as it came, or a web page's with the opaque index left empty, never made up; None for any other."""
    if own := citation.extra(NAME):
        return own
    if citation.url is None:
        return None
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.cited_text or "",
        "encrypted_index": "",
    }


def _encode_part(part: Part) -> Json | None:
    encode = _ENCODERS.get(type(part))
    return None if encode is None else encode(part)


def _text(part: TextPart) -> Json | None:
    citations = [raw for citation in part.citations if (raw := encode_citation(citation)) is not None]
    if not part.text and not citations:
        return None
    return {**text_block(part), "citations": citations} if citations else text_block(part)


def _refusal(part: RefusalPart) -> Json | None:
    return {"type": "text", "text": part.text} if part.text else None


def _reasoning(part: ReasoningPart) -> Json | None:
    """Another provider's state stands sealed where Anthropic's own would; without any, an empty signature is not a
    forged one."""
    own = own_reasoning(part)
    if own is not None:
        return own
    seal = opaque.seal(part) if opaque.is_opaque(part) else ""
    if part.text:
        return {"type": "thinking", "thinking": part.text, "signature": seal}
    return {"type": "redacted_thinking", "data": seal} if seal else None


def _tool_call(part: ToolCallPart) -> Json:
    block = {"type": "tool_use", "id": part.id or new_tool_id(), "name": part.name, "input": arguments_object(part)}
    return {**part.extra(NAME), **block}


def _native(part: NativePart) -> Json | None:
    return part.data if part.format == NAME else None


_LOSSES: dict[type, Callable[[Any], list[str]]] = {
    MediaPart: lambda _: ["content.media"],
    NativePart: lambda part: [] if part.format == NAME else losses.of_native(part),
    TextPart: lambda part: [] if all(map(encode_citation, part.citations)) else ["citations"],
}
_ENCODERS: dict[type, Callable[[Any], Json | None]] = {
    NativePart: _native,
    ReasoningPart: _reasoning,
    RefusalPart: _refusal,
    TextPart: _text,
    ToolCallPart: _tool_call,
}
