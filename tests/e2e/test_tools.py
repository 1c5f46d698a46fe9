"""Tool calls: out, back with the results, and what the upstream then holds; in its own format."""

import json
from itertools import permutations
from typing import Any

import pytest
from google.genai import types

from tests.e2e import seen
from tests.e2e.answers import EVENTS, HELPER, WHOLE, Client, Question, Way
from tests.e2e.pairs import FORMATS
from tests.fault_upstream import ARGUMENTS, FaultUpstream, story

STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)


@pytest.mark.parametrize("count", [1, 3])
def test_a_tool_round_trip_ends_in_an_answer(client: Client, backend: str, way: Way, count: int) -> None:
    """The upstream refuses results for calls that it never made."""
    model, question = f"{backend}:{story('tools', n=count)}", client.question("Weather?", tools=1)
    first = client.ask(way, model, question)
    assert first.finish == "tools"
    assert [(call.name, call.arguments) for call in first.calls] == [("get_weather", ARGUMENTS)] * count
    assert len({call.id for call in first.calls}) == count
    results = {call.id: f"{number} °C" for number, call in enumerate(first.calls)}
    final = client.ask(way, model, client.next_turn(question, first, results))
    assert (final.text, final.finish) == (f"The tool said: {'; '.join(results.values())}.", "stop")
    assert final.dropped == set()


@pytest.mark.parametrize("way", [WHOLE, EVENTS, HELPER], ids=str)
def test_the_upstream_sees_its_own_calls_and_their_results(
    client: Client, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    model, question = story("tools", n=2, ids=1), client.question("Weather?", tools=2)
    first = client.ask(way, f"{backend}:{model}", question)
    assert [call.id for call in first.calls] == [f"{_PREFIX[backend]}fault_{number}" for number in range(2)]
    client.ask(way, f"{backend}:{model}", client.next_turn(question, first, {call.id: "5" for call in first.calls}))
    sent = upstream.log.of(model)[-1].json
    assert seen.turns(backend, sent)[0] == ("user", "Weather?")
    assert [name for name, _ in seen.tools(backend, sent)] == ["get_weather", "get_time"]
    assert seen.tools(backend, sent)[0][1]["required"] == ["city"]
    _CHECKS[backend](sent)


def _check_chat(sent: Any) -> None:
    _, assistant, *results = sent["messages"]
    assert assistant["role"] == "assistant"
    calls = [(call["id"], call["function"]["name"], call["type"]) for call in assistant["tool_calls"]]
    assert calls == [(f"call_fault_{number}", "get_weather", "function") for number in range(2)]
    assert [json.loads(call["function"]["arguments"]) for call in assistant["tool_calls"]] == [ARGUMENTS] * 2
    assert [(each["role"], each["tool_call_id"], each["content"]) for each in results] == [
        ("tool", "call_fault_0", "5"),
        ("tool", "call_fault_1", "5"),
    ]


def _check_responses(sent: Any) -> None:
    """Items, one after the other."""
    *calls, first, second = [item for item in sent["input"] if "call_id" in item]
    assert [(call["type"], call["call_id"], call["name"], json.loads(call["arguments"])) for call in calls] == [
        ("function_call", f"call_fault_{number}", "get_weather", ARGUMENTS) for number in range(2)
    ]
    assert [(each["type"], each["call_id"], each["output"]) for each in (first, second)] == [
        ("function_call_output", "call_fault_0", "5"),
        ("function_call_output", "call_fault_1", "5"),
    ]


def _check_messages(sent: Any) -> None:
    """The results of one turn stand in one message, in the order of the calls."""
    _, assistant, results = sent["messages"]
    calls = [block for block in assistant["content"] if block["type"] == "tool_use"]
    assert [(call["id"], call["name"], call["input"]) for call in calls] == [
        (f"toolu_fault_{number}", "get_weather", ARGUMENTS) for number in range(2)
    ]
    assert results["role"] == "user"
    assert [(each["type"], each["tool_use_id"], each["content"]) for each in results["content"]] == [
        ("tool_result", "toolu_fault_0", "5"),
        ("tool_result", "toolu_fault_1", "5"),
    ]


def _check_gemini(sent: Any) -> None:
    """The results of one turn stand in one content, in the order of the calls."""
    _, model, results = sent["contents"]
    calls = [part["functionCall"] for part in model["parts"] if "functionCall" in part]
    assert [(call["id"], call["name"], call["args"]) for call in calls] == [
        (f"gemini_fault_{number}", "get_weather", ARGUMENTS) for number in range(2)
    ]
    assert results["role"] == "user"
    responses = [part["functionResponse"] for part in results["parts"]]
    assert [(each["id"], each["name"], *each["response"].values()) for each in responses] == [
        ("gemini_fault_0", "get_weather", "5"),
        ("gemini_fault_1", "get_weather", "5"),
    ]


_PREFIX = {"openai": "call_", "openai-responses": "call_", "anthropic": "toolu_", "gemini": "gemini_"}
_CHECKS = {
    "openai": _check_chat,
    "openai-responses": _check_responses,
    "anthropic": _check_messages,
    "gemini": _check_gemini,
}


def test_results_find_their_calls_where_calls_have_no_ids(client: Client, way: Way, upstream: FaultUpstream) -> None:
    """Gemini's: what the client is given must be told apart, and comes back as it was."""
    model, question = story("tools", n=2), client.question("Weather?", tools=1)
    first = client.ask(way, f"gemini:{model}", question)
    one, other = (call.id for call in first.calls)
    client.ask(way, f"gemini:{model}", client.next_turn(question, first, {other: "second", one: "first"}))
    sent = upstream.log.of(model)[-1].json
    said = ["second", "first"] if client.format == "gemini" else ["first", "second"]  # the client's own bytes
    assert list(seen.results("gemini", sent).values()) == said


def test_the_sdks_own_message_can_be_sent_back(
    clients: dict[str, Client], backend: str, upstream: FaultUpstream
) -> None:
    """`messages.append(completion.choices[0].message)`, as the SDK's README has it."""
    client = clients["openai"]
    model, question = f"{backend}:{story('tools')}", client.question("Weather?", tools=1)
    first = client.ask(WHOLE, model, question)
    [call] = first.calls
    held = first.native.choices[0].message
    result = {"role": "tool", "tool_call_id": call.id, "content": [{"type": "text", "text": "5"}]}
    second = client.ask(WHOLE, model, {**question, "messages": [*question["messages"], held, result]})
    assert second.text.startswith("The tool said: ")


def test_the_sdks_own_items_can_be_sent_back(clients: dict[str, Client], backend: str) -> None:
    """`input += response.output`, as the SDK's documentation has it."""
    client = clients["openai-responses"]
    model, question = f"{backend}:{story('tools')}", client.question("Weather?", tools=1)
    first = client.ask(WHOLE, model, question)
    result = {"type": "function_call_output", "call_id": first.calls[0].id, "output": "5"}
    second = client.ask(WHOLE, model, {**question, "input": [*question["input"], *first.native.output, result]})
    assert second.text == "The tool said: 5."


_NAMED = {
    "openai": {"type": "function", "function": {"name": "get_time"}},
    "openai-responses": {"type": "function", "name": "get_time"},
    "anthropic": {"type": "tool", "name": "get_time"},
    "gemini": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_time"]}},
}


def _spelled(openai: str, anthropic: str) -> dict[str, Any]:
    gemini = {"functionCallingConfig": {"mode": anthropic.upper()}}
    return {"openai": openai, "openai-responses": openai, "anthropic": {"type": anthropic}, "gemini": gemini}


@STREAMED
@pytest.mark.parametrize(
    "choice",
    [_spelled("auto", "auto"), _spelled("none", "none"), _spelled("required", "any"), _NAMED],
    ids=["auto", "none", "required", "one"],
)
def test_the_choice_of_tools_keeps_its_meaning(
    client: Client, backend: str, way: Way, choice: dict[str, Any], upstream: FaultUpstream
) -> None:
    model, name = story("tools"), "tool_config" if client.format == "gemini" else "tool_choice"
    client.ask(way, f"{backend}:{model}", client.question(tools=2, **{name: choice[client.format]}))
    sent = upstream.log.of(model)[-1].json
    told = seen.camel_case(sent)["toolConfig"] if backend == "gemini" else sent["tool_choice"]
    assert told == choice[backend]


_ONE_AT_A_TIME: dict[str, Question] = {
    "openai": {"parallel_tool_calls": False},
    "openai-responses": {"parallel_tool_calls": False},
    "anthropic": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
}
"""Gemini cannot say so."""


@STREAMED
@pytest.mark.parametrize("speaker", _ONE_AT_A_TIME)
def test_one_call_at_a_time_can_be_asked_for(
    clients: dict[str, Client], speaker: str, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients[speaker], story("tools")
    answer = client.ask(way, f"{backend}:{model}", client.question(tools=1, **_ONE_AT_A_TIME[speaker]))
    sent, expected = upstream.log.of(model)[-1].json, _ONE_AT_A_TIME.get(backend, {})
    assert {name: sent[name] for name in expected} == expected
    assert bool(answer.dropped) == (backend == "gemini")


@STREAMED
@pytest.mark.parametrize("speaker", ["anthropic", "gemini"])
def test_a_failed_tool_stays_a_failure(
    clients: dict[str, Client], speaker: str, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    """Only Messages and Gemini can say so; elsewhere the text does."""
    client, model = clients[speaker], story("tools")
    question = client.question(tools=1)
    first = client.ask(way, f"{backend}:{model}", question)
    second = client.next_turn(question, first, {first.calls[0].id: "no such city"})
    _FAILED[speaker](second)
    client.ask(way, f"{backend}:{model}", second)
    assert _FAILURE_OF[backend](upstream.log.of(model)[-1].json) == _FAILURES[backend]


def _fail_messages(question: Question) -> None:
    question["messages"][-1]["content"][0]["is_error"] = True


def _fail_gemini(question: Question) -> None:
    question["contents"][-1].parts[0].function_response.response = {"error": "no such city"}


_FAILED = {"anthropic": _fail_messages, "gemini": _fail_gemini}
_FAILURE_OF: dict[str, Any] = {
    "openai": lambda sent: sent["messages"][-1]["content"],
    "openai-responses": lambda sent: sent["input"][-1]["output"],
    "anthropic": lambda sent: sent["messages"][-1]["content"][0]["is_error"],
    "gemini": lambda sent: sent["contents"][-1]["parts"][0]["functionResponse"]["response"],
}
_FAILURES = {
    "openai": "Error: no such city",
    "openai-responses": "Error: no such city",
    "anthropic": True,
    "gemini": {"error": "no such city"},
}


@STREAMED
def test_text_before_a_call_survives_the_round_trip(
    client: Client, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    model, question = story("tools"), client.question(tools=1)
    first = client.ask(way, f"{backend}:{model}", question)
    second = client.next_turn(question, first, {first.calls[0].id: "5"})
    _SAY[client.format](second[client.turns])
    client.ask(way, f"{backend}:{model}", second)
    sent = upstream.log.of(model)[-1].json
    assert [turn.text for turn in seen.turns(backend, sent) if turn.role == "assistant"] == ["Let me look."]
    assert len(seen.calls(backend, sent)) == 1


SAID = "Let me look."


def _say_in_chat(messages: list[Any]) -> None:
    messages[-2]["content"] = SAID


def _say_in_responses(items: list[Any]) -> None:
    items.insert(1, {"role": "assistant", "content": SAID})


def _say_in_messages(messages: list[Any]) -> None:
    messages[-2]["content"] = [{"type": "text", "text": SAID}, *messages[-2]["content"]]


def _say_in_gemini(contents: list[Any]) -> None:
    contents[-2].parts.insert(0, types.Part(text=SAID))


_SAY = {
    "openai": _say_in_chat,
    "openai-responses": _say_in_responses,
    "anthropic": _say_in_messages,
    "gemini": _say_in_gemini,
}


@STREAMED
def test_a_conversation_can_move_to_another_upstream(client: Client, way: Way, upstream: FaultUpstream) -> None:
    """The ids of the first upstream's calls are good enough for the second."""
    question = client.question(tools=1)
    for here, there in permutations(FORMATS, 2):
        first = client.ask(way, f"{here}:{story('tools', n=2)}", question)
        model = story("answer")
        second = client.next_turn(question, first, dict(zip([call.id for call in first.calls], "56", strict=True)))
        client.ask(way, f"{there}:{model}", second)
        sent = upstream.log.of(model)[-1].json
        results = seen.results(there, sent)
        assert list(results.values()) == ["5", "6"], (here, there)
        if there != "gemini":  # whose ids are optional
            assert [call.id for call in seen.calls(there, sent)] == list(results), (here, there)
