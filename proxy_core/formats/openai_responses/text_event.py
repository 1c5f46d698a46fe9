"""The commonest event of all, a piece of text, decoded straight into a struct; `stream.py` reads all others."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from proxy_core.domain.stream import StreamChunk, TextDelta

_LINES: Final = b"event: response.output_text.delta\ndata: "
_DATA: Final = b'data: {"type":"response.output_text.delta"'
#: The block of a content part is its item's number, and its own number above that. Items have few parts.
PART_SHIFT: Final = 16


class _Event(msgspec.Struct):
    type: Literal["response.output_text.delta"]
    output_index: int
    delta: str
    content_index: int = 0
    logprobs: list[Any] | None = None


_decode = msgspec.json.Decoder(_Event).decode


def decode_text_event(block: bytes) -> StreamChunk | None:
    """The chunk, if the event is a piece of text spelled the usual way; None for any other."""
    if block.startswith(_LINES):
        data = block[len(_LINES) :]
    elif block.startswith(_DATA):
        data = block[6:]
    else:
        return None
    try:
        event = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if event.logprobs:
        return None
    number = event.output_index + (event.content_index << PART_SHIFT)
    return StreamChunk(deltas=[TextDelta(text=event.delta, block=number)])
