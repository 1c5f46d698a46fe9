"""A streamed answer, written for a Responses client.

Thinking and messages stand one after the other. Calls may go on beside them, for Chat Completions alternates between
calls: one whose arguments are whole is done when the next item begins, all others when the answer ends.

https://platform.openai.com/docs/api-reference/responses-streaming (2026-11)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from proxy_core.domain.content import RefusalPart, TextPart, ToolCallPart
from proxy_core.domain.response import ErrorInfo
from proxy_core.domain.stream import (
    CitationDelta,
    Finish,
    MediaDelta,
    NativeDelta,
    ReasoningDelta,
    RefusalDelta,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
)
from proxy_core.formats import losses, wire_json
from proxy_core.formats.base import RenderOptions, StreamEncoder
from proxy_core.formats.fields import Json, text_or_none
from proxy_core.formats.openai.calls import minted_id
from proxy_core.formats.openai_responses.call_writer import CALL_ITEMS, CallItem, about_call
from proxy_core.formats.openai_responses.envelope import Envelope
from proxy_core.formats.openai_responses.errors import write_error_event, write_failure
from proxy_core.formats.openai_responses.fields import FORMAT, note
from proxy_core.formats.openai_responses.finish import write_finish
from proxy_core.formats.openai_responses.item_writer import Events, Item, WholeItem
from proxy_core.formats.openai_responses.message_writer import TEXT_END, MessageItem, TextWriter
from proxy_core.formats.openai_responses.names import native_names
from proxy_core.formats.openai_responses.output_items import image_item
from proxy_core.formats.openai_responses.reasoning_writer import ReasoningItem
from proxy_core.formats.openai_responses.text_event import PART_SHIFT
from proxy_core.formats.openai_responses.usage import write_usage

_ITEM_NUMBER: Final = (1 << PART_SHIFT) - 1
_UNDER_WAY: Final[Json] = {"status": "in_progress", "error": None, "incomplete_details": None}
_PART_OF: dict[type, type] = {TextDelta: TextPart, RefusalDelta: RefusalPart}

#: As it stands in an event; within a text its quotes would be escaped.
_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d{1,15})\b')


class ResponsesStreamEncoder(StreamEncoder):
    """Writes one answer as a `response`, its output items, and its end. `response` is the whole of it, at the end;
    where that is all that is wanted, the encoder is `silent`."""

    def __init__(self, options: RenderOptions, *, silent: bool = False) -> None:
        super().__init__(options)
        self.response: Json = {}
        self._events = Events(silent=silent)
        self._envelope = Envelope(options)
        self._names: Mapping[str, tuple[str, str]] = native_names(options.request) if options.request else {}
        self._messages: dict[int, Json | None] = {}
        self._items: list[Item] = []
        self._taken: set[str] = set()
        self._open: Item | None = None
        self._text: TextWriter | None = None
        self._calls: dict[int, CallItem] = {}
        self._kinds: set[type] = set()
        self._logprobs: Json | None = None
        self._finish: Finish | None = None

    def render(self, chunk: StreamChunk) -> bytes:
        deltas, text = chunk.deltas, self._text
        if text is not None and len(deltas) == 1 and not chunk.finish:
            delta = deltas[0]
            if (
                type(delta) is TextDelta
                and delta.text
                and delta.block == text.block
                and text.kind is TextDelta
                and not (delta.choice or delta.logprobs)
            ):
                text.pieces.append(delta.text)
                self._events.number += 1
                return text.head % (self._events.number - 1) + wire_json.dumps(delta.text) + TEXT_END
        return self._render_any(chunk)

    def _render_any(self, chunk: StreamChunk) -> bytes:
        if chunk.extras:
            self._envelope.adopt(chunk)
            self._messages |= note(chunk.extras, "messages") or {}
        self._finish = next((finish for finish in chunk.finish if finish.choice == 0), self._finish)
        if any(delta.choice for delta in chunk.deltas):
            self.drop("choices")
        data = self._begin_answer(chunk) if chunk.id or chunk.deltas or chunk.finish else b""
        return data + b"".join([self._WRITERS[type(delta)](self, delta) for delta in chunk.deltas if delta.choice == 0])

    def _begin_answer(self, chunk: StreamChunk) -> bytes:
        if self._envelope.begun:
            return b""
        self._envelope.begin(chunk)
        if self._events.silent:
            return b""
        response = self._envelope.around(_UNDER_WAY, [], None)
        created = self._events.write("response.created", response=response)
        return created + self._events.write("response.in_progress", response=response)

    # items

    def _begin(self, item: Item) -> bytes:
        """Open an item; what is whole before it is done."""
        data = b"".join([other.close() for other in self._items if other.final is None and other.is_whole()])
        self._items.append(item)
        self._open, self._text = item, None
        return data + item.open()

    def _unique(self, identifier: str | None) -> str | None:
        """The id, if no other item has it: the SDK refuses two of one name."""
        if identifier is None or identifier in self._taken:
            return None
        self._taken.add(identifier)
        return identifier

    def _say(self, delta: TextDelta | RefusalDelta) -> bytes:
        logprobs = delta.logprobs if isinstance(delta, TextDelta) else None
        if not delta.text:
            self._logprobs = logprobs or self._logprobs  # of the text that follows
            return b""
        data = self._enter(type(delta), delta.block)
        assert self._text is not None
        logprobs, self._logprobs = logprobs or self._logprobs, None
        return data + self._text.write(delta.text, logprobs)

    def _enter(self, kind: type, block: int | None) -> bytes:
        """Open the text, and the message, that a block is; nothing if they are open."""
        if self._text is not None and self._text.kind is kind and self._text.block == block:
            return b""
        self._kinds.add(_PART_OF[kind])
        about = self._messages.get(block & _ITEM_NUMBER) if block is not None else None
        data, message = b"", self._open
        if not isinstance(message, MessageItem) or message.about != (about or {}):
            message = self._message(about or {})
            data = self._begin(message)
        self._text, opening = message.begin(kind, block)
        return data + opening

    def _message(self, about: Json) -> MessageItem:
        return MessageItem(self._events, len(self._items), self._unique(text_or_none(about.get("id"))), about)

    def _cite(self, delta: CitationDelta) -> bytes:
        data, text = b"", self._text
        if text is None or text.kind is not TextDelta or delta.block not in (None, text.block):
            data = self._enter(TextDelta, delta.block)
        assert self._text is not None
        self._text.citations.append(delta.citation)
        return data

    def _think(self, delta: ReasoningDelta) -> bytes:
        own, item = delta.origin == FORMAT, self._open
        if not (delta.text or delta.signature or delta.data or (own and delta.id)):
            return b""
        data = b""
        if not isinstance(item, ReasoningItem) or not item.takes(delta):
            identifier = self._unique(delta.id) if own else None
            item = ReasoningItem(self._events, len(self._items), identifier, delta.block)
            data = self._begin(item)
        return data + item.write(delta)

    def _call(self, delta: ToolCallDelta) -> bytes:
        item = self._calls.get(delta.index)
        if item is not None:
            return item.write(delta.arguments)
        if not delta.name:  # the input of another provider's own tool
            return b""
        self._kinds.add(ToolCallPart)
        identifier = self._unique(text_or_none((note(delta.extras, "item") or {}).get("id")))
        call_id = self._unique(delta.id) or minted_id()
        about = about_call(delta, self._names)
        item = CALL_ITEMS[delta.kind](self._events, len(self._items), identifier, call_id, about)
        self._calls[delta.index] = item
        return self._begin(item) + item.write(delta.arguments)

    def _native(self, delta: NativeDelta) -> bytes:
        if delta.format != FORMAT:
            self.drop(*losses.of_native(delta))
            return b""
        return self._whole(delta.data)

    def _media(self, delta: MediaDelta) -> bytes:
        item = image_item(delta.media)
        if item is None:
            self.drop("content.media")
            return b""
        return self._whole(item)

    def _whole(self, item: Json) -> bytes:
        writer = WholeItem(self._events, len(self._items), item)
        return self._begin(writer) + writer.close()

    _WRITERS: ClassVar[dict[type, Callable[[ResponsesStreamEncoder, Any], bytes]]] = {
        CitationDelta: _cite,
        MediaDelta: _media,
        NativeDelta: _native,
        ReasoningDelta: _think,
        RefusalDelta: _say,
        TextDelta: _say,
        ToolCallDelta: _call,
    }

    # the end

    def finish(self) -> bytes:
        data = self._begin_answer(StreamChunk())
        outcome = write_finish(self._finish, self._kinds)
        status = "completed" if outcome["status"] == "completed" else "incomplete"
        data += b"".join([item.close(status) for item in self._items])
        return data + self._end(outcome, write_usage(self.usage))

    def _end(self, outcome: Json, usage: Json | None) -> bytes:
        output = [item.final for item in self._items if item.final is not None]
        self.response = self._envelope.around(outcome, output, usage)
        return self._events.write(f"response.{outcome['status']}", response=self.response)

    def render_interruption(self, error: ErrorInfo, last: bytes) -> bytes:
        """The event alone, with the next number: a response that failed would have to be the one the upstream began."""
        numbers = _NUMBER.findall(last)
        self._events.number = int(numbers[-1]) + 1 if numbers else 0
        return self._events.write("error", **write_error_event(error))

    def render_error(self, error: ErrorInfo) -> bytes:
        """An `error` event, at which the SDKs raise, and the response that failed, which other clients wait for."""
        data = self._begin_answer(StreamChunk()) + self._events.write("error", **write_error_event(error))
        usage = None if self.usage is None else write_usage(self.usage)
        return data + self._end({**_UNDER_WAY, "status": "failed", "error": write_failure(error)}, usage)
