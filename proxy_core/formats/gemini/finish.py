"""Why a candidate ended, both ways. https://ai.google.dev/api/generate-content#FinishReason (2026-11)"""

from __future__ import annotations

from typing import Any, Final

from proxy_core.domain.response import FinishReason
from proxy_core.domain.stream import Finish
from proxy_core.formats.fields import Json, stated
from proxy_core.formats.gemini.enums import BLOCK_REASONS, FINISH_REASONS, word_of
from proxy_core.formats.gemini.fields import note

_NEUTRAL: Final[dict[str, FinishReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter",
    "CONTINUATION": "pause",
    "LANGUAGE": "error",
    "OTHER": "error",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "MALFORMED_RESPONSE": "error",
    "IMAGE_OTHER": "error",
    "NO_IMAGE": "error",
}
_NEAREST: Final[dict[FinishReason, str]] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    # Neither is complete, and only Gemini can continue with its `CONTINUATION`.
    "pause": "OTHER",
    "error": "OTHER",
}
_WORD_SAYS_LESS: Final[frozenset[FinishReason]] = frozenset({"refusal", "pause", "error"})


def read_finish(value: Any, *, calls: bool = False) -> tuple[FinishReason | None, str | None]:
    """The neutral reason, and Gemini's word where that says more; words not known here are failures, since `STOP` alone
    is success. `calls` tells that functions are called: that ends with `STOP` as well."""
    word = word_of(value, FINISH_REASONS)
    if word is None or word.endswith("UNSPECIFIED"):
        return None, None
    reason = _NEUTRAL.get(word, "error")
    if reason == "stop" and calls:
        return "tool_calls", None
    return reason, None if reason in ("stop", "length") else word


def read_block(value: Any) -> str | None:
    """The word for why a prompt was blocked."""
    return word_of(value, BLOCK_REASONS)


def write_finish(finish: Finish | None, *, calls: bool = False, refused: bool = False) -> Json:
    """`finishReason`, and `finishMessage` with what it does not say: other providers' words, for which Gemini's clients
    have no other place. `refused` tells that the answer has a refusal in words, which some providers end with `stop`.
    """
    reason: FinishReason = "stop" if finish is None else finish.reason
    if refused and reason == "stop":
        reason = "refusal"
    native = None if finish is None else finish.native
    if native is not None and (_NEUTRAL.get(native) == reason or _is_word(native, finish)):
        return {"finishReason": native}
    message = native or (reason if reason in _WORD_SAYS_LESS else None) or _stopped_at(finish)
    return stated(
        {"finishReason": "STOP" if calls and reason == "stop" else _NEAREST[reason], "finishMessage": message}
    )


def _stopped_at(finish: Finish | None) -> str | None:
    if finish is None or finish.stop_sequence is None:
        return None
    return f"stop_sequence: {finish.stop_sequence}"


def is_new(word: str | None) -> bool:
    """Whether this word is not known here, so that it must be noted (as `word`) whose it is."""
    return word is not None and word not in _NEUTRAL


def _is_word(native: str, finish: Finish | None) -> bool:
    return finish is not None and note(finish.extras, "word") == native
