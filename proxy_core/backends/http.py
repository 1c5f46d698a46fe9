"""HTTPBackend: everything that a connector to an HTTP API would otherwise write."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from proxy_core.backends.base import LLMBackend, WireRequest
from proxy_core.domain.embedding import EmbeddingRequest, EmbeddingResponse, TokenCount
from proxy_core.domain.envelopes import (
    ProcessedResponse,
    ResponseEnvelope,
    StreamingResponseEnvelope,
    StreamingResponseHandle,
)
from proxy_core.domain.request import ChatMessage, DomainRequest
from proxy_core.domain.stream import StreamChunk
from proxy_core.errors import BackendError, ConfigurationError, InvalidRequestError, LLMProxyError
from proxy_core.formats import lossless, wire_json
from proxy_core.formats.sse import Event, EventSplitter, parse_event
from proxy_core.upstream.headers import Identity, ensure_loop_guard_header

if TYPE_CHECKING:
    import httpx

    from proxy_core.config import AppConfig
    from proxy_core.formats.base import Operation, WireFormat
    from proxy_core.translation import TranslationService
    from proxy_core.upstream.wire import WireResponse

_VERSION_SEGMENT = re.compile(r"v\d+[a-z0-9]*")
_MODEL = "{model}"


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
    #: Below the base URL; `{model}` in a path stands for the model's name.
    chat_path: ClassVar[str] = "/chat/completions"
    #: Where streams are asked for, if not at `chat_path`.
    stream_path: ClassVar[str | None] = None
    models_path: ClassVar[str] = "/models"
    #: None where the upstream does not count tokens, or has no embeddings.
    count_path: ClassVar[str | None] = None
    embedding_path: ClassVar[str | None] = None
    #: The format of embeddings, if not `wire_format`.
    embedding_format: ClassVar[str | None] = None

    #: Whether requests in the upstream's own format go through as bytes. None: unless `read_chunk` or
    #: `chat_completions` is overridden, or the operation's own `count_tokens` or `embed`, since bytes pass these by.
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
        embeddings = translation_service.format(self.embedding_format or self.wire_format)
        offered: list[tuple[Operation, WireFormat, str | None]] = [
            ("chat", self._format, self.chat_path),
            ("count_tokens", self._format, self.count_path),
            ("embed", embeddings, self.embedding_path),
        ]
        #: Of each operation that the upstream has: its format, and its path below the base URL.
        self._operations = {operation: (spoken, path) for operation, spoken, path in offered if path is not None}
        self._api_key: str | None = None
        self._extra_headers: Mapping[str, str] = {}
        self._loop_guard = True
        self._models: list[str] = []
        self._edits_payload = self._overrides("prepare_payload")
        reads_chunks = self._overrides("read_chunk")
        self._read_block = self._read_event if reads_chunks else self._format.decode_block
        quirky = reads_chunks or self._overrides("chat_completions")
        if self.lossless or (self.lossless is None and not quirky):
            self.passthrough_formats = frozenset({self.wire_format})
        #: Operations that bytes may not pass by.
        self._own = [name for name in ("count_tokens", "embed") if self._overrides(name) and not self.lossless]

    def _overrides(self, name: str) -> bool:
        """Whether a subclass has a method of its own."""
        return getattr(type(self), name) is not getattr(HTTPBackend, name)

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
        return self._format.decode_models(_loads(await self._read(response)))

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
        return self._url((self.stream_path if stream else None) or self.chat_path, model)

    def _url(self, path: str, model: str) -> str:
        """The model is a client's text: one segment of the path, or a part of one, whatever it holds. Dots alone would
        be a step up, in every spelling."""
        if _MODEL in path:
            path = path.replace(_MODEL, quote(model, safe=""))
            if model in (".", "..") and model in path.split("/"):
                raise InvalidRequestError(f"model: there is none called {model!r}", "bad_model")
        return self.base_url + path

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
        if error.retry_after is None:  # the header is exact, the body's words are not
            error.retry_after = info.retry_after
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
        if self._format.model_in_body:
            payload["model"] = effective_model
        payload = self.prepare_payload(payload, effective_model)
        headers = self._headers(identity or self._anonymous())
        url = self.chat_url(effective_model, request_data.stream)
        response = await self._post(url, headers, wire_json.dumps(payload), self._format)
        if request_data.stream:
            return self._stream(response, self._chunks(response))
        answer = self.translation_service.to_domain_response(_object(await self._read(response)), self.wire_format)
        return ResponseEnvelope(answer, response.status, response.headers, answer.usage)

    async def count_tokens(
        self, request_data: DomainRequest, effective_model: str, identity: Identity | None = None, **kwargs: Any
    ) -> TokenCount | None:
        if "count_tokens" not in self._operations:
            return None
        spoken, path = self._operations["count_tokens"]
        payload = spoken.encode_count_request(request_data.with_model(effective_model))
        return spoken.decode_token_count(await self._ask(spoken, self._url(path, effective_model), identity, payload))

    async def embed(
        self, request_data: EmbeddingRequest, effective_model: str, identity: Identity | None = None, **kwargs: Any
    ) -> EmbeddingResponse:
        if "embed" not in self._operations:
            return await super().embed(request_data, effective_model, identity, **kwargs)
        spoken, path = self._operations["embed"]
        request_data.model = effective_model
        payload = self.translation_service.from_domain_embedding_request(request_data, spoken.name)
        return spoken.decode_embeddings(await self._ask(spoken, self._url(path, effective_model), identity, payload))

    async def _ask(
        self, spoken: WireFormat, url: str, identity: Identity | None, payload: dict[str, Any]
    ) -> dict[str, Any]:
        headers = self._headers(identity or self._anonymous())
        response = await self._post(url, headers, wire_json.dumps(payload), spoken)
        return _object(await self._read(response))

    def takes_bytes(self, request: WireRequest) -> bool:
        known = self._operations.get(request.operation)
        if known is None or known[0].name != request.format or request.operation in self._own:
            return False
        return self.wire_format in self.passthrough_formats

    async def passthrough(
        self, request: WireRequest, effective_model: str, identity: Identity
    ) -> ResponseEnvelope | StreamingResponseEnvelope:
        """The lossless lane: the client's bytes up, the upstream's bytes down."""
        spoken, body = self._operations[request.operation][0], request.body
        if spoken.model_in_body:
            body = lossless.replace_model(body, request.model, effective_model)
        if self._edits_payload and request.operation == "chat":
            body = wire_json.dumps(self.prepare_payload(_object(body), effective_model))
        headers = self._headers(identity, spoken.request_headers)
        response = await self._post(self._passthrough_url(request, effective_model), headers, body, spoken)
        if request.stream:
            return self._stream(response, self._raw(response))
        content = await self._read(response)
        usage = spoken.decode_usage(content)
        if usage is None:
            _object(content)  # a torn body has no usage, and may not pass for an answer
        return ResponseEnvelope(content, response.status, response.headers, usage)

    def _passthrough_url(self, request: WireRequest, model: str) -> str:
        """The upstream's address for the same operation, with the client's choice of framing and query."""
        if request.operation == "chat":
            url = self.chat_url(model, request.stream)
        else:
            url = self._url(self._passthrough_path(request), model)
        if request.stream and request.framing == "array":
            url = url.partition("?")[0]
        if not request.query:
            return url
        return f"{url}{'&' if '?' in url else '?'}{urlencode(request.query)}"

    def _passthrough_path(self, request: WireRequest) -> str:
        """Our own for the operation; where the address has the model, vectors are asked for by several verbs: then with
        the client's."""
        spoken, path = self._operations[request.operation]
        if spoken.model_in_body or request.operation != "embed":
            return path
        address, *query = path.partition("?")
        verb = request.path.partition(_MODEL)[2]
        return "".join([*address.partition(_MODEL)[:2], verb, *query])

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

    async def _post(self, url: str, headers: dict[str, str], body: bytes, spoken: WireFormat) -> WireResponse:
        response = await self._wire.send("POST", url, headers, body)
        if response.status >= 300:
            await self._read(response, spoken)
        return response

    async def _read(self, response: WireResponse, spoken: WireFormat | None = None) -> bytes:
        """The whole body of a good answer; raises what `read_error` makes of a bad one. Its body is in the format
        `spoken`, where that is given, and goes to clients of that format."""
        from proxy_core.upstream.wire import read_body

        body = await read_body(response)
        if response.status < 300:
            return body
        error = self.read_error(response.status, response.headers, body)
        if spoken not in (None, self._format) and error.upstream_body is not None:
            error.upstream_body = (spoken.name, body)
        raise error

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
