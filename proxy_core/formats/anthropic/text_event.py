"""The commonest event of all, a piece of text, decoded straight into a struct; `stream.py` reads all others."""

from __future__ import annotations

from typing import Literal

import msgspec

from proxy_core.domain.stream import StreamChunk, TextDelta

_LINES = b"event: content_block_delta\ndata: "


class _Delta(msgspec.Struct):
    type: Literal["text_delta"]
    text: str


class _Event(msgspec.Struct):
    type: Literal["content_block_delta"]
    index: int
    delta: _Delta


_decode = msgspec.json.Decoder(_Event).decode


def decode_text_event(block: bytes) -> StreamChunk | None:
    """The chunk, if the event is a piece of text spelled the usual way; None for any other."""
    if not block.startswith(_LINES):
        return None
    try:
        event = _decode(block[len(_LINES) :])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return StreamChunk(deltas=[TextDelta(text=event.delta.text, block=event.index)])
