"""The neutral stream: an answer in pieces."""

from __future__ import annotations

from typing import Any, TypeAlias

from proxy_core.domain.base import DomainModel, Extras, Lossy
from proxy_core.domain.content import (
    Citation,
    MediaPart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
)
from proxy_core.domain.response import Choice, DomainResponse, ErrorInfo, FinishReason, Usage

# `block` is the number the upstream gave to the content block that a delta belongs to, where it numbers them: two
# deltas of one kind with different numbers are two blocks. `choice` is the candidate's index.


class TextDelta(DomainModel, tag_field="type", tag="text"):
    text: str
    choice: int = 0
    block: int | None = None
    logprobs: dict[str, Any] | None = None


class RefusalDelta(DomainModel, tag_field="type", tag="refusal"):
    text: str
    choice: int = 0
    block: int | None = None


class ReasoningDelta(DomainModel, tag_field="type", tag="reasoning"):
    """A piece of thinking; `signature` and `data` come whole, once (see `ReasoningPart`)."""

    text: str = ""
    signature: str | None = None
    data: str | None = None
    origin: str | None = None
    id: str | None = None
    choice: int = 0
    block: int | None = None
    extras: Extras = {}


class ToolCallDelta(DomainModel, tag_field="type", tag="tool_call"):
    """A piece of a tool call.

    With a `name` it opens the call at `index` (where that is taken, see `begins_another`); without one it continues it.
    `arguments` is the next piece of the JSON text.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    kind: ToolKind = "function"
    choice: int = 0
    extras: Extras = {}

    def begins_another(self, known_id: str | None) -> bool:
        """Whether this opens a call of its own where one with the id `known_id` is open at the same index. Some servers
        leave the index out, so that each call has the first; others repeat the name, with the id or without, on every
        piece."""
        if not self.name or (known_id and self.id is None):
            return False
        return self.id is None or self.id != known_id


class CitationDelta(DomainModel, tag_field="type", tag="citation"):
    """A source of the text block that is open."""

    citation: Citation
    choice: int = 0
    block: int | None = None


class MediaDelta(DomainModel, tag_field="type", tag="media"):
    """An image or sound that the model made, whole."""

    media: MediaPart
    choice: int = 0
    block: int | None = None


class NativeDelta(DomainModel, tag_field="type", tag="native"):
    """A block, or a piece of one, that only `format` understands (see `NativePart`)."""

    format: str
    data: dict[str, Any]
    choice: int = 0
    block: int | None = None


Delta: TypeAlias = TextDelta | RefusalDelta | ReasoningDelta | ToolCallDelta | CitationDelta | MediaDelta | NativeDelta


class Finish(DomainModel):
    """Why a choice ended."""

    reason: FinishReason
    native: str | None = None
    stop_sequence: str | None = None
    choice: int = 0
    extras: Extras = {}


class SseSlice(DomainModel):
    """A slice of SSE text as a connector read it; undecodable bytes stand as surrogate escapes.

    `whole` tells that, by itself, it reads as exactly one event.
    """

    text: str
    format: str
    whole: bool = False


class StreamChunk(Lossy):
    """What one event of a stream says.

    The last chunk of every stream has `terminal` set: a stream that ends without it is reported to the client as cut.
    In a format without a terminal event, `may_be_last` marks the chunk after which the upstream may end the stream.
    `usage` is a running total. `error` ends the stream. `dropped` names what has no place in a stream's chunks.
    `repeats` marks a chunk that says whole blocks once more (the whole answer, if it is `terminal` too), for servers
    that sent no pieces of them: encoders leave out what they have been told before.
    `slice` is the text that this chunk was read from, or that still waits for its other half: the host puts halves
    together.
    """

    id: str | None = None
    model: str | None = None
    created: int | None = None
    deltas: list[Delta] = []
    finish: list[Finish] = []
    usage: Usage | None = None
    error: ErrorInfo | None = None
    terminal: bool = False
    may_be_last: bool = False
    repeats: bool = False
    extras: Extras = {}
    slice: SseSlice | None = None


def as_chunk(response: DomainResponse) -> StreamChunk:
    """A whole answer as one chunk, for clients that asked for a stream."""
    return StreamChunk(
        id=response.id,
        model=response.model,
        created=response.created,
        deltas=[delta for choice in response.choices for delta in _choice_deltas(choice)],
        finish=[_finish(choice) for choice in response.choices],
        usage=response.usage,
        terminal=True,
        extras=response.extras,
    )


def _finish(choice: Choice) -> Finish:
    return Finish(
        reason=choice.finish_reason or "stop",
        native=choice.native_finish_reason,
        stop_sequence=choice.stop_sequence,
        choice=choice.index,
        extras=choice.extras,
    )


def _choice_deltas(choice: Choice) -> list[Delta]:
    parts = enumerate(choice.content)
    deltas = [delta for position, part in parts for delta in deltas_of(part, position, choice.index)]
    if choice.logprobs is None:
        return deltas
    return [TextDelta(text="", choice=choice.index, logprobs=choice.logprobs), *deltas]


def deltas_of(part: Part, position: int, choice: int = 0) -> list[Delta]:
    """A whole part as deltas of the block at `position`."""
    match part:
        case TextPart():
            citations = [CitationDelta(citation=found, choice=choice, block=position) for found in part.citations]
            return [TextDelta(text=part.text, choice=choice, block=position), *citations]
        case RefusalPart():
            return [RefusalDelta(text=part.text, choice=choice, block=position)]
        case ReasoningPart():
            fields = ("text", "signature", "data", "origin", "id", "extras")
            same = {name: getattr(part, name) for name in fields}
            return [ReasoningDelta(**same, choice=choice, block=position)]
        case ToolCallPart():
            same = {name: getattr(part, name) for name in ("id", "name", "arguments", "kind", "extras")}
            return [ToolCallDelta(**same, choice=choice, index=position)]
        case MediaPart():
            return [MediaDelta(media=part, choice=choice, block=position)]
        case NativePart():
            return [NativeDelta(format=part.format, data=part.data, choice=choice, block=position)]
        case _:
            return []
