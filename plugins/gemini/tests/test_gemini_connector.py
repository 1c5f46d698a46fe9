"""The connector `gemini`, on a transport that answers from memory."""

import json
from typing import Any

import httpx
import pytest

from llm_proxy_gemini import GeminiBackend, provide
from proxy_core.api import (
    AppConfig,
    ConfigurationError,
    DomainRequest,
    EmbeddingRequest,
    Identity,
    Message,
    RateLimitError,
    ResponseEnvelope,
    StreamingResponseEnvelope,
    TextPart,
    TranslationService,
    WireRequest,
)

ANSWER = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
    "modelVersion": "gemini-3-pro",
    "responseId": "r1",
}
STREAM = b"data: %b\r\n\r\n" % json.dumps(ANSWER).encode()
REPLIES: dict[str, Any] = {
    "generateContent": lambda: httpx.Response(200, json=ANSWER),
    "streamGenerateContent": lambda: httpx.Response(200, content=STREAM),
    "countTokens": lambda: httpx.Response(200, json={"totalTokens": 7}),
    "batchEmbedContents": lambda: httpx.Response(200, json={"embeddings": [{"values": [1.0, 2.0]}]}),
}
MODELS = [
    {"name": "models/gemini-3-pro", "supportedGenerationMethods": ["generateContent", "countTokens"]},
    {"name": "models/aqa", "supportedGenerationMethods": ["generateAnswer"]},
]
asked: list[httpx.Request] = []


def _reply(request: httpx.Request) -> httpx.Response:
    asked.append(request)
    if request.method == "GET":
        return httpx.Response(200, json={"models": MODELS})
    if "exhausted" in request.url.path:
        error = {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}
        return httpx.Response(429, json={"error": error})
    reply: httpx.Response = REPLIES[request.url.path.rpartition(":")[2]]()
    return reply


async def ready(**options: Any) -> GeminiBackend:
    """An initialized backend whose network answers from memory."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(_reply))
    backend = GeminiBackend(client, AppConfig(), TranslationService())
    await backend.initialize(**{"api_key": "AIza-test", **options})
    return backend


def request(stream: bool = False) -> DomainRequest:
    messages = [Message(role="user", content=[TextPart(text="Hi")])]
    return DomainRequest(model="m", messages=messages, max_tokens=10, stream=stream)


async def test_a_request_goes_to_the_models_address_with_the_key() -> None:
    backend = await ready()
    answer = await backend.chat_completions(request(), [], "gemini-3-pro")
    assert isinstance(answer, ResponseEnvelope)
    assert answer.content.text == "Hello"  # type: ignore[union-attr]
    sent = asked[-1]
    host = "https://generativelanguage.googleapis.com"
    assert str(sent.url) == f"{host}/v1beta/models/gemini-3-pro:generateContent"
    assert sent.headers["x-goog-api-key"] == "AIza-test"
    assert "authorization" not in sent.headers
    body = json.loads(sent.content)
    assert body["generationConfig"]["maxOutputTokens"] == 10
    assert not {"model", "stream"} & body.keys()


async def test_a_stream_is_asked_for_as_events() -> None:
    backend = await ready()
    answer = await backend.chat_completions(request(stream=True), [], "gemini-3-pro")
    assert isinstance(answer, StreamingResponseEnvelope)
    chunks = [chunk async for piece in answer for chunk in piece.content]  # type: ignore[union-attr]
    assert (chunks[-1].may_be_last, chunks[-1].terminal) == (True, False)  # type: ignore[union-attr]
    assert str(asked[-1].url).endswith("/models/gemini-3-pro:streamGenerateContent?alt=sse")


@pytest.mark.parametrize("model", ["../../evil", "a/b?x=1", "tuned models/é"])
async def test_a_models_name_is_one_segment_of_the_address(model: str) -> None:
    backend = await ready()
    await backend.chat_completions(request(), [], model)
    path = asked[-1].url.raw_path.decode()
    assert path.startswith("/v1beta/models/")
    assert path.count("/") == 3
    assert "?" not in path


async def test_models_that_chat_are_listed() -> None:
    assert (await ready()).get_available_models() == ["gemini-3-pro"]


@pytest.mark.parametrize("pasted", ["https://gate.example", "https://gate.example/v1beta/"])
async def test_a_base_url_works_with_and_without_its_version(pasted: str) -> None:
    backend = await ready(api_base_url=pasted)
    await backend.chat_completions(request(), [], "m")
    assert str(asked[-1].url) == "https://gate.example/v1beta/models/m:generateContent"


@pytest.mark.parametrize(
    ("stream", "framing", "end"),
    [
        (False, "array", ":generateContent"),
        (True, "sse", ":streamGenerateContent?alt=sse"),
        (True, "array", ":streamGenerateContent"),
    ],
)
async def test_a_clients_own_bytes_pass_through(stream: bool, framing: Any, end: str) -> None:
    backend = await ready()
    body = b'{ "contents":[] , "unknown" : 1.0}'
    wire = WireRequest("gemini", body, "gemini:m", stream, path="/v1/models/{model}:x", framing=framing)
    assert backend.takes_bytes(wire)
    answer = await backend.passthrough(wire, "m", Identity("test/1"))
    if isinstance(answer, StreamingResponseEnvelope):
        assert b"".join([piece.content async for piece in answer]) == STREAM  # type: ignore[misc]
    assert asked[-1].content == body
    assert str(asked[-1].url).endswith(f"/v1beta/models/m{end}")


async def test_tokens_are_counted_and_texts_embedded() -> None:
    backend = await ready()
    count = await backend.count_tokens(request(), "m")
    assert count is not None
    assert (count.input_tokens, count.estimated) == (7, False)
    vectors = await backend.embed(EmbeddingRequest(model="m", inputs=["a"]), "m")
    assert vectors.vectors == [[1.0, 2.0]]


async def test_an_exhausted_quota_is_a_rate_limit() -> None:
    backend = await ready()
    with pytest.raises(RateLimitError, match="Quota exceeded"):
        await backend.chat_completions(request(), [], "exhausted")


async def test_a_missing_key_says_where_to_put_it() -> None:
    with pytest.raises(ConfigurationError, match="GEMINI_API_KEY"):
        await ready(api_key=None)


def test_the_definition_names_this_distribution() -> None:
    definition = provide()
    assert (definition.backend_name, definition.plugin_name) == ("gemini", "llm-proxy-gemini")
    assert definition.compatibility.problem("0.1.0") is None
