"""`/metrics` tells what translation could not carry, by backend, client format and field."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_metrics

from tests.fault_upstream import FaultUpstream, story
from tests.reliability.talk import ROUTES, SPOKEN, TRANSLATED, ask, backends_at
from tests.reliability.test_strict import LOSSES
from tests.support.proxy import RunningProxy, running_proxy

Counts = dict[tuple[str, ...], float]
LABELS = {
    "llm_proxy_requests_total": ("backend", "client_format", "lane", "outcome"),
    "llm_proxy_translation_dropped_total": ("backend", "client_format", "field"),
}
DROPPED = "llm_proxy_translation_dropped_total"
REQUESTS = "llm_proxy_requests_total"


@pytest.fixture(scope="module")
def counting_proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    with running_proxy({"backends": backends_at(upstream)}) as running:
        assert counts(running, DROPPED) == {}
        assert counts(running, REQUESTS) == {}
        yield running


class Since:
    """What has been counted since this was made."""

    def __init__(self, proxy: RunningProxy) -> None:
        self._proxy = proxy
        self._before = {name: counts(proxy, name) for name in LABELS}

    def told(self, name: str, *arguments: Any) -> Counts:
        """The counts of one counter that have grown."""
        before = self._before[name]
        grown = {key: value - before.get(key, 0) for key, value in counts(self._proxy, name, *arguments).items()}
        return {key: value for key, value in grown.items() if value}


def counts(proxy: RunningProxy, name: str, parse: Any = plain_metrics, accept: str = "") -> Counts:
    """The samples of one counter, by its labels."""
    got = proxy.get("/metrics", {"accept": accept} if accept else None)
    assert got.status == 200
    samples = [sample for family in parse(got.body.decode()) for sample in family.samples if sample.name == name]
    assert all(set(sample.labels) == set(LABELS[name]) for sample in samples)
    return {tuple(sample.labels[label] for label in LABELS[name]): sample.value for sample in samples}


async def test_every_loss_is_counted_streamed_or_not(counting_proxy):
    since = Since(counting_proxy)
    for client, backend in TRANSLATED:
        fields, _ = LOSSES[client, backend]
        for stream in (True, False, True):
            heard = await ask(counting_proxy, client, f"{backend}:{story('answer')}", stream=stream, **fields)
            assert heard.status == 200
    named = {(backend, client, name): 3 for (client, backend), (_, name) in LOSSES.items()}
    assert since.told(DROPPED) == named
    assert since.told(DROPPED, open_metrics, "application/openmetrics-text; version=1.0.0") == named
    lanes = {(backend, client, "translated", "complete"): 3 for client, backend in TRANSLATED}
    assert since.told(REQUESTS) == lanes


async def test_requests_are_counted_by_how_they_end(counting_proxy):
    since = Since(counting_proxy)
    for client, backend in ROUTES:
        if backend == "bare":
            continue
        assert (await ask(counting_proxy, client, f"{backend}:{story('answer')}")).status == 200
        await ask(counting_proxy, client, f"{backend}:{story('error_mid', after=6, ms=10)}", stream=True)
        await ask(counting_proxy, client, f"{backend}:{story('status', code=429)}", stream=True)
    told = since.told(REQUESTS)
    for client in SPOKEN:
        for backend in SPOKEN:
            lane, times = ("passthrough" if client == backend else "translated"), 2 if client == "gemini" else 1
            assert told[backend, client, lane, "complete"] == times
            assert told[backend, client, lane, "interrupted"] == times
            assert told[backend, client, "", "failed"] == times
    assert since.told(DROPPED) == {}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_before_the_answer_is_no_failure(counting_proxy, stream):
    since, model = Since(counting_proxy), story("silent")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ask(counting_proxy, "openai", f"openai:{model}", stream=stream)
    for _ in range(100):
        if told := since.told(REQUESTS):
            break
        await asyncio.sleep(0.02)
    assert told == {("openai", "openai", "", "cancelled"): 1}


async def test_a_strict_refusal_is_a_failed_request_and_no_loss(counting_proxy):
    since, headers = Since(counting_proxy), {"x-llm-proxy-strict-translation": "1"}
    heard = await ask(counting_proxy, "openai", f"anthropic:{story('answer')}", headers=headers, seed=7)
    assert heard.status == 400
    assert since.told(DROPPED) == {}
    assert since.told(REQUESTS) == {("anthropic", "openai", "", "failed"): 1}


NASTY = ['a"b', "a\nb", "a\\b", 'x"} 1\nevil{y="', "é☕", "", "a b", "a,b", "{", "#", "a\r\nx-injected: 1", "\0", "a.b"]


async def test_names_that_clients_make_up_break_nothing(counting_proxy):
    since = Since(counting_proxy)
    heard = await ask(counting_proxy, "openai", f"anthropic:{story('answer')}", **dict.fromkeys(NASTY, 1))
    assert heard.status == 200
    assert "x-injected" not in heard.headers
    told = since.told(DROPPED)
    assert 0 < len(told) <= len(NASTY)
    assert set(told.values()) == {1}
    assert {backend for backend, *_ in told} == {"anthropic"}


async def test_names_that_clients_make_up_are_bounded(counting_proxy):
    for number in range(12):
        fields = {f"made_up_{number}_{each}": 1 for each in range(50)}
        assert (await ask(counting_proxy, "openai", f"anthropic:{story('answer')}", **fields)).status == 200
    fields = {field for *_, field in counts(counting_proxy, DROPPED)}
    assert len(fields) == 201
    assert counts(counting_proxy, DROPPED)["anthropic", "openai", "other"] >= 12 * 50 - 200


async def test_the_metrics_are_no_secret_but_names_no_client_and_no_model(counting_proxy):
    secret = story("answer", text="a-secret-model")
    await ask(counting_proxy, "openai", f"anthropic:{secret}", headers={"x-api-key": "a-secret-key"}, seed=7)
    text = counting_proxy.get("/metrics").body.decode()
    assert "secret" not in text
    assert counting_proxy.get("/metrics").headers["content-type"].startswith("text/plain")
