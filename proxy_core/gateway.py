"""The gateway: takes a client's request to a backend, and the answer back. The only orchestrator.

Hooks, then routing, then one backend, in the lossless lane where it takes the client's bytes, else translated. A stream
is checked on its way back (one that ends before its terminal event is an error), and everything is accounted for,
however it ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from proxy_core.backends.base import WireRequest
from proxy_core.config import AppConfig
from proxy_core.domain.base import record_dropped
from proxy_core.domain.embedding import EmbeddingRequest, EmbeddingResponse, TokenCount
from proxy_core.domain.envelopes import ResponseEnvelope, StreamingResponseEnvelope
from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse, Usage
from proxy_core.domain.stream import as_chunk
from proxy_core.errors import (
    BackendError,
    ClientDisconnectedError,
    LLMProxyError,
    ModelNotFoundError,
)
from proxy_core.failures import as_proxy_error, error_from_info, is_failure, without_secrets
from proxy_core.formats import opaque
from proxy_core.formats.lossless import LosslessStream
from proxy_core.formats.lossless_array import LosslessArray
from proxy_core.host.hooks import ErrorContext, Hooks, Lane, Outcome, RequestContext, ResponseContext, StreamEndContext
from proxy_core.host.registry import ConfiguredBackend, Registry
from proxy_core.routing import Router, Target
from proxy_core.state_store import StateStore, StateWatch
from proxy_core.stream_answer import StreamAnswer, single_piece
from proxy_core.translated import Envelope, Result, TranslatedCall, decode_request
from proxy_core.translation import TranslationService
from proxy_core.upstream.headers import Identity, passed_on
from proxy_core.upstream.scope import RequestScope

Content: TypeAlias = DomainResponse | TokenCount | EmbeddingResponse | bytes


@dataclass(slots=True)
class Answer:
    """A whole answer: the client's own bytes (lossless lane) or what is to be rendered for it. `headers` may go to the
    client."""

    content: Content
    status_code: int
    headers: Mapping[str, str]
    usage: Usage | None


class Gateway:
    """Everything that requests share."""

    def __init__(self, config: AppConfig, registry: Registry, translation: TranslationService, hooks: Hooks) -> None:
        self.registry = registry
        self.translation = translation
        self.hooks = hooks
        self.router = Router(registry.backends, config.models, self._default_backend(config))
        self.identity = Identity.from_config(config.identity)
        self.states = StateStore()

    def _default_backend(self, config: AppConfig) -> str | None:
        """The configured default; or the only backend there is."""
        names = list(self.registry.backends)
        return config.default_backend or (names[0] if len(names) == 1 else None)

    def exchange(self, request: WireRequest, request_id: str) -> Exchange:
        """The way of one request; call `send`, then, whatever happened, `end`."""
        return Exchange(self, request, request_id)


class Exchange:
    """One request's way to a backend and back."""

    def __init__(self, gateway: Gateway, request: WireRequest, request_id: str) -> None:
        self._gateway = gateway
        self._request = request
        self._started = self._ended = time.perf_counter()
        self._target: Target | None = None
        self._answer: Answer | StreamAnswer | None = None
        self._scope: RequestScope | None = None
        self.lane: Lane = "passthrough"
        self.dropped: list[str] = []
        self._translated: TranslatedCall | None = None
        self.context = RequestContext(
            request_id,
            request.format,
            request.model,
            request.stream,
            request.headers,
            partial(decode_request, gateway.translation, request),
            request.operation,
        )

    async def send(self) -> Answer | StreamAnswer:
        """The backend's answer; raises `LLMProxyError` for everything that can go wrong."""
        replacement = await self._gateway.hooks.before_request(self.context)
        asked = self._request.model if replacement is None else replacement.model
        self._target = self._route(asked)
        configured = self._gateway.registry.backends[self._target.backend]
        if not configured.ready:
            await configured.ensure_ready()
        try:
            result = await self._call(configured, self._target.model, replacement)
            self._answer = self._opened(result, configured)
        except LLMProxyError as error:
            without_secrets(error, configured.secrets)
            raise
        except BaseException as error:
            if not is_failure(error):
                raise
            raise as_proxy_error(error, configured.name, configured.secrets) from error
        return self._answer

    def _route(self, model: str) -> Target:
        try:
            return self._gateway.router.resolve(model)
        except ModelNotFoundError:
            self._gateway.registry.refresh()  # its backend may be back by the next time it is asked for
            raise

    async def _call(self, configured: ConfiguredBackend, model: str, replacement: DomainRequest | None) -> Result:
        backend, request = configured.backend, self._request
        identity = self._gateway.identity.on_behalf_of(request.headers)
        if replacement is None and backend.takes_bytes(request) and opaque.MARK not in request.body:
            return await backend.passthrough(request, model, identity)
        self.lane = "translated"
        self._scope = RequestScope()
        call = self._translated = TranslatedCall(request, configured, self._gateway.translation, self._gateway.states)
        try:
            return await call.run(model, identity, replacement)
        finally:
            self.dropped = call.dropped

    def _opened(self, result: Result, configured: ConfiguredBackend) -> Answer | StreamAnswer:
        if isinstance(result, TokenCount):
            return Answer(result, 200, {}, None)
        if isinstance(result, EmbeddingResponse):
            return Answer(result, 200, {}, result.usage)
        return self._open(result, configured)

    def _open(self, envelope: Envelope, configured: ConfiguredBackend) -> Answer | StreamAnswer:
        wire_format = self._gateway.translation.format(self._request.format)
        headers = passed_on(envelope.headers, wire_format.response_headers)
        if isinstance(envelope, StreamingResponseEnvelope):
            self._answer = StreamAnswer(envelope, headers, configured, self._lossless(), self._gateway.translation)
            self._answer.watch = self._watch
            if not self._request.stream:
                raise BackendError(f"backend {configured.name!r} answered a request for one body with a stream")
            return self._answer
        answer = self._whole(envelope, headers)
        if isinstance(answer.content, DomainResponse) and self._watch is not None:
            self._watch.see_whole(answer.content)
        if not self._request.stream:
            return answer
        if not isinstance(answer.content, DomainResponse):
            raise BackendError(f"backend {configured.name!r} answered a stream request with one body")
        pieces = single_piece(as_chunk(answer.content), envelope.headers)
        return StreamAnswer(pieces, headers, configured, None, self._gateway.translation)

    @property
    def asked(self) -> DomainRequest | EmbeddingRequest | None:
        """The client's request, where it was decoded."""
        return self._translated.asked if self._translated else None

    @property
    def _watch(self) -> StateWatch | None:
        return self._translated.watch if self._translated else None

    def _lossless(self) -> LosslessStream | None:
        if self.lane != "passthrough":
            return None
        wire_format = self._gateway.translation.format(self._request.format)
        return LosslessArray(wire_format) if self._request.framing == "array" else LosslessStream(wire_format)

    def _whole(self, envelope: ResponseEnvelope, headers: Mapping[str, str]) -> Answer:
        content = envelope.content
        if isinstance(content, dict):
            content = DomainResponse.model_validate(content)
        if isinstance(content, bytes) and self.lane == "passthrough":
            usage = envelope.usage
        elif isinstance(content, bytes):
            raise BackendError("the connector answered with bytes, not with a DomainResponse", code="connector_failed")
        elif content.error is not None or not 200 <= envelope.status_code < 300:
            raise error_from_info(content.error, envelope.status_code, headers)
        else:
            usage = envelope.usage or content.usage
        return Answer(content, envelope.status_code, headers, Usage.model_validate(usage) if usage else None)

    def drop(self, names: Iterable[str]) -> None:
        """Record what the client's format could not show."""
        record_dropped(self.dropped, names)

    async def end(self, error: LLMProxyError | None = None) -> None:
        """Close what is open and tell the hooks; `error` is what the client was told, or that it left."""
        self._ended = time.perf_counter()
        await self._close()
        if isinstance(self._answer, StreamAnswer):
            await self._end_stream(self._answer, error or self._answer.error)
        elif error is not None or self._answer is None or self._target is None:
            await self._end_failed(error or ClientDisconnectedError("the client left"))
        else:
            await self._end_whole(self._answer, self._target)

    async def _close(self) -> None:
        try:
            if isinstance(self._answer, StreamAnswer):
                await self._answer.aclose()
        finally:
            if self._scope is not None:
                self._scope.close()

    async def _end_whole(self, answer: Answer, target: Target) -> None:
        context = ResponseContext(
            self.context,
            target.backend,
            target.model,
            self.lane,
            answer.status_code,
            answer.usage,
            self._elapsed(self._ended),
            self.dropped,
        )
        await self._gateway.hooks.notify("after_response", context)

    async def _end_stream(self, answer: StreamAnswer, error: LLMProxyError | None) -> None:
        if not answer.began and error is not None:
            await self._end_failed(error)
            return
        assert self._target is not None
        context = StreamEndContext(
            self.context,
            self._target.backend,
            self._target.model,
            self.lane,
            _outcome(error),
            answer.usage,
            self._elapsed(self._ended),
            None if answer.began_at is None else self._elapsed(answer.began_at),
            self.dropped,
            error,
        )
        await self._gateway.hooks.notify("on_stream_end", context)

    async def _end_failed(self, error: LLMProxyError) -> None:
        backend, model = (self._target.backend, self._target.model) if self._target else (None, None)
        context = ErrorContext(self.context, error, self._elapsed(self._ended), backend, model)
        await self._gateway.hooks.notify("on_error", context)

    def _elapsed(self, moment: float) -> float:
        return moment - self._started


def _outcome(error: LLMProxyError | None) -> Outcome:
    if error is None:
        return "complete"
    return "cancelled" if isinstance(error, ClientDisconnectedError) else "interrupted"
