"""Answers that real providers give now and then, through the other SDK; whole and streamed alike."""

from typing import Any

import pytest

from tests.e2e.answers import EVENTS, HELPER, WHOLE, Client, Way
from tests.e2e.raw import chat_answer, messages_answer
from tests.fault_upstream import SIGNATURE, FaultUpstream, story

pytestmark = pytest.mark.parametrize("way", [WHOLE, EVENTS, HELPER, Way("events", True)], ids=str)

TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Zürich"}}


def _call(arguments: str) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


@pytest.fixture
def chat(clients: dict[str, Client]) -> Client:
    """The OpenAI SDK, asking an Anthropic upstream."""
    return clients["openai"]


@pytest.fixture
def messages(clients: dict[str, Client]) -> Client:
    """The Anthropic SDK, asking an OpenAI upstream."""
    return clients["anthropic"]


@pytest.mark.parametrize(
    "thinking",
    [
        [{"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE}],
        [{"type": "thinking", "thinking": "", "signature": SIGNATURE}],
        [{"type": "redacted_thinking", "data": "opaque=="}],
        [
            {"type": "thinking", "thinking": "One.", "signature": SIGNATURE},
            {"type": "redacted_thinking", "data": "opaque=="},
            {"type": "thinking", "thinking": "Two.", "signature": SIGNATURE + "2"},
        ],
    ],
    ids=["signed", "empty text", "redacted", "several"],
)
def test_thinking_of_every_kind_comes_back_unchanged(
    chat: Client, way: Way, thinking: list[Any], upstream: FaultUpstream
) -> None:
    told = messages_answer(upstream, way, *thinking, TOOL_USE, stop_reason="tool_use")
    question = chat.question(tools=1)
    first = chat.ask(way, f"anthropic:{told}", question)
    assert first.thinking == "".join(block.get("thinking", "") for block in thinking)
    model = story("answer")
    chat.ask(way, f"anthropic:{model}", chat.next_turn(question, first, {"toolu_1": "5"}))
    assert upstream.log.of(model)[-1].json["messages"][1]["content"] == [*thinking, TOOL_USE]


def test_a_call_without_arguments_has_an_empty_object(
    chat: Client, messages: Client, way: Way, upstream: FaultUpstream
) -> None:
    told = messages_answer(upstream, way, {**TOOL_USE, "input": {}}, stop_reason="tool_use")
    native = chat.ask(way, f"anthropic:{told}", chat.question(tools=1)).native
    assert native.choices[0].message.tool_calls[0].function.arguments == "{}"
    told = chat_answer(upstream, way, "tool_calls", tool_calls=[_call("")])
    answer = messages.ask(way, f"openai:{told}", messages.question(tools=1))
    assert [call.arguments for call in answer.calls] == [{}]


def test_text_around_calls_keeps_its_place(chat: Client, messages: Client, way: Way, upstream: FaultUpstream) -> None:
    said = {"type": "text", "text": "Let me see."}
    told = messages_answer(upstream, way, said, TOOL_USE, stop_reason="tool_use")
    answer = chat.ask(way, f"anthropic:{told}", chat.question(tools=1))
    assert (answer.text, [call.name for call in answer.calls]) == ("Let me see.", ["get_weather"])
    told = chat_answer(upstream, way, "tool_calls", content="Let me see.", tool_calls=[_call('{"a": 1}')])
    answer = messages.ask(way, f"openai:{told}", messages.question(tools=1))
    assert [block.type for block in answer.native.content] == ["text", "tool_use"]
    assert (answer.text, answer.calls[0].arguments) == ("Let me see.", {"a": 1})


def test_calls_that_end_with_stop_are_calls_all_the_same(messages: Client, way: Way, upstream: FaultUpstream) -> None:
    told = chat_answer(upstream, way, "stop", tool_calls=[_call("{}")])
    assert messages.ask(way, f"openai:{told}", messages.question(tools=1)).finish == "tools"


def test_a_refusal_is_a_refusal(chat: Client, messages: Client, way: Way, upstream: FaultUpstream) -> None:
    told = messages_answer(upstream, way, stop_reason="refusal")
    assert _finish_of(chat, way, f"anthropic:{told}") == ("content_filter", _native(way, "refusal"))
    told = chat_answer(upstream, way, "stop", refusal="I would rather not.")
    assert _finish_of(messages, way, f"openai:{told}") == ("refusal", "I would rather not.")


def test_a_filtered_answer_is_no_plain_end(messages: Client, way: Way, upstream: FaultUpstream) -> None:
    told = chat_answer(upstream, way, "content_filter")
    assert _finish_of(messages, way, f"openai:{told}")[0] == "refusal"


def test_a_pause_is_no_plain_end(chat: Client, way: Way, upstream: FaultUpstream) -> None:
    told = messages_answer(upstream, way, {"type": "text", "text": "Wait…"}, stop_reason="pause_turn")
    assert _finish_of(chat, way, f"anthropic:{told}") == ("stop", _native(way, "pause"))


def test_the_stop_sequence_is_named(chat: Client, way: Way, upstream: FaultUpstream) -> None:
    told = messages_answer(
        upstream, way, {"type": "text", "text": "a"}, stop_reason="stop_sequence", stop_sequence="END"
    )
    answer = chat.ask(way, f"anthropic:{told}", chat.question())
    assert (answer.finish, answer.text) == ("stop", "a")


def test_server_tools_are_never_shown_as_calls(chat: Client, way: Way, upstream: FaultUpstream) -> None:
    """The sources that the text cites survive."""
    hit = {"type": "web_search_result", "url": "https://a.example", "title": "A", "encrypted_content": "x"}
    cited = {
        "type": "web_search_result_location",
        "url": "https://a.example",
        "title": "A",
        "cited_text": "So it is.",
        "encrypted_index": "y",
    }
    told = messages_answer(
        upstream,
        way,
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "a"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [hit]},
        {"type": "text", "text": "It is so.", "citations": [cited]},
    )
    answer = chat.ask(way, f"anthropic:{told}", chat.question())
    assert (answer.text, answer.calls, answer.finish) == ("It is so.", [], "stop")
    [annotation] = answer.native.choices[0].message.to_dict()["annotations"]
    inner = annotation["url_citation"]
    assert (inner["url"], inner["title"]) == ("https://a.example", "A")
    assert (inner["start_index"], inner["end_index"]) == (0, 9)


def test_a_call_cut_off_by_its_limit_is_told_as_such(messages: Client, way: Way, upstream: FaultUpstream) -> None:
    told = chat_answer(upstream, way, "length", tool_calls=[_call('{"city": "Zür')])
    answer = messages.ask(way, f"openai:{told}", messages.question(tools=1))
    assert (answer.finish, answer.calls[0].name) == ("length", "get_weather")


def _native(way: Way, word: str) -> str | None:
    """The SDK's accumulator does not keep what is no field of its own."""
    return None if way.streams else word


def _finish_of(client: Client, way: Way, model: str) -> tuple[str, Any]:
    """The finish reason as the SDK has it, and the word or text that says more."""
    native = client.ask(way, model, client.question()).native
    if client.format == "openai":
        [choice] = native.choices
        return choice.finish_reason, choice.to_dict().get("native_finish_reason")
    said = "".join(block.text for block in native.content if block.type == "text")
    return native.stop_reason, said
