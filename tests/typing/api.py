"""A connector author's file: it must pass `mypy --strict` as it stands. It is read, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, assert_type

import httpx
from pydantic import Field

from proxy_core.api import (
    AppConfig,
    BackendCapabilities,
    BackendOptions,
    BackendPluginDefinition,
    ChatMessage,
    DomainRequest,
    DomainResponse,
    ErrorContext,
    Event,
    HTTPBackend,
    Identity,
    LLMBackend,
    PermissionDeniedError,
    PluginCompatibility,
    ProcessedResponse,
    RateLimitError,
    RequestContext,
    ResponseContext,
    ResponseEnvelope,
    StreamChunk,
    StreamEndContext,
    StreamingResponseEnvelope,
    StreamingResponseHandle,
    TextDelta,
    TranslationService,
    Usage,
    ensure_loop_guard_header,
    hookimpl,
)


class Options(BackendOptions):
    """Options of the connector below."""

    region: str = Field("eu", description="Where to run.")


class ShortBackend(HTTPBackend):
    """The connector of thirty lines, with every quirk overridden."""

    backend_type = "short"
    wire_format = "openai"
    default_base_url = "https://api.example.com/v1"
    api_key_env = "SHORT_API_KEY"
    static_headers = {"x-client": "llm-proxy"}

    def prepare_payload(self, payload: dict[str, Any], model: str) -> dict[str, Any]:
        return {**payload, "store": False}

    def build_headers(self, identity: Identity) -> dict[str, str]:
        return {**super().build_headers(identity), "x-region": "eu"}

    def chat_url(self, model: str, stream: bool) -> str:
        return f"{self.base_url}/models/{model}/chat"

    def read_chunk(self, event: Event) -> StreamChunk | None:
        return None if event.name == "ping" else super().read_chunk(event)

    async def list_models(self) -> list[str]:
        return [*await super().list_models(), "one-more"]


class BareBackend(LLMBackend):
    """The connector written on httpx alone."""

    backend_type = "bare"

    def __init__(self, client: httpx.AsyncClient, config: AppConfig, translation_service: TranslationService) -> None:
        super().__init__(config)
        self.client = client
        self.translation_service = translation_service
        self.base_url = ""
        self.models: list[str] = []

    async def initialize(self, **kwargs: Any) -> None:
        self.base_url = kwargs["api_base_url"]

    def get_available_models(self) -> list[str]:
        return self.models

    async def chat_completions(
        self,
        request_data: DomainRequest,
        processed_messages: Sequence[ChatMessage],
        effective_model: str,
        identity: Identity | None = None,
        **kwargs: Any,
    ) -> ResponseEnvelope | StreamingResponseEnvelope:
        payload = self.translation_service.from_domain_request(request_data, "openai")
        assert_type(payload, dict[str, Any])
        payload["messages"] = [message.model_dump() for message in processed_messages]
        headers = identity.get_resolved_headers() if identity else {}
        ensure_loop_guard_header(headers)
        request = self.client.build_request("POST", self.base_url, json=payload, headers=headers)
        response = await self.client.send(request, stream=request_data.stream)
        if response.status_code == 429:
            raise RateLimitError("slow down", retry_after=1.5)
        if request_data.stream:
            return StreamingResponseHandle(
                iterator=self.pieces(response), cancel_callback=response.aclose, headers=response.headers
            )
        domain = self.translation_service.to_domain_response(response.json(), "openai")
        assert_type(domain, DomainResponse)
        assert_type(domain.usage, Usage | None)
        return ResponseEnvelope(
            content=domain.model_dump(),
            status_code=response.status_code,
            headers=dict(response.headers),
            usage=domain.usage,
        )

    async def pieces(self, response: httpx.Response) -> AsyncIterator[ProcessedResponse]:
        async for text in response.aiter_text():
            chunk = self.translation_service.to_domain_stream_chunk(text, "openai")
            assert_type(chunk, StreamChunk)
            yield ProcessedResponse(content=chunk)
        yield ProcessedResponse(content=StreamChunk(deltas=[TextDelta(text="bye")], terminal=True).model_dump())


class Watcher:
    """A hook plugin."""

    @hookimpl
    def before_request(self, context: RequestContext) -> DomainRequest | None:
        if context.model == "forbidden":
            raise PermissionDeniedError("not today", code="closed")
        return context.request.with_model("other") if context.stream else None

    @hookimpl
    def after_response(self, context: ResponseContext) -> None:
        assert_type(context.usage, Usage | None)

    @hookimpl
    async def on_stream_end(self, context: StreamEndContext) -> None:
        assert_type(context.time_to_first_token, float | None)

    @hookimpl
    async def on_error(self, context: ErrorContext) -> None:
        assert_type(context.error.message, str)


def provide() -> BackendPluginDefinition:
    return BackendPluginDefinition(
        backend_name="short",
        factory=ShortBackend,
        plugin_name="llm-proxy-short",
        compatibility=PluginCompatibility(core_min_version="0.1", core_max_version="1"),
        capabilities=BackendCapabilities(tools=True),
        options_model=Options,
        api_key_env="SHORT_API_KEY",
    )


def provide_bare() -> BackendPluginDefinition:
    return BackendPluginDefinition("bare", BareBackend, "llm-proxy-short", PluginCompatibility("0.1"))
