"""What a wire format is: a language that requests, answers, streams and errors are written in.

A format knows JSON, not hosts, keys or vendors. Decoding one event is a pure function; encoding a stream needs memory
(numbering, open blocks, merged usage), so each answer has an encoder of its own.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from proxy_core.domain.base import record_dropped
from proxy_core.domain.embedding import EmbeddingRequest, EmbeddingResponse, TokenCount
from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import StreamChunk, TextDelta
from proxy_core.errors import BackendError, InvalidRequestError
from proxy_core.formats import wire_json
from proxy_core.formats.call_numbers import CallNumbers
from proxy_core.formats.fields import dicts
from proxy_core.formats.free_text import FreeTextCalls
from proxy_core.formats.partial_arguments import PartialArguments
from proxy_core.formats.said import Said
from proxy_core.formats.sse import KEEP_ALIVE, Event, parse_event

#: What a client may want: an answer, the number of tokens of a request, or vectors for texts.
Operation: TypeAlias = Literal["chat", "count_tokens", "embed"]

#: How a streamed answer is cut: server-sent events, or the elements of one JSON array.
Framing: TypeAlias = Literal["sse", "array"]


@dataclass(frozen=True, slots=True)
class ClientRoute:
    """Where clients of a format send one kind of request.

    `{model}` in `path` stands for the model's name, in formats where that is no field of the body; something must
    follow it. `stream` tells whether the answer is streamed; None leaves that to the body.
    """

    path: str
    operation: Operation = "chat"
    stream: bool | None = None


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
    input is free text; see `proxy_core.formats.free_text`. `request` is the client's request where it was decoded: some
    answers repeat parts of it. `framing` applies to formats whose streams come in more than one.
    """

    model: str
    include_usage: bool = True
    request_id: str | None = None
    free_text_tools: frozenset[str] = frozenset()
    request: DomainRequest | None = None
    framing: Framing = "sse"


class StreamEncoder(abc.ABC):
    """Writes one streamed answer as SSE in one format.

    Call `encode` for each chunk in order. A chunk with `terminal` closes the stream: whatever is open is closed, and
    the format's last event is written, exactly once. `fail` writes the format's terminal error instead. Both write
    nothing once the stream is closed. `dropped` collects what the client's format could not show;
    `proxy_core.formats.losses` lists the names.

    `render` sees each tool call under an index of its own, opened by a name, and no piece of a call that was not opened
    (but for the input of blocks that began with a `NativeDelta`); and nothing twice that a chunk repeats.
    """

    def __init__(self, options: RenderOptions) -> None:
        self.options = options
        self.usage: Usage | None = None
        self.dropped: list[str] = []
        self.closed = False
        self._partial = PartialArguments()
        self._said = Said()
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
        waiting = self._partial.waiting
        if len(deltas) == 1 and type(first := deltas[0]) is TextDelta and not (chunk.repeats or waiting):
            if first.block != self._said.block:
                self._said.note(first)
        elif deltas or waiting:
            chunk = self._call_numbers.apply(self._said.apply(self._partial.apply(chunk)))
        if self._free_text is not None:
            chunk = self._free_text.apply(chunk)
        data = self.render(chunk)
        if not chunk.terminal:
            return data
        self.closed = True
        return data + self.finish()

    def fail(self, error: ErrorInfo) -> bytes:
        """The format's terminal error event; the stream is closed by it."""
        return self._closed_by(error, self.render_error)

    def interrupt(self, error: ErrorInfo, last: bytes) -> bytes:
        """The same in a stream that the upstream itself has written so far; `last` are its latest bytes."""
        return self._closed_by(error, lambda error: self.render_interruption(error, last))

    def _closed_by(self, error: ErrorInfo, render: Callable[[ErrorInfo], bytes]) -> bytes:
        if self.closed:
            return b""
        self.closed = True
        return render(error)

    @abc.abstractmethod
    def render(self, chunk: StreamChunk) -> bytes:
        """The events for a chunk's deltas and finish; usage is merged and errors are handled already."""

    @abc.abstractmethod
    def finish(self) -> bytes:
        """The events that end a complete answer."""

    @abc.abstractmethod
    def render_error(self, error: ErrorInfo) -> bytes:
        """The event that ends a broken answer."""

    def render_interruption(self, error: ErrorInfo, last: bytes) -> bytes:
        """The event that ends one which this encoder has not begun, after these bytes."""
        return self.render_error(error)


class WireFormat(abc.ABC):
    """One wire language. All methods are pure but `stream_encoder`'s result. Malformed input raises
    `InvalidRequestError` when decoding requests (naming the field) and `BackendError` when decoding answers."""

    name: ClassVar[str]
    #: Where clients send their requests.
    client_routes: ClassVar[tuple[ClientRoute, ...]] = ()
    #: Whether `model` and `stream` are fields of a request's body; else they are in its address.
    model_in_body: ClassVar[bool] = True
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
    #: Parameters of the query that go upstream too.
    request_parameters: ClassVar[tuple[str, ...]] = ()
    #: What says nothing between two events, for clients to know that the stream lives.
    keep_alive: ClassVar[bytes] = KEEP_ALIVE
    #: Whether nothing follows an error inside a stream.
    error_is_last: ClassVar[bool] = True
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

    def framing(self, query: Mapping[str, str]) -> Framing:
        """How a client whose request has this query wants its stream cut."""
        return "sse"

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
    def encode_models(self, cards: list[ModelCard], query: Mapping[str, str]) -> dict[str, Any]:
        """The list of models, or the page of it that the query asks for."""

    def decode_models(self, body: Any) -> list[str]:
        """The names in an upstream's list of models."""
        entries = dicts(body.get("data") if isinstance(body, dict) else body)
        return [name for entry in entries if isinstance(name := entry.get("id"), str)]

    # counting tokens

    def decode_count_request(self, body: dict[str, Any]) -> DomainRequest:
        """A client's request to count the tokens of a request."""
        raise self._lacks("token counting")

    def encode_count_request(self, request: DomainRequest) -> dict[str, Any]:
        """The body to ask an upstream for a count."""
        raise self._lacks("token counting")

    def decode_token_count(self, body: dict[str, Any]) -> TokenCount:
        """An upstream's count; raises `BackendError` when it is none."""
        raise self._lacks("token counting")

    def encode_token_count(self, count: TokenCount) -> dict[str, Any]:
        """The count for the client."""
        raise self._lacks("token counting")

    # embeddings

    def decode_embedding_request(self, body: dict[str, Any]) -> EmbeddingRequest:
        """A client's request for vectors."""
        raise self._lacks("embeddings")

    def encode_embedding_request(self, request: EmbeddingRequest) -> dict[str, Any]:
        """The body to ask an upstream for vectors; what it cannot carry is recorded with `request.drop`."""
        raise self._lacks("embeddings")

    def decode_embeddings(self, body: dict[str, Any]) -> EmbeddingResponse:
        """An upstream's vectors; raises `BackendError` when there are none."""
        raise self._lacks("embeddings")

    def encode_embeddings(self, response: EmbeddingResponse, request: EmbeddingRequest, model: str) -> dict[str, Any]:
        """The vectors for the client, who asked with `request` for `model`."""
        raise self._lacks("embeddings")

    def _lacks(self, what: str) -> InvalidRequestError:
        return InvalidRequestError(f"the wire format {self.name!r} has no {what}", "unsupported_operation")


def _event_payload(data: bytes) -> dict[str, Any]:
    try:
        payload = wire_json.loads(data)
    except ValueError as error:
        raise BackendError(f"the upstream sent a stream event that is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise BackendError(f"the upstream sent a stream event that is no JSON object but {type(payload).__name__}")
    return payload
