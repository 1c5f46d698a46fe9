"""Requests of the Responses API: from clients to the domain, and from the domain to an upstream."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from openai.types.responses.tool_param import ToolParam
from pydantic import TypeAdapter

from proxy_core.domain.content import (
    Citation,
    MediaPart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from proxy_core.domain.embedding import TokenCount
from proxy_core.domain.request import DomainRequest, Message, ReasoningSettings, ResponseFormat, Tool, ToolChoice
from proxy_core.errors import BackendError, InvalidRequestError
from proxy_core.formats import opaque
from proxy_core.formats.anthropic import AnthropicFormat
from proxy_core.formats.openai import OpenAIFormat
from proxy_core.formats.openai_responses.count import (
    decode_count_request,
    decode_token_count,
    encode_count_request,
    encode_token_count,
)
from proxy_core.formats.openai_responses.names import native_names
from proxy_core.formats.openai_responses.request import decode_request, echo_of
from proxy_core.formats.openai_responses.request_encode import encode_request

RESPONSES = "openai-responses"
CHAT, MESSAGES = OpenAIFormat(), AnthropicFormat()
PNG = "iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}}}
BODY: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsNonStreaming)
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItemParam)
TOOL: TypeAdapter[Any] = TypeAdapter(ToolParam)

#: What Codex sends in its second turn.
CODEX: dict[str, Any] = {
    "model": "gpt-5.5-codex",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are Codex."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List customers."}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "**Look**"}, {"type": "summary_text", "text": "then ask"}],
            "content": None,
            "encrypted_content": "gAAAA=",
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "Looking.", "annotations": [], "logprobs": []}],
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "list_customers",
            "namespace": "crm",
            "arguments": '{"page":1}',
        },
        {"type": "custom_tool_call", "call_id": "call_2", "name": "apply_patch", "input": "*** Begin"},
        {"type": "function_call_output", "call_id": "call_1", "output": '["Ada"]'},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "Done"},
    ],
    "tools": [
        {"type": "function", "name": "shell", "description": "Run", "strict": False, "parameters": SCHEMA},
        {
            "type": "namespace",
            "name": "crm",
            "description": "Customers",
            "tools": [
                {"type": "function", "name": "list_customers", "parameters": SCHEMA, "strict": False},
                {"type": "function", "name": "get_customer", "parameters": SCHEMA, "defer_loading": True},
            ],
        },
        {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "xhigh", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "thread-1",
    "client_metadata": {"x-codex": "1"},
    "text": {"verbosity": "low"},
}


def decode(**fields: Any) -> DomainRequest:
    return decode_request({"model": "m", "input": "hi", **fields})


def items(*each: dict[str, Any]) -> list[Message]:
    return decode(input=list(each)).messages


def request(*messages: Message, **fields: Any) -> DomainRequest:
    """A request of a Messages client."""
    return DomainRequest(model="m", messages=list(messages), source_format="anthropic", **fields)


def user(*parts: Part) -> Message:
    return Message(role="user", content=list(parts) or [TextPart(text="hi")])


def says(*parts: Part) -> Message:
    return Message(role="assistant", content=list(parts))


def system(text: str) -> Message:
    return Message(role="system", content=[TextPart(text=text)])


def sent(*messages: Message, **fields: Any) -> dict[str, Any]:
    """The body for an upstream, checked against the SDK's types."""
    return checked(encode_request(request(*messages, **fields)))


def checked(body: dict[str, Any]) -> dict[str, Any]:
    named = copy.deepcopy(body)
    for item in named.get("input", []):
        if item.get("role") == "assistant":  # ids are OpenAI's to give, and what the type demands
            item.update(id="msg_1", status="completed")
        if item.get("type") == "reasoning":
            item.setdefault("id", "rs_1")
        ITEM.validate_python(item)
    for tool in named.get("tools", []):
        TOOL.validate_python(tool)
    BODY.validate_python(named)
    return body


def refused(**fields: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        decode(**fields)
    return caught.value


# what Codex sends


def test_codex_goes_through_the_domain_unchanged() -> None:
    asked = decode_request(CODEX)
    assert canonical(encode_request(asked)) == canonical(CODEX)
    assert asked.dropped == []
    assert asked.native_only == []


def test_codex_reads_as_turns() -> None:
    asked = decode_request(CODEX)
    assert [message.role for message in asked.messages] == ["system", "user", "assistant", "user", "user"]
    thought, text, call, patch = asked.messages[2].content
    assert isinstance(thought, ReasoningPart)
    assert (thought.text, thought.data, thought.origin, thought.id) == (
        "**Look**\n\nthen ask",
        "gAAAA=",
        RESPONSES,
        "rs_1",
    )
    assert isinstance(text, TextPart)
    assert text.text == "Looking."
    assert isinstance(call, ToolCallPart)
    assert (call.id, call.name, call.arguments) == ("call_1", "crm__list_customers", '{"page":1}')
    assert isinstance(patch, ToolCallPart)
    assert (patch.kind, patch.arguments) == ("custom", "*** Begin")
    assert asked.reasoning is not None
    assert (asked.reasoning.mode, asked.reasoning.effort, asked.reasoning.visible) == ("on", "xhigh", True)
    assert native_names(asked) == {
        "crm__list_customers": ("crm", "list_customers"),
        "crm__get_customer": ("crm", "get_customer"),
    }


@pytest.mark.parametrize(
    ("target", "shared"),
    [(CHAT, set()), (MESSAGES, {"format", "prompt_cache_key", "text.verbosity"})],
)
def test_codex_is_understood_elsewhere(target: Any, shared: set[str]) -> None:
    asked = decode_request(CODEX)
    body = target.encode_request(asked)
    assert "crm__list_customers" in str(body["tools"])
    assert "gAAAA=" not in str(body)
    assert set(asked.dropped) == {
        "client_metadata",
        "defer_loading",
        "message.phase",
        "namespace",
        "reasoning",
        "signature",
        "tools.web_search",
        *shared,
    }


GRAMMAR = {"syntax": "lark", "definition": "start: /.+/"}


def test_openais_two_formats_share_their_settings() -> None:
    asked = decode(
        text={"verbosity": "high"},
        prompt_cache_key="k",
        service_tier="flex",
        tools=[{"type": "custom", "name": "patch", "format": {"type": "grammar", **GRAMMAR}}],
    )
    body = CHAT.encode_request(asked)
    assert (body["verbosity"], body["prompt_cache_key"], body["service_tier"]) == ("high", "k", "flex")
    assert body["tools"][0]["custom"]["format"] == {"type": "grammar", "grammar": GRAMMAR}
    assert asked.dropped == []
    back = CHAT.decode_request(body)
    again = encode_request(back)
    assert (again["text"], again["prompt_cache_key"]) == ({"verbosity": "high"}, "k")
    assert again["tools"][0]["format"] == {"type": "grammar", **GRAMMAR}
    assert back.dropped == []


# input


def test_text_and_items_without_a_type_are_input() -> None:
    assert decode(input="hi").messages == [Message(role="user", content=[TextPart(text="hi")])]
    said = items({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})
    assert [(message.role, message.text) for message in said] == [("user", "a"), ("assistant", "b")]


def test_instructions_lead_and_go_back_there() -> None:
    asked = decode(instructions="Be brief.", input=[{"role": "system", "content": "And kind."}])
    assert [(message.role, message.text) for message in asked.messages] == [
        ("system", "Be brief."),
        ("system", "And kind."),
    ]
    body = encode_request(asked)
    assert body["instructions"] == "Be brief."
    assert [item["role"] for item in body["input"]] == ["system"]


def test_media_of_all_kinds_is_read() -> None:
    [message] = items(
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
                {"type": "input_image", "file_id": "file_1"},
                {"type": "input_file", "file_url": "https://example.org/a.pdf"},
                {"type": "input_file", "file_data": f"data:application/pdf;base64,{PNG}", "filename": "a.pdf"},
                {"type": "input_audio", "input_audio": {"data": PNG, "format": "mp3"}},
            ],
        }
    )
    assert message.content == [
        MediaPart(kind="image", media_type="image/png", data=PNG, detail="low"),
        MediaPart(kind="image", file_id="file_1"),
        MediaPart(kind="file", url="https://example.org/a.pdf"),
        MediaPart(kind="file", media_type="application/pdf", data=PNG, filename="a.pdf"),
        MediaPart(kind="audio", media_type="audio/mpeg", data=PNG),
    ]


def test_a_call_without_arguments_is_json_elsewhere() -> None:
    (message,) = items({"type": "function_call", "call_id": "c", "name": "f", "arguments": ""})
    assert message.content == [ToolCallPart(id="c", name="f", arguments="{}")]


def test_a_result_may_hold_media() -> None:
    picture = {"type": "input_image", "image_url": "https://example.org/a.png"}
    [message] = items({"type": "function_call_output", "call_id": "c", "output": [picture]})
    [result] = message.content
    assert isinstance(result, ToolResultPart)
    assert result.content == [MediaPart(kind="image", url="https://example.org/a.png")]


def test_another_providers_state_comes_out_of_its_seal() -> None:
    state = ReasoningPart(text="Hm", signature="sig", origin="anthropic")
    thought = {"type": "summary_text", "text": "Hm"}
    asked = decode(
        input=[{"type": "reasoning", "id": "rs_x", "summary": [thought], "encrypted_content": opaque.seal(state)}]
    )
    assert asked.messages[0].content == [state]
    assert MESSAGES.encode_request(asked)["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "sig"}
    ]
    assert encode_request(asked).get("input") is None
    assert asked.dropped == ["reasoning", "signature"]


def test_what_a_part_left_behind_carried_is_recorded_too() -> None:
    extras = {"anthropic": {"cache_control": {"type": "ephemeral"}}}
    image = MediaPart(kind="image", media_type="image/png", data="aGk=", extras=extras)
    for encode in (encode_request, OpenAIFormat().encode_request):
        asked = request(user(TextPart(text="Draw")), says(TextPart(text="Here"), image))
        encode(asked)
        assert set(asked.dropped) == {"messages.content.media", "cache_control"}


def test_a_seal_that_was_tampered_with_leaves_the_text() -> None:
    sealed = opaque.seal(ReasoningPart(data="x", origin="gemini"))
    [message] = items(
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": sealed + "!"}
    )
    assert message.content == [ReasoningPart(text="Hm")]


def test_what_only_openai_knows_is_kept_whole_and_dropped_elsewhere() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    asked = decode(input=[{"role": "user", "content": "hi"}, search, {"role": "assistant", "content": "Found."}])
    assert asked.messages[1].content[0] == NativePart(format=RESPONSES, data=search)
    assert encode_request(asked)["input"][1] == search
    assert MESSAGES.encode_request(asked)["messages"][1] == {"role": "assistant", "content": "Found."}
    assert asked.dropped == ["web_search_call"]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"previous_response_id": "resp_1"}, ["previous_response_id"]),
        ({"conversation": "conv_1"}, ["conversation"]),
        ({"background": True}, ["background"]),
        ({"prompt": {"id": "pmpt_1"}}, ["prompt"]),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, ["item_reference"]),
        ({"input": [{"id": "msg_1"}]}, ["item_reference"]),
        ({"background": False}, []),
    ],
)
def test_what_openai_keeps_for_its_clients_is_for_openai_only(fields: dict[str, Any], names: list[str]) -> None:
    asked = decode(**fields)
    assert asked.native_only == names
    assert canonical(encode_request(asked)) == canonical({"model": "m", "input": "hi", **fields})


@pytest.mark.parametrize(
    "field",
    [
        {"store": False},
        {"truncation": "disabled"},
        {"stream_options": {"include_usage": True}},
        {"include": ["web_search_call.action.sources"]},
        {"service_tier": "auto"},
        {"text": {"verbosity": "medium"}},
        {"top_logprobs": 0},
    ],
)
def test_what_asks_for_nothing_is_no_loss(field: dict[str, Any]) -> None:
    asked = decode(**field)
    CHAT.encode_request(asked)
    if "top_logprobs" not in field:
        assert asked.dropped == []
    assert encode_request(decode(**field)).items() >= field.items()


def test_what_only_openai_can_do_is_recorded() -> None:
    asked = decode(store=True, truncation="auto", max_tool_calls=3, text={"verbosity": "high"}, prompt_cache_key="k")
    MESSAGES.encode_request(asked)
    assert sorted(asked.dropped) == ["max_tool_calls", "prompt_cache_key", "store", "text.verbosity", "truncation"]


def test_log_probabilities_are_asked_for_in_include() -> None:
    asked = decode(include=["message.output_text.logprobs"], top_logprobs=3)
    assert (asked.logprobs, asked.top_logprobs) == (True, 3)
    assert encode_request(asked)["include"] == ["message.output_text.logprobs"]
    assert decode(top_logprobs=3).top_logprobs is None


def test_the_echo_is_neither_reported_nor_sent() -> None:
    asked = decode_request(CODEX)
    assert echo_of(asked)["tools"] is CODEX["tools"]
    assert echo_of(asked)["text"] == {"verbosity": "low"}
    assert "_echo" not in encode_request(asked)
    assert echo_of(request(user())) == {}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"input": [3]}, "input[0]"),
        ({"input": [{}]}, "input[0].type"),
        ({"input": [{"type": 3}]}, "input[0].type"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
        ({"input": [{"type": "reasoning", "summary": "x"}]}, "input[0].summary"),
        ({"instructions": ["x"]}, "instructions"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "namespace", "tools": [{"type": "function", "name": "f"}]}]}, "tools[0].name"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 3}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"max_output_tokens": "x"}, "max_output_tokens"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"include": "x"}, "include"),
        ({"model": None}, "model"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).details["param"] == param


# tools


def test_flat_names_are_short_and_unique() -> None:
    def nested(namespace: str, name: str) -> dict[str, Any]:
        return {"type": "namespace", "name": namespace, "tools": [{"type": "function", "name": name}]}

    plain = {"type": "function", "name": "crm__get"}
    pairs = [("crm", "get"), ("n" * 60, "tool"), ("a__b", "c"), ("a", "b__c"), ("a.b", "c d")]
    asked = decode(tools=[plain, *(nested(*pair) for pair in pairs)])
    names = [tool.name for tool in asked.tools]
    assert len({*names}) == 6
    assert all(len(name) <= 64 and name.isascii() for name in names)
    assert sorted(native_names(asked).values()) == sorted(pairs)
    assert canonical(encode_request(asked)["tools"]) == canonical([plain, *(nested(*pair) for pair in pairs)])


def test_a_choice_finds_the_tool_in_its_namespace() -> None:
    tools = CODEX["tools"]
    asked = decode(tools=tools, tool_choice={"type": "function", "name": "get_customer"})
    assert asked.tool_choice == ToolChoice(mode="tool", name="crm__get_customer")
    allowed = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "shell"}, {"type": "web_search"}],
    }
    asked = decode(tools=tools, tool_choice=allowed)
    assert asked.tool_choice == ToolChoice(mode="required", allowed=["shell", "web_search"])
    assert encode_request(asked)["tool_choice"] == allowed
    asked.tool_choice.allowed = ["crm__get_customer", "apply_patch", "web_search"]
    assert encode_request(asked)["tool_choice"]["tools"] == [
        {"type": "function", "name": "get_customer", "namespace": "crm"},
        {"type": "custom", "name": "apply_patch"},
        {"type": "web_search"},
    ]


def test_the_choice_of_a_hosted_tool_is_openais_alone() -> None:
    choice = {"type": "mcp", "server_label": "wiki"}
    asked = decode(tools=[{"type": "mcp", "server_label": "wiki", "server_url": "https://x"}], tool_choice=choice)
    assert asked.tool_choice is None
    assert encode_request(asked)["tool_choice"] == choice
    CHAT.encode_request(asked)
    assert sorted(asked.dropped) == ["tool_choice", "tools.wiki"]


def test_tools_of_other_clients_are_not_strict_unless_they_say_so() -> None:
    body = sent(
        user(),
        tools=[
            Tool(name="f", description="F", parameters=SCHEMA),
            Tool(name="g", strict=True),
            Tool(name="h", kind="custom"),
        ],
        tool_choice=ToolChoice(mode="tool", name="h"),
        parallel_tool_calls=False,
    )
    assert body["tools"] == [
        {"type": "function", "name": "f", "description": "F", "parameters": SCHEMA, "strict": False},
        {"type": "function", "name": "g", "parameters": {"type": "object", "properties": {}}, "strict": True},
        {"type": "custom", "name": "h"},
    ]
    assert body["tool_choice"] == {"type": "custom", "name": "h"}
    assert body["parallel_tool_calls"] is False


def test_other_providers_tools_are_dropped_with_the_choice_among_them() -> None:
    search = Tool(name="search", kind="native", native_format="anthropic", native={"type": "web_search_20250305"})
    asked = request(user(), tools=[search], tool_choice=ToolChoice(mode="required"))
    assert not {"tools", "tool_choice"} & checked(encode_request(asked)).keys()
    assert asked.dropped == ["tools.search"]
    asked = request(user(), tools=[search, Tool(name="f")], tool_choice=ToolChoice(mode="auto", allowed=["f", "x"]))
    assert encode_request(asked)["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "f"}],
    }
    assert asked.dropped == ["tools.search", "tool_choice.allowed_tools"]
    asked = request(user(), tools=[search, Tool(name="f")], tool_choice=ToolChoice(mode="auto", allowed=["search"]))
    assert encode_request(asked)["tool_choice"] == "none"


# to an upstream, from clients of other formats


def test_a_conversation_becomes_items_in_order() -> None:
    body = sent(
        system("Be brief."),
        user(),
        says(
            ReasoningPart(text="Hm", data="enc", origin=RESPONSES, id="rs_1"),
            TextPart(text="Let me see."),
            ToolCallPart(id="c1", name="f", arguments=""),
            ToolCallPart(id="c2", name="g", arguments="free", kind="custom"),
        ),
        user(
            ToolResultPart(tool_call_id="c1", content=[TextPart(text="1"), TextPart(text="2")]),
            ToolResultPart(tool_call_id="c2", content=[TextPart(text="no")], is_error=True),
            TextPart(text="And?"),
        ),
    )
    assert body == {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "user", "content": "hi"},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Hm"}],
                "encrypted_content": "enc",
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Let me see.", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free"},
            {"type": "function_call_output", "call_id": "c1", "output": "1\n2"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "Error: no"},
            {"type": "message", "role": "user", "content": "And?"},
        ],
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }


def test_media_stay_in_the_result_of_a_tool() -> None:
    picture = MediaPart(kind="image", media_type="image/png", data=PNG)
    body = sent(user(ToolResultPart(tool_call_id="c", content=[picture], is_error=True)))
    assert body["input"][0]["output"] == [
        {"type": "input_text", "text": "Error:"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
    ]


def test_media_are_written() -> None:
    body = sent(
        user(
            MediaPart(kind="image", url="https://example.org/a.png", detail="high"),
            MediaPart(kind="file", media_type="application/pdf", data=PNG),
            MediaPart(kind="file", url="https://example.org/a.pdf"),
        )
    )
    assert body["input"][0]["content"] == [
        {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "high"},
        {"type": "input_file", "file_data": f"data:application/pdf;base64,{PNG}", "filename": "document.pdf"},
        {"type": "input_file", "file_url": "https://example.org/a.pdf"},
    ]


@pytest.mark.parametrize(
    "part",
    [
        MediaPart(kind="audio", media_type="audio/wav", data=PNG),
        MediaPart(kind="video", url="https://example.org/a.mp4"),
        MediaPart(kind="image", file_id="file_anthropic"),
        MediaPart(kind="file", url="gs://bucket/a.pdf"),
    ],
)
def test_media_that_cannot_be_sent_are_refused(part: MediaPart) -> None:
    with pytest.raises(InvalidRequestError, match=r"^messages\[0\]\.content: the Responses API does not take"):
        encode_request(request(user(part)))


def test_system_text_alone_is_input() -> None:
    body = sent(system("Tell a joke."))
    assert body["input"] == [{"type": "message", "role": "system", "content": "Tell a joke."}]
    assert "instructions" not in body


def test_a_system_message_amid_the_conversation_keeps_its_place() -> None:
    body = sent(system("a"), system("b"), user(), system("c"))
    assert body["instructions"] == "a\n\nb"
    assert [item["role"] for item in body["input"]] == ["user", "system"]


def test_thoughts_of_others_and_unsigned_ones_stay_behind() -> None:
    asked = request(
        user(),
        says(
            ReasoningPart(text="a", signature="s", origin="anthropic"),
            ReasoningPart(text="b"),
            ReasoningPart(text="c", origin=RESPONSES, id="rs_1"),
            NativePart(format="anthropic", data={"type": "server_tool_use"}),
            MediaPart(kind="image", data=PNG),
            TextPart(text=""),
        ),
    )
    assert checked(encode_request(asked))["input"] == [{"type": "message", "role": "user", "content": "hi"}]
    assert asked.dropped == ["reasoning", "signature", "server_tool_use", "messages.content.media"]


def test_sources_and_refusals_go_along() -> None:
    page = Citation(url="https://example.org", title="E", start=1, end=3)
    asked = request(
        user(),
        says(TextPart(text="abc", citations=[page, Citation(title="a book")]), RefusalPart(text="No.")),
    )
    assert checked(encode_request(asked))["input"][1]["content"] == [
        {
            "type": "output_text",
            "text": "abc",
            "annotations": [
                {"type": "url_citation", "url": "https://example.org", "title": "E", "start_index": 1, "end_index": 3}
            ],
        },
        {"type": "refusal", "refusal": "No."},
    ]
    assert asked.dropped == ["citations"]


def test_what_the_api_lacks_is_recorded() -> None:
    asked = request(
        user(),
        stop=["x"],
        seed=0,
        top_k=1,
        presence_penalty=1,
        frequency_penalty=0,
        logit_bias={"1": 1},
        max_tokens=1,
        extras={"anthropic": {"service_tier": "auto"}},
    )
    asked.messages[0].extras = {"anthropic": {"cache_control": {}}}
    assert checked(encode_request(asked))["max_output_tokens"] == 16
    assert asked.dropped == [
        "stop",
        "presence_penalty",
        "logit_bias",
        "seed",
        "top_k",
        "cache_control",
        "service_tier",
        "max_tokens",
    ]


def test_several_answers_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="one answer per request"):
        encode_request(request(user(), n=2))


def test_the_form_of_the_output_is_asked_for() -> None:
    body = sent(
        user(), response_format=ResponseFormat(type="json_schema", name="a b", schema=SCHEMA), logprobs=True, n=1
    )
    assert body["text"] == {"format": {"type": "json_schema", "name": "response", "schema": SCHEMA}}
    assert body["include"] == ["message.output_text.logprobs", "reasoning.encrypted_content"]
    body = sent(user(), response_format=ResponseFormat(type="json_object"))
    assert body["text"] == {"format": {"type": "json_object"}}


@pytest.mark.parametrize(
    ("wanted", "spelled"),
    [
        (ReasoningSettings(mode="off"), {"effort": "none"}),
        (ReasoningSettings(mode="on"), {"effort": "medium", "summary": "auto"}),
        (ReasoningSettings(mode="on", budget_tokens=4096), {"effort": "low", "summary": "auto"}),
        (ReasoningSettings(mode="on", budget_tokens=31999), {"effort": "high", "summary": "auto"}),
        (ReasoningSettings(mode="adaptive"), {"summary": "auto"}),
        (ReasoningSettings(effort="max", visible=False), {"effort": "max"}),
    ],
)
def test_thinking_is_translated(wanted: ReasoningSettings, spelled: dict[str, Any]) -> None:
    body = sent(user(), reasoning=wanted)
    assert body["reasoning"] == spelled
    assert ("include" in body) == (wanted.mode != "off")


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ({"effort": "none"}, ReasoningSettings(mode="off")),
        ({"effort": "low"}, ReasoningSettings(mode="on", effort="low")),
        ({"effort": None, "summary": None}, None),
        ({"summary": "auto"}, ReasoningSettings(visible=True, extras={RESPONSES: {"_summaries": {"summary": "auto"}}})),
        (
            {"summary": "none"},
            ReasoningSettings(visible=False, extras={RESPONSES: {"_summaries": {"summary": "none"}}}),
        ),
        ({}, None),
    ],
)
def test_thinking_is_read(spelled: dict[str, Any], meant: ReasoningSettings | None) -> None:
    assert decode(reasoning=spelled).reasoning == meant


def test_settings_of_thinking_that_only_openai_has_are_recorded() -> None:
    asked = decode(reasoning={"effort": "tomorrow", "mode": "pro", "generate_summary": "concise"})
    assert asked.reasoning is not None
    assert asked.reasoning.visible
    assert encode_request(asked)["reasoning"] == {"effort": "tomorrow", "mode": "pro", "generate_summary": "concise"}
    CHAT.encode_request(asked)
    assert asked.dropped == ["reasoning.mode", "reasoning.effort"]


def test_the_user_is_named() -> None:
    assert len(sent(user(), user="u" * 65)["user"]) == 64
    asked = decode(safety_identifier="abc")
    assert asked.user == "abc"
    assert encode_request(asked)["safety_identifier"] == "abc"
    assert "user" not in encode_request(asked)


def test_long_call_ids_are_shortened_alike() -> None:
    body = sent(says(ToolCallPart(id="x" * 65, name="f")), user(ToolResultPart(tool_call_id="x" * 65, content=[])))
    call, result = body["input"]
    assert call["call_id"] == result["call_id"]
    assert len(call["call_id"]) <= 64
    assert result["output"] == ""


# counting


def test_tokens_are_counted() -> None:
    asked = decode_count_request({"model": "m", "instructions": "x", "stream": True, "store": False})
    assert encode_count_request(asked) == {"model": "m", "instructions": "x"}
    asked = request(system("x"), user(), max_tokens=3, reasoning=ReasoningSettings(effort="low"))
    assert encode_count_request(asked) == {
        "model": "m",
        "instructions": "x",
        "input": [{"type": "message", "role": "user", "content": "hi"}],
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    assert encode_token_count(TokenCount(input_tokens=3)) == {"object": "response.input_tokens", "input_tokens": 3}
    assert decode_token_count({"object": "response.input_tokens", "input_tokens": 3}) == TokenCount(input_tokens=3)
    with pytest.raises(BackendError):
        decode_token_count({"input_tokens": "many"})


# one format through the domain and back

TEXT = st.text(max_size=8)
WORD = st.text("abc_", min_size=1, max_size=8)
FLAG = st.booleans()
VALUE = st.one_of(FLAG, st.integers(-9, 9), TEXT, st.lists(TEXT, max_size=2), st.dictionaries(WORD, TEXT, max_size=2))
UNKNOWN = {"x_new": VALUE, "x_other": VALUE}


def fields(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


def tagged(kind: str, required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return fields({"type": st.just(kind), **required}, **optional)


IMAGE_URL = st.sampled_from(["https://example.org/a.png", f"data:image/png;base64,{PNG}"])
FILE = st.sampled_from([{"file_id": "f"}, {"file_data": PNG, "filename": "a.pdf"}, {"file_url": "https://example.org"}])
ODD_PART = tagged("tomorrow", {}, **UNKNOWN)
SHOWN = st.one_of(
    tagged("input_text", {"text": TEXT}, **UNKNOWN),
    tagged("input_image", {"image_url": IMAGE_URL, "detail": st.just("low")}, **UNKNOWN),
    tagged("input_image", {"file_id": WORD, "detail": st.just("original")}),
    FILE.map(lambda file: {"type": "input_file", **file}),
    ODD_PART,
)
PAGE = tagged(
    "url_citation",
    {"url": st.just("https://example.org"), "title": WORD, "start_index": st.just(0), "end_index": st.just(1)},
)
ANNOTATION = PAGE | tagged("file_citation", {"file_id": WORD, "index": st.just(0)})
SPOKEN = st.one_of(
    tagged(
        "output_text",
        {"text": TEXT, "annotations": st.just([]) | PAGE.map(lambda page: [page]) | st.lists(ANNOTATION, max_size=1)},
        logprobs=st.just([{"token": "a"}]),
        **UNKNOWN,
    ),
    tagged("refusal", {"refusal": TEXT}, **UNKNOWN),
    ODD_PART,
)
STATUS = st.just("completed")
DIRECT = st.just({"type": "direct"})
MESSAGE = st.one_of(
    tagged(
        "message",
        {"role": st.sampled_from(["user", "system", "developer"]), "content": TEXT | st.lists(SHOWN, max_size=3)},
        id=WORD,
        status=STATUS,
        **UNKNOWN,
    ),
    tagged(
        "message",
        {"role": st.just("assistant"), "content": TEXT | st.lists(SPOKEN, max_size=3)},
        id=WORD,
        status=STATUS,
        phase=st.just("commentary"),
        **UNKNOWN,
    ),
)
SUMMARY = st.lists(tagged("summary_text", {"text": TEXT}), max_size=2)
REASONING = tagged(
    "reasoning",
    {"summary": SUMMARY},
    id=WORD,
    encrypted_content=st.text("abc", min_size=1, max_size=4),
    content=st.lists(tagged("reasoning_text", {"text": TEXT}), min_size=1, max_size=1),
    **UNKNOWN,
)
OUTPUT = TEXT | st.lists(SHOWN, min_size=1, max_size=2)
NEW_ITEM = tagged("tomorrow_call", {"id": WORD}, **UNKNOWN)
CALLS = st.one_of(
    tagged(
        "function_call",
        {"call_id": WORD, "name": WORD, "arguments": st.sampled_from(["{}", '{"a":1', '{"a": 1}'])},
        id=WORD,
        namespace=WORD,
        status=STATUS,
        caller=DIRECT,
        **UNKNOWN,
    ),
    tagged("custom_tool_call", {"call_id": WORD, "name": WORD, "input": TEXT}, namespace=WORD, **UNKNOWN),
    tagged("function_call_output", {"call_id": WORD, "output": OUTPUT}, name=WORD, namespace=WORD, id=WORD, **UNKNOWN),
    tagged("function_call_output", {"output": TEXT}),
    tagged("custom_tool_call_output", {"call_id": WORD, "output": OUTPUT}, id=WORD, **UNKNOWN),
)
FUNCTION = tagged("function", {"name": WORD}, description=TEXT, parameters=st.just(SCHEMA), strict=FLAG, **UNKNOWN)
CUSTOM = tagged(
    "custom", {"name": WORD}, description=TEXT, format=st.sampled_from([{"type": "text"}, {"type": "grammar"}])
)
NAMESPACE = tagged("namespace", {"name": WORD, "tools": st.lists(FUNCTION | CUSTOM, max_size=2)}, description=TEXT)
HOSTED = tagged("web_search", {}, **UNKNOWN) | tagged("mcp", {"server_label": WORD}, **UNKNOWN)
TOOLS = st.lists(
    FUNCTION | CUSTOM | NAMESPACE | HOSTED, min_size=1, max_size=4, unique_by=lambda tool: str(tool.get("name"))
)
NAMED = tagged("function", {"name": WORD}, **UNKNOWN)
CHOICE = st.one_of(
    st.sampled_from(["auto", "none", "required"]),
    NAMED,
    tagged("custom", {"name": WORD}),
    tagged("allowed_tools", {"mode": st.just("auto"), "tools": st.lists(NAMED | HOSTED, min_size=1, max_size=2)}),
    HOSTED,
)
FORM = st.sampled_from([{"type": "text"}, {"type": "json_object"}, {"type": "tomorrow", "x": 1}]) | tagged(
    "json_schema", {"name": WORD}, schema=st.just(SCHEMA), strict=FLAG, description=TEXT
)
EFFORT = st.sampled_from(["none", "minimal", "xhigh", "tomorrow"])
REQUEST = fields(
    {"model": WORD, "input": TEXT | st.lists(MESSAGE | REASONING | CALLS | NEW_ITEM, min_size=1, max_size=5)},
    instructions=st.text(min_size=1, max_size=3),
    tools=TOOLS,
    tool_choice=CHOICE,
    parallel_tool_calls=FLAG,
    max_output_tokens=st.integers(1, 9),
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1),
    top_logprobs=st.integers(0, 9),
    include=st.lists(st.sampled_from(["message.output_text.logprobs", "tomorrow"]), min_size=1, max_size=2),
    reasoning=fields({"effort": EFFORT}, summary=st.just("concise"), context=WORD),
    text=fields({"format": FORM}, verbosity=st.sampled_from(["low", "medium"]), **UNKNOWN),
    store=FLAG,
    background=FLAG,
    service_tier=st.sampled_from(["auto", "flex"]),
    truncation=st.sampled_from(["auto", "disabled"]),
    previous_response_id=WORD,
    prompt=st.just({"id": "p"}),
    stream_options=st.just({"include_obfuscation": False}),
    user=WORD,
    safety_identifier=WORD,
    metadata=st.dictionaries(WORD, TEXT, min_size=1, max_size=2),
    stream=FLAG,
    **UNKNOWN,
)


def canonical(value: Any) -> Any:
    """What says the same, said alike: a list of one for a text, messages with their type, no null."""
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: canonical(item) for name, item in value.items() if item is not None}
    if kept.get("stream") is False:
        kept.pop("stream")
    if kept.get("type") == "output_text":
        kept = {name: item for name, item in kept.items() if name not in ("annotations", "logprobs") or item}
    if isinstance(kept.get("input"), str) and "model" in kept:
        kept["input"] = canonical([{"role": "user", "content": kept["input"]}])
    if "role" in kept:
        kept["type"] = "message"
    for name in ("content", "output"):
        if isinstance(kept.get(name), str) and kept.get("type") != "tomorrow_call":
            kind = "output_text" if kept.get("role") == "assistant" else "input_text"
            kept[name] = [{"type": kind, "text": kept[name]}]
    return kept


@settings(max_examples=300, deadline=None)
@given(REQUEST)
def test_a_request_keeps_its_meaning(body: dict[str, Any]) -> None:
    before = copy.deepcopy(body)
    asked = decode_request(body)
    assert canonical(encode_request(asked)) == canonical(body)
    assert asked.dropped == []
    assert body == before


@settings(max_examples=100, deadline=None)
@given(REQUEST)
def test_a_request_survives_elsewhere_and_the_dump_of_a_connector(body: dict[str, Any]) -> None:
    asked = decode_request(body)
    again = DomainRequest.model_validate(asked.model_dump())
    assert encode_request(again) == encode_request(asked)
    for target in (CHAT, MESSAGES):
        with contextlib.suppress(InvalidRequestError):  # a file that OpenAI keeps
            target.encode_request(asked)
    assert not any(name.startswith(("_", "reasoning._")) for name in asked.dropped)


ODD = st.none() | FLAG | st.integers() | TEXT | st.sampled_from([[], {}, [[]], [{}], {"type": []}, [{"type": {}}]])
CHOSEN = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "shell"}]}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [path, *(deeper for key in keys for deeper in paths(value[key], (*path, key)))]


FULL = {**CODEX, "tool_choice": CHOSEN, "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(paths(FULL)[1:]), ODD)
def test_a_field_of_any_other_type_is_understood_or_refused(path: tuple[Any, ...], odd: Any) -> None:
    body = copy.deepcopy(FULL)
    place: Any = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = odd
    with contextlib.suppress(InvalidRequestError):
        asked = decode_request(body)
        encode_request(asked)
        CHAT.encode_request(asked)
        MESSAGES.encode_request(asked)
