"""Events of a stream, decoded: one pure function per thing that a chunk may hold.

https://platform.openai.com/docs/api-reference/chat-streaming (2026-11). Each chunk stands alone: a tool delta with a
name opens a call, one without continues it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_core.domain.content import MediaPart, NativePart, ReasoningPart, RefusalPart, TextPart, ToolKind
from proxy_core.domain.stream import (
    CitationDelta,
    Delta,
    Finish,
    MediaDelta,
    NativeDelta,
    ReasoningDelta,
    RefusalDelta,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
)
from proxy_core.formats.fields import as_dict, as_text, count, dicts, leftover, text_or_none
from proxy_core.formats.openai.calls import read_arguments
from proxy_core.formats.openai.citations import read_citation
from proxy_core.formats.openai.errors import stream_error
from proxy_core.formats.openai.fields import FORMAT
from proxy_core.formats.openai.finish import read_finish
from proxy_core.formats.openai.reasoning import plain_text, read_detail_deltas
from proxy_core.formats.openai.response import read_content, read_image
from proxy_core.formats.openai.usage import read_usage

# `obfuscation` pads events to equal length and means nothing.
_CHUNK = frozenset({"id", "object", "created", "model", "choices", "usage", "error", "x_groq", "obfuscation", "type"})
_CHOICE = frozenset(
    {
        "index",
        "delta",
        "message",
        "finish_reason",
        "native_finish_reason",
        "logprobs",
        "stop_reason",
        "usage",
        "error",
    }
)
_TOOL_DELTA = frozenset({"index", "id", "type", "function", "custom"})


def _chunk(payload: dict[str, Any], deltas: list[Delta]) -> StreamChunk:
    identity, model, created = payload.get("id"), payload.get("model"), payload.get("created")
    return StreamChunk(
        id=identity if type(identity) is str and identity else None,
        model=model if type(model) is str and model else None,
        created=created if type(created) is int and created else None,
        deltas=deltas,
    )


def decode_chunk(payload: dict[str, Any]) -> StreamChunk:
    """What the parsed JSON of one event says."""
    choices, usage = payload.get("choices"), payload.get("usage")
    if payload.get("error") or (choices is None and _is_error(payload)):
        return StreamChunk(error=stream_error(payload))
    chunk = _chunk(payload, [])
    if type(choices) is list:
        for choice in choices:
            _read_choice(choice, chunk)
    if usage or payload.get("x_groq"):
        chunk.usage = read_usage(usage or as_dict(payload.get("x_groq")).get("usage"))
    if not _CHUNK.issuperset(payload):
        _keep(chunk, leftover(payload, _CHUNK))
    return chunk


def _is_error(payload: dict[str, Any]) -> bool:
    """A bare `{"message": …}` or `{"detail": …}` where a chunk should be."""
    return isinstance(payload.get("message") or payload.get("detail"), str)


def _keep(chunk: StreamChunk, own: dict[str, Any]) -> None:
    if own:
        chunk.extras = {FORMAT: {**chunk.extra(FORMAT), **own}}


def _read_choice(choice: Any, chunk: StreamChunk) -> None:
    if type(choice) is not dict:
        return
    get = choice.get
    index = count(get("index")) or 0
    _read_delta(get("delta") or get("message"), index, chunk)
    if reason := get("finish_reason"):
        _read_finish(choice, reason, index, chunk)
    if logprobs := get("logprobs"):
        _add_logprobs(logprobs, index, chunk)
    if get("usage"):  # Moonshot
        chunk.usage = read_usage(get("usage"))
    if get("error"):  # OpenRouter
        chunk.error = stream_error(choice)
    if not _CHOICE.issuperset(choice):
        _keep_choice(chunk, index, leftover(choice, _CHOICE))


def _read_delta(delta: Any, index: int, chunk: StreamChunk) -> None:
    if type(delta) is not dict:
        return
    for name, reader in _READERS.items():
        if delta.get(name):
            chunk.deltas += reader(delta, index, chunk)
    if not _DELTA.issuperset(delta) and (unknown := leftover(delta, _DELTA)):
        chunk.deltas.append(NativeDelta(format=FORMAT, data=unknown, choice=index))


def _keep_choice(chunk: StreamChunk, index: int, unknown: dict[str, Any]) -> None:
    """Keep what only a Chat client will understand."""
    if unknown:
        kept = chunk.extra(FORMAT).get("choices", [])
        _keep(chunk, {"choices": [*kept, {"index": index, "delta": {}, **unknown}]})


def _read_finish(choice: dict[str, Any], word: Any, index: int, chunk: StreamChunk) -> None:
    reason, native = read_finish(word, choice.get("native_finish_reason"))
    if reason is not None:
        stop = text_or_none(choice.get("stop_reason"))
        chunk.finish.append(Finish(reason=reason, native=native, stop_sequence=stop, choice=index))


def _add_logprobs(logprobs: Any, index: int, chunk: StreamChunk) -> None:
    """Hang the log probabilities on the text they belong to, or on an empty one."""
    if not isinstance(logprobs, dict) or not any(logprobs.values()):
        return
    for delta in chunk.deltas:
        if isinstance(delta, TextDelta) and delta.choice == index:
            delta.logprobs = logprobs
            return
    chunk.deltas.append(TextDelta(text="", choice=index, logprobs=logprobs))


def _reasoning(delta: dict[str, Any], index: int, _: StreamChunk) -> list[Delta]:
    """Details say it with more than the plain text beside them, which repeats it."""
    details = read_detail_deltas(delta.get("reasoning_details"), index)
    text = plain_text(delta)
    if text and not any(detail.text for detail in details):
        return [ReasoningDelta(text=text, choice=index), *details]
    return [*details]


def _plain_reasoning(delta: dict[str, Any], index: int, _: StreamChunk) -> list[Delta]:
    if delta.get("reasoning_details"):
        return []
    text = plain_text(delta)
    return [ReasoningDelta(text=text, choice=index)] if text else []


def _second_reasoning(delta: dict[str, Any], index: int, chunk: StreamChunk) -> list[Delta]:
    return [] if delta.get("reasoning_content") else _plain_reasoning(delta, index, chunk)


def _content(delta: dict[str, Any], index: int, _: StreamChunk) -> list[Delta]:
    """A string, or (Mistral) a list of parts."""
    content = delta["content"]
    if isinstance(content, str):
        return [TextDelta(text=content, choice=index)]
    deltas: list[Delta] = []
    for part in read_content(content):
        match part:
            case TextPart() | RefusalPart() | ReasoningPart():
                deltas.append(_PARTS[type(part)](text=part.text, choice=index))
            case NativePart(data=data):
                deltas.append(NativeDelta(format=FORMAT, data=data, choice=index))
            case MediaPart():
                deltas.append(MediaDelta(media=part, choice=index))
    return deltas


_PARTS: dict[type, Callable[..., Delta]] = {
    TextPart: TextDelta,
    ReasoningPart: ReasoningDelta,
    RefusalPart: RefusalDelta,
}


def _refusal(delta: dict[str, Any], index: int, _: StreamChunk) -> list[Delta]:
    text = as_text(delta["refusal"])
    return [RefusalDelta(text=text, choice=index)] if text else []


def _tool_calls(delta: dict[str, Any], index: int, _: StreamChunk) -> list[Delta]:
    return [_tool_delta(call, position, index) for position, call in enumerate(dicts(delta["tool_calls"]))]


def _tool_delta(call: dict[str, Any], position: int, choice: int) -> ToolCallDelta:
    """A piece of a call. Gemini's compatible endpoint leaves out the index; blank ids and names say nothing."""
    kind: ToolKind = "custom" if isinstance(call.get("custom"), dict) else "function"
    inner, index = as_dict(call.get(kind)), count(call.get("index"))
    own = leftover(call, _TOOL_DELTA)
    return ToolCallDelta(
        index=position if index is None else index,
        id=text_or_none(call.get("id")),
        name=text_or_none(inner.get("name")),
        arguments=read_arguments(inner.get("input" if kind == "custom" else "arguments")),
        kind=kind,
        choice=choice,
        extras={FORMAT: own} if own else {},
    )


def _function_call(delta: dict[str, Any], index: int, _: StreamChunk) -> list[Delta]:
    piece = _tool_delta({"function": delta["function_call"]}, 0, index)
    piece.extras = {FORMAT: {"_legacy": True}}
    return [piece]


def _annotations(delta: dict[str, Any], index: int, _: StreamChunk) -> list[Delta]:
    return [_annotation(annotation, index) for annotation in dicts(delta["annotations"])]


def _annotation(annotation: dict[str, Any], index: int) -> Delta:
    citation = read_citation(annotation)
    if citation is None:
        return NativeDelta(format=FORMAT, data={"annotations": [annotation]}, choice=index)
    return CitationDelta(citation=citation, choice=index)


def _images(delta: dict[str, Any], index: int, _: StreamChunk) -> list[Delta]:
    parts = [part for image in dicts(delta["images"]) for part in read_image(image)]
    return [MediaDelta(media=part, choice=index) for part in parts]


#: In this order, for thinking comes before what was thought of, whatever the order of the keys.
_READERS: dict[str, Callable[[dict[str, Any], int, StreamChunk], list[Delta]]] = {
    "reasoning_details": _reasoning,
    "reasoning_content": _plain_reasoning,
    "reasoning": _second_reasoning,
    "content": _content,
    "refusal": _refusal,
    "annotations": _annotations,
    "images": _images,
    "tool_calls": _tool_calls,
    "function_call": _function_call,
}
_DELTA = frozenset({"role", "type", *_READERS})
