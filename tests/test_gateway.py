"""What the gateway makes of connectors that misbehave, and what it leaves behind."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message

from proxy_core.api import (
    BackendPluginDefinition,
    DomainRequest,
    Finish,
    HTTPBackend,
    Identity,
    InvalidRequestError,
    LLMBackend,
    PluginCompatibility,
    ProcessedResponse,
    RateLimitError,
    ResponseEnvelope,
    StreamChunk,
    StreamingResponseHandle,
    TextDelta,
    TokenCount,
    WireRequest,
    hookimpl,
)
from proxy_core.config import AppConfig
from proxy_core.gateway import Exchange, Gateway
from proxy_core.host.hooks import Hooks, StreamEndContext
from proxy_core.host.registry import ConfiguredBackend, Registry
from proxy_core.server.endpoint import ClientEndpoint
from proxy_core.server.guard import Guard
from proxy_core.server.protocols import Protocols
from proxy_core.translation import TranslationService

KEY = "sk-canary-0123456789"


class Misbehaved(LLMBackend):
    """Does what the model's name says."""

    async def initialize(self, **kwargs: Any) -> None:
        pass

    async def chat_completions(
        self, request_data: DomainRequest, processed_messages: Any, effective_model: str, identity: Any = None, **_: Any
    ) -> Any:
        if effective_model == "cancels-itself":
            raise asyncio.CancelledError
        if effective_model == "exits":
            raise SystemExit("bye")
        if effective_model == "tells-its-key":
            raise RuntimeError(f"refused {KEY}")
        if effective_model.startswith("wait-"):
            raise RateLimitError("later", retry_after=float(effective_model.removeprefix("wait-")))
        if effective_model == "bytes":
            return ResponseEnvelope(b"{}")
        if effective_model == "odd-status":
            return ResponseEnvelope({}, 999)
        return StreamingResponseHandle(self._pieces(effective_model))

    async def _pieces(self, model: str) -> AsyncIterator[ProcessedResponse]:
        if model.startswith("ends-"):
            for number in (0, 1, 0):
                yield ProcessedResponse(StreamChunk(deltas=[TextDelta(text="a", choice=number)]))
            for ended in model.removeprefix("ends-"):
                finish = Finish(reason="stop", choice=int(ended))
                yield ProcessedResponse(StreamChunk(finish=[finish], may_be_last=True))
            return
        yield ProcessedResponse(StreamChunk(deltas=[TextDelta(text="a")]), usage={"output_tokens": 1})  # type: ignore[arg-type]
        if model == "stream-cancels-itself":
            raise asyncio.CancelledError
        yield ProcessedResponse(StreamChunk(deltas=[TextDelta(text=object())]))  # type: ignore[arg-type]  # no client can be shown that


class Ends:
    """Remembers how requests ended."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @hookimpl
    def after_response(self, context: Any) -> None:
        self.seen.append(context)

    @hookimpl
    def on_stream_end(self, context: Any) -> None:
        self.seen.append(context)

    @hookimpl
    def on_error(self, context: Any) -> None:
        self.seen.append(context)


class World:
    """The server around one backend called `bad`."""

    def __init__(self) -> None:
        config, translation = AppConfig(), TranslationService()
        definition = BackendPluginDefinition("bad", Misbehaved, "test", PluginCompatibility("0.1"))  # type: ignore[arg-type]
        backend = ConfiguredBackend("bad", definition, Misbehaved(config), {"api_key": KEY}, 1.0)
        backend.ready = True
        self.ends, self.reported = Ends(), []
        hooks = Hooks(lambda *failure: self.reported.append(failure))
        hooks.register(self.ends, "ends")
        gateway = Gateway(config, Registry({"bad": backend}), translation, hooks)
        protocols = Protocols(translation)
        endpoint = ClientEndpoint(protocols.exact["/v1/chat/completions"], lambda: gateway, config.server)
        self.app: ASGIApp = Guard(endpoint, config, protocols)

    async def ask(self, model: str, stream: bool = False, peer: str = "127.0.0.1") -> tuple[int, bytes]:
        """Status and body of the answer."""
        body = {"model": f"bad:{model}", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        received: list[Message] = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
        sent: list[Message] = []

        async def receive() -> Message:
            if not received:
                await asyncio.Event().wait()
            return received.pop()

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(dict(message))

        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "client": (peer, 1)}
        await self.app({**scope, "headers": [(b"host", b"127.0.0.1")]}, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("model", ["cancels-itself", "exits", "tells-its-key", "bytes", "odd-status"])
async def test_whatever_a_connector_raises_is_an_error_in_the_clients_format(model: str) -> None:
    world = World()
    status, body = await world.ask(model)
    assert status == 502
    assert json.loads(body)["error"]["message"]
    assert KEY.encode() not in body
    [end] = world.ends.seen
    assert end.error.status_code == 502
    assert KEY not in str(end.error)


@pytest.mark.parametrize("seconds", ["inf", "nan", "-1", "1e300", "0.5"])
async def test_a_wait_of_any_length_is_a_rate_limit(seconds: str) -> None:
    status, body = await World().ask(f"wait-{seconds}")
    assert (status, json.loads(body)["error"]["message"]) == (429, "later")


async def test_a_connector_that_cancels_itself_in_a_stream_is_not_the_client_leaving() -> None:
    world = World()
    _, body = await world.ask("stream-cancels-itself", stream=True)
    assert b'"error"' in body
    assert b"[DONE]" not in body
    assert world.ends.seen[0].outcome == "interrupted"


@pytest.mark.parametrize(
    ("model", "whole"), [("ends-", False), ("ends-0", False), ("ends-1", False), ("ends-01", True), ("ends-10", True)]
)
async def test_a_stream_without_a_last_event_may_end_once_every_choice_has(model: str, whole: bool) -> None:
    _, body = await World().ask(model, stream=True)
    assert (b'"error"' in body) != whole
    assert body.endswith(b"[DONE]\n\n") == whole


async def test_a_stream_that_cannot_be_written_does_not_count_as_complete() -> None:
    world = World()
    with pytest.raises(TypeError, match="object"):  # the server cuts the connection
        await world.ask("unwritable", stream=True)
    [end] = world.ends.seen
    assert isinstance(end, StreamEndContext)
    assert end.outcome == "interrupted"


@pytest.mark.parametrize("stream", [False, True])
async def test_failed_requests_leave_nothing_for_the_garbage_collector(stream: bool) -> None:
    world = World()
    gc.collect()
    gc.disable()
    try:
        for model in ("tells-its-key", "cancels-itself", "stream-cancels-itself", "bytes"):
            await world.ask(model, stream=stream)
        world.ends.seen.clear()
        await asyncio.sleep(0)
        alive = [thing for thing in gc.get_objects() if isinstance(thing, Exchange)]
    finally:
        gc.enable()
    assert alive == []


async def test_without_keys_only_this_machine_is_served() -> None:
    status, body = await World().ask("exits", peer="203.0.113.9")
    assert (status, json.loads(body)["error"]["code"]) == (403, "foreign_peer")


class Addressed(HTTPBackend):
    """Has addresses of its own for the Gemini format."""

    wire_format = "gemini"
    default_base_url = "https://up.example/v1"
    chat_path = "/deployments/{model}:generateContent?version=1"
    stream_path = "/deployments/{model}:streamGenerateContent?alt=sse"
    count_path = "/deployments/{model}/tokens:countTokens"
    embedding_path = "/deployments/{model}:batchEmbedContents?version=1"


@pytest.mark.parametrize(
    ("operation", "verb", "stream", "framing", "expected"),
    [
        ("chat", ":generateContent", False, "array", "/m:generateContent?version=1"),
        ("chat", ":streamGenerateContent", True, "array", "/m:streamGenerateContent"),
        ("chat", ":streamGenerateContent", True, "sse", "/m:streamGenerateContent?alt=sse"),
        ("count_tokens", ":countTokens", False, "array", "/m/tokens:countTokens"),
        ("embed", ":embedContent", False, "array", "/m:embedContent?version=1"),
        ("embed", ":batchEmbedContents", False, "array", "/m:batchEmbedContents?version=1"),
    ],
)
async def test_bytes_go_where_the_connector_says(
    operation: Any, verb: str, stream: bool, framing: Any, expected: str
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        backend = Addressed(client, AppConfig(), TranslationService())
        path = f"/v1beta/models/{{model}}{verb}"
        request = WireRequest("gemini", b"{}", "m", stream, {}, operation, path, framing=framing)
        await backend.passthrough(request, "m", Identity("test/1"))
    assert asked == [f"https://up.example/v1/deployments{expected}"]


async def test_an_error_body_belongs_to_clients_of_the_operation_s_format() -> None:
    class TwoFormats(HTTPBackend):
        backend_type = "two"
        wire_format = "openai-responses"
        default_base_url = "https://up.example/v1"
        embedding_path = "/embeddings"
        embedding_format = "openai"

    body = b'{ "error": {"message": "no"} }'
    transport = httpx.MockTransport(lambda _: httpx.Response(400, content=body))
    async with httpx.AsyncClient(transport=transport) as client:
        backend = TwoFormats(client, AppConfig(), TranslationService())
        for operation, name in (("chat", "openai-responses"), ("embed", "openai")):
            request = WireRequest(name, b'{"model":"m"}', "m", False, {}, operation)  # type: ignore[arg-type]
            with pytest.raises(InvalidRequestError) as refused:
                await backend.passthrough(request, "m", Identity("test/1"))
            assert refused.value.upstream_body == (name, body)


@pytest.mark.parametrize("model", [".", ".."])
async def test_a_model_is_no_step_in_an_address(model: str) -> None:
    class Segmented(Addressed):
        chat_path = "/deployments/{model}/chat"

    async with httpx.AsyncClient() as client:
        backend = Segmented(client, AppConfig(), TranslationService())
    with pytest.raises(InvalidRequestError, match="model"):
        backend.chat_url(model, stream=False)
    assert "/deployments/" in backend.chat_url(model, stream=True)


async def test_bytes_do_not_pass_by_a_connector_s_own_operations() -> None:
    class Counts(Addressed):
        async def count_tokens(self, *args: Any, **kwargs: Any) -> TokenCount | None:
            return None

    class Decides(Counts):
        lossless = True

    request = WireRequest("gemini", b"{}", "m", stream=False, operation="count_tokens")
    async with httpx.AsyncClient() as client:
        made = [kind(client, AppConfig(), TranslationService()) for kind in (Addressed, Counts, Decides)]
    assert [backend.takes_bytes(request) for backend in made] == [True, False, True]
    assert made[1].takes_bytes(WireRequest("gemini", b"{}", "m", stream=False))


def test_a_list_of_models_that_is_none_is_no_list() -> None:
    for body in (5, True, "x", None, {"data": 5}, {"data": [1, {"id": 2}]}):
        assert TranslationService().format("openai").decode_models(body) == []


async def test_what_bytes_would_pass_by_keeps_a_connector_out_of_the_lossless_lane() -> None:
    class Plain(HTTPBackend):
        wire_format = "openai"
        default_base_url = "http://127.0.0.1:9/v1"

    class Signs(Plain):
        async def chat_completions(self, *args: Any, **kwargs: Any) -> Any:
            return await super().chat_completions(*args, **kwargs)

    class Decides(Signs):
        lossless = True

    class Declines(Plain):
        lossless = False

    async with httpx.AsyncClient() as client:
        made = [kind(client, AppConfig(), TranslationService()) for kind in (Plain, Signs, Decides, Declines)]
    assert [bool(backend.passthrough_formats) for backend in made] == [True, False, True, False]
