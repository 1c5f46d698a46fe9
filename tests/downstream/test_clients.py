"""Each client with each upstream: answers, its own tool loop, thinking, and errors that it knows as such."""

import pytest

from tests.downstream import javascript_clients, langchain_clients, pydantic_ai_clients
from tests.downstream.answers import WAYS, Asked, Client, FailedError
from tests.fault_upstream import ARGUMENTS, GREETING, THOUGHT, story
from tests.fault_upstream.formats import FORMATS
from tests.support.proxy import RunningProxy

CLIENTS: list[Client] = [*javascript_clients.CLIENTS, *langchain_clients.CLIENTS, *pydantic_ai_clients.CLIENTS]
NAMED = {client.name: client for client in CLIENTS}
RESULT = "21 °C in Zürich"


def rounds(question: str) -> pytest.MarkDecorator:
    """Every client, upstream and way that is to be expected."""
    cases = [
        pytest.param(client, backend, way, id=f"{client}-to-{backend}-{way}")
        for client in CLIENTS
        for backend in FORMATS
        for way in WAYS
        if client.can(question, way, backend)
    ]
    return pytest.mark.parametrize(("client", "backend", "way"), cases)


@rounds("plain")
def test_an_answer_arrives_as_the_upstream_said_it(proxy: RunningProxy, client: Client, backend: str, way: str) -> None:
    answer = client.ask(Asked(proxy.address, f"{backend}:{story('answer')}", "plain", way))
    assert (answer.text, answer.thinking, answer.calls) == (GREETING, "", [])
    if client.can("counts", way, backend):
        assert (answer.input, answer.output) == (21, 9)


@rounds("tools")
def test_a_tool_loop_ends_in_an_answer(proxy: RunningProxy, client: Client, backend: str, way: str) -> None:
    answer = client.ask(Asked(proxy.address, f"{backend}:{story('tools')}", "tools", way))
    assert answer.calls == [ARGUMENTS]
    assert answer.text.startswith("The tool said: ")
    assert RESULT in answer.text


@rounds("thinking")
def test_a_tool_loop_keeps_what_the_model_thought(proxy: RunningProxy, client: Client, backend: str, way: str) -> None:
    """The upstream refuses the second turn if its signature does not come back."""
    answer = client.ask(Asked(proxy.address, f"{backend}:{story('thinking')}", "thinking", way))
    assert answer.calls == [ARGUMENTS]
    assert RESULT in answer.text
    assert answer.thinking == ("" if client.hides_thinking else THOUGHT)


@rounds("plain")
def test_a_rate_limit_is_the_clients_own_error(proxy: RunningProxy, client: Client, backend: str, way: str) -> None:
    with pytest.raises(FailedError) as caught:
        client.ask(Asked(proxy.address, f"{backend}:{story('status', code=429)}", "plain", way))
    assert (caught.value.kind, caught.value.status or 429) == (client.rate_limit, 429)
    words, _, _ = FORMATS[backend].error(429)["error"]["message"].partition(".")
    assert words in caught.value.says


@rounds("plain")
def test_a_cut_answer_is_an_error_that_says_so(proxy: RunningProxy, client: Client, backend: str, way: str) -> None:
    with pytest.raises(FailedError, match="broke"):
        client.ask(Asked(proxy.address, f"{backend}:{story('answer', end='fin', after=2)}", "plain", way))


def strangers(name: str) -> pytest.MarkDecorator:
    """One client, and every upstream that does not speak its format; ours keeps no conversations."""
    backends = [backend for backend in FORMATS if backend != NAMED[name].format]
    return pytest.mark.parametrize(("client", "backend"), [(NAMED[name], backend) for backend in backends], ids=str)


@pytest.mark.parametrize("way", WAYS)
@strangers("ai-sdk-openai-responses")
def test_an_answer_that_nobody_kept_is_asked_for_in_vain(
    proxy: RunningProxy, client: Client, backend: str, way: str
) -> None:
    """Unless told not to, the client sends `item_reference` in place of what it has received."""
    with pytest.raises(FailedError, match="item_reference"):
        client.ask(Asked(proxy.address, f"{backend}:{story('thinking')}", "stateful", way))


@pytest.mark.parametrize("way", WAYS)
@strangers("sdk-anthropic")
def test_a_thread_that_nobody_keeps_is_done_without(
    proxy: RunningProxy, client: Client, backend: str, way: str
) -> None:
    """The client goes on with the whole conversation when it hears `thread_unsupported_request`."""
    answer = client.ask(Asked(proxy.address, f"{backend}:{story('thinking')}", "stateful", way))
    assert (answer.calls, answer.thinking) == ([ARGUMENTS], THOUGHT)
    assert RESULT in answer.text
