"""How OpenAI's Chat Completions speaks (https://platform.openai.com/docs/api-reference/chat-streaming).

Error bodies are those that api.openai.com sends; reasoning follows what DeepSeek (`reasoning_content`) and
OpenRouter (`reasoning_details`) add to the format.
"""

from collections.abc import Iterator
from typing import Any

from tests.fault_upstream.reply import Event, RefusedError, Reply, Text, Thinking, ToolUse, Usage

CREATED = 1_760_000_000
call_id_prefix = "call_"
lost_thought = (
    "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."
    " When `thinking` is enabled, a final `assistant` message must start with a thinking block."
)
retry_statuses = frozenset({429, 503, 529})
FINISH = {"stop": "stop", "tools": "tool_calls", "length": "length"}
DONE: Event = (None, "[DONE]")

ERRORS: dict[int, dict[str, Any]] = {
    400: {"message": "Invalid request.", "type": "invalid_request_error", "param": None, "code": None},
    401: {
        "message": "Incorrect API key provided: sk-fault****0000."
        " You can find your API key at https://platform.openai.com/account/api-keys.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    },
    403: {
        "message": "Country, region, or territory not supported",
        "type": "request_forbidden",
        "param": None,
        "code": "unsupported_country_region_territory",
    },
    404: {
        "message": "The model `fault` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    },
    429: {
        "message": "Rate limit reached for fault in organization org-fault on tokens per min (TPM):"
        " Limit 30000, Used 29500, Requested 900. Please try again in 800ms.",
        "type": "tokens",
        "param": None,
        "code": "rate_limit_exceeded",
    },
    500: {
        "message": "The server had an error while processing your request. Sorry about that!",
        "type": "server_error",
        "param": None,
        "code": None,
    },
    503: {
        "message": "The engine is currently overloaded, please try again later",
        "type": "server_error",
        "param": None,
        "code": None,
    },
}


def usage(counts: Usage) -> dict[str, Any]:
    """Counts as this format nests them."""
    return {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.output,
        "total_tokens": counts.prompt + counts.output,
        "prompt_tokens_details": {"cached_tokens": counts.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0},
    }


def body(reply: Reply) -> dict[str, Any]:
    """The whole answer as one `chat.completion`."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": reply.texts() or None,
        "refusal": None,
        "annotations": [],
    }
    if reply.thinkings:
        message["reasoning_content"] = reply.texts(Thinking)
        message["reasoning_details"] = [_reasoning_detail(part.whole, part.signature) for part in reply.thinkings]
    if reply.tool_uses:
        message["tool_calls"] = [
            {
                "id": part.id,
                "type": "function",
                "function": {"name": part.name, "arguments": "".join(part.pieces)},
            }
            for part in reply.tool_uses
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[reply.finish]}
    return {
        "id": "chatcmpl-fault",
        "object": "chat.completion",
        "created": CREATED,
        "model": reply.model,
        "choices": [choice],
        "usage": usage(reply.usage),
        "service_tier": "default",
        "system_fingerprint": "fp_fault",
    }


def events(reply: Reply) -> list[Event]:
    """The answer as chunks: role, deltas, finish, usage when it was asked for, `[DONE]`."""
    role = {"role": "assistant", "content": "" if reply.texts() else None, "refusal": None}
    deltas = [role, *_deltas(reply)]
    chunks = [
        _chunk(reply, [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]) for delta in deltas
    ]
    chunks.append(_chunk(reply, [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": FINISH[reply.finish]}]))
    if reply.include_usage:
        chunks = [{**chunk, "usage": None} for chunk in chunks]
        chunks.append({**_chunk(reply, []), "usage": usage(reply.usage)})
    return [*((None, chunk) for chunk in chunks), DONE]


def _chunk(reply: Reply, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fault",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": reply.model,
        "service_tier": "default",
        "system_fingerprint": "fp_fault",
        "choices": choices,
    }


def _deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    calls = 0
    for part in reply.parts:
        yield from _DELTAS[type(part)](part, calls)
        calls += isinstance(part, ToolUse)


def _text_deltas(part: Any, _: int) -> Iterator[dict[str, Any]]:
    return ({"content": piece} for piece in part.pieces)


def _thinking_deltas(part: Any, _: int) -> Iterator[dict[str, Any]]:
    for piece in part.pieces:
        yield {"reasoning_content": piece, "reasoning_details": [_reasoning_detail(piece, None)]}
    yield {"reasoning_details": [_reasoning_detail("", part.signature)]}


def _tool_deltas(part: Any, index: int) -> Iterator[dict[str, Any]]:
    opening = {
        "index": index,
        "id": part.id,
        "type": "function",
        "function": {"name": part.name, "arguments": ""},
    }
    yield {"tool_calls": [opening]}
    for piece in part.pieces:
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


_DELTAS = {Text: _text_deltas, Thinking: _thinking_deltas, ToolUse: _tool_deltas}


def _reasoning_detail(text: str, signature: str | None) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": text, "signature": signature, "format": "fault-v1", "index": 0}


def error(status: int, message: str | None = None) -> dict[str, Any]:
    """The error body for `status`; a status that this provider does not know looks like its nearest."""
    known = ERRORS.get(status, ERRORS[503 if status > 500 else 400])
    return {"error": {**known, "message": message or known["message"]}}


def error_event(status: int, _: int = 0) -> Event:
    """An error inside a stream that began with 200."""
    return None, error(status)


def headers() -> dict[str, str]:
    """What the provider adds to every response."""
    return {"x-request-id": "req_fault", "openai-version": "2020-10-01", "openai-processing-ms": "12"}


def models(names: list[str]) -> dict[str, Any]:
    """The answer of `GET /models`."""
    rows = [{"id": name, "object": "model", "created": CREATED, "owned_by": "fault"} for name in names]
    return {"object": "list", "data": rows}


def asked_for_usage(request: dict[str, Any]) -> bool:
    """Whether the stream shall end with a usage chunk."""
    return bool((request.get("stream_options") or {}).get("include_usage"))


def asked_for_signatures(_: dict[str, Any]) -> bool:
    """Reasoning details always carry their signature."""
    return True


def counted(tokens: int) -> dict[str, Any]:
    """The answer of `POST /responses/input_tokens`."""
    return {"object": "response.input_tokens", "input_tokens": tokens}


def offered_tool(request: dict[str, Any]) -> str | None:
    """The name of the first tool in the request."""
    return next((tool["function"]["name"] for tool in request.get("tools") or [] if "function" in tool), None)


def tool_results(request: dict[str, Any]) -> dict[str, str]:
    """Tool results by call id."""
    return {each["tool_call_id"]: str(each["content"]) for each in request["messages"] if each["role"] == "tool"}


def thoughts(request: dict[str, Any]) -> list[tuple[str, str]]:
    """Text and signature of every thinking part that the client sent back."""
    details = [row for message in request["messages"] for row in message.get("reasoning_details") or []]
    whole = "".join(row.get("text") or "" for row in details)
    return [(whole, row["signature"]) for row in details if row.get("signature")]


def images(request: dict[str, Any]) -> list[str]:
    """The URL of every image, `data:` ones included."""
    contents = [message["content"] for message in request["messages"] if isinstance(message.get("content"), list)]
    return [part["image_url"]["url"] for parts in contents for part in parts if part.get("type") == "image_url"]


def check(headers: dict[str, str], request: dict[str, Any]) -> None:
    """Refuse a request without a bearer key, and calls without their results."""
    if not headers.get("authorization", "").startswith("Bearer "):
        raise RefusedError("You didn't provide an API key.", 401)
    waiting: set[str] = set()
    for message in [*(request.get("messages") or []), {}]:
        if waiting and message.get("role") != "tool":
            raise RefusedError(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
                f" 'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
            )
        waiting.discard(message.get("tool_call_id", ""))
        waiting |= {call["id"] for call in message.get("tool_calls") or []}
