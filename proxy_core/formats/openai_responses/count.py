"""Counting the tokens of a request, both ways.

https://platform.openai.com/docs/api-reference/responses/input-tokens (2026-11)
"""

from __future__ import annotations

from typing import Any

from proxy_core.domain.embedding import TokenCount
from proxy_core.domain.request import DomainRequest
from proxy_core.errors import BackendError
from proxy_core.formats import fields
from proxy_core.formats.openai_responses.request import decode_request
from proxy_core.formats.openai_responses.request_encode import encode_request

#: What the endpoint takes; it refuses other fields.
_COUNTED = (
    "model",
    "instructions",
    "input",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "truncation",
    "previous_response_id",
    "conversation",
    "personality",
)


def decode_count_request(body: dict[str, Any]) -> DomainRequest:
    """A client's request to count tokens; there need be no `input`."""
    return decode_request(body, needs_input=False)


def encode_count_request(request: DomainRequest) -> dict[str, Any]:
    """The body to ask an upstream for a count."""
    body = encode_request(request)
    return {name: body[name] for name in _COUNTED if name in body}


def decode_token_count(body: dict[str, Any]) -> TokenCount:
    """An upstream's count; raises `BackendError` when it is none."""
    tokens = fields.count(body.get("input_tokens"))
    if tokens is None:
        raise BackendError("the upstream's token count has no `input_tokens`")
    return TokenCount(input_tokens=tokens)


def encode_token_count(count: TokenCount) -> dict[str, Any]:
    """The count for the client."""
    return {"object": "response.input_tokens", "input_tokens": count.input_tokens}
