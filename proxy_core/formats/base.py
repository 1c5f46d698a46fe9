"""What a wire format is: a language that requests, answers, streams and errors are written in.

A format knows JSON, not hosts, keys or vendors. Decoding one event is a pure function; encoding a stream needs memory
(numbering, open blocks, merged usage), so each answer has an encoder of its own.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

from proxy_core.domain.base import record_dropped
from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import StreamChunk, TextDelta
from proxy_core.errors import BackendError
from proxy_core.formats import wire_json
from proxy_core.formats.call_numbers import CallNumbers
from proxy_core.formats.free_text import FreeTextCalls
from proxy_core.formats.sse import Event, parse_event


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model on offer: the string to ask for it by, and the backend that serves it."""

    id: str
    backend: str


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What an encoder must know of the client's request.

    `model` is the model string the client sent, echoed back. `include_usage` applies to formats where streamed usage
    is on request. `request_id` goes into error bodies that have a place for it. `free_text_tools` names the tools whose
    input is free text; see `proxy_core.formats.free_text`.
    """

    model: str
    include_usage: bool = True
    request_id: str | None = None
    free_text_tools: frozenset[str] = frozenset()


class StreamEncoder(abc.ABC):
    """Writes one streamed answer as SSE in one format.

    Call `encode` for each chunk in order. A chunk with `terminal` closes the stream: whatever is open is closed, and
    the format's last event is written, exactly once. `fail` writes the format's terminal error instead. Both write
    nothing once the stream is closed. `dropped` collects what the client's format could not show;
    `proxy_core.formats.losses` lists the names.

    `render` sees each tool call under an index of its own, opened by a name, and no piece of a call that was not opened
    (but for the input of blocks that began with a `NativeDelta`).
    """

    def __init__(self, options: RenderOptions) -> None:
        self.options = options
        self.usage: Usage | None = None
        self.dropped: list[str] = []
        self.closed = False
        self._call_numbers = CallNumbers()
        self._free_text = FreeTextCalls(options.free_text_tools) if options.free_text_tools else None

    def drop(self, *names: str) -> None:
        """Record what the client's format cannot show."""
        record_dropped(self.dropped, names)

    def encode(self, chunk: StreamChunk) -> bytes:
        """The SSE bytes for one chunk; may be empty."""
        if self.closed:
            return b""
        if chunk.usage is not None:
            self.usage = chunk.usage if self.usage is None else self.usage.merge(chunk.usage)
        if chunk.dropped:
            self.drop(*chunk.dropped)
        if chunk.error is not None:
            return self.fail(chunk.error)
        deltas = chunk.deltas
        if deltas and (type(deltas[0]) is not TextDelta or len(deltas) > 1):
            chunk = self._call_numbers.apply(chunk)
        if self._free_text is not None:
            chunk = self._free_text.apply(chunk)
        data = self.render(chunk)
        if not chunk.terminal:
            return data
        self.closed = True
        return data + self.finish()

    def fail(self, error: ErrorInfo) -> bytes:
        """The format's terminal error event; the stream is closed by it."""
        if self.closed:
            return b""
        self.closed = True
        return self.render_error(error)

    @abc.abstractmethod
    def render(self, chunk: StreamChunk) -> bytes:
        """The events for a chunk's deltas and finish; usage is merged and errors are handled already."""

    @abc.abstractmethod
    def finish(self) -> bytes:
        """The events that end a complete answer."""

    @abc.abstractmethod
    def render_error(self, error: ErrorInfo) -> bytes:
        """The event that ends a broken answer."""


class WireFormat(abc.ABC):
    """One wire language. All methods are pure but `stream_encoder`'s result. Malformed input raises
    `InvalidRequestError` when decoding requests (naming the field) and `BackendError` when decoding answers."""

    name: ClassVar[str]
    #: Where clients send their requests.
    client_paths: ClassVar[tuple[str, ...]] = ()
    #: Headers by which clients of this format are known at addresses that several formats share.
    marker_headers: ClassVar[tuple[str, ...]] = ()
    #: The response header, beside `x-request-id`, in which clients of this format look for their request's id.
    request_id_header: ClassVar[str | None] = None
    #: Byte strings one of which occurs in every event that ends a stream, fails it, or reports usage. What has none of
    #: them passes through the lossless lane unread.
    stream_marks: ClassVar[tuple[bytes, ...]]
    #: Request headers of the client that go upstream with a request in this format, and prefixes of response headers
    #: that go back.
    request_headers: ClassVar[tuple[str, ...]] = ()
    response_headers: ClassVar[tuple[str, ...]] = ()
    #: The data of the event that ends a stream, in formats where that is no JSON.
    done_marker: ClassVar[bytes | None] = None

    @abc.abstractmethod
    def decode_request(self, body: dict[str, Any]) -> DomainRequest:
        """A client's request."""

    @abc.abstractmethod
    def encode_request(self, request: DomainRequest) -> dict[str, Any]:
        """The body to send upstream. What it cannot carry is recorded with `request.drop`, under the names that
        `proxy_core.formats.losses` lists."""

    @abc.abstractmethod
    def decode_response(self, body: dict[str, Any]) -> DomainResponse:
        """An upstream's whole answer; an error body gives a response with `error` set."""

    @abc.abstractmethod
    def encode_response(self, response: DomainResponse, options: RenderOptions) -> dict[str, Any]:
        """The body for the client. What it cannot show is recorded with `response.drop`."""

    def decode_block(self, block: bytes) -> StreamChunk | None:
        """What one event says, from its lines. Formats shorten the way of their commonest event here."""
        return self.decode_event(parse_event(block))

    def decode_event(self, event: Event) -> StreamChunk | None:
        """What one event says; None for events that say nothing (pings, comments)."""
        if not event.data:
            return None
        if event.data == self.done_marker:
            return StreamChunk(terminal=True)
        return self.decode_payload(_event_payload(event.data))

    @abc.abstractmethod
    def decode_payload(self, payload: dict[str, Any]) -> StreamChunk | None:
        """What the parsed JSON of one event says."""

    @abc.abstractmethod
    def stream_encoder(self, options: RenderOptions) -> StreamEncoder:
        """An encoder for one answer."""

    @abc.abstractmethod
    def decode_error(self, body: Any, status: int) -> ErrorInfo:
        """An upstream's error body, whatever its shape: parsed JSON, or text where it was no JSON."""

    @abc.abstractmethod
    def encode_error(self, error: ErrorInfo, options: RenderOptions) -> dict[str, Any]:
        """The error body for the client."""

    @abc.abstractmethod
    def decode_usage(self, body: bytes) -> Usage | None:
        """The usage of a whole answer, without decoding the rest of it."""

    @abc.abstractmethod
    def encode_model(self, card: ModelCard) -> dict[str, Any]:
        """One model, as clients of this format expect it described."""

    @abc.abstractmethod
    def encode_models(self, cards: list[ModelCard]) -> dict[str, Any]:
        """The list of models."""


def _event_payload(data: bytes) -> dict[str, Any]:
    try:
        payload = wire_json.loads(data)
    except ValueError as error:
        raise BackendError(f"the upstream sent a stream event that is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise BackendError(f"the upstream sent a stream event that is no JSON object but {type(payload).__name__}")
    return payload
