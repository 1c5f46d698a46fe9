"""You never get the same words twice: one request of a client is one request upstream, however it fails.

The one exception: a connection that the upstream closed while it was idle, noticed only when the next request is under
way, and not a byte of an answer has come. Then the request goes out once more, on a fresh connection.
"""

from collections.abc import Iterator

import pytest

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
        assert attempts == [True, False] if attempts[0] and failure in MAY_HAVE_DIED_IDLE else len(attempts) == 1


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
async def test_the_second_attempt_is_the_last(proxy, upstream, end):
    model = story("drop", end=end)
    heard = [await ask(proxy, "openai", f"openai:{story('answer')}") for _ in range(2)]
    assert [each.status for each in heard] == [200, 200]
    assert (await ask(proxy, "openai", f"openai:{model}")).status == 502
    assert [exchange.reused for exchange in upstream.log.of(model)] == [True, False]


async def test_what_an_upstream_says_unasked_is_nobody_s_answer(proxy, upstream):
    stray = response(b'{"id":"stray","choices":[],"usage":{}}')
    model = upstream.register(response(b'{"id":"own","choices":[],"usage":{}}'), stray, pause_ms=30)
    assert (await ask(proxy, "openai", f"openai:{model}")).json["id"] == "own"
    await upstream.wait_over(model)
    assert b"stray" not in (await ask(proxy, "openai", f"openai:{story('answer')}")).body
