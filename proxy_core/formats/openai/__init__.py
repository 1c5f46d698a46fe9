"""Chat Completions, as OpenAI defines it and as twenty providers speak it.

Facts about the wire are from https://platform.openai.com/docs/api-reference/chat and the types of openai-python 3.54
(2026-11), unless a comment names another source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from proxy_core.domain.embedding import EmbeddingRequest, EmbeddingResponse
from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import StreamChunk
from proxy_core.formats.base import ClientRoute, ModelCard, RenderOptions, StreamEncoder, WireFormat
from proxy_core.formats.openai import embeddings, models
from proxy_core.formats.openai.dialect import Dialect
from proxy_core.formats.openai.encoder import ChatStreamEncoder
from proxy_core.formats.openai.errors import decode_error, encode_error
from proxy_core.formats.openai.request import decode_request, encode_request
from proxy_core.formats.openai.response import decode_response, encode_response
from proxy_core.formats.openai.stream import decode_chunk
from proxy_core.formats.openai.text_chunk import decode_text_chunk
from proxy_core.formats.openai.usage import usage_of_body

__all__ = ["ChatStreamEncoder", "Dialect", "OpenAIFormat"]


class OpenAIFormat(WireFormat):
    """Chat Completions. `dialect` says how requests are spelled for upstreams that differ from the common ground."""

    name: ClassVar[str] = "openai"
    client_routes: ClassVar[tuple[ClientRoute, ...]] = (
        ClientRoute("/v1/chat/completions"),
        ClientRoute("/v1/embeddings", "embed"),
    )
    request_headers: ClassVar[tuple[str, ...]] = ("openai-beta", "openai-organization", "openai-project")
    response_headers: ClassVar[tuple[str, ...]] = ("openai-processing-ms", "openai-version")
    # OpenAI sends `"usage":null` on every chunk, so the marks are keys of a usage that is there.
    stream_marks: ClassVar[tuple[bytes, ...]] = (
        b"[DONE]",
        b'"completion_tokens"',
        b'"prompt_tokens"',
        b'"error"',
    )
    done_marker: ClassVar[bytes | None] = b"[DONE]"

    def __init__(self, dialect: Dialect | None = None) -> None:
        self.dialect = dialect or Dialect()

    def decode_request(self, body: dict[str, Any]) -> DomainRequest:
        return decode_request(body)

    def encode_request(self, request: DomainRequest) -> dict[str, Any]:
        return encode_request(request, self.dialect)

    def decode_response(self, body: dict[str, Any]) -> DomainResponse:
        return decode_response(body)

    def encode_response(self, response: DomainResponse, options: RenderOptions) -> dict[str, Any]:
        return encode_response(response, options)

    def decode_block(self, block: bytes) -> StreamChunk | None:
        text = decode_text_chunk(block[6:]) if block.startswith(b"data: ") else None
        return super().decode_block(block) if text is None else text

    def decode_payload(self, payload: dict[str, Any]) -> StreamChunk | None:
        return decode_chunk(payload)

    def stream_encoder(self, options: RenderOptions) -> StreamEncoder:
        return ChatStreamEncoder(options)

    def decode_error(self, body: Any, status: int) -> ErrorInfo:
        return decode_error(body, status)

    def encode_error(self, error: ErrorInfo, options: RenderOptions) -> dict[str, Any]:
        return encode_error(error)

    def decode_usage(self, body: bytes) -> Usage | None:
        return usage_of_body(body)

    def encode_model(self, card: ModelCard) -> dict[str, Any]:
        return models.encode_model(card)

    def encode_models(self, cards: list[ModelCard], query: Mapping[str, str]) -> dict[str, Any]:
        return models.encode_models(cards, query)

    def decode_embedding_request(self, body: dict[str, Any]) -> EmbeddingRequest:
        return embeddings.decode_embedding_request(body)

    def encode_embedding_request(self, request: EmbeddingRequest) -> dict[str, Any]:
        return embeddings.encode_embedding_request(request)

    def decode_embeddings(self, body: dict[str, Any]) -> EmbeddingResponse:
        return embeddings.decode_embeddings(body)

    def encode_embeddings(self, response: EmbeddingResponse, request: EmbeddingRequest, model: str) -> dict[str, Any]:
        return embeddings.encode_embeddings(response, request, model)
