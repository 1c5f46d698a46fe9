"""Whole answers, both ways.

https://platform.openai.com/docs/api-reference/chat/object (2026-11)
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from proxy_core.domain.base import Extras
from proxy_core.domain.content import (
    MediaPart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from proxy_core.domain.response import Choice, DomainResponse
from proxy_core.domain.stream import NativeDelta
from proxy_core.formats import losses
from proxy_core.formats.base import RenderOptions
from proxy_core.formats.fields import as_dict, as_text, count, dicts, leftover, text_or_none
from proxy_core.formats.openai.calls import call_fields, read_tool_calls
from proxy_core.formats.openai.citations import read_annotations, write_annotations
from proxy_core.formats.openai.content import encode_media, media_from_url
from proxy_core.formats.openai.errors import encode_error, stream_error
from proxy_core.formats.openai.fields import FORMAT, own_fields
from proxy_core.formats.openai.finish import read_finish, write_finish
from proxy_core.formats.openai.reasoning import read_reasoning, write_reasoning
from proxy_core.formats.openai.tools import is_legacy
from proxy_core.formats.openai.usage import read_usage, write_usage

_BODY = frozenset({"id", "object", "created", "model", "choices", "usage", "error"})
_CHOICE = frozenset({"index", "message", "finish_reason", "native_finish_reason", "logprobs", "stop_reason"})
_MESSAGE = frozenset(
    {
        "role",
        "content",
        "refusal",
        "annotations",
        "tool_calls",
        "function_call",
        "reasoning_content",
        "reasoning",
        "reasoning_details",
        "images",
        "type",
    }
)


def decode_response(body: dict[str, Any]) -> DomainResponse:
    """An upstream's answer; one without choices, or with an error among them, is an error."""
    choices = dicts(body.get("choices"))
    failed = [choice for choice in choices if choice.get("error")]
    if body.get("error") or not isinstance(body.get("choices"), list):
        return DomainResponse(error=stream_error(body))
    if failed:
        return DomainResponse(error=stream_error(failed[0]))
    return DomainResponse(
        id=text_or_none(body.get("id")),
        model=text_or_none(body.get("model")),
        created=count(body.get("created")) or None,
        choices=[_read_choice(choice, position) for position, choice in enumerate(choices)],
        usage=read_usage(body.get("usage")),
        extras=_extras(leftover(body, _BODY)),
    )


def _extras(own: dict[str, Any]) -> Extras:
    return {FORMAT: own} if own else {}


def _read_choice(raw: dict[str, Any], position: int) -> Choice:
    message = as_dict(raw.get("message"))
    index = count(raw.get("index"))
    reason, native = read_finish(raw.get("finish_reason"), raw.get("native_finish_reason"))
    own = leftover(raw, _CHOICE)
    content = _read_message(message)
    unknown = leftover(message, _MESSAGE)
    if other := read_annotations(message, content):
        unknown["annotations"] = other
    if unknown:
        content.append(NativePart(format=FORMAT, data=unknown))
    return Choice(
        content=content,
        index=position if index is None else index,
        finish_reason=reason,
        native_finish_reason=native,
        stop_sequence=text_or_none(raw.get("stop_reason")),  # vLLM's name for it
        logprobs=as_dict(raw.get("logprobs")) or None,
        extras=_extras(own),
    )


def _read_message(message: dict[str, Any]) -> list[Part]:
    parts: list[Part] = [*read_reasoning(message), *read_content(message.get("content"))]
    if refusal := as_text(message.get("refusal")):
        parts.append(RefusalPart(text=refusal))
    parts += [part for image in dicts(message.get("images")) for part in read_image(image)]
    parts += read_tool_calls(message)
    return parts


def read_content(content: Any) -> list[Part]:
    """The parts of an answer's content: a string, or (Mistral) a list."""
    if isinstance(content, str):
        return [TextPart(text=content)] if content else []
    return [part for entry in dicts(content) for part in _read_part(entry)]


def _read_part(entry: dict[str, Any]) -> list[Part]:
    reader = _PARTS.get(as_text(entry.get("type")))
    return reader(entry) if reader else [NativePart(format=FORMAT, data=entry)]


def _thinking(entry: dict[str, Any]) -> list[Part]:
    """https://docs.mistral.ai/capabilities/reasoning (2026-11)"""
    inner = entry.get("thinking")
    text = inner if isinstance(inner, str) else "".join(as_text(piece.get("text")) for piece in dicts(inner))
    return [ReasoningPart(text=text)] if text else []


def read_image(entry: dict[str, Any]) -> list[MediaPart]:
    """An image that the model made. https://openrouter.ai/docs/guides/overview/multimodal/image-generation (2026-11)"""
    image = entry.get("image_url")
    url = image if isinstance(image, str) else as_text(as_dict(image).get("url"))
    return [media_from_url(url, "image")] if url else []


_PARTS: dict[str, Callable[[dict[str, Any]], list[Part]]] = {
    "text": lambda entry: [TextPart(text=as_text(entry.get("text")))],
    "output_text": lambda entry: [TextPart(text=as_text(entry.get("text")))],
    "refusal": lambda entry: [RefusalPart(text=as_text(entry.get("refusal")))],
    "thinking": _thinking,
    "image_url": lambda entry: [*read_image(entry)],
}


def encode_response(response: DomainResponse, options: RenderOptions) -> dict[str, Any]:
    """The body for a Chat client: always valid, also when a provider gave nothing."""
    if response.error is not None:
        return encode_error(response.error)
    response.drop(*(name for choice in response.choices for part in choice.content for name in _lost(part)))
    body = {
        "id": response.id or minted_answer_id(),
        "object": "chat.completion",
        "created": response.created or int(time.time()),
        "model": options.model,
        "choices": [_write_choice(choice) for choice in response.choices or [Choice()]],
        **own_fields(response.extras),
    }
    return body if response.usage is None else {**body, "usage": write_usage(response.usage)}


def _lost(part: Part) -> list[str]:
    return losses.of_native(part) if isinstance(part, NativePart) and message_fields(part) is None else []


def message_fields(part: NativePart | NativeDelta) -> dict[str, Any] | None:
    """The fields of a message that a native part of ours stands for; None for other formats' blocks, and for parts of a
    content that was a list."""
    return part.data if part.format == FORMAT and "type" not in part.data else None


def minted_answer_id() -> str:
    """An id for an answer whose provider gave none."""
    return f"chatcmpl-{uuid.uuid4().hex}"


def _write_choice(choice: Choice) -> dict[str, Any]:
    own = own_fields(choice.extras)
    refusals = [part for part in choice.content if isinstance(part, RefusalPart)]
    calls = [part for part in choice.content if isinstance(part, ToolCallPart)]
    finish = write_finish(choice.finish_reason, choice.native_finish_reason, calls=bool(calls), refused=bool(refusals))
    if calls and is_legacy(calls[0]):
        finish = {"finish_reason": "function_call"}
    if choice.stop_sequence is not None:
        finish["stop_reason"] = choice.stop_sequence
    message = _write_message(choice.content)
    return {"index": choice.index, "message": message, "logprobs": choice.logprobs, **finish, **own}


def _write_message(content: list[Part]) -> dict[str, Any]:
    texts = [part for part in content if isinstance(part, TextPart)]
    refusal = "".join(part.text for part in content if isinstance(part, RefusalPart))
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(part.text for part in texts) if texts else None,
        "refusal": refusal or None,
        **write_reasoning([part for part in content if isinstance(part, ReasoningPart)]),
        **call_fields([part for part in content if isinstance(part, ToolCallPart)]),
    }
    if images := [encode_media(part) for part in content if isinstance(part, MediaPart)]:
        message["images"] = images
    if annotations := write_annotations(texts):
        message["annotations"] = annotations
    for part in content:
        if isinstance(part, NativePart) and (own := message_fields(part)):
            message |= {**own, "annotations": [*annotations, *own["annotations"]]} if "annotations" in own else own
    return message
