"""Chat Completions: what we emit is what the official SDK reads, and what we read is what twenty providers send."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import openai
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from openai.types.chat.completion_create_params import CompletionCreateParams
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
from proxy_core.domain.request import DomainRequest, Message, ReasoningSettings, Tool, ToolChoice
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
from proxy_core.errors import InvalidRequestError
from proxy_core.formats.anthropic import AnthropicFormat
from proxy_core.formats.base import RenderOptions
from proxy_core.formats.openai import Dialect, OpenAIFormat
from proxy_core.formats.sse import Event, EventSplitter, parse_event
from tests.fault_upstream import openai as upstream
from tests.fault_upstream.oddities import made_odd
from tests.fault_upstream.reply import Reply, Text, Thinking, ToolUse
from tests.fault_upstream.reply import Usage as Counts

FORMAT = OpenAIFormat()
OPTIONS = RenderOptions(model="the-model-asked-for")
ODD_TEXT = 'naïve ☕ 👩‍🚀 \u2028\u0085 \x00 "quoted" \\ end'
PNG = base64.b64encode(b"\x89PNG picture").decode()

CHUNK = TypeAdapter(ChatCompletionChunk)
COMPLETION = TypeAdapter(ChatCompletion)
MESSAGE = TypeAdapter(ChatCompletionMessageParam)
PARAMS = TypeAdapter(CompletionCreateParams)


# Helpers


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt", "messages": [{"role": "user", "content": "hi"}], **fields}


def conversation(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return body(messages=list(messages), **fields)


def there_and_back(request: dict[str, Any]) -> dict[str, Any]:
    return FORMAT.encode_request(FORMAT.decode_request(request))


def from_elsewhere(*messages: Message, **fields: Any) -> DomainRequest:
    return DomainRequest(model="gpt", messages=list(messages), source_format="anthropic", **fields)


def encoded(request: DomainRequest) -> dict[str, Any]:
    written = FORMAT.encode_request(request)
    PARAMS.validate_python(written)
    for message in written["messages"]:
        MESSAGE.validate_python(message)
    return json.loads(json.dumps(written))


def answer(message: dict[str, Any], finish: str | None = "stop", **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [choice],
        **fields,
    }


def rendered(*content: Any, finish: Any = "stop", **fields: Any) -> dict[str, Any]:
    response = DomainResponse(choices=[Choice(content=list(content), finish_reason=finish, **fields)])
    written = FORMAT.encode_response(response, OPTIONS)
    COMPLETION.validate_python(written)
    return written


def payloads(data: bytes) -> list[dict[str, Any]]:
    assert data.endswith(b"\n\n")
    events = [parse_event(block).data or b"" for block in EventSplitter().feed(data)]
    return [json.loads(event) for event in events if event != b"[DONE]"]


def streamed(*chunks: StreamChunk, options: RenderOptions = OPTIONS) -> bytes:
    encoder = FORMAT.stream_encoder(options)
    data = b"".join(encoder.encode(chunk) for chunk in [*chunks, StreamChunk(terminal=True)])
    assert data.endswith(b"data: [DONE]\n\n")
    assert encoder.encode(StreamChunk(deltas=[TextDelta(text="late")])) == b""
    return data


def accumulated(data: bytes) -> dict[str, Any]:
    """What the official SDK makes of a stream."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for payload in payloads(data):
        state.handle_chunk(CHUNK.validate_python(payload))
    return state.current_completion_snapshot.model_dump(exclude_none=True)


def message_of(completion: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = completion["choices"][0]["message"]
    for detail in message.get("tool_calls") or []:
        detail.pop("index", None)
        detail.get("function", {}).pop("parsed_arguments", None)
    message.pop("parsed", None)
    return {name: value for name, value in message.items() if value is not None}


def decoded(*events: dict[str, Any]) -> list[StreamChunk]:
    return [chunk for event in events if (chunk := FORMAT.decode_payload(event))]


def delta(delta: dict[str, Any], finish: str | None = None, **choice: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}],
    }


def through(*events: dict[str, Any], options: RenderOptions = OPTIONS) -> dict[str, Any]:
    return accumulated(streamed(*decoded(*events), options=options))


# Requests in


def test_system_developer_and_user_messages_keep_their_roles() -> None:
    request = conversation(
        {"role": "system", "content": "be kind"},
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": "hi", "name": "ann"},
    )
    domain = FORMAT.decode_request(request)
    assert [message.role for message in domain.messages] == ["system", "system", "user"]
    assert domain.messages[2].name == "ann"
    assert FORMAT.encode_request(domain) == request


def test_content_parts_become_text_media_and_back() -> None:
    parts = [
        {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PNG}", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
        {"type": "hologram", "depth": 3},
    ]
    domain = FORMAT.decode_request(conversation({"role": "user", "content": parts}))
    text, picture, link, sound, document, uploaded, film, unknown = domain.messages[0].content
    assert text == TextPart(text="look", extras={"openai": {"cache_control": {"type": "ephemeral"}}})
    assert picture == MediaPart(kind="image", media_type="image/png", data=PNG, detail="low")
    assert link == MediaPart(kind="image", url="https://example.com/a.png")
    assert isinstance(sound, MediaPart)
    assert sound.media_type == "audio/mpeg"
    assert document == MediaPart(kind="file", media_type="application/pdf", data=PNG, filename="a.pdf")
    assert uploaded == MediaPart(kind="file", file_id="file-1")
    assert isinstance(film, MediaPart)
    assert film.kind == "video"
    assert unknown == NativePart(format="openai", data={"type": "hologram", "depth": 3})
    assert FORMAT.encode_request(domain)["messages"][0]["content"] == parts


def test_percent_encoded_data_url_becomes_base64() -> None:
    part = {"type": "image_url", "image_url": "data:image/svg+xml,%3Csvg%2F%3E"}
    domain = FORMAT.decode_request(conversation({"role": "user", "content": [part]}))
    [media] = domain.messages[0].content
    assert isinstance(media, MediaPart)
    assert base64.b64decode(media.data or "") == b"<svg/>"


def test_tool_calls_and_results_survive() -> None:
    request = conversation(
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "w", "arguments": '{"a": 1}'}},
                {"id": "call_2", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "a b"}]},
    )
    domain = FORMAT.decode_request(request)
    assert domain.messages[1].content == [
        ToolCallPart(id="call_1", name="w", arguments='{"a": 1}'),
        ToolCallPart(id="call_2", name="sh", arguments="ls", kind="custom"),
    ]
    assert domain.messages[2] == Message(
        role="user", content=[ToolResultPart(tool_call_id="call_1", content=[TextPart(text="sunny")])]
    )
    request["messages"][3]["content"] = "a b"
    assert FORMAT.encode_request(domain) == request


def test_legacy_functions_come_back_as_they_were() -> None:
    request = conversation(
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "function_call": {"name": "w", "arguments": "{}"}},
        {"role": "function", "name": "w", "content": "sunny"},
        functions=[{"name": "w", "parameters": {"type": "object"}}],
        function_call={"name": "w"},
    )
    domain = FORMAT.decode_request(request)
    [call], [result] = domain.messages[1].content, domain.messages[2].content
    assert isinstance(call, ToolCallPart)
    assert isinstance(result, ToolResultPart)
    assert call.id == result.tool_call_id
    assert domain.tools[0].name == "w"
    assert domain.tool_choice == ToolChoice(mode="tool", name="w")
    assert FORMAT.encode_request(domain) == request


def test_tools_of_every_kind_survive() -> None:
    tools = [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "d",
                "parameters": {"type": "object"},
                "strict": True,
                "x": 1,
            },
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
        {"type": "web_search", "size": "big"},
    ]
    domain = FORMAT.decode_request(body(tools=tools))
    assert [tool.kind for tool in domain.tools] == ["function", "custom", "native"]
    assert FORMAT.encode_request(domain)["tools"] == tools


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice(mode="auto")),
        ("none", ToolChoice(mode="none")),
        ("required", ToolChoice(mode="required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(mode="tool", name="f")),
        ({"type": "custom", "custom": {"name": "c"}}, ToolChoice(mode="tool", name="c", kind="custom")),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "f"}}],
                },
            },
            ToolChoice(mode="required", allowed=["f"]),
        ),
        ({"type": "web_search_preview"}, None),
    ],
)
def test_tool_choice_survives(choice: Any, expected: ToolChoice | None) -> None:
    request = body(tools=[{"type": "function", "function": {"name": "f"}}], tool_choice=choice)
    assert FORMAT.decode_request(request).tool_choice == expected
    assert there_and_back(request)["tool_choice"] == choice


def test_everything_else_in_a_request_survives() -> None:
    request = body(
        max_completion_tokens=10,
        temperature=0.5,
        top_p=1,
        top_k=4,
        seed=3,
        presence_penalty=0.1,
        frequency_penalty=-0.1,
        logit_bias={"5": -100},
        logprobs=True,
        top_logprobs=2,
        n=2,
        stop=["a", "b", "c", "d", "e"],
        reasoning_effort="high",
        response_format={"type": "json_schema", "json_schema": {"name": "r", "schema": {}, "strict": True}},
        parallel_tool_calls=False,
        user="u",
        metadata={"k": "v"},
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        service_tier="flex",
        verbosity="low",
        prediction={"type": "content", "content": "x"},
        a_field_of_next_year={"deep": [1]},
    )
    domain = FORMAT.decode_request(request)
    assert domain.include_usage
    assert domain.max_tokens == 10
    assert domain.extras["openai"]["a_field_of_next_year"] == {"deep": [1]}
    assert FORMAT.encode_request(domain) == request
    assert domain.dropped == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_effort": "none"}, ReasoningSettings(mode="off")),
        ({"reasoning_effort": "xhigh"}, ReasoningSettings(mode="on", effort="xhigh")),
        ({"reasoning": {"max_tokens": 2000}}, ReasoningSettings(mode="on", budget_tokens=2000)),
        ({"reasoning": {"enabled": False}}, ReasoningSettings(mode="off")),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9}},
            ReasoningSettings(mode="on", budget_tokens=9),
        ),
        ({"reasoning_effort": "default"}, ReasoningSettings(mode="on")),
    ],
)
def test_every_way_to_ask_for_thinking_is_understood(fields: Any, expected: ReasoningSettings) -> None:
    reasoning = FORMAT.decode_request(body(**fields)).reasoning
    assert reasoning is not None
    reasoning.extras = {}
    assert reasoning == expected
    assert there_and_back(body(**fields)) == body(**fields)


def test_unknown_message_fields_come_back() -> None:
    request = conversation({"role": "assistant", "content": "half", "prefix": True, "audio": {"id": "a"}})
    assert there_and_back(request) == request


def test_reasoning_that_a_chat_client_sends_goes_back_the_way_it_came() -> None:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "fault-v1", "index": 0},
        {"type": "reasoning.summary", "summary": "short", "format": "fault-v1", "index": 1},
        {"type": "reasoning.encrypted", "data": "gibberish", "format": "fault-v1", "id": "rs_1", "index": 2},
    ]
    request = conversation(
        {"role": "assistant", "content": "a", "reasoning": "hmshort", "reasoning_details": details},
        {"role": "assistant", "content": "b", "reasoning_content": "plain"},
    )
    domain = FORMAT.decode_request(request)
    first = domain.messages[0].content
    assert [part.origin for part in first if isinstance(part, ReasoningPart)] == ["openai"] * 3
    assert domain.messages[1].content[0] == ReasoningPart(text="plain")
    assert FORMAT.encode_request(domain) == request


def test_our_format_tags_tell_whose_reasoning_it_is() -> None:
    detail = {
        "type": "reasoning.text",
        "text": "hm",
        "signature": "s",
        "format": "anthropic-claude-v1",
        "index": 0,
    }
    domain = FORMAT.decode_request(conversation({"role": "assistant", "content": "a", "reasoning_details": [detail]}))
    assert domain.messages[0].content[0] == ReasoningPart(text="hm", signature="s", origin="anthropic")
    written = FORMAT.encode_request(domain)
    assert "reasoning_details" not in written["messages"][0]
    assert domain.dropped == ["reasoning", "signature"]


def test_stream_pieces_of_one_thought_are_joined() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "h", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.text", "text": "m", "index": 0},
        {"type": "reasoning.text", "signature": "s", "index": 0},
        {"type": "reasoning.text", "text": "next", "index": 0},
    ]
    domain = FORMAT.decode_request(conversation({"role": "assistant", "content": "a", "reasoning_details": pieces}))
    first, second, _ = domain.messages[0].content
    assert isinstance(first, ReasoningPart)
    assert (first.text, first.signature) == ("hm", "s")
    assert isinstance(second, ReasoningPart)
    assert second.text == "next"


@pytest.mark.parametrize(
    ("request_body", "param", "code"),
    [
        ({"model": "m", "messages": []}, "messages", "empty_array"),
        ({"model": "m"}, "messages", "missing_required_parameter"),
        (body(model=3), "model", "invalid_type"),
        (body(model=None), "model", "missing_required_parameter"),
        (body(stream="yes"), "stream", "invalid_type"),
        (body(temperature=True), "temperature", "invalid_type"),
        (body(stop=[1]), "stop[0]", "invalid_type"),
        (body(logit_bias={"1": "x"}), "logit_bias.1", "invalid_type"),
        (body(tools=[{"type": "function"}]), "tools[0].function", "missing_required_parameter"),
        (body(tool_choice="perhaps"), "tool_choice", "invalid_value"),
        (conversation({"content": "x"}), "messages[0].role", "missing_required_parameter"),
        (conversation({"role": "robot", "content": "x"}), "messages[0].role", "invalid_value"),
        (conversation({"role": "user"}), "messages[0].content", "missing_required_parameter"),
        (conversation({"role": "user", "content": 5}), "messages[0].content", "invalid_type"),
        (
            conversation({"role": "user", "content": [{"type": "text", "text": 5}]}),
            "messages[0].content[0].text",
            "invalid_type",
        ),
        (
            conversation({"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]}),
            "messages[0].tool_calls[0].function.name",
            "missing_required_parameter",
        ),
    ],
)
def test_a_wrong_field_is_named(request_body: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        FORMAT.decode_request(request_body)
    assert caught.value.details == {"param": param, "type": "invalid_request_error"}
    assert caught.value.code == code
    assert param in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PART = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "image_url", "input_audio", "file", "refusal", "x"]) | JSON,
        "text": JSON,
        "image_url": JSON,
        "file": JSON | st.fixed_dictionaries({}, optional={"file_data": JSON, "file_id": JSON}),
        "input_audio": JSON,
    },
)
CALL = st.fixed_dictionaries({}, optional={"id": JSON, "type": JSON, "function": JSON, "custom": JSON})
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"]) | JSON},
    optional={
        "content": st.lists(PART | JSON, max_size=2) | JSON,
        "tool_calls": st.lists(CALL, max_size=2) | JSON,
        "function_call": JSON,
        "tool_call_id": JSON,
        "reasoning_details": st.lists(PART | JSON, max_size=2) | JSON,
        "name": JSON,
    },
)
LOOSE_FIELDS = [
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "stop",
    "max_tokens",
    "stream",
    "stream_options",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "response_format",
    "metadata",
    "logit_bias",
    "user",
]
BODY = st.fixed_dictionaries(
    {"model": st.just("m") | JSON, "messages": st.lists(MESSAGES | JSON, max_size=3) | JSON},
    optional=dict.fromkeys(LOOSE_FIELDS, JSON),
)


def decoded_unless_refused(request_body: dict[str, Any]) -> DomainRequest | None:
    try:
        return FORMAT.decode_request(request_body)
    except InvalidRequestError as error:
        if not error.details["param"]:
            raise
        return None


@settings(max_examples=300, deadline=None)
@given(BODY | st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_any_json_is_a_request_or_a_clear_error(request_body: dict[str, Any]) -> None:
    domain = decoded_unless_refused(request_body)
    if domain is None:
        return
    written = FORMAT.encode_request(domain)
    orjson.dumps(written, option=orjson.OPT_NON_STR_KEYS) if _fits_orjson(written) else json.dumps(written)
    domain.source_format = "elsewhere"
    FORMAT.encode_request(domain)
    assert FORMAT.decode_request(written) is not None


def _fits_orjson(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=4), st.text(), st.text())
def test_conversations_survive_the_domain(texts: list[str], arguments: str, result: str) -> None:
    request = conversation(
        *({"role": "user", "content": text} for text in texts),
        {
            "role": "assistant",
            "content": texts[0],
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": result},
    )
    domain = FORMAT.decode_request(request)
    assert FORMAT.encode_request(domain) == request
    assert FORMAT.encode_request(DomainRequest.model_validate(domain.model_dump())) == request


# Requests out


def test_tool_results_come_before_the_rest_of_the_turn() -> None:
    request = from_elsewhere(
        Message(role="assistant", content=[ToolCallPart(id="a", name="f"), ToolCallPart(id="b", name="f")]),
        Message(
            role="user",
            content=[
                TextPart(text="and?"),
                ToolResultPart(tool_call_id="a", content=[TextPart(text="no such file")], is_error=True),
                ToolResultPart(tool_call_id="b"),
                ToolResultPart(tool_call_id="c", content=[TextPart(text="")]),
            ],
        ),
    )
    assert encoded(request)["messages"][1:] == [
        {"role": "tool", "tool_call_id": "a", "content": "Error: no such file"},
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {"role": "user", "content": "and?"},
    ]


def test_media_in_a_tool_result_moves_to_the_users_message() -> None:
    image = MediaPart(kind="image", media_type="image/png", data=PNG)
    request = from_elsewhere(
        Message(role="user", content=[ToolResultPart(tool_call_id="a", content=[image]), TextPart(text="see")])
    )
    tool, user = encoded(request)["messages"]
    assert tool["role"] == "tool"
    assert tool["content"]
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "text"]
    assert user["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert request.dropped == ["tool_result.media"]


@pytest.mark.parametrize(
    ("allowed", "choice"),
    [
        (["f", "web_search"], {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}),
        (["web_search"], None),
    ],
)
def test_a_choice_names_no_tool_that_is_not_there(allowed: list[str], choice: dict[str, Any] | None) -> None:
    request = from_elsewhere(
        Message(role="user", content=[TextPart(text="hi")]),
        tools=[Tool(name="f"), Tool(name="web_search", kind="native", native_format="openai-responses", native={})],
        tool_choice=ToolChoice(mode="auto", allowed=allowed),
    )
    written = encoded(request)["tool_choice"]
    assert written == ({"type": "allowed_tools", "allowed_tools": choice} if choice else "none")
    assert request.dropped == ["tools.web_search", "tool_choice.allowed_tools"]


def test_text_as_the_only_modality_is_no_loss() -> None:
    asked = FORMAT.decode_request(
        {"model": "m", "messages": [{"role": "user", "content": "hi"}], "modalities": ["text"]}
    )
    assert FORMAT.encode_request(asked)["modalities"] == ["text"]
    AnthropicFormat().encode_request(asked)
    assert asked.dropped == []


def test_metadata_of_other_clients_stay_behind_for_nothing_is_stored() -> None:
    request = from_elsewhere(Message(role="user", content=[TextPart(text="hi")]), metadata={"run": "7"})
    assert "metadata" not in encoded(request)
    assert request.dropped == ["metadata"]


def test_what_chat_cannot_say_is_recorded() -> None:
    request = from_elsewhere(
        Message(
            role="system",
            content=[
                TextPart(text="a", extras={"anthropic": {"cache_control": {"type": "ephemeral"}}}),
                TextPart(text="b"),
            ],
        ),
        Message(role="user", content=[TextPart(text="hi")]),
        Message(
            role="assistant",
            content=[
                ReasoningPart(text="secret", signature="s", origin="anthropic"),
                NativePart(format="anthropic", data={"type": "server_tool_use", "id": "x"}),
                TextPart(text="one "),
                TextPart(text="two"),
            ],
        ),
        tools=[Tool(name="web_search", kind="native", native_format="anthropic", native={})],
        tool_choice=ToolChoice(mode="auto"),
        top_k=5,
        stop=["1", "2", "3", "4", "5"],
        extras={"anthropic": {"context_management": {}, "_note": 1}},
    )
    written = encoded(request)
    assert written["messages"][0]["content"] == "a\n\nb"
    assert written["messages"][2] == {"role": "assistant", "content": "one two"}
    assert "tools" not in written
    assert "top_k" not in written
    assert len(written["stop"]) == 4
    assert set(request.dropped) == {
        "cache_control",
        "reasoning",
        "signature",
        "server_tool_use",
        "tools.web_search",
        "top_k",
        "stop",
        "context_management",
    }


def test_a_tool_choice_goes_with_tools_only() -> None:
    user = Message(role="user", content=[TextPart(text="hi")])
    tool = Tool(name="web_search", kind="native", native_format="anthropic", native={})
    written = encoded(
        from_elsewhere(user, tools=[tool], tool_choice=ToolChoice(mode="required"), parallel_tool_calls=False)
    )
    assert not written.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_reasoning_goes_back_to_its_issuer() -> None:
    part = ReasoningPart(text="hm", signature="s", origin="openai", extras={"openai": {"format": "fault-v1"}})
    written = encoded(from_elsewhere(Message(role="assistant", content=[part, TextPart(text="a")])))
    assert written["messages"][0]["reasoning_content"] == "hm"
    assert written["messages"][0]["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "fault-v1", "index": 0}
    ]


def test_a_routers_dialect_may_read_other_origins() -> None:
    router = OpenAIFormat(Dialect(readable_origins=frozenset({"openai", "anthropic"})))
    part = ReasoningPart(text="hm", signature="s", origin="anthropic")
    request = from_elsewhere(Message(role="assistant", content=[part]))
    assert router.encode_request(request)["messages"][0]["reasoning_details"][0]["signature"] == "s"
    assert request.dropped == []


def test_plain_thinking_of_another_format_is_left_out_and_recorded() -> None:
    request = from_elsewhere(Message(role="assistant", content=[ReasoningPart(text="hm"), TextPart(text="a")]))
    assert encoded(request)["messages"] == [{"role": "assistant", "content": "a"}]
    assert request.dropped == ["reasoning"]


def test_an_upstream_that_wants_plain_thinking_back_gets_it() -> None:
    upstream_format = OpenAIFormat(Dialect(wants_plain_reasoning=True))
    request = from_elsewhere(Message(role="assistant", content=[ReasoningPart(text="hm"), TextPart(text="a")]))
    [message] = upstream_format.encode_request(request)["messages"]
    assert message["reasoning_content"] == "hm"
    assert request.dropped == []


def test_another_providers_file_cannot_be_read() -> None:
    request = from_elsewhere(
        Message(role="user", content=[MediaPart(kind="file", file_id="file_1"), TextPart(text="read it")])
    )
    with pytest.raises(InvalidRequestError, match="file_id: files stored at another provider"):
        encoded(request)


def test_media_of_every_kind_is_written() -> None:
    parts = [
        MediaPart(kind="audio", media_type="audio/x-wav", data="UklG"),
        MediaPart(kind="audio", url="https://a/b.mp3"),
        MediaPart(kind="file", media_type="application/pdf", data="JVBERi0="),
        MediaPart(kind="file", url="https://a/b.pdf"),
        RefusalPart(text="no"),
    ]
    request = DomainRequest(model="m", messages=[Message(role="user", content=[*parts])])
    assert FORMAT.encode_request(request)["messages"][0]["content"] == [
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
        {"type": "audio_url", "audio_url": {"url": "https://a/b.mp3"}},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "document.pdf"},
        },
        {"type": "file", "file": {"file_data": "https://a/b.pdf"}},
        {"type": "refusal", "refusal": "no"},
    ]


@pytest.mark.parametrize(
    ("settings_", "effort"),
    [
        (ReasoningSettings(mode="off"), "none"),
        (ReasoningSettings(mode="on", budget_tokens=1024), "low"),
        (ReasoningSettings(mode="on", budget_tokens=10_000), "medium"),
        (ReasoningSettings(mode="on", budget_tokens=31_999), "high"),
        (ReasoningSettings(mode="adaptive", effort="max"), "max"),
        (ReasoningSettings(mode="adaptive"), None),
        (ReasoningSettings(mode="on"), "medium"),
    ],
)
def test_thinking_becomes_an_effort(settings_: ReasoningSettings, effort: str | None) -> None:
    request = from_elsewhere(Message(role="user", content=[TextPart(text="hi")]), reasoning=settings_)
    assert encoded(request).get("reasoning_effort") == effort
    assert request.dropped == []


def test_streams_always_ask_for_usage_and_limits_are_spelled_for_the_upstream() -> None:
    request = from_elsewhere(Message(role="user", content=[TextPart(text="hi")]), stream=True, max_tokens=5)
    written = encoded(request)
    assert written["stream_options"] == {"include_usage": True}
    assert written["max_tokens"] == 5
    openai_itself = OpenAIFormat(Dialect(max_tokens_field="max_completion_tokens", off_effort=None))
    request.reasoning = ReasoningSettings(mode="off")
    written = openai_itself.encode_request(request)
    assert written["max_completion_tokens"] == 5
    assert "reasoning_effort" not in written
    assert request.dropped == ["reasoning"]


def test_a_long_user_id_is_hashed_to_what_openai_takes() -> None:
    long = from_elsewhere(Message(role="user", content=[TextPart(text="hi")]), metadata={"user_id": "u" * 150})
    short = from_elsewhere(Message(role="user", content=[TextPart(text="hi")]), user="me")
    assert len(encoded(long)["user"]) == 64
    assert "metadata" not in encoded(long)
    assert encoded(short)["user"] == "me"


def test_messages_can_be_rewritten_for_a_connector() -> None:
    request = from_elsewhere(Message(role="user", content=[TextPart(text=ODD_TEXT), TextPart(text="b")]))
    [message] = encoded(request)["messages"]
    assert message["content"] == [{"type": "text", "text": ODD_TEXT}, {"type": "text", "text": "b"}]


# Answers in


def test_an_answer_of_openai_survives_the_domain() -> None:
    original = answer(
        {
            "content": ODD_TEXT,
            "refusal": None,
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {"url": "https://a.b", "title": "t", "start_index": 0, "end_index": 3},
                }
            ],
            "audio": {"id": "a", "data": "x", "expires_at": 1, "transcript": "x"},
        },
        usage={
            "prompt_tokens": 21,
            "completion_tokens": 9,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
        },
        service_tier="default",
        system_fingerprint="fp",
    )
    original["choices"][0]["logprobs"] = {"content": [], "refusal": None}
    original["model"] = OPTIONS.model
    domain = FORMAT.decode_response(original)
    assert domain.usage == Usage(
        input_tokens=21,
        output_tokens=9,
        cache_read_tokens=4,
        reasoning_tokens=2,
        extras={
            "openai": {
                "prompt_tokens_details": {"audio_tokens": 0},
                "completion_tokens_details": {"audio_tokens": 0},
            }
        },
    )
    assert FORMAT.encode_response(domain, OPTIONS) == original
    COMPLETION.validate_python(original)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, ["a", "b"]),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}]}, ["t"]),
        ({"content": "a", "reasoning_content": "t"}, ["t", "a"]),
        ({"content": "a", "reasoning": "t", "reasoning_content": "t"}, ["t", "a"]),
        (
            {
                "content": "a",
                "reasoning": "t",
                "reasoning_details": [{"type": "reasoning.text", "text": "t"}],
            },
            ["t", "a"],
        ),
        ({"content": None, "refusal": "no"}, ["no"]),
    ],
)
def test_every_dialect_of_content_is_read(message: dict[str, Any], expected: list[str]) -> None:
    domain = FORMAT.decode_response(answer(message))
    assert [part.text for part in domain.content] == expected  # type: ignore[union-attr]  # all of these have text


def test_tool_calls_without_id_or_type_and_with_object_arguments_are_read() -> None:
    calls = [
        {"function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "", "function": {"name": "g", "arguments": ""}},
    ]
    first, second = FORMAT.decode_response(answer({"content": None, "tool_calls": calls})).tool_calls
    assert (first.name, json.loads(first.arguments)) == ("f", {"a": 1})
    assert (second.name, second.arguments) == ("g", "{}")
    assert first.id
    assert second.id
    assert first.id != second.id


def test_a_legacy_function_call_is_read_and_written() -> None:
    original = answer({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "function_call")
    domain = FORMAT.decode_response(original)
    assert domain.finish_reason == "tool_calls"
    assert domain.tool_calls[0].name == "f"
    written = FORMAT.encode_response(domain, OPTIONS)
    assert written["choices"][0]["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert written["choices"][0]["finish_reason"] == "function_call"


@pytest.mark.parametrize(
    ("word", "reason", "native"),
    [
        ("stop", "stop", None),
        ("function_call", "tool_calls", "function_call"),
        ("model_length", "length", "model_length"),
        ("SAFETY", "content_filter", "SAFETY"),
        ("content_filter: RECITATION", "content_filter", "content_filter: RECITATION"),
        ("insufficient_system_resource", "error", "insufficient_system_resource"),
        ("something_new", "stop", "something_new"),
        (None, None, None),
    ],
)
def test_finish_reasons_are_read(word: str | None, reason: str | None, native: str | None) -> None:
    [choice] = FORMAT.decode_response(answer({"content": "a"}, word)).choices
    assert (choice.finish_reason, choice.native_finish_reason) == (reason, native)


@pytest.mark.parametrize(
    ("raw", "totals"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_cache_hit_tokens": 3}, (5, 2, 3)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 1}, (5, 2, 1)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 20}, (5, 15, None)),
        ({"prompt_tokens": 5.0, "completion_tokens": None}, (5, None, None)),
    ],
)
def test_usage_of_every_dialect_is_read(raw: dict[str, Any], totals: tuple[int | None, ...]) -> None:
    body_bytes = json.dumps(answer({"content": "\udc00 lone"}, usage=raw)).encode()
    for usage in (
        FORMAT.decode_response(answer({"content": "a"}, usage=raw)).usage,
        FORMAT.decode_usage(body_bytes),
    ):
        assert usage is not None
        assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == totals


def test_no_usage_is_no_usage() -> None:
    assert FORMAT.decode_usage(b'{"usage": null}') is None
    assert FORMAT.decode_usage(b"not json") is None
    assert FORMAT.decode_response(answer({"content": "a"})).usage is None


@pytest.mark.parametrize(
    "failed",
    [
        {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "slow down"}}},
        {"choices": [{"error": {"message": "slow down", "code": "429"}}]},
        {"object": "error", "message": "slow down", "code": 429},
        {"error": {"message": "slow down", "type": "rate_limit_error"}},
    ],
)
def test_an_error_body_with_status_200_is_an_error(failed: dict[str, Any]) -> None:
    error = FORMAT.decode_response(failed).error
    assert error is not None
    assert "slow down" in error.message
    assert error.status == 429


def test_several_choices_survive() -> None:
    original = answer({"content": "a"})
    original["choices"].append({"index": 1, "message": {"content": "b"}, "finish_reason": "length"})
    written = FORMAT.encode_response(FORMAT.decode_response(original), OPTIONS)
    COMPLETION.validate_python(written)
    assert [choice["message"]["content"] for choice in written["choices"]] == ["a", "b"]


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "choices": st.lists(
                st.fixed_dictionaries(
                    {}, optional={"message": MESSAGES | JSON, "delta": MESSAGES | JSON, "index": JSON}
                )
                | JSON,
                max_size=2,
            )
            | JSON,
            "usage": JSON,
            "error": JSON,
            "x_groq": JSON,
            "id": JSON,
            "created": JSON,
        },
    )
)
def test_no_upstream_json_breaks_us(payload: dict[str, Any]) -> None:
    written = FORMAT.encode_response(FORMAT.decode_response(payload), OPTIONS)
    if "error" not in written:
        COMPLETION.validate_python(written)
    chunk = FORMAT.decode_payload(payload)
    assert chunk is not None
    encoder = FORMAT.stream_encoder(OPTIONS)
    data = encoder.encode(chunk) + encoder.encode(StreamChunk(terminal=True))
    assert data.endswith(b"\n\n")
    assert payloads(data)


# Answers out


def test_content_is_null_when_there_are_only_tool_calls() -> None:
    written = rendered(ToolCallPart(id="c", name="f"), finish="stop")
    message = written["choices"][0]["message"]
    assert message["content"] is None
    assert written["choices"][0]["finish_reason"] == "tool_calls"
    assert written["model"] == OPTIONS.model
    assert written["id"].startswith("chatcmpl-")
    assert written["created"] > 0


def test_reasoning_is_shown_and_can_be_sent_back() -> None:
    written = rendered(
        ReasoningPart(text="hm", signature="s", origin="anthropic"),
        ReasoningPart(data="hidden", origin="anthropic"),
        TextPart(text="a"),
    )
    message = written["choices"][0]["message"]
    assert message["reasoning_content"] == "hm"
    assert message["content"] == "a"
    assert [detail["format"] for detail in message["reasoning_details"]] == ["anthropic-claude-v1"] * 2
    back = FORMAT.decode_request(conversation(message)).messages[0].content
    assert [
        (part.text, part.signature, part.data, part.origin) for part in back if isinstance(part, ReasoningPart)
    ] == [("hm", "s", None, "anthropic"), ("", None, "hidden", "anthropic")]


def test_encrypted_reasoning_with_a_summary_comes_back_as_one_part() -> None:
    part = ReasoningPart(text="short", data="hidden", id="rs_1", origin="openai-responses")
    message = rendered(part, TextPart(text="a"))["choices"][0]["message"]
    back = FORMAT.decode_request(conversation(message)).messages[0].content[0]
    assert isinstance(back, ReasoningPart)
    assert (back.text, back.data, back.id, back.origin) == ("short", "hidden", "rs_1", "openai-responses")


@pytest.mark.parametrize(
    ("reason", "native", "word", "trace"),
    [
        ("stop", None, "stop", None),
        ("pause", "pause_turn", "stop", "pause_turn"),
        ("pause", None, "stop", "pause"),
        ("refusal", None, "content_filter", "refusal"),
        ("error", "MALFORMED_FUNCTION_CALL", "content_filter", "MALFORMED_FUNCTION_CALL"),
        (None, None, "stop", None),
    ],
)
def test_finish_reasons_are_never_a_plain_stop_without_a_trace(
    reason: Any, native: str | None, word: str, trace: str | None
) -> None:
    written = rendered(TextPart(text="a"), finish=reason, native_finish_reason=native)
    assert written["choices"][0]["finish_reason"] == word
    assert written["choices"][0].get("native_finish_reason") == trace
    again = FORMAT.decode_response(written).finish_reason
    assert again == (reason or "stop")


def test_a_refusal_in_words_ends_as_openai_ends_it() -> None:
    choice = rendered(RefusalPart(text="no"), finish="refusal")["choices"][0]
    assert choice["message"]["refusal"] == "no"
    assert choice["message"]["content"] is None
    assert choice["finish_reason"] == "stop"


def test_citations_point_into_the_whole_content() -> None:
    message = rendered(
        TextPart(text="one "),
        TextPart(text="two", citations=[Citation(url="https://a", cited_text="zwei"), Citation(start=1, end=2)]),
    )["choices"][0]["message"]
    spans = [
        (entry["url_citation"]["start_index"], entry["url_citation"]["end_index"]) for entry in message["annotations"]
    ]
    assert spans == [(4, 7), (5, 6)]
    assert message["annotations"][0]["url_citation"]["content"] == "zwei"


def test_an_answer_without_choices_is_still_a_valid_body() -> None:
    COMPLETION.validate_python(FORMAT.encode_response(DomainResponse(), OPTIONS))


def test_pictures_in_an_answer_are_kept() -> None:
    picture = MediaPart(kind="image", media_type="image/png", data=PNG)
    written = rendered(picture, TextPart(text="a"))
    again = FORMAT.decode_response(written).content
    assert picture in again


# Streams in


def test_done_ends_the_stream() -> None:
    assert FORMAT.decode_event(Event(None, b"[DONE]")) == StreamChunk(terminal=True)


REPLY = Reply(
    "m",
    (
        Thinking(("let ", "me ", "think"), "signature=="),
        Text(("Hello ", "wörld ☕")),
        ToolUse("call_a", "weather", {"city": "Zürich"}),
        ToolUse("call_b", "weather", {"city": "Genève"}),
    ),
    "tools",
    Counts(21, 9, 4, 2),
    include_usage=True,
)


def replayed(reply: Reply, odd: str = "") -> bytes:
    events = made_odd(upstream.events(reply), odd)
    encoder = FORMAT.stream_encoder(OPTIONS)
    raw = [data.encode() if isinstance(data, str) else json.dumps(data).encode() for _, data in events]
    return b"".join(
        encoder.encode(chunk) for data in raw if (chunk := FORMAT.decode_event(Event(None, data))) is not None
    )


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "usage_rides",
        "usage_in_x_groq",
        "no_finish",
        "azure_first",
        "no_tool_index",
        "tool_index_from_one",
        "blank_tool_ids",
        "content_parts",
        "azure_first+usage_rides+content_parts+blank_tool_ids+tool_index_from_one",
    ],
)
def test_streams_of_every_dialect_collect_to_the_same_answer(odd: str) -> None:
    completion = accumulated(replayed(REPLY, odd))
    message = message_of(completion)
    assert message["content"] == "Hello wörld ☕"
    assert message["reasoning_content"] == "let me think"
    assert [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message["tool_calls"]
    ] == [("call_a", "weather", {"city": "Zürich"}), ("call_b", "weather", {"city": "Genève"})]
    assert completion["choices"][0]["finish_reason"] == "tool_calls"
    usage = completion["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (21, 9, 30)


def test_a_collected_stream_equals_the_whole_answer() -> None:
    whole = FORMAT.encode_response(FORMAT.decode_response(upstream.body(REPLY)), OPTIONS)
    collected = accumulated(replayed(REPLY))
    assert message_of(collected) == message_of(whole) | {}
    assert collected["usage"] == whole["usage"]
    for name in ("id", "created", "model", "service_tier", "system_fingerprint"):
        assert collected[name] == whole[name]


def test_an_error_after_the_finish_is_the_end() -> None:
    data = replayed(REPLY, "error_after_finish")
    *_, last = payloads(data)
    assert last == {"error": {"message": "late trouble", "type": "server_error", "param": None, "code": "500"}}
    assert b"[DONE]" not in data
    assert b'"finish_reason":"' not in data


def test_reasoning_under_another_name_is_reasoning() -> None:
    assert message_of(accumulated(replayed(REPLY, "reasoning_key")))["reasoning_content"] == "let me think"


def test_a_delta_with_text_and_details_says_it_once() -> None:
    event = delta(
        {
            "content": "",
            "reasoning": "t",
            "reasoning_content": "t",
            "reasoning_details": [{"type": "reasoning.text", "text": "t", "index": 0}],
        }
    )
    [chunk] = decoded(event)
    assert [piece.text for piece in chunk.deltas if isinstance(piece, ReasoningDelta)] == ["t"]
    [chunk] = decoded(delta({"reasoning": "t", "reasoning_content": "t"}))
    assert chunk.deltas == [ReasoningDelta(text="t")]


def test_several_tool_deltas_in_one_chunk_are_told_apart() -> None:
    calls = [{"id": f"c{i}", "function": {"name": f"f{i}", "arguments": "{}"}} for i in range(3)]
    message = message_of(through(delta({"tool_calls": calls}), delta({}, "stop")))
    assert [call["id"] for call in message["tool_calls"]] == ["c0", "c1", "c2"]


def test_a_name_repeated_on_every_piece_is_one_call() -> None:
    pieces = [
        delta({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": text}}]})
        for text in ('{"a":', "1}")
    ]
    [call] = message_of(through(*pieces))["tool_calls"]
    assert call["function"] == {"name": "f", "arguments": '{"a":1}'}


def test_a_streamed_legacy_function_call_is_one_call() -> None:
    events = [
        delta({"function_call": {"name": "f", "arguments": ""}}),
        delta({"function_call": {"arguments": "{}"}}),
        delta({}, "function_call"),
    ]
    [opening] = decoded(events[0])
    assert opening.deltas[0] == ToolCallDelta(index=0, name="f", extras={"openai": {"_legacy": True}})
    completion = through(*events)
    assert message_of(completion)["function_call"] == {"name": "f", "arguments": "{}"}
    assert completion["choices"][0]["finish_reason"] == "function_call"


def test_streamed_annotations_and_refusals_are_kept() -> None:
    citation = {
        "type": "url_citation",
        "url_citation": {"url": "https://a", "title": "t", "start_index": 0, "end_index": 1},
    }
    message = message_of(
        through(
            delta({"content": "a"}),
            delta({"annotations": [citation]}),
            delta({"annotations": [citation, {"type": "file"}], "refusal": "no"}),
            delta({}, "stop"),
        )
    )
    assert message["annotations"] == [citation, citation, {"type": "file"}]
    assert message["refusal"] == "no"


def test_content_of_other_kinds_is_recorded_not_shown() -> None:
    parts = [{"type": "reference", "ids": [1]}, {"type": "image_url", "image_url": "https://a"}]
    encoder = FORMAT.stream_encoder(OPTIONS)
    for chunk in decoded(delta({"content": parts})):
        data = encoder.encode(chunk)
        assert b'content":[' not in data
    assert b'"images":[{"index":0,"type":"image_url","image_url":{"url":"https://a"}}]' in data
    assert encoder.dropped == ["reference"]


def test_a_whole_answer_where_a_chunk_should_be_is_read() -> None:
    event = answer({"content": "whole", "tool_calls": None}, usage={"prompt_tokens": 1, "completion_tokens": 2})
    assert message_of(through(event))["content"] == "whole"


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"error": {"message": "x", "code": 429}}, 429),
        ({"error": {"message": "x", "code": "context_length_exceeded"}}, 400),
        ({"error": "x"}, 502),
        ({"message": "x", "type": "overloaded_error"}, 503),
        ({"detail": "x"}, 502),
        ({"choices": [{"index": 0, "delta": {}, "error": {"message": "x", "code": 502}}]}, 502),
    ],
)
def test_errors_inside_a_stream_are_errors(payload: dict[str, Any], status: int) -> None:
    [chunk] = decoded(payload)
    assert chunk.error is not None
    assert (chunk.error.message, chunk.error.status) == ("x", status)


def test_what_only_a_chat_client_understands_reaches_it() -> None:
    event = delta({"audio": {"id": "a", "data": "UklG"}}, content_filter_results={"hate": {}})
    [chunk] = decoded({**event, "new_field": 1})
    assert chunk.dropped == []
    first, second, *_ = payloads(streamed(chunk))
    assert second["new_field"] == 1
    assert second["choices"][0]["delta"] == {"audio": {"id": "a", "data": "UklG"}}
    assert first["id"] == second["id"]


def test_every_event_that_matters_has_a_mark() -> None:
    for _, data in upstream.events(REPLY):
        text = data.encode() if isinstance(data, str) else json.dumps(data).encode()
        chunk = FORMAT.decode_event(Event(None, text))
        assert chunk is not None
        if chunk.terminal or chunk.error or chunk.usage:
            assert any(mark in text for mark in FORMAT.stream_marks)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_stream_cut_anywhere_is_the_same_stream(size: int) -> None:
    data = replayed(REPLY)
    splitter = EventSplitter()
    blocks = [block for at in range(0, len(data), size) for block in splitter.feed(data[at : at + size])]
    encoder = FORMAT.stream_encoder(OPTIONS)
    chunks = [FORMAT.decode_event(parse_event(block)) for block in blocks]
    assert b"".join(encoder.encode(chunk) for chunk in chunks if chunk) == data


# Streams out


def test_the_first_event_has_the_role_and_ids_are_constant() -> None:
    events = payloads(streamed(StreamChunk(deltas=[TextDelta(text="a")]), StreamChunk(id="other")))
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert len({(event["id"], event["created"], event["model"]) for event in events}) == 1
    assert sum("role" in choice["delta"] for event in events for choice in event["choices"]) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet=st.characters()), max_size=5))
def test_streamed_text_survives(texts: list[str]) -> None:
    data = streamed(*(StreamChunk(deltas=[TextDelta(text=text)]) for text in [*texts, ODD_TEXT]))
    expected = "".join([*texts, ODD_TEXT]).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert accumulated(data)["choices"][0]["message"]["content"] == expected


def test_lone_surrogates_become_replacement_characters() -> None:
    assert accumulated(streamed(StreamChunk(deltas=[TextDelta(text="a\ud800b")])))["choices"][0]["message"][
        "content"
    ] == ("a\ufffdb")


def test_tool_calls_are_numbered_from_zero_and_get_ids() -> None:
    data = streamed(
        StreamChunk(deltas=[ToolCallDelta(index=3, name="f", arguments='{"a"')]),
        StreamChunk(deltas=[ToolCallDelta(index=7, id="given", name="g")]),
        StreamChunk(deltas=[ToolCallDelta(index=3, arguments=":1}")]),
        StreamChunk(finish=[Finish(reason="stop")]),
    )
    completion = accumulated(data)
    first, second = message_of(completion)["tool_calls"]
    assert first["id"].startswith("call_")
    assert second["id"] == "given"
    assert (first["function"]["arguments"], second["function"]["arguments"]) == ('{"a":1}', "{}")
    assert completion["choices"][0]["finish_reason"] == "tool_calls"
    assert "content" not in message_of(completion)


def test_a_free_text_call_streams_as_a_custom_call() -> None:
    events = payloads(
        streamed(
            StreamChunk(deltas=[ToolCallDelta(index=0, id="c", name="sh", kind="custom")]),
            StreamChunk(deltas=[ToolCallDelta(index=0, arguments="ls", kind="custom")]),
        )
    )
    calls = [
        choice["delta"]["tool_calls"][0]
        for event in events
        for choice in event["choices"]
        if "tool_calls" in choice["delta"]
    ]
    assert calls == [
        {"index": 0, "id": "c", "type": "custom", "custom": {"name": "sh", "input": ""}},
        {"index": 0, "custom": {"input": "ls"}},
    ]


def test_streamed_reasoning_can_be_sent_back() -> None:
    thoughts = [
        ReasoningDelta(text="h", origin="anthropic", block=0),
        ReasoningDelta(text="m", origin="anthropic", block=0),
        ReasoningDelta(signature="s1", origin="anthropic", block=0),
        ReasoningDelta(data="hidden", origin="anthropic", block=1),
        ReasoningDelta(text="", signature="s2", origin="anthropic", block=2),
    ]
    completion = accumulated(streamed(*(StreamChunk(deltas=[thought]) for thought in thoughts)))
    message = message_of(completion)
    whole = [
        ReasoningPart(text="hm", signature="s1", origin="anthropic"),
        ReasoningPart(data="hidden", origin="anthropic"),
        ReasoningPart(signature="s2", origin="anthropic"),
    ]
    assert message["reasoning_details"] == rendered(*whole)["choices"][0]["message"]["reasoning_details"]
    back = FORMAT.decode_request(conversation(message)).messages[0].content
    assert [
        ReasoningPart(text=part.text, signature=part.signature, data=part.data, origin=part.origin)
        for part in back
        if isinstance(part, ReasoningPart)
    ] == whole


def test_streamed_citations_equal_those_of_a_whole_answer() -> None:
    cited = Citation(url="https://a", title="t", cited_text="x")
    data = streamed(
        StreamChunk(deltas=[TextDelta(text="one ", block=0)]),
        StreamChunk(deltas=[CitationDelta(citation=cited, block=1), TextDelta(text="tw", block=1)]),
        StreamChunk(deltas=[TextDelta(text="o", block=1), CitationDelta(citation=Citation(start=0, end=1), block=1)]),
        StreamChunk(deltas=[TextDelta(text=" three", block=2)]),
    )
    whole = rendered(
        TextPart(text="one "),
        TextPart(text="two", citations=[cited, Citation(start=0, end=1)]),
        TextPart(text=" three"),
    )
    assert message_of(accumulated(data))["annotations"] == whole["choices"][0]["message"]["annotations"]


def test_usage_comes_once_last_and_only_on_request() -> None:
    usage = Usage(input_tokens=3, output_tokens=1)
    chunks = [
        StreamChunk(usage=Usage(input_tokens=3)),
        StreamChunk(deltas=[TextDelta(text="a")], usage=usage),
        StreamChunk(finish=[Finish(reason="stop")]),
    ]
    events = payloads(streamed(*chunks))
    assert [event for event in events if "usage" in event] == [events[-1]]
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["total_tokens"] == 4
    without = streamed(*chunks, options=RenderOptions("m", include_usage=False))
    assert b"usage" not in without


def test_finish_is_written_once_with_its_trace() -> None:
    events = payloads(
        streamed(
            StreamChunk(deltas=[TextDelta(text="a")], finish=[Finish(reason="stop")]),
            StreamChunk(finish=[Finish(reason="pause", native="pause_turn", stop_sequence="END")]),
        )
    )
    finals = [choice for event in events for choice in event["choices"] if choice["finish_reason"]]
    assert finals == [
        {
            "index": 0,
            "delta": {},
            "logprobs": None,
            "finish_reason": "stop",
            "native_finish_reason": "pause_turn",
            "stop_reason": "END",
        }
    ]


def test_several_choices_stream_side_by_side() -> None:
    data = streamed(
        StreamChunk(deltas=[TextDelta(text="a"), TextDelta(text="b", choice=1)]),
        StreamChunk(deltas=[RefusalDelta(text="no", choice=1)]),
        StreamChunk(finish=[Finish(reason="length"), Finish(reason="refusal", choice=1)]),
    )
    first, second = accumulated(data)["choices"]
    assert (first["message"]["content"], first["finish_reason"]) == ("a", "length")
    assert (second["message"]["content"], second["message"]["refusal"], second["finish_reason"]) == (
        "b",
        "no",
        "stop",
    )


def test_logprobs_are_accumulated() -> None:
    token = {"token": "a", "bytes": [97], "logprob": -0.1, "top_logprobs": []}
    event = delta({"content": "a"}, logprobs={"content": [token], "refusal": None})
    completion = through(event, event)
    assert len(completion["choices"][0]["logprobs"]["content"]) == 2


def test_an_empty_stream_is_a_valid_answer() -> None:
    assert accumulated(streamed())["choices"][0]["finish_reason"] == "stop"


def test_an_error_is_the_last_event() -> None:
    encoder = FORMAT.stream_encoder(OPTIONS)
    encoder.encode(StreamChunk(deltas=[TextDelta(text="a")]))
    data = encoder.fail(ErrorInfo(message="cut", status=502))
    assert payloads(data) == [{"error": {"message": "cut", "type": "server_error", "param": None, "code": None}}]
    assert encoder.encode(StreamChunk(terminal=True)) == b""


async def test_the_official_client_reads_our_streams_and_errors() -> None:
    stream, broken = replayed(REPLY), replayed(REPLY, "error_after_finish")

    def respond(request: httpx.Request) -> httpx.Response:
        model = json.loads(request.content)["model"]
        if model == "denied":
            error = FORMAT.encode_error(ErrorInfo(message="wait", status=429), OPTIONS)
            return httpx.Response(429, json=error, headers={"x-should-retry": "false"})
        data = broken if model == "broken" else stream
        return httpx.Response(200, content=data, headers={"content-type": "text/event-stream"})

    http = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    async with openai.AsyncOpenAI(api_key="k", base_url="http://proxy/v1", http_client=http, max_retries=0) as client:
        async with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "hi"}]) as events:
            final = await events.get_final_completion()
        assert final.choices[0].message.content == "Hello wörld ☕"
        with pytest.raises(openai.APIError, match="late trouble"):
            async for _ in await client.chat.completions.create(
                model="broken", messages=[{"role": "user", "content": "hi"}], stream=True
            ):
                pass
        with pytest.raises(openai.RateLimitError, match="wait"):
            await client.chat.completions.create(model="denied", messages=[{"role": "user", "content": "hi"}])


# Errors


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"error": {"message": "m", "type": "t", "code": "c", "param": "p"}}, "m"),
        ({"error": "m"}, "m"),
        ({"message": "m"}, "m"),
        ({"detail": "m"}, "m"),
        ({"detail": [{"loc": ["body", "model"], "msg": "field required"}]}, "body.model: field required"),
        ([{"error": {"code": 400, "message": "m"}}], "m"),
        ({"errors": [{"message": "m"}]}, "m"),
        (
            "<html><head><style>x{}</style></head><body><h1>502</h1> Bad &amp; ugly</body></html>",
            "502 Bad & ugly",
        ),
        ("m", "m"),
        ("", "HTTP 502 Bad Gateway"),
        (None, "HTTP 502 Bad Gateway"),
        ({}, "HTTP 502 Bad Gateway"),
        ([], "HTTP 502 Bad Gateway"),
    ],
)
def test_error_bodies_of_every_shape_are_read(shape: Any, message: str) -> None:
    assert FORMAT.decode_error(shape, 502).message == message


@given(JSON)
def test_no_error_body_breaks_us(shape: Any) -> None:
    assert FORMAT.decode_error(shape, 500).message


def test_retry_hints_in_words_are_read() -> None:
    for words, seconds in (
        ("in 800ms.", 0.8),
        ("in 20s", 20),
        ("in 6m0s", 360),
        ("in 1.5s", 1.5),
        ("later", None),
    ):
        assert FORMAT.decode_error({"error": {"message": f"Please try again {words}"}}, 429).retry_after == seconds


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ErrorInfo(message="m", status=400), "invalid_request_error", None),
        (ErrorInfo(message="m", status=401), "invalid_request_error", "invalid_api_key"),
        (ErrorInfo(message="m", status=403), "permission_error", None),
        (
            ErrorInfo(message="m", status=404, code="model_not_found"),
            "invalid_request_error",
            "model_not_found",
        ),
        (ErrorInfo(message="m", status=429, type="tokens"), "tokens", "rate_limit_exceeded"),
        (ErrorInfo(message="m", status=529, type="overloaded_error"), "server_error", "overloaded_error"),
        (ErrorInfo(message="m"), "server_error", None),
    ],
)
def test_errors_are_written_as_openai_writes_them(error: ErrorInfo, kind: str, code: str | None) -> None:
    assert FORMAT.encode_error(error, OPTIONS) == {"error": {"message": "m", "type": kind, "param": None, "code": code}}
