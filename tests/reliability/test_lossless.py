"""Where client and upstream speak the same format, nothing but the model's name is altered: not a byte, either way."""

import asyncio
import http.client
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.fault_upstream import response
from tests.fault_upstream.http1 import LAST_CHUNK, chunk, head
from tests.reliability.asgi import application, call
from tests.reliability.odd_json import event_stream, request_body, response_body
from tests.reliability.recorder import Recorder
from tests.reliability.talk import PATHS, SPOKEN
from tests.support.proxy import running_proxy

DECISIONS = st.binary(min_size=20, max_size=400)
#: Of each format, streamed and not.
CASES = 2600
CASES_OF_THE_PROCESS = 150
HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
MODEL = "up/stream ☕"

exhaustively = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def config_for(port: int) -> dict[str, object]:
    url = f"http://127.0.0.1:{port}/v1"
    backend = {"api_key": "key", "api_base_url": url, "models": ["listed"]}
    return {"backends": {"openai": dict(backend), "anthropic": dict(backend)}}


def writes_of(pieces: list[bytes], stream: bool) -> list[bytes]:
    """The response on the wire."""
    return [HEAD, *map(chunk, pieces), LAST_CHUNK] if stream else [response(pieces[0])]


@pytest.mark.parametrize("spoken", SPOKEN)
@pytest.mark.parametrize("stream", [False, True])
def test_bodies_pass_unaltered_both_ways(spoken, stream, capsys):
    with asyncio.Runner() as runner:
        check, close = runner.run(_in_process(spoken, stream))

        @exhaustively
        @given(DECISIONS, DECISIONS)
        @example(b"", b"")
        def every_case(asked: bytes, answered: bytes) -> None:
            check(asked, answered)

        began = time.perf_counter()
        every_case()
        rate = CASES / (time.perf_counter() - began)
        runner.run(close())
    with capsys.disabled():
        sys.stdout.write(f"\n{spoken}, {'streamed' if stream else 'whole'}: {CASES} cases, {rate:.0f} a second\n")


async def _in_process(spoken: str, stream: bool) -> tuple[Callable[[bytes, bytes], None], Callable[[], object]]:
    """A check that runs in this loop, and how to stop what it needs."""
    recorder = await Recorder().__aenter__()
    running = application(config_for(recorder.port))
    app = await running.__aenter__()
    loop = asyncio.get_running_loop()

    def check(asked: bytes, answered: bytes) -> None:
        body = request_body(asked, f"{spoken}:{MODEL}", MODEL, stream)
        pieces = event_stream(answered, spoken) if stream else [response_body(answered)]
        recorder.answer = writes_of(pieces, stream)
        heard = loop.run_until_complete(call(app, spoken, body.sent))
        assert recorder.received == body.expected
        assert (heard.status, heard.body) == (200, b"".join(pieces))

    async def close() -> None:
        await running.__aexit__(None, None, None)
        await recorder.__aexit__()

    return check, close


@pytest.mark.parametrize("spoken", SPOKEN)
async def test_bodies_pass_unaltered_through_the_real_process(spoken):
    async with Recorder() as recorder, running_proxy(config_for(recorder.port)) as proxy:
        connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)

        def asked_for(body: bytes) -> tuple[int, bytes]:
            connection.request("POST", PATHS[spoken], body)
            answer = connection.getresponse()
            return answer.status, answer.read()

        for asked, answered, stream in _drawn(CASES_OF_THE_PROCESS):
            body = request_body(asked, f"{spoken}:{MODEL}", MODEL, stream)
            pieces = event_stream(answered, spoken) if stream else [response_body(answered)]
            recorder.answer = writes_of(pieces, stream)
            assert await asyncio.to_thread(asked_for, body.sent) == (200, b"".join(pieces))
            assert recorder.received == body.expected
        connection.close()


def _drawn(count: int) -> list[tuple[bytes, bytes, bool]]:
    """So many cases, drawn before any is run."""
    cases: list[tuple[bytes, bytes, bool]] = []

    @settings(exhaustively, max_examples=count)
    @given(DECISIONS, DECISIONS, st.booleans())
    def draw(asked: bytes, answered: bytes, stream: bool) -> None:
        cases.append((asked, answered, stream))

    draw()
    return cases
