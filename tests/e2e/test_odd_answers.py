"""Answers that real providers give now and then, through the other SDKs; whole and streamed alike."""

from typing import Any

import pytest

from tests.e2e.answers import EVENTS, HELPER, WHOLE, Answer, Client, Counts, Way
from tests.e2e.pairs import FORMATS
from tests.e2e.raw import chat_answer, gemini_answer, messages_answer, responses_answer
from tests.fault_upstream import SIGNATURE, FaultUpstream, story

pytestmark = pytest.mark.parametrize("way", [WHOLE, EVENTS, HELPER], ids=str)

TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Zürich"}}


def _call(arguments: str) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


def _strangers_to(name: str) -> Any:
    """A fixture: each SDK that does not speak this format."""

    @pytest.fixture(params=[each for each in FORMATS if each != name], ids="{}-sdk".format)
    def stranger(request: pytest.FixtureRequest, clients: dict[str, Client]) -> Client:
        return clients[request.param]

    return stranger


to_messages, to_chat = _strangers_to("anthropic"), _strangers_to("openai")
to_responses, to_gemini = _strangers_to("openai-responses"), _strangers_to("gemini")


@pytest.fixture
def chat(clients: dict[str, Client]) -> Client:
    """The OpenAI SDK, speaking Chat Completions."""
    return clients["openai"]


@pytest.fixture
def messages(clients: dict[str, Client]) -> Client:
    """The Anthropic SDK."""
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
    to_messages: Client, way: Way, thinking: list[Any], upstream: FaultUpstream
) -> None:
    client = to_messages
    told = messages_answer(upstream, way, *thinking, TOOL_USE, stop_reason="tool_use")
    question = client.question(tools=1)
    first = client.ask(way, f"anthropic:{told}", question)
    assert first.thinking == "".join(block.get("thinking", "") for block in thinking)
    model = story("answer")
    client.ask(way, f"anthropic:{model}", client.next_turn(question, first, {"toolu_1": "5"}))
    assert upstream.log.of(model)[-1].json["messages"][1]["content"] == [*thinking, TOOL_USE]


def test_a_call_of_messages_without_arguments_has_an_empty_object(
    to_messages: Client, way: Way, upstream: FaultUpstream
) -> None:
    told = messages_answer(upstream, way, {**TOOL_USE, "input": {}}, stop_reason="tool_use")
    answer = to_messages.ask(way, f"anthropic:{told}", to_messages.question(tools=1))
    assert [call.arguments for call in answer.calls] == [{}]
    if to_messages.format == "openai":
        assert answer.native.choices[0].message.tool_calls[0].function.arguments == "{}"


def test_a_call_of_chat_without_arguments_has_an_empty_object(
    to_chat: Client, way: Way, upstream: FaultUpstream
) -> None:
    told = chat_answer(upstream, way, "tool_calls", tool_calls=[_call("")])
    answer = to_chat.ask(way, f"openai:{told}", to_chat.question(tools=1))
    assert [call.arguments for call in answer.calls] == [{}]


def test_text_before_a_call_of_messages_is_text(to_messages: Client, way: Way, upstream: FaultUpstream) -> None:
    said = {"type": "text", "text": "Let me see."}
    told = messages_answer(upstream, way, said, TOOL_USE, stop_reason="tool_use")
    answer = to_messages.ask(way, f"anthropic:{told}", to_messages.question(tools=1))
    assert (answer.text, [call.name for call in answer.calls]) == ("Let me see.", ["get_weather"])


def test_text_before_a_call_of_chat_keeps_its_place(to_chat: Client, way: Way, upstream: FaultUpstream) -> None:
    told = chat_answer(upstream, way, "tool_calls", content="Let me see.", tool_calls=[_call('{"a": 1}')])
    answer = to_chat.ask(way, f"openai:{told}", to_chat.question(tools=1))
    assert (answer.text, answer.calls[0].arguments) == ("Let me see.", {"a": 1})
    assert list(dict.fromkeys(KINDS_OF_PARTS[to_chat.format](answer.native))) == ["text", "call"]


KINDS_OF_PARTS: dict[str, Any] = {
    "openai-responses": lambda native: [
        {"message": "text", "function_call": "call"}[item.type] for item in native.output
    ],
    "anthropic": lambda native: [{"text": "text", "tool_use": "call"}[block.type] for block in native.content],
    "gemini": lambda native: [
        "call" if part.function_call else "text" for part in native.candidates[0].content.parts if part.text != ""
    ],
}


def test_calls_that_end_with_stop_are_calls_all_the_same(to_chat: Client, way: Way, upstream: FaultUpstream) -> None:
    told = chat_answer(upstream, way, "stop", tool_calls=[_call("{}")])
    assert to_chat.ask(way, f"openai:{told}", to_chat.question(tools=1)).finish == "tools"


def test_a_refusal_of_messages_is_a_refusal(to_messages: Client, way: Way, upstream: FaultUpstream) -> None:
    model = f"anthropic:{messages_answer(upstream, way, stop_reason='refusal')}"
    answer = to_messages.ask(way, model, to_messages.question())
    assert (answer.text, answer.finish) == ("", "refused")
    if to_messages.format == "openai":
        assert _finish_of(answer) == ("content_filter", _native(way, "refusal"))


def test_a_refusal_of_chat_is_a_refusal(to_chat: Client, way: Way, upstream: FaultUpstream) -> None:
    model = f"openai:{chat_answer(upstream, way, 'stop', refusal='I would rather not.')}"
    answer = to_chat.ask(way, model, to_chat.question())
    assert answer.finish == "refused"
    if to_chat.format == "anthropic":
        assert (answer.native.stop_reason, answer.text) == ("refusal", "I would rather not.")


def test_a_filtered_answer_is_no_plain_end(to_chat: Client, way: Way, upstream: FaultUpstream) -> None:
    told = chat_answer(upstream, way, "content_filter")
    assert to_chat.ask(way, f"openai:{told}", to_chat.question()).finish == "refused"


def test_a_pause_is_no_plain_end(chat: Client, way: Way, upstream: FaultUpstream) -> None:
    told = messages_answer(upstream, way, {"type": "text", "text": "Wait…"}, stop_reason="pause_turn")
    assert _finish_of(chat.ask(way, f"anthropic:{told}", chat.question())) == ("stop", _native(way, "pause"))


def test_the_stop_sequence_ends_as_any_answer_does(to_messages: Client, way: Way, upstream: FaultUpstream) -> None:
    told = messages_answer(
        upstream, way, {"type": "text", "text": "a"}, stop_reason="stop_sequence", stop_sequence="END"
    )
    answer = to_messages.ask(way, f"anthropic:{told}", to_messages.question())
    assert (answer.finish, answer.text) == ("stop", "a")


def test_server_tools_are_never_shown_as_calls(
    to_messages: Client, chat: Client, way: Way, upstream: FaultUpstream
) -> None:
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
    answer = to_messages.ask(way, f"anthropic:{told}", to_messages.question())
    assert (answer.text, answer.calls, answer.finish) == ("It is so.", [], "stop")
    assert CITATIONS[to_messages.format](answer.native) == ("https://a.example", "A", 0, 9)


def _chat_citation(native: Any) -> tuple[str, str, int, int]:
    [annotation] = native.choices[0].message.to_dict()["annotations"]
    inner = annotation["url_citation"]
    return inner["url"], inner["title"], inner["start_index"], inner["end_index"]


def _responses_citation(native: Any) -> tuple[str, str, int, int]:
    [annotation] = native.output[-1].content[0].annotations
    return annotation.url, annotation.title, annotation.start_index, annotation.end_index


def _gemini_citation(native: Any) -> tuple[str, str, int, int]:
    """The span counts bytes, and nought is left out."""
    grounding = native.candidates[0].grounding_metadata
    [chunk], [support] = grounding.grounding_chunks, grounding.grounding_supports
    assert support.grounding_chunk_indices == [0]
    return chunk.web.uri, chunk.web.title, support.segment.start_index or 0, support.segment.end_index


CITATIONS = {"openai": _chat_citation, "openai-responses": _responses_citation, "gemini": _gemini_citation}


def test_a_call_cut_off_by_its_limit_is_told_as_such(messages: Client, way: Way, upstream: FaultUpstream) -> None:
    told = chat_answer(upstream, way, "length", tool_calls=[_call('{"city": "Zür')])
    answer = messages.ask(way, f"openai:{told}", messages.question(tools=1))
    assert (answer.finish, answer.calls[0].name) == ("length", "get_weather")


@pytest.mark.parametrize("finish", ["SAFETY", "PROHIBITED_CONTENT", "RECITATION"])
def test_an_answer_of_gemini_that_is_blocked_is_a_refusal(
    to_gemini: Client, way: Way, finish: str, upstream: FaultUpstream
) -> None:
    told = gemini_answer(upstream, way, finish=finish)
    answer = to_gemini.ask(way, f"gemini:{told}", to_gemini.question())
    assert (answer.text, answer.calls, answer.finish) == ("", [], "refused")


def test_a_prompt_that_gemini_blocks_is_a_refusal(to_gemini: Client, way: Way, upstream: FaultUpstream) -> None:
    told = gemini_answer(upstream, way, finish=None, promptFeedback={"blockReason": "PROHIBITED_CONTENT"})
    answer = to_gemini.ask(way, f"gemini:{told}", to_gemini.question())
    assert (answer.text, answer.calls, answer.finish) == ("", [], "refused")


@pytest.mark.parametrize("finish", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_a_call_that_gemini_could_not_write_is_no_plain_end(
    chat: Client, way: Way, finish: str, upstream: FaultUpstream
) -> None:
    """No format has a word for it; Gemini's own is told where there is room."""
    told = gemini_answer(upstream, way, finish=finish)
    answer = chat.ask(way, f"gemini:{told}", chat.question(tools=1))
    assert (answer.text, answer.calls) == ("", [])
    assert _finish_of(answer)[1] == _native(way, finish)


def test_an_answer_of_gemini_that_its_limit_left_nothing_of_says_so(
    to_gemini: Client, way: Way, upstream: FaultUpstream
) -> None:
    told = gemini_answer(upstream, way, finish="MAX_TOKENS")
    answer = to_gemini.ask(way, f"gemini:{told}", to_gemini.question())
    assert (answer.text, answer.finish, answer.usage) == ("", "length", Counts(5, 3))


def test_signed_text_of_gemini_is_only_text(to_gemini: Client, way: Way, upstream: FaultUpstream) -> None:
    told = gemini_answer(upstream, way, {"text": "So it is."}, {"text": "", "thoughtSignature": "c2lnbmVk"})
    question = to_gemini.question()
    answer = to_gemini.ask(way, f"gemini:{told}", question)
    assert (answer.text, answer.thinking, answer.finish) == ("So it is.", "", "stop")
    model = story("answer")
    later = to_gemini.going_on(to_gemini.next_turn(question, answer, {}), ("user", "And?"))
    to_gemini.ask(way, f"gemini:{model}", later)
    parts = upstream.log.of(model)[-1].json["contents"][1]["parts"]
    assert "".join(part.get("text", "") for part in parts) == "So it is."
    assert [part["thoughtSignature"] for part in parts if "thoughtSignature" in part] == ["c2lnbmVk"]


def _said(part: dict[str, Any]) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def test_a_refusal_of_responses_is_a_refusal(to_responses: Client, way: Way, upstream: FaultUpstream) -> None:
    told = responses_answer(upstream, way, _said({"type": "refusal", "refusal": "I would rather not."}))
    answer = to_responses.ask(way, f"openai-responses:{told}", to_responses.question())
    assert (answer.calls, answer.finish) == ([], "refused")


def test_a_filtered_answer_of_responses_is_a_refusal(to_responses: Client, way: Way, upstream: FaultUpstream) -> None:
    part = {"type": "output_text", "text": "Well, first", "annotations": []}
    reason = {"reason": "content_filter"}
    told = responses_answer(upstream, way, _said(part), status="incomplete", incomplete_details=reason)
    answer = to_responses.ask(way, f"openai-responses:{told}", to_responses.question())
    assert (answer.text, answer.finish) == ("Well, first", "refused")


def test_an_answer_of_responses_without_items_is_empty(to_responses: Client, way: Way, upstream: FaultUpstream) -> None:
    told = responses_answer(upstream, way)
    answer = to_responses.ask(way, f"openai-responses:{told}", to_responses.question())
    assert (answer.text, answer.calls, answer.finish, answer.usage) == ("", [], "stop", Counts(5, 3))


def test_two_messages_of_responses_are_one_text(to_responses: Client, way: Way, upstream: FaultUpstream) -> None:
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in ("First. ", "Second.")]
    told = responses_answer(upstream, way, _said(parts[0]), {**_said(parts[1]), "id": "msg_2"})
    answer = to_responses.ask(way, f"openai-responses:{told}", to_responses.question())
    assert (answer.text, answer.finish) == ("First. Second.", "stop")


def test_a_failed_answer_of_responses_is_an_error(to_responses: Client, way: Way, upstream: FaultUpstream) -> None:
    error = {"code": "server_error", "message": "The model was not in the mood."}
    told = responses_answer(upstream, way, status="failed", error=error)
    with pytest.raises(to_responses.sdk.APIError, match="not in the mood"):
        to_responses.ask(way, f"openai-responses:{told}", to_responses.question())


def _native(way: Way, word: str) -> str | None:
    """The SDK's accumulator does not keep what is no field of its own."""
    return None if way.streams else word


def _finish_of(answer: Answer) -> tuple[str, Any]:
    """The finish reason of a chat completion, and the word that says more."""
    [choice] = answer.native.choices
    return choice.finish_reason, choice.to_dict().get("native_finish_reason")
