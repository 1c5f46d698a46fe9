"""HTTPBackend: everything that a connector to an HTTP API would otherwise write."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from proxy_core.backends.base import LLMBackend, WireRequest
from proxy_core.domain.envelopes import (
    ProcessedResponse,
    ResponseEnvelope,
    StreamingResponseEnvelope,
    StreamingResponseHandle,
)
from proxy_core.domain.request import ChatMessage, DomainRequest
from proxy_core.domain.stream import StreamChunk
from proxy_core.errors import BackendError, ConfigurationError, LLMProxyError
from proxy_core.formats import lossless, wire_json
from proxy_core.formats.sse import Event, EventSplitter, parse_event
from proxy_core.upstream.headers import Identity, ensure_loop_guard_header

if TYPE_CHECKING:
    import httpx

    from proxy_core.config import AppConfig
    from proxy_core.translation import TranslationService
    from proxy_core.upstream.wire import WireResponse

_VERSION_SEGMENT = re.compile(r"v\d+[a-z0-9]*")


class HTTPBackend(LLMBackend):
    """An upstream that speaks one of the wire formats over HTTP.

    Set the class attributes; override `prepare_payload`, `build_headers`, `chat_url`, `read_chunk`, `read_error` or
    `list_models` for an upstream's quirks.
    """

    #: The format the upstream speaks.
    wire_format: ClassVar[str]
    #: Where the provider lives, version segment included (`https://api.example.com/v1`); None when users must say.
    default_base_url: ClassVar[str | None] = None
    #: Appended to a configured base URL that has no version segment; None to take URLs as they are.
    api_version: ClassVar[str | None] = "v1"
    #: The environment variable where the provider's users keep their key, for messages.
    api_key_env: ClassVar[str | None] = None
    #: Whether to refuse to start without a key.
    api_key_required: ClassVar[bool] = True
    #: The header that carries the key, and the word before it.
    auth_header: ClassVar[str] = "authorization"
    auth_scheme: ClassVar[str] = "Bearer"
    #: Headers sent with every request.
    static_headers: ClassVar[Mapping[str, str]] = {}
    chat_path: ClassVar[str] = "/chat/completions"
    models_path: ClassVar[str] = "/models"

    #: Whether requests in the upstream's own format go through as bytes. None: unless `read_chunk` or
    #: `chat_completions` is overridden, since bytes pass these by.
    lossless: ClassVar[bool | None] = None

    wants_processed_messages: ClassVar[bool] = False

    def __init__(self, client: httpx.AsyncClient, config: AppConfig, translation_service: TranslationService) -> None:
        from proxy_core.upstream.wire import wire_for

        super().__init__(config)
        self.client = client
        self.translation_service = translation_service
        self.base_url = self.default_base_url or ""
        self._wire = wire_for(client)
        self._format = translation_service.format(self.wire_format)
        self._api_key: str | None = None
        self._extra_headers: Mapping[str, str] = {}
        self._loop_guard = True
        self._models: list[str] = []
        kind = type(self)
        self._edits_payload = kind.prepare_payload is not HTTPBackend.prepare_payload
        reads_chunks = kind.read_chunk is not HTTPBackend.read_chunk
        self._read_block = self._read_event if reads_chunks else self._format.decode_block
        quirky = reads_chunks or kind.chat_completions is not HTTPBackend.chat_completions
        if self.lossless or (self.lossless is None and not quirky):
            self.passthrough_formats = frozenset({self.wire_format})

    # getting ready

    async def initialize(
        self,
        *,
        api_key: str | None = None,
        api_base_url: str | None = None,
        models: Sequence[str] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        loop_guard: bool = True,
        **kwargs: Any,
    ) -> None:
        """Take the options and list the models. An upstream that cannot be reached is a `problem`, not an error: it may
        be back before the first request."""
        self._api_key = api_key or None
        self._extra_headers = {name.lower(): value for name, value in (extra_headers or {}).items()}
        self._loop_guard = loop_guard
        self.base_url = self._resolve_base_url(api_base_url)
        if self.api_key_required and not self._api_key:
            raise ConfigurationError(f"no api_key{self._key_hint()}", code="missing_api_key")
        await self._discover(models)

    def _key_hint(self) -> str:
        return f"; set {self.api_key_env} in the environment, or api_key" if self.api_key_env else ""

    def _resolve_base_url(self, configured: str | None) -> str:
        """The base of all paths. People paste it with and without its version segment, and with the path of an
        endpoint; all of these mean the same."""
        if configured is None:
            if self.default_base_url is None:
                raise ConfigurationError("no api_base_url", code="missing_api_base_url")
            return self.default_base_url
        url = configured.rstrip("/").removesuffix(self.chat_path).rstrip("/")
        segments = url.split("://", 1)[-1].split("/")[1:]
        versioned = any(_VERSION_SEGMENT.fullmatch(segment) for segment in segments)
        return url if versioned or self.api_version is None else f"{url}/{self.api_version}"

    async def _discover(self, static: Sequence[str] | None) -> None:
        self.problem = None
        if static:
            self._models = list(static)
            return
        try:
            self._models = await self.list_models()
        except LLMProxyError as error:
            self.problem = f"cannot list models: {error.message}"

    def get_available_models(self) -> list[str]:
        return list(self._models)

    async def list_models(self) -> list[str]:
        """Ask the upstream for its models; raises `BackendError` and its kind."""
        response = await self._wire.send(
            "GET", f"{self.base_url}{self.models_path}", self._headers(self._anonymous()), None
        )
        body = await self._read(response)
        listed = _loads(body)
        entries = listed.get("data") if isinstance(listed, dict) else listed
        return [entry["id"] for entry in entries or [] if isinstance(entry, dict) and isinstance(entry.get("id"), str)]

    def _anonymous(self) -> Identity:
        return Identity.from_config(self.config.identity)

    # what upstreams differ in

    def build_headers(self, identity: Identity) -> dict[str, str]:
        """The headers of a request, names in lower case: who we are, the key, and the static headers."""
        headers = identity.get_resolved_headers()
        headers.update((name.lower(), value) for name, value in self.static_headers.items())
        if self._api_key:
            headers[self.auth_header.lower()] = f"{self.auth_scheme} {self._api_key}".lstrip()
        return headers

    def chat_url(self, model: str, stream: bool) -> str:
        """Where chat requests go."""
        return f"{self.base_url}{self.chat_path}"

    def prepare_payload(self, payload: dict[str, Any], model: str) -> dict[str, Any]:
        """Last change to the body before it is sent; `model` is the upstream's name for it, already set. Overriding
        this makes same-format requests be parsed and written again; fields you leave alone survive."""
        return payload

    def read_chunk(self, event: Event) -> StreamChunk | None:
        """What one event of the upstream's stream says; None for nothing."""
        return self._format.decode_event(event)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> LLMProxyError:
        """The error for an answer with an error status."""
        from proxy_core.upstream.failures import status_error

        info = self._format.decode_error(_loads(body), status)
        error = status_error(info.message, info.code, status, headers)
        error.details.update({"type": info.type, "param": info.param, "backend": self.backend_type})
        if status >= 400:  # a redirect's body is no error
            error.upstream_body = (self.wire_format, body)
        error.headers = dict(headers)
        return error

    # answering

    async def chat_completions(
        self,
        request_data: DomainRequest,
        processed_messages: Sequence[ChatMessage],
        effective_model: str,
        identity: Identity | None = None,
        **kwargs: Any,
    ) -> ResponseEnvelope | StreamingResponseEnvelope:
        payload = self.translation_service.from_domain_request(request_data, self.wire_format)
        payload["model"] = effective_model
        payload = self.prepare_payload(payload, effective_model)
        headers = self._headers(identity or self._anonymous())
        response = await self._post(effective_model, request_data.stream, headers, wire_json.dumps(payload))
        if request_data.stream:
            return self._stream(response, self._chunks(response))
        answer = self.translation_service.to_domain_response(_object(await self._read(response)), self.wire_format)
        return ResponseEnvelope(answer, response.status, response.headers, answer.usage)

    async def passthrough(
        self, request: WireRequest, effective_model: str, identity: Identity
    ) -> ResponseEnvelope | StreamingResponseEnvelope:
        """The lossless lane: the client's bytes up, the upstream's bytes down."""
        body = lossless.replace_model(request.body, request.model, effective_model)
        if self._edits_payload:
            body = wire_json.dumps(self.prepare_payload(_object(body), effective_model))
        headers = self._headers(identity, self._format.request_headers)
        response = await self._post(effective_model, request.stream, headers, body)
        if request.stream:
            return self._stream(response, self._raw(response))
        content = await self._read(response)
        usage = self._format.decode_usage(content)
        if usage is None:
            _object(content)  # a torn body has no usage, and may not pass for an answer
        return ResponseEnvelope(content, response.status, response.headers, usage)

    def _headers(self, identity: Identity, passed_on: Iterable[str] = ()) -> dict[str, str]:
        headers = self.build_headers(identity)
        headers["accept-encoding"] = "identity"
        headers["content-type"] = "application/json"
        for name in passed_on:
            if name in identity.headers:
                headers[name] = identity.headers[name]
        headers.update(self._extra_headers)
        if self._loop_guard:
            ensure_loop_guard_header(headers)
        return headers

    async def _post(self, model: str, stream: bool, headers: dict[str, str], body: bytes) -> WireResponse:
        response = await self._wire.send("POST", self.chat_url(model, stream), headers, body)
        if response.status >= 300:
            await self._read(response)
        return response

    async def _read(self, response: WireResponse) -> bytes:
        """The whole body of a good answer; raises what `read_error` makes of a bad one."""
        from proxy_core.upstream.wire import read_body

        body = await read_body(response)
        if response.status >= 300:
            raise self.read_error(response.status, response.headers, body)
        return body

    def _stream(self, response: WireResponse, pieces: AsyncIterator[ProcessedResponse]) -> StreamingResponseEnvelope:
        return StreamingResponseHandle(pieces, response.aclose, response.headers, response.status)

    async def _chunks(self, response: WireResponse) -> AsyncIterator[ProcessedResponse]:
        splitter = EventSplitter()
        async for data in response.reads():
            if chunks := self._decode(splitter.feed(data)):
                yield ProcessedResponse(chunks)
        if chunks := self._decode(splitter.flush()):
            yield ProcessedResponse(chunks)

    def _decode(self, blocks: list[bytes]) -> list[StreamChunk]:
        read = self._read_block
        return [chunk for block in blocks if (chunk := read(block)) is not None]

    def _read_event(self, block: bytes) -> StreamChunk | None:
        return self.read_chunk(parse_event(block))

    async def _raw(self, response: WireResponse) -> AsyncIterator[ProcessedResponse]:
        async for data in response.reads():
            yield ProcessedResponse(data)


def _loads(body: bytes) -> Any:
    """The parsed body, or its text where it is no JSON."""
    try:
        return wire_json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _object(body: bytes) -> dict[str, Any]:
    value = _loads(body)
    if not isinstance(value, dict):
        raise BackendError("the upstream's answer is not a JSON object", code="invalid_answer")
    return value
