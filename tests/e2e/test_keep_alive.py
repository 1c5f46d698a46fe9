"""What keeps a silent stream alive disturbs no SDK."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.answers import EVENTS, Client
from tests.e2e.pairs import backends_at, clients_of
from tests.fault_upstream import GREETING, FaultUpstream, story
from tests.support.proxy import running_proxy


@pytest.fixture(scope="module")
def clients(upstream: FaultUpstream, runner: asyncio.Runner) -> Iterator[dict[str, Client]]:
    """Clients of a proxy that grows impatient after a twentieth of a second, and wants no key."""
    config = {"server": {"keep_alive_seconds": 0.05}, "backends": backends_at(upstream)}
    with running_proxy(config) as proxy, clients_of(proxy.address, runner) as clients:
        yield clients


def test_silence_before_and_within_an_answer_is_bridged(client: Client, backend: str) -> None:
    model = story("answer", wait=130, after=4, ms=60, text="one two three")
    assert client.ask(EVENTS, f"{backend}:{model}", client.question()).text == "one two three"


def test_an_error_after_the_first_sign_of_life_is_told_within_the_stream(client: Client, backend: str) -> None:
    with pytest.raises(client.sdk.APIError, match=r"does not exist|model: fault|is not found"):
        client.ask(EVENTS, f"{backend}:{story('status', code=404, wait=130)}", client.question())


def test_a_proxy_without_keys_asks_for_none(client: Client, backend: str) -> None:
    question = client.question(**client.keyed(None))
    assert client.ask(EVENTS, f"{backend}:{story('answer')}", question).text == GREETING
