"""Tool calls: out, back with the results, and what the upstream then holds; in its own format."""

import json
from typing import Any

import pytest

from tests.e2e.answers import EVENTS, HELPER, WHOLE, Client, Way
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
    model, question = story("tools", n=2), client.question("Weather?", tools=2)
    first = client.ask(way, f"{backend}:{model}", question)
    assert [call.id for call in first.calls] == [f"{_PREFIX[backend]}fault_{number}" for number in range(2)]
    client.ask(way, f"{backend}:{model}", client.next_turn(question, first, {call.id: "5" for call in first.calls}))
    _CHECKS[backend](upstream.log.of(model)[-1].json)


def _check_chat(sent: Any) -> None:
    user, assistant, *results = sent["messages"]
    assert user == {"role": "user", "content": "Weather?"}
    assert assistant["role"] == "assistant"
    calls = [(call["id"], call["function"]["name"], call["type"]) for call in assistant["tool_calls"]]
    assert calls == [(f"call_fault_{number}", "get_weather", "function") for number in range(2)]
    assert [json.loads(call["function"]["arguments"]) for call in assistant["tool_calls"]] == [ARGUMENTS] * 2
    assert [(each["role"], each["tool_call_id"], each["content"]) for each in results] == [
        ("tool", "call_fault_0", "5"),
        ("tool", "call_fault_1", "5"),
    ]
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["get_weather", "get_time"]
    assert sent["tools"][0]["function"]["parameters"]["required"] == ["city"]


def _check_messages(sent: Any) -> None:
    """The results of one turn stand in one message, in the order of the calls."""
    user, assistant, results = sent["messages"]
    assert user == {"role": "user", "content": "Weather?"}
    calls = [block for block in assistant["content"] if block["type"] == "tool_use"]
    assert [(call["id"], call["name"], call["input"]) for call in calls] == [
        (f"toolu_fault_{number}", "get_weather", ARGUMENTS) for number in range(2)
    ]
    assert results["role"] == "user"
    assert [(each["type"], each["tool_use_id"], each["content"]) for each in results["content"]] == [
        ("tool_result", "toolu_fault_0", "5"),
        ("tool_result", "toolu_fault_1", "5"),
    ]
    assert [tool["name"] for tool in sent["tools"]] == ["get_weather", "get_time"]
    assert sent["tools"][0]["input_schema"]["required"] == ["city"]


_PREFIX = {"openai": "call_", "anthropic": "toolu_"}
_CHECKS = {"openai": _check_chat, "anthropic": _check_messages}


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


@STREAMED
@pytest.mark.parametrize(
    ("chat", "messages"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "get_time"}}, {"type": "tool", "name": "get_time"}),
    ],
    ids=["auto", "none", "required", "one"],
)
def test_the_choice_of_tools_keeps_its_meaning(
    client: Client, backend: str, way: Way, chat: Any, messages: Any, upstream: FaultUpstream
) -> None:
    model, spelled = story("tools"), {"openai": chat, "anthropic": messages}
    question = client.question(tools=2, tool_choice=spelled[client.format])
    client.ask(way, f"{backend}:{model}", question)
    assert upstream.log.of(model)[-1].json["tool_choice"] == spelled[backend]


@STREAMED
def test_one_call_at_a_time_can_be_asked_for(client: Client, backend: str, way: Way, upstream: FaultUpstream) -> None:
    model = story("tools")
    wish = {
        "openai": {"parallel_tool_calls": False},
        "anthropic": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    }
    client.ask(way, f"{backend}:{model}", client.question(tools=1, **wish[client.format]))
    sent = upstream.log.of(model)[-1].json
    assert {name: sent[name] for name in wish[backend]} == wish[backend]


@STREAMED
def test_a_failed_tool_stays_a_failure(
    clients: dict[str, Client], backend: str, way: Way, upstream: FaultUpstream
) -> None:
    """Only Messages can say so; elsewhere the text does."""
    client, model = clients["anthropic"], story("tools")
    question = client.question(tools=1)
    first = client.ask(way, f"{backend}:{model}", question)
    second = client.next_turn(question, first, {first.calls[0].id: "no such city"})
    second["messages"][-1]["content"][0]["is_error"] = True
    client.ask(way, f"{backend}:{model}", second)
    sent = upstream.log.of(model)[-1].json["messages"][-1]
    if backend == "openai":
        assert sent["content"] == "Error: no such city"
    else:
        assert sent["content"][0]["is_error"] is True


@STREAMED
def test_text_before_a_call_survives_the_round_trip(
    client: Client, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    model, question = story("tools"), client.question(tools=1)
    first = client.ask(way, f"{backend}:{model}", question)
    second = client.next_turn(question, first, {first.calls[0].id: "5"})
    position = -2
    second["messages"][position] = _with_text(second["messages"][position])
    client.ask(way, f"{backend}:{model}", second)
    sent = upstream.log.of(model)[-1].json["messages"][1]
    text = sent["content"] if backend == "openai" else sent["content"][0]["text"]
    assert text == "Let me look."


def _with_text(message: Any) -> Any:
    if "tool_calls" in message:
        return {**message, "content": "Let me look."}
    return {**message, "content": [{"type": "text", "text": "Let me look."}, *message["content"]]}


def test_a_conversation_can_move_to_the_other_upstream(client: Client, way: Way, upstream: FaultUpstream) -> None:
    """The ids of the first upstream's calls are good enough for the second."""
    question = client.question(tools=1)
    for here, there in (("openai", "anthropic"), ("anthropic", "openai")):
        first = client.ask(way, f"{here}:{story('tools', n=2)}", question)
        model = story("answer")
        second = client.next_turn(question, first, {call.id: "5" for call in first.calls})
        client.ask(way, f"{there}:{model}", second)
        sent = json.dumps(upstream.log.of(model)[-1].json)
        assert all(sent.count(f'"{call.id}"') == 2 for call in first.calls)
