"""Google's Gemini format: `generateContent` and its kin. https://ai.google.dev/api/generate-content (2026-11)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proxy_core.domain.embedding import EmbeddingRequest, EmbeddingResponse, TokenCount
from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import StreamChunk
from proxy_core.formats import wire_json
from proxy_core.formats.base import ClientRoute, Framing, ModelCard, Operation, RenderOptions, StreamEncoder, WireFormat
from proxy_core.formats.gemini import (
    count,
    embeddings,
    errors,
    models,
    request,
    request_encode,
    response,
    stream,
    usage,
)
from proxy_core.formats.gemini.fields import FORMAT
from proxy_core.formats.gemini.stream_encode import GenerateContentStreamEncoder
from proxy_core.formats.gemini.text_event import decode_text_event
from proxy_core.formats.sse import Event

__all__ = ["GeminiFormat"]

_VERBS: Final[dict[str, tuple[Operation, bool | None]]] = {
    "generateContent": ("chat", False),
    "streamGenerateContent": ("chat", True),
    "countTokens": ("count_tokens", None),
    "embedContent": ("embed", None),
    "batchEmbedContents": ("embed", None),
}


class GeminiFormat(WireFormat):
    """The Gemini API: `POST /v1beta/models/{model}:generateContent`, whole and streamed."""

    name = FORMAT
    client_routes = tuple(
        ClientRoute(f"/{version}/models/{{model}}:{verb}", operation, stream=streamed)
        for version in ("v1beta", "v1")
        for verb, (operation, streamed) in _VERBS.items()
    )
    model_in_body = False
    marker_headers = ("x-goog-api-key", "x-goog-api-client")
    request_headers = ("x-goog-api-client",)
    #: Counts are on every event, running: those of the last, which has a finish reason, are all. Protobuf's JSON may
    #: also be spelled in snake_case. A second candidate must end too.
    stream_marks = (
        *(b'"finishReason"', b'"blockReason"', b'"error"', b'"finish_reason"', b'"block_reason"'),
        *(b'"index":1', b'"index": 1'),
    )
    #: Google's own SDK takes a comment for the beginning of bare JSON (google-genai 3.6, 2026-11); an empty line means
    #: nothing in either framing.
    keep_alive = b"\n"

    def framing(self, query: Mapping[str, str]) -> Framing:
        """An array, unless events are asked for."""
        return "sse" if query.get("alt") == "sse" else "array"

    def decode_request(self, body: dict[str, Any]) -> DomainRequest:
        return request.decode_request(body)

    def encode_request(self, request_: DomainRequest) -> dict[str, Any]:
        return request_encode.encode_request(request_)

    def decode_response(self, body: dict[str, Any]) -> DomainResponse:
        return response.decode_response(body)

    def encode_response(self, response_: DomainResponse, options: RenderOptions) -> dict[str, Any]:
        return response.encode_response(response_, options)

    def decode_block(self, block: bytes) -> StreamChunk | None:
        """Errors may come as bare JSON between the events, as Google's own SDK knows."""
        text = decode_text_event(block[6:]) if block.startswith(b"data: ") else None
        if text is not None:
            return text
        bare = block.lstrip()
        return self.decode_event(Event(None, bare)) if bare[:1] in (b"{", b"[") else super().decode_block(block)

    def decode_event(self, event: Event) -> StreamChunk | None:
        """An error may be wrapped in an array."""
        if event.data is None or not event.data.lstrip().startswith(b"["):
            return super().decode_event(event)
        return super().decode_event(Event(event.name, _unwrapped(event.data)))

    def decode_payload(self, payload: dict[str, Any]) -> StreamChunk | None:
        return stream.decode_payload(payload)

    def stream_encoder(self, options: RenderOptions) -> StreamEncoder:
        return GenerateContentStreamEncoder(options)

    def decode_error(self, body: Any, status: int) -> ErrorInfo:
        return errors.decode_error(body, status)

    def encode_error(self, error: ErrorInfo, options: RenderOptions) -> dict[str, Any]:
        return errors.encode_error(error)

    def decode_usage(self, body: bytes) -> Usage | None:
        return usage.usage_of_body(body)

    def encode_model(self, card: ModelCard) -> dict[str, Any]:
        return models.encode_model(card)

    def encode_models(self, cards: list[ModelCard], query: Mapping[str, str]) -> dict[str, Any]:
        return models.encode_models(cards, query)

    def decode_models(self, body: Any) -> list[str]:
        return models.decode_models(body)

    def decode_count_request(self, body: dict[str, Any]) -> DomainRequest:
        return count.decode_count_request(body)

    def encode_count_request(self, request_: DomainRequest) -> dict[str, Any]:
        return count.encode_count_request(request_)

    def decode_token_count(self, body: dict[str, Any]) -> TokenCount:
        return count.decode_token_count(body)

    def encode_token_count(self, count_: TokenCount) -> dict[str, Any]:
        return count.encode_token_count(count_)

    def decode_embedding_request(self, body: dict[str, Any]) -> EmbeddingRequest:
        return embeddings.decode_embedding_request(body)

    def encode_embedding_request(self, request_: EmbeddingRequest) -> dict[str, Any]:
        return embeddings.encode_embedding_request(request_)

    def decode_embeddings(self, body: dict[str, Any]) -> EmbeddingResponse:
        return embeddings.decode_embeddings(body)

    def encode_embeddings(self, response_: EmbeddingResponse, request_: EmbeddingRequest, model: str) -> dict[str, Any]:
        return embeddings.encode_embeddings(response_, request_, model)


def _unwrapped(data: bytes) -> bytes:
    """The one element of an array; any other array as it is."""
    try:
        elements = wire_json.loads(data)
    except ValueError:
        return data
    return wire_json.dumps(elements[0]) if isinstance(elements, list) and len(elements) == 1 else data
