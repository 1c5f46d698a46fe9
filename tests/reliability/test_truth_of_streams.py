"""A cut answer never looks finished, and a finished one ends exactly once."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import aiohttp
import anthropic
import openai
import pytest
from google import genai

from tests.fault_upstream import FaultUpstream, story
from tests.fault_upstream.formats import FORMATS
from tests.fault_upstream.http1 import LAST_CHUNK, chunk, head
from tests.fault_upstream.json_array import JsonArray
from tests.fault_upstream.reply import Reply, Text, Thinking, ToolUse
from tests.fault_upstream.sse import Spelling
from tests.reliability.dialects import DIALECTS, USER
from tests.reliability.talk import (
    BACKENDS,
    CLIENTS,
    ROUTES,
    SPOKEN,
    TRANSLATED,
    WIRE_FORMAT,
    Heard,
    ask,
    backends_at,
    is_lossless,
)
from tests.support.proxy import RunningProxy, running_proxy

ENDS = ("rst", "fin", "eof")
CONTENT_TYPES = {"gemini-array": "application/json"}
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
#: Cut inside events too: nobody translates, or one client hears what each upstream says.
CUT_FINELY = [(client, backend) for client, backend in ROUTES if is_lossless(client, backend) or client == "anthropic"]
CUT_ROUGHLY = [route for route in ROUTES if route not in CUT_FINELY]
#: Those that say that they are at the end, so that nothing can follow it.
WITH_TERMINAL = [(client, backend) for client, backend in ROUTES if backend != "gemini"]
every_route = pytest.mark.parametrize(("client", "backend"), ROUTES)


def wire_of(client: str, backend: str) -> str:
    """What the upstream is asked to stream: its format, and the client's framing where both speak the same."""
    return client if is_lossless(client, backend) else WIRE_FORMAT[backend]


def frames_of(wire: str, reply: Reply = REPLY) -> list[bytes]:
    writing = JsonArray(complete=True) if wire == "gemini-array" else Spelling()
    return list(writing.frames(FORMATS[DIALECTS[wire].format].events(reply)))


def end_of_answer(wire: str) -> int:
    """The number of bytes without which the answer is not finished: the last event but for its line ends."""
    return len(b"".join(frames_of(wire)).rstrip(b"\n]"))


def end_of_finish(wire: str) -> int:
    """The number of bytes after which the upstream has said why it stops."""
    frames = frames_of(wire)
    mark = {
        "openai": b'"finish_reason":"',
        "openai-responses": b'"response.completed"',
        "anthropic": b'"stop_reason":"',
        "gemini": b'"finishReason"',
    }[DIALECTS[wire].format]
    last = next(index for index, frame in enumerate(frames) if mark in frame)
    return len(b"".join(frames[: last + 1]).rstrip(b"\n]"))


def cuts_of(wire: str, finely: bool = True) -> Iterator[int]:
    """Every event boundary; finely, also places inside every event, and every place inside a character."""
    frames = frames_of(wire)
    text = b"".join(frames)
    bounds = [0, *accumulate(map(len, frames))]
    inside = [at for start, end in pairwise(bounds) for at in (start + 3, (start + end) // 2, end - 1)]
    torn = [at for at in range(len(text)) if 0x80 <= text[at] < 0xC0]
    cuts = {*bounds, *inside, *torn} if finely else {*bounds}
    return (at for at in sorted(cuts) if at < end_of_answer(wire))


def cut_stream(upstream: FaultUpstream, wire: str, at: int, end: str) -> str:
    """The model whose answer is this much of a stream, and then that end."""
    text = b"".join(frames_of(wire))[:at]
    content_type = CONTENT_TYPES.get(wire, "text/event-stream")
    top = head(200, {"content-type": content_type, "transfer-encoding": "chunked"})
    sent = chunk(text) if text else b""
    if end == "eof":
        return upstream.register(top, sent + LAST_CHUNK)
    return upstream.register(top, sent, then=end)


def assert_failed_status(client: str, heard: Heard) -> None:
    """An error before the first byte is an error status, with a body in the client's format."""
    assert heard.whole
    assert heard.status >= 500
    assert heard.headers["content-type"] == "application/json"
    assert heard.error["message"]
    assert heard.error[DIALECTS[client].error_kind]
    assert client != "anthropic" or heard.json["type"] == "error"


def assert_well_formed(client: str, heard: Heard) -> None:
    """All of the body is events, to the last byte."""
    assert heard.whole
    if client == "gemini-array":
        assert isinstance(json.loads(heard.body), list)
    else:
        assert heard.body.replace(b"\r\n", b"\n").endswith(b"\n\n")


def assert_visibly_broken(client: str, heard: Heard, may_say_why: bool = False) -> None:
    """The answer is an error status, or a stream whose end is an error and no other."""
    if heard.status != 200:
        assert_failed_status(client, heard)
        return
    assert_well_formed(client, heard)
    dialect = DIALECTS[client]
    before = list(heard.events)
    assert dialect.is_error(before.pop())
    if client == "openai-responses" and before and dialect.is_error(before[-1]):
        before.pop()  # an `error`, and then `response.failed`
    assert not any(dialect.is_terminal(event) or dialect.is_error(event) for event in before)
    assert may_say_why or not any(map(dialect.says_why, before))


def assert_kept(client: str, heard: Heard, sent: bytes) -> None:
    """Every whole event came as it was sent, and then nothing but the error."""
    dialect = DIALECTS[client]
    kept = dialect.complete_events(sent)
    assert heard.body.startswith(kept)
    rest = heard.events[len(Heard(headers=heard.headers, body=kept).events) :]
    assert all(dialect.is_error(event) or dialect.begins(event) for event in rest)


def assert_whole(client: str, heard: Heard) -> None:
    """The answer ends once, in the way of its format, and says once why."""
    assert heard.status == 200
    assert_well_formed(client, heard)
    dialect = DIALECTS[client]
    assert [dialect.is_terminal(event) for event in heard.events].count(True) == 1
    assert dialect.is_terminal(heard.events[-1])
    assert not any(map(dialect.is_error, heard.events))
    assert sum(map(dialect.says_why, heard.events)) == 1


async def in_turns(checks: list[Callable[[], Awaitable[None]]]) -> None:
    """Run checks, a few at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(check: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await check()

    async with asyncio.TaskGroup() as group:
        for check in checks:
            group.create_task(one(check))


@pytest.mark.parametrize(
    ("client", "backend", "finely"),
    [*((*route, True) for route in CUT_FINELY), *((*route, False) for route in CUT_ROUGHLY)],
)
@pytest.mark.parametrize("end", ENDS)
async def test_a_stream_cut_anywhere_ends_in_an_error(proxy, upstream, client, backend, finely, end):
    wire = wire_of(client, backend)
    text = b"".join(frames_of(wire))
    says_why_at = end_of_finish(wire)

    def cut(at: int) -> Callable[[], Awaitable[None]]:
        async def check() -> None:
            model = cut_stream(upstream, wire, at, end)
            heard = await ask(proxy, client, f"{backend}:{model}", stream=True)
            assert_visibly_broken(client, heard, may_say_why=at >= says_why_at)
            if is_lossless(client, backend) and heard.status == 200:
                assert_kept(client, heard, text[:at])
            assert len(upstream.log.of(model)) == 1

        return check

    cuts = list(cuts_of(wire, finely))
    assert len(cuts) > (30 if finely else 6)
    await in_turns([cut(at) for at in cuts])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("share", [0.3, 0.9])
async def test_a_response_that_breaks_off_is_the_one_that_began(proxy, upstream, backend, share):
    """One id, and one number for each event: clients keep what they know under these."""
    wire = wire_of("openai-responses", backend)
    model = cut_stream(upstream, wire, int(share * end_of_answer(wire)), "eof")
    heard = await ask(proxy, "openai-responses", f"{backend}:{model}", stream=True)
    events = [event.json for event in heard.events]
    assert [event["type"] for event in events].count("response.created") == 1
    assert len({event["response"]["id"] for event in events if "response" in event}) == 1
    numbers = [event["sequence_number"] for event in events]
    assert numbers == sorted(set(numbers))


#: Each as often as client and as upstream, and by itself.
SOME_ROUTES = [
    *((name, name) for name in SPOKEN),
    *(("openai", "anthropic"), ("openai-responses", "gemini"), ("anthropic", "openai-responses"), ("gemini", "openai")),
    *(("anthropic", "bare"), ("gemini", "anthropic"), ("openai-responses", "openai"), ("openai", "gemini")),
]


@pytest.mark.parametrize(("client", "backend"), SOME_ROUTES)
@pytest.mark.parametrize("end", ENDS)
async def test_the_official_clients_raise_when_a_stream_is_cut(proxy, upstream, client, backend, end):
    wire = wire_of(client, backend)
    finish, answer = end_of_finish(wire), end_of_answer(wire)
    cuts = [*list(cuts_of(wire))[::9], *(at for at in (finish + 2, answer - 1) if at < answer)]

    def cut(begin: Begin, at: int) -> Callable[[], Awaitable[None]]:
        async def check() -> None:
            model = cut_stream(upstream, wire, at, end)
            with pytest.raises((openai.APIError, anthropic.APIError, genai.errors.APIError)):
                await consumed(begin, f"{backend}:{model}")

        return check

    async with OFFICIAL[client](proxy) as begin:
        await in_turns([cut(begin, at) for at in cuts])


@pytest.mark.parametrize(("client", "backend"), SOME_ROUTES)
async def test_the_official_clients_do_not_raise_when_nothing_is_cut(proxy, upstream, client, backend):
    async with OFFICIAL[client](proxy) as begin:
        assert len(await consumed(begin, f"{backend}:{story('thinking')}")) > 3


#: Asks for a model's answer, and returns the official client's view of the stream.
Begin = Callable[..., Awaitable[Any]]


async def consumed(begin: Begin, model: str) -> list[Any]:
    """Every event that the official client yields."""
    return [event async for event in await begin(model=model)]


@contextlib.asynccontextmanager
async def chat_client(proxy: RunningProxy) -> AsyncIterator[Begin]:
    async with openai.AsyncOpenAI(base_url=proxy.openai_url, api_key="none", max_retries=0) as client:
        yield partial(client.chat.completions.create, messages=[USER], stream=True)


@contextlib.asynccontextmanager
async def responses_client(proxy: RunningProxy) -> AsyncIterator[Begin]:
    async with openai.AsyncOpenAI(base_url=proxy.openai_url, api_key="none", max_retries=0) as client:
        yield partial(client.responses.create, input="hello", stream=True)


@contextlib.asynccontextmanager
async def messages_client(proxy: RunningProxy) -> AsyncIterator[Begin]:
    async with anthropic.AsyncAnthropic(base_url=proxy.address, api_key="none", max_retries=0) as client:
        yield partial(client.messages.create, max_tokens=64, messages=[USER], stream=True)


@contextlib.asynccontextmanager
async def gemini_client(proxy: RunningProxy) -> AsyncIterator[Begin]:
    """With a session of ours: the SDK's own is of a class that aiohttp warns of."""
    async with aiohttp.ClientSession() as session:
        options = genai.types.HttpOptions(base_url=proxy.address, aiohttp_client=session)
        client = genai.Client(api_key="none", http_options=options).aio
        yield partial(client.models.generate_content_stream, contents="hello")


OFFICIAL = {
    "openai": chat_client,
    "openai-responses": responses_client,
    "anthropic": messages_client,
    "gemini": gemini_client,
}


@every_route
async def test_a_cut_answer_in_one_piece_is_an_error_status(proxy, upstream, client, backend):
    for end in ENDS:
        heard = await ask(proxy, client, f"{backend}:{story('answer', end=end)}")
        assert_failed_status(client, heard)


@every_route
async def test_a_complete_stream_ends_exactly_once(proxy, upstream, client, backend):
    for told in ("answer", "tools", "thinking", "crlf", "byte_by_byte", "pings"):
        assert_whole(client, await ask(proxy, client, f"{backend}:{story(told)}", stream=True))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("framing", ["open", "closed"])
async def test_an_upstream_without_a_terminal_event_may_end_after_the_reason(proxy, upstream, client, framing):
    wire = wire_of(client, "gemini")
    at = end_of_answer(wire) if framing == "open" else len(b"".join(frames_of(wire)))
    heard = await ask(proxy, client, f"gemini:{cut_stream(upstream, wire, at, 'eof')}", stream=True)
    assert_whole(client, heard)


@pytest.mark.parametrize(("client", "backend"), WITH_TERMINAL)
@pytest.mark.parametrize("writes", ["one write", "two writes", "a late write"])
async def test_nothing_follows_the_terminal_event(proxy, upstream, client, backend, writes):
    frames = frames_of(WIRE_FORMAT[backend])
    junk = [*frames[2:5], frames[-1], b": a comment\n\n", b"junk"]
    answer, rest = chunk(b"".join(frames)), chunk(b"".join(junk)) + LAST_CHUNK
    top = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
    cut = [top + answer + rest] if writes == "one write" else [top + answer, rest]
    model = upstream.register(*cut, pause_ms=50 if writes == "a late write" else 0)
    heard = await ask(proxy, client, f"{backend}:{model}", stream=True)
    assert_whole(client, heard)
    assert b"junk" not in heard.body
    if is_lossless(client, backend):
        assert heard.body == b"".join(frames)


@every_route
async def test_an_error_as_the_first_event_is_an_error_status(proxy, upstream, client, backend):
    for code in (400, 429, 500, 529):
        heard = await ask(proxy, client, f"{backend}:{story('error_first', code=code)}", stream=True)
        assert heard.status >= 400
        assert heard.headers["content-type"] == "application/json"
        assert heard.error["message"] == FORMATS[WIRE_FORMAT[backend]].error(code)["error"]["message"]


@every_route
async def test_an_error_in_mid_stream_is_told_in_the_client_s_format(proxy, upstream, client, backend):
    for after in (1, 2, 3, 6):
        heard = await ask(proxy, client, f"{backend}:{story('error_mid', after=after, code=529)}", stream=True)
        assert_visibly_broken(client, heard)
        assert FORMATS[WIRE_FORMAT[backend]].error(529)["error"]["message"] in heard.body.decode()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("backend", SPOKEN)
async def test_a_stream_without_its_last_event_is_an_error(proxy, upstream, client, backend):
    heard = await ask(proxy, client, f"{backend}:{story('no_done')}", stream=True)
    assert_visibly_broken(client, heard, may_say_why=backend in ("openai", "anthropic"))


@pytest.mark.parametrize(("client", "backend"), TRANSLATED)
async def test_an_event_that_is_no_json_ends_a_translated_stream_in_an_error(proxy, upstream, client, backend):
    heard = await ask(proxy, client, f"{backend}:{story('bad_json')}", stream=True)
    assert_visibly_broken(client, heard)


async def test_an_upstream_that_falls_silent_is_a_timeout(upstream):
    config = {"backends": backends_at(upstream), "timeouts": {"first_byte": 0.3, "idle": 0.3}}

    async def check(client: str, backend: str) -> None:
        unanswered = await ask(proxy, client, f"{backend}:{story('silent')}", stream=True)
        assert unanswered.status == 504
        assert_failed_status(client, unanswered)
        halted = await ask(proxy, client, f"{backend}:{story('one_event_then_idle', after=5)}", stream=True)
        assert halted.status == 200
        assert_visibly_broken(client, halted)

    async with running_proxy(config) as proxy:
        await asyncio.gather(*(check(*route) for route in ROUTES if route[1] != "bare"))
