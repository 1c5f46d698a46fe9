"""What the gateway makes of connectors that misbehave, and what it leaves behind."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from proxy_core.api import (
    BackendPluginDefinition,
    DomainRequest,
    HTTPBackend,
    LLMBackend,
    PluginCompatibility,
    ProcessedResponse,
    ResponseEnvelope,
    StreamChunk,
    StreamingResponseHandle,
    TextDelta,
    hookimpl,
)
from proxy_core.config import AppConfig
from proxy_core.gateway import Exchange, Gateway
from proxy_core.host.hooks import Hooks, StreamEndContext
from proxy_core.host.registry import ConfiguredBackend, Registry
from proxy_core.server.endpoint import ChatEndpoint
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
        if effective_model == "bytes":
            return ResponseEnvelope(b"{}")
        if effective_model == "odd-status":
            return ResponseEnvelope({}, 999)
        return StreamingResponseHandle(self._pieces(effective_model))

    async def _pieces(self, model: str) -> AsyncIterator[ProcessedResponse]:
        yield ProcessedResponse(StreamChunk(deltas=[TextDelta(text="a")]), usage={"output_tokens": 1})  # type: ignore[arg-type]
        if model == "stream-cancels-itself":
            raise asyncio.CancelledError
        yield ProcessedResponse(StreamChunk(deltas=["nothing a client could be shown"]))  # type: ignore[list-item]


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
        endpoint = ChatEndpoint(translation.formats[0], lambda: gateway, config.server)
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


async def test_a_connector_that_cancels_itself_in_a_stream_is_not_the_client_leaving() -> None:
    world = World()
    _, body = await world.ask("stream-cancels-itself", stream=True)
    assert b'"error"' in body
    assert b"[DONE]" not in body
    assert world.ends.seen[0].outcome == "interrupted"


async def test_a_stream_that_cannot_be_written_does_not_count_as_complete() -> None:
    world = World()
    with pytest.raises(Exception, match="str"):  # the server cuts the connection
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


@asynccontextmanager
async def _client() -> AsyncIterator[Any]:
    import httpx

    async with httpx.AsyncClient() as client:
        yield client


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

    async with _client() as client:
        made = [kind(client, AppConfig(), TranslationService()) for kind in (Plain, Signs, Decides, Declines)]
    assert [bool(backend.passthrough_formats) for backend in made] == [True, False, True, False]
