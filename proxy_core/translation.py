"""TranslationService: every format to the domain, and the domain to every format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proxy_core.domain.embedding import EmbeddingRequest
from proxy_core.domain.request import ChatMessage, DomainRequest
from proxy_core.domain.response import DomainResponse
from proxy_core.domain.stream import StreamChunk
from proxy_core.errors import ConfigurationError, InvalidRequestError
from proxy_core.formats import CHAT_COMPLETIONS, builtin_formats, losses
from proxy_core.formats.base import RenderOptions, StreamEncoder, WireFormat
from proxy_core.formats.slices import decode_slice


class TranslationService:
    """A registry of wire formats and the verbs that use it. Stateless but for the registry; share one freely.

    Every verb raises `ConfigurationError` for a format nobody registered.
    """

    def __init__(self, formats: Iterable[WireFormat] | None = None) -> None:
        self._formats: dict[str, WireFormat] = {}
        for wire_format in builtin_formats() if formats is None else formats:
            self.register(wire_format)

    def register(self, wire_format: WireFormat) -> None:
        """Add a format under its `name`; raises `ConfigurationError` when the name is taken."""
        if wire_format.name in self._formats:
            raise ConfigurationError(f"wire format {wire_format.name!r} is registered twice")
        self._formats[wire_format.name] = wire_format

    def format(self, name: str) -> WireFormat:
        """The format called `name`."""
        try:
            return self._formats[name]
        except KeyError:
            known = ", ".join(sorted(self._formats))
            raise ConfigurationError(f"there is no wire format {name!r}; known formats: {known}") from None

    @property
    def formats(self) -> list[WireFormat]:
        """All registered formats, the core's own first."""
        return list(self._formats.values())

    # upstream side: what connectors use

    def from_domain_request(self, request: DomainRequest, target_format: str) -> dict[str, Any]:
        """The request body to send upstream.

        What the format cannot carry is added to `request.dropped`, in the client's own words; raises
        `InvalidRequestError` that names it when the request asks for `strict_translation`.
        """
        known = len(request.dropped)
        body = self.format(target_format).encode_request(request)
        self._report(request, known)
        return body

    def _report(self, request: DomainRequest | EmbeddingRequest, known: int) -> None:
        """Put what has been dropped since `known` names were into the client's words; refuse it where it must be."""
        request.dropped[known:] = losses.in_client_words(request.dropped[known:], request.source_format)
        if request.strict_translation and request.dropped:
            names = ", ".join(request.dropped)
            raise InvalidRequestError(
                f"strict translation: the upstream's format cannot carry {names}",
                "untranslatable",
                details={"param": request.dropped[0], "type": "invalid_request_error"},
            )

    def to_domain_response(self, response: dict[str, Any], source_format: str) -> DomainResponse:
        """An upstream's whole answer; an error body gives a response whose `error` is set."""
        return self.format(source_format).decode_response(response)

    def to_domain_stream_chunk(self, chunk: dict[str, Any] | str | bytes, source_format: str) -> StreamChunk:
        """One piece of an upstream's stream: a parsed event, one SSE event as text or bytes, one line of it, or any
        slice of SSE text. A slice that is not one whole event is put together with its neighbours by the host."""
        wire_format = self.format(source_format)
        if isinstance(chunk, dict):
            return wire_format.decode_payload(chunk) or StreamChunk()
        return decode_slice(chunk, wire_format)

    def from_domain_embedding_request(self, request: EmbeddingRequest, target_format: str) -> dict[str, Any]:
        """The same for a request for vectors."""
        known = len(request.dropped)
        body = self.format(target_format).encode_embedding_request(request)
        self._report(request, known)
        return body

    # client side: what the server uses

    def to_domain_request(self, body: dict[str, Any], source_format: str) -> DomainRequest:
        """A client's request; raises `InvalidRequestError` naming the field that is wrong."""
        return self.format(source_format).decode_request(body)

    def from_domain_response(
        self, response: DomainResponse, target_format: str, options: RenderOptions | None = None
    ) -> dict[str, Any]:
        """The answer's body for the client."""
        options = options or RenderOptions(model=response.model or "")
        return self.format(target_format).encode_response(response, options)

    def stream_encoder(self, target_format: str, options: RenderOptions) -> StreamEncoder:
        """The writer of one streamed answer."""
        return self.format(target_format).stream_encoder(options)

    def chat_messages(self, request: DomainRequest) -> list[ChatMessage]:
        """The request's messages as Chat Completions spells them (a connector's `processed_messages`)."""
        probe = request.with_model(request.model)
        probe.strict_translation = False
        return [ChatMessage(message) for message in self.from_domain_request(probe, CHAT_COMPLETIONS)["messages"]]
