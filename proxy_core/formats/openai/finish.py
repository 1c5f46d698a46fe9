"""Finish reasons, both ways.

https://platform.openai.com/docs/api-reference/chat/object (2026-11) knows `stop`, `length`, `tool_calls`,
`content_filter` and `function_call`; other words are those of compatible servers (Mistral, DeepSeek, Gemini, vLLM).
"""

from __future__ import annotations

from typing import Any

from proxy_core.domain.response import FinishReason
from proxy_core.formats.fields import text_or_none

_NEUTRAL: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
    "sensitive": "content_filter",
    "refusal": "refusal",
    "pause": "pause",
    "pause_turn": "pause",
    "error": "error",
    "abort": "error",
    "network_error": "error",
    "insufficient_system_resource": "error",
    "function_call_filter": "error",
    "malformed_function_call": "error",
}
_NEAREST: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    # Something is missing from the answer and neither "complete" nor "too long" would be true.
    "error": "content_filter",
}
_NATIVE_SAYS_MORE: frozenset[FinishReason] = frozenset({"refusal", "pause", "error"})


def read_finish(word: Any, native: Any = None) -> tuple[FinishReason | None, str | None]:
    """The neutral reason, and the provider's own word where that says more. `native` is the word that a router
    (OpenRouter, ourselves) puts beside its own."""
    if not isinstance(word, str) or not word:
        return None, None
    native_word = text_or_none(native)
    reason = _neutral(word)
    if native_word and (hidden := _neutral(native_word)) in _NATIVE_SAYS_MORE:
        reason = hidden
    return reason, native_word or (None if word == reason else word)


def _neutral(word: str) -> FinishReason:
    """Words that nobody knows end the turn; their own word stays beside them."""
    return _NEUTRAL.get(word.partition(":")[0].lower(), "stop")


def write_finish(
    reason: FinishReason | None, native: str | None, *, calls: bool = False, refused: bool = False
) -> dict[str, str]:
    """`finish_reason`, and `native_finish_reason` where that says more. `calls` tells that tools were called, which
    some providers end with `stop` or nothing; `refused` that there is a refusal in words, which OpenAI ends with
    `stop`."""
    reason = reason or "stop"
    if calls and reason == "stop":
        reason = "tool_calls"
    word = "stop" if refused and reason == "refusal" else _NEAREST[reason]
    if native is None and word != reason:
        native = reason
    return {"finish_reason": word, "native_finish_reason": native} if native else {"finish_reason": word}
