"""A cut answer never looks finished, and a finished one ends exactly once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import accumulate, pairwise
from typing import Any

import anthropic
import openai
import pytest

from tests.fault_upstream import FaultUpstream, story
from tests.fault_upstream.formats import FORMATS
from tests.fault_upstream.http1 import LAST_CHUNK, chunk, head
from tests.fault_upstream.reply import Reply, Text, Thinking, ToolUse
from tests.fault_upstream.sse import Spelling
from tests.reliability.talk import PAIRS, ROUTES, SPOKEN, WIRE_FORMAT, Event, Heard, ask, backends_at
from tests.support.proxy import RunningProxy, running_proxy

ENDS = ("rst", "fin", "eof")
HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
REPLY = Reply(
    "cut",
    (
        Thinking(("Hm, ", "ça va"), "signature"),
        Text(("naïve ", "café ☕", " 😀")),
        ToolUse("call_1", "weather", {"city": "Zürich"}),
    ),
    finish="tools",
    include_usage=True,
)
AT_ONCE = 16


def frames_of(spoken: str, reply: Reply = REPLY) -> list[bytes]:
    return list(Spelling().frames(FORMATS[spoken].events(reply)))


def end_of_answer(spoken: str) -> int:
    """The number of bytes without which the answer is not finished: the terminal event but for its line ends."""
    return len(b"".join(frames_of(spoken)).rstrip(b"\n"))


def end_of_finish(spoken: str) -> int:
    """The number of bytes after which the upstream has said why it stops."""
    frames = frames_of(spoken)
    mark = {"openai": b'"finish_reason":"', "anthropic": b'"stop_reason":"'}[spoken]
    last = next(index for index, frame in enumerate(frames) if mark in frame)
    return len(b"".join(frames[: last + 1])) - 2


def cuts_of(spoken: str) -> Iterator[int]:
    """Every event boundary, places inside every event, and every place inside a character."""
    frames = frames_of(spoken)
    text = b"".join(frames)
    bounds = [0, *accumulate(map(len, frames))]
    inside = [at for start, end in pairwise(bounds) for at in (start + 3, (start + end) // 2, end - 1)]
    torn = [at for at in range(len(text)) if 0x80 <= text[at] < 0xC0]
    return (at for at in sorted({*bounds, *inside, *torn}) if at < end_of_answer(spoken))


def cut_stream(upstream: FaultUpstream, text: bytes, end: str) -> str:
    """The model whose answer is this much of a stream, and then that end."""
    sent = chunk(text) if text else b""
    if end == "eof":
        return upstream.register(HEAD, sent + LAST_CHUNK)
    return upstream.register(HEAD, sent, then=end)


def is_terminal(event: Event) -> bool:
    return event.data == "[DONE]" or event.name == "message_stop"


def is_error(client: str, event: Event) -> bool:
    if client == "anthropic":
        return event.name == "error" and event.json["type"] == "error" and bool(event.json["error"]["message"])
    return event.data != "[DONE]" and "error" in event.json and bool(event.json["error"]["message"])


def says_why_it_stops(event: Event) -> bool:
    if event.data == "[DONE]":
        return False
    choices = event.json.get("choices") or []
    return bool(event.json.get("delta", {}).get("stop_reason")) or any(each.get("finish_reason") for each in choices)


def assert_failed_status(client: str, heard: Heard) -> None:
    """An error before the first byte is an error status, with a body in the client's format."""
    assert heard.whole
    assert heard.status >= 500
    assert heard.headers["content-type"] == "application/json"
    assert heard.error["message"]
    assert heard.error["type"]
    assert client == "openai" or heard.json["type"] == "error"


def assert_visibly_broken(client: str, heard: Heard, may_say_why: bool = False) -> None:
    """The answer is an error status, or a stream whose one terminal event is an error."""
    if heard.status != 200:
        assert_failed_status(client, heard)
        return
    assert heard.whole
    assert heard.body.endswith(b"\n\n")
    *before, last = heard.events
    assert is_error(client, last)
    assert not any(is_terminal(event) or is_error(client, event) for event in before)
    assert may_say_why or not any(map(says_why_it_stops, before))


async def in_turns(checks: list[Callable[[], Awaitable[None]]]) -> None:
    """Run checks, a few at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(check: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await check()

    async with asyncio.TaskGroup() as group:
        for check in checks:
            group.create_task(one(check))


@pytest.mark.parametrize(("client", "backend"), ROUTES)
@pytest.mark.parametrize("end", ENDS)
async def test_a_stream_cut_anywhere_ends_in_an_error(proxy, upstream, client, backend, end):
    text = b"".join(frames_of(WIRE_FORMAT[backend]))

    def cut(at: int) -> Callable[[], Awaitable[None]]:
        async def check() -> None:
            model = cut_stream(upstream, text[:at], end)
            heard = await ask(proxy, client, f"{backend}:{model}", stream=True)
            assert_visibly_broken(client, heard, may_say_why=at >= end_of_finish(WIRE_FORMAT[backend]))
            if client == backend and heard.status == 200:
                kept = text[: text.rindex(b"\n\n", 0, at) + 2]
                assert heard.body.startswith(kept)
                assert heard.body.count(b"\n\n", len(kept)) == 1
            assert len(upstream.log.of(model)) == 1

        return check

    cuts = list(cuts_of(WIRE_FORMAT[backend]))
    assert len(cuts) > 50
    await in_turns([cut(at) for at in cuts])


@pytest.mark.parametrize(("client", "backend"), ROUTES)
@pytest.mark.parametrize("end", ENDS)
async def test_the_official_clients_raise_when_a_stream_is_cut(proxy, upstream, client, backend, end):
    text = b"".join(frames_of(WIRE_FORMAT[backend]))
    cuts = [
        *list(cuts_of(WIRE_FORMAT[backend]))[::9],
        end_of_finish(WIRE_FORMAT[backend]) + 2,
        end_of_answer(WIRE_FORMAT[backend]) - 1,
    ]

    def cut(at: int) -> Callable[[], Awaitable[None]]:
        async def check() -> None:
            model = cut_stream(upstream, text[:at], end)
            with pytest.raises((openai.APIError, anthropic.APIError)):
                await consumed(proxy, client, f"{backend}:{model}")

        return check

    await in_turns([cut(at) for at in cuts])


async def consumed(proxy: RunningProxy, spoken: str, model: str) -> list[Any]:
    """Every event that the official client yields."""
    async with official_stream(proxy, spoken, model) as stream:
        return [event async for event in stream]


@contextlib.asynccontextmanager
async def official_stream(proxy: RunningProxy, spoken: str, model: str) -> AsyncIterator[Any]:
    if spoken == "openai":
        async with openai.AsyncOpenAI(base_url=proxy.openai_url, api_key="none", max_retries=0) as chat:
            yield await chat.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "hello"}], stream=True
            )
    else:
        async with anthropic.AsyncAnthropic(base_url=proxy.address, api_key="none", max_retries=0) as claude:
            yield await claude.messages.create(
                model=model, max_tokens=64, messages=[{"role": "user", "content": "hello"}], stream=True
            )


@pytest.mark.parametrize(("client", "backend"), ROUTES)
@pytest.mark.parametrize("end", ENDS)
async def test_a_cut_answer_in_one_piece_is_an_error_status(proxy, upstream, client, backend, end):
    heard = await ask(proxy, client, f"{backend}:{story('answer', end=end)}")
    assert_failed_status(client, heard)


@pytest.mark.parametrize(("client", "backend"), ROUTES)
@pytest.mark.parametrize("told", ["answer", "tools", "thinking", "crlf", "byte_by_byte", "pings"])
async def test_a_complete_stream_ends_exactly_once(proxy, upstream, client, backend, told):
    heard = await ask(proxy, client, f"{backend}:{story(told)}", stream=True)
    assert heard.status == 200
    assert heard.whole
    assert heard.body.replace(b"\r\n", b"\n").endswith(b"\n\n")
    assert [is_terminal(event) for event in heard.events].count(True) == 1
    assert is_terminal(heard.events[-1])
    assert not any(is_error(client, event) for event in heard.events)
    assert sum(map(says_why_it_stops, heard.events)) == 1


@pytest.mark.parametrize(("client", "backend"), ROUTES)
@pytest.mark.parametrize("writes", ["one write", "two writes", "a late write"])
async def test_nothing_follows_the_terminal_event(proxy, upstream, client, backend, writes):
    frames = frames_of(WIRE_FORMAT[backend])
    junk = [*frames[2:5], frames[-1], b": a comment\n\n", b"junk"]
    answer, rest = chunk(b"".join(frames)), chunk(b"".join(junk)) + LAST_CHUNK
    cut = [HEAD + answer + rest] if writes == "one write" else [HEAD + answer, rest]
    model = upstream.register(*cut, pause_ms=50 if writes == "a late write" else 0)
    heard = await ask(proxy, client, f"{backend}:{model}", stream=True)
    assert heard.whole
    assert [is_terminal(event) for event in heard.events].count(True) == 1
    assert is_terminal(heard.events[-1])
    assert b"junk" not in heard.body
    if client == backend:
        assert heard.body == b"".join(frames)


@pytest.mark.parametrize(("client", "backend"), ROUTES)
@pytest.mark.parametrize("code", [400, 429, 500, 529])
async def test_an_error_as_the_first_event_is_an_error_status(proxy, upstream, client, backend, code):
    heard = await ask(proxy, client, f"{backend}:{story('error_first', code=code)}", stream=True)
    assert heard.status >= 400
    assert heard.headers["content-type"] == "application/json"
    assert heard.error["message"] == FORMATS[WIRE_FORMAT[backend]].error(code)["error"]["message"]


@pytest.mark.parametrize(("client", "backend"), ROUTES)
@pytest.mark.parametrize("after", [1, 2, 3, 6])
async def test_an_error_in_mid_stream_is_told_in_the_client_s_format(proxy, upstream, client, backend, after):
    heard = await ask(proxy, client, f"{backend}:{story('error_mid', after=after, code=529)}", stream=True)
    assert_visibly_broken(client, heard)
    assert FORMATS[WIRE_FORMAT[backend]].error(529)["error"]["message"] in heard.body.decode()


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("backend", SPOKEN)
async def test_a_finish_reason_without_the_terminal_event_is_an_error(proxy, upstream, client, backend):
    heard = await ask(proxy, client, f"{backend}:{story('no_done')}", stream=True)
    assert_visibly_broken(client, heard, may_say_why=True)


@pytest.mark.parametrize(("client", "backend"), [("openai", "anthropic"), ("anthropic", "openai")])
async def test_an_event_that_is_no_json_ends_a_translated_stream_in_an_error(proxy, upstream, client, backend):
    heard = await ask(proxy, client, f"{backend}:{story('bad_json')}", stream=True)
    assert_visibly_broken(client, heard)


async def test_an_upstream_that_falls_silent_is_a_timeout(upstream):
    config = {"backends": backends_at(upstream), "timeouts": {"first_byte": 0.3, "idle": 0.3}}

    async def check(client: str, backend: str) -> None:
        unanswered = await ask(proxy, client, f"{backend}:{story('silent')}", stream=True)
        assert unanswered.status == 504
        assert_failed_status(client, unanswered)
        halted = await ask(proxy, client, f"{backend}:{story('one_event_then_idle', after=4)}", stream=True)
        assert halted.status == 200
        assert_visibly_broken(client, halted)

    async with running_proxy(config) as proxy:
        await asyncio.gather(*(check(*pair) for pair in PAIRS))
