"""Long thinking survives impatient hops: comments fill the silence, and nothing else is changed by them.

For clients of Gemini, a line end takes the place of a comment.
"""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.fault_upstream import FaultUpstream, story
from tests.reliability.dialects import DIALECTS
from tests.reliability.talk import CLIENTS, SPOKEN, ask, backends_at, is_lossless
from tests.support.proxy import RunningProxy, running_proxy

ROUTES = [(client, backend) for client in CLIENTS for backend in SPOKEN]


@pytest.fixture(scope="module")
def proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    config = {
        "backends": backends_at(upstream),
        "server": {"keep_alive_seconds": 0.2},
        "timeouts": {"idle": 1.0, "first_byte": 1.0},
    }
    with running_proxy(config) as running:
        yield running


async def test_comments_come_before_the_first_event_and_between_events(proxy):
    async def check(client: str, backend: str) -> None:
        comment = DIALECTS[client].keep_alive
        plain, slow = story("answer", text="one"), story("answer", text="one", wait=500, ms=250)
        expected = await ask(proxy, client, f"{backend}:{plain}", stream=True)
        heard = await ask(proxy, client, f"{backend}:{slow}", stream=True)
        assert heard.whole
        assert heard.body.startswith(comment * 2)
        assert heard.body.count(comment) - expected.body.count(comment) >= 4
        assert [event.name for event in heard.events] == [event.name for event in expected.events]
        assert all(event.json for event in heard.events if event.data != "[DONE]")
        assert backend == "gemini" or not heard.body.endswith(b"\n\n" + comment)
        if is_lossless(client, backend):
            told = heard.body.replace(slow.encode(), plain.encode())
            assert told.replace(comment, b"") == expected.body.replace(comment, b"")

    await asyncio.gather(*(check(*route) for route in ROUTES))


async def test_a_lively_stream_has_no_comments(proxy):
    async def check(client: str, backend: str) -> None:
        heard = await ask(proxy, client, f"{backend}:{story('tick', n=30, ms=15)}", stream=True)
        assert b": keep-alive" not in heard.body
        assert not heard.body.startswith(b"\n")

    await asyncio.gather(*(check(*route) for route in ROUTES))


async def test_an_error_after_a_comment_is_told_in_the_stream(proxy):
    async def check(client: str, backend: str) -> None:
        heard = await ask(proxy, client, f"{backend}:{story('status', code=529, wait=300)}", stream=True)
        assert heard.status == 200
        assert heard.whole
        dialect = DIALECTS[client]
        assert dialect.is_error(heard.events[-1])
        assert not any(dialect.is_terminal(event) for event in heard.events[:-1])

    await asyncio.gather(*(check(*route) for route in ROUTES))


async def test_comments_do_not_hold_up_the_upstream_s_clock(proxy):
    async def check(client: str, backend: str) -> None:
        for told in (story("silent"), story("one_event_then_idle")):
            began = time.monotonic()
            heard = await ask(proxy, client, f"{backend}:{told}", stream=True)
            assert 0.9 < time.monotonic() - began < 3
            assert heard.whole
            assert DIALECTS[client].is_error(heard.events[-1])
            assert heard.body.count(DIALECTS[client].keep_alive) >= 3

    await asyncio.gather(*(check(*route) for route in ROUTES))


@pytest.mark.parametrize("client", SPOKEN)
async def test_a_whole_answer_has_no_comments(proxy, client):
    heard = await ask(proxy, client, f"{client}:{story('answer', wait=500)}")
    assert heard.status == 200
    assert heard.body.startswith(b"{")
    assert b": keep-alive" not in heard.body
