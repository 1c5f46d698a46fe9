"""Counting the tokens of a request. https://docs.claude.com/en/api/messages-count-tokens (2026-11)"""

from __future__ import annotations

from typing import Final

from proxy_core.domain.embedding import TokenCount
from proxy_core.domain.request import DomainRequest
from proxy_core.errors import BackendError
from proxy_core.formats.anthropic.request import decode_request
from proxy_core.formats.anthropic.request_encode import encode_request
from proxy_core.formats.fields import Json

#: What the endpoint refuses, of the fields of a request.
_REFUSED: Final = frozenset(
    {"max_tokens", "metadata", "stop_sequences", "stream", "temperature", "top_k", "top_p", "service_tier"}
)


def decode_count_request(body: Json) -> DomainRequest:
    """A client's request to count; it needs no `max_tokens`."""
    request = decode_request({"max_tokens": 1, **body})
    request.max_tokens = None
    return request


def encode_count_request(request: DomainRequest) -> Json:
    """The body to ask an upstream for a count."""
    return {name: value for name, value in encode_request(request).items() if name not in _REFUSED}


def decode_token_count(body: Json) -> TokenCount:
    """An upstream's count."""
    found = body.get("input_tokens")
    if type(found) is not int:
        raise BackendError("the upstream's count has no input_tokens", code="invalid_answer")
    return TokenCount(input_tokens=found)


def encode_token_count(count: TokenCount) -> Json:
    """The count for the client."""
    return {"input_tokens": count.input_tokens}
