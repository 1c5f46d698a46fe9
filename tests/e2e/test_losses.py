"""What a format cannot say is left out, and told in `x-llm-proxy-dropped`; all else arrives."""

from typing import Any

import pytest

from tests.e2e.answers import EVENTS, WHOLE, Client, Way
from tests.fault_upstream import FaultUpstream, story

STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)


@STREAMED
@pytest.mark.parametrize(
    ("fields", "dropped"),
    [
        ({"seed": 7}, {"seed"}),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs", "top_logprobs"}),
        ({"presence_penalty": 0.5, "frequency_penalty": 0.25}, {"presence_penalty", "frequency_penalty"}),
        ({"logit_bias": {"5": 10}}, {"logit_bias"}),
        ({"store": True}, {"store"}),
        ({"extra_body": {"made_up": 1}}, {"made_up"}),
        ({"presence_penalty": 0, "logprobs": False, "logit_bias": {}}, set()),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_what_anthropic_lacks_is_dropped_and_told(
    clients: dict[str, Client], way: Way, fields: Any, dropped: set[str], upstream: FaultUpstream
) -> None:
    client, model = clients["openai"], story("answer")
    assert client.ask(way, f"anthropic:{model}", client.question(**fields)).dropped == dropped
    sent = upstream.log.of(model)[-1].json
    assert not dropped & sent.keys()


@STREAMED
def test_what_chat_lacks_is_dropped_and_told(clients: dict[str, Client], way: Way, upstream: FaultUpstream) -> None:
    client, model = clients["anthropic"], story("answer")
    cached = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    question = client.question(extra_body={"top_k": 5}) | {"system": [cached]}
    assert client.ask(way, f"openai:{model}", question).dropped == {"top_k", "cache_control"}
    sent = upstream.log.of(model)[-1].json
    assert "top_k" not in sent
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}


@STREAMED
def test_a_server_tool_is_left_out_and_told(clients: dict[str, Client], way: Way, upstream: FaultUpstream) -> None:
    client, model = clients["anthropic"], story("tools")
    question = client.question(tools=1)
    question["tools"].append({"type": "web_search_20250305", "name": "web_search"})
    answer = client.ask(way, f"openai:{model}", question)
    assert any("web_search" in name for name in answer.dropped)
    assert [tool["function"]["name"] for tool in upstream.log.of(model)[-1].json["tools"]] == ["get_weather"]


@STREAMED
def test_the_same_format_loses_nothing(client: Client, way: Way, upstream: FaultUpstream) -> None:
    model = story("answer")
    extra = {"top_k": 5, "seed": 7, "logprobs": True, "made_up": {"a": None}}
    assert client.ask(way, f"{client.format}:{model}", client.question(extra_body=extra)).dropped == set()
    sent = upstream.log.of(model)[-1].json
    assert {name: sent[name] for name in extra} == extra


@STREAMED
@pytest.mark.parametrize("sampling", [{"temperature": 0.25}, {"top_p": 0.5}], ids=["temperature", "top_p"])
def test_sampling_keeps_its_meaning(
    client: Client, backend: str, way: Way, sampling: Any, upstream: FaultUpstream
) -> None:
    model, stop = story("answer"), {"openai": "stop", "anthropic": "stop_sequences"}
    asked = {**sampling, stop[client.format]: ["END", "STOP"]}
    assert client.ask(way, f"{backend}:{model}", client.question(extra_body=asked)).dropped == set()
    expected = {**sampling, stop[backend]: ["END", "STOP"]}
    sent = upstream.log.of(model)[-1].json
    assert {name: sent[name] for name in expected} == expected


@STREAMED
def test_what_anthropic_takes_not_together_is_told(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients["openai"], story("answer")
    question = client.question(temperature=0.25, top_p=0.5)
    assert client.ask(way, f"anthropic:{model}", question).dropped == {"top_p"}
    assert upstream.log.of(model)[-1].json["temperature"] == 0.25


@STREAMED
def test_the_user_keeps_its_name(client: Client, backend: str, way: Way, upstream: FaultUpstream) -> None:
    model = story("answer")
    spelled: dict[str, Any] = {"openai": {"user": "u-1"}, "anthropic": {"metadata": {"user_id": "u-1"}}}
    client.ask(way, f"{backend}:{model}", client.question(**spelled[client.format]))
    sent = upstream.log.of(model)[-1].json
    assert {name: sent[name] for name in spelled[backend]} == spelled[backend]


@STREAMED
def test_a_schema_for_the_answer_keeps_its_meaning(
    client: Client, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    model = story("answer")
    spelled: dict[str, Any] = {
        "openai": {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "response", "schema": schema, "strict": True},
            }
        },
        "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": schema}}},
    }
    client.ask(way, f"{backend}:{model}", client.question(**spelled[client.format]))
    sent = upstream.log.of(model)[-1].json
    if backend == "openai":
        assert sent["response_format"]["json_schema"]["schema"] == schema
    else:
        assert sent["output_config"] == spelled["anthropic"]["output_config"]
