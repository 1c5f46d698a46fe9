"""The commonest event of all, one that is nothing but a piece of text or of thinking, decoded straight into a struct;
`stream.py` reads all others.

Most servers repeat the counts so far on every event. Their details are left to the last one, which has a finish reason.
"""

from __future__ import annotations

import msgspec

from proxy_core.domain.response import Usage
from proxy_core.domain.stream import ReasoningDelta, StreamChunk, TextDelta
from proxy_core.formats.gemini.clock import unix_time
from proxy_core.formats.gemini.fields import FORMAT
from proxy_core.formats.gemini.usage import usage_of


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    thought: bool = False


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    parts: tuple[_Part]
    role: str | None = None


class _Candidate(msgspec.Struct, forbid_unknown_fields=True):
    content: _Content
    index: int = 0


class _Counts(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int | None = None


class _Event(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    candidates: tuple[_Candidate]
    usage_metadata: _Counts | None = None
    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None


_decode = msgspec.json.Decoder(_Event).decode


def decode_text_event(data: bytes) -> StreamChunk | None:
    """The chunk, if the event is a piece of text spelled the usual way; None for any other."""
    try:
        event = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    candidate, counts = event.candidates[0], event.usage_metadata
    part, index = candidate.content.parts[0], candidate.index
    if not part.text or index < 0:
        return None
    return StreamChunk(
        id=event.response_id or None,
        model=event.model_version or None,
        created=None if event.create_time is None else unix_time(event.create_time),
        deltas=[
            ReasoningDelta(text=part.text, origin=FORMAT, choice=index)
            if part.thought
            else TextDelta(text=part.text, choice=index)
        ],
        usage=None if counts is None else _usage(counts),
    )


def _usage(counts: _Counts) -> Usage | None:
    return usage_of(
        counts.prompt_token_count,
        counts.candidates_token_count,
        counts.thoughts_token_count,
        counts.cached_content_token_count,
        counts.tool_use_prompt_token_count,
        counts.total_token_count,
    )
