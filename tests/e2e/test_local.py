"""The embedded model, asked by every SDK."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.answers import EVENTS, HELPER, WAYS, WHOLE, Answer, Client, Question, Way
from tests.e2e.pairs import clients_of
from tests.support.proxy import running_proxy

weights = pytest.importorskip("llm_proxy_local.weights", reason="the connector is not installed")

MODEL = "local:smollm2-135m-instruct"
STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)
pytestmark = pytest.mark.skipif(weights.find_weights() is None, reason="needs `llm-proxy local install`")


@pytest.fixture(scope="module")
def clients(runner: asyncio.Runner) -> Iterator[dict[str, Client]]:
    """Clients of a proxy with the embedded model and a small context."""
    config = {"backends": {"local": {"context_size": 256, "preload": True}}}
    with running_proxy(config) as proxy, clients_of(proxy.address, runner) as clients:
        yield clients


def _ask(client: Client, way: Way, text: str = "Tell me about cats.", tokens: int = 8, **fields: Any) -> Answer:
    """A short answer without chance in it."""
    still = {"temperature": 0} if client.format == "gemini" else {"extra_body": {"temperature": 0}}
    return client.ask(way, MODEL, client.question(text, limit=tokens, **still, **fields))


def _tokens(answer: Answer) -> tuple[int, int]:
    """In and out; how many of them were still known from the question before is chance."""
    assert answer.usage is not None
    return answer.usage.input, answer.usage.output


def test_every_way_collects_the_same_answer(client: Client) -> None:
    whole, *others = [_ask(client, way) for way in WAYS]
    assert whole.text
    assert (whole.finish, whole.model, whole.lane) == ("length", MODEL, "translated")
    assert _tokens(whole)[1] == 8
    for other in others:
        assert (other.text, other.finish, _tokens(other)) == (whole.text, whole.finish, _tokens(whole))


def test_all_sdks_get_the_same_answer(clients: dict[str, Client]) -> None:
    answers = [_ask(client, HELPER, system="You are a pirate.") for client in clients.values()]
    assert len({(answer.text, _tokens(answer)) for answer in answers}) == 1


@STREAMED
@pytest.mark.parametrize(
    ("speaker", "word"), [("openai", "stop"), ("anthropic", "stop_sequences"), ("gemini", "stop_sequences")]
)
def test_a_stop_sequence_ends_the_answer(clients: dict[str, Client], speaker: str, word: str, way: Way) -> None:
    client = clients[speaker]
    free = _ask(client, way).text
    cut = _ask(client, way, **{word: [free[4:7]]})
    assert (cut.text, cut.finish) == (free[: free.index(free[4:7])], "stop")


@STREAMED
def test_a_conversation_too_long_for_the_context_is_a_bad_request(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.BadRequestError, match="256") as caught:
        _ask(client, way, "word " * 400)
    error = client.error_of(caught.value)
    assert error.type == ("INVALID_ARGUMENT" if client.format == "gemini" else "invalid_request_error")
    if client.format.startswith("openai"):
        assert error.code == "context_length_exceeded"


@STREAMED
def test_tools_are_left_out_and_told(client: Client, way: Way) -> None:
    answer = _ask(client, way, tools=1)
    assert answer.text
    assert "tools" in answer.dropped


MUST: dict[str, Question] = {
    "openai": {"tool_choice": "required"},
    "openai-responses": {"tool_choice": "required"},
    "anthropic": {"tool_choice": {"type": "any"}},
    "gemini": {"tool_config": {"function_calling_config": {"mode": "ANY"}}},
}


@STREAMED
def test_a_tool_that_must_be_called_is_refused(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.BadRequestError, match="tool"):
        _ask(client, way, tools=1, **MUST[client.format])


@STREAMED
def test_an_image_is_refused(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.BadRequestError, match="image"):
        _ask(client, way, media=(client.linked_image("https://example.com/cat.png"),))


_FUNCTION = {"name": "get_time", "arguments": "{}"}
_PAST: dict[str, list[Any]] = {
    "openai": [
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": _FUNCTION}]},
        {"role": "tool", "tool_call_id": "c", "content": "Noon."},
    ],
    "openai-responses": [
        {"type": "function_call", "call_id": "c", **_FUNCTION},
        {"type": "function_call_output", "call_id": "c", "output": "Noon."},
    ],
    "anthropic": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "get_time", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "Noon."}]},
    ],
    "gemini": [
        {"role": "model", "parts": [{"function_call": {"name": "get_time", "args": {}}}]},
        {"role": "user", "parts": [{"function_response": {"name": "get_time", "response": {"output": "Noon."}}}]},
    ],
}


def test_a_tool_conversation_from_elsewhere_can_go_on(client: Client) -> None:
    """What the model cannot do itself it can still read."""
    question = client.question("What time is it?", tools=1, limit=5)
    question[client.turns] += _PAST[client.format]
    assert client.ask(WHOLE, MODEL, question).text


@STREAMED
def test_an_unknown_local_model_is_not_found(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.NotFoundError, match="none-such"):
        client.ask(way, "local:none-such", client.question())


def test_the_model_is_listed(client: Client) -> None:
    assert client.models() == [MODEL]


def test_answers_that_wait_for_each_other_all_arrive(client: Client, runner: asyncio.Runner) -> None:
    async def ask_all() -> list[Answer]:
        question = client.question(limit=3)
        return await asyncio.gather(*(client.ask_async(Way("whole", True), MODEL, question) for _ in range(4)))

    assert all(_tokens(answer)[1] == 3 for answer in runner.run(ask_all()))
