"""The Responses API, as OpenAI defines it and as others speak it.

Facts about the wire are from https://platform.openai.com/docs/api-reference/responses and the types of openai-python
3.57 (2026-11), unless a comment names another source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from proxy_core.domain.embedding import TokenCount
from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import StreamChunk
from proxy_core.formats.base import ClientRoute, ModelCard, RenderOptions, StreamEncoder, WireFormat
from proxy_core.formats.openai_responses import count, models
from proxy_core.formats.openai_responses.errors import decode_error, encode_error
from proxy_core.formats.openai_responses.fields import FORMAT
from proxy_core.formats.openai_responses.request import decode_request
from proxy_core.formats.openai_responses.request_encode import encode_request
from proxy_core.formats.openai_responses.response import decode_response, encode_response
from proxy_core.formats.openai_responses.stream import decode_payload
from proxy_core.formats.openai_responses.stream_encode import ResponsesStreamEncoder
from proxy_core.formats.openai_responses.text_event import decode_text_event
from proxy_core.formats.openai_responses.usage import usage_of_body

__all__ = ["OpenAIResponsesFormat", "ResponsesStreamEncoder"]


class OpenAIResponsesFormat(WireFormat):
    """The Responses API: `POST /v1/responses`, whole and streamed."""

    name: ClassVar[str] = FORMAT
    client_routes: ClassVar[tuple[ClientRoute, ...]] = (
        ClientRoute("/v1/responses"),
        ClientRoute("/v1/responses/input_tokens", "count_tokens"),
    )
    request_headers: ClassVar[tuple[str, ...]] = ("openai-beta", "openai-organization", "openai-project")
    response_headers: ClassVar[tuple[str, ...]] = ("openai-processing-ms", "openai-version")
    #: Types of events as JSON strings: inside a text their quotes would be escaped, so no content passes for a mark.
    stream_marks: ClassVar[tuple[bytes, ...]] = (
        b'"response.completed"',
        b'"response.incomplete"',
        b'"response.failed"',
        b'"error"',
        b"[DONE]",
    )
    #: `response.failed` may follow an `error`.
    error_is_last: ClassVar[bool] = False
    #: Not OpenAI's, but some gateways end their streams so.
    done_marker: ClassVar[bytes | None] = b"[DONE]"

    def decode_request(self, body: dict[str, Any]) -> DomainRequest:
        return decode_request(body)

    def encode_request(self, request: DomainRequest) -> dict[str, Any]:
        return encode_request(request)

    def decode_response(self, body: dict[str, Any]) -> DomainResponse:
        return decode_response(body)

    def encode_response(self, response: DomainResponse, options: RenderOptions) -> dict[str, Any]:
        return encode_response(response, options)

    def decode_block(self, block: bytes) -> StreamChunk | None:
        text = decode_text_event(block)
        return super().decode_block(block) if text is None else text

    def decode_payload(self, payload: dict[str, Any]) -> StreamChunk | None:
        return decode_payload(payload)

    def stream_encoder(self, options: RenderOptions) -> StreamEncoder:
        return ResponsesStreamEncoder(options)

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

    def decode_count_request(self, body: dict[str, Any]) -> DomainRequest:
        return count.decode_count_request(body)

    def encode_count_request(self, request: DomainRequest) -> dict[str, Any]:
        return count.encode_count_request(request)

    def decode_token_count(self, body: dict[str, Any]) -> TokenCount:
        return count.decode_token_count(body)

    def encode_token_count(self, count_: TokenCount) -> dict[str, Any]:
        return count.encode_token_count(count_)
