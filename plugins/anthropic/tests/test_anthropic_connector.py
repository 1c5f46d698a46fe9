"""The connector `anthropic`, on a transport that answers from memory."""

import json
from typing import Any

import httpx
import pytest

from llm_proxy_anthropic import AnthropicBackend, provide
from proxy_core.api import (
    AppConfig,
    ConfigurationError,
    DomainRequest,
    Identity,
    Message,
    ResponseEnvelope,
    ServiceUnavailableError,
    StreamingResponseEnvelope,
    TextPart,
    TranslationService,
    WireRequest,
)

ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
EVENTS = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":3}}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
asked: list[httpx.Request] = []


def _reply(request: httpx.Request) -> httpx.Response:
    asked.append(request)
    if request.method == "GET":
        return httpx.Response(200, json={"data": [{"type": "model", "id": "claude-sonnet-4-5"}], "has_more": False})
    body = json.loads(request.content)
    if body["model"] == "overloaded":
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return httpx.Response(529, json=error)
    return httpx.Response(200, content=EVENTS) if body.get("stream") else httpx.Response(200, json=ANSWER)


async def ready(**options: Any) -> AnthropicBackend:
    """An initialized backend whose network answers from memory."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(_reply))
    backend = AnthropicBackend(client, AppConfig(), TranslationService())
    await backend.initialize(**{"api_key": "sk-ant-test", **options})
    return backend


def request() -> DomainRequest:
    return DomainRequest(model="m", messages=[Message(role="user", content=[TextPart(text="Hi")])], max_tokens=10)


async def test_a_request_goes_to_messages_with_key_and_version() -> None:
    backend = await ready()
    answer = await backend.chat_completions(request(), [], "claude-sonnet-4-5")
    assert isinstance(answer, ResponseEnvelope)
    sent = asked[-1]
    assert str(sent.url) == "https://api.anthropic.com/v1/messages"
    assert (sent.headers["x-api-key"], sent.headers["anthropic-version"]) == ("sk-ant-test", "2023-06-01")
    assert "authorization" not in sent.headers
    assert json.loads(sent.content)["max_tokens"] == 10


async def test_models_are_listed_on_one_page() -> None:
    backend = await ready()
    assert backend.get_available_models() == ["claude-sonnet-4-5"]
    assert asked[-1].url.params["limit"] == "1000"


@pytest.mark.parametrize("pasted", ["https://gate.example", "https://gate.example/v1/messages"])
async def test_a_base_url_works_however_it_was_pasted(pasted: str) -> None:
    backend = await ready(api_base_url=pasted)
    await backend.chat_completions(request(), [], "claude-sonnet-4-5")
    assert str(asked[-1].url) == "https://gate.example/v1/messages"


async def test_a_clients_own_bytes_version_and_betas_pass_through() -> None:
    backend = await ready()
    body = b'{ "max_tokens":5,"model":"claude:x", "unknown" : 1.0, "messages":[], "stream":true}'
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": "context-1m", "x-other": "stays"}
    wire = WireRequest("anthropic", body, "claude:x", True, headers)
    answer = await backend.passthrough(wire, "x", Identity("test/1", headers=headers))
    assert isinstance(answer, StreamingResponseEnvelope)
    assert b"".join([piece.content async for piece in answer]) == EVENTS  # type: ignore[misc]
    sent = asked[-1]
    assert sent.content == body.replace(b'"claude:x"', b'"x"')
    assert (sent.headers["anthropic-version"], sent.headers["anthropic-beta"]) == ("2026-10-21", "context-1m")
    assert "x-other" not in sent.headers


async def test_overload_is_unavailability() -> None:
    backend = await ready()
    with pytest.raises(ServiceUnavailableError, match="Overloaded") as caught:
        await backend.chat_completions(request(), [], "overloaded")
    assert caught.value.status_code == 529


async def test_a_missing_key_says_where_to_put_it() -> None:
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
        await ready(api_key=None)


def test_the_definition_names_this_distribution() -> None:
    definition = provide()
    assert (definition.backend_name, definition.plugin_name) == ("anthropic", "llm-proxy-anthropic")
    assert definition.compatibility.problem("0.1.0") is None
