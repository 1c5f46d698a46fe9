"""The comments that keep a silent stream alive disturb no SDK."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.answers import EVENTS, Client
from tests.e2e.chat_client import ChatClient
from tests.e2e.messages_client import MessagesClient
from tests.fault_upstream import GREETING, FaultUpstream, story
from tests.support.proxy import running_proxy


@pytest.fixture(scope="module")
def clients(upstream: FaultUpstream, runner: asyncio.Runner) -> Iterator[dict[str, Client]]:
    """Clients of a proxy that grows impatient after a twentieth of a second, and wants no key."""
    backends = {
        "openai": {"api_key": "k", "api_base_url": upstream.openai_url},
        "anthropic": {"api_key": "k", "api_base_url": upstream.anthropic_url},
    }
    with running_proxy({"server": {"keep_alive_seconds": 0.05}, "backends": backends}) as proxy:
        chat, messages = ChatClient(proxy.openai_url, runner), MessagesClient(proxy.address, runner)
        yield {"openai": chat, "anthropic": messages}
        chat.close()
        messages.close()


def test_silence_before_and_within_an_answer_is_bridged(client: Client, backend: str) -> None:
    model = story("answer", wait=130, after=4, ms=60, text="one two three")
    assert client.ask(EVENTS, f"{backend}:{model}", client.question()).text == "one two three"


def test_an_error_after_the_first_comment_is_told_within_the_stream(client: Client, backend: str) -> None:
    with pytest.raises(client.sdk.APIError, match=r"does not exist|model: fault"):
        client.ask(EVENTS, f"{backend}:{story('status', code=404, wait=130)}", client.question())


def test_a_proxy_without_keys_asks_for_none(client: Client, backend: str) -> None:
    question = client.question(extra_headers={"Authorization": client.sdk.Omit()})
    assert client.ask(EVENTS, f"{backend}:{story('answer')}", question).text == GREETING
