"""The translated lane: a request through the domain to a backend, whatever it asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from proxy_core.backends.base import WireRequest
from proxy_core.domain.embedding import EmbeddingRequest, EmbeddingResponse, TokenCount
from proxy_core.domain.envelopes import ResponseEnvelope, StreamingResponseEnvelope
from proxy_core.domain.request import DomainRequest
from proxy_core.errors import InvalidRequestError
from proxy_core.formats import wire_json
from proxy_core.host.registry import ConfiguredBackend
from proxy_core.state_store import StateStore, StateWatch
from proxy_core.token_estimate import estimated_tokens
from proxy_core.translation import TranslationService
from proxy_core.upstream.headers import Identity

#: By which a client asks for `strict_translation`, as the setting of a backend does.
STRICT_HEADER: Final = "x-llm-proxy-strict-translation"

Envelope: TypeAlias = ResponseEnvelope | StreamingResponseEnvelope
Result: TypeAlias = Envelope | TokenCount | EmbeddingResponse


def decode_request(translation: TranslationService, request: WireRequest) -> DomainRequest:
    """The neutral request; raises `InvalidRequestError` naming what is wrong with the body."""
    body = _object(request)
    if request.operation == "count_tokens":
        decoded = translation.format(request.format).decode_count_request(body)
    else:
        decoded = translation.to_domain_request(body, request.format)
    decoded.model, decoded.stream, decoded.source_format = request.model, request.stream, request.format
    return decoded


def _object(request: WireRequest) -> dict[str, Any]:
    try:
        body = wire_json.loads(request.body)
    except ValueError as error:
        raise InvalidRequestError(f"the request body is not valid JSON: {error}", code="invalid_json") from None
    if not isinstance(body, dict):
        raise InvalidRequestError("the request body must be a JSON object", code="invalid_json")
    return body


class TranslatedCall:
    """One request to one backend.

    `asked` is the decoded request, `dropped` what the upstream's format could not carry of it, and `watch` wants to see
    the answer.
    """

    def __init__(
        self, request: WireRequest, configured: ConfiguredBackend, translation: TranslationService, states: StateStore
    ) -> None:
        self._request = request
        self._configured = configured
        self._translation = translation
        self._states = states
        self.asked: DomainRequest | EmbeddingRequest | None = None
        self.watch: StateWatch | None = None

    @property
    def dropped(self) -> list[str]:
        return [] if self.asked is None else self.asked.dropped

    async def run(self, model: str, identity: Identity, replacement: DomainRequest | None) -> Result:
        """The backend's result; `replacement` is what a hook sends instead of the client's request."""
        return await _OPERATIONS[self._request.operation](self, model, identity, replacement)

    def _decoded(self, replacement: DomainRequest | None) -> DomainRequest:
        return replacement or decode_request(self._translation, self._request)

    async def chat(self, model: str, identity: Identity, replacement: DomainRequest | None) -> Envelope:
        """An answer."""
        backend = self._configured.backend
        request = self.asked = self._portable(self._decoded(replacement)).with_model(model)
        if backend.wire_format not in (None, request.source_format):
            self._restore_state(request, backend.wire_format)
        messages = self._translation.chat_messages(request) if backend.wants_processed_messages else []
        return await backend.chat_completions(request, messages, model, identity=identity)

    def _portable(self, request: DomainRequest) -> DomainRequest:
        """The request, if this backend can honour all that must be; notes whether anything may be left out."""
        configured = self._configured
        if request.native_only and configured.backend.wire_format != request.source_format:
            raise InvalidRequestError(
                f"{', '.join(request.native_only)}: backend {configured.name!r} speaks another format and cannot "
                "honour this; leave it out, and send the whole conversation",
                "unsupported_parameter",
                details={"param": request.native_only[0], "type": "invalid_request_error"},
            )
        request.strict_translation = self._is_strict()
        return request

    def _is_strict(self) -> bool:
        asked = self._request.headers.get(STRICT_HEADER, "")
        return self._configured.strict_translation or asked.lower() in ("1", "true")

    def _restore_state(self, request: DomainRequest, upstream_format: str) -> None:
        scope = f"{self._request.client} {self._configured.name}"
        self._states.restore(scope, request, upstream_format)
        self.watch = StateWatch(self._states, scope)

    async def count_tokens(self, model: str, identity: Identity, replacement: DomainRequest | None) -> TokenCount:
        """The number of tokens, estimated where the upstream does not count."""
        request = self._portable(self._decoded(replacement)).with_model(model)
        counted = await self._configured.backend.count_tokens(request, model, identity=identity)
        return counted or TokenCount(input_tokens=estimated_tokens(request), estimated=True)

    async def embed(self, model: str, identity: Identity, _: DomainRequest | None) -> EmbeddingResponse:
        """Vectors."""
        wire_format = self._translation.format(self._request.format)
        request = self.asked = wire_format.decode_embedding_request(_object(self._request))
        request.source_format = self._request.format
        request.strict_translation = self._is_strict()
        return await self._configured.backend.embed(request, model, identity=identity)


_Operation: TypeAlias = Callable[[TranslatedCall, str, Identity, DomainRequest | None], Awaitable[Result]]
_OPERATIONS: dict[str, _Operation] = {
    "chat": TranslatedCall.chat,
    "count_tokens": TranslatedCall.count_tokens,
    "embed": TranslatedCall.embed,
}
