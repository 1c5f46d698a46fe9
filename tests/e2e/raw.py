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


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _registered(upstream: FaultUpstream, body: dict[str, Any]) -> str:
    return upstream.register(response(_json(body)))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
