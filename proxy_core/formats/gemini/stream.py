"""Stream events to the domain; each event by itself.

An event is an answer like any other, with the pieces that are new. No event ends a stream, and each candidate ends by
itself: `may_be_last` marks an event in which one did, and the host sees to the others.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from proxy_core.domain.content import MediaPart, NativePart, Part, ReasoningPart, TextPart, ToolCallPart
from proxy_core.domain.response import Choice
from proxy_core.domain.stream import (
    CitationDelta,
    Delta,
    Finish,
    MediaDelta,
    NativeDelta,
    ReasoningDelta,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
)
from proxy_core.formats.fields import Json
from proxy_core.formats.gemini.candidate import own_of, read_candidates, read_identity, says_nothing
from proxy_core.formats.gemini.citations import Found
from proxy_core.formats.gemini.clock import unix_time
from proxy_core.formats.gemini.errors import decode_error
from proxy_core.formats.gemini.fields import FORMAT, camel_keys
from proxy_core.formats.gemini.usage import read_usage


def decode_payload(payload: Json) -> StreamChunk:
    """What the parsed JSON of one event says."""
    payload = camel_keys(payload)
    if payload.get("error") or (says_nothing(payload) and "message" in payload):
        return StreamChunk(error=decode_error(payload, None))
    identity, model = read_identity(payload)
    chunk = StreamChunk(
        id=identity,
        model=model,
        created=unix_time(payload.get("createTime")),
        usage=read_usage(payload.get("usageMetadata")),
    )
    pieces: list[Json] = []
    for choice, citations in read_candidates(payload):
        chunk.deltas += _deltas(choice, citations)
        pieces += _end(choice, chunk)
    chunk.may_be_last = bool(chunk.finish)
    own = own_of(payload) | ({"candidates": pieces} if pieces else {})
    chunk.extras = {FORMAT: own} if own else {}
    return chunk


def _end(choice: Choice, chunk: StreamChunk) -> list[Json]:
    """Note the end of a candidate; before that, what only Gemini's clients understand is handed back."""
    if choice.finish_reason is None:
        return [{"index": choice.index, **choice.extra(FORMAT)}] if choice.extras else []
    chunk.finish.append(
        Finish(
            reason=choice.finish_reason,
            native=choice.native_finish_reason,
            choice=choice.index,
            extras=choice.extras,
        )
    )
    return []


def _deltas(choice: Choice, citations: list[Found]) -> list[Delta]:
    deltas = [_DELTAS[type(part)](part, choice.index, position) for position, part in enumerate(choice.content)]
    if choice.logprobs is not None:
        _add_logprobs(deltas, choice)
    return [*deltas, *(CitationDelta(citation=citation, choice=choice.index) for citation, _ in citations)]


def _add_logprobs(deltas: list[Delta], choice: Choice) -> None:
    """Hang the log probabilities on the text they belong to, or on an empty one."""
    text = next((delta for delta in deltas if isinstance(delta, TextDelta)), None)
    if text is None:
        deltas.append(TextDelta(text="", choice=choice.index, logprobs=choice.logprobs))
    else:
        text.logprobs = choice.logprobs


def _reasoning(part: ReasoningPart, choice: int, position: int) -> ReasoningDelta:
    """A signature of something else is a block of its own, and no part of the thinking before it."""
    fields = {name: getattr(part, name) for name in ("text", "signature", "data", "origin", "id", "extras")}
    return ReasoningDelta(**fields, choice=choice, block=None if part.data is None else position)


def _tool_call(part: ToolCallPart, choice: int, index: int) -> ToolCallDelta:
    return ToolCallDelta(
        index=index,
        id=part.id or None,
        name=part.name or None,
        arguments=part.arguments,
        choice=choice,
        extras=part.extras,
    )


_DELTAS: Final[dict[type[Part], Callable[[Any, int, int], Delta]]] = {
    MediaPart: lambda part, choice, _: MediaDelta(media=part, choice=choice),
    NativePart: lambda part, choice, _: NativeDelta(format=part.format, data=part.data, choice=choice),
    ReasoningPart: _reasoning,
    TextPart: lambda part, choice, _: TextDelta(text=part.text, choice=choice),
    ToolCallPart: _tool_call,
}
