"""Why an answer ended, both ways. https://docs.claude.com/en/api/handling-stop-reasons (2026-11)"""

from __future__ import annotations

from typing import NamedTuple

from proxy_core.domain.base import Extras
from proxy_core.domain.response import FinishReason
from proxy_core.domain.stream import Finish
from proxy_core.formats.anthropic.fields import NAME
from proxy_core.formats.fields import Json

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "pause",
    "refusal": "refusal",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}
#: A provider that gave up (`error`) must not look like one that was done: a refusal stops every client, and
#: `stop_details` says what happened.
_REASON: dict[FinishReason | None, str] = {
    "content_filter": "refusal",
    "error": "refusal",
    "length": "max_tokens",
    "pause": "pause_turn",
    "refusal": "refusal",
    "tool_calls": "tool_use",
}


class Stop(NamedTuple):
    """The end of an answer; `explanation` is the provider's reason for a refusal."""

    finish: Finish | None
    explanation: str | None
    extras: Extras


def decode_stop(holder: Json) -> Stop:
    """The end that a message, or the delta of `message_delta`, tells of. A reason not known here counts as `stop`, with
    its own word beside it."""
    reason, details = holder.get("stop_reason"), holder.get("stop_details")
    if not isinstance(reason, str):
        return Stop(None, None, {})
    extras: Extras = {NAME: {"stop_details": details}} if isinstance(details, dict) else {}
    explanation = details.get("explanation") if isinstance(details, dict) else None
    sequence = holder.get("stop_sequence")
    finish = Finish(
        reason=_FINISH.get(reason, "stop"),
        native=reason if reason == "model_context_window_exceeded" or reason not in _FINISH else None,
        stop_sequence=sequence if isinstance(sequence, str) else None,
        extras=extras,
    )
    return Stop(finish, explanation if isinstance(explanation, str) else None, extras)


def encode_stop(
    reason: FinishReason | None,
    native: str | None,
    sequence: str | None,
    extras: Extras,
    *,
    called: bool,
    refused: bool,
) -> Json:
    """The three stop fields. `called` and `refused` tell that the answer holds tool calls, or a refusal in words: both
    end with `stop` at some providers (a refusal at OpenAI itself)."""
    if reason in (None, "stop") and (called or refused):
        reason = "tool_calls" if called else "refusal"
    word = _stop_reason(reason, native, sequence)
    fields: Json = {"stop_reason": word, "stop_sequence": sequence if word == "stop_sequence" else None}
    details = extras.get(NAME, {}).get("stop_details") or _details(reason, native)
    return {**fields, "stop_details": details} if details else fields


def _stop_reason(reason: FinishReason | None, native: str | None, sequence: str | None) -> str:
    if native is not None and _FINISH.get(native) == reason:
        return native
    if reason == "stop" and sequence is not None:
        return "stop_sequence"
    return _REASON.get(reason, "end_turn")


def _details(reason: FinishReason | None, native: str | None) -> Json | None:
    if reason not in ("content_filter", "error"):
        return None
    what = "blocked the answer" if reason == "content_filter" else "broke the answer off"
    explanation = f"The provider {what}" + (f": {native}" if native else ".")
    return {"type": "refusal", "category": None, "explanation": explanation}
