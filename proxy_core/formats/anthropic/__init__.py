"""Anthropic's Messages format. https://docs.claude.com/en/api/messages (2026-11)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy_core.domain.embedding import TokenCount
from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import StreamChunk
from proxy_core.formats.anthropic import count, errors, models, request, request_encode, response, stream, usage
from proxy_core.formats.anthropic.fields import NAME
from proxy_core.formats.anthropic.stream_encode import MessagesStreamEncoder
from proxy_core.formats.anthropic.text_event import decode_text_event
from proxy_core.formats.base import ClientRoute, ModelCard, RenderOptions, StreamEncoder, WireFormat

__all__ = ["AnthropicFormat"]


class AnthropicFormat(WireFormat):
    """The Messages API: `POST /v1/messages`, whole and streamed."""

    name = NAME
    client_routes = (ClientRoute("/v1/messages"), ClientRoute("/v1/messages/count_tokens", "count_tokens"))
    marker_headers = ("anthropic-version",)
    request_id_header = "request-id"
    request_headers = ("anthropic-beta", "anthropic-version")
    request_parameters = ("beta",)
    response_headers = ("anthropic-ratelimit-",)
    #: `message_start`, `message_delta`, `message_stop` and `error` as JSON strings. Inside a text their quotes would be
    #: escaped, so no content passes for a mark.
    stream_marks = (b'"message_', b'"error"', b"[DONE]")
    #: Not Anthropic's, but some gateways that speak the format end their streams so (OpenRouter, 2026-11).
    done_marker = b"[DONE]"

    def decode_request(self, body: dict[str, Any]) -> DomainRequest:
        return request.decode_request(body)

    def encode_request(self, request: DomainRequest) -> dict[str, Any]:
        return request_encode.encode_request(request)

    def decode_response(self, body: dict[str, Any]) -> DomainResponse:
        return response.decode_response(body)

    def encode_response(self, response_: DomainResponse, options: RenderOptions) -> dict[str, Any]:
        return response.encode_response(response_, options)

    def decode_block(self, block: bytes) -> StreamChunk | None:
        text = decode_text_event(block)
        return super().decode_block(block) if text is None else text

    def decode_payload(self, payload: dict[str, Any]) -> StreamChunk | None:
        return stream.decode_payload(payload)

    def stream_encoder(self, options: RenderOptions) -> StreamEncoder:
        return MessagesStreamEncoder(options)

    def decode_error(self, body: Any, status: int) -> ErrorInfo:
        return errors.decode_error(body, status)

    def encode_error(self, error: ErrorInfo, options: RenderOptions) -> dict[str, Any]:
        return errors.encode_error(error, options.request_id)

    def decode_usage(self, body: bytes) -> Usage | None:
        return usage.usage_of_body(body)

    def encode_model(self, card: ModelCard) -> dict[str, Any]:
        return models.encode_model(card)

    def encode_models(self, cards: list[ModelCard], query: Mapping[str, str]) -> dict[str, Any]:
        return models.encode_models(cards, query)

    def decode_count_request(self, body: dict[str, Any]) -> DomainRequest:
        return count.decode_count_request(body)

    def encode_count_request(self, request: DomainRequest) -> dict[str, Any]:
        return count.encode_count_request(request)

    def decode_token_count(self, body: dict[str, Any]) -> TokenCount:
        return count.decode_token_count(body)

    def encode_token_count(self, count_: TokenCount) -> dict[str, Any]:
        return count.encode_token_count(count_)
