"""The Messages format against the official SDK's own types and accumulator."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message as SdkMessage
from anthropic.types import MessageParam, ModelInfo, RawMessageStreamEvent, ToolUnionParam
from anthropic.types.shared import ErrorResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from pydantic import TypeAdapter

from proxy_core.domain.content import (
    Citation,
    MediaPart,
    NativePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from proxy_core.domain.request import (
    DomainRequest,
    Message,
    ReasoningSettings,
    ResponseFormat,
    Tool,
    ToolChoice,
)
from proxy_core.domain.response import Choice, DomainResponse, ErrorInfo, Usage
from proxy_core.domain.stream import (
    CitationDelta,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
)
from proxy_core.errors import BackendError, InvalidRequestError
from proxy_core.formats import opaque
from proxy_core.formats.anthropic import AnthropicFormat
from proxy_core.formats.anthropic.request_encode import DEFAULT_MAX_TOKENS
from proxy_core.formats.base import ModelCard, RenderOptions
from proxy_core.formats.openai import OpenAIFormat
from proxy_core.formats.sse import Event, EventSplitter, parse_event

FORMAT = AnthropicFormat()
OPTIONS = RenderOptions(model="asked/for", request_id="req_1")
SDK_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
PNG = "iVBORw0KGgo="
WEATHER_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PAGE_CITATION = {
    "type": "web_search_result_location",
    "url": "https://example.org/a",
    "title": "A",
    "cited_text": "quoted",
    "encrypted_index": "Eo8B",
}

CODING_AGENT = {
    "model": "claude-opus-4-8",
    "max_tokens": 32000,
    "system": [
        {"type": "text", "text": "You are an agent."},
        {"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ],
    "messages": [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": "EqQB+sig=="},
                {"type": "redacted_thinking", "data": "Eo0B"},
                {"type": "text", "text": "Let me see.", "citations": [PAGE_CITATION]},
                {
                    "type": "server_tool_use",
                    "id": "srvtoolu_1",
                    "name": "web_search",
                    "input": {"query": "x"},
                },
                {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Zürich"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "is_error": True,
                    "content": [
                        {"type": "text", "text": "no"},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                        },
                        {"type": "tool_reference", "tool_name": "other"},
                    ],
                    "cache_control": {"type": "ephemeral"},
                },
                {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                {
                    "type": "document",
                    "title": "Notes",
                    "source": {"type": "text", "media_type": "text/plain", "data": "n"},
                },
                {
                    "type": "document",
                    "title": "a.pdf",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                },
                {
                    "type": "search_result",
                    "source": "s",
                    "title": "t",
                    "content": [{"type": "text", "text": "c"}],
                },
                {"type": "text", "text": "Go on.", "cache_control": {"type": "ephemeral"}},
            ],
        },
        {"role": "system", "content": "Answer in French."},
    ],
    "tools": [
        {
            "name": "get_weather",
            "description": "d",
            "input_schema": WEATHER_SCHEMA,
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {
        "effort": "xhigh",
        "format": {"type": "json_schema", "schema": {"type": "object"}},
        "later": 1,
    },
    "metadata": {"user_id": "u", "more": 1},
    "context_management": {"edits": []},
    "service_tier": "auto",
    "temperature": 0.5,
    "top_k": 5,
    "stop_sequences": ["END"],
    "stream": True,
}

ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-8",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "Eo0B"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "text", "text": "It is", "citations": [PAGE_CITATION]},
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "get_weather",
            "input": {"city": "Zürich"},
            "caller": {"type": "direct"},
        },
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 100,
        "output_tokens": 30,
        "output_tokens_details": {"thinking_tokens": 12},
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    },
}


def ask(*messages: Message, **fields: Any) -> DomainRequest:
    """A request as it comes from a Chat client."""
    fields = {"model": "m", "source_format": "openai"} | fields
    return DomainRequest(messages=list(messages) or [user(TextPart(text="Hi"))], **fields)


def user(*parts: Any) -> Message:
    return Message(role="user", content=list(parts))


def assistant(*parts: Any) -> Message:
    return Message(role="assistant", content=list(parts))


def system(text: str) -> Message:
    return Message(role="system", content=[TextPart(text=text)])


def answer(*parts: Any, **fields: Any) -> DomainResponse:
    return DomainResponse(id="x", choices=[Choice(content=list(parts), **fields)])


def events_of(data: bytes) -> list[dict[str, Any]]:
    """The events' payloads, each checked against the SDK's type and its own `event:` line."""
    events = [parse_event(block) for block in EventSplitter().feed(data)]
    payloads = [json.loads(event.data or b"") for event in events]
    assert [event.name for event in events] == [payload["type"] for payload in payloads]
    for payload in payloads:
        SDK_EVENT.validate_python(payload)
    return payloads


def accumulate(data: bytes) -> dict[str, Any]:
    """What the SDK makes of a stream, after checking that blocks open and close in order."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    open_block, blocks = None, 0
    payloads = events_of(data)
    for payload in payloads:
        if payload["type"] == "content_block_start":
            assert open_block is None
            assert payload["index"] == blocks
            open_block, blocks = payload["index"], blocks + 1
        elif payload["type"].startswith("content_block"):
            assert payload["index"] == open_block
            open_block = None if payload["type"] == "content_block_stop" else open_block
        event = SDK_EVENT.validate_python(payload)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    assert open_block is None
    assert [payloads[0]["type"], *(p["type"] for p in payloads[-2:])] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    collected: dict[str, Any] = snapshot.to_dict(mode="json")
    SdkMessage.model_validate(collected)
    return collected


def stream(*deltas: Any, finish: Any = "stop", **end: Any) -> bytes:
    """One chunk for each delta, then the end."""
    encoder = FORMAT.stream_encoder(OPTIONS)
    chunks = [StreamChunk(deltas=[delta]) for delta in deltas]
    last = StreamChunk(finish=[Finish(reason=finish, **end)] if finish else [], terminal=True)
    return b"".join(encoder.encode(chunk) for chunk in [*chunks, last])


def decoded(*payloads: dict[str, Any]) -> list[StreamChunk]:
    chunks = [FORMAT.decode_event(Event(None, json.dumps(payload).encode())) for payload in payloads]
    return [chunk for chunk in chunks if chunk is not None]


def block_events(index: int, block: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


ANSWER_EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            **ANSWER,
            "content": [],
            "stop_reason": None,
            "usage": {**ANSWER["usage"], "output_tokens": 1},  # type: ignore[dict-item]  # a dict, by its literal
        },
    },
    {"type": "ping"},
    *block_events(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "h"},
        {"type": "thinking_delta", "thinking": "m"},
        {"type": "signature_delta", "signature": "sig"},
    ),
    *block_events(1, {"type": "redacted_thinking", "data": "Eo0B"}),
    *block_events(
        2,
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"query":"x"}'},
    ),
    *block_events(
        3,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": "It "},
        {"type": "citations_delta", "citation": PAGE_CITATION},
        {"type": "text_delta", "text": "is"},
    ),
    *block_events(
        4,
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "get_weather",
            "input": {},
            "caller": {"type": "direct"},
        },
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"city":"Zü'},
        {"type": "input_json_delta", "partial_json": 'rich"}'},
    ),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 30},
    },
    {"type": "message_stop"},
]


# requests, decoded


def test_a_coding_agents_request_comes_back_as_it_was() -> None:
    assert FORMAT.encode_request(FORMAT.decode_request(CODING_AGENT)) == CODING_AGENT


def test_a_request_is_decoded_into_domain_parts() -> None:
    request = FORMAT.decode_request(CODING_AGENT)
    roles = [message.role for message in request.messages]
    assert roles == ["system", "user", "assistant", "user", "system"]
    thinking, redacted, text, native, call = request.messages[2].content
    assert (thinking, redacted) == (
        ReasoningPart(text="", signature="EqQB+sig==", origin="anthropic"),
        ReasoningPart(data="Eo0B", origin="anthropic"),
    )
    assert isinstance(text, TextPart)
    assert text.citations[0].url == "https://example.org/a"
    assert isinstance(native, NativePart)
    assert native.format == "anthropic"
    assert call == ToolCallPart(id="toolu_1", name="get_weather", arguments='{"city":"Zürich"}')
    result, _, _, notes, pdf, found, _ = request.messages[3].content
    assert isinstance(result, ToolResultPart)
    assert result.is_error
    assert len(result.content) == 3
    assert isinstance(notes, TextPart)
    assert notes.text == "Notes\nn"
    assert isinstance(pdf, MediaPart)
    assert (pdf.kind, pdf.filename) == ("file", "a.pdf")
    assert isinstance(found, TextPart)
    assert found.text == "t\ns\nc"
    assert request.reasoning == ReasoningSettings(mode="adaptive", effort="xhigh", visible=True)
    assert request.parallel_tool_calls is False
    assert request.user == "u"
    assert [tool.kind for tool in request.tools] == ["function", "native"]


def test_a_changed_quotation_goes_out_as_the_changed_text() -> None:
    request = FORMAT.decode_request(CODING_AGENT)
    notes = request.messages[3].content[3]
    assert isinstance(notes, TextPart)
    notes.text = "redacted"
    blocks = FORMAT.encode_request(request)["messages"][2]["content"]
    assert blocks[3] == {"type": "text", "text": "redacted"}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"model": 5}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type"),
        ({"system": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}, "system"),
        ({"tools": [{"name": "x", "input_schema": []}]}, "tools.0.input_schema"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {"type": "enabled", "budget_tokens": "much"}}, "thinking.budget_tokens"),
        ({"stop_sequences": [1]}, "stop_sequences.0"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        FORMAT.decode_request({**CODING_AGENT, **change})
    assert caught.value.details == {"param": param, "type": "invalid_request_error"}
    assert caught.value.message.startswith(f"{param}: ")


def test_thinking_without_a_signature_belongs_to_nobody() -> None:
    body = {
        "model": "m",
        "max_tokens": 1,
        "messages": [
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": ""}]},
            {"role": "user", "content": "x"},
        ],
    }
    request = FORMAT.decode_request(body)
    assert request.messages[0].content == [ReasoningPart(text="t")]
    assert FORMAT.encode_request(request)["messages"] == [{"role": "user", "content": "x"}]
    assert request.dropped == ["reasoning"]


@pytest.mark.parametrize(
    "thinking",
    [
        {"type": "disabled"},
        {"type": "between_tools"},
        {"type": "enabled", "budget_tokens": 2048},
        {"type": "new"},
    ],
)
def test_every_thinking_setting_survives(thinking: dict[str, Any]) -> None:
    body = {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "x"}],
        "thinking": thinking,
    }
    assert FORMAT.encode_request(FORMAT.decode_request(body)) == body


# requests, encoded


def test_a_chat_request_becomes_a_valid_messages_request() -> None:
    request = ask(
        system("S"),
        user(TextPart(text="a")),
        user(
            TextPart(text=""),
            MediaPart(kind="image", data=PNG),
            MediaPart(kind="image", url="https://e.org/x.png"),
        ),
        assistant(ToolCallPart(id="call 1", name="f", arguments='{"a": 1}'), TextPart(text="after")),
        user(ToolResultPart(tool_call_id="call 1", content=[TextPart(text="r")], is_error=True)),
        user(TextPart(text="b")),
        tools=[Tool(name="f"), Tool(name="g", parameters={"properties": {}}, strict=False)],
        tool_choice=ToolChoice(mode="required"),
        parallel_tool_calls=False,
        stream=True,
        user="u",
        stop=["END", "\n"],
    )
    body = FORMAT.encode_request(request)
    for message in body["messages"]:
        TypeAdapter(MessageParam).validate_python(message)
    for tool in body["tools"]:
        TypeAdapter(ToolUnionParam).validate_python(tool)
    first, second, third = body["messages"]
    assert [block["type"] for block in first["content"]] == ["text", "image", "image"]
    assert first["content"][1]["source"]["media_type"] == "image/png"
    assert [block["type"] for block in second["content"]] == ["text", "tool_use"]
    assert [block["type"] for block in third["content"]] == ["tool_result", "text"]
    assert second["content"][1]["id"] == third["content"][0]["tool_use_id"] != "call 1"
    assert third["content"][0]["content"] == "r"
    del body["messages"]
    assert body == {
        "model": "m",
        "max_tokens": DEFAULT_MAX_TOKENS,
        "system": "S",
        "tools": [
            {"name": "f", "input_schema": {"type": "object", "properties": {}}},
            {"name": "g", "input_schema": {"type": "object", "properties": {}}},
        ],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
        "stream": True,
    }
    assert request.dropped == ["stop"]


def test_tool_ids_stay_distinct_and_within_the_allowed_characters() -> None:
    calls = [ToolCallPart(id=name, name="f") for name in ("a:b", "a.b", "", "ü", "plain-1_X")]
    blocks = FORMAT.encode_request(ask(assistant(*calls)))["messages"][0]["content"]
    ids = [block["id"] for block in blocks]
    assert len(set(ids)) == 5
    assert ids[-1] == "plain-1_X"
    assert all(name.replace("-", "").replace("_", "").isascii() and ":" not in name for name in ids)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (ToolCallPart(id="a", name="f", arguments=""), {}),
        (ToolCallPart(id="a", name="f", arguments='{"x": {"y": 1}}'), {"x": {"y": 1}}),
        (ToolCallPart(id="a", name="f", arguments='{"x": '), {"input": '{"x": '}),
        (ToolCallPart(id="a", name="f", arguments="[1]"), {"input": "[1]"}),
        (ToolCallPart(id="a", name="f", arguments='{"x":1}', kind="custom"), {"input": '{"x":1}'}),
    ],
)
def test_arguments_become_an_object_whatever_the_model_wrote(part: ToolCallPart, expected: dict[str, Any]) -> None:
    assert FORMAT.encode_request(ask(assistant(part)))["messages"][0]["content"][0]["input"] == expected
    assert FORMAT.encode_response(answer(part), OPTIONS)["content"][0]["input"] == expected


def test_only_anthropics_own_reasoning_goes_back() -> None:
    own = ReasoningPart(text="", signature="s", origin="anthropic")
    redacted = ReasoningPart(data="d", origin="anthropic")
    foreign = ReasoningPart(text="t", signature="s", origin="gemini")
    call = ToolCallPart(id="a", name="f")
    request = ask(assistant(call, own, redacted, foreign))
    blocks = FORMAT.encode_request(request)["messages"][0]["content"]
    assert blocks[:2] == [
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
    ]
    assert [block["type"] for block in blocks[2:]] == ["tool_use"]
    assert request.dropped == ["reasoning", "signature"]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (MediaPart(kind="audio", data="x", media_type="audio/wav"), "messages.0.content.0"),
        (MediaPart(kind="video", url="https://e.org/v"), "messages.0.content.0"),
        (MediaPart(kind="image", url="file:///etc/passwd"), "messages.0.content.0"),
        (MediaPart(kind="image", file_id="file-openai"), "messages.0.content.0"),
        (MediaPart(kind="file", data="UEsDBA==", filename="a.docx"), "messages.0.content.0"),
        (MediaPart(kind="file", data="????", media_type="text/plain"), "messages.0.content.0"),
    ],
)
def test_media_the_api_cannot_take_is_a_400(part: MediaPart, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        FORMAT.encode_request(ask(user(part)))
    assert (caught.value.status_code, caught.value.details["param"]) == (400, param)


def test_documents_become_document_blocks() -> None:
    pdf = MediaPart(kind="file", data="JVBERi0=", filename="a.pdf")
    text = MediaPart(kind="file", data="aGVsbG8=", media_type="text/markdown", filename="a.md")
    message = FORMAT.encode_request(ask(user(pdf, text)))["messages"][0]
    TypeAdapter(MessageParam).validate_python(message)
    assert [block["title"] for block in message["content"]] == ["a.pdf", "a.md"]
    assert message["content"][1]["source"] == {"type": "text", "media_type": "text/plain", "data": "hello"}


def test_what_messages_lacks_is_recorded() -> None:
    request = ask(
        user(TextPart(text="x", extras={"openai": {"odd": 1, "_note": 2}})),
        seed=0,
        presence_penalty=0.5,
        frequency_penalty=0.0,
        logit_bias={"1": 1},
        logprobs=True,
        top_logprobs=2,
        metadata={"a": "b"},
        response_format=ResponseFormat(type="json_object"),
        tools=[Tool(name="web", kind="native", native_format="openai-responses", native={})],
        tool_choice=ToolChoice(mode="auto"),
        extras={"openai": {"service_tier": "flex"}},
    )
    body = FORMAT.encode_request(request)
    assert body.keys() == {"model", "max_tokens", "messages"}
    assert set(request.dropped) == {
        "seed",
        "presence_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "metadata",
        "response_format",
        "tools.web",
        "service_tier",
        "odd",
    }


def test_several_answers_at_once_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="one answer"):
        FORMAT.encode_request(ask(n=2))


@pytest.mark.parametrize(
    ("given_", "sent", "dropped"),
    [
        ({"temperature": 0.2, "top_k": 3}, {"temperature": 0.2, "top_k": 3}, []),
        ({"temperature": 1.5}, {"temperature": 1.0}, ["temperature"]),
        ({"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2}, ["top_p"]),
        ({"temperature": 1, "top_p": 0.9}, {"top_p": 0.9}, []),
        ({"temperature": 0.2, "top_p": 1.0}, {"temperature": 0.2}, []),
        (
            {
                "temperature": 0.2,
                "top_p": 0.9,
                "top_k": 1,
                "reasoning": ReasoningSettings(effort="low"),
            },
            {},
            ["temperature", "top_p", "top_k"],
        ),
        (
            {"temperature": 1, "top_p": 0.97, "reasoning": ReasoningSettings(effort="low")},
            {"top_p": 0.97},
            [],
        ),
    ],
)
def test_sampling_stays_within_what_the_api_allows(
    given_: dict[str, Any], sent: dict[str, Any], dropped: list[str]
) -> None:
    request = ask(**given_)
    body = FORMAT.encode_request(request)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == sent
    assert request.dropped == dropped


@pytest.mark.parametrize(
    ("settings_", "thinking", "effort"),
    [
        (ReasoningSettings(mode="off"), {"type": "disabled"}, None),
        (ReasoningSettings(effort="none"), {"type": "disabled"}, None),
        (ReasoningSettings(effort="minimal"), {"type": "adaptive"}, "low"),
        (ReasoningSettings(effort="high"), {"type": "adaptive"}, "high"),
        (ReasoningSettings(mode="on"), {"type": "adaptive"}, None),
        (ReasoningSettings(budget_tokens=100), {"type": "enabled", "budget_tokens": 1024}, None),
        (
            ReasoningSettings(mode="on", budget_tokens=5000, effort="max"),
            {"type": "enabled", "budget_tokens": 5000},
            "max",
        ),
        (ReasoningSettings(), None, None),
    ],
)
def test_reasoning_settings_follow_the_table(
    settings_: ReasoningSettings, thinking: dict[str, Any] | None, effort: str | None
) -> None:
    body = FORMAT.encode_request(ask(reasoning=settings_))
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort


def test_a_thinking_budget_leaves_room_for_the_answer() -> None:
    thinking = ReasoningSettings(mode="on", budget_tokens=20_000)
    assert FORMAT.encode_request(ask(reasoning=thinking))["max_tokens"] == 20_000 + DEFAULT_MAX_TOKENS
    assert FORMAT.encode_request(ask(reasoning=thinking, max_tokens=500))["max_tokens"] == 20_500
    assert FORMAT.encode_request(ask(reasoning=thinking, max_tokens=30_000))["max_tokens"] == 30_000


def test_a_forced_tool_call_goes_before_thinking() -> None:
    request = ask(
        tools=[Tool(name="f")],
        tool_choice=ToolChoice(mode="tool", name="f"),
        reasoning=ReasoningSettings(effort="high"),
    )
    body = FORMAT.encode_request(request)
    assert body["tool_choice"] == {"type": "tool", "name": "f"}
    assert "thinking" not in body
    assert request.dropped == ["reasoning"]


def test_a_schema_becomes_an_output_format() -> None:
    wanted = ResponseFormat(type="json_schema", name="n", schema=WEATHER_SCHEMA, strict=True)
    body = FORMAT.encode_request(ask(response_format=wanted))
    closed = {**WEATHER_SCHEMA, "additionalProperties": False}
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": closed}}


def test_a_schema_is_put_into_what_anthropic_takes_of_json_schema() -> None:
    inner = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "description": "How many."}}}
    schema = {
        "type": "object",
        "properties": {
            "any": {"oneOf": [inner, {"$ref": "#/$defs/word"}]},
            "list": {"type": "array", "items": inner, "minItems": 2},
        },
        "$defs": {"word": {"type": "string", "maxLength": 9, "format": "word"}},
    }
    request = ask(response_format=ResponseFormat(type="json_schema", schema=schema))
    written = FORMAT.encode_request(request)["output_config"]["format"]["schema"]
    closed = {
        "type": "object",
        "properties": {"n": {"type": "integer", "description": "How many.\n\n{minimum: 1}"}},
        "additionalProperties": False,
    }
    assert written == {
        "type": "object",
        "properties": {
            "any": {"anyOf": [closed, {"$ref": "#/$defs/word"}]},
            "list": {"type": "array", "items": closed, "description": "{minItems: 2}"},
        },
        "$defs": {"word": {"type": "string", "description": "{maxLength: 9, format: word}"}},
        "additionalProperties": False,
    }
    assert request.dropped == []


def test_a_conversation_that_anthropic_holds_is_nobody_elses() -> None:
    """The SDK's tool runner then sends it whole."""
    thread = {"type": "continue", "previous_message_id": "msg_1"}
    body = {"model": "m", "max_tokens": 9, "thread": thread, "messages": [{"role": "user", "content": "And?"}]}
    request = FORMAT.decode_request(body)
    assert request.native_only == ["thread"]
    assert FORMAT.encode_request(request)["thread"] == thread
    told = FORMAT.encode_error(ErrorInfo(message="no", param="thread", status=400), OPTIONS)
    assert told["error"]["details"] == {"error_code": "thread_unsupported_request", "unsupported": []}
    ErrorResponse.model_validate(told)


def test_an_object_of_any_keys_cannot_be_asked_for() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    request = ask(response_format=ResponseFormat(type="json_schema", schema=schema))
    FORMAT.encode_request(request)
    assert request.dropped == ["additionalProperties"]


def test_the_type_that_every_tool_has_is_no_loss() -> None:
    tool = {"type": "custom", "name": "f", "input_schema": {"type": "object"}, "eager_input_streaming": True}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "tools": [tool]}
    request = FORMAT.decode_request(body)
    assert FORMAT.encode_request(request)["tools"] == [tool]
    chat = OpenAIFormat().encode_request(request)
    assert chat["tools"] == [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    assert request.dropped == ["eager_input_streaming"]


def test_custom_tools_are_wrapped_as_one_string() -> None:
    tool = Tool(name="patch", kind="custom", description="d")
    schema = FORMAT.encode_request(ask(tools=[tool]))["tools"][0]["input_schema"]
    assert schema["properties"] == {"input": {"type": "string"}}
    assert schema["required"] == ["input"]


def test_a_chat_clients_later_system_message_becomes_user_text() -> None:
    request = ask(
        system("A"),
        system("B"),
        user(TextPart(text="x")),
        assistant(TextPart(text="y")),
        system("C"),
        user(TextPart(text="z")),
    )
    body = FORMAT.encode_request(request)
    assert [block["text"] for block in body["system"]] == ["A", "B"]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert [block["text"] for block in body["messages"][2]["content"]] == ["C", "z"]
    assert request.dropped == ["messages.role"]


def test_a_lone_system_message_becomes_the_users_turn() -> None:
    body = FORMAT.encode_request(ask(system("Say hi.")))
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": "Say hi."}]


def test_a_prefill_does_not_end_in_white_space() -> None:
    body = FORMAT.encode_request(ask(user(TextPart(text="x")), assistant(TextPart(text="Answer: \n"))))
    assert body["messages"][1]["content"] == "Answer:"


# answers


def test_an_answer_comes_back_as_it_was() -> None:
    SdkMessage.model_validate(ANSWER)
    encoded = FORMAT.encode_response(FORMAT.decode_response(ANSWER), OPTIONS)
    assert encoded == {**ANSWER, "model": "asked/for"}


def test_usage_includes_cached_input_in_the_domain() -> None:
    usage = FORMAT.decode_response(ANSWER).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (115, 30, 12)
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (100, 5)
    assert FORMAT.decode_usage(json.dumps(ANSWER).encode()) == usage
    assert FORMAT.decode_usage(b'{"type":"error"}') is None
    assert FORMAT.decode_usage(b"<html>") is None


@pytest.mark.parametrize(
    ("native", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
    ],
)
def test_every_stop_reason_survives(native: str, finish: str) -> None:
    sequence = "END" if native == "stop_sequence" else None
    body = {**ANSWER, "content": [], "stop_reason": native, "stop_sequence": sequence}
    response = FORMAT.decode_response(body)
    assert response.finish_reason == finish
    encoded = FORMAT.encode_response(response, OPTIONS)
    assert (encoded["stop_reason"], encoded["stop_sequence"]) == (native, sequence)


@pytest.mark.parametrize(("finish", "native"), [("content_filter", None), ("error", "MALFORMED_FUNCTION_CALL")])
def test_a_blocked_or_broken_answer_is_no_plain_stop(finish: Any, native: str | None) -> None:
    encoded = FORMAT.encode_response(answer(finish_reason=finish, native_finish_reason=native), OPTIONS)
    SdkMessage.model_validate(encoded)
    assert (encoded["stop_reason"], encoded["content"]) == ("refusal", [])
    assert (native or "blocked") in encoded["stop_details"]["explanation"]


def test_a_refusals_explanation_is_its_text_and_goes_back_where_it_was() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No malware."}
    body = {**ANSWER, "content": [], "stop_reason": "refusal", "stop_details": details}
    response = FORMAT.decode_response(body)
    assert response.content == [RefusalPart(text="No malware.")]
    assert FORMAT.encode_response(response, OPTIONS) == {**body, "model": "asked/for"}


def test_a_foreign_answer_is_a_valid_message() -> None:
    response = answer(
        ReasoningPart(text="t", signature="foreign", origin="gemini"),
        ReasoningPart(data="secret", origin="openai-responses"),
        TextPart(text="x", citations=[Citation(url="https://e.org", title="E"), Citation(title="no address")]),
        RefusalPart(text="I will not."),
        ToolCallPart(id="", name="f"),
        NativePart(format="gemini", data={}),
        finish_reason="stop",
    )
    encoded = FORMAT.encode_response(response, OPTIONS)
    SdkMessage.model_validate(encoded)
    thinking, redacted, text, refusal, call = encoded["content"]
    assert (thinking["type"], thinking["thinking"], redacted["type"]) == ("thinking", "t", "redacted_thinking")
    assert [*opaque.unseal(thinking["signature"]), *opaque.unseal(redacted["data"])] == [
        ReasoningPart(signature="foreign", origin="gemini"),
        ReasoningPart(data="secret", origin="openai-responses"),
    ]
    assert [(raw["url"], raw["encrypted_index"]) for raw in text["citations"]] == [("https://e.org", "")]
    assert refusal == {"type": "text", "text": "I will not."}
    assert call["id"].startswith("toolu_")
    assert (encoded["stop_reason"], encoded["model"]) == ("tool_use", "asked/for")


def test_a_made_up_citation_is_not_sent_back_to_anthropic() -> None:
    encoded = FORMAT.encode_response(answer(TextPart(text="x", citations=[Citation(url="https://e.org")])), OPTIONS)
    body = {
        "model": "m",
        "max_tokens": 1,
        "messages": [{"role": "assistant", "content": encoded["content"]}],
    }
    request = FORMAT.decode_request(body)
    assert FORMAT.encode_request(request)["messages"] == [{"role": "assistant", "content": "x"}]
    assert request.dropped == ["citations"]


def test_an_error_body_gives_an_error() -> None:
    body = {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
        "request_id": "r",
    }
    error = FORMAT.decode_response(body).error
    assert error == ErrorInfo(message="Overloaded", type="overloaded_error", status=529)
    assert FORMAT.encode_response(DomainResponse(error=error), OPTIONS)["error"] == body["error"]


@pytest.mark.parametrize("body", [{}, {"content": 5}, {"content": [{"type": "text", "text": 1}]}])
def test_an_answer_that_is_no_message_is_the_upstreams_fault(body: dict[str, Any]) -> None:
    with pytest.raises(BackendError):
        FORMAT.decode_response(body)


# errors and models


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"type": "error", "error": {"type": "api_error", "message": "m"}}, "m"),
        ({"error": {"message": "m", "code": 5}}, "m"),
        ({"error": "m"}, "m"),
        ({"message": "m"}, "m"),
        ({"detail": "m"}, "m"),
        ("m", "m"),
        ("<html><head><title>502 Bad\nGateway</title></head></html>", "502 Bad Gateway"),
        ("<html><style>p{}</style><p>m &amp; n</p></html>", "m & n"),
        (None, "the upstream answered with status 502"),
        ([1], "the upstream answered with status 502"),
        ({"error": {}}, "the upstream answered with status 502"),
    ],
)
def test_errors_of_every_shape_have_a_message(body: Any, message: str) -> None:
    error = FORMAT.decode_error(body, 502)
    assert (error.message, error.status) == (message, 502)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
        (None, "api_error"),
    ],
)
def test_error_types_follow_the_status(status: int | None, kind: str) -> None:
    body = FORMAT.encode_error(ErrorInfo(message="m", type="server_error", status=status), OPTIONS)
    assert body == {"type": "error", "error": {"type": kind, "message": "m"}, "request_id": "req_1"}
    if kind != "request_too_large":  # documented, but not among the SDK's types
        ErrorResponse.model_validate(body)


def test_models_are_listed_as_the_sdk_expects() -> None:
    page = FORMAT.encode_models([ModelCard(id="a", backend="b"), ModelCard(id="c", backend="b")], {})
    assert [ModelInfo.model_validate(row).id for row in page["data"]] == ["a", "c"]
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("a", "c", False)
    assert FORMAT.encode_models([], {})["first_id"] is None


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        ({"limit": "2"}, "ab", True),
        ({"limit": "2", "after_id": "b"}, "cd", True),
        ({"limit": "2", "after_id": "d"}, "e", False),
        ({"limit": "2", "before_id": "d"}, "bc", True),
        ({"limit": "5", "before_id": "c"}, "ab", False),
    ],
)
def test_models_come_in_pages(query: dict[str, str], ids: str, more: bool) -> None:
    page = FORMAT.encode_models([ModelCard(id=name, backend="b") for name in "abcde"], query)
    assert ("".join(row["id"] for row in page["data"]), page["has_more"]) == (ids, more)
    assert (page["first_id"], page["last_id"]) == (ids[0], ids[-1])


@pytest.mark.parametrize(("name", "value"), [("limit", "0"), ("limit", "x"), ("after_id", "z"), ("before_id", "")])
def test_a_page_that_is_not_there_is_the_clients_mistake(name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        FORMAT.encode_models([ModelCard(id="a", backend="b")], {name: value})


# streams


def test_a_stream_tells_the_same_as_the_whole_answer() -> None:
    encoder = FORMAT.stream_encoder(OPTIONS)
    collected = accumulate(b"".join(encoder.encode(chunk) for chunk in decoded(*ANSWER_EVENTS)))
    whole = FORMAT.encode_response(FORMAT.decode_response(ANSWER), OPTIONS)
    assert collected == {**whole, "stop_details": None}
    assert encoder.dropped == []


def test_events_that_say_nothing_give_nothing() -> None:
    quiet: list[dict[str, Any]] = [
        {"type": "ping"},
        {"type": "content_block_stop", "index": 0},
        {"type": "tomorrow"},
        {},
    ]
    assert decoded(*quiet) == []


def test_an_error_event_carries_the_status_it_stands_for() -> None:
    (chunk,) = decoded({"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}})
    assert chunk.error == ErrorInfo(message="slow", type="rate_limit_error", status=429)
    encoder = FORMAT.stream_encoder(OPTIONS)
    data = encoder.encode(StreamChunk(deltas=[TextDelta(text="x")])) + encoder.encode(chunk)
    last = parse_event(EventSplitter().feed(data)[-1])
    assert last.name == "error"
    assert json.loads(last.data or b"")["error"] == {"type": "rate_limit_error", "message": "slow"}
    assert encoder.encode(StreamChunk(terminal=True)) == b""


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "message_start"},
        {"type": []},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 5}, "index": 0},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use"}},
    ],
)
def test_a_malformed_event_is_the_upstreams_fault(payload: dict[str, Any]) -> None:
    with pytest.raises(BackendError):
        FORMAT.decode_payload(payload)


def test_every_event_that_ends_fails_or_counts_bears_a_mark() -> None:
    for payload in ANSWER_EVENTS:
        data = json.dumps(payload).encode()
        marked = any(mark in data for mark in FORMAT.stream_marks)
        assert marked == payload["type"].startswith("message_")
    assert any(mark in b'{"type":"error","error":{}}' for mark in FORMAT.stream_marks)


def test_a_stream_without_content_is_valid() -> None:
    collected = accumulate(stream(finish=None))
    assert (collected["content"], collected["stop_reason"]) == ([], "end_turn")
    encoder = FORMAT.stream_encoder(OPTIONS)
    assert encoder.encode(StreamChunk()).startswith(b"event: message_start\n")


def test_the_stop_reason_is_derived_where_the_upstream_forgot_it() -> None:
    call = ToolCallDelta(index=0, id="a", name="f", arguments="{}")
    assert accumulate(stream(call))["stop_reason"] == "tool_use"
    assert accumulate(stream(call, finish=None))["stop_reason"] == "tool_use"
    assert accumulate(stream(call, finish="length"))["stop_reason"] == "max_tokens"


def test_interleaved_calls_come_out_one_after_the_other() -> None:
    data = stream(
        TextDelta(text="Both."),
        ToolCallDelta(index=0, id="a", name="f"),
        ToolCallDelta(index=1, id="b", name="g"),
        ToolCallDelta(index=0, arguments='{"x":'),
        ToolCallDelta(index=1, arguments='{"y":'),
        TextDelta(text=" And more."),
        ToolCallDelta(index=0, arguments="1}"),
        ToolCallDelta(index=1, arguments="2}"),
        ToolCallDelta(index=7, arguments="nobody opened me"),
    )
    text, first, second, more = accumulate(data)["content"]
    assert (text["text"], more["text"]) == ("Both.", " And more.")
    assert [(call["id"], call["name"], call["input"]) for call in (first, second)] == [
        ("a", "f", {"x": 1}),
        ("b", "g", {"y": 2}),
    ]


def test_a_call_is_sent_as_soon_as_the_one_before_it_is_whole() -> None:
    encoder = FORMAT.stream_encoder(OPTIONS)
    encoder.encode(StreamChunk(deltas=[ToolCallDelta(index=0, id="a", name="f", arguments="{}")]))
    assert b'"name":"g"' in encoder.encode(StreamChunk(deltas=[ToolCallDelta(index=1, id="b", name="g")]))


def test_missing_tool_ids_are_minted_and_free_text_is_wrapped() -> None:
    custom = [
        ToolCallDelta(index=0, name="patch", arguments='*** "Be', kind="custom"),
        ToolCallDelta(index=0, arguments="gin\n"),
    ]
    (call,) = accumulate(stream(*custom))["content"]
    assert call["id"].startswith("toolu_")
    assert call["input"] == {"input": '*** "Begin\n'}


def test_anthropics_signatures_stay_and_others_are_sealed() -> None:
    data = stream(
        ReasoningDelta(text="a"),
        ReasoningDelta(signature="s", origin="anthropic"),
        ReasoningDelta(signature="empty text", origin="anthropic"),
        ReasoningDelta(data="d", origin="anthropic"),
        ReasoningDelta(text="b", signature="foreign", origin="gemini"),
        ReasoningDelta(data="foreign", origin="openai-responses"),
        TextDelta(text="x"),
    )
    gemini, responses = (
        opaque.seal(ReasoningPart(signature="foreign", origin="gemini")),
        opaque.seal(ReasoningPart(data="foreign", origin="openai-responses")),
    )
    assert accumulate(data)["content"] == [
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "thinking", "thinking": "", "signature": "empty text"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "b", "signature": gemini},
        {"type": "redacted_thinking", "data": responses},
        {"type": "text", "text": "x"},
    ]


def test_block_numbers_keep_neighbours_apart() -> None:
    data = stream(
        TextDelta(text="a", block=0),
        CitationDelta(citation=Citation(url="https://e.org"), block=0),
        TextDelta(text="b", block=1),
        TextDelta(text="b", block=1),
        RefusalDelta(text="no", block=1),
    )
    assert [block["text"] for block in accumulate(data)["content"]] == ["a", "bb", "no"]


def test_a_streamed_refusal_keeps_its_details() -> None:
    details = {"type": "refusal", "category": None, "explanation": "Because."}
    (chunk,) = decoded(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details},
            "usage": {"output_tokens": 3},
        }
    )
    assert chunk.deltas == [RefusalDelta(text="Because.")]
    encoder = FORMAT.stream_encoder(OPTIONS)
    collected = accumulate(encoder.encode(chunk) + encoder.encode(StreamChunk(terminal=True)))
    assert (collected["content"], collected["stop_details"]) == ([], details)


def test_the_full_usage_comes_at_the_end_whenever_it_was_known() -> None:
    encoder = FORMAT.stream_encoder(OPTIONS)
    chunks = [
        StreamChunk(id="chatcmpl-1", deltas=[TextDelta(text="x")]),
        StreamChunk(finish=[Finish(reason="stop")]),
        StreamChunk(usage=Usage(input_tokens=50, output_tokens=7, cache_read_tokens=40, reasoning_tokens=2)),
        StreamChunk(terminal=True),
    ]
    collected = accumulate(b"".join(encoder.encode(chunk) for chunk in chunks))
    assert collected["id"] == "chatcmpl-1"
    assert collected["usage"] == {
        "input_tokens": 10,
        "output_tokens": 7,
        "cache_read_input_tokens": 40,
        "cache_creation_input_tokens": 0,
        "output_tokens_details": {"thinking_tokens": 2},
    }


# beside Chat Completions

CHAT = OpenAIFormat()
CHAT_CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
    {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": ""}},
]
CHAT_USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 60}}


def chat_chunk(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "chatcmpl-1", "choices": [choice], **fields}).encode()


def chat_completion(events: list[dict[str, Any]]) -> dict[str, Any]:
    """What the OpenAI SDK makes of these Messages events, translated."""
    encoder, state = CHAT.stream_encoder(OPTIONS), ChatCompletionStreamState()
    data = b"".join(encoder.encode(chunk) for chunk in decoded(*events))
    for block in EventSplitter().feed(data):
        if (payload := parse_event(block).data) and payload != b"[DONE]":
            state.handle_chunk(ChatCompletionChunk.model_validate_json(payload))
    return state.get_final_completion().model_dump(exclude_none=True)


def test_a_chat_stream_tells_the_same_as_the_chat_answer() -> None:
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "tool_calls": CHAT_CALLS}
    body = {
        "id": "chatcmpl-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": CHAT_USAGE,
    }
    calls = [{**call, "index": index} for index, call in enumerate(CHAT_CALLS)]
    pieces: list[dict[str, Any]] = [
        *({"reasoning_content": piece} for piece in "hm"),
        *({"content": piece} for piece in "Hi"),
        *({"tool_calls": [call]} for call in calls),
    ]
    events = [*map(chat_chunk, pieces), chat_chunk({}, "stop"), chat_chunk({}, usage=CHAT_USAGE), b"[DONE]"]
    encoder = FORMAT.stream_encoder(OPTIONS)
    chunks = [chunk for data in events if (chunk := CHAT.decode_event(Event(None, data))) is not None]
    collected = accumulate(b"".join(encoder.encode(chunk) for chunk in chunks))
    whole = FORMAT.encode_response(CHAT.decode_response(body), OPTIONS)
    assert collected == {**whole, "stop_details": None}
    assert whole["usage"]["input_tokens"] == 40


@pytest.mark.parametrize("streamed", [False, True])
def test_signed_thinking_comes_back_through_a_chat_client(streamed: bool) -> None:
    whole = CHAT.encode_response(FORMAT.decode_response(ANSWER), OPTIONS)
    events = [event for event in ANSWER_EVENTS if event.get("index") != 2]
    message = (chat_completion(events) if streamed else whole)["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "sunny"}
    turn = {"model": "m", "messages": [{"role": "user", "content": "Weather?"}, message, result]}
    blocks = FORMAT.encode_request(CHAT.decode_request(turn))["messages"][1]["content"]
    assert blocks[:2] == ANSWER["content"][:2]  # type: ignore[index]  # a list, by its literal
    assert [block["type"] for block in blocks[2:]] == ["text", "tool_use"]


# anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
DELTAS = st.one_of(
    st.builds(TextDelta, text=st.text(max_size=3), block=st.none() | st.integers(0, 2)),
    st.builds(RefusalDelta, text=st.text(max_size=3), block=st.none() | st.integers(0, 2)),
    st.builds(
        ReasoningDelta,
        text=st.text(max_size=3),
        signature=st.none() | st.just("s"),
        data=st.none() | st.just("d"),
        origin=st.none() | st.sampled_from(["anthropic", "gemini"]),
    ),
    st.builds(
        ToolCallDelta,
        index=st.integers(0, 2),
        id=st.none() | st.just("i"),
        name=st.none() | st.just("f"),
        arguments=st.sampled_from(["", "{", '"a":1', "}", "{}"]),
    ),
    st.builds(CitationDelta, citation=st.builds(Citation, url=st.none() | st.just("u"))),
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in items for path in paths(item, (*at, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def mutants(valid: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """`valid` with one value, wherever it stands, replaced by any JSON."""
    places = [path for path in paths(valid) if path]
    return st.builds(replaced, st.just(valid), st.sampled_from(places), JSON)


@given(mutants(CODING_AGENT) | st.dictionaries(st.text(max_size=5), JSON))
@settings(max_examples=120, deadline=None)
def test_any_json_is_a_request_or_an_invalid_request(body: dict[str, Any]) -> None:
    try:
        request = FORMAT.decode_request(body)
        json.dumps(FORMAT.encode_request(request))
        request.source_format = "openai"
        json.dumps(FORMAT.encode_request(request))
    except InvalidRequestError as error:
        param = error.details["param"]
    else:
        param = "none"
    assert param


@given(mutants(ANSWER) | st.dictionaries(st.text(max_size=5), JSON))
@settings(max_examples=120, deadline=None)
def test_any_json_is_an_answer_or_the_upstreams_fault(body: dict[str, Any]) -> None:
    try:
        response = FORMAT.decode_response(body)
    except BackendError:
        return
    json.dumps(FORMAT.encode_response(response, OPTIONS))


@given(st.sampled_from(ANSWER_EVENTS).flatmap(mutants))
@settings(max_examples=120, deadline=None)
def test_any_event_is_understood_or_the_upstreams_fault(payload: dict[str, Any]) -> None:
    try:
        chunk = FORMAT.decode_payload(payload)
    except BackendError:
        return
    encoder = FORMAT.stream_encoder(OPTIONS)
    if chunk is not None:
        encoder.encode(chunk)
    encoder.encode(StreamChunk(terminal=True))


@given(JSON, st.integers(400, 599))
@settings(max_examples=100, deadline=None)
def test_any_body_is_an_error(body: Any, status: int) -> None:
    json.dumps(FORMAT.encode_error(FORMAT.decode_error(body, status), OPTIONS))


@given(st.lists(DELTAS, max_size=12))
@settings(max_examples=120, deadline=None)
def test_any_deltas_give_a_stream_the_sdk_accepts(deltas: list[Any]) -> None:
    data = stream(*deltas)
    events = events_of(data)
    opened = [event["index"] for event in events if event["type"] == "content_block_start"]
    assert opened == list(range(len(opened)))
    texts = [e["delta"]["text"] for e in events if e.get("delta", {}).get("type") == "text_delta"]
    said = [delta.text for delta in deltas if isinstance(delta, TextDelta | RefusalDelta)]
    assert "".join(texts) == "".join(said)
    names = [e["content_block"].get("name") for e in events if e["type"] == "content_block_start"]
    assert names.count("f") == openings([delta for delta in deltas if isinstance(delta, ToolCallDelta)])


def openings(deltas: list[ToolCallDelta]) -> int:
    """How many calls the pieces open."""
    count, known = 0, dict[int, str | None]()
    for delta in deltas:
        if delta.name and (delta.index not in known or delta.begins_another(known[delta.index])):
            count += 1
            known[delta.index] = delta.id
    return count


@pytest.mark.parametrize("arguments", ['{"a": 1}', ""], ids=["whole", "none"])
def test_an_index_used_again_is_another_call(arguments: str) -> None:
    calls = [
        piece
        for name in ("call_a", "call_b")
        for piece in (ToolCallDelta(index=0, id=name, name="f"), ToolCallDelta(index=0, arguments=arguments))
    ]
    events = events_of(stream(*calls))
    blocks = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["id"] for block in blocks] == ["call_a", "call_b"]
    pieces = [(e["index"], e["delta"]["partial_json"]) for e in events if "partial_json" in e.get("delta", {})]
    assert pieces == ([(0, arguments), (1, arguments)] if arguments else [])
