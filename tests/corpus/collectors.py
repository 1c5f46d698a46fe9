"""Streams through the official SDKs' own types and accumulators, to the body that their users see."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic.types
import openai.types.chat
import openai.types.responses
from anthropic.lib.streaming._messages import accumulate_event
from google.genai import types as genai
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from pydantic import TypeAdapter

Json = dict[str, Any]

_BODIES: dict[str, Any] = {
    "openai": openai.types.chat.ChatCompletion,
    "openai-responses": openai.types.responses.Response,
    "anthropic": anthropic.types.Message,
    "gemini": genai.GenerateContentResponse,
}
_EVENTS: dict[str, Any] = {
    "openai": openai.types.chat.ChatCompletionChunk,
    "openai-responses": openai.types.responses.ResponseStreamEvent,
    "anthropic": anthropic.types.RawMessageStreamEvent,
    "gemini": genai.GenerateContentResponse,
}
_REQUESTS: dict[str, Any] = {
    "openai": openai.types.chat.CompletionCreateParams,
    "openai-responses": openai.types.responses.ResponseCreateParams,
    "anthropic": anthropic.types.MessageCreateParams,
}
#: No one type has all of a body, as it goes over the wire.
_GEMINI_FIELDS: dict[str, Any] = {
    "contents": list[genai.Content],
    "systemInstruction": genai.Content,
    "generationConfig": genai.GenerationConfig,
    "tools": list[genai.Tool],
    "toolConfig": genai.ToolConfig,
    "safetySettings": list[genai.SafetySetting],
}


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def check_body(name: str, body: Json) -> None:
    """Raise `ValidationError` unless the SDK's type of a whole answer takes it."""
    _adapter(_BODIES[name]).validate_python(body)


def check_request(name: str, body: Json) -> None:
    """Raise `ValidationError` unless the SDK's types of a request take it."""
    if name != "gemini":
        _adapter(_REQUESTS[name]).validate_python(_completed(body) if name == "openai-responses" else body)
        return
    assert body.keys() <= _GEMINI_FIELDS.keys() | {"labels", "cachedContent"}
    for field, kind in _GEMINI_FIELDS.items():
        if field in body:
            _adapter(kind).validate_python(body[field])


def _completed(body: Json) -> Json:
    """With what the SDK's type of an assistant's message wants, and the API does without: clients send no more than
    role and texts."""
    if not isinstance(body["input"], list):
        return body
    return {**body, "input": [_as_output(item) if item.get("role") == "assistant" else item for item in body["input"]]}


def _as_output(item: Json) -> Json:
    content = item["content"]
    parts = [{"annotations": [], **part} for part in content] if isinstance(content, list) else content
    return {"type": "message", "id": "msg_1", "status": "completed", **item, "content": parts}


def check_event(name: str, event: Json) -> Any:
    """The event as the SDK's type; raises `ValidationError`. A ping has no type of its own at Anthropic's, and calls of
    free-text tools none in OpenAI's chunks."""
    if event.get("type") == "ping":
        return None
    return _adapter(_EVENTS[name]).validate_python(_without_custom(event) if name == "openai" else event)


def _without_custom(chunk: Json) -> Json:
    """The chunk less its calls of free-text tools."""
    if not any("custom" in call for _, call in _call_deltas(chunk)):
        return chunk
    chunk = copy.deepcopy(chunk)
    for choice in chunk["choices"]:
        calls = choice["delta"].pop("tool_calls", ())
        if kept := [call for call in calls if "custom" not in call]:
            choice["delta"]["tool_calls"] = kept
    return chunk


def _call_deltas(chunk: Json) -> Iterator[tuple[int, Json]]:
    for choice in chunk.get("choices", ()):
        for call in (choice.get("delta") or {}).get("tool_calls") or ():
            yield choice["index"], call


def collect(name: str, events: list[Json]) -> Json:
    """The body that the SDK's accumulator makes of these events (Gemini has none: parts are joined)."""
    typed = [checked for event in events if (checked := check_event(name, event)) is not None]
    return _COLLECTORS[name](events, typed)


def _chat(events: list[Json], typed: list[Any]) -> Json:
    accumulator = ChatCompletionStreamState()
    for chunk in typed:
        accumulator.handle_chunk(chunk)
    body: Json = accumulator.current_completion_snapshot.model_dump(exclude_unset=True)
    for choice in (choice for event in events for choice in event["choices"] if choice.get("finish_reason")):
        body["choices"][choice["index"]] |= {key: value for key, value in choice.items() if key not in _JOINED}
    for choice in body["choices"]:
        _tidy_calls(choice["message"])
        if custom := _custom_calls(events, choice["index"]):
            choice["message"]["tool_calls"] = [*(choice["message"].get("tool_calls") or ()), *custom]
    return body


def _custom_calls(events: list[Json], choice: int) -> list[Json]:
    """The calls of free-text tools, joined by index."""
    calls: dict[int, Json] = {}
    for _, delta in (found for event in events for found in _call_deltas(event) if found[0] == choice):
        if delta.get("type") == "custom":
            calls[delta["index"]] = {key: copy.copy(value) for key, value in delta.items() if key != "index"}
        elif "custom" in delta:
            calls[delta["index"]]["custom"]["input"] += delta["custom"]["input"]
    return list(calls.values())


#: What the accumulator sees to; it leaves out fields of a choice that it does not know.
_JOINED = ("delta", "logprobs")


def _tidy_calls(message: Json) -> None:
    for entry in (entry for name in ("tool_calls", "images", "reasoning_details") for entry in message.get(name) or ()):
        entry.pop("index", None)
        entry.get("function", {}).pop("parsed_arguments", None)


def _responses(events: list[Json], typed: list[Any]) -> Json:
    """The last event holds all; what was streamed must say the same."""
    accumulator: ResponseStreamState[Any] = ResponseStreamState(input_tools=[], text_format=openai.omit)
    for event in typed:
        accumulator.handle_event(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    body: Json = events[-1]["response"]
    assert [event["item"] for event in events if event["type"] == "response.output_item.done"] == body["output"]
    for event in events:
        _check_done(event, events)
    return body


_DONE_FIELDS = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.reasoning_summary_text": "text",
    "response.reasoning_text": "text",
}


def _check_done(event: Json, events: list[Json]) -> None:
    kind, _, last = event["type"].rpartition(".")
    if last != "done" or kind not in _DONE_FIELDS:
        return
    place = [event.get(key) for key in ("item_id", "output_index", "content_index", "summary_index")]
    deltas = [
        other["delta"]
        for other in events
        if other["type"] == f"{kind}.delta"
        and [other.get(key) for key in ("item_id", "output_index", "content_index", "summary_index")] == place
    ]
    assert "".join(deltas) == event[_DONE_FIELDS[kind]]


def _messages(_: list[Json], typed: list[Any]) -> Json:
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in typed:
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    body: Json = snapshot.model_dump(exclude_unset=True)
    for index, text in buffers.items():
        if not _is_json(text):  # cut off: all of it, where the SDK keeps what it could read
            body["content"][index]["input"] = {"input": text.decode()}
    return body


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text or b"{}")
    except ValueError:
        return False
    return True


def _gemini(events: list[Json], _: list[Any]) -> Json:
    body: Json = {}
    for event in events:
        body |= {key: value for key, value in event.items() if key != "candidates"}
        for candidate in event.get("candidates", ()):
            _join(body.setdefault("candidates", []), candidate)
    return body


def _join(candidates: list[Json], piece: Json) -> None:
    known = next((each for each in candidates if each.get("index", 0) == piece.get("index", 0)), None)
    if known is None:
        known = {"content": {"role": "model", "parts": []}}
        candidates.append(known)
    for part in (piece.get("content") or {}).get("parts") or ():
        _join_part(known["content"]["parts"], part)
    known |= {key: value for key, value in piece.items() if key != "content"}


def _join_part(parts: list[Json], part: Json) -> None:
    """Texts of one kind make one part, up to the one that is signed."""
    last = parts[-1] if parts else {}
    same = last.get("thought") == part.get("thought") and "thoughtSignature" not in last
    if "text" in part and "text" in last and same:
        parts[-1] = {**last, **part, "text": last["text"] + part["text"]}
    else:
        parts.append(copy.deepcopy(part))


_COLLECTORS: dict[str, Callable[[list[Json], list[Any]], Json]] = {
    "openai": _chat,
    "openai-responses": _responses,
    "anthropic": _messages,
    "gemini": _gemini,
}


def same_shape(name: str, body: Json) -> Json:
    """A whole answer as `collect` would give it."""
    return _gemini([body], []) if name == "gemini" else body


_MINTED = {"id", "call_id", "created", "created_at", "completed_at", "item_id", "responseId", "object", "index"}


def canonical(value: Any) -> Any:
    """A body without ids and times, and without what is empty: what two bodies of one meaning have in common."""
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: canonical(_loaded(key, item)) for key, item in value.items() if key not in _MINTED}
    return {key: item for key, item in kept.items() if item is not None and item not in ("", []) and item != {}}


def _loaded(key: str, value: Any) -> Any:
    """JSON text as what it says: streams and whole answers may space it differently."""
    try:
        return json.loads(value) if key == "arguments" and isinstance(value, str) else value
    except ValueError:
        return value
