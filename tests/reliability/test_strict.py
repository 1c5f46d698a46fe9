"""Strict translation: what would be left out refuses the request, by its name, before anybody is asked."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fault_upstream import FaultUpstream, story
from tests.reliability.dialects import DIALECTS
from tests.reliability.talk import CLIENTS, PAIRS, SPOKEN, TRANSLATED, Heard, ask, backends_at
from tests.support.proxy import RunningProxy, running_proxy

STRICT = {"x-llm-proxy-strict-translation": "true"}
#: Fields of a client that no such upstream has: by its format and the upstream's, the fields and the name of the loss.
LOSSES: dict[tuple[str, str], tuple[dict[str, Any], str]] = {
    ("openai", "openai-responses"): ({"seed": 7}, "seed"),
    ("openai", "anthropic"): ({"seed": 7}, "seed"),
    ("openai", "gemini"): ({"logit_bias": {"50256": -100}}, "logit_bias"),
    ("openai-responses", "openai"): ({"max_tool_calls": 3}, "max_tool_calls"),
    ("openai-responses", "anthropic"): ({"top_logprobs": 3}, "top_logprobs"),
    ("openai-responses", "gemini"): ({"truncation": "auto"}, "truncation"),
    ("anthropic", "openai"): ({"top_k": 40}, "top_k"),
    ("anthropic", "openai-responses"): ({"stop_sequences": ["END"]}, "stop_sequences"),
    ("anthropic", "gemini"): ({"context_management": {"edits": []}}, "context_management"),
    ("gemini", "openai"): ({"generationConfig": {"topK": 40}}, "topK"),
    ("gemini", "openai-responses"): ({"generationConfig": {"stopSequences": ["END"]}}, "stopSequences"),
    ("gemini", "anthropic"): ({"generationConfig": {"frequencyPenalty": 0.5}}, "frequencyPenalty"),
}
BY = pytest.mark.parametrize(
    ("prefix", "headers"), [("strict-", {}), ("", STRICT), ("strict-", STRICT)], ids=["backend", "header", "both"]
)


@pytest.fixture(scope="module")
def proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    backends = backends_at(upstream)
    strict = {
        f"strict-{name}": {**options, "type": name, "strict_translation": True} for name, options in backends.items()
    }
    with running_proxy({"backends": {**backends, **strict}}) as running:
        yield running


def assert_names_loss(client: str, heard: Heard, name: str) -> None:
    """A 400 in the client's format that says what would be lost."""
    assert heard.status == 400, heard
    assert heard.headers["content-type"] == "application/json"
    assert name in heard.error["message"]
    assert heard.error[DIALECTS[client].error_kind] in ("invalid_request_error", "INVALID_ARGUMENT")
    assert client != "anthropic" or heard.json["type"] == "error"


def test_every_translation_has_its_loss():
    assert set(LOSSES) == set(TRANSLATED)


@pytest.mark.parametrize(("client", "backend"), TRANSLATED)
@pytest.mark.parametrize("stream", [True, False])
@BY
async def test_a_loss_refuses_the_request(proxy, upstream, client, backend, stream, prefix, headers):
    fields, name = LOSSES[client, backend]
    model = story("answer")
    heard = await ask(proxy, client, f"{prefix}{backend}:{model}", stream=stream, headers=headers, **fields)
    assert_names_loss(client, heard, name)
    assert not upstream.log.of(model)


@pytest.mark.parametrize(("client", "backend"), TRANSLATED)
@pytest.mark.parametrize("stream", [True, False])
async def test_without_strictness_the_loss_is_reported(proxy, upstream, client, backend, stream):
    fields, name = LOSSES[client, backend]
    model = story("answer")
    heard = await ask(proxy, client, f"{backend}:{model}", stream=stream, **fields)
    assert heard.status == 200, heard
    assert heard.headers["x-llm-proxy-dropped"].split(",") == [name]


@pytest.mark.parametrize(("client", "backend"), PAIRS)
@pytest.mark.parametrize("stream", [True, False])
@BY
async def test_where_nothing_is_lost_nothing_happens(proxy, upstream, client, backend, stream, prefix, headers):
    model = story("answer")
    heard = await ask(proxy, client, f"{prefix}{backend}:{model}", stream=stream, headers=headers)
    assert heard.status == 200, heard
    assert "x-llm-proxy-dropped" not in heard.headers
    assert len(upstream.log.of(model)) == 1
    assert "x-llm-proxy-strict-translation" not in upstream.log.of(model)[0].headers


@pytest.mark.parametrize("client", CLIENTS)
@BY
async def test_what_is_not_translated_loses_nothing(proxy, upstream, client, prefix, headers):
    own = DIALECTS[client].format
    model = story("answer", lax=1)
    fields = {"seed": 7, "top_k": 3, "context_management": {}, "unknown_in_2026": [1]}
    heard = await ask(proxy, client, f"{prefix}{own}:{model}", stream=True, headers=headers, **fields)
    assert heard.status == 200, heard
    assert heard.headers["x-llm-proxy-lane"] == "passthrough"
    assert {name: upstream.log.of(model)[0].json[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("value", "is_strict"),
    [
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("1", True),
        ("0", False),
        ("false", False),
        ("", False),
        ("x", False),
    ],
)
async def test_the_header_says_yes_or_no(proxy, value, is_strict):
    headers = {"X-LLM-Proxy-Strict-Translation": value}
    heard = await ask(proxy, "openai", f"anthropic:{story('answer')}", headers=headers, seed=7)
    assert heard.status == (400 if is_strict else 200)


async def test_no_header_softens_a_strict_backend(proxy):
    headers = {"x-llm-proxy-strict-translation": "false"}
    heard = await ask(proxy, "openai", f"strict-anthropic:{story('answer')}", headers=headers, seed=7)
    assert_names_loss("openai", heard, "seed")


@pytest.mark.parametrize("client", SPOKEN)
async def test_state_of_another_provider_is_a_loss_too(proxy, upstream, client):
    """A block that only its provider knows, in the history."""
    thinking = [{"type": "thinking", "thinking": "x", "signature": "of another"}, {"type": "text", "text": "y"}]
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": thinking},
        {"role": "user", "content": "b"},
    ]
    if client == "anthropic":
        return
    model = story("answer")
    heard = await ask(proxy, "anthropic", f"strict-{client}:{model}", messages=messages)
    assert_names_loss("anthropic", heard, "signature")
    assert not upstream.log.of(model)


@BY
async def test_a_lost_setting_of_embeddings_refuses_them(proxy, upstream, prefix, headers):
    model = story("answer")
    path = f"/v1beta/models/{prefix}openai:{model}:embedContent"
    body = b'{"content":{"parts":[{"text":"hello"}]},"taskType":"CLUSTERING"}'
    assert_names_loss("gemini", await ask(proxy, "gemini", path=path, body=body, headers=headers), "task")
    assert not upstream.log.of(model)
