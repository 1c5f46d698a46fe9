"""The embedded model, asked by both SDKs."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.answers import EVENTS, HELPER, WAYS, WHOLE, Answer, Client, Way
from tests.e2e.chat_client import ChatClient
from tests.e2e.messages_client import MessagesClient
from tests.support.proxy import running_proxy

weights = pytest.importorskip("llm_proxy_local.weights", reason="the connector is not installed")

MODEL = "local:smollm2-135m-instruct"
STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)
pytestmark = pytest.mark.skipif(weights.find_weights() is None, reason="needs `llm-proxy local install`")


@pytest.fixture(scope="module")
def clients(runner: asyncio.Runner) -> Iterator[dict[str, Client]]:
    """Clients of a proxy with the embedded model and a small context."""
    with running_proxy({"backends": {"local": {"context_size": 256, "preload": True}}}) as proxy:
        chat, messages = ChatClient(proxy.openai_url, runner), MessagesClient(proxy.address, runner)
        yield {"openai": chat, "anthropic": messages}
        chat.close()
        messages.close()


def _ask(client: Client, way: Way, text: str = "Tell me about cats.", tokens: int = 8, **fields: Any) -> Answer:
    """A short answer without chance in it."""
    question = client.question(text, extra_body={"temperature": 0}, **fields)
    return client.ask(way, MODEL, question | {"max_tokens": tokens})


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


def test_both_sdks_get_the_same_answer(clients: dict[str, Client]) -> None:
    one, other = (_ask(client, HELPER, system="You are a pirate.") for client in clients.values())
    assert (one.text, _tokens(one)) == (other.text, _tokens(other))


@STREAMED
def test_a_stop_sequence_ends_the_answer(client: Client, way: Way) -> None:
    free = _ask(client, way).text
    word = {"openai": "stop", "anthropic": "stop_sequences"}[client.format]
    cut = _ask(client, way, **{word: [free[4:7]]})
    assert (cut.text, cut.finish) == (free[: free.index(free[4:7])], "stop")


@STREAMED
def test_a_conversation_too_long_for_the_context_is_a_bad_request(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.BadRequestError, match="256") as caught:
        _ask(client, way, "word " * 400)
    error = client.error_of(caught.value)
    assert error.type == "invalid_request_error"
    if client.format == "openai":
        assert error.code == "context_length_exceeded"


@STREAMED
def test_tools_are_left_out_and_told(client: Client, way: Way) -> None:
    answer = _ask(client, way, tools=1)
    assert answer.text
    assert "tools" in answer.dropped


@STREAMED
def test_a_tool_that_must_be_called_is_refused(client: Client, way: Way) -> None:
    choice = {"openai": "required", "anthropic": {"type": "any"}}[client.format]
    with pytest.raises(client.sdk.BadRequestError, match="tool"):
        _ask(client, way, tools=1, tool_choice=choice)


@STREAMED
def test_an_image_is_refused(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.BadRequestError, match="image"):
        _ask(client, way, media=(client.linked_image("https://example.com/cat.png"),))


def test_a_tool_conversation_from_elsewhere_can_go_on(client: Client) -> None:
    """What the model cannot do itself it can still read."""
    question = client.question("What time is it?", tools=1)
    if client.format == "openai":
        function = {"name": "get_time", "arguments": "{}"}
        call: Any = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]}
        result: Any = {"role": "tool", "tool_call_id": "c", "content": "Noon."}
    else:
        use = {"type": "tool_use", "id": "c", "name": "get_time", "input": {}}
        call = {"role": "assistant", "content": [use]}
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "Noon."}]}
    question["messages"] += [call, result]
    assert client.ask(WHOLE, MODEL, question | {"max_tokens": 5}).text


@STREAMED
def test_an_unknown_local_model_is_not_found(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.NotFoundError, match="none-such"):
        client.ask(way, "local:none-such", client.question())


def test_the_model_is_listed(client: Client) -> None:
    assert [model.id for model in client.sync.models.list()] == [MODEL]


def test_answers_that_wait_for_each_other_all_arrive(clients: dict[str, Client], runner: asyncio.Runner) -> None:
    client = clients["openai"]
    asked = {"model": MODEL, "max_tokens": 3, **client.question()}

    async def ask_all() -> list[Any]:
        return await asyncio.gather(*(client.asynchronous.chat.completions.create(**asked) for _ in range(4)))

    assert all(completion.usage.completion_tokens == 3 for completion in runner.run(ask_all()))
