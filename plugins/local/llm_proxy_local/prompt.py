"""From the proxy's request to llama.cpp's: text only, and an honest account of what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from proxy_core.api import (
    DomainRequest,
    InvalidRequestError,
    MediaPart,
    Message,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    ResponseFormat,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

__all__ = ["llama_body"]

#: Request fields that mean the same to llama.cpp.
_SAME = ("temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty")
#: Request fields that would change the answer, but mean nothing to llama.cpp: the field, and the client's name for it.
_UNUSED = {
    "logit_bias": "logit_bias",  # by token number, and the numbers are another model's
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "reasoning": "reasoning",
    "parallel_tool_calls": "parallel_tool_calls",
}
#: llama.cpp takes the largest 32-bit number for "any".
_SEEDS = 2**32 - 1


def llama_body(request: DomainRequest, default_max_tokens: int) -> dict[str, Any]:
    """The body of a Chat Completions request for llama.cpp, without `stop`.

    What it leaves out is recorded with `request.drop`. Raises `InvalidRequestError` for what cannot be left out: an
    image, or a tool the model is told to call.
    """
    _leave_out(request)
    return {
        "messages": _messages(request),
        "max_tokens": request.max_tokens or default_max_tokens,
        **{name: value for name in _SAME if (value := getattr(request, name)) is not None},
        **_seed(request.seed),
        **_response_format(request.response_format),
    }


def _leave_out(request: DomainRequest) -> None:
    _leave_out_tools(request)
    request.drop(*(name for field, name in _UNUSED.items() if getattr(request, field) is not None))
    request.drop(*(["n"] if (request.n or 1) > 1 else []))
    request.drop(*request.extra(request.source_format or ""))


def _leave_out_tools(request: DomainRequest) -> None:
    choice = request.tool_choice
    if choice is not None and choice.mode in {"required", "tool"}:
        raise InvalidRequestError(
            "the local model cannot call tools; leave out `tool_choice`, or ask another model",
            "tools_unsupported",
            details={"param": "tool_choice"},
        )
    request.drop(*(["tools"] if request.tools else []), *(["tool_choice"] if choice else []))


def _seed(seed: int | None) -> dict[str, Any]:
    """The seed; with one, the prompt is computed anew, since reused parts round differently and may change a word."""
    return {} if seed is None else {"seed": seed % _SEEDS, "cache_prompt": False}


def _response_format(wanted: ResponseFormat | None) -> dict[str, Any]:
    if wanted is None or wanted.type == "text":
        return {}
    if wanted.type == "json_object":
        return {"response_format": {"type": "json_object"}}
    schema = {"name": wanted.name or "answer", "schema": wanted.schema or {}}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _messages(request: DomainRequest) -> list[dict[str, str]]:
    """The turns, neighbours of one role in one: most chat templates want the roles to alternate."""
    turns = [
        {"role": role, "content": _joined(_text(message, request) for message in messages)}
        for role, messages in groupby(request.messages, key=lambda message: message.role)
    ]
    if not turns:
        raise InvalidRequestError("`messages` is empty", details={"param": "messages"})
    return turns


def _text(message: Message, request: DomainRequest) -> str:
    return _joined(_PARTS[type(part)](part, request) for part in message.content)


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(_clean(text) for text in texts if text)


def _clean(text: str) -> str:
    """Without lone surrogates, which llama.cpp's JSON does not know."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _plain(part: Any, _: DomainRequest) -> str:
    text: str = part.text
    return text


def _tool_call(part: Any, request: DomainRequest) -> str:
    request.drop("tool_calls")
    return f"[called the tool {part.name} with {part.arguments}]"


def _tool_result(part: Any, request: DomainRequest) -> str:
    request.drop("tool_results")
    content = _joined(_PARTS[type(piece)](piece, request) for piece in part.content)
    outcome = "the tool failed" if part.is_error else "the tool returned"
    return f"[{outcome}: {content}]"


def _thought(_: Any, request: DomainRequest) -> str:
    request.drop("reasoning")
    return ""


def _native(part: Any, request: DomainRequest) -> str:
    request.drop(str(part.data.get("type", "content")))
    return ""


def _medium(part: Any, _: DomainRequest) -> str:
    raise InvalidRequestError(
        f"the local model reads text only; this request has content of kind {part.kind!r}",
        "media_unsupported",
        details={"param": "messages"},
    )


_PARTS: dict[type[Part], Callable[[Any, DomainRequest], str]] = {
    TextPart: _plain,
    RefusalPart: _plain,
    ReasoningPart: _thought,
    ToolCallPart: _tool_call,
    ToolResultPart: _tool_result,
    NativePart: _native,
    MediaPart: _medium,
}
