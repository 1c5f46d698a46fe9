"""Thinking: its text for the client, its signature back to the one who made it, and to nobody else."""

import base64
import json
from itertools import permutations
from typing import Any

import pytest

from tests.e2e import seen
from tests.e2e.answers import ANOTHER_KEY, EVENTS, HELPER, WHOLE, Client, Question, Way
from tests.e2e.pairs import FORMATS
from tests.fault_upstream import ARGUMENTS, SIGNATURE, THOUGHT, FaultUpstream, story

ENCODED_SIGNATURE = base64.b64encode(SIGNATURE.encode()).decode()
"""As Gemini has it."""

STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)
SHAPES = pytest.mark.parametrize("way", [WHOLE, EVENTS, HELPER], ids=str)


def test_thinking_stays_out_of_the_text(client: Client, backend: str, way: Way) -> None:
    answer = client.ask(way, f"{backend}:{story('thinking')}", client.question(tools=1))
    assert (answer.thinking, answer.text, answer.finish) == (THOUGHT, "", "tools")
    assert [call.arguments for call in answer.calls] == [ARGUMENTS]


def test_an_upstream_gets_its_signature_back_unchanged(client: Client, backend: str, way: Way) -> None:
    """It refuses the second turn otherwise."""
    model, question = f"{backend}:{story('thinking')}", client.question("Weather?", tools=1)
    first = client.ask(way, model, question)
    second = client.next_turn(question, first, {first.calls[0].id: "5"})
    answer = client.ask(way, model, second)
    assert answer.text == "The tool said: 5."
    assert answer.dropped <= ({"reasoning"} if backend == "gemini" else set())  # which wants no text back
    third = client.going_on(client.next_turn(second, answer, {}), ("user", "And tomorrow?"))
    assert client.ask(way, model, third).text == "The tool said: 5."


@STREAMED
def test_anthropic_gets_its_blocks_back(client: Client, way: Way, upstream: FaultUpstream) -> None:
    model, question = story("thinking"), client.question("Weather?", tools=1)
    first = client.ask(way, f"anthropic:{model}", question)
    client.ask(way, f"anthropic:{model}", client.next_turn(question, first, {first.calls[0].id: "5"}))
    thought, call = upstream.log.of(model)[-1].json["messages"][1]["content"]
    assert thought == {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
    assert call["type"] == "tool_use"


@STREAMED
def test_responses_gets_its_items_back(client: Client, way: Way, upstream: FaultUpstream) -> None:
    model, question = story("thinking"), client.question("Weather?", tools=1)
    first = client.ask(way, f"openai-responses:{model}", question)
    client.ask(way, f"openai-responses:{model}", client.next_turn(question, first, {first.calls[0].id: "5"}))
    _, thought, call, _ = upstream.log.of(model)[-1].json["input"]
    assert thought["summary"] == [{"type": "summary_text", "text": THOUGHT}]
    assert (thought["type"], thought["encrypted_content"]) == ("reasoning", SIGNATURE)
    assert call["type"] == "function_call"


@STREAMED
def test_gemini_gets_its_signature_back_on_the_same_part(client: Client, way: Way, upstream: FaultUpstream) -> None:
    model, question = story("thinking", n=2), client.question("Weather?", tools=1)
    first = client.ask(way, f"gemini:{model}", question)
    client.ask(way, f"gemini:{model}", client.next_turn(question, first, {call.id: "5" for call in first.calls}))
    *_, one, other = _parts_with_calls(upstream.log.of(model)[-1].json)
    assert one["thoughtSignature"] == ENCODED_SIGNATURE
    assert "thoughtSignature" not in other


def _parts_with_calls(sent: Any) -> list[Any]:
    return [part for part in sent["contents"][1]["parts"] if "functionCall" in part]


@SHAPES
def test_the_sdks_own_message_carries_the_signature_too(clients: dict[str, Client], backend: str, way: Way) -> None:
    client, model = clients["openai"], f"{backend}:{story('thinking')}"
    question = client.question(tools=1)
    first = client.ask(way, model, question)
    second = client.next_turn(question, first, {first.calls[0].id: "5"})
    second["messages"][1] = first.native.choices[0].message
    assert client.ask(way, model, second).text == "The tool said: 5."


@STREAMED
def test_a_signature_goes_to_nobody_else(client: Client, way: Way, upstream: FaultUpstream) -> None:
    """Nor does the thought that nobody signed for them, unless the client calls it its own format's."""
    question, somebody = client.question(tools=1), client.keyed(ANOTHER_KEY)
    for here, there in permutations(FORMATS, 2):
        first = client.ask(way, f"{here}:{story('thinking')}", question)
        model, results = story("answer"), {first.calls[0].id: "5"}
        answer = client.ask(way, f"{there}:{model}", client.next_turn(question, first, results, **somebody))
        sent = json.dumps(upstream.log.of(model)[-1].json, ensure_ascii=False)
        if client.format != there:
            assert THOUGHT not in sent, (here, there)
            assert "reasoning" in answer.dropped, (here, there)
        if not client.format == there == "openai":  # where signatures are no part of the format, but an extension
            assert SIGNATURE not in sent, (here, there)
            assert ENCODED_SIGNATURE not in sent, (here, there)


EFFORTS: dict[str, Any] = {
    "openai": lambda effort: {"reasoning_effort": effort},
    "openai-responses": lambda effort: {"reasoning": {"effort": effort}},
    "anthropic": lambda effort: {"extra_body": {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}},
    "gemini": lambda effort: {"thinking_config": {"thinking_level": effort.upper()}},
}
_EFFORT_OF: dict[str, Any] = {
    "openai": lambda settings: settings["reasoning_effort"],
    "openai-responses": lambda settings: settings["reasoning"]["effort"],
    "anthropic": lambda settings: settings["output_config"]["effort"],
    "gemini": lambda settings: _level(settings["thinkingConfig"]),
}


def _level(config: Any) -> str:
    """Google's own equivalents: https://ai.google.dev/gemini-api/docs/openai#thinking (2026-11)."""
    if "thinkingLevel" in config:
        return str(config["thinkingLevel"]).lower()
    return {1024: "low", 8192: "medium", 24_576: "high"}[config["thinkingBudget"]]


@STREAMED
@pytest.mark.parametrize("effort", ["low", "high"])
def test_the_effort_keeps_its_meaning(
    client: Client, backend: str, way: Way, effort: str, upstream: FaultUpstream
) -> None:
    model = story("answer")
    answer = client.ask(way, f"{backend}:{model}", client.question(**EFFORTS[client.format](effort)))
    settings = seen.settings(backend, upstream.log.of(model)[-1].json)
    assert (_EFFORT_OF[backend](settings), answer.dropped) == (effort, set())
    if backend == "anthropic":
        assert settings["thinking"]["type"] == "adaptive"


BUDGETS: dict[str, Question] = {
    "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 2000}, "limit": 4000},
    "gemini": {"thinking_config": {"thinking_budget": 2000, "include_thoughts": True}},
}


@STREAMED
@pytest.mark.parametrize("speaker", BUDGETS)
@pytest.mark.parametrize("upstreams", ["openai", "openai-responses"])
def test_a_thinking_budget_becomes_an_effort(
    clients: dict[str, Client], speaker: str, upstreams: str, way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients[speaker], story("answer")
    client.ask(way, f"{upstreams}:{model}", client.question(**BUDGETS[speaker]))
    assert _EFFORT_OF[upstreams](upstream.log.of(model)[-1].json) in {"low", "medium", "high"}


@STREAMED
def test_a_thinking_budget_is_a_budget_where_there_are_any(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    told: dict[str, Any] = {}
    for speaker, backend in permutations(BUDGETS, 2):
        model, client = story("answer"), clients[speaker]
        client.ask(way, f"{backend}:{model}", client.question(**BUDGETS[speaker]))
        told[backend] = seen.settings(backend, upstream.log.of(model)[-1].json)
    assert told["anthropic"]["thinking"]["budget_tokens"] == 2000
    assert told["gemini"]["thinkingConfig"] == {"thinkingBudget": 2000, "includeThoughts": True}
