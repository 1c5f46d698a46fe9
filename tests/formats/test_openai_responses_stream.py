"""Responses streams: whatever servers send, clients get one well-formed stream, equal to the whole answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_core.domain.content import Citation, MediaPart, ReasoningPart, RefusalPart, TextPart, ToolCallPart
from proxy_core.domain.response import Choice, DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import (
    CitationDelta,
    Finish,
    MediaDelta,
    NativeDelta,
    ReasoningDelta,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
    as_chunk,
)
from proxy_core.formats import opaque
from proxy_core.formats.anthropic import AnthropicFormat
from proxy_core.formats.base import RenderOptions
from proxy_core.formats.openai import OpenAIFormat
from proxy_core.formats.sse import EventSplitter, parse_event
from tests.fault_upstream import openai_responses as upstream
from tests.fault_upstream.reply import Reply, Text, Thinking, ToolUse
from tests.fault_upstream.reply import Usage as Counts
from tests.support.cuts import pieces_of
from tests.support.responses import (
    EVENT,
    FORMAT,
    OPTIONS,
    Row,
    collected,
    decoded,
    of_type,
    payloads,
    streamed,
    through,
    valid,
    without_ids,
)

CHAT, MESSAGES = OpenAIFormat(), AnthropicFormat()
END = StreamChunk(finish=[Finish(reason="stop")], terminal=True)
ODD_TEXT = 'naïve ☕ 👩‍🚀 \u2028\u0085 \x00 "quoted" \\ 100%d end'
REPLY = Reply(
    "gpt-upstream",
    (
        Thinking(("let me ", "think"), "ENCRYPTED=="),
        Text(("Hello ", "wörld ", "☕")),
        ToolUse("call_a", "weather", {"city": "Zürich"}),
        ToolUse("call_b", "weather", {"city": "Genève"}),
    ),
    "tools",
    Counts(21, 9, 4, 2),
)


def rows(reply: Reply = REPLY) -> list[Row]:
    return [deepcopy(data) for _, data in upstream.events(reply) if isinstance(data, dict)]


def said(*deltas: Any, end: StreamChunk = END, options: RenderOptions = OPTIONS) -> Row:
    """What a client has collected of these deltas, one event each."""
    return collected(streamed(*(StreamChunk(id="x", deltas=[delta]) for delta in deltas), end, options=options))


def answer_to(client: Any, events: list[Row]) -> Row:
    """An upstream's stream as a client of another format gets it, as a whole answer of the domain again."""
    data = through(events, client)
    blocks = [parse_event(block).data or b"" for block in EventSplitter().feed(data)]
    return {"events": [json.loads(block) for block in blocks if block != b"[DONE]"]}


# an upstream's stream


def test_a_collected_stream_equals_the_whole_answer() -> None:
    whole = FORMAT.encode_response(FORMAT.decode_response(upstream.body(REPLY)), OPTIONS)
    assert collected(through(rows())) == valid(whole)


def changing_ids(events: list[Row]) -> list[Row]:
    """GitHub Copilot: another id on every event."""
    for number, event in enumerate(events):
        for holder in (event, event.get("item", {})):
            for name in ("item_id", "id"):
                if name in holder:
                    holder[name] = f"odd_{number}"
    return events


def without(*names: str) -> Callable[[list[Row]], list[Row]]:
    return lambda events: [event for event in events if event["type"].removeprefix("response.") not in names]


def empty_at_the_end(events: list[Row]) -> list[Row]:
    events[-1]["response"]["output"] = []
    return events


def only_items(events: list[Row]) -> list[Row]:
    kept = ("created", "output_item.done", "completed")
    return [event for event in events if event["type"].removeprefix("response.") in kept]


def only_the_end(events: list[Row]) -> list[Row]:
    return events[-1:]


def no_numbers(events: list[Row]) -> list[Row]:
    for event in events:
        for name in ("sequence_number", "content_index", "summary_index", "logprobs"):
            event.pop(name, None)
    return events


_DELTAS = (
    "function_call_arguments.delta",
    "output_text.delta",
    "reasoning_summary_text.delta",
)
ODDITIES = {
    "arguments only when done": without("function_call_arguments.delta"),
    "arguments only in the item": without("function_call_arguments.delta", "function_call_arguments.done"),
    "arguments never in the item": lambda events: without("output_item.done")(
        without("function_call_arguments.delta")(events)
    ),
    "changing ids": changing_ids,
    "completed with empty output": empty_at_the_end,
    "items never added": without("output_item.added"),
    "items whole": only_items,
    "no deltas": without(*_DELTAS),
    "no numbers": no_numbers,
    "no parts": without("content_part.added", "content_part.done", "reasoning_summary_part.added"),
    "nothing but the end": only_the_end,
}


@pytest.mark.parametrize("odd", ODDITIES)
def test_every_odd_stream_says_the_same(odd: str) -> None:
    events = ODDITIES[odd](rows())
    response = collected(through(events))
    expected = FORMAT.encode_response(FORMAT.decode_response(upstream.body(REPLY)), OPTIONS)
    assert without_ids(response["usage"]) == without_ids(expected["usage"])
    got, whole = without_ids(response["output"]), without_ids(expected["output"])
    if odd == "arguments never in the item":  # nor the encrypted content
        whole[0].pop("encrypted_content")
    assert got == whole


@pytest.mark.parametrize("odd", ODDITIES)
def test_every_odd_stream_says_the_same_to_a_chat_client(odd: str) -> None:
    events = answer_to(CHAT, ODDITIES[odd](rows()))["events"]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello wörld ☕"
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "let me think"
    calls: dict[int, str] = {}
    for call in (call for delta in deltas for call in delta.get("tool_calls", ())):
        calls[call["index"]] = calls.get(call["index"], "") + call["function"]["arguments"]
    assert [json.loads(arguments) for arguments in calls.values()] == [{"city": "Zürich"}, {"city": "Genève"}]
    assert [finish for event in events for choice in event["choices"] if (finish := choice["finish_reason"])] == [
        "tool_calls"
    ]


def test_encrypted_reasoning_reaches_a_chat_client_with_its_id() -> None:
    choices = [choice for event in answer_to(CHAT, rows())["events"] for choice in event["choices"]]
    details = [entry for choice in choices for entry in choice["delta"].get("reasoning_details", ())]
    assert [(entry.get("data"), entry.get("id")) for entry in details if entry["type"] == "reasoning.encrypted"] == [
        ("ENCRYPTED==", "rs_fault_0")
    ]


def added(index: int, **item: Any) -> Row:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def text_delta(index: int, delta: str, part: int = 0, **fields: Any) -> Row:
    place = {"output_index": index, "content_index": part, "item_id": f"msg_{index}"}
    return {"type": "response.output_text.delta", **place, "delta": delta, **fields}


COMPLETED: Row = {"type": "response.completed", "response": {"id": "resp_1", "output": []}}


def test_two_messages_stay_two_with_their_phases() -> None:
    events = [
        added(0, type="message", id="msg_0", phase="commentary"),
        text_delta(0, "Let me look."),
        added(1, type="message", id="msg_1", phase="final_answer"),
        text_delta(1, "a"),
        text_delta(1, "b", 1),
        COMPLETED,
    ]
    first, second = collected(through(events))["output"]
    assert (first["id"], first["phase"], first["content"][0]["text"]) == ("msg_0", "commentary", "Let me look.")
    assert (second["id"], second["phase"]) == ("msg_1", "final_answer")
    assert [part["text"] for part in second["content"]] == ["a", "b"]


def test_reasoning_text_without_event_lines_is_read() -> None:
    block = (
        b'data: {"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"item_id":"rs","delta":"hm"}'
    )
    chunk = FORMAT.decode_block(block)
    assert chunk is not None
    (delta,) = chunk.deltas
    assert isinstance(delta, ReasoningDelta)
    assert (delta.text, delta.origin, delta.id, delta.block) == ("hm", "openai-responses", "rs", 0)
    (item,) = collected(streamed(chunk, END))["output"]
    assert (item["summary"], item["content"]) == ([], [{"type": "reasoning_text", "text": "hm"}])


def test_a_summary_and_the_thinking_itself_are_kept_apart() -> None:
    place = {"output_index": 0, "item_id": "rs_1"}
    thought = {"type": "response.reasoning_text.delta", **place, "content_index": 0, "delta": "hm"}
    summary = {"type": "response.reasoning_summary_text.delta", **place, "summary_index": 0, "delta": "short"}
    part = {"type": "response.content_part.added", **place, "content_index": 1, "part": {"type": "reasoning_text"}}
    (item,) = collected(through([thought, part, {**thought, "content_index": 1}, summary, COMPLETED]))["output"]
    assert [piece["text"] for piece in item["content"]] == ["hm", "hm"]
    assert [piece["text"] for piece in item["summary"]] == ["short"]


def test_pieces_of_a_summary_are_set_apart() -> None:
    place = {"output_index": 0, "item_id": "rs_1"}
    events: list[Row] = []
    for number, piece in enumerate(("one", "two")):
        at = {**place, "summary_index": number}
        events.append({"type": "response.reasoning_summary_part.added", **at})
        events.append({"type": "response.reasoning_summary_text.delta", **at, "delta": piece})
    (item,) = collected(through([*events, COMPLETED]))["output"]
    assert [piece["text"] for piece in item["summary"]] == ["one", "two"]
    chat = answer_to(CHAT, [*events, COMPLETED])["events"]
    assert "".join(e["choices"][0]["delta"].get("reasoning_content") or "" for e in chat) == "one\n\ntwo"


def test_a_call_that_was_never_done_is_closed() -> None:
    events = [
        added(0, type="function_call", id="fc_1", call_id="call_1", name="f"),
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a"'},
        COMPLETED,
    ]
    (item,) = collected(through(events))["output"]
    assert (item["id"], item["call_id"], item["arguments"]) == ("fc_1", "call_1", '{"a"')


def test_a_custom_call_streams_as_free_text() -> None:
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "patch"}
    events = [
        added(0, **item, input=""),
        {"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": "*** "},
        {"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": "Begin"},
        {"type": "response.custom_tool_call_input.done", "output_index": 0, "input": "*** Begin"},
        {"type": "response.output_item.done", "output_index": 0, "item": {**item, "input": "*** Begin"}},
        COMPLETED,
    ]
    (got,) = collected(through(events))["output"]
    assert got == {**item, "input": "*** Begin", "status": "completed"}
    chunks = decoded(*events)
    assert [delta.kind for chunk in chunks for delta in chunk.deltas if isinstance(delta, ToolCallDelta)] == [
        "custom"
    ] * 5


def test_hosted_tools_come_whole_when_they_are_done() -> None:
    search = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }
    events = [
        added(0, **search),
        {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws_1"},
        {"type": "response.output_item.done", "output_index": 0, "item": search},
        text_delta(1, "found"),
        COMPLETED,
    ]
    assert collected(through(events))["output"][0] == search
    encoder = CHAT.stream_encoder(OPTIONS)
    for chunk in decoded(*events):
        encoder.encode(chunk)
    assert encoder.dropped == ["web_search_call"]


def test_images_and_citations_are_read() -> None:
    page = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
    image = {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": "aGk="}
    note = {"type": "response.output_text.annotation.added", "output_index": 1, "content_index": 0, "annotation": page}
    events = [{"type": "response.output_item.done", "output_index": 0, "item": image}, text_delta(1, "hi"), note]
    chunks = decoded(*events)
    assert chunks[0].deltas == [
        MediaDelta(
            media=MediaPart(
                kind="image", media_type="image/png", data="aGk=", extras={"openai-responses": {"id": "ig_1"}}
            ),
            block=0,
        )
    ]
    output = collected(through([*events, COMPLETED]))["output"]
    assert output[0]["result"] == "aGk="
    assert output[1]["content"][0]["annotations"] == [page]


def test_citations_that_come_with_the_item_only_are_kept() -> None:
    page = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
    content = [{"type": "output_text", "text": "hi", "annotations": [page]}]
    done = {"type": "message", "id": "msg_0", "content": content}
    events = [text_delta(0, "hi"), {"type": "response.output_item.done", "output_index": 0, "item": done}, COMPLETED]
    (item,) = collected(through(events))["output"]
    assert item["content"][0]["annotations"] == [page]


def test_refusals_and_logprobs_are_read() -> None:
    token = {"token": "h", "logprob": -0.1, "top_logprobs": []}
    refusal = {"type": "response.refusal.delta", "output_index": 1, "content_index": 0, "delta": "no"}
    output = collected(through([text_delta(0, "h", logprobs=[token]), refusal, COMPLETED]))["output"]
    (part, refused) = output[0]["content"]
    assert part["logprobs"] == [{**token, "bytes": [104]}]
    assert refused == {"type": "refusal", "refusal": "no"}
    (chat, *_) = [
        e for e in answer_to(CHAT, [text_delta(0, "h", logprobs=[token])])["events"] if e["choices"][0]["logprobs"]
    ]
    assert chat["choices"][0]["logprobs"]["content"] == [token]


@pytest.mark.parametrize(
    ("payload", "message", "code", "status"),
    [
        ({"type": "error", "code": "server_error", "message": "boom", "param": None}, "boom", "server_error", 500),
        (
            {"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "slow"}},
            "slow",
            "rate_limit_exceeded",
            429,
        ),
        ({"error": {"message": "odd"}}, "odd", None, 502),
        (
            {"type": "error", "error": {"code": "server_is_overloaded", "message": "busy", "type": "server_error"}},
            "busy",
            "server_is_overloaded",
            503,
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "invalid_prompt", "message": "bad"}}},
            "bad",
            "invalid_prompt",
            400,
        ),
        (
            {"type": "response.completed", "response": {"status": "failed", "error": {"message": "late"}}},
            "late",
            None,
            502,
        ),
    ],
)
def test_errors_inside_a_stream_are_errors(payload: Row, message: str, code: str | None, status: int) -> None:
    (chunk,) = decoded(payload)
    assert chunk.error is not None
    assert (chunk.error.message, chunk.error.code, chunk.error.status) == (message, code, status)


def test_a_failure_after_an_error_says_nothing_more() -> None:
    events = [*rows()[:-1], upstream.error_event(500)[1], {"type": "response.failed", "response": {"id": "resp_fault"}}]
    got = payloads(through([event for event in events if isinstance(event, dict)]))
    assert [row["type"] for row in got[-2:]] == ["error", "response.failed"]
    assert len(of_type(got, "failed")) == 1


def test_usage_and_the_reason_come_with_the_end() -> None:
    incomplete = {
        "type": "response.incomplete",
        "response": {
            "incomplete_details": {"reason": "max_output_tokens"},
            "usage": {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5},
            "output": [],
        },
    }
    (chunk,) = decoded(incomplete)
    assert (chunk.finish[0].reason, chunk.terminal) == ("length", True)
    assert chunk.usage == Usage(input_tokens=2, output_tokens=3)
    response = collected(through([text_delta(0, "hi"), incomplete]))
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"


def test_every_event_that_matters_has_a_mark() -> None:
    for event in [*rows(), upstream.error_event(500)[1]]:
        assert isinstance(event, dict)
        chunk = FORMAT.decode_payload(event)
        if chunk is not None and (chunk.terminal or chunk.error or chunk.usage):
            data = json.dumps(event).encode()
            assert any(mark in data for mark in FORMAT.stream_marks)


def test_done_ends_the_stream() -> None:
    assert FORMAT.decode_block(b"data: [DONE]") == StreamChunk(terminal=True)


@pytest.mark.parametrize("spacing", [(",", ":"), (", ", ": ")])
def test_the_short_way_reads_what_the_long_way_reads(spacing: tuple[str, str]) -> None:
    for event in [
        *rows(),
        text_delta(3, ODD_TEXT, 2, sequence_number=1, obfuscation="x"),
        text_delta(0, "a", logprobs=[{"token": "a", "logprob": 0.0}]),
        {"type": "response.output_text.delta", "delta": "no index"},
        {"type": "response.output_text.delta", "output_index": 0, "delta": None},
    ]:
        data = json.dumps(event, separators=spacing).encode()
        for block in (b"event: %b\ndata: %b" % (event["type"].encode(), data), b"data: " + data):
            assert FORMAT.decode_block(block) == FORMAT.decode_payload(event)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_stream_cut_anywhere_is_the_same_stream(size: int) -> None:
    data = b"".join(b"event: %b\ndata: %b\r\n\r\n" % (row["type"].encode(), json.dumps(row).encode()) for row in rows())
    splitter, encoder = EventSplitter(), FORMAT.stream_encoder(OPTIONS)
    got = b""
    for piece in pieces_of(data, size):
        for block in splitter.feed(piece):
            if (chunk := FORMAT.decode_block(block)) is not None:
                got += encoder.encode(chunk)
    assert got == through(rows())


JSON = st.recursive(
    st.none() | st.integers(-3, 3) | st.text(max_size=3) | st.sampled_from(["message", "function_call", "reasoning"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "content", "text", "id", "name", "arguments", "output"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    [row["type"] for row in rows()] + ["error", "response.refusal.delta", "response.new"]
                )
            },
            optional=dict.fromkeys(("item", "response", "delta", "output_index", "part", "error", "arguments"), JSON),
        ),
        max_size=5,
    )
)
def test_no_event_breaks_us(events: list[Row]) -> None:
    for client in (FORMAT, CHAT, MESSAGES):
        through(events, client)


# a client's stream


def test_the_stream_begins_with_the_response_and_its_progress() -> None:
    got = payloads(streamed(StreamChunk(id="chatcmpl-1", created=5, deltas=[TextDelta(text="a")]), END))
    assert [row["type"] for row in got] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert (got[0]["response"]["id"], got[0]["response"]["status"]) == ("resp_chatcmpl-1", "in_progress")
    assert (got[0]["response"]["output"], got[0]["response"]["created_at"]) == ([], 5)


def test_chunks_that_say_nothing_begin_nothing() -> None:
    assert streamed(StreamChunk(), StreamChunk(usage=Usage(input_tokens=1))) == b""


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=6), max_size=6))
def test_streamed_text_survives(texts: list[str]) -> None:
    response = said(*(TextDelta(text=text) for text in [*texts, ODD_TEXT]))
    assert (
        response["output"][0]["content"][0]["text"]
        == "".join(texts).encode("utf-16", "surrogatepass").decode("utf-16", "replace") + ODD_TEXT
    )


def test_an_id_with_a_percent_sign_does_not_break_the_short_way() -> None:
    events = [added(0, type="message", id="msg_%d_%s"), text_delta(0, "a"), text_delta(0, "b"), COMPLETED]
    assert collected(through(events))["output"][0]["id"] == "msg_%d_%s"


def test_an_empty_answer_is_a_whole_stream() -> None:
    response = collected(streamed(StreamChunk(terminal=True)))
    assert (response["status"], response["output"]) == ("completed", [])


def test_nothing_follows_the_end() -> None:
    encoder = FORMAT.stream_encoder(OPTIONS)
    encoder.encode(END)
    assert encoder.encode(StreamChunk(deltas=[TextDelta(text="late")])) == b""
    assert encoder.fail(ErrorInfo(message="late")) == b""


def test_calls_that_alternate_go_on_side_by_side() -> None:
    first, second = said(
        ToolCallDelta(index=0, id="a", name="f", arguments='{"x"'),
        ToolCallDelta(index=1, id="b", name="g", arguments='{"y"'),
        ToolCallDelta(index=0, arguments=":1}"),
        ToolCallDelta(index=1, arguments=":2}"),
    )["output"]
    assert (first["call_id"], first["arguments"]) == ("a", '{"x":1}')
    assert (second["call_id"], second["arguments"]) == ("b", '{"y":2}')


def test_a_call_that_is_whole_is_done_before_the_next_item() -> None:
    deltas = [
        ToolCallDelta(index=0, id="a", name="f", arguments='{"x":1}'),
        ToolCallDelta(index=1, id="b", name="g", arguments="{}"),
    ]
    got = payloads(streamed(*(StreamChunk(deltas=[delta]) for delta in deltas), END))
    assert [row["output_index"] for row in got if "output_item" in row["type"]] == [0, 0, 1, 1]


def test_text_amid_a_call_does_not_cut_it() -> None:
    call, message = said(
        ToolCallDelta(index=0, id="a", name="f", arguments='{"x"'),
        TextDelta(text="hm"),
        ToolCallDelta(index=0, arguments=":1}"),
        TextDelta(text="!"),
    )["output"]
    assert call["arguments"] == '{"x":1}'
    assert message["content"][0]["text"] == "hm!"


def test_a_call_without_arguments_has_an_empty_object() -> None:
    (item,) = said(ToolCallDelta(index=0, id="a", name="f"))["output"]
    assert item["arguments"] == "{}"


def test_free_text_comes_unwrapped_at_the_end() -> None:
    options = RenderOptions(model="m", free_text_tools=frozenset({"patch"}))
    call, message = said(
        ToolCallDelta(index=0, id="a", name="patch", arguments='{"input":'),
        ToolCallDelta(index=0, arguments='"*** Begin"}'),
        TextDelta(text="done"),
        options=options,
    )["output"]
    assert (call["type"], call["input"]) == ("custom_tool_call", "*** Begin")
    assert message["type"] == "message"


def test_thinking_that_is_signed_ends_its_item() -> None:
    signed = {"origin": "anthropic", "block": 0}
    first, second, third = said(
        ReasoningDelta(text="a", **signed),
        ReasoningDelta(text="b", **signed),
        ReasoningDelta(signature="S", **signed),
        ReasoningDelta(text="c", **signed),
        ReasoningDelta(data="D", origin="gemini", id="call_1"),
    )["output"]
    assert first["summary"][0]["text"] == "ab"
    assert opaque.unseal(first["encrypted_content"]) == [ReasoningPart(signature="S", origin="anthropic")]
    assert second["summary"][0]["text"] == "c"
    assert opaque.unseal(third["encrypted_content"]) == [ReasoningPart(data="D", origin="gemini", id="call_1")]


def test_encrypted_details_of_a_chat_server_join_the_text_of_their_id() -> None:
    (item,) = said(
        ReasoningDelta(text="a", origin="openai", id="r1", block=0),
        ReasoningDelta(data="D", origin="openai", id="r1", block=1),
    )["output"]
    assert item["summary"][0]["text"] == "a"
    assert opaque.unseal(item["encrypted_content"]) == [ReasoningPart(data="D", origin="openai", id="r1")]


def test_citations_wait_for_the_end_of_their_text() -> None:
    data = streamed(
        StreamChunk(deltas=[TextDelta(text="he", block=0)]),
        StreamChunk(deltas=[CitationDelta(citation=Citation(url="https://a.example"), block=0)]),
        StreamChunk(deltas=[TextDelta(text="llo", block=0)]),
        END,
    )
    (item,) = collected(data)["output"]
    assert item["content"][0]["annotations"][0]["end_index"] == 5
    (row,) = of_type(payloads(data), "output_text.annotation.added")
    assert (row["annotation_index"], row["content_index"]) == (0, 0)


def test_other_choices_and_foreign_blocks_are_recorded() -> None:
    encoder = FORMAT.stream_encoder(OPTIONS)
    deltas = [
        TextDelta(text="b", choice=1),
        NativeDelta(format="anthropic", data={"type": "server_tool_use"}, block=0),
        MediaDelta(media=MediaPart(kind="audio", data="aGk=")),
        TextDelta(text="a"),
    ]
    data = b"".join(encoder.encode(chunk) for chunk in [StreamChunk(deltas=deltas), END])
    assert collected(data)["output"][0]["content"][0]["text"] == "a"
    assert encoder.dropped == ["choices", "server_tool_use", "content.media"]


PARTS = [
    ReasoningPart(text="hm", signature="S", origin="anthropic"),
    ReasoningPart(data="D", origin="anthropic"),
    TextPart(text="Hi ☕", citations=[Citation(url="https://a.example", title="A")]),
    TextPart(text="again"),
    ToolCallPart(id="toolu_1", name="f", arguments='{"a":1}'),
    ToolCallPart(id="toolu_2", name="c", arguments="text", kind="custom"),
    MediaPart(kind="image", media_type="image/png", data="aGk="),
    RefusalPart(text="no"),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=6), st.sampled_from(["stop", "length", "pause", "error", "refusal"]))
def test_streams_of_another_format_collect_to_its_whole_answer(parts: list[Any], reason: Any) -> None:
    """What Messages streams of an answer is, for a Responses client, what it answers whole."""
    parts = [part for at, part in enumerate(parts) if part not in parts[:at]]
    response = DomainResponse(id="x", created=1, choices=[Choice(content=parts, finish_reason=reason)])
    whole = MESSAGES.encode_response(deepcopy(response), OPTIONS)
    encoder, again = MESSAGES.stream_encoder(OPTIONS), FORMAT.stream_encoder(OPTIONS)
    data = encoder.encode(as_chunk(response))
    chunks = [MESSAGES.decode_event(parse_event(block)) for block in EventSplitter().feed(data)]
    got = collected(b"".join(again.encode(chunk) for chunk in chunks if chunk is not None))
    expected = valid(FORMAT.encode_response(MESSAGES.decode_response(whole), OPTIONS))
    assert without_ids(got["output"]) == without_ids(expected["output"])
    assert (got["status"], got.get("native_finish_reason")) == (
        expected["status"],
        expected.get("native_finish_reason"),
    )


# errors


def test_an_error_is_written_flat_and_nested_and_the_response_fails() -> None:
    encoder = FORMAT.stream_encoder(OPTIONS)
    data = encoder.encode(StreamChunk(id="x", deltas=[TextDelta(text="half")]))
    end = encoder.encode(StreamChunk(error=ErrorInfo(message="boom", code="context_length_exceeded", status=400)))
    got = payloads(data + end)
    error, failed = got[-2:]
    assert (error["type"], error["message"], error["code"]) == ("error", "boom", "context_length_exceeded")
    assert error["error"] == {
        "type": "invalid_request_error",
        "code": "context_length_exceeded",
        "message": "boom",
        "param": None,
    }
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] == {"code": "context_length_exceeded", "message": "boom"}
    for row in got[:-1]:
        EVENT.validate_python(row)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ErrorInfo(message="m", code="insufficient_quota", status=429), "insufficient_quota"),
        (ErrorInfo(message="m", code="server_is_overloaded", status=503), "server_is_overloaded"),
        (ErrorInfo(message="m", code="tokens", status=429), "rate_limit_exceeded"),
        (ErrorInfo(message="m", type="invalid_request_error", status=400), "invalid_prompt"),
        (ErrorInfo(message="m", type="overloaded_error", status=529), "server_error"),
        (ErrorInfo(message="m"), "server_error"),
    ],
)
def test_a_failure_tells_clients_whether_to_try_again(error: ErrorInfo, code: str) -> None:
    failed = payloads(FORMAT.stream_encoder(OPTIONS).fail(error))[-1]
    assert failed["response"]["error"] == {"code": code, "message": "m"}


def test_an_error_at_once_still_has_a_response() -> None:
    got = payloads(FORMAT.stream_encoder(OPTIONS).fail(ErrorInfo(message="no", status=429)))
    assert [row["type"] for row in got] == ["response.created", "response.in_progress", "error", "response.failed"]
    assert got[-1]["response"]["error"]["code"] == "rate_limit_exceeded"


def client(stream: bytes) -> openai.OpenAI:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    return openai.OpenAI(api_key="k", http_client=httpx.Client(transport=httpx.MockTransport(answer)), max_retries=0)


def test_the_sdk_streams_our_answers() -> None:
    with client(through(rows())).responses.stream(model="m", input="hi") as stream:
        final = stream.get_final_response()
    assert final.output_text == "Hello wörld ☕"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call"]


def test_the_sdk_raises_at_our_errors() -> None:
    data = through([*rows()[:6], {"type": "error", "code": "server_error", "message": "boom", "param": None}])
    with pytest.raises(openai.APIError, match="boom"):
        list(client(data).responses.create(model="m", input="hi", stream=True))
