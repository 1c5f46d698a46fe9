"""Long thinking survives impatient hops: comments fill the silence, and nothing else is changed by them."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.fault_upstream import FaultUpstream, story
from tests.reliability.talk import PAIRS, ask, backends_at
from tests.support.proxy import RunningProxy, running_proxy

COMMENT = b": keep-alive\n\n"


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
        plain, slow = story("answer", text="one"), story("answer", text="one", wait=500, ms=250)
        expected = await ask(proxy, client, f"{backend}:{plain}", stream=True)
        heard = await ask(proxy, client, f"{backend}:{slow}", stream=True)
        assert heard.whole
        assert heard.body.startswith(COMMENT * 2)
        assert heard.body.count(COMMENT, heard.body.index(b"data:")) >= 2
        assert [event.name for event in heard.events] == [event.name for event in expected.events]
        assert not heard.body.endswith(COMMENT)
        if client == backend:
            assert heard.body.replace(COMMENT, b"").replace(slow.encode(), plain.encode()) == expected.body

    await asyncio.gather(*(check(*pair) for pair in PAIRS))


async def test_a_lively_stream_has_no_comments(proxy):
    async def check(client: str, backend: str) -> None:
        heard = await ask(proxy, client, f"{backend}:{story('tick', n=20, ms=25)}", stream=True)
        assert COMMENT not in heard.body

    await asyncio.gather(*(check(*pair) for pair in PAIRS))


async def test_an_error_after_a_comment_is_told_in_the_stream(proxy):
    async def check(client: str, backend: str) -> None:
        heard = await ask(proxy, client, f"{backend}:{story('status', code=529, wait=300)}", stream=True)
        assert heard.status == 200
        assert heard.whole
        (event,) = heard.events
        assert event.json["error"]["message"]

    await asyncio.gather(*(check(*pair) for pair in PAIRS))


async def test_comments_do_not_hold_up_the_upstream_s_clock(proxy):
    async def check(client: str, backend: str) -> None:
        for told in (story("silent"), story("one_event_then_idle")):
            began = time.monotonic()
            heard = await ask(proxy, client, f"{backend}:{told}", stream=True)
            assert 0.9 < time.monotonic() - began < 3
            assert heard.whole
            assert heard.events[-1].json["error"]["message"]
            assert heard.body.count(COMMENT) >= 3

    await asyncio.gather(*(check(*pair) for pair in PAIRS))


async def test_a_whole_answer_has_no_comments(proxy):
    heard = await ask(proxy, "openai", f"openai:{story('answer', wait=500)}")
    assert heard.json["choices"]
    assert COMMENT not in heard.body
