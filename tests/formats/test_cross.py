"""Between the two formats, both ways: calls told apart, losses named, refusals and thinking kept what they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy_core.domain.base import MOST_DROPPED
from proxy_core.domain.content import (
    Citation,
    MediaPart,
    NativePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from proxy_core.domain.request import DomainRequest, Message, ReasoningSettings, Tool, ToolChoice
from proxy_core.domain.response import Choice, DomainResponse
from proxy_core.domain.stream import Finish, NativeDelta, StreamChunk, TextDelta, ToolCallDelta, as_chunk
from proxy_core.formats.anthropic import AnthropicFormat
from proxy_core.formats.base import RenderOptions, StreamEncoder, WireFormat
from proxy_core.formats.openai import Dialect, OpenAIFormat
from proxy_core.formats.sse import EventSplitter, parse_event
from proxy_core.translation import TranslationService

CHAT, MESSAGES = OpenAIFormat(), AnthropicFormat()
SERVICE = TranslationService()
OPTIONS = RenderOptions(model="m")
END = StreamChunk(finish=[Finish(reason="stop")], terminal=True)

both = pytest.mark.parametrize("client", [CHAT, MESSAGES], ids=lambda client: client.name)


def payloads(data: bytes) -> list[dict[str, Any]]:
    events = [parse_event(block).data or b"" for block in EventSplitter().feed(data)]
    return [json.loads(event) for event in events if event != b"[DONE]"]


def written(client: WireFormat, *chunks: StreamChunk) -> tuple[list[dict[str, Any]], StreamEncoder]:
    """The payloads a client gets, and the encoder that wrote them."""
    encoder = client.stream_encoder(OPTIONS)
    data = b"".join(encoder.encode(chunk) for chunk in [*chunks, END])
    return payloads(data), encoder


def calls_in(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Name and arguments of each call in a stream of either format."""
    calls: dict[int, list[str]] = {}
    for event in events:
        if (block := event.get("content_block", {})).get("type") == "tool_use":
            calls[event["index"]] = [block["name"], ""]
        elif event.get("delta", {}).get("type") == "input_json_delta" and event["index"] in calls:
            calls[event["index"]][1] += event["delta"]["partial_json"]
        for choice in event.get("choices", ()):
            for call in choice["delta"].get("tool_calls", ()):
                known = calls.setdefault(call["index"], [call["function"].get("name", ""), ""])
                known[1] += call["function"]["arguments"]
    return [(name, arguments) for name, arguments in calls.values()]


def decoded(upstream: WireFormat, *events: dict[str, Any]) -> list[StreamChunk]:
    return [chunk for event in events if (chunk := upstream.decode_payload(event)) is not None]


def chat_calls(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": list(calls)}}]}


def piece(name: str | None, arguments: str, **fields: Any) -> dict[str, Any]:
    return {**fields, "function": {"arguments": arguments, **({"name": name} if name else {})}}


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


# calls, told apart

SERVER_TOOL = block(
    0,
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    {"type": "input_json_delta", "partial_json": '{"query":'},
    {"type": "input_json_delta", "partial_json": '"x"}'},
)


def test_a_server_tool_is_no_call_of_the_clients() -> None:
    events, encoder = written(CHAT, *decoded(MESSAGES, *SERVER_TOOL))
    assert calls_in(events) == []
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert encoder.dropped == ["server_tool_use"]


def test_a_server_tool_reaches_a_client_of_its_own_format() -> None:
    events, encoder = written(MESSAGES, *decoded(MESSAGES, *SERVER_TOOL))
    assert [event for event in events if event["type"].startswith("content_block")] == SERVER_TOOL
    assert events[-2]["delta"]["stop_reason"] == "end_turn"
    assert encoder.dropped == []


def test_blocks_and_deltas_of_tomorrow_reach_a_client_of_their_own_format() -> None:
    sent = block(0, {"type": "tomorrow", "content": None}, {"type": "tomorrow_delta", "content": "x"})
    stray = {"type": "content_block_delta", "index": 7, "delta": {"type": "tomorrow_delta"}}
    events, _ = written(MESSAGES, *decoded(MESSAGES, *sent, stray))
    assert [event for event in events if event["type"].startswith("content_block")] == sent


@both
def test_a_piece_of_a_call_that_nobody_opened_is_left_out(client: WireFormat) -> None:
    pieces = [ToolCallDelta(index=0, arguments='{"a":1}'), ToolCallDelta(index=1, id="call_1", arguments="{}")]
    events, _ = written(client, StreamChunk(deltas=[*pieces, TextDelta(text="hi")]))
    assert calls_in(events) == []


@both
@pytest.mark.parametrize("ids", [("call_1", "call_2"), (None, None), ("", "")], ids=["ids", "none", "blank"])
def test_calls_without_an_index_stay_two(client: WireFormat, ids: tuple[str, str]) -> None:
    events = [
        chat_calls(piece("f", "", id=ids[0])),
        chat_calls(piece(None, '{"a":1}')),
        chat_calls(piece("g", '{"b"', id=ids[1])),
        chat_calls(piece(None, ":2}")),
    ]
    sent, _ = written(client, *decoded(CHAT, *events))
    assert calls_in(sent) == [("f", '{"a":1}'), ("g", '{"b":2}')]


@both
def test_a_repeated_name_is_no_second_call(client: WireFormat) -> None:
    events = [chat_calls(piece("f", text, index=0, id="call_1")) for text in ('{"a"', ":1}")]
    events.append(chat_calls(piece("f", "", index=0)))
    assert calls_in(written(client, *decoded(CHAT, *events))[0]) == [("f", '{"a":1}')]


@both
def test_a_new_number_takes_nobody_elses_place(client: WireFormat) -> None:
    """The second call at index 0 moves away from the call that comes at index 1."""
    indexes = [(0, "a"), (0, "b"), (1, "c"), (0, "d")]
    events = [chat_calls(piece(name, f'{{"{name}":1}}', index=index, id=name)) for index, name in indexes]
    assert [name for name, _ in calls_in(written(client, *decoded(CHAT, *events))[0])] == ["a", "b", "c", "d"]


def test_candidates_number_their_calls_apart() -> None:
    calls = [ToolCallDelta(index=0, name="f", id="a"), ToolCallDelta(index=0, name="f", id="b", choice=1)]
    events, _ = written(CHAT, StreamChunk(deltas=[*calls]))
    opened = [choice for event in events for choice in event["choices"] if "tool_calls" in choice["delta"]]
    assert [(choice["index"], choice["delta"]["tool_calls"][0]["index"]) for choice in opened[:2]] == [(0, 0), (1, 0)]


# requests


def ask(*messages: Message, source: WireFormat = CHAT, **fields: Any) -> DomainRequest:
    messages = messages or (Message(role="user", content=[TextPart(text="hi")]),)
    return DomainRequest(model="m", messages=list(messages), source_format=source.name, **fields)


TOOLS = [Tool(name="f"), Tool(name="g"), Tool(name="web_search", kind="native", native_format="openai", native={})]


@pytest.mark.parametrize(
    ("mode", "allowed", "offered", "dropped"),
    [
        ("auto", ["g"], ["g"], []),
        ("required", ["f", "g"], ["f", "g"], []),
        ("auto", [], ["f", "g"], ["tools.web_search"]),
        ("required", ["g", "web_search"], ["g"], ["tool_choice.allowed_tools", "tools.web_search"]),
        ("auto", ["nobody"], [], ["tool_choice.allowed_tools"]),
    ],
)
def test_only_allowed_tools_are_offered(mode: Any, allowed: list[str], offered: list[str], dropped: list[str]) -> None:
    request = ask(tools=TOOLS, tool_choice=ToolChoice(mode=mode, allowed=allowed))
    body = MESSAGES.encode_request(request)
    assert [tool["name"] for tool in body.get("tools", [])] == offered
    assert body.get("tool_choice", {}).get("type") == ({"auto": "auto", "required": "any"}[mode] if offered else None)
    assert request.dropped == dropped


THINKING = {"role": "assistant", "content": "a", "reasoning_content": "hm"}


def test_a_chat_upstreams_thinking_never_goes_to_anthropic() -> None:
    """Not as a client of Messages holds it (unsigned), nor as a Chat client does."""
    answer = CHAT.decode_response({"choices": [{"index": 0, "message": THINKING, "finish_reason": "stop"}]})
    shown = MESSAGES.encode_response(answer, OPTIONS)["content"]
    assert shown[0] == {"type": "thinking", "thinking": "hm", "signature": ""}
    chunk = CHAT.decode_payload({"choices": [{"index": 0, "delta": THINKING}]})
    assert chunk is not None
    assert [event.get("content_block") for event in written(MESSAGES, chunk)[0]][1] == {**shown[0], "thinking": ""}
    user = {"role": "user", "content": "hi"}
    held = {"model": "m", "max_tokens": 9, "messages": [user, {"role": "assistant", "content": shown}, user]}
    for client, body in ((MESSAGES, held), (CHAT, {"model": "m", "messages": [user, THINKING, user]})):
        request = client.decode_request(body)
        assert MESSAGES.encode_request(request)["messages"][1] == {"role": "assistant", "content": "a"}
        assert request.dropped == ["reasoning"]


@both
def test_unsigned_thinking_goes_back_to_the_chat_upstream_that_wants_it(client: WireFormat) -> None:
    parts = [ReasoningPart(text="hm"), TextPart(text="a")]
    request = ask(Message(role="assistant", content=[*parts]), source=client)
    wants_it = OpenAIFormat(Dialect(wants_plain_reasoning=True))
    assert wants_it.encode_request(request)["messages"][0]["reasoning_content"] == "hm"
    assert request.dropped == []


def test_anthropics_state_is_named_when_it_stays_behind() -> None:
    signed = ReasoningPart(text="", signature="s", origin="anthropic")
    redacted = ReasoningPart(data="d", origin="anthropic")
    request = ask(Message(role="assistant", content=[signed, redacted, TextPart(text="a")]), source=MESSAGES)
    assert "reasoning_details" not in CHAT.encode_request(request)["messages"][0]
    assert request.dropped == ["signature"]


def test_a_loss_bears_the_clients_own_word() -> None:
    request = ask(source=MESSAGES, stop=[*"12345"])
    SERVICE.from_domain_request(request, "openai")
    assert request.dropped == ["stop_sequences"]
    request = ask(stop=[" "])
    SERVICE.from_domain_request(request, "anthropic")
    assert request.dropped == ["stop"]
    settings = ReasoningSettings(mode="on", extras={"anthropic": {"display": "omitted"}})
    request = ask(source=MESSAGES, reasoning=settings)
    CHAT.encode_request(request)
    assert request.dropped == ["reasoning.display"]


@both
def test_names_of_losses_may_stand_in_a_header(client: WireFormat) -> None:
    names = {"a,b\r\nset-cookie: c": 1, "naïve ☕": 1, "x" * 500: 1, **{f"field_{n}": 1 for n in range(100)}}
    request = ask(extras={"gemini": names})
    client.encode_request(request)
    assert len(request.dropped) == MOST_DROPPED
    assert request.dropped[:3] == ["a_b__set-cookie:_c", "na_ve__", "x" * 64]


# answers

CITATION = Citation(extras={"openai": {"file": "f"}})
LOGPROBS = {"content": [{"token": "a", "logprob": -1, "bytes": None, "top_logprobs": []}]}


@pytest.mark.parametrize(
    ("client", "content", "fields", "dropped"),
    [
        (CHAT, [NativePart(format="anthropic", data={"type": "server_tool_use", "id": "x"})], {}, ["server_tool_use"]),
        (CHAT, [NativePart(format="openai", data={"type": "reference"})], {}, ["reference"]),
        (CHAT, [NativePart(format="openai", data={"audio": {"id": "a"}})], {}, []),
        (CHAT, [ReasoningPart(text="hm", signature="s", origin="anthropic")], {}, []),
        (MESSAGES, [NativePart(format="openai", data={"audio": {"id": "a"}})], {}, ["audio"]),
        (MESSAGES, [NativePart(format="anthropic", data={"type": "compaction", "content": "x"})], {}, []),
        (MESSAGES, [TextPart(text="a", citations=[CITATION])], {}, ["citations"]),
        (MESSAGES, [TextPart(text="a", citations=[Citation(url="https://a")])], {}, []),
        (MESSAGES, [ReasoningPart(text="hm", signature="s", origin="openai")], {}, []),
        (MESSAGES, [TextPart(text="a")], {"logprobs": LOGPROBS}, ["logprobs"]),
        (MESSAGES, [MediaPart(kind="image", data="aa", media_type="image/png")], {}, ["content.media"]),
    ],
)
def test_whole_and_streamed_answers_name_the_same_losses(
    client: WireFormat, content: list[Any], fields: dict[str, Any], dropped: list[str]
) -> None:
    response = DomainResponse(choices=[Choice(content=content, finish_reason="stop", **fields)])
    client.encode_response(response, OPTIONS)
    assert response.dropped == dropped
    encoder = client.stream_encoder(OPTIONS)
    encoder.encode(as_chunk(DomainResponse(choices=response.choices)))
    assert encoder.dropped == dropped


def test_only_the_first_candidate_is_shown_to_a_client_of_messages() -> None:
    choices = [Choice(index=index, content=[TextPart(text=str(index))], finish_reason="stop") for index in (0, 1)]
    response = DomainResponse(choices=choices)
    assert [part["text"] for part in MESSAGES.encode_response(response, OPTIONS)["content"]] == ["0"]
    encoder = MESSAGES.stream_encoder(OPTIONS)
    encoder.encode(as_chunk(response))
    assert response.dropped == encoder.dropped == ["choices"]


@pytest.mark.parametrize("finish", ["stop", None])
def test_a_chat_upstreams_refusal_is_a_refusal_to_a_client_of_messages(finish: Any) -> None:
    response = DomainResponse(choices=[Choice(content=[RefusalPart(text="no")], finish_reason=finish)])
    assert MESSAGES.encode_response(response, OPTIONS)["stop_reason"] == "refusal"
    sent = payloads(MESSAGES.stream_encoder(OPTIONS).encode(as_chunk(response)))
    assert sent[-2]["delta"]["stop_reason"] == "refusal"
    call = ToolCallPart(id="a", name="f")
    response = DomainResponse(choices=[Choice(content=[RefusalPart(text="no"), call], finish_reason=finish)])
    assert MESSAGES.encode_response(response, OPTIONS)["stop_reason"] == "tool_use"


def test_a_native_block_in_a_chunk_is_opened_and_closed() -> None:
    native = NativeDelta(format="anthropic", data={"type": "compaction", "content": "x"}, block=0)
    events, _ = written(MESSAGES, StreamChunk(deltas=[native]))
    assert [event["type"] for event in events[1:3]] == ["content_block_start", "content_block_stop"]
