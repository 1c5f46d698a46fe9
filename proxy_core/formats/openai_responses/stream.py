"""Stream events to the domain; each event by itself.

Ids may change from event to event, so what belongs together is told by `output_index`. An item is said in pieces and,
when it is done, whole; the answer too. Both are handed on as what they are (`StreamChunk.repeats`), since some servers
send no pieces, or only some.

https://platform.openai.com/docs/api-reference/responses-streaming (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable

from proxy_core.domain.base import Extras
from proxy_core.domain.content import Part
from proxy_core.domain.stream import (
    CitationDelta,
    Delta,
    ReasoningDelta,
    RefusalDelta,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
    deltas_of,
)
from proxy_core.formats.fields import NOTE, Json, as_dict, as_text, count, dicts, leftover, text_or_none
from proxy_core.formats.openai.calls import read_arguments
from proxy_core.formats.openai_responses.annotations import read_annotation, read_logprobs
from proxy_core.formats.openai_responses.errors import read_error_event, read_failure
from proxy_core.formats.openai_responses.fields import FORMAT
from proxy_core.formats.openai_responses.finish import read_finish
from proxy_core.formats.openai_responses.output_items import (
    CALLS,
    call_extras,
    call_name,
    message_note,
    read_item,
    read_output,
)
from proxy_core.formats.openai_responses.reasoning_items import SEPARATOR
from proxy_core.formats.openai_responses.response import RESPONSE_FIELDS
from proxy_core.formats.openai_responses.text_event import PART_SHIFT
from proxy_core.formats.openai_responses.usage import read_usage


def decode_payload(payload: Json) -> StreamChunk | None:
    """What an event says; None when it says nothing that is not said elsewhere (progress, ends of parts)."""
    kind = payload.get("type")
    decode = _EVENTS.get(kind) if isinstance(kind, str) else None
    if decode is not None:
        return decode(payload)
    return _error(payload) if kind is None and payload.get("error") else None


def _error(payload: Json) -> StreamChunk:
    return StreamChunk(error=read_error_event(payload))


# the answer


def _begin(payload: Json) -> StreamChunk:
    return _identity(as_dict(payload.get("response")))


def _identity(response: Json) -> StreamChunk:
    own = leftover(response, RESPONSE_FIELDS)
    return StreamChunk(
        id=text_or_none(response.get("id")),
        model=text_or_none(response.get("model")),
        created=count(response.get("created_at")) or None,
        extras={FORMAT: own} if own else {},
    )


def _completed(payload: Json) -> StreamChunk:
    return _end(as_dict(payload.get("response")), "completed")


def _incomplete(payload: Json) -> StreamChunk:
    return _end(as_dict(payload.get("response")), "incomplete")


def _failed(payload: Json) -> StreamChunk:
    return _end(as_dict(payload.get("response")), "failed")


def _end(response: Json, status: str) -> StreamChunk:
    """The end; with what the answer says, in case that nobody has said it before."""
    chunk = _identity(response)
    chunk.usage = read_usage(response.get("usage"))
    if response.get("error") or "failed" in (status, response.get("status")):
        chunk.error = read_failure(response)
        return chunk
    output = dicts(response.get("output"))
    placed = read_output(output)
    parts = [part for *_, part in placed]
    chunk.deltas = [delta for index, place, part in placed for delta in _whole(index, place, part)]
    chunk.finish = [read_finish(response, parts, status)]
    chunk.terminal = chunk.repeats = True
    chunk.extras = {FORMAT: {**chunk.extra(FORMAT), **_messages(dict(enumerate(output)))}}
    return chunk


def _whole(index: int, place: int, part: Part) -> list[Delta]:
    return deltas_of(part, index + (place << PART_SHIFT))


# items


def _index(payload: Json, name: str = "output_index") -> int:
    return count(payload.get(name)) or 0


def _block(payload: Json) -> int:
    return _index(payload) + (_index(payload, "content_index") << PART_SHIFT)


def _item_added(payload: Json) -> StreamChunk | None:
    item, index = as_dict(payload.get("item")), _index(payload)
    kind = as_text(item.get("type"))
    if kind == "message":
        return StreamChunk(extras={FORMAT: _messages({index: item})})
    return StreamChunk(deltas=[_opened_call(item, index)]) if kind in CALLS else None


def _messages(items: dict[int, Json]) -> Json:
    """What is to be known of the messages that texts stand in; their deltas have no place for it."""
    notes = {index: message_note(item) for index, item in items.items() if item.get("type") == "message"}
    return {f"{NOTE}messages": notes} if notes else {}


def _opened_call(item: Json, index: int) -> ToolCallDelta:
    kind, field = CALLS[item["type"]]
    return ToolCallDelta(
        index=index,
        id=text_or_none(item.get("call_id")),
        name=call_name(item),
        arguments=read_arguments(item.get(field)),
        kind=kind,
        extras=call_extras(item),
    )


def _item_done(payload: Json) -> StreamChunk:
    item, index = as_dict(payload.get("item")), _index(payload)
    deltas = [delta for place, part in read_item(item) for delta in _whole(index, place, part)]
    return StreamChunk(deltas=deltas, extras={FORMAT: _messages({index: item})}, repeats=True)


# pieces of items


def _one(delta: Delta) -> StreamChunk:
    return StreamChunk(deltas=[delta])


def _text(payload: Json) -> StreamChunk:
    logprobs = read_logprobs(payload.get("logprobs"))
    return _one(TextDelta(text=as_text(payload.get("delta")), block=_block(payload), logprobs=logprobs))


def _refusal(payload: Json) -> StreamChunk:
    return _one(RefusalDelta(text=as_text(payload.get("delta")), block=_block(payload)))


def _annotation(payload: Json) -> StreamChunk:
    return _one(CitationDelta(citation=read_annotation(as_dict(payload.get("annotation"))), block=_block(payload)))


def _summary(payload: Json) -> StreamChunk:
    return _one(_thought(payload, as_text(payload.get("delta"))))


def _summary_part(payload: Json) -> StreamChunk | None:
    """Pieces of a summary are set apart."""
    return _one(_thought(payload, SEPARATOR, "begins")) if _index(payload, "summary_index") else None


def _reasoning_text(payload: Json) -> StreamChunk:
    return _one(_thought(payload, as_text(payload.get("delta")), "content"))


def _content_part(payload: Json) -> StreamChunk | None:
    """And so are those of the thinking itself; parts of messages are told by their numbers."""
    is_thought = as_dict(payload.get("part")).get("type") == "reasoning_text"
    if not (is_thought and _index(payload, "content_index")):
        return None
    return _one(_thought(payload, SEPARATOR, "content", "begins"))


def _thought(payload: Json, text: str, *notes: str) -> ReasoningDelta:
    extras: Extras = {FORMAT: {NOTE + name: True for name in notes}} if notes else {}
    identifier = text_or_none(payload.get("item_id"))
    return ReasoningDelta(text=text, origin=FORMAT, id=identifier, block=_index(payload), extras=extras)


def _arguments(payload: Json) -> StreamChunk:
    return _one(ToolCallDelta(index=_index(payload), arguments=read_arguments(payload.get("delta"))))


def _arguments_done(payload: Json) -> StreamChunk:
    whole = read_arguments(payload.get("arguments"))
    return StreamChunk(deltas=[ToolCallDelta(index=_index(payload), arguments=whole)], repeats=True)


def _input(payload: Json) -> StreamChunk:
    return _one(ToolCallDelta(index=_index(payload), arguments=as_text(payload.get("delta")), kind="custom"))


def _input_done(payload: Json) -> StreamChunk:
    whole = as_text(payload.get("input"))
    return StreamChunk(deltas=[ToolCallDelta(index=_index(payload), arguments=whole, kind="custom")], repeats=True)


_EVENTS: dict[str, Callable[[Json], StreamChunk | None]] = {
    "error": _error,
    "response.completed": _completed,
    "response.content_part.added": _content_part,
    "response.created": _begin,
    "response.custom_tool_call_input.delta": _input,
    "response.custom_tool_call_input.done": _input_done,
    "response.failed": _failed,
    "response.function_call_arguments.delta": _arguments,
    "response.function_call_arguments.done": _arguments_done,
    "response.in_progress": _begin,
    "response.incomplete": _incomplete,
    "response.output_item.added": _item_added,
    "response.output_item.done": _item_done,
    "response.output_text.annotation.added": _annotation,
    "response.output_text.delta": _text,
    "response.queued": _begin,
    "response.reasoning_summary_part.added": _summary_part,
    "response.reasoning_summary_text.delta": _summary,
    "response.reasoning_text.delta": _reasoning_text,
    "response.refusal.delta": _refusal,
}
