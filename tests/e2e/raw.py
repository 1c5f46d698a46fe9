"""Answers that no story tells: given whole, and streamed where the client asks for that."""

import json
from collections.abc import Iterator
from typing import Any

from tests.e2e.answers import Way
from tests.fault_upstream import FaultUpstream, response

_DELTA_OF = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def messages_answer(
    upstream: FaultUpstream, way: Way, *content: dict[str, Any], stop_reason: str = "end_turn", **fields: Any
) -> str:
    """The model whose answer is a message of these blocks. A tool's `input` may be text: JSON as far as it came."""
    usage = {"input_tokens": 5, "output_tokens": 3}
    end = {"stop_reason": stop_reason, "stop_sequence": None, **fields}
    message = {"id": "msg_raw", "type": "message", "role": "assistant", "model": "raw", "content": [], "usage": usage}
    if not way.streams:
        return _registered(upstream, {**message, "content": list(content), **end})
    events = [
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}},
        *(event for index, block in enumerate(content) for event in _block_events(index, block)),
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    body = b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _json(event)) for event in events)
    return upstream.register(response(body, content_type="text/event-stream", chunks=100))


def _block_events(index: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    deltas = list(_deltas(block))
    emptied = {"input": {}, "text": "", "thinking": "", "signature": "", "citations": []}
    start = {key: emptied.get(key, value) for key, value in block.items()} if deltas else block
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "input" in block:
        text = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"] or "").strip('"')
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in _halves(text))
    if block["type"] in _DELTA_OF:
        kind, name = _DELTA_OF[block["type"]]
        yield from ({"type": kind, name: piece} for piece in _halves(block[name]) if piece)
    for citation in block.get("citations") or ():
        yield {"type": "citations_delta", "citation": citation}
    if "signature" in block:
        yield {"type": "signature_delta", "signature": block["signature"]}


def chat_answer(upstream: FaultUpstream, way: Way, finish_reason: str | None = "stop", **message: Any) -> str:
    """The model whose answer is this assistant message."""
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    common = {"id": "chatcmpl-raw", "created": 1_760_000_000, "model": "raw"}
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish_reason}
    if not way.streams:
        choice["message"] = {"role": "assistant", "content": None, **message}
        return _registered(upstream, {**common, "object": "chat.completion", "choices": [choice], "usage": usage})
    common["object"] = "chat.completion.chunk"
    pieces: list[dict[str, Any]] = [{"role": "assistant"}, *_chat_deltas(message)]
    chunks = [{**common, "choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces]
    chunks.append({**common, "choices": [{**choice, "delta": {}}]})
    chunks.append({**common, "choices": [], "usage": usage})
    body = b"".join(b"data: %b\n\n" % _json(chunk) for chunk in chunks) + b"data: [DONE]\n\n"
    return upstream.register(response(body, content_type="text/event-stream", chunks=100))


def _chat_deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("content", "refusal"):
        yield from ({name: piece} for piece in _halves(message.get(name) or "") if piece)
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        opened = {**call, "index": index, "function": {**function, "arguments": ""}}
        yield {"tool_calls": [opened]}
        for piece in _halves(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def gemini_answer(
    upstream: FaultUpstream, way: Way, *parts: dict[str, Any], finish: str | None = "STOP", **fields: Any
) -> str:
    """The model whose answer is a candidate of these parts; without a finish there is no candidate."""
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 8}
    common = {"usageMetadata": usage, "modelVersion": "raw", "responseId": "raw", **fields}
    pieces = [[part] for part in parts] if way.streams else [list(parts)] if parts else []
    rows = [{**common, "candidates": [_candidate(piece)]} for piece in pieces] or [common]
    if finish:
        rows[-1]["candidates"] = [{**_candidate(pieces[-1] if pieces else []), "finishReason": finish}]
    if not way.streams:
        return _registered(upstream, rows[0])
    body = b"".join(b"data: %b\r\n\r\n" % _json(row) for row in rows)
    return upstream.register(response(body, content_type="text/event-stream", chunks=100))


def _candidate(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"content": {"parts": parts, "role": "model"} if parts else {}, "index": 0}


def responses_answer(
    upstream: FaultUpstream, way: Way, *items: dict[str, Any], status: str = "completed", **end: Any
) -> str:
    """The model whose answer has these output items: messages of one part, and function calls."""
    common = {
        "id": "resp_raw",
        "object": "response",
        "created_at": 1_760_000_000,
        "model": "raw",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8, **details}
    final = {**common, "status": status, "output": list(items), "usage": usage, **end}
    if not way.streams:
        return _registered(upstream, final)
    rows = [
        {"type": "response.created", "response": {**common, "status": "in_progress", "output": []}},
        *({**row, "output_index": index} for index, item in enumerate(items) for row in _item_rows(item)),
        {"type": f"response.{status}", "response": final},
    ]
    events = ({**row, "sequence_number": number} for number, row in enumerate(rows))
    body = b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _json(event)) for event in events)
    return upstream.register(response(body, content_type="text/event-stream", chunks=100))


def _item_rows(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    emptied = {"content": [], "arguments": ""}
    started = {key: emptied.get(key, value) for key, value in item.items()}
    yield {"type": "response.output_item.added", "item": {**started, "status": "in_progress"}}
    for index, part in enumerate(item.get("content", ())):
        name = "refusal" if part["type"] == "refusal" else "text"
        place = {"item_id": item["id"], "content_index": index}
        stem = {"refusal": "response.refusal", "text": "response.output_text"}[name]
        yield {"type": "response.content_part.added", **place, "part": {**part, name: ""}}
        for piece in _halves(part[name]):
            yield {"type": f"{stem}.delta", **place, "delta": piece}
        yield {"type": f"{stem}.done", **place, name: part[name]}
        yield {"type": "response.content_part.done", **place, "part": part}
    if "arguments" in item:
        for piece in _halves(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", "item_id": item["id"], "delta": piece}
        done = {"arguments": item["arguments"], "item_id": item["id"]}
        yield {"type": "response.function_call_arguments.done", **done}
    yield {"type": "response.output_item.done", "item": item}


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _registered(upstream: FaultUpstream, body: dict[str, Any]) -> str:
    return upstream.register(response(_json(body)))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
