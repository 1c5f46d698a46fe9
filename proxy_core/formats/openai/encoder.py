"""A streamed answer, written for a Chat client: numbering, one role, one finish reason, one usage chunk, one end.

https://platform.openai.com/docs/api-reference/chat-streaming (2026-11)
"""

from __future__ import annotations

import time
from typing import Any

from proxy_core.domain.response import ErrorInfo
from proxy_core.domain.stream import Delta, Finish, NativeDelta, StreamChunk, TextDelta
from proxy_core.formats import losses, wire_json
from proxy_core.formats.base import RenderOptions, StreamEncoder
from proxy_core.formats.openai.choice_writer import ChoiceWriter
from proxy_core.formats.openai.errors import encode_error
from proxy_core.formats.openai.fields import FORMAT
from proxy_core.formats.openai.response import message_fields, minted_answer_id
from proxy_core.formats.openai.usage import write_usage

_DONE = b"data: [DONE]\n\n"
_AFTER_TEXT = b'},"logprobs":null,"finish_reason":null}]}\n\n'


class ChatStreamEncoder(StreamEncoder):
    """Writes `chat.completion.chunk` events."""

    def __init__(self, options: RenderOptions) -> None:
        super().__init__(options)
        self._identity: dict[str, Any] = {}
        self._own: dict[str, Any] = {}
        self._head = b""
        self._before_text = b""
        self._choices: dict[int, ChoiceWriter] = {}
        self._first: ChoiceWriter | None = None

    def render(self, chunk: StreamChunk) -> bytes:
        own = chunk.extras.get(FORMAT) if chunk.extras else None
        if own and own != self._own:
            self._adopt(own)
        deltas, first = chunk.deltas, self._first
        if first is not None and len(deltas) == 1 and not chunk.finish and not (own and "choices" in own):
            delta = deltas[0]
            if type(delta) is TextDelta and delta.choice == 0 and delta.block == first.block and delta.logprobs is None:
                first.pieces.append(delta.text)
                return self._before_text + wire_json.dumps(delta.text) + _AFTER_TEXT
        return self._render_all(chunk)

    def _render_all(self, chunk: StreamChunk) -> bytes:
        events = [] if self._head or not _says_something(chunk) else [self._begin(chunk)]
        events += [self._render_delta(delta) for delta in chunk.deltas]
        events += [self._note_finish(finish) for finish in chunk.finish]
        events += [self._render_raw(choice) for choice in chunk.extra(FORMAT).get("choices", ())]
        return b"".join(events)

    def _begin(self, chunk: StreamChunk) -> bytes:
        self._identity = {
            "id": chunk.id or minted_answer_id(),
            "object": "chat.completion.chunk",
            "created": chunk.created or int(time.time()),
            "model": self.options.model,
        }
        self._write_head()
        self._first, event = self._choice(0)
        return event

    def _adopt(self, own: dict[str, Any]) -> None:
        """Fields of our own wire (`system_fingerprint`, `service_tier`) go on every chunk, as OpenAI has them."""
        adopted = {name: value for name, value in own.items() if name != "choices"}
        if not adopted.items() <= self._own.items():
            self._own = {**self._own, **adopted}
            if self._head:
                self._write_head()

    def _write_head(self) -> None:
        self._head = b"data: " + wire_json.dumps({**self._identity, **self._own})[:-1] + b',"choices":'
        self._before_text = self._head + b'[{"index":0,"delta":{"content":'

    def _choice(self, index: int) -> tuple[ChoiceWriter, bytes]:
        """The writer of a candidate and, when it is new, the event that opens it."""
        writer = self._choices.get(index)
        if writer is not None:
            return writer, b""
        writer = self._choices[index] = ChoiceWriter(index)
        return writer, self._delta_event(index, {"role": "assistant", "content": None})

    def _render_delta(self, delta: Delta) -> bytes:
        if isinstance(delta, NativeDelta) and message_fields(delta) is None:
            self.drop(*losses.of_native(delta))
            return b""
        writer, opening = self._choice(delta.choice)
        fields = writer.write(delta)
        if fields is None:
            return opening
        logprobs = delta.logprobs if isinstance(delta, TextDelta) else None
        return opening + self._delta_event(delta.choice, fields, logprobs)

    def _note_finish(self, finish: Finish) -> bytes:
        """Written last, once: some servers repeat it, call tools after it, or fail."""
        writer, opening = self._choice(finish.choice)
        writer.finish = finish
        return opening

    def _render_raw(self, choice: dict[str, Any]) -> bytes:
        """What a Chat upstream said and only a Chat client understands."""
        return self._event([{"logprobs": None, "finish_reason": None, **choice}])

    def _delta_event(self, index: int, delta: dict[str, Any], logprobs: Any = None) -> bytes:
        return self._event([{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}])

    def _event(self, choices: list[dict[str, Any]], tail: bytes = b"}\n\n") -> bytes:
        return self._head + wire_json.dumps(choices) + tail

    def finish(self) -> bytes:
        events = [] if self._head else [self._begin(StreamChunk())]
        for writer in self._choices.values():
            events += [self._delta_event(writer.index, delta) for delta in writer.last_deltas()]
            events.append(self._finish_event(writer))
        if self.options.include_usage and self.usage is not None:
            events.append(self._event([], b',"usage":' + wire_json.dumps(write_usage(self.usage)) + b"}\n\n"))
        return b"".join([*events, _DONE])

    def _finish_event(self, writer: ChoiceWriter) -> bytes:
        return self._event([{"index": writer.index, "delta": {}, "logprobs": None, **writer.finish_fields()}])

    def render_error(self, error: ErrorInfo) -> bytes:
        return b"data: " + wire_json.dumps(encode_error(error)) + b"\n\n"


def _says_something(chunk: StreamChunk) -> bool:
    return bool(chunk.id or chunk.deltas or chunk.finish or "choices" in chunk.extra(FORMAT))
