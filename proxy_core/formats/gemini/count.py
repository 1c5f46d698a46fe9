"""Counting tokens (`countTokens`), both ways. https://ai.google.dev/api/tokens (2026-11)"""

from __future__ import annotations

from proxy_core.domain.embedding import TokenCount
from proxy_core.domain.request import DomainRequest
from proxy_core.errors import BackendError
from proxy_core.formats.fields import Json, count, stated
from proxy_core.formats.gemini.fields import Fields, camel_keys
from proxy_core.formats.gemini.request import decode_request
from proxy_core.formats.gemini.request_encode import encode_request


def decode_count_request(body: Json) -> DomainRequest:
    """The request to count: `generateContentRequest`, or fields of one as the enterprise API takes them."""
    fields = Fields(body)
    if fields.rest.get("generateContentRequest") is None:
        return decode_request(fields.rest)
    return decode_request(fields.need("generateContentRequest", dict))


def encode_count_request(request: DomainRequest) -> Json:
    """The body that also counts the system instruction and the tools."""
    return {"generateContentRequest": {"model": resource_name(request.model), **encode_request(request)}}


def resource_name(model: str) -> str:
    """The model as fields of bodies name it; a name with a collection of its own (`tunedModels/x`) as it is."""
    return model if "/" in model else f"models/{model}"


def decode_token_count(body: Json) -> TokenCount:
    """An upstream's count; raises `BackendError` when it is none."""
    fields = camel_keys(body)
    total = count(fields.get("totalTokens"))
    if total is None:
        raise BackendError("the upstream's answer has no totalTokens")
    return TokenCount(input_tokens=total, cached_tokens=count(fields.get("cachedContentTokenCount")))


def encode_token_count(counted: TokenCount) -> Json:
    """The count for the client."""
    return stated({"totalTokens": counted.input_tokens, "cachedContentTokenCount": counted.cached_tokens})
