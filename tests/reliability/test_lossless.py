"""Where client and upstream speak the same format, nothing but the model's name is altered: not a byte, either way."""

import asyncio
import http.client
import sys
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.fault_upstream import response
from tests.fault_upstream.http1 import LAST_CHUNK, chunk, head
from tests.reliability.asgi import application, call
from tests.reliability.dialects import DIALECTS
from tests.reliability.odd_json import Body, event_stream, request_body, response_body
from tests.reliability.recorder import Recorder
from tests.reliability.talk import CLIENTS, SPOKEN, path_of
from tests.support.proxy import running_proxy

DECISIONS = st.binary(min_size=20, max_size=400)
#: Of each of `WAYS`.
CASES = 1120
CASES_OF_THE_PROCESS = 60
HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
#: Each client, and whether it asks for a stream; the framings of a format differ in streams alone.
WAYS = [*((client, True) for client in CLIENTS), *((client, False) for client in SPOKEN)]
MODEL = "up/stream ☕"

exhaustively = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


UPSTREAM_PATHS = {
    "openai": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": f"/v1/models/{quote(MODEL, safe='')}:generateContent",
}
UPSTREAM_STREAM_PATHS = {
    **UPSTREAM_PATHS,
    "gemini": f"/v1/models/{quote(MODEL, safe='')}:streamGenerateContent?alt=sse",
    "gemini-array": f"/v1/models/{quote(MODEL, safe='')}:streamGenerateContent",
}


def config_for(port: int) -> dict[str, object]:
    url = f"http://127.0.0.1:{port}/v1"
    return {"backends": {name: {"api_key": "key", "api_base_url": url, "models": ["listed"]} for name in SPOKEN}}


def test_there_are_enough_cases():
    assert CASES * len(WAYS) >= 10_000


def writes_of(pieces: list[bytes], stream: bool) -> list[bytes]:
    """The response on the wire."""
    return [HEAD, *map(chunk, pieces), LAST_CHUNK] if stream else [response(pieces[0])]


@pytest.mark.parametrize(("client", "stream"), WAYS)
def test_bodies_pass_unaltered_both_ways(client, stream, capsys):
    with asyncio.Runner() as runner:
        check, close = runner.run(_in_process(client, stream))

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
        sys.stdout.write(f"\n{client}, {'streamed' if stream else 'whole'}: {CASES} cases, {rate:.0f} a second\n")


def _asked(client: str, asked: bytes, stream: bool) -> Body:
    dialect = DIALECTS[client]
    return request_body(asked, f"{dialect.format}:{MODEL}", MODEL, stream, dialect.model_in_body)


def _address(client: str, stream: bool) -> str:
    return path_of(client, f"{DIALECTS[client].format}:{MODEL}", stream)


def _pieces(client: str, answered: bytes, stream: bool) -> list[bytes]:
    return event_stream(answered, client) if stream else [response_body(answered)]


def _target(client: str, stream: bool) -> str:
    return UPSTREAM_STREAM_PATHS[client] if stream else UPSTREAM_PATHS[DIALECTS[client].format]


async def _in_process(client: str, stream: bool) -> tuple[Callable[[bytes, bytes], None], Callable[[], object]]:
    """A check that runs in this loop, and how to stop what it needs."""
    recorder = await Recorder().__aenter__()
    running = application(config_for(recorder.port))
    app = await running.__aenter__()
    loop = asyncio.get_running_loop()

    path, target = _address(client, stream), _target(client, stream)

    def check(asked: bytes, answered: bytes) -> None:
        body = _asked(client, asked, stream)
        pieces = _pieces(client, answered, stream)
        recorder.answer = writes_of(pieces, stream)
        heard = loop.run_until_complete(call(app, client, body=body.sent, path=path))
        assert (recorder.received, recorder.target) == (body.expected, target)
        assert (heard.status, heard.body) == (200, b"".join(pieces))

    async def close() -> None:
        await running.__aexit__(None, None, None)
        await recorder.__aexit__()

    return check, close


@pytest.mark.parametrize("client", CLIENTS)
async def test_bodies_pass_unaltered_through_the_real_process(client):
    async with Recorder() as recorder, running_proxy(config_for(recorder.port)) as proxy:
        connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)

        def asked_for(path: str, body: bytes) -> tuple[int, bytes]:
            connection.request("POST", path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

        for asked, answered, stream in _drawn(CASES_OF_THE_PROCESS):
            body, path = _asked(client, asked, stream), _address(client, stream)
            pieces = _pieces(client, answered, stream)
            recorder.answer = writes_of(pieces, stream)
            assert await asyncio.to_thread(asked_for, path, body.sent) == (200, b"".join(pieces))
            assert (recorder.received, recorder.target) == (body.expected, _target(client, stream))
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
