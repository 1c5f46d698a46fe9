"""Chat Completions, as OpenAI defines it and as twenty providers speak it.

Facts about the wire are from https://platform.openai.com/docs/api-reference/chat and the types of openai-python 3.54
(2026-11), unless a comment names another source.
"""

from __future__ import annotations

from typing import Any, ClassVar

from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import StreamChunk
from proxy_core.formats.base import RenderOptions, StreamEncoder, WireFormat
from proxy_core.formats.openai import errors, request, response, stream, usage
from proxy_core.formats.openai.dialect import Dialect
from proxy_core.formats.openai.encoder import ChatStreamEncoder

__all__ = ["ChatStreamEncoder", "Dialect", "OpenAIFormat"]


class OpenAIFormat(WireFormat):
    """Chat Completions. `dialect` says how requests are spelled for upstreams that differ from the common ground."""

    name: ClassVar[str] = "openai"
    # OpenAI sends `"usage":null` on every chunk, so the marks are keys of a usage that is there, and a finish reason
    # that is a string.
    stream_marks: ClassVar[tuple[bytes, ...]] = (
        b"[DONE]",
        b'"finish_reason":"',
        b'"finish_reason": "',
        b'"completion_tokens"',
        b'"prompt_tokens"',
        b'"error"',
    )
    done_marker: ClassVar[bytes | None] = b"[DONE]"

    def __init__(self, dialect: Dialect | None = None) -> None:
        self.dialect = dialect or Dialect()

    def decode_request(self, body: dict[str, Any]) -> DomainRequest:
        return request.decode_request(body)

    def encode_request(self, request_: DomainRequest) -> dict[str, Any]:
        return request.encode_request(request_, self.dialect)

    def decode_response(self, body: dict[str, Any]) -> DomainResponse:
        return response.decode_response(body)

    def encode_response(self, response_: DomainResponse, options: RenderOptions) -> dict[str, Any]:
        return response.encode_response(response_, options)

    def decode_payload(self, payload: dict[str, Any]) -> StreamChunk | None:
        return stream.decode_chunk(payload)

    def stream_encoder(self, options: RenderOptions) -> StreamEncoder:
        return ChatStreamEncoder(options)

    def decode_error(self, body: Any, status: int) -> ErrorInfo:
        return errors.decode_error(body, status)

    def encode_error(self, error: ErrorInfo, options: RenderOptions) -> dict[str, Any]:
        return errors.encode_error(error)

    def decode_usage(self, body: bytes) -> Usage | None:
        return usage.usage_of_body(body)
