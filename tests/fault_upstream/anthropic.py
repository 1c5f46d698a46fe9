"""How Anthropic's Messages speaks (https://docs.anthropic.com/en/api/messages-streaming).

Error bodies are those that api.anthropic.com sends.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.fault_upstream.reply import Event, RefusedError, Reply, Text, Thinking, ToolUse, Usage

call_id_prefix = "toolu_"
lost_thought = (
    "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."
    " When `thinking` is enabled, a final `assistant` message must start with a thinking block."
)
retry_statuses = frozenset({429, 503, 529})
FINISH = {"stop": "end_turn", "tools": "tool_use", "length": "max_tokens"}

ERRORS: dict[int, tuple[str, str]] = {
    400: ("invalid_request_error", "Invalid request."),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: fault"),
    429: (
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 40,000 input tokens per minute.",
    ),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    529: ("overloaded_error", "Overloaded"),
}


def usage(counts: Usage) -> dict[str, Any]:
    """Counts as this format has them: cached input stands apart."""
    return {
        "input_tokens": counts.prompt - counts.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counts.cached,
        "output_tokens": counts.output,
        "service_tier": "standard",
    }


def _message(reply: Reply) -> dict[str, Any]:
    return {
        "id": "msg_fault",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage(reply.usage),
    }


def body(reply: Reply) -> dict[str, Any]:
    """The whole answer as one `message`."""
    content = [_BLOCKS[type(part)](part) for part in reply.parts]
    return {**_message(reply), "content": content, "stop_reason": FINISH[reply.finish]}


_BLOCKS: dict[type, Any] = {
    Text: lambda part: {"type": "text", "text": part.whole},
    Thinking: lambda part: {"type": "thinking", "thinking": part.whole, "signature": part.signature},
    ToolUse: lambda part: {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments},
}


def events(reply: Reply) -> list[Event]:
    """The answer as named events, with a ping after the first block's start as in recorded traffic."""
    start = {**_message(reply), "usage": {**usage(reply.usage), "output_tokens": 1}}
    rows: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, part in enumerate(reply.parts):
        rows += _block_events(index, part)
    rows.insert(2, {"type": "ping"})
    delta = {"stop_reason": FINISH[reply.finish], "stop_sequence": None}
    rows.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": reply.usage.output}})
    rows.append({"type": "message_stop"})
    return [(row["type"], row) for row in rows]


def _block_events(index: int, part: Any) -> Iterator[dict[str, Any]]:
    yield {"type": "content_block_start", "index": index, "content_block": _EMPTY_BLOCKS[type(part)](part)}
    for delta in _DELTAS[type(part)](part):
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


_EMPTY_BLOCKS: dict[type, Any] = {
    Text: lambda _: {"type": "text", "text": ""},
    Thinking: lambda _: {"type": "thinking", "thinking": "", "signature": ""},
    ToolUse: lambda part: {"type": "tool_use", "id": part.id, "name": part.name, "input": {}},
}


def _thinking_deltas(part: Any) -> list[dict[str, Any]]:
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in part.pieces]
    return [*deltas, {"type": "signature_delta", "signature": part.signature}]


_DELTAS: dict[type, Any] = {
    Text: lambda part: [{"type": "text_delta", "text": piece} for piece in part.pieces],
    Thinking: _thinking_deltas,
    ToolUse: lambda part: [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *part.pieces)],
}


def error(status: int, message: str | None = None) -> dict[str, Any]:
    """The error body for `status`; a status that this provider does not know looks like its nearest."""
    kind, text = ERRORS.get(status, ERRORS[500 if status >= 500 else 400])
    return {"type": "error", "error": {"type": kind, "message": message or text}, "request_id": "req_fault"}


def error_event(status: int, _: int = 0) -> Event:
    """An error inside a stream that began with 200."""
    return "error", error(status)


def headers() -> dict[str, str]:
    """What the provider adds to every response."""
    return {"request-id": "req_fault", "anthropic-organization-id": "org-fault"}


def models(names: list[str]) -> dict[str, Any]:
    """The answer of `GET /models`."""
    rows = [
        {
            "type": "model",
            "id": name,
            "display_name": name.title(),
            "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": "active",
        }
        for name in names
    ]
    return {"data": rows, "has_more": False, "first_id": names[0], "last_id": names[-1]}


def asked_for_usage(_: dict[str, Any]) -> bool:
    """This format's streams always carry usage."""
    return True


def asked_for_signatures(_: dict[str, Any]) -> bool:
    """Thinking always carries its signature."""
    return True


def counted(tokens: int) -> dict[str, Any]:
    """The answer of `POST /messages/count_tokens`."""
    return {"input_tokens": tokens}


def offered_tool(request: dict[str, Any]) -> str | None:
    """The name of the first tool in the request."""
    return next((tool["name"] for tool in request.get("tools") or []), None)


def tool_results(request: dict[str, Any]) -> dict[str, str]:
    """Tool results by call id."""
    return {block["tool_use_id"]: _plain(block.get("content")) for block in _blocks(request, "tool_result")}


def thoughts(request: dict[str, Any]) -> list[tuple[str, str]]:
    """Text and signature of every thinking block that the client sent back."""
    return [(block["thinking"], block["signature"]) for block in _blocks(request, "thinking")]


def images(request: dict[str, Any]) -> list[str]:
    """The URL of every image; base64 sources as `data:` URLs."""
    return [_image_url(block["source"]) for block in _blocks(request, "image")]


def _image_url(source: dict[str, Any]) -> str:
    return str(source.get("url") or f"data:{source['media_type']};base64,{source['data']}")


def _blocks(request: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    """Every content block of `kind`, those inside tool results too."""
    waiting = [message["content"] for message in request["messages"]]
    while waiting:
        content = waiting.pop(0)
        if not isinstance(content, list):
            continue
        yield from (block for block in content if block["type"] == kind)
        waiting += [block.get("content") for block in content if block["type"] == "tool_result"]


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(block.get("text", "") for block in content)
    return content if isinstance(content, str) else json.dumps(content)


def check(headers: dict[str, str], request: dict[str, Any]) -> None:
    """Refuse a request without key, version header or `max_tokens`."""
    if not (headers.get("x-api-key") or headers.get("authorization")):
        raise RefusedError("x-api-key header is required", 401)
    if "anthropic-version" not in headers:
        raise RefusedError("anthropic-version: header is required")
    if "max_tokens" not in request:
        raise RefusedError("max_tokens: Field required")
