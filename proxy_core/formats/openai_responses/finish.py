"""Why an answer ended: a `status`, and the reason where that is `incomplete`, both ways.

What has no word here is told by the nearest, with the provider's own word beside it, in an extension of ours,
`native_finish_reason` (OpenRouter's name for it), and `stop_sequence`.

https://platform.openai.com/docs/api-reference/responses/object (2026-11)
"""

from __future__ import annotations

from collections.abc import Collection

from proxy_core.domain.content import Part, RefusalPart, TextPart, ToolCallPart
from proxy_core.domain.response import ErrorInfo, FinishReason
from proxy_core.domain.stream import Finish
from proxy_core.formats.fields import Json, as_dict, as_text, text_or_none
from proxy_core.formats.openai.finish import read_finish as read_words
from proxy_core.formats.openai_responses.errors import write_failure

_INCOMPLETE: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "max_messages": "length",
    "steered": "pause",
}
_STATUS: dict[str, FinishReason] = {"cancelled": "error", "in_progress": "pause", "queued": "pause"}
#: What reason `incomplete` gives. A pause is a limit that the provider set itself, and the client may ask for more.
_WHY: dict[FinishReason, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "max_output_tokens",
}
_PLAIN = frozenset({"max_output_tokens", "content_filter"})


def natural_end(kinds: Collection[type]) -> FinishReason:
    """Why an answer ended that has parts of these kinds, and nothing cut short."""
    if ToolCallPart in kinds:
        return "tool_calls"
    return "refusal" if RefusalPart in kinds and TextPart not in kinds else "stop"


def read_finish(response: Json, parts: list[Part], status: str = "completed") -> Finish:
    """The end that a response tells of; `status` is that of one that does not tell its own."""
    status = text_or_none(response.get("status")) or status
    reason, native = natural_end({type(part) for part in parts}), None
    if status == "incomplete":
        why = as_text(as_dict(response.get("incomplete_details")).get("reason"))
        reason = _INCOMPLETE.get(why, "length")
        native = None if why in _PLAIN else why or status
    elif status in _STATUS:
        reason, native = _STATUS[status], status
    hidden, word = read_words(reason, text_or_none(response.get("native_finish_reason")) or native)
    return Finish(reason=hidden or reason, native=word, stop_sequence=text_or_none(response.get("stop_sequence")))


def write_finish(finish: Finish | None, kinds: Collection[type]) -> Json:
    """`status` and all that goes with it, for an answer that has parts of these kinds."""
    finish = finish or Finish(reason="stop")
    reason = natural_end(kinds) if finish.reason == "stop" else finish.reason
    native = finish.native
    fields: Json = {"status": "completed", "error": None, "incomplete_details": None}
    if reason == "error":
        fields |= {"status": "failed", "error": _gave_up(native)}
    elif why := _why(reason, native, kinds):
        fields |= {"status": "incomplete", "incomplete_details": {"reason": why}}
        native = None if why == native else native
    if native or _says_less(fields, reason, kinds):
        fields["native_finish_reason"] = native or reason
    return fields if finish.stop_sequence is None else {**fields, "stop_sequence": finish.stop_sequence}


def _why(reason: FinishReason, native: str | None, kinds: Collection[type]) -> str | None:
    """The reason of an incomplete answer. A refusal in words is complete, as OpenAI has it."""
    if native is not None and _INCOMPLETE.get(native) == reason:
        return native
    return None if reason == "refusal" and RefusalPart in kinds else _WHY.get(reason)


def _says_less(fields: Json, reason: FinishReason, kinds: Collection[type]) -> bool:
    """Whether a reader of these fields would take another reason from them."""
    why = as_dict(fields["incomplete_details"]).get("reason")
    told = {"completed": natural_end(kinds), "incomplete": _INCOMPLETE.get(as_text(why))}.get(fields["status"])
    return told != reason


def _gave_up(native: str | None) -> Json:
    """A provider that gave up must not look like one that was done."""
    return write_failure(ErrorInfo(message=f"The provider broke the answer off: {native or 'it did not say why'}"))
