"""The connectors `openai`, `openai-responses` and `openai-compatible`, on a transport that answers from memory."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from llm_proxy_openai import (
    OpenAIBackend,
    OpenAICompatibleBackend,
    OpenAIResponsesBackend,
    provide,
    provide_compatible,
    provide_responses,
)
from proxy_core.api import (
    AppConfig,
    ConfigurationError,
    DomainRequest,
    EmbeddingRequest,
    HTTPBackend,
    Message,
    RateLimitError,
    ResponseEnvelope,
    StreamChunk,
    StreamingResponseEnvelope,
    TextDelta,
    TextPart,
    TranslationService,
)

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
EVENTS = (
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


class Upstream:
    """Answers every request with `reply`, and remembers what it was asked."""

    def __init__(self, reply: Callable[[httpx.Request], httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self._reply = reply

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": [{"id": "gpt-5"}, {"id": "gpt-5-mini"}]})
        return self._reply(request)

    @property
    def asked(self) -> httpx.Request:
        return self.requests[-1]


async def ready(upstream: Upstream, kind: type[HTTPBackend] = OpenAIBackend, **options: Any) -> HTTPBackend:
    """An initialized backend whose network is `upstream`."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(upstream))
    backend = kind(client, AppConfig(), TranslationService())
    await backend.initialize(**{"api_key": "sk-test", **options})
    return backend


def request(stream: bool = False) -> DomainRequest:
    return DomainRequest(
        model="openai:gpt-5", messages=[Message(role="user", content=[TextPart(text="Hi")])], stream=stream
    )


async def texts(answer: ResponseEnvelope | StreamingResponseEnvelope) -> tuple[str, bool]:
    """The text of a stream, and whether its end came."""
    assert isinstance(answer, StreamingResponseEnvelope)
    chunks: list[StreamChunk] = [chunk async for chunk in _chunks(answer)]
    deltas = [delta for chunk in chunks for delta in chunk.deltas if isinstance(delta, TextDelta)]
    return "".join(delta.text for delta in deltas), any(chunk.terminal for chunk in chunks)


async def _chunks(answer: StreamingResponseEnvelope) -> AsyncIterator[StreamChunk]:
    async for piece in answer:
        assert isinstance(piece.content, list)
        for chunk in piece.content:
            yield chunk


async def test_a_whole_answer_comes_back_as_a_domain_response() -> None:
    upstream = Upstream(lambda _: httpx.Response(200, json=ANSWER))
    backend = await ready(upstream)
    answer = await backend.chat_completions(request(), [], "gpt-5")
    assert isinstance(answer, ResponseEnvelope)
    assert answer.content.text == "Hello"  # type: ignore[union-attr]
    assert answer.usage is not None
    sent = json.loads(upstream.asked.content)
    assert (sent["model"], sent["messages"]) == ("gpt-5", [{"role": "user", "content": "Hi"}])


async def test_the_same_answer_comes_streamed() -> None:
    upstream = Upstream(lambda _: httpx.Response(200, content=EVENTS))
    backend = await ready(upstream)
    assert await texts(await backend.chat_completions(request(stream=True), [], "gpt-5")) == ("Hello", True)
    assert json.loads(upstream.asked.content)["stream"] is True


async def test_the_key_goes_into_the_authorization_header_and_the_loop_guard_beside_it() -> None:
    upstream = Upstream(lambda _: httpx.Response(200, json=ANSWER))
    backend = await ready(upstream, extra_headers={"X-Team": "blue"})
    await backend.chat_completions(request(), [], "gpt-5")
    headers = upstream.asked.headers
    assert headers["authorization"] == "Bearer sk-test"
    assert headers["x-llmproxy-loop-guard"] == "1"
    assert headers["x-team"] == "blue"


async def test_the_loop_guard_can_be_switched_off() -> None:
    upstream = Upstream(lambda _: httpx.Response(200, json=ANSWER))
    backend = await ready(upstream, loop_guard=False)
    await backend.chat_completions(request(), [], "gpt-5")
    assert "x-llmproxy-loop-guard" not in upstream.asked.headers


@pytest.mark.parametrize(
    "pasted",
    [
        "https://llm.example",
        "https://llm.example/",
        "https://llm.example/v1",
        "https://llm.example/v1/",
        "https://llm.example/v1/chat/completions",
    ],
)
async def test_a_base_url_works_however_it_was_pasted(pasted: str) -> None:
    upstream = Upstream(lambda _: httpx.Response(200, json=ANSWER))
    backend = await ready(upstream, api_base_url=pasted)
    await backend.chat_completions(request(), [], "gpt-5")
    assert str(upstream.asked.url) == "https://llm.example/v1/chat/completions"


async def test_another_version_segment_is_kept() -> None:
    upstream = Upstream(lambda _: httpx.Response(200, json=ANSWER))
    backend = await ready(upstream, api_base_url="https://llm.example/api/paas/v4")
    await backend.chat_completions(request(), [], "glm")
    assert str(upstream.asked.url) == "https://llm.example/api/paas/v4/chat/completions"


async def test_models_are_asked_for_unless_they_are_configured() -> None:
    upstream = Upstream(lambda _: httpx.Response(500))
    assert (await ready(upstream)).get_available_models() == ["gpt-5", "gpt-5-mini"]
    assert (await ready(Upstream(lambda _: httpx.Response(500)), models=["mine"])).get_available_models() == ["mine"]


async def test_a_rate_limit_keeps_its_words_and_its_wait() -> None:
    body = {"error": {"message": "Slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    backend = await ready(Upstream(lambda _: httpx.Response(429, json=body, headers={"retry-after": "7"})))
    with pytest.raises(RateLimitError, match="Slow down") as caught:
        await backend.chat_completions(request(), [], "gpt-5")
    assert (caught.value.retry_after, caught.value.status_code) == (7.0, 429)


async def test_openai_wants_a_key_and_says_where_to_put_it() -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        await ready(Upstream(lambda _: httpx.Response(200)), api_key=None)


async def test_a_compatible_server_needs_an_address_but_no_key() -> None:
    upstream = Upstream(lambda _: httpx.Response(200, json=ANSWER))
    with pytest.raises(ConfigurationError, match="api_base_url"):
        await ready(upstream, OpenAICompatibleBackend, api_key=None)
    backend = await ready(upstream, OpenAICompatibleBackend, api_key=None, api_base_url="http://127.0.0.1:8000")
    await backend.chat_completions(request(), [], "llama")
    assert "authorization" not in upstream.asked.headers


async def test_a_server_that_never_says_done_can_be_told_apart() -> None:
    upstream = Upstream(lambda _: httpx.Response(200))
    options = {"api_base_url": "http://127.0.0.1:8000"}
    assert (await ready(upstream, OpenAICompatibleBackend, **options)).terminal_required
    assert not (await ready(upstream, OpenAICompatibleBackend, terminal_required=False, **options)).terminal_required


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}],
    "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4},
}


async def test_responses_go_to_an_address_of_their_own() -> None:
    upstream = Upstream(lambda _: httpx.Response(200, json=RESPONSE))
    backend = await ready(upstream, OpenAIResponsesBackend)
    answer = await backend.chat_completions(request(), [], "gpt-5")
    assert answer.content.text == "Hello"  # type: ignore[union-attr]
    assert str(upstream.asked.url) == "https://api.openai.com/v1/responses"
    sent = json.loads(upstream.asked.content)
    assert (sent["model"], sent["store"]) == ("gpt-5", False)
    assert "messages" not in sent


async def test_responses_count_tokens() -> None:
    body = {"object": "response.input_tokens", "input_tokens": 7}
    upstream = Upstream(lambda _: httpx.Response(200, json=body))
    backend = await ready(upstream, OpenAIResponsesBackend)
    count = await backend.count_tokens(request(), "gpt-5")
    assert count is not None
    assert count.input_tokens == 7
    assert str(upstream.asked.url) == "https://api.openai.com/v1/responses/input_tokens"


@pytest.mark.parametrize("kind", [OpenAIBackend, OpenAIResponsesBackend])
async def test_both_embed(kind: type[HTTPBackend]) -> None:
    body = {"object": "list", "data": [{"index": 0, "embedding": [1.0, 2.0]}], "model": "e", "usage": {}}
    upstream = Upstream(lambda _: httpx.Response(200, json=body))
    backend = await ready(upstream, kind)
    answer = await backend.embed(EmbeddingRequest(model="e", inputs=["a"]), "e")
    assert answer.vectors == [[1.0, 2.0]]
    assert str(upstream.asked.url) == "https://api.openai.com/v1/embeddings"


def test_the_definitions_name_this_distribution() -> None:
    definitions = [provide(), provide_compatible(), provide_responses()]
    names = ["openai", "openai-compatible", "openai-responses"]
    assert [definition.backend_name for definition in definitions] == names
    assert {definition.plugin_name for definition in definitions} == {"llm-proxy-openai"}
    assert all(definition.compatibility.problem("0.1.0") is None for definition in definitions)
