"""Thinking: its text for the client, its signature back to the one who made it, and to nobody else."""

import json
from typing import Any

import pytest

from tests.e2e.answers import Client, Way
from tests.fault_upstream import ARGUMENTS, SIGNATURE, THOUGHT, FaultUpstream, story


def test_thinking_stays_out_of_the_text(client: Client, backend: str, way: Way) -> None:
    answer = client.ask(way, f"{backend}:{story('thinking')}", client.question(tools=1))
    assert (answer.thinking, answer.text, answer.finish) == (THOUGHT, "", "tools")
    assert [call.arguments for call in answer.calls] == [ARGUMENTS]


def test_anthropic_gets_its_signature_back_unchanged(client: Client, way: Way, upstream: FaultUpstream) -> None:
    """The upstream refuses the second turn otherwise."""
    told, question = story("thinking"), client.question("Weather?", tools=1)
    first = client.ask(way, f"anthropic:{told}", question)
    results = {first.calls[0].id: "5"}
    second = client.next_turn(question, first, results)
    answer = client.ask(way, f"anthropic:{told}", second)
    assert answer.text == "The tool said: 5."
    assert answer.dropped == set()
    thought, call = upstream.log.of(told)[-1].json["messages"][1]["content"]
    assert thought == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
    assert call["type"] == "tool_use"
    third = client.next_turn(second, answer, {})
    third["messages"].append({"role": "user", "content": "And tomorrow?"})
    assert client.ask(way, f"anthropic:{told}", third).text == "The tool said: 5."


def test_the_sdks_own_message_carries_the_signature_too(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients["openai"], f"anthropic:{story('thinking')}"
    question = client.question(tools=1)
    first = client.ask(way, model, question)
    second = client.next_turn(question, first, {first.calls[0].id: "5"})
    second["messages"][1] = first.native.choices[0].message
    assert client.ask(way, model, second).text == "The tool said: 5."


def test_a_chat_upstream_gets_its_own_details_back(clients: dict[str, Client], way: Way) -> None:
    """The lossless lane: the provider's `reasoning_details`, as the client holds them."""
    client, model = clients["openai"], f"openai:{story('thinking')}"
    question = client.question(tools=1)
    first = client.ask(way, model, question)
    answer = client.ask(way, model, client.next_turn(question, first, {first.calls[0].id: "5"}))
    assert answer.text == "The tool said: 5."


def test_anthropics_signature_goes_to_nobody_else(client: Client, way: Way, upstream: FaultUpstream) -> None:
    question = client.question(tools=1)
    first = client.ask(way, f"anthropic:{story('thinking')}", question)
    model = story("answer")
    answer = client.ask(way, f"openai:{model}", client.next_turn(question, first, {first.calls[0].id: "5"}))
    sent = json.dumps(upstream.log.of(model)[-1].json, ensure_ascii=False)
    if client.format == "openai":  # the client's own bytes, on the lossless lane
        assert SIGNATURE in sent
    else:
        assert SIGNATURE not in sent
        assert THOUGHT not in sent
        assert "reasoning" in answer.dropped


def test_nobody_elses_thinking_is_shown_to_anthropic(client: Client, way: Way, upstream: FaultUpstream) -> None:
    """Never a forged signature: the thinking stays behind, and the client is told."""
    question = client.question(tools=1)
    first = client.ask(way, f"openai:{story('thinking')}", question)
    model = story("answer")
    answer = client.ask(way, f"anthropic:{model}", client.next_turn(question, first, {first.calls[0].id: "5"}))
    sent = upstream.log.of(model)[-1].json
    kinds = [block["type"] for block in _content(sent["messages"][1])]
    if client.format == "anthropic":  # lossless: an unsigned block, as the client holds it
        assert kinds == ["thinking", "tool_use"]
        assert sent["messages"][1]["content"][0]["signature"] == ""
    else:
        assert kinds == ["tool_use"]
        assert SIGNATURE not in json.dumps(sent)
        assert "reasoning" in answer.dropped


def _content(message: Any) -> Any:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def test_a_chat_upstreams_thinking_bears_no_signature(clients: dict[str, Client], way: Way) -> None:
    """Its `signature` is not Anthropic's, and must not pass for one."""
    answer = clients["anthropic"].ask(way, f"openai:{story('thinking')}", clients["anthropic"].question(tools=1))
    thought = answer.native.content[0]
    assert (thought.type, thought.thinking, thought.signature) == ("thinking", THOUGHT, "")


def test_the_drop_is_told_when_thinking_cannot_go_back(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client, question = clients["anthropic"], clients["anthropic"].question(tools=1)
    first = client.ask(way, f"openai:{story('thinking')}", question)
    model = story("answer")
    answer = client.ask(way, f"openai:{model}", client.next_turn(question, first, {first.calls[0].id: "5"}))
    assistant = upstream.log.of(model)[-1].json["messages"][1]
    assert not {"reasoning_content", "reasoning_details"} & assistant.keys()
    assert "reasoning" in answer.dropped


@pytest.mark.parametrize("effort", ["low", "high"])
def test_reasoning_effort_turns_anthropics_thinking_on(
    clients: dict[str, Client], way: Way, effort: str, upstream: FaultUpstream
) -> None:
    model, client = story("answer"), clients["openai"]
    client.ask(way, f"anthropic:{model}", client.question(reasoning_effort=effort))
    sent = upstream.log.of(model)[-1].json
    assert (sent["thinking"]["type"], sent["output_config"]["effort"]) == ("adaptive", effort)


def test_a_thinking_budget_becomes_an_effort(clients: dict[str, Client], way: Way, upstream: FaultUpstream) -> None:
    model, client = story("answer"), clients["anthropic"]
    thinking = {"type": "enabled", "budget_tokens": 2000}
    client.ask(way, f"openai:{model}", client.question(thinking=thinking) | {"max_tokens": 4000})
    assert upstream.log.of(model)[-1].json["reasoning_effort"] in {"low", "medium", "high"}
