"""Stream events to the domain; each event by itself.

What a block is, only its `content_block_start` tells. So `input_json_delta` of a server tool's block becomes a
`ToolCallDelta` like any other, for an index where no call was opened: but for our own, encoders leave such a delta out.

https://docs.claude.com/en/docs/build-with-claude/streaming (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_core.domain.stream import (
    CitationDelta,
    Delta,
    NativeDelta,
    ReasoningDelta,
    RefusalDelta,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
)
from proxy_core.errors import BackendError
from proxy_core.formats import wire_json
from proxy_core.formats.anthropic.content import decode_citation
from proxy_core.formats.anthropic.errors import decode_error
from proxy_core.formats.anthropic.fields import NAME, leftovers
from proxy_core.formats.anthropic.stop import decode_stop
from proxy_core.formats.anthropic.usage import decode_usage
from proxy_core.formats.fields import Json

_TOOL_USE_FIELDS = frozenset({"id", "input", "name", "type"})


def decode_payload(payload: Json) -> StreamChunk | None:
    """What an event says; None when it says nothing (pings, ends of blocks, kinds not known here)."""
    kind = payload.get("type")
    if kind is None and payload.get("error"):
        return _error(payload)
    try:
        decode = _EVENTS.get(kind)
        return None if decode is None else decode(payload)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BackendError(f"the upstream sent a malformed {kind!r} event: {error!r}") from error


def _str(value: Any) -> str:
    if value.__class__ is not str:
        raise TypeError(f"a string was expected, not {type(value).__name__}")
    text: str = value
    return text


def _index(payload: Json) -> int:
    index = payload["index"]
    if index.__class__ is not int:
        raise TypeError(f"an index was expected, not {type(index).__name__}")
    number: int = index
    return number


def _one(delta: Delta) -> StreamChunk:
    return StreamChunk(deltas=[delta])


def _message_start(payload: Json) -> StreamChunk:
    message = payload["message"]
    return StreamChunk(id=message.get("id"), model=message.get("model"), usage=decode_usage(message.get("usage")))


def _message_delta(payload: Json) -> StreamChunk:
    stop = decode_stop(payload.get("delta") or {})
    return StreamChunk(
        deltas=[RefusalDelta(text=stop.explanation)] if stop.explanation else [],
        finish=[] if stop.finish is None else [stop.finish],
        usage=decode_usage(payload.get("usage")),
    )


def _message_stop(_: Json) -> StreamChunk:
    return StreamChunk(terminal=True)


def _error(payload: Json) -> StreamChunk:
    return StreamChunk(error=decode_error(payload, None))


def _block_start(payload: Json) -> StreamChunk | None:
    block = payload["content_block"]
    start = _BLOCK_STARTS.get(block["type"])
    return _native(block, _index(payload)) if start is None else start(block, _index(payload))


def _native(data: Json, index: int) -> StreamChunk:
    """A block (or a delta) that nobody else has."""
    return _one(NativeDelta(format=NAME, data=data, block=index))


def _start_text(block: Json, index: int) -> StreamChunk | None:
    deltas: list[Delta] = [TextDelta(text=_str(block["text"]), block=index)] if block.get("text") else []
    deltas += [CitationDelta(citation=decode_citation(raw), block=index) for raw in block.get("citations") or ()]
    return StreamChunk(deltas=deltas) if deltas else None


def _start_thinking(block: Json, index: int) -> StreamChunk | None:
    text, signature = _str(block.get("thinking") or ""), block.get("signature") or None
    if not (text or signature):
        return None
    return _one(ReasoningDelta(text=text, signature=signature, origin=NAME, block=index))


def _start_redacted(block: Json, index: int) -> StreamChunk:
    return _one(ReasoningDelta(data=_str(block["data"]), origin=NAME, block=index))


def _start_tool_use(block: Json, index: int) -> StreamChunk:
    arguments = wire_json.dumps(block["input"]).decode() if block.get("input") else ""
    return _one(
        ToolCallDelta(
            index=index,
            id=block.get("id") or None,
            name=_str(block["name"]),
            arguments=arguments,
            extras=leftovers(block, _TOOL_USE_FIELDS),
        )
    )


_BLOCK_STARTS: dict[str, Callable[[Json, int], StreamChunk | None]] = {
    "redacted_thinking": _start_redacted,
    "text": _start_text,
    "thinking": _start_thinking,
    "tool_use": _start_tool_use,
}


def _block_delta(payload: Json) -> StreamChunk | None:
    delta = payload["delta"]
    decode = _DELTAS.get(delta["type"])
    return _native(delta, _index(payload)) if decode is None else decode(delta, _index(payload))


def _text_delta(delta: Json, index: int) -> StreamChunk:
    return StreamChunk(deltas=[TextDelta(text=_str(delta["text"]), block=index)])


def _thinking_delta(delta: Json, index: int) -> StreamChunk:
    return StreamChunk(deltas=[ReasoningDelta(text=_str(delta["thinking"]), origin=NAME, block=index)])


def _signature_delta(delta: Json, index: int) -> StreamChunk | None:
    signature = _str(delta["signature"])
    return _one(ReasoningDelta(signature=signature, origin=NAME, block=index)) if signature else None


def _input_json_delta(delta: Json, index: int) -> StreamChunk | None:
    piece = _str(delta["partial_json"])
    return StreamChunk(deltas=[ToolCallDelta(index=index, arguments=piece)]) if piece else None


def _citations_delta(delta: Json, index: int) -> StreamChunk:
    return _one(CitationDelta(citation=decode_citation(delta["citation"]), block=index))


_DELTAS: dict[str, Callable[[Json, int], StreamChunk | None]] = {
    "citations_delta": _citations_delta,
    "input_json_delta": _input_json_delta,
    "signature_delta": _signature_delta,
    "text_delta": _text_delta,
    "thinking_delta": _thinking_delta,
}

_EVENTS: dict[str | None, Callable[[Json], StreamChunk | None]] = {
    "content_block_delta": _block_delta,
    "content_block_start": _block_start,
    "error": _error,
    "message_delta": _message_delta,
    "message_start": _message_start,
    "message_stop": _message_stop,
}
