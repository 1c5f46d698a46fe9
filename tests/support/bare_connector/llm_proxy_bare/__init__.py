"""A connector to a provider with an OpenAI-like API, written on httpx and nothing else."""

import httpx

from proxy_core.api import (
    AppConfig,
    BackendPluginDefinition,
    LLMBackend,
    PluginCompatibility,
    ProcessedResponse,
    ResponseEnvelope,
    StreamingResponseHandle,
    TranslationService,
)


class BareBackend(LLMBackend):
    backend_type = "bare"

    def __init__(self, client: httpx.AsyncClient, config: AppConfig, translation_service: TranslationService):
        super().__init__(config)
        self.client = client
        self.translation_service = translation_service
        self.models = []

    async def initialize(self, **kwargs):
        self.api_key = kwargs["api_key"]
        self.api_base_url = kwargs["api_base_url"]
        response = await self.client.get(f"{self.api_base_url}/models", headers=self.headers())
        response.raise_for_status()
        self.models = [model["id"] for model in response.json()["data"]]

    def headers(self):
        return {"Authorization": f"Bearer {self.api_key}"}

    def get_available_models(self):
        return self.models

    def messages(self, processed_messages):
        return processed_messages

    def content(self, chunk):
        return chunk

    async def chat_completions(self, request_data, processed_messages, effective_model, identity=None, **kwargs):
        payload = self.translation_service.from_domain_request(request_data, "openai")
        payload["model"] = effective_model
        payload["stream"] = request_data.stream
        payload["messages"] = self.messages(processed_messages)
        url = f"{self.api_base_url}/chat/completions"
        if request_data.stream:
            return await self.stream(url, payload)
        response = await self.client.post(url, json=payload, headers=self.headers())
        data = response.json()
        domain = self.translation_service.to_domain_response(data, "openai")
        return ResponseEnvelope(
            content=domain.model_dump(),
            status_code=response.status_code,
            headers=dict(response.headers),
            usage=domain.usage,
        )

    async def stream(self, url, payload):
        request = self.client.build_request("POST", url, json=payload, headers=self.headers())
        response = await self.client.send(request, stream=True)

        async def iterator():
            async for chunk in response.aiter_text():
                domain_chunk = self.translation_service.to_domain_stream_chunk(chunk, "openai")
                yield ProcessedResponse(content=self.content(domain_chunk))

        return StreamingResponseHandle(
            iterator=iterator(), cancel_callback=response.aclose, headers=dict(response.headers)
        )


class DumpingBackend(BareBackend):
    """The same, for somebody who likes plain dicts."""

    backend_type = "bare-dumps"

    def messages(self, processed_messages):
        return [message.model_dump() for message in processed_messages]

    def content(self, chunk):
        return chunk.model_dump()


class CarefulBackend(BareBackend):
    """The same, for somebody who looks at the status and reads line by line."""

    backend_type = "bare-careful"

    async def stream(self, url, payload):
        request = self.client.build_request("POST", url, json=payload, headers=self.headers())
        response = await self.client.send(request, stream=True)
        if response.is_error:
            await response.aread()
            response.raise_for_status()

        async def iterator():
            async for line in response.aiter_lines():
                yield ProcessedResponse(content=self.translation_service.to_domain_stream_chunk(line, "openai"))

        return StreamingResponseHandle(
            iterator=iterator(), cancel_callback=response.aclose, headers=dict(response.headers)
        )


def _definition(backend):
    return BackendPluginDefinition(
        backend_name=backend.backend_type,
        factory=backend,
        plugin_name="llm-proxy-bare",
        compatibility=PluginCompatibility(core_min_version="0.1"),
    )


def provide():
    return _definition(BareBackend)


def provide_dumping():
    return _definition(DumpingBackend)


def provide_careful():
    return _definition(CarefulBackend)
