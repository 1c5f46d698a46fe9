"""Slices of SSE text: what a connector reads when it loops over `response.aiter_text()`.

The network cuts where it likes. `decode_slice` is a pure function and decodes a slice only if, by itself, it is one
whole event; `SliceAssembler` belongs to one stream and puts all other slices together.
"""

from __future__ import annotations

import re
from typing import Any

from proxy_core.domain.stream import SseSlice, StreamChunk
from proxy_core.errors import BackendError
from proxy_core.formats import wire_json
from proxy_core.formats.base import WireFormat
from proxy_core.formats.sse import BLANK_LINE, EventSplitter, parse_event

# A comment, or a field whose value is in the JSON too, or of no account.
_IDLE_LINE = re.compile(rb"(?:event|id|retry)?:[^\r\n]*")


def decode_slice(piece: str | bytes, wire_format: WireFormat) -> StreamChunk:
    """The chunk for one event, one line of it, or any slice of SSE text; see `StreamChunk.slice`."""
    data = piece.encode("utf-8", "surrogateescape") if isinstance(piece, str) else piece
    text = piece if isinstance(piece, str) else piece.decode("utf-8", "surrogateescape")
    chunk = _decode_whole(data, wire_format)
    whole = chunk is not None
    chunk = chunk or StreamChunk()
    chunk.slice = SseSlice(text=text, format=wire_format.name, whole=whole)
    return chunk


def _decode_whole(data: bytes, wire_format: WireFormat) -> StreamChunk | None:
    """The chunk, if `data` is exactly one event. A complete JSON object cannot be the beginning of a longer one, so the
    blank line need not have come. A lone line without data says nothing, whole or torn: its rest is no field."""
    block = data.strip(b"\r\n")
    if _IDLE_LINE.fullmatch(block):
        return StreamChunk()
    if BLANK_LINE.search(block):
        return None
    data_field = parse_event(block).data
    if data_field == wire_format.done_marker and data_field is not None:
        return StreamChunk(terminal=True)
    payload = _json_object(data_field)
    return None if payload is None else wire_format.decode_payload(payload) or StreamChunk()


def _json_object(data: bytes | None) -> dict[str, Any] | None:
    if data is None or not data.rstrip().endswith(b"}"):
        return None
    try:
        payload = wire_json.loads(data)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


class SliceAssembler:
    """Puts the slices of one stream together."""

    def __init__(self, wire_format: WireFormat) -> None:
        self._format = wire_format
        self._splitter = EventSplitter()

    def feed(self, chunk: StreamChunk) -> list[StreamChunk]:
        """The whole chunks that this one completes."""
        if chunk.slice is None or (chunk.slice.whole and not self._splitter.pending):
            return [chunk]
        return self._decode(self._splitter.feed(chunk.slice.text.encode("utf-8", "surrogateescape")))

    def flush(self) -> list[StreamChunk]:
        """What the end of the stream completes: an event without its blank line, or a bare JSON error body."""
        return [chunk for block in self._splitter.flush() for chunk in self._decode_last(block)]

    def _decode_last(self, block: bytes) -> list[StreamChunk]:
        if block.startswith(b"{"):
            return [self._decode_body(block)]
        try:
            return self._decode([block])
        except BackendError:
            return []  # cut in the middle: the missing terminal event says so

    def _decode_body(self, body: bytes) -> StreamChunk:
        """The error that came instead of a stream."""
        payload = _json_object(body)
        chunk = self._format.decode_payload(payload) if payload else None
        if chunk is not None and chunk.error is not None:
            return chunk
        return StreamChunk(error=self._format.decode_error(payload or body.decode("utf-8", "replace"), 502))

    def _decode(self, blocks: list[bytes]) -> list[StreamChunk]:
        decoded = (self._format.decode_event(parse_event(block)) for block in blocks)
        return [chunk for chunk in decoded if chunk is not None]
