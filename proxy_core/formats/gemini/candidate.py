"""One candidate of an upstream's answer, whole or the piece of it that an event has.

https://ai.google.dev/api/generate-content#v1beta.Candidate (2026-11)
"""

from __future__ import annotations

from typing import Final

from proxy_core.domain.content import Part, ToolCallPart
from proxy_core.domain.response import Choice
from proxy_core.formats.fields import Json, as_dict, count, dicts, leftover, text_or_none
from proxy_core.formats.gemini.answer_parts import read_parts
from proxy_core.formats.gemini.citations import Found, read_citations
from proxy_core.formats.gemini.enums import in_words
from proxy_core.formats.gemini.fields import FORMAT, camel_keys
from proxy_core.formats.gemini.finish import is_new, read_block, read_finish
from proxy_core.formats.gemini.logprobs import read_logprobs

_KNOWN: Final = frozenset({"content", "finishReason", "index"})


def read_candidates(payload: Json) -> list[tuple[Choice, list[Found]]]:
    """The candidates of a payload, each with the citations that have yet to find their text; or one that tells why the
    prompt was blocked."""
    blocked = _blocked(payload)
    if blocked is not None:
        return [(blocked, [])]
    return [_read_candidate(raw, position) for position, raw in enumerate(dicts(payload.get("candidates")))]


def _read_candidate(raw: Json, position: int) -> tuple[Choice, list[Found]]:
    candidate = camel_keys(raw)
    content: list[Part] = read_parts(candidate.get("content"))
    calls = any(isinstance(part, ToolCallPart) for part in content)
    reason, native = read_finish(candidate.get("finishReason"), calls=calls)
    index = count(candidate.get("index"))
    own = in_words(leftover(candidate, _KNOWN))
    if is_new(native):
        own["_word"] = native
    choice = Choice(
        content=content,
        index=position if index is None else index,
        finish_reason=reason,
        native_finish_reason=native,
        logprobs=read_logprobs(candidate.get("logprobsResult")),
        extras={FORMAT: own} if own else {},
    )
    return choice, read_citations(candidate)


def _blocked(payload: Json) -> Choice | None:
    """https://ai.google.dev/api/generate-content#PromptFeedback: there are no candidates, and nothing else is said."""
    if dicts(payload.get("candidates")):
        return None
    feedback = camel_keys(as_dict(payload.get("promptFeedback")))
    word = read_block(feedback.get("blockReason"))
    if word is None:
        return None
    extras = {FORMAT: {"promptFeedback": {**in_words(feedback), "blockReason": word}}}
    return Choice(finish_reason="content_filter", native_finish_reason=word, extras=extras)


#: The fields of an answer, or of an event; those at their default are left out.
_ENVELOPE: Final = frozenset(
    {"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime"}
)


def says_nothing(payload: Json) -> bool:
    """Whether a payload is no answer: it has none of the fields."""
    return _ENVELOPE.isdisjoint(payload)


def read_identity(payload: Json) -> tuple[str | None, str | None]:
    """The answer's id and the model's version."""
    return text_or_none(payload.get("responseId")), text_or_none(payload.get("modelVersion"))


def own_of(payload: Json) -> Json:
    """What only Gemini's clients understand of an answer, with the feedback on a prompt that was not blocked."""
    own = leftover(payload, _ENVELOPE)
    feedback = as_dict(payload.get("promptFeedback"))
    return {**own, "promptFeedback": in_words(feedback)} if feedback and _blocked(payload) is None else own
