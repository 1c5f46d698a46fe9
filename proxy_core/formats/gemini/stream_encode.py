"""The domain's stream to Gemini's events, or to the elements of one JSON array: text as it comes, calls whole, and all
that ends the answer in the last event.

Each part has an event of its own: Gemini CLI takes an event in which any part is empty for none. The last event has
a part, too, if only an empty text, as it has at Gemini: the chats of Google's SDK forget answers with an event that has
none.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent (2026-11)
"""

from __future__ import annotations

from typing import Final

from proxy_core.domain.response import ErrorInfo
from proxy_core.domain.stream import StreamChunk, TextDelta
from proxy_core.formats.base import RenderOptions, StreamEncoder
from proxy_core.formats.fields import NOTE, Json
from proxy_core.formats.gemini.candidate_writer import CandidateWriter
from proxy_core.formats.gemini.errors import encode_error
from proxy_core.formats.gemini.fields import own_fields
from proxy_core.formats.gemini.response import ends, identity, tail
from proxy_core.formats.wire_json import dumps

_BEFORE_TEXT: Final = b'{"candidates":[{"content":{"parts":[{"text":'


class GenerateContentStreamEncoder(StreamEncoder):
    """Writes one answer as `GenerateContentResponse` objects."""

    def __init__(self, options: RenderOptions) -> None:
        super().__init__(options)
        array = options.framing == "array"
        self._before, self._after = (b",\n", b"") if array else (b"data: ", b"\n\n")
        self._opening, self._closing = (b"[", b"]") if array else (self._before, b"")
        self._identity: Json = {}
        self._own: Json = {}
        self._writers: dict[int, CandidateWriter] = {}
        self._first: CandidateWriter | None = None
        self._after_text = b""

    def render(self, chunk: StreamChunk) -> bytes:
        deltas, first = chunk.deltas, self._first
        if first is not None and len(deltas) == 1 and not (chunk.finish or chunk.extras):
            delta = deltas[0]
            if (
                type(delta) is TextDelta
                and delta.text
                and not (delta.choice or first.queue or first.state.waiting or first.thinking)
                and delta.block == first.block
                and delta.logprobs is None
            ):
                first.texts.append(delta.text)
                return self._before + _BEFORE_TEXT + dumps(delta.text) + self._after_text
        return self._render_any(chunk)

    def _render_any(self, chunk: StreamChunk) -> bytes:
        self._begin(chunk)
        events = [self._part(d.choice, part) for d in chunk.deltas for part in self._writer(d.choice).write(d)]
        for finish in chunk.finish:
            self._writer(finish.choice).note_finish(finish)
        if chunk.extras:
            self._adopt(own_fields(chunk.extras))
        return b"".join(events)

    def _begin(self, chunk: StreamChunk) -> None:
        """The first chunk that has an id, or says something, tells what all events repeat."""
        if self._identity or not (chunk.id or chunk.deltas or chunk.finish or chunk.terminal):
            return
        self._identity = identity(chunk.id, chunk.created, self.options.model)
        self._after_text = b'}],"role":"model"},"index":0}],' + dumps(self._identity)[1:] + self._after

    def _writer(self, index: int) -> CandidateWriter:
        writer = self._writers.get(index)
        if writer is None:
            writer = self._writers[index] = CandidateWriter(index, self.drop)
        return writer

    def _adopt(self, own: Json) -> None:
        """What a Gemini upstream said, and only its own clients understand."""
        for piece in own.pop("candidates", ()):
            fields = {name: piece[name] for name in piece if name != "index" and not name.startswith(NOTE)}
            self._writer(piece["index"]).adopt(fields)
        self._own |= own

    def _part(self, index: int, part: Json) -> bytes:
        candidate = {"content": {"parts": [part], "role": "model"}, "index": index}
        event = self._event({"candidates": [candidate], **self._identity})
        self._first = self._first or self._writers.get(0)
        return event

    def _event(self, payload: Json) -> bytes:
        opening, self._opening = self._opening, self._before
        return opening + dumps(payload) + self._after

    def finish(self) -> bytes:
        writers = [self._writer(index) for index in sorted(self._writers) or [0]]
        rest = [(writer, writer.rest() or writer.nothing()) for writer in writers]
        events = [self._part(writer.index, part) for writer, parts in rest for part in parts[:-1]]
        last = ends([(writer, parts[-1:]) for writer, parts in rest])
        payload = {**self._own, **last, **tail(self.usage), **self._identity}
        return b"".join([*events, self._event(payload), self._closing])

    def render_error(self, error: ErrorInfo) -> bytes:
        return self._event(encode_error(error)) + self._closing

    def render_interruption(self, error: ErrorInfo, last: bytes) -> bytes:
        self._opening = self._before
        return self.render_error(error)
