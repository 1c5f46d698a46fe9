"""Gemini's streams: each event by itself, and our own events, which collected are the whole answer."""

from __future__ import annotations

import copy
import itertools
import json
import time
from collections.abc import Iterable
from typing import Any

import pytest
from google.genai import models as sdk_models
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_core.domain.content import (
    Citation,
    MediaPart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from proxy_core.domain.response import Choice, DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import (
    CitationDelta,
    Delta,
    Finish,
    MediaDelta,
    ReasoningDelta,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
    as_chunk,
)
from proxy_core.errors import BackendError
from proxy_core.formats import opaque
from proxy_core.formats.anthropic import AnthropicFormat
from proxy_core.formats.base import RenderOptions, WireFormat
from proxy_core.formats.gemini import GeminiFormat
from proxy_core.formats.gemini.text_event import decode_text_event
from proxy_core.formats.openai import OpenAIFormat
from proxy_core.formats.sse import Event, EventSplitter, parse_event

FORMAT, CHAT, MESSAGES = GeminiFormat(), OpenAIFormat(), AnthropicFormat()
OPTIONS = RenderOptions(model="asked/for")
ARRAY = RenderOptions(model="asked/for", framing="array")
ODD_TEXT = 'naïve ☕ 👩‍🚀 \u2028\u0085 "quoted" \\ end'
PNG = "iVBORw0KGgo="
SIGNATURE, OTHER = "CiQB0e2Kb1+sig==", "c2ln"
END = StreamChunk(terminal=True)


def event(*parts: dict[str, Any], index: int = 0, **candidate: Any) -> dict[str, Any]:
    """The payload of an event as Gemini sends it."""
    return {
        "candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": index, **candidate}],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
        "modelVersion": "gemini-3-pro",
        "responseId": "r1",
    }


def call(name: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, **fields} if name else fields}


def decoded(*payloads: dict[str, Any]) -> list[StreamChunk]:
    chunks = [FORMAT.decode_block(b"data: " + json.dumps(payload).encode()) for payload in payloads]
    return [chunk for chunk in chunks if chunk is not None]


def streamed(chunks: Iterable[StreamChunk], client: WireFormat = FORMAT, options: RenderOptions = OPTIONS) -> bytes:
    encoder = client.stream_encoder(options)
    return b"".join(encoder.encode(chunk) for chunk in [*chunks, END])


def payloads(data: bytes) -> list[dict[str, Any]]:
    events = [parse_event(block).data or b"" for block in EventSplitter().feed(data)]
    return [json.loads(each) for each in events if each != b"[DONE]"]


def sdk(payload: dict[str, Any]) -> types.GenerateContentResponse:
    types.GenerateContentResponse.model_validate(payload)
    converted = sdk_models._GenerateContentResponse_from_mldev(copy.deepcopy(payload))
    return types.GenerateContentResponse._from_response(response=converted, kwargs={})


def collected(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole answer that a client puts together from these events."""
    candidates: dict[int, dict[str, Any]] = {}
    body: dict[str, Any] = {}
    for payload in events:
        sdk(payload)
        body |= {name: payload[name] for name in payload if name != "candidates"}
        for candidate in payload.get("candidates", ()):
            known = candidates.setdefault(candidate["index"], {"content": {"parts": [], "role": "model"}})
            known |= {name: candidate[name] for name in candidate if name != "content"}
            known["content"]["parts"] += candidate["content"]["parts"]
    for candidate in candidates.values():
        candidate["content"]["parts"] = merged(candidate["content"]["parts"])
    return {**body, "candidates": [candidates[index] for index in sorted(candidates)]} if candidates else body


def merged(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Texts that follow each other are one, with the signature of the first."""
    kept: list[dict[str, Any]] = []
    for part in parts:
        last = kept[-1] if kept else {}
        unsigned = {name: last[name] for name in last if name != "thoughtSignature" or not last.get("text")}
        if part.keys() <= {"text", "thought"} and unsigned.keys() == part.keys():
            kept[-1] = {**last, "text": last["text"] + part["text"]}
        else:
            kept.append(part)
    return kept


def whole(body: dict[str, Any]) -> dict[str, Any]:
    sdk(body)
    for candidate in body.get("candidates", ()):
        candidate["content"]["parts"] = merged(candidate["content"]["parts"])
    return body


def parts_in(data: bytes) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = collected(payloads(data))["candidates"][0]["content"]["parts"]
    return parts


# reading events


@pytest.mark.parametrize("thought", [False, True])
@pytest.mark.parametrize("text", ["a", ODD_TEXT])
def test_the_short_way_says_what_the_long_way_says(text: str, thought: bool) -> None:
    part = {"text": text, "thought": True} if thought else {"text": text}
    payload = event(part) | {"createTime": "2026-11-27T12:00:00Z"}
    assert decode_text_event(json.dumps(payload).encode()) == FORMAT.decode_payload(payload)
    assert FORMAT.decode_payload({"candidates": [{"content": {"parts": [part]}}]}) == decode_text_event(
        json.dumps({"candidates": [{"content": {"parts": [part]}}]}).encode()
    )


@pytest.mark.parametrize(
    "payload",
    [
        event({"text": "a"}, finishReason="STOP"),
        event({"text": "a", "thoughtSignature": SIGNATURE}),
        event({"text": "a"}, {"text": "b"}),
        event({"text": ""}),
        event(call("f")),
        event({"text": "a"}, safetyRatings=[]),
        event({"text": "a"}) | {"error": {"message": "no"}},
        {"candidates": []},
    ],
)
def test_the_short_way_is_for_text_alone(payload: dict[str, Any]) -> None:
    assert decode_text_event(json.dumps(payload).encode()) is None


def test_a_finish_reason_may_be_the_last_word() -> None:
    first, last = decoded(event({"text": "a"}), event({"text": "b"}, finishReason="STOP"))
    assert (first.may_be_last, last.may_be_last, last.terminal) == (False, True, False)
    assert last.finish == [Finish(reason="stop")]
    assert last.usage == Usage(input_tokens=7, output_tokens=3)


def test_each_candidate_ends_by_itself() -> None:
    chunk, _ = decoded(event({"text": "b"}, index=1, finishReason=2), event({"text": "a"}))
    assert chunk.finish == [Finish(reason="length", choice=1)]
    assert chunk.deltas == [TextDelta(text="b", choice=1)]


def test_a_blocked_prompt_ends_the_stream() -> None:
    (chunk,) = decoded({"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r1"})
    assert chunk.may_be_last
    assert (chunk.finish[0].reason, chunk.finish[0].native) == ("content_filter", "SAFETY")
    (last,) = payloads(streamed([chunk]))
    assert last == {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "asked/for", "responseId": "r1"}
    sdk(last)
    assert payloads(streamed([chunk], CHAT))[-1]["choices"][0]["finish_reason"] == "content_filter"


ERROR = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
EXPECTED_ERROR = ErrorInfo(message="overloaded", type="UNAVAILABLE", status=503)


@pytest.mark.parametrize(
    "block",
    [
        b"data: " + json.dumps(ERROR).encode(),
        b"data: " + json.dumps([ERROR]).encode(),
        json.dumps(ERROR, indent=2).encode(),
        b"\n" + json.dumps([ERROR], indent=2).encode(),
    ],
)
def test_errors_inside_a_stream_are_errors(block: bytes) -> None:
    chunk = FORMAT.decode_block(block)
    assert chunk is not None
    assert chunk.error == EXPECTED_ERROR


@pytest.mark.parametrize("data", [b"[", b"[1]", b"[{},{}]", b"{", b"7"])
def test_an_event_that_is_no_object_is_the_upstreams_fault(data: bytes) -> None:
    with pytest.raises(BackendError):
        FORMAT.decode_event(Event(None, data))


def test_comments_say_nothing() -> None:
    assert FORMAT.decode_block(b": ping") is None


def test_grounding_that_comes_last_is_cited() -> None:
    metadata = {"groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}]}
    chunks = decoded(event({"text": "a"}), event({"text": "b"}, groundingMetadata=metadata, finishReason="STOP"))
    citations = [delta.citation.url for delta in chunks[1].deltas if isinstance(delta, CitationDelta)]
    assert citations == ["https://a.example"]
    assert payloads(streamed(chunks))[-1]["candidates"][0]["groundingMetadata"] == metadata


def test_what_only_gemini_clients_understand_reaches_them() -> None:
    chunks = decoded(
        event({"text": "a"}, safetyRatings=[{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW"}])
        | {"modelStatus": {"modelStage": "STABLE"}},
        event({"text": "b"}, finishReason="STOP", avgLogprobs=-0.5),
    )
    last = payloads(streamed(chunks))[-1]
    assert last["modelStatus"] == {"modelStage": "STABLE"}
    (candidate,) = last["candidates"]
    assert (candidate["avgLogprobs"], len(candidate["safetyRatings"])) == (-0.5, 1)


def test_log_probabilities_of_all_events_are_joined() -> None:
    def result(token: str) -> dict[str, Any]:
        return {"chosenCandidates": [{"token": token, "tokenId": 1, "logProbability": -1.0}]}

    chunks = decoded(
        event({"text": "a"}, logprobsResult=result("a")),
        event(logprobsResult=result("b"), finishReason="STOP"),
    )
    chosen = payloads(streamed(chunks))[-1]["candidates"][0]["logprobsResult"]["chosenCandidates"]
    assert [token["token"] for token in chosen] == ["a", "b"]
    assert all(token["tokenId"] == 1 for token in chosen)
    chat = [token for each in payloads(streamed(chunks, CHAT)) for token in tokens_in(each)]
    assert [token["token"] for token in chat] == ["a", "b"]


def tokens_in(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    return [token for choice in chunk["choices"] for token in (choice["logprobs"] or {}).get("content") or ()]


# calls in pieces


def chat_calls(chunks: list[StreamChunk]) -> list[tuple[str, Any]]:
    """Names and arguments of the calls that a Chat client gets."""
    calls: dict[int, list[str]] = {}
    for payload in payloads(streamed(chunks, CHAT)):
        for piece in [piece for choice in payload["choices"] for piece in choice["delta"].get("tool_calls", ())]:
            known = calls.setdefault(piece["index"], [piece["function"].get("name"), ""])
            known[1] += piece["function"]["arguments"]
    return [(name, json.loads(arguments)) for name, arguments in calls.values()]


def test_two_calls_of_one_name_without_ids_or_index_are_two() -> None:
    chunks = decoded(event(call("f", args={"a": 1}), call("f", args={"a": 2})), event(call("f"), finishReason="STOP"))
    assert chat_calls(chunks) == [("f", {"a": 1}), ("f", {"a": 2}), ("f", {})]


PIECES = [
    call("f", willContinue=True),
    call(partialArgs=[{"jsonPath": "$.city", "stringValue": "Zü", "willContinue": True}], willContinue=True),
    call(partialArgs=[{"jsonPath": "$.city", "stringValue": "rich"}], willContinue=True),
    call(
        partialArgs=[
            {"jsonPath": "$.rows[0]['first name']", "stringValue": ""},
            {"jsonPath": "$.rows[1].n", "numberValue": 21.0},
            {"jsonPath": "$.rows[1].x", "numberValue": 0.5},
            {"jsonPath": "$.ok", "boolValue": False},
            {"jsonPath": "$.none", "nullValue": "NULL_VALUE"},
            {"jsonPath": "$.later", "willContinue": True},
        ],
        willContinue=True,
    ),
    call(),
]
ASSEMBLED = {
    "city": "Zürich",
    "rows": [{"first name": ""}, {"n": 21, "x": 0.5}],
    "ok": False,
    "none": None,
}


@pytest.mark.parametrize("end", [[], [call("g", args={"b": 1})]])
def test_arguments_in_pieces_become_json(end: list[dict[str, Any]]) -> None:
    chunks = decoded(*(event(piece) for piece in [*PIECES, *end]), event(finishReason="STOP"))
    expected = [("f", ASSEMBLED), *([("g", {"b": 1})] if end else [])]
    assert chat_calls(chunks) == expected
    parts = [part["functionCall"] for part in parts_in(streamed(chunks))]
    assert [(part["name"], part["args"]) for part in parts] == expected


def test_arguments_in_pieces_become_json_in_a_whole_answer_too() -> None:
    response = FORMAT.decode_response(event(*PIECES, call("g", args={"b": 1}), finishReason="STOP"))
    assert [(part.name, json.loads(part.arguments)) for part in response.tool_calls] == [
        ("f", ASSEMBLED),
        ("g", {"b": 1}),
    ]
    assert all(not part.extras for part in response.tool_calls)
    assert response.finish_reason == "tool_calls"


def test_pieces_may_repeat_the_name_and_the_id() -> None:
    pieces = [
        call("f", id="c1", partialArgs=[{"jsonPath": "$.a", "stringValue": text}], willContinue=True) for text in "xy"
    ]
    assert chat_calls(decoded(*(event(piece) for piece in pieces), event(finishReason="STOP"))) == [("f", {"a": "xy"})]


def test_a_call_that_is_cut_off_keeps_what_it_has() -> None:
    chunks = decoded(*(event(piece) for piece in PIECES[:2]), event(finishReason="MAX_TOKENS"))
    assert chat_calls(chunks) == [("f", {"city": "Zü"})]
    assert chat_calls(decoded(*(event(piece) for piece in PIECES[:2]))) == [("f", {"city": "Zü"})]


def test_what_comes_between_pieces_follows_the_call() -> None:
    signed = call(partialArgs=[{"jsonPath": "$.b", "numberValue": 1}]) | {"thoughtSignature": SIGNATURE}
    chunks = decoded(event(PIECES[0]), event(PIECES[2], {"text": "x"}, signed), event(finishReason="STOP"))
    first, *others = parts_in(streamed(chunks))
    assert first["functionCall"]["args"] == {"city": "rich", "b": 1}
    assert others == [{"text": "x"}, {"text": "", "thoughtSignature": SIGNATURE}]


def test_text_alone_between_pieces_follows_the_call_too() -> None:
    pieces = [event(PIECES[0]), event(PIECES[2]), event({"text": "x"}), event({"text": ""}, finishReason="STOP")]
    first, *others = parts_in(streamed(decoded(*pieces)))
    assert first["functionCall"]["args"] == {"city": "rich"}
    assert "".join(part["text"] for part in others) == "x"


def test_many_pieces_of_one_string_take_linear_time() -> None:
    piece = {"jsonPath": "$.a", "stringValue": "x" * 64, "willContinue": True}
    chunks = decoded(event(PIECES[0]), *([event(call(partialArgs=[piece] * 64, willContinue=True))] * 2048))
    began = time.process_time()
    assert chat_calls([*chunks, *decoded(event(call()))]) == [("f", {"a": "x" * 64 * 64 * 2048})]
    assert time.process_time() - began < 2


@pytest.mark.parametrize("path", ["$" + "['" * 20_000, "$" + "['a']" * 20_000 + "!", "$" + ".[" * 20_000])
def test_long_paths_take_linear_time(path: str) -> None:
    began = time.process_time()
    pieces = [{"jsonPath": path, "stringValue": "found"}]
    assert chat_calls(decoded(event(call("f", partialArgs=pieces)))) == [("f", {path: "found"})]
    assert time.process_time() - began < 2


def test_a_call_that_never_ended_ends_where_another_begins() -> None:
    chunks = decoded(*(event(piece) for piece in [*PIECES[:3], call("g", args={})]), event(finishReason="STOP"))
    assert chat_calls(chunks) == [("f", {"city": "Zürich"}), ("g", {})]


def test_the_end_of_a_call_that_nobody_opened_is_nothing() -> None:
    assert chat_calls(decoded(event(call()), event({"text": "x"}, finishReason="STOP"))) == []


@pytest.mark.parametrize(
    "path", ["$.a.b[2]", "$", "", "no path", "$.a[", "$" + ".a" * 200, "$[0]", "$.list.x", "$.a[1]"]
)
def test_odd_paths_lose_nothing_and_break_nothing(path: str) -> None:
    pieces = [{"jsonPath": "$.list[0]", "stringValue": "1"}, {"jsonPath": path, "stringValue": "found"}]
    (found,) = chat_calls(decoded(event(call("f", partialArgs=pieces), finishReason="STOP")))
    assert ("found" in json.dumps(found[1])) == bool(path)


# writing events


def test_text_is_written_as_it_comes_and_the_end_once() -> None:
    chunks = [
        StreamChunk(id="r1", created=1795780800, deltas=[TextDelta(text="a")]),
        StreamChunk(deltas=[TextDelta(text=ODD_TEXT)]),
        StreamChunk(finish=[Finish(reason="length")], usage=Usage(input_tokens=1, output_tokens=2)),
        StreamChunk(finish=[Finish(reason="length")]),
    ]
    events = payloads(streamed(chunks))
    assert [sdk(each).text for each in events[:2]] == ["a", ODD_TEXT]
    identity = {"modelVersion": "asked/for", "responseId": "r1", "createTime": "2026-11-27T12:00:00Z"}
    assert all(each.items() >= identity.items() for each in events)
    assert len(events) == 3
    assert ["finishReason" in each["candidates"][0] for each in events] == [False, False, True]
    assert [each.get("usageMetadata", {}).get("totalTokenCount") for each in events] == [None, None, 3]


def test_an_array_is_json() -> None:
    chunks = [StreamChunk(deltas=[TextDelta(text=text)]) for text in ("a", "b", "c")]
    data = streamed([*chunks, StreamChunk(finish=[Finish(reason="stop")])], options=ARRAY)
    assert (data[:2], data[-2:]) == (b"[{", b"}]")
    assert [sdk(each).text for each in json.loads(data)] == ["a", "b", "c", ""]
    assert [sdk(each).text for each in json.loads(streamed([], options=ARRAY))] == [None]


@pytest.mark.parametrize("said", [0, 2])
def test_an_error_ends_a_stream_of_either_framing(said: int) -> None:
    chunks = [StreamChunk(deltas=[TextDelta(text="a")])] * said
    for options in (OPTIONS, ARRAY):
        encoder = FORMAT.stream_encoder(options)
        data = b"".join(encoder.encode(chunk) for chunk in [*chunks, StreamChunk(error=EXPECTED_ERROR), END])
        events = json.loads(data) if options is ARRAY else payloads(data)
        assert events[-1] == ERROR
        assert len(events) == said + 1


def test_calls_wait_until_they_are_whole_and_keep_their_order() -> None:
    deltas: list[Delta] = [
        ToolCallDelta(index=0, id="c1", name="f", arguments='{"a"'),
        ToolCallDelta(index=1, id="c2", name="g", arguments=""),
        ToolCallDelta(index=1, arguments='{"b": 2}'),
        TextDelta(text="so"),
        ToolCallDelta(index=0, arguments=": 1}"),
        ReasoningDelta(text="hm"),
    ]
    encoder = FORMAT.stream_encoder(OPTIONS)
    written = [encoder.encode(StreamChunk(deltas=[delta])) for delta in deltas]
    assert [bool(data) for data in written] == [False, False, False, False, True, True]
    parts = parts_in(b"".join([*written, encoder.encode(END)]))
    assert [next(iter(part)) for part in parts] == ["functionCall", "functionCall", "text", "text"]
    assert [part["functionCall"]["args"] for part in parts[:2]] == [{"a": 1}, {"b": 2}]


def test_a_numbered_block_ends_the_calls_before_it() -> None:
    chunks = [
        StreamChunk(deltas=[ToolCallDelta(index=0, id="c1", name="f")]),
        StreamChunk(deltas=[TextDelta(text="a", block=1)]),
    ]
    encoder = FORMAT.stream_encoder(OPTIONS)
    assert [len(payloads(encoder.encode(chunk))) for chunk in chunks] == [0, 2]


def test_a_signature_goes_on_the_text_that_follows() -> None:
    payload = event({"text": "b", "thoughtSignature": SIGNATURE}, {"text": "c"}, finishReason="STOP")
    chunks = decoded(event({"text": "a"}), payload)
    assert parts_in(streamed(chunks)) == [{"text": "a"}, {"text": "bc", "thoughtSignature": SIGNATURE}]


def test_an_empty_text_has_an_event_of_its_own() -> None:
    """Gemini CLI takes an event in which any part is empty for none."""
    chunks = decoded(event({"text": "a"}), event({"text": "", "thoughtSignature": SIGNATURE}, finishReason="STOP"))
    events = payloads(streamed(chunks))
    assert [each["candidates"][0]["content"]["parts"] for each in events] == [
        [{"text": "a"}],
        [{"text": "", "thoughtSignature": SIGNATURE}],
    ]


def test_every_event_has_a_part_if_anything_was_said() -> None:
    """The chats of Google's SDK forget an answer if one of its events has no part."""
    calls: list[Delta] = [ToolCallDelta(index=0, id="c1", name="f", arguments="{}"), *TWO]
    for deltas in (calls[:1], calls, [TextDelta(text="a"), *TWO], [TextDelta(text="a")]):
        events = payloads(streamed([StreamChunk(deltas=[delta]) for delta in deltas]))
        assert all(len(each["candidates"][0]["content"]["parts"]) == 1 for each in events)
    thought = payloads(streamed([StreamChunk(deltas=[ReasoningDelta(text="a")])]))
    assert thought[-1]["candidates"][0]["content"]["parts"] == [{"text": "", "thought": True}]
    (empty,) = payloads(streamed([StreamChunk(finish=[Finish(reason="length")])]))
    assert empty["candidates"][0]["content"]["parts"] == []


TWO: list[Delta] = [ToolCallDelta(index=index, id=f"c{index}", name="f", arguments="{}") for index in (1, 2)]


def test_the_state_of_a_call_that_never_came_is_kept() -> None:
    chunk = StreamChunk(deltas=[ReasoningDelta(data=SIGNATURE, origin="gemini", id="c1")])
    assert parts_in(streamed([chunk])) == [{"text": "", "thoughtSignature": SIGNATURE}]


def test_thinking_streamed_in_pieces_is_sealed_whole() -> None:
    pieces: list[Delta] = [
        ReasoningDelta(text="Hm, ", origin="anthropic", block=0),
        ReasoningDelta(text="so.", origin="anthropic", block=0),
        ReasoningDelta(signature="sig", origin="anthropic", block=0),
        ReasoningDelta(data="redacted", origin="anthropic", block=1),
        TextDelta(text="a", block=2),
        ToolCallDelta(index=3, id="c1", name="f", arguments="{}"),
    ]
    parts = parts_in(streamed([StreamChunk(deltas=[piece]) for piece in pieces]))
    assert [part.get("thought", False) for part in parts] == [True, False, False]
    assert parts[0]["text"] == "Hm, so."
    assert opaque.unseal(parts[-1]["thoughtSignature"]) == [
        ReasoningPart(text="Hm, so.", signature="sig", origin="anthropic"),
        ReasoningPart(data="redacted", origin="anthropic"),
    ]


def test_candidates_end_together_in_the_last_event() -> None:
    chunks = [
        StreamChunk(deltas=[TextDelta(text="b", choice=1), TextDelta(text="a")]),
        StreamChunk(finish=[Finish(reason="length", choice=1)]),
        StreamChunk(deltas=[TextDelta(text="a")], finish=[Finish(reason="stop")]),
    ]
    events = payloads(streamed(chunks))
    ends = [(each["index"], each["finishReason"]) for each in events[-1]["candidates"]]
    assert ends == [(0, "STOP"), (1, "MAX_TOKENS")]
    assert collected(events)["candidates"][0]["content"]["parts"] == [{"text": "aa"}]


def test_losses_are_recorded() -> None:
    encoder = FORMAT.stream_encoder(OPTIONS)
    native = NativePart(format="anthropic", data={"type": "server_tool_use"})
    media = MediaDelta(media=MediaPart(kind="file", file_id="f"))
    encoder.encode(StreamChunk(deltas=[*as_chunk(DomainResponse(choices=[Choice(content=[native])])).deltas, media]))
    assert encoder.dropped == ["server_tool_use", "content.media"]


# whole and stream

SOME_TEXT = st.text("aé☕\n ", min_size=1, max_size=5)
STATE = st.sampled_from([SIGNATURE, OTHER])
CITATIONS = st.lists(
    st.builds(
        Citation,
        url=st.sampled_from(["https://a.example", "https://b.example", None]),
        title=st.sampled_from(["A", "B"]),
        start=st.none() | st.integers(0, 3),
        end=st.none() | st.integers(3, 6),
        cited_text=st.none() | SOME_TEXT,
    ),
    max_size=2,
)
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(TextPart, text=SOME_TEXT, citations=CITATIONS),
    st.builds(RefusalPart, text=SOME_TEXT),
    st.builds(ReasoningPart, text=SOME_TEXT),
    st.builds(ReasoningPart, text=SOME_TEXT, signature=STATE, origin=st.sampled_from(["gemini", "anthropic"])),
    st.builds(ReasoningPart, data=STATE, origin=st.sampled_from(["gemini", "anthropic"])),
    st.builds(ReasoningPart, data=STATE, origin=st.sampled_from(["gemini", "openai-responses"]), id=st.just("c1")),
    st.builds(
        ToolCallPart,
        id=st.sampled_from(["c1", "c2"]),
        name=st.sampled_from(["f", "g"]),
        arguments=st.sampled_from(["{}", "", '{"a": 1}', '{"a": ']),
        kind=st.sampled_from(["function", "custom"]),
    ),
    st.just(MediaPart(kind="image", media_type="image/png", data=PNG)),
    st.just(NativePart(format="gemini", data={"executableCode": {"code": "1", "language": "PYTHON"}})),
    st.just(NativePart(format="anthropic", data={"type": "server_tool_use"})),
)
CHOICE = st.builds(
    Choice,
    content=st.lists(PARTS, max_size=5),
    finish_reason=st.sampled_from(["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error"]),
    native_finish_reason=st.sampled_from([None, "RECITATION", "pause_turn"]),
    stop_sequence=st.sampled_from([None, "END"]),
    logprobs=st.sampled_from([None, {"content": [{"token": "a", "logprob": -1.0, "top_logprobs": []}]}]),
)


def cut(delta: Delta) -> list[Delta]:
    """A delta in pieces of one character, where it may come in pieces."""
    if isinstance(delta, TextDelta) and delta.text and delta.logprobs is None:
        return [TextDelta(text=letter, choice=delta.choice, block=delta.block) for letter in delta.text]
    if isinstance(delta, ToolCallDelta):
        opening = ToolCallDelta(index=delta.index, id=delta.id, name=delta.name, kind=delta.kind, choice=delta.choice)
        pieces = [ToolCallDelta(index=delta.index, arguments=a, choice=delta.choice) for a in delta.arguments]
        return [opening, *pieces]
    return [delta]


@settings(max_examples=300, deadline=None)
@given(st.lists(CHOICE, min_size=1, max_size=2), st.sampled_from([OPTIONS, ARRAY]))
def test_a_stream_collected_is_the_whole_answer(choices: list[Choice], options: RenderOptions) -> None:
    for index, choice in enumerate(choices):
        choice.index = index
    usage = Usage(input_tokens=5, output_tokens=4, reasoning_tokens=1)
    response = DomainResponse(id="r1", created=1795780800, choices=choices, usage=usage)
    chunk = as_chunk(response)
    pieces = list(itertools.chain.from_iterable(map(cut, chunk.deltas)))
    chunks = [
        StreamChunk(id="r1", created=1795780800),
        *(StreamChunk(deltas=[piece]) for piece in pieces),
        StreamChunk(finish=chunk.finish, usage=usage),
    ]
    encoder = FORMAT.stream_encoder(options)
    data = b"".join(encoder.encode(each) for each in [*chunks, END])
    events = json.loads(data) if options is ARRAY else payloads(data)
    assert collected(events) == whole(FORMAT.encode_response(response, OPTIONS))
    assert sorted(encoder.dropped) == sorted(response.dropped)


GEMINI_STREAM = [
    event({"text": "Hm, ", "thought": True}),
    event({"text": "so.", "thought": True}),
    event({"text": "Grüß "}),
    event({"text": "Zürich"}),
    event(call("f", args={"a": 1}, id="c1") | {"thoughtSignature": SIGNATURE}, call("f", args={}, id="c2")),
    event({"text": "", "thoughtSignature": OTHER}, finishReason="STOP"),
]
GEMINI_WHOLE = event(
    {"text": "Hm, so.", "thought": True},
    {"text": "Grüß Zürich"},
    call("f", args={"a": 1}, id="c1") | {"thoughtSignature": SIGNATURE},
    call("f", args={}, id="c2"),
    {"text": "", "thoughtSignature": OTHER},
    finishReason="STOP",
)


def test_geminis_own_stream_collected_is_geminis_own_answer() -> None:
    events = payloads(streamed(decoded(*GEMINI_STREAM)))
    assert collected(events) == whole(FORMAT.encode_response(FORMAT.decode_response(GEMINI_WHOLE), OPTIONS))
    assert collected(events)["candidates"] == GEMINI_WHOLE["candidates"]


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_stream_may_be_cut_anywhere(size: int, line_end: bytes) -> None:
    data = b"".join(b"data: " + json.dumps(each).encode() + line_end * 2 for each in GEMINI_STREAM)
    splitter = EventSplitter()
    blocks = [block for at in range(0, len(data), size) for block in splitter.feed(data[at : at + size])]
    chunks = [chunk for block in [*blocks, *splitter.flush()] if (chunk := FORMAT.decode_block(block)) is not None]
    assert chunks == decoded(*GEMINI_STREAM)


def test_free_text_calls_of_gemini_reach_clients_that_offered_such_tools() -> None:
    options = RenderOptions(model="m", free_text_tools=frozenset({"f"}))
    chunks = decoded(event(call("f", args={"input": "ls -l"})), event(finishReason="STOP"))
    events = payloads(streamed(chunks, CHAT, options))
    deltas = [choice["delta"] for each in events for choice in each["choices"]]
    calls = [piece for delta in deltas for piece in delta.get("tool_calls", ())]
    assert "".join(piece["custom"]["input"] for piece in calls) == "ls -l"


def test_messages_clients_get_calls_and_the_end_of_a_gemini_stream() -> None:
    events = payloads(streamed(decoded(*GEMINI_STREAM), MESSAGES))
    starts = [each["content_block"]["type"] for each in events if each["type"] == "content_block_start"]
    assert [start for start in starts if start != "redacted_thinking"] == ["thinking", "text", "tool_use", "tool_use"]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
