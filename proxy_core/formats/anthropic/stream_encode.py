"""The domain's stream to Messages events. https://docs.claude.com/en/docs/build-with-claude/streaming (2026-11)

One content block is open at a time, and none opens twice. Chat Completions may alternate between calls, and between a
call and text: while the arguments of the open call are unfinished, whatever is not part of it waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from proxy_core.domain.response import ErrorInfo
from proxy_core.domain.stream import (
    CitationDelta,
    Delta,
    Finish,
    MediaDelta,
    NativeDelta,
    ReasoningDelta,
    RefusalDelta,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
)
from proxy_core.formats import losses, opaque
from proxy_core.formats.anthropic.errors import encode_error
from proxy_core.formats.anthropic.fields import NAME
from proxy_core.formats.anthropic.open_call import OpenCall
from proxy_core.formats.anthropic.response import encode_citation, message_body, new_tool_id
from proxy_core.formats.anthropic.stop import encode_stop
from proxy_core.formats.anthropic.usage import encode_usage
from proxy_core.formats.base import RenderOptions, StreamEncoder
from proxy_core.formats.fields import Json
from proxy_core.formats.sse import render
from proxy_core.formats.wire_json import dumps

_TEXT_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":'
)
_TEXT_DELTA_END = b"}}\n\n"


def _event(payload: Json) -> bytes:
    return render(dumps(payload), payload["type"])


class MessagesStreamEncoder(StreamEncoder):
    """Writes one answer as `message_start`, content blocks, `message_delta`, `message_stop`."""

    def __init__(self, options: RenderOptions) -> None:
        super().__init__(options)
        self._started = False
        self._blocks = 0
        #: Kind of the open block and the number the upstream gave it; None when no block is open.
        self._open: tuple[str, int | None] | None = None
        self._text_delta = b""
        self._signature: str | None = None
        self._call: OpenCall | None = None
        self._called: dict[int, OpenCall] = {}
        self._waiting: list[Delta] = []
        self._refused = False
        self._finish: Finish | None = None

    def render(self, chunk: StreamChunk) -> bytes:
        deltas = chunk.deltas
        if len(deltas) == 1:
            delta = deltas[0]
            if (
                isinstance(delta, TextDelta)
                and self._open == ("text", delta.block)
                and delta.text
                and not (delta.choice or chunk.finish or delta.logprobs)
            ):
                return self._text_delta + dumps(delta.text) + _TEXT_DELTA_END
        return self._render_any(chunk)

    def _render_any(self, chunk: StreamChunk) -> bytes:
        data = self._start(chunk.id)
        self._finish = next((finish for finish in chunk.finish if finish.choice == 0), self._finish)
        if any(delta.choice for delta in chunk.deltas):
            self.drop("choices")
        return data + b"".join([self._write(delta) for delta in chunk.deltas if delta.choice == 0])

    def _start(self, identifier: str | None) -> bytes:
        if self._started:
            return b""
        self._started = True
        return _event({"type": "message_start", "message": message_body(identifier, self.options.model, self.usage)})

    def _write(self, delta: Delta) -> bytes:
        data = b""
        if self._call is not None and not self._continues_call(delta) and not self._call.is_complete():
            if self._may_wait(delta):
                self._waiting.append(delta)
                return b""
            data = self._drain()
        return data + self._WRITERS[type(delta)](self, delta)

    def _continues_call(self, delta: Delta) -> bool:
        if not isinstance(delta, ToolCallDelta) or self._call is None:
            return False
        return self._called.get(delta.index) is self._call

    def _may_wait(self, delta: Delta) -> bool:
        """Who numbers blocks has finished one before the next begins."""
        return isinstance(delta, ToolCallDelta) or delta.block is None

    def _text(self, delta: TextDelta | RefusalDelta) -> bytes:
        if isinstance(delta, TextDelta) and delta.logprobs is not None:
            self.drop("logprobs")
        if not delta.text or (isinstance(delta, RefusalDelta) and self._is_explained()):
            return b""
        kind = "text" if isinstance(delta, TextDelta) else "refusal"
        self._refused = self._refused or kind == "refusal"
        return self._text_block(kind, delta.block) + self._text_delta + dumps(delta.text) + _TEXT_DELTA_END

    def _is_explained(self) -> bool:
        """Whether `stop_details` will carry the refusal's words."""
        return self._finish is not None and bool(self._finish.extras.get(NAME))

    def _text_block(self, kind: str, block: int | None) -> bytes:
        if self._open == (kind, block):
            return b""
        data = self._begin((kind, block), {"type": "text", "text": ""})
        self._text_delta = _TEXT_DELTA % (self._blocks - 1)
        return data

    def _citation(self, delta: CitationDelta) -> bytes:
        citation = encode_citation(delta.citation)
        if citation is None:
            self.drop("citations")
            return b""
        block = delta.block if delta.block is not None or self._open is None else self._open[1]
        return self._text_block("text", block) + self._delta({"type": "citations_delta", "citation": citation})

    def _reasoning(self, delta: ReasoningDelta) -> bytes:
        """Anthropic's own as it came; the state of others sealed, as in a whole answer."""
        own = delta.origin == NAME
        if own and delta.data is not None:
            return self._redacted(delta.data, delta.block)
        seal = opaque.seal(delta) if not own and opaque.is_opaque(delta) else None
        if seal and not delta.text and not self._is_thinking(delta.block):
            return self._redacted(seal, delta.block)
        signature = delta.signature if own else seal
        if not (delta.text or signature):
            return b""
        data = self._thinking_block(delta)
        if delta.text:
            data += self._delta({"type": "thinking_delta", "thinking": delta.text})
        self._signature = signature or self._signature
        return data

    def _redacted(self, data: str, block: int | None) -> bytes:
        return self._begin(("redacted", block), {"type": "redacted_thinking", "data": data}) + self._close()

    def _is_thinking(self, block: int | None) -> bool:
        """Whether this block of thinking is open; a signature ends it, and what comes after it is another."""
        return self._open == ("thinking", block) and self._signature is None

    def _thinking_block(self, delta: ReasoningDelta) -> bytes:
        if self._is_thinking(delta.block):
            return b""
        return self._begin(("thinking", delta.block), {"type": "thinking", "thinking": "", "signature": ""})

    def _tool_call(self, delta: ToolCallDelta) -> bytes:
        data = b""
        call = self._called.get(delta.index)
        if call is None:
            if not delta.name:  # the input of a server tool
                return self._input(delta.arguments) if self._open == ("native", delta.index) else b""
            call = self._called[delta.index] = OpenCall(delta.kind)
            data = self._begin(("tool_use", delta.index), _tool_use(delta))
            self._call = call
        if call is not self._call:
            return b""  # its JSON was whole already
        return data + self._input(call.feed(delta.arguments)) + self._resume()

    def _native(self, delta: NativeDelta) -> bytes:
        """A block that only Anthropic has, or a delta of a kind not known here."""
        if delta.format != NAME:
            self.drop(*losses.of_native(delta))
            return b""
        if not str(delta.data.get("type")).endswith("_delta"):
            return self._begin(("native", delta.block), delta.data)
        return self._delta(delta.data) if self._open is not None and self._open[1] == delta.block else b""

    def _media(self, _: MediaDelta) -> bytes:
        self.drop("content.media")
        return b""

    def _input(self, piece: str) -> bytes:
        return self._delta({"type": "input_json_delta", "partial_json": piece}) if piece else b""

    def _resume(self) -> bytes:
        """What waited for the open call, if that is complete."""
        if not self._waiting or (self._call is not None and not self._call.is_complete()):
            return b""
        waiting, self._waiting = self._waiting, []
        return b"".join([self._write(delta) for delta in waiting])

    _WRITERS: ClassVar[dict[type, Callable[[MessagesStreamEncoder, Any], bytes]]] = {
        CitationDelta: _citation,
        MediaDelta: _media,
        NativeDelta: _native,
        ReasoningDelta: _reasoning,
        RefusalDelta: _text,
        TextDelta: _text,
        ToolCallDelta: _tool_call,
    }

    def _delta(self, delta: Json) -> bytes:
        return _event({"type": "content_block_delta", "index": self._blocks - 1, "delta": delta})

    def _begin(self, key: tuple[str, int | None], block: Json) -> bytes:
        data = self._close()
        self._open = key
        self._blocks += 1
        return data + _event({"type": "content_block_start", "index": self._blocks - 1, "content_block": block})

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        data = b""
        if self._signature is not None:
            data = self._delta({"type": "signature_delta", "signature": self._signature})
        if self._call is not None:
            data = self._input(self._call.end())
        self._open = self._signature = self._call = None
        return data + _event({"type": "content_block_stop", "index": self._blocks - 1})

    def _drain(self) -> bytes:
        """The end of the open block, and all that waited for it."""
        data = self._close()
        while self._waiting:  # each round writes at least the first
            data += self._resume() + self._close()
        return data

    def finish(self) -> bytes:
        data = self._start(None) + self._drain()
        return data + self._message_delta() + _event({"type": "message_stop"})

    def _message_delta(self) -> bytes:
        end, said = self._finish, {"called": bool(self._called), "refused": self._refused}
        if end is None:
            stop = encode_stop(None, None, None, {}, **said)
        else:
            stop = encode_stop(end.reason, end.native, end.stop_sequence, end.extras, **said)
        return _event({"type": "message_delta", "delta": stop, "usage": encode_usage(self.usage)})

    def render_error(self, error: ErrorInfo) -> bytes:
        return _event(encode_error(error, self.options.request_id))


def _tool_use(delta: ToolCallDelta) -> Json:
    block: Json = {"type": "tool_use", "id": delta.id or new_tool_id(), "name": delta.name, "input": {}}
    return {**delta.extras.get(NAME, {}), **block}
