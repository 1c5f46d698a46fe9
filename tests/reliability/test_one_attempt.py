"""You never get the same words twice: one request of a client is one request upstream, however it fails.

The one exception: a connection that the upstream closed while it was idle, noticed only when the next request is under
way, and not a byte of an answer has come. Then the request goes out once more, for each such connection in the pool; on
a fresh connection it goes out once.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from proxy_core.config import TimeoutConfig
from proxy_core.upstream.client import Engine
from proxy_core.upstream.connection import PooledConnection, StaleConnectionError
from tests.fault_upstream import response, story
from tests.reliability.forgetful import ANSWER, ForgetfulUpstream, forgetful_upstream
from tests.reliability.talk import PAIRS, ask
from tests.support.proxy import RunningProxy, running_proxy

FAILURES = {
    "dropped": lambda: story("drop", end="fin"),
    "reset": lambda: story("drop", end="rst"),
    "cut": lambda: story("fin"),
    "cut by a reset": lambda: story("rst"),
    "cut cleanly": lambda: story("eof"),
    "cut before the first event": lambda: story("eof", after=0),
    "error first": lambda: story("error_first"),
    "error in mid-stream": lambda: story("error_mid"),
    "rate limit": lambda: story("status", code=429),
    "server error": lambda: story("status", code=500),
    "unavailable": lambda: story("status", code=503),
    "overloaded": lambda: story("status", code=529),
    "request timeout": lambda: story("status", code=408),
    "conflict": lambda: story("status", code=409),
    "wrong key": lambda: story("status", code=401),
    "broken JSON": lambda: story("bad_json"),
    "no terminal event": lambda: story("no_done"),
}

MAY_HAVE_DIED_IDLE = {"dropped", "reset"}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_failure_is_one_attempt(proxy, upstream, failure, stream):
    for client, backend in PAIRS:
        model = FAILURES[failure]()
        await ask(proxy, client, f"{backend}:{model}", stream=stream)
        attempts = [exchange.reused for exchange in upstream.log.of(model)]
        assert attempts == after_dead_ones(attempts) if failure in MAY_HAVE_DIED_IDLE else len(attempts) == 1


def after_dead_ones(attempts: list[bool]) -> list[bool]:
    """As many attempts as these, all on connections from the pool but for the last."""
    return [True] * (len(attempts) - 1) + [False]


async def test_a_redirect_is_not_followed(proxy, upstream):
    target = story("answer")
    for status in (301, 302, 303, 307, 308):
        location = {"location": f"{upstream.url}/~{target}/v1/chat/completions"}
        model = upstream.register(response(b"{}", status=status, headers=location))
        heard = await ask(proxy, "openai", f"openai:{model}")
        assert heard.status == 502
        assert "location" not in heard.headers
        assert heard.error["message"]
        assert len(upstream.log.of(model)) == 1
    assert not upstream.log.of(target)


@pytest.fixture(scope="module")
def forgetful() -> Iterator[ForgetfulUpstream]:
    with forgetful_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def forgotten_proxy(forgetful: ForgetfulUpstream) -> Iterator[RunningProxy]:
    url = f"http://127.0.0.1:{forgetful.port}/v1"
    backend = {"type": "openai-compatible", "api_base_url": url, "models": ["m"]}
    with running_proxy({"backends": {"forgetful": backend}}) as running:
        yield running


@pytest.mark.parametrize("end", ["fin", "rst"])
async def test_an_idle_connection_that_died_costs_one_more_attempt(forgetful, forgotten_proxy, end):
    forgetful.end = end
    before = forgetful.ignored
    for _ in range(20):
        heard = await ask(forgotten_proxy, "openai", "forgetful:m")
        assert (heard.status, heard.body) == (200, ANSWER)
    assert forgetful.ignored - before >= 19


async def test_an_answer_that_has_begun_is_not_asked_for_again(forgetful, forgotten_proxy):
    forgetful.end = "rst"
    await ask(forgotten_proxy, "openai", "forgetful:m")
    forgetful.end = "half"
    answered, ignored = forgetful.answered, forgetful.ignored
    heard = await ask(forgotten_proxy, "openai", "forgetful:m")
    assert heard.status == 502
    assert (forgetful.answered, forgetful.ignored) == (answered, ignored + 1)


@pytest.mark.parametrize("end", ["fin", "rst"])
async def test_an_attempt_on_a_fresh_connection_is_the_last(proxy, upstream, end):
    model = story("drop", end=end)
    heard = [await ask(proxy, "openai", f"openai:{story('answer')}") for _ in range(2)]
    assert [each.status for each in heard] == [200, 200]
    assert (await ask(proxy, "openai", f"openai:{model}")).status == 502
    attempts = [exchange.reused for exchange in upstream.log.of(model)]
    assert len(attempts) > 1
    assert attempts == after_dead_ones(attempts)


async def test_what_an_upstream_says_unasked_is_nobody_s_answer(proxy, upstream):
    stray = response(b'{"id":"stray","choices":[],"usage":{}}')
    model = upstream.register(response(b'{"id":"own","choices":[],"usage":{}}'), stray, pause_ms=30)
    assert (await ask(proxy, "openai", f"openai:{model}")).json["id"] == "own"
    await upstream.wait_over(model)
    assert b"stray" not in (await ask(proxy, "openai", f"openai:{story('answer')}")).body


OK = b"HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\n\r\nok"
Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def origin(answer: Answer) -> AsyncIterator[tuple[Callable[[], Awaitable[bytes]], list[int]]]:
    """Asks an upstream whose `answer` is told how many requests its connection has carried; and those numbers."""
    requests: list[int] = []
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        requests.append(0)
        me = len(requests) - 1
        with suppress(OSError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(2)
                requests[me] += 1
                await answer(requests[me], writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    engine = Engine(TimeoutConfig())

    async def ask_it() -> bytes:
        response = await engine.request("POST", url, data=b"{}")
        return await response.read()

    try:
        yield ask_it, requests
    finally:
        await engine.aclose()
        await asyncio.gather(*filter(None, serving))
        server.close()


async def in_pieces(writer: asyncio.StreamWriter, *pieces: bytes) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)


EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        [OK],
        [OK[:5], OK[5:]],
        [OK[:30], OK[30:-2], OK[-2:]],
        [EARLY_HINTS, OK],
        [EARLY_HINTS + OK],
        [EARLY_HINTS + OK[:20], OK[20:]],
        [EARLY_HINTS[:20], EARLY_HINTS[20:] + OK[:-1], OK[-1:]],
    ],
)
async def test_a_connection_is_kept_however_the_answer_is_cut(pieces):
    async with origin(lambda _, writer: in_pieces(writer, *pieces)) as (ask_it, requests):
        for _ in range(4):
            assert await ask_it() == b"ok"
    assert requests == [4]


@pytest.mark.parametrize("stray", [b"\r\n", EARLY_HINTS, OK, OK[:10]])
async def test_a_connection_with_stray_bytes_is_not_kept(stray):
    async with origin(lambda _, writer: in_pieces(writer, OK[:9], OK[9:], stray)) as (ask_it, requests):
        for _ in range(3):
            assert await ask_it() == b"ok"
            await asyncio.sleep(0.05)
    assert requests == [1, 1, 1]


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 2"])
async def test_a_pool_full_of_dead_connections_costs_no_request_unless_an_answer_begins(start):
    async def once(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        if number == 1:
            await in_pieces(writer, OK)
        elif start:
            await in_pieces(writer, start)
            writer.close()
        else:
            writer.transport.abort()

    async with origin(once) as (ask_it, requests):
        assert await asyncio.gather(*(ask_it() for _ in range(5))) == [b"ok"] * 5
        assert requests == [1] * 5
        if start:
            with pytest.raises(aiohttp.ClientError) as raised:
                await ask_it()
            assert not isinstance(raised.value, StaleConnectionError)
            assert sorted(requests) == [1, 1, 1, 1, 2]
        else:
            assert await ask_it() == b"ok"
            assert requests == [2] * 5 + [1]


INHERITED = (
    "_loop _payload _read_timeout _read_timeout_handle _drop_timeout _on_read_timeout _reschedule_timeout "
    "data_received feed_data force_close is_connected set_exception set_response_params should_close start_timeout"
)


async def test_aiohttp_still_has_the_names_that_are_not_its_public_ones():
    """What `PooledConnection` and `Engine` override or use; look at both before the cap on aiohttp is raised."""
    plain = ResponseHandler(asyncio.get_running_loop())
    assert [name for name in INHERITED.split() if not hasattr(plain, name)] == []
    own = {name for name, value in vars(PooledConnection).items() if inspect.isfunction(value)} - {"_is_stale"}
    assert own <= set(INHERITED.split())
    async with aiohttp.TCPConnector() as connector:
        assert connector._factory.func is ResponseHandler


async def test_the_connections_in_the_pool_are_ours():
    async with origin(lambda _, writer: in_pieces(writer, OK)) as (ask_it, _):
        engine = Engine(TimeoutConfig())
        assert engine.session.connector._factory.func is PooledConnection
        await engine.aclose()
        assert await ask_it() == b"ok"
