"""The request side of Gemini's format, against the official SDK's own types."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st
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
from proxy_core.formats.gemini.count import (
    decode_count_request,
    decode_token_count,
    encode_count_request,
    encode_token_count,
)
from proxy_core.formats.gemini.ids import is_minted, minted_id
from proxy_core.formats.gemini.request import decode_request
from proxy_core.formats.gemini.request_encode import encode_request
from proxy_core.formats.gemini.schema import json_schema
from proxy_core.formats.gemini.signatures import UNSIGNED
from proxy_core.formats.openai import OpenAIFormat

CHAT, MESSAGES = OpenAIFormat(), AnthropicFormat()
SIGNATURE = "c2lnbmF0dXJl"
PNG = "iVBORw0KGgo="
HELLO = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
OPENAPI = {"type": "OBJECT", "properties": {"city": {"type": "STRING", "nullable": True}}, "propertyOrdering": ["city"]}
SCHEMA = {"type": "object", "properties": {"city": {"type": ["string", "null"]}}}


def sdk_check(body: dict[str, Any]) -> None:
    """Let the SDK's types, which forbid unknown fields, read a body that was made for the upstream."""
    TypeAdapter(list[types.Content]).validate_python(body["contents"])
    TypeAdapter(list[types.Tool]).validate_python(body.get("tools", []))
    TypeAdapter(types.ToolConfig).validate_python(body.get("toolConfig", {}))
    TypeAdapter(types.GenerationConfig).validate_python(body.get("generationConfig", {}))
    TypeAdapter(types.Content).validate_python(body.get("systemInstruction", {}))
    assert json.loads(json.dumps(body)) == body


def encode(*messages: Message, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    """A request from nobody in particular."""
    request = DomainRequest(model="gemini-2.5-flash", messages=list(messages), source_format="openai", **fields)
    body = encode_request(request)
    sdk_check(body)
    return body, request.dropped


def user(*parts: Part | str) -> Message:
    return Message(role="user", content=[TextPart(text=part) if isinstance(part, str) else part for part in parts])


def assistant(*parts: Part | str) -> Message:
    return Message(role="assistant", content=[TextPart(text=part) if isinstance(part, str) else part for part in parts])


def decode(*parts: dict[str, Any], role: str = "model") -> list[Part]:
    return decode_request({"contents": [{"role": role, "parts": list(parts)}]}).messages[0].content


def refused(body: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        decode_request(body)
    return caught.value.message


# decoding


def test_a_request_is_read_whole() -> None:
    request = decode_request(
        {
            **HELLO,
            "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]},
            "generationConfig": {
                "temperature": 0.5,
                "topP": 0.9,
                "topK": 40.0,
                "candidateCount": 2,
                "maxOutputTokens": "100",
                "stopSequences": ["END"],
                "seed": 7,
                "presencePenalty": 0.1,
                "frequencyPenalty": 0.2,
                "responseLogprobs": True,
                "logprobs": 3,
            },
            "labels": {"team_name": "a"},
        }
    )
    assert [(message.role, message.text) for message in request.messages] == [
        ("system", "Be brief."),
        ("user", "Hello"),
    ]
    assert (request.model, request.stream, request.source_format) == ("", False, "gemini")
    assert (request.temperature, request.top_p, request.top_k, request.n) == (0.5, 0.9, 40, 2)
    assert (request.max_tokens, request.stop, request.seed) == (100, ["END"], 7)
    assert (request.presence_penalty, request.frequency_penalty) == (0.1, 0.2)
    assert (request.logprobs, request.top_logprobs) == (True, 3)
    assert request.metadata == {"team_name": "a"}


def test_snake_case_says_the_same_as_camel_case() -> None:
    snake = decode_request(
        {
            "contents": [
                {"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": PNG}}]},
                {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"snake_key": 1}}}]},
            ],
            "system_instruction": {"parts": {"text": "Be brief."}},
            "tools": {"function_declarations": [{"name": "f", "parameters_json_schema": {"type": "object"}}]},
            "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f", "g"]}},
            "generation_config": {"max_output_tokens": 5, "thinking_config": {"include_thoughts": True}},
        }
    )
    camel = decode_request(
        {
            "contents": [
                {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"snake_key": 1}}}]},
            ],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "any", "allowedFunctionNames": ["f", "g"]}},
            "generationConfig": {"maxOutputTokens": 5, "thinkingConfig": {"includeThoughts": True}},
        }
    )
    assert snake == camel
    call = snake.messages[2].content[0]
    assert isinstance(call, ToolCallPart)
    assert json.loads(call.arguments) == {"snake_key": 1}


def test_what_users_name_keeps_its_spelling() -> None:
    schema = {"type": "OBJECT", "properties": {"max_items": {"type": "STRING"}}, "max_properties": "3"}
    assert json_schema(schema) == {
        "type": "object",
        "properties": {"max_items": {"type": "string"}},
        "maxProperties": 3,
    }


def test_a_system_instruction_may_be_a_string() -> None:
    assert decode_request({**HELLO, "system_instruction": "Be brief."}).messages[0].text == "Be brief."


def test_turns_without_a_role_are_the_users() -> None:
    body = {"contents": [{"parts": [{"text": "Hello"}]}]}
    request = decode_request(body)
    assert request.messages[0].role == "user"
    assert encode_request(request) == body


def test_media_become_images_sound_films_and_documents() -> None:
    parts = decode(
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/a.mp4"}},
        {"fileData": {"fileUri": "https://example.org/a.pdf"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x", "mimeType": "text/csv"}},
        {"fileData": {"fileUri": "https://youtu.be/x"}},
        role="user",
    )
    assert [part.kind for part in parts if isinstance(part, MediaPart)] == [
        "image",
        "audio",
        "video",
        "file",
        "file",
        "video",
    ]
    assert [part.url for part in parts[2:] if isinstance(part, MediaPart)] == [
        None,
        "https://example.org/a.pdf",
        None,
        "https://youtu.be/x",
    ]


def test_data_in_the_urls_alphabet_reaches_others_in_the_standard_one() -> None:
    blob = types.Part.from_bytes(data=b"\xfb\xff\xfe", mime_type="image/png").model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    part = decode(blob, role="user")[0]
    assert isinstance(part, MediaPart)
    assert part.data == "+//+"


def test_calls_without_ids_get_the_same_ids_in_every_turn() -> None:
    contents = [
        {"role": "user", "parts": [{"text": "Weather?"}]},
        {
            "role": "model",
            "parts": [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "f", "args": {"a": 1}}}],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"output": "one"}}},
                {"functionResponse": {"name": "f", "response": {"output": "two"}}},
            ],
        },
    ]
    request = decode_request({"contents": contents})
    later = decode_request({"contents": [*contents, {"role": "model", "parts": [{"text": "Fine."}]}]})
    calls = [part.id for part in request.messages[1].content if isinstance(part, ToolCallPart)]
    results = [part.tool_call_id for part in request.messages[2].content if isinstance(part, ToolResultPart)]
    assert calls == results
    assert len(set(calls)) == 2
    assert all(is_minted(identifier) for identifier in calls)
    assert later.messages[:3] == request.messages
    assert encode_request(request)["contents"][2] == contents[2]


def test_results_find_their_calls_by_id_whatever_their_order() -> None:
    contents = [
        {"role": "model", "parts": [{"functionCall": {"id": name, "name": "f"}} for name in ("a", "b")]},
        {"parts": [{"functionResponse": {"id": name, "name": "f", "response": {}}} for name in ("b", "a")]},
    ]
    results = decode_request({"contents": contents}).messages[1].content
    assert [part.tool_call_id for part in results if isinstance(part, ToolResultPart)] == ["b", "a"]


@pytest.mark.parametrize(
    ("response", "text", "is_error"),
    [
        ({"output": "sunny"}, "sunny", False),
        ({"result": "sunny"}, "sunny", False),
        ({"error": "no such city"}, "no such city", True),
        ({"output": {"temp": 3}}, '{"temp":3}', False),
        ({"temp": 3, "output": "x"}, '{"temp":3,"output":"x"}', False),
        ({"output": 0}, "0", False),
        ({}, "", False),
        (None, "", False),
    ],
)
def test_results_of_functions_become_text(response: Any, text: str, is_error: bool) -> None:
    body = {"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": response}}]}]}
    request = decode_request(body)
    result = request.messages[0].content[0]
    assert isinstance(result, ToolResultPart)
    assert "".join(part.text for part in result.content if isinstance(part, TextPart)) == text
    assert result.is_error is is_error
    again = encode_request(request)["contents"][0]["parts"][0]["functionResponse"]
    assert again == {"name": "f", "response": response or {}}


def test_media_in_a_result_are_parts_of_it() -> None:
    inner = [{"inlineData": {"mimeType": "image/png", "data": PNG, "displayName": "a.png"}}]
    part = {"functionResponse": {"name": "f", "response": {"output": "see"}, "parts": inner}}
    body = {"contents": [{"role": "user", "parts": [part]}]}
    request = decode_request(body)
    result = request.messages[0].content[0]
    assert isinstance(result, ToolResultPart)
    assert result.content[1] == MediaPart(kind="image", media_type="image/png", data=PNG, filename="a.png")
    assert encode_request(request) == body


def test_what_only_gemini_has_is_kept_whole() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": SIGNATURE}
    image = {"inlineData": {"mimeType": "image/png", "data": PNG}, "thought": True}
    assert decode(code, image) == [NativePart(format="gemini", data=code), NativePart(format="gemini", data=image)]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"thinkingBudget": 0}, ReasoningSettings(mode="off")),
        ({"thinkingBudget": -1}, ReasoningSettings(mode="adaptive")),
        (
            {"thinkingBudget": 512, "includeThoughts": True},
            ReasoningSettings(mode="on", budget_tokens=512, visible=True),
        ),
        ({"thinkingLevel": "HIGH"}, ReasoningSettings(effort="high")),
        ({"thinkingLevel": "low", "includeThoughts": False}, ReasoningSettings(effort="low", visible=False)),
        ({"thinkingLevel": 2}, ReasoningSettings(effort="medium")),
        ({"includeThoughts": True}, ReasoningSettings(visible=True)),
    ],
)
def test_thinking_settings_are_understood_and_kept(config: dict[str, Any], expected: ReasoningSettings) -> None:
    request = decode_request({**HELLO, "generationConfig": {"thinkingConfig": config}})
    assert request.reasoning is not None
    expected.extras = request.reasoning.extras
    assert request.reasoning == expected
    assert encode_request(request)["generationConfig"] == {"thinkingConfig": config}


def test_settings_that_a_hook_has_changed_are_written_anew() -> None:
    request = decode_request(
        {
            **HELLO,
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}, "responseMimeType": "application/json"},
            "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}},
            "tools": [{"functionDeclarations": [{"name": "f", "parameters": OPENAPI}]}],
        }
    )
    assert request.reasoning is not None
    request.reasoning.effort = "low"
    request.response_format = ResponseFormat(type="json_schema", schema=SCHEMA)
    request.tool_choice = ToolChoice(mode="none")
    request.tools[0].parameters = {"type": "object"}
    body = encode_request(request)
    sdk_check(body)
    assert body["generationConfig"] == {
        "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True},
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "NONE"}}
    assert body["tools"] == [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"responseMimeType": "application/json"}, ResponseFormat(type="json_object")),
        ({"responseMimeType": "text/plain"}, ResponseFormat(type="text")),
        (
            {"responseMimeType": "application/json", "responseSchema": OPENAPI},
            ResponseFormat(type="json_schema", schema=SCHEMA),
        ),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
            ResponseFormat(type="json_schema", schema=SCHEMA),
        ),
        (
            {"responseMimeType": "application/json", "_responseJsonSchema": SCHEMA},
            ResponseFormat(type="json_schema", schema=SCHEMA),
        ),
        ({"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}, None),
    ],
)
def test_formats_of_answers_are_understood_and_kept(config: dict[str, Any], expected: ResponseFormat | None) -> None:
    request = decode_request({**HELLO, "generationConfig": config})
    assert request.response_format == expected
    assert encode_request(request)["generationConfig"] == config


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"mode": "AUTO"}, ToolChoice(mode="auto")),
        ({"mode": "ANY"}, ToolChoice(mode="required")),
        ({"mode": 2, "allowedFunctionNames": ["f"]}, ToolChoice(mode="tool", name="f")),
        ({"mode": "any", "allowedFunctionNames": ["f", "g"]}, ToolChoice(mode="required", allowed=["f", "g"])),
        ({"mode": "NONE"}, ToolChoice(mode="none")),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice(mode="auto", allowed=["f"])),
        ({"mode": "MODE_UNSPECIFIED"}, None),
    ],
)
def test_choices_of_tools_are_understood_and_kept(config: dict[str, Any], expected: ToolChoice | None) -> None:
    request = decode_request({**HELLO, "toolConfig": {"functionCallingConfig": config}})
    assert request.tool_choice == expected
    assert encode_request(request)["toolConfig"] == {"functionCallingConfig": config}


def test_tools_are_functions_and_native_tools_in_the_objects_they_came_in() -> None:
    tools = [
        {"functionDeclarations": [{"name": "f", "description": "d", "parameters": OPENAPI}, {"name": "g"}]},
        {"googleSearch": {}, "codeExecution": {}},
        {"functionDeclarations": [{"name": "h", "parametersJsonSchema": SCHEMA, "behavior": "BLOCKING"}]},
    ]
    request = decode_request({**HELLO, "tools": tools})
    assert [(tool.name, tool.kind) for tool in request.tools] == [
        ("f", "function"),
        ("g", "function"),
        ("googleSearch", "native"),
        ("codeExecution", "native"),
        ("h", "function"),
    ]
    assert [tool.parameters for tool in request.tools] == [SCHEMA, None, None, None, SCHEMA]
    assert encode_request(request)["tools"] == tools
    MESSAGES.encode_request(request)
    assert request.dropped == ["behavior", "tools.googleSearch", "tools.codeExecution"]


def test_other_settings_of_tools_are_kept() -> None:
    body = {**HELLO, "toolConfig": {"retrievalConfig": {"languageCode": "en"}}}
    request = decode_request(body)
    assert encode_request(request) == body
    CHAT.encode_request(request)
    assert request.dropped == ["toolConfig"]


def test_cached_content_is_for_gemini_alone() -> None:
    body = {**HELLO, "cachedContent": "cachedContents/x"}
    request = decode_request(body)
    assert request.native_only == ["cachedContent"]
    assert encode_request(request) == body


def test_what_others_cannot_carry_is_recorded_by_its_own_name() -> None:
    request = decode_request(
        {
            **HELLO,
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
            "generationConfig": {"speechConfig": {"voiceConfig": {}}, "responseModalities": ["AUDIO"]},
        }
    )
    CHAT.encode_request(request)
    assert sorted(request.dropped) == [
        "generationConfig.responseModalities",
        "generationConfig.speechConfig",
        "safetySettings",
    ]


def test_schemas_become_json_schemas() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "enum": ["a"], "nullable": True, "format": "enum"},
            "any": {"type": "TYPE_UNSPECIFIED", "description": "d"},
            "list": {"type": 5, "items": {"type": "INTEGER"}, "minItems": "1", "example": [1]},
            "either": {"any_of": [{"type": "NUMBER"}, {"type": "BOOLEAN"}], "nullable": True},
            "pet": {"ref": "#/defs/Pet", "nullable": True},
        },
        "required": ["list"],
        "propertyOrdering": ["list", "type"],
        "defs": {"Pet": {"type": "STRING"}},
    }
    assert json_schema(schema) == {
        "type": "object",
        "properties": {
            "type": {"type": ["string", "null"], "enum": ["a", None], "format": "enum"},
            "any": {"description": "d"},
            "list": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "examples": [[1]]},
            "either": {"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "null"}]},
            "pet": {"anyOf": [{"$ref": "#/$defs/Pet"}, {"type": "null"}]},
        },
        "required": ["list"],
        "$defs": {"Pet": {"type": "string"}},
    }


@pytest.mark.parametrize("words", [SCHEMA, {"$ref": "#/$defs/a", "$defs": {"a": {"const": 1}}}, True, {}])
def test_json_schemas_stay_as_they_are(words: Any) -> None:
    assert json_schema(words) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": "Hello"}, "contents"),
        ({"contents": ["Hello"]}, "contents[0]"),
        ({"contents": [{"role": "assistant", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": 3}]}, "contents[0].parts"),
        ({"contents": [{"parts": [{"text": 3}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"text": "x", "thoughtSignature": 3}]}]}, "contents[0].parts[0].thoughtSignature"),
        ({"contents": [{"parts": [{"inlineData": {}}]}]}, "inlineData.data"),
        ({"contents": [{"parts": [{"fileData": {}}]}]}, "fileData.fileUri"),
        ({"contents": [{"parts": [{"functionCall": {}}]}]}, "functionCall.name"),
        ({"contents": [{"parts": [{"functionCall": {"name": "f", "args": "{}"}}]}]}, "functionCall.args"),
        ({"contents": [{"parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]}, "response"),
        ({**HELLO, "systemInstruction": 3}, "systemInstruction"),
        ({**HELLO, "generationConfig": []}, "generationConfig"),
        ({**HELLO, "generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({**HELLO, "generationConfig": {"topK": 1.5}}, "generationConfig.topK"),
        ({**HELLO, "generationConfig": {"maxOutputTokens": "many"}}, "generationConfig.maxOutputTokens"),
        ({**HELLO, "generationConfig": {"stopSequences": "END"}}, "generationConfig.stopSequences"),
        ({**HELLO, "generationConfig": {"stopSequences": [3]}}, "generationConfig.stopSequences[0]"),
        ({**HELLO, "generationConfig": {"responseSchema": "x"}}, "generationConfig.responseSchema"),
        (
            {**HELLO, "generationConfig": {"thinkingConfig": {"thinkingBudget": "much"}}},
            "thinkingConfig.thinkingBudget",
        ),
        ({**HELLO, "tools": "f"}, "tools"),
        ({**HELLO, "tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        ({**HELLO, "toolConfig": {"functionCallingConfig": {"mode": "SOMETIMES"}}}, "functionCallingConfig.mode"),
        ({**HELLO, "toolConfig": {"functionCallingConfig": {"mode": True}}}, "functionCallingConfig.mode"),
        ({**HELLO, "toolConfig": {"functionCallingConfig": {"mode": 99}}}, "functionCallingConfig.mode"),
        ({**HELLO, "toolConfig": {"functionCallingConfig": {"mode": {}}}}, "functionCallingConfig.mode"),
        (
            {**HELLO, "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [3]}}},
            "functionCallingConfig.allowedFunctionNames[0]",
        ),
        ({**HELLO, "labels": "x"}, "labels"),
    ],
)
def test_errors_name_the_field(body: Any, words: str) -> None:
    assert words in refused(body)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.text("ab_", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "parts",
                    "text",
                    "thought",
                    "thoughtSignature",
                    "inlineData",
                    "functionCall",
                    "function_response",
                    "name",
                    "response",
                    "mode",
                    "functionCallingConfig",
                    "functionDeclarations",
                    "parameters",
                    "thinkingConfig",
                    "thinkingLevel",
                    "type",
                    "items",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries({"contents": JUNK}, optional={"tools": JUNK, "toolConfig": JUNK, "generationConfig": JUNK})
)
def test_no_body_raises_anything_but_the_clients_error(body: Any) -> None:
    try:
        request = decode_request(body)
    except InvalidRequestError:
        return
    encode_request(request)
    CHAT.encode_request(request)


# opaque state


def test_signatures_stand_before_what_they_sign() -> None:
    contents = [
        {"role": "user", "parts": [{"text": "Weather?"}]},
        {
            "role": "model",
            "parts": [
                {"text": "Hm.", "thought": True, "thoughtSignature": "dGhvdWdodA=="},
                {"text": "Let me see.", "thoughtSignature": "dGV4dA=="},
                {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": SIGNATURE},
                {"functionCall": {"name": "f", "args": {}}},
                {"inlineData": {"mimeType": "image/png", "data": PNG}, "thoughtSignature": "aW1hZ2U="},
                {"text": "", "thoughtSignature": "bGFzdA=="},
                {"text": "after"},
            ],
        },
    ]
    request = decode_request({"contents": contents})
    thought, of_text, text, of_call, call = request.messages[1].content[:5]
    assert thought == ReasoningPart(text="Hm.", signature="dGhvdWdodA==", origin="gemini")
    assert of_text == ReasoningPart(data="dGV4dA==", origin="gemini")
    assert text == TextPart(text="Let me see.")
    assert isinstance(call, ToolCallPart)
    assert of_call == ReasoningPart(data=SIGNATURE, origin="gemini", id=call.id)
    assert encode_request(request)["contents"] == contents


def test_a_chat_client_brings_signatures_back_to_their_parts() -> None:
    call = ToolCallPart(id=minted_id(), name="f")
    own = ReasoningPart(data=SIGNATURE, origin="gemini", id=call.id)
    of_text = ReasoningPart(data="dGV4dA==", origin="gemini")
    body, dropped = encode(user("Weather?"), assistant(own, of_text, "Let me see.", call))
    assert body["contents"][1]["parts"] == [
        {"text": "Let me see.", "thoughtSignature": "dGV4dA=="},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": SIGNATURE},
    ]
    assert dropped == []


def test_a_signature_without_its_part_goes_on_an_empty_text_or_nowhere() -> None:
    lost = ReasoningPart(data=SIGNATURE, origin="gemini", id="gone")
    alone = ReasoningPart(data="dGV4dA==", origin="gemini")
    body, dropped = encode(user("Hello"), assistant(lost, alone))
    assert body["contents"][1]["parts"] == [{"text": "", "thoughtSignature": "dGV4dA=="}]
    assert dropped == ["signature"]


def test_foreign_state_is_left_out_and_calls_of_others_say_that_they_are_unsigned() -> None:
    thinking = ReasoningPart(text="Hm.", signature="EqQB", origin="anthropic")
    calls = [ToolCallPart(id="toolu_1", name="f"), ToolCallPart(id="toolu_2", name="g")]
    body, dropped = encode(user("Weather?"), assistant(thinking, *calls))
    assert body["contents"][1]["parts"] == [
        {"functionCall": {"id": "toolu_1", "name": "f", "args": {}}, "thoughtSignature": UNSIGNED},
        {"functionCall": {"id": "toolu_2", "name": "g", "args": {}}},
    ]
    assert dropped == ["reasoning", "signature"]


def sdk_again(part: dict[str, Any]) -> dict[str, Any]:
    """A part as Google's SDK sends it back: bytes in the URL's alphabet."""
    again: dict[str, Any] = types.Part.model_validate(part).model_dump(mode="json", by_alias=True, exclude_none=True)
    return again


def test_sealed_state_replaces_the_plain_thinking_before_it() -> None:
    thinking = ReasoningPart(text="Hm \u00ff\u00fe?>", signature="EqQB", origin="anthropic")
    redacted = ReasoningPart(data="~~>>", origin="anthropic")
    seal = opaque.seal(thinking, redacted, with_text=True)
    parts = decode(
        {"text": "Hm ", "thought": True},
        {"text": "\u00ff\u00fe?>", "thought": True},
        sdk_again({"functionCall": {"id": "toolu_1", "name": "f", "args": {}}, "thoughtSignature": seal}),
    )
    assert parts == [thinking, redacted, ToolCallPart(id="toolu_1", name="f")]


def test_a_seal_without_text_takes_the_text_that_stands_beside_it() -> None:
    thinking = ReasoningPart(text="Hm.", signature="EqQB", origin="anthropic")
    parts = decode({"text": "Hm.", "thought": True, "thoughtSignature": opaque.seal(thinking)}, {"text": "Hello"})
    assert parts == [thinking, TextPart(text="Hello")]
    parts = decode({"text": "Hm.", "thought": True}, {"text": "", "thoughtSignature": opaque.seal(thinking)})
    assert parts == [thinking]


def test_a_seal_that_somebody_has_tampered_with_is_nothing() -> None:
    seal = opaque.seal(ReasoningPart(data="x", origin="anthropic"))[:-8] + "AAAA"
    assert decode({"text": "Hm.", "thought": True}, {"text": "Hello", "thoughtSignature": seal}) == [
        ReasoningPart(text="Hm."),
        TextPart(text="Hello"),
    ]


def test_a_gemini_client_with_sealed_state_changes_over_to_gemini() -> None:
    seal = opaque.seal(ReasoningPart(text="Hm.", signature="EqQB", origin="anthropic"), with_text=True)
    call = {"functionCall": {"id": "toolu_1", "name": "f", "args": {}}}
    request = decode_request({"contents": [{"role": "model", "parts": [{**call, "thoughtSignature": seal}]}]})
    assert encode_request(request)["contents"][0]["parts"] == [{**call, "thoughtSignature": UNSIGNED}]
    assert request.dropped == ["reasoning", "signature"]


def test_plain_thinking_of_nobody_goes_back_from_gemini_clients_only() -> None:
    thought = {"text": "Hm.", "thought": True}
    body = {"contents": [{"role": "model", "parts": [thought, {"text": "Hello"}]}]}
    assert encode_request(decode_request(body)) == body
    encoded, dropped = encode(user("Hi"), assistant(ReasoningPart(text="Hm."), "Hello"))
    assert encoded["contents"][1]["parts"] == [{"text": "Hello"}]
    assert dropped == ["reasoning"]


# encoding for other formats' clients


def test_turns_of_one_role_are_merged_and_empty_ones_are_left_out() -> None:
    body, _ = encode(
        user("a"), user("", "b"), assistant(""), user("c"), assistant("d"), assistant(RefusalPart(text="e"))
    )
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}, {"text": "c"}]},
        {"role": "model", "parts": [{"text": "d"}, {"text": "e"}]},
    ]


def test_a_conversation_does_not_begin_with_the_model() -> None:
    body, _ = encode(assistant("Hello"), user("Hi"))
    assert [turn["role"] for turn in body["contents"]] == ["user", "model", "user"]


def test_system_messages_are_the_instruction_or_text_of_the_users_turn() -> None:
    system = Message(role="system", content=[TextPart(text="Be brief.")])
    body, dropped = encode(system, user("Hi"), system)
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "Be brief."}]}]
    assert dropped == ["messages.role"]
    assert encode(system)[0] == {"contents": [{"role": "user", "parts": [{"text": "Be brief."}]}]}


def test_what_gemini_has_no_place_for_is_left_out_and_recorded() -> None:
    image = MediaPart(kind="image", media_type="image/png", data=PNG)
    native = NativePart(format="openai", data={"type": "tomorrow"})
    system = Message(role="system", content=[TextPart(text="Be brief."), image], name="s")
    body, dropped = encode(system, user("Hi"), assistant(image), assistant("Hello", native), user("Bye"))
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert [turn["parts"] for turn in body["contents"]] == [[{"text": text}] for text in ("Hi", "Hello", "Bye")]
    assert dropped == ["name", "messages.content.media", "tomorrow"]


def test_results_have_the_names_and_the_order_of_their_calls() -> None:
    calls = [ToolCallPart(id="call_1", name="f"), ToolCallPart(id=minted_id(), name="g")]
    results = [
        ToolResultPart(tool_call_id=calls[1].id, content=[TextPart(text="no"), TextPart(text="go")], is_error=True),
        ToolResultPart(tool_call_id="call_1", content=[TextPart(text="yes")]),
    ]
    body, _ = encode(user("Go"), assistant(*calls), *(user(result) for result in results), user("And?"))
    assert body["contents"][2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "call_1", "name": "f", "response": {"output": "yes"}}},
            {"functionResponse": {"name": "g", "response": {"error": "no\ngo"}}},
            {"text": "And?"},
        ],
    }


def test_media_in_a_result_follow_it() -> None:
    image = MediaPart(kind="image", media_type="image/png", data=PNG)
    result = ToolResultPart(tool_call_id="call_1", content=[image])
    body, dropped = encode(user("Go"), assistant(ToolCallPart(id="call_1", name="f")), user(result))
    assert body["contents"][2]["parts"] == [
        {
            "functionResponse": {
                "id": "call_1",
                "name": "f",
                "response": {"output": "(see the attachment that follows)"},
            }
        },
        {"text": "Attached to the result of f:"},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
    ]
    assert dropped == ["tool_result.media"]


def test_results_of_unknown_calls_still_have_a_name() -> None:
    body, _ = encode(user(ToolResultPart(tool_call_id="call_1", content=[TextPart(text="x")])))
    assert body["contents"][0]["parts"][0]["functionResponse"]["name"] == "unknown_function"


def test_media_go_inline_or_by_address() -> None:
    body, dropped = encode(
        user(
            MediaPart(kind="image", data=PNG, detail="high"),
            MediaPart(kind="audio", data="UklGRiQIAABXQVZFZm10IA=="),
            MediaPart(kind="file", media_type="application/pdf", data="JVBERi0=", filename="a.pdf"),
            MediaPart(kind="image", url="https://example.org/a.png?x=1"),
            MediaPart(kind="video", url="https://youtu.be/x"),
            MediaPart(kind="image", url="https://[broken"),
        )
    )
    assert body["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRiQIAABXQVZFZm10IA=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/a.png?x=1"}},
        {"fileData": {"fileUri": "https://youtu.be/x"}},
        {"fileData": {"fileUri": "https://[broken"}},
    ]
    assert dropped == ["detail", "filename"]


@pytest.mark.parametrize("part", [MediaPart(kind="file", file_id="file_1"), MediaPart(kind="file", data="AAAA")])
def test_files_that_gemini_cannot_read_are_refused(part: MediaPart) -> None:
    with pytest.raises(InvalidRequestError, match=r"media type|another provider"):
        encode(user(part))


def test_tools_are_declared_with_json_schema() -> None:
    body, dropped = encode(
        user("Hi"),
        tools=[
            Tool(name="f", description="d", parameters=SCHEMA, strict=False),
            Tool(name="bare"),
            Tool(name="untyped", parameters={"properties": {}}),
            Tool(name="free", kind="custom"),
            Tool(name="web_search", kind="native", native_format="openai", native={"type": "web_search"}),
        ],
        parallel_tool_calls=False,
    )
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA},
                {"name": "bare"},
                {"name": "untyped", "parametersJsonSchema": {"type": "object", "properties": {}}},
                {
                    "name": "free",
                    "parametersJsonSchema": {
                        "type": "object",
                        "properties": {"input": {"type": "string"}},
                        "required": ["input"],
                    },
                },
            ]
        }
    ]
    assert sorted(dropped) == ["parallel_tool_calls", "tools.web_search"]


NODE = {"type": "object", "properties": {"next": {"$ref": "#/definitions/Node"}}}
REFERENCE = {"$ref": "#/$defs/referenced_0"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {"type": "object", "properties": {"n": {"$ref": "#/definitions/Node"}}, "definitions": {"Node": NODE}},
            {
                "type": "object",
                "properties": {"n": REFERENCE},
                "$defs": {"referenced_0": {"type": "object", "properties": {"next": REFERENCE}}},
            },
            id="draft-7",
        ),
        pytest.param(
            {"properties": {"a b": {"type": "string"}, "b": {"items": {"$ref": "#/properties/a%20b"}}}},
            {
                "type": "object",
                "properties": {"a b": REFERENCE, "b": {"items": REFERENCE}},
                "$defs": {"referenced_0": {"type": "string"}},
            },
            id="elsewhere, as zod-to-json-schema refers to what it has written before",
        ),
        pytest.param(
            {"anyOf": [{"type": "object"}, {"properties": {"x": {"$ref": "#/anyOf/0"}}}]},
            {
                "type": "object",
                "anyOf": [REFERENCE, {"properties": {"x": REFERENCE}}],
                "$defs": {"referenced_0": {"type": "object"}},
            },
            id="in a list",
        ),
        pytest.param(
            {"$ref": "#/definitions/Node", "definitions": {"Node": NODE}},
            {
                "type": "object",
                "properties": {"next": REFERENCE},
                "$defs": {"referenced_0": {"type": "object", "properties": {"next": REFERENCE}}},
            },
            id="the top is nothing but a reference",
        ),
        pytest.param(
            {"type": "object", "properties": {"me": {"$ref": "#"}}},
            {
                "type": "object",
                "properties": {"me": REFERENCE},
                "$defs": {"referenced_0": {"type": "object", "properties": {"me": REFERENCE}}},
            },
            id="to itself",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "x": {"allOf": [{"$ref": "#/$defs/X"}], "title": "X", "description": "d", "default": None},
                    "y": {"allOf": [{"title": "a"}], "title": "b"},
                    "z": {"allOf": [{"title": "a"}, {"title": "b"}]},
                },
                "$defs": {"X": {"type": "string", "title": "X"}},
            },
            {
                "type": "object",
                "properties": {
                    "x": {"$ref": "#/$defs/X", "description": "d", "default": None},
                    "y": {"allOf": [{"title": "a"}], "title": "b"},
                    "z": {"allOf": [{"title": "a"}, {"title": "b"}]},
                },
                "$defs": {"X": {"type": "string", "title": "X"}},
            },
            id="pydantic",
        ),
        pytest.param(
            {"type": "object", "properties": {"const": {"const": "a"}, "$ref": {"const": 1}, "b": {"const": True}}},
            {"type": "object", "properties": {"const": {"enum": ["a"]}, "$ref": {"enum": [1]}, "b": {"const": True}}},
            id="one value",
        ),
    ],
)
def test_schemas_say_the_same_in_words_that_gemini_knows(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    before = json.dumps(schema)
    wanted = ResponseFormat(type="json_schema", schema={"type": "object", **schema})
    body, _ = encode(user("Hi"), tools=[Tool(name="f", parameters=schema)], response_format=wanted)
    assert body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == expected
    assert body["generationConfig"]["responseJsonSchema"] == expected
    assert json.dumps(schema) == before


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"x": {"$ref": "https://example.org/x"}, "y": {"$ref": "#anchor"}}},
        {"type": "object", "properties": {"x": {"$ref": "#/nowhere"}, "y": {"$ref": "#/type/0"}}},
        {"type": "object", "properties": {"x": {"$ref": "#/anyOf/7"}, "y": {"$ref": "#/anyOf/x"}}, "anyOf": [{}]},
        {"type": "object", "properties": {"x": True}, "allOf": [1], "$defs": [1], "anyOf": {}, "const": []},
    ],
)
def test_odd_schemas_are_left_to_gemini(schema: dict[str, Any]) -> None:
    body, _ = encode(user("Hi"), tools=[Tool(name="f", parameters=schema)])
    assert body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == schema


def test_a_gemini_clients_json_schema_stays_as_it_is() -> None:
    schema = {"properties": {"x": {"const": "a"}, "y": {"$ref": "#/properties/x"}}, "type": "object"}
    tools = [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}]
    assert encode_request(decode_request({**HELLO, "tools": tools}))["tools"] == tools


def test_a_seed_of_more_than_32_bits_is_recorded() -> None:
    body, dropped = encode(user("Hi"), seed=2**31)
    assert "generationConfig" not in body
    assert dropped == ["seed"]
    assert encode(user("Hi"), seed=-(2**31))[0]["generationConfig"] == {"seed": -(2**31)}
    own = {**HELLO, "generationConfig": {"seed": 2**31}}
    assert encode_request(decode_request(own)) == own


def test_media_types_are_bare() -> None:
    part = MediaPart(kind="file", data="YQ==", media_type="Text/Plain; charset=utf-8")
    body, _ = encode(user(part, MediaPart(kind="image", url="https://example.org/x", media_type="image/jpg")))
    assert [next(iter(each.values()))["mimeType"] for each in body["contents"][0]["parts"]] == [
        "text/plain",
        "image/jpeg",
    ]


@pytest.mark.parametrize("name", ["3d", "-x", "a b", "\u00e9", "x" * 129, ""])
def test_names_that_gemini_refuses_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="function name"):
        encode(user("Hi"), tools=[Tool(name=name)])


def test_strict_tools_are_recorded() -> None:
    assert encode(user("Hi"), tools=[Tool(name="f", strict=True)])[1] == ["strict"]


@pytest.mark.parametrize(
    ("choice", "config", "declared"),
    [
        (ToolChoice(mode="auto"), {"mode": "AUTO"}, ["f", "g"]),
        (ToolChoice(mode="none"), {"mode": "NONE"}, ["f", "g"]),
        (ToolChoice(mode="required"), {"mode": "ANY"}, ["f", "g"]),
        (ToolChoice(mode="tool", name="g"), {"mode": "ANY", "allowedFunctionNames": ["g"]}, ["f", "g"]),
        (ToolChoice(mode="required", allowed=["f"]), {"mode": "ANY", "allowedFunctionNames": ["f"]}, ["f", "g"]),
        (ToolChoice(mode="auto", allowed=["f"]), {"mode": "AUTO"}, ["f"]),
    ],
)
def test_choices_of_tools_are_spelled(choice: ToolChoice, config: dict[str, Any], declared: list[str]) -> None:
    body, dropped = encode(user("Hi"), tools=[Tool(name="f"), Tool(name="g")], tool_choice=choice)
    assert body["toolConfig"] == {"functionCallingConfig": config}
    assert [each["name"] for each in body["tools"][0]["functionDeclarations"]] == declared
    assert dropped == []


def test_a_choice_of_a_tool_that_is_not_there_is_recorded() -> None:
    body, dropped = encode(user("Hi"), tools=[Tool(name="f")], tool_choice=ToolChoice(mode="tool", name="g"))
    assert "toolConfig" not in body
    assert dropped == ["tool_choice.allowed_tools"]
    assert "toolConfig" not in encode(user("Hi"), tool_choice=ToolChoice(mode="auto"))[0]


@pytest.mark.parametrize(
    ("reasoning", "config", "dropped"),
    [
        (ReasoningSettings(mode="off"), {"thinkingBudget": 0}, []),
        (ReasoningSettings(effort="none"), {"thinkingBudget": 0}, []),
        (ReasoningSettings(mode="adaptive"), {"thinkingBudget": -1, "includeThoughts": True}, []),
        (ReasoningSettings(mode="on"), {"includeThoughts": True}, []),
        (ReasoningSettings(visible=True), {"includeThoughts": True}, []),
        (ReasoningSettings(mode="off", visible=True), {"thinkingBudget": 0}, []),
        (
            ReasoningSettings(mode="on", budget_tokens=2048),
            {"thinkingBudget": 2048, "includeThoughts": True},
            [],
        ),
        (
            ReasoningSettings(mode="on", budget_tokens=31_999),
            {"thinkingBudget": 24_576, "includeThoughts": True},
            ["reasoning"],
        ),
        (ReasoningSettings(effort="minimal"), {"thinkingBudget": 1024, "includeThoughts": True}, []),
        (ReasoningSettings(effort="medium", visible=False), {"thinkingBudget": 8192}, []),
        (ReasoningSettings(mode="adaptive", effort="max"), {"thinkingBudget": 24_576, "includeThoughts": True}, []),
    ],
)
def test_thinking_settings_are_spelled(
    reasoning: ReasoningSettings, config: dict[str, Any], dropped: list[str]
) -> None:
    body, recorded = encode(user("Hi"), reasoning=reasoning)
    assert body["generationConfig"]["thinkingConfig"] == config
    assert recorded == dropped


def test_settings_are_spelled_and_the_rest_is_recorded() -> None:
    body, dropped = encode(
        user("Hi", TextPart(text="x", citations=[Citation(url="https://example.org")])),
        max_tokens=5,
        temperature=2.0,
        top_k=4,
        n=2,
        seed=0,
        stop=list("abcdef"),
        logprobs=True,
        top_logprobs=3,
        response_format=ResponseFormat(type="json_schema", schema={"type": "object"}, description="d"),
        logit_bias={"1": 2},
        user="u",
        metadata={"a": "b"},
        stream=True,
    )
    assert body["generationConfig"] == {
        "maxOutputTokens": 5,
        "temperature": 2.0,
        "topK": 4,
        "candidateCount": 2,
        "seed": 0,
        "stopSequences": list("abcde"),
        "responseLogprobs": True,
        "logprobs": 3,
        "responseMimeType": "application/json",
        "responseJsonSchema": {"description": "d", "type": "object"},
    }
    assert body.keys() == {"contents", "generationConfig"}
    assert sorted(dropped) == ["citations", "logit_bias", "metadata", "stop", "user"]


def test_json_mode_is_a_media_type() -> None:
    body, _ = encode(user("Hi"), response_format=ResponseFormat(type="json_object"))
    assert body["generationConfig"] == {"responseMimeType": "application/json"}
    assert "generationConfig" not in encode(user("Hi"), response_format=ResponseFormat(type="text"))[0]


def test_a_messages_request_becomes_gemini() -> None:
    request = MESSAGES.decode_request(
        {
            "model": "m",
            "max_tokens": 9,
            "system": [{"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": "Weather?"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]},
            ],
        }
    )
    body = encode_request(request)
    sdk_check(body)
    assert body["systemInstruction"] == {"parts": [{"text": "Rules."}]}
    assert body["contents"][1]["parts"][0]["functionCall"] == {"id": "toolu_1", "name": "f", "args": {"a": 1}}
    assert body["contents"][2]["parts"][0]["functionResponse"]["response"] == {"output": "sunny"}
    assert request.dropped == ["cache_control"]


def test_free_text_calls_are_wrapped() -> None:
    body, _ = encode(user("Hi"), assistant(ToolCallPart(id="c", name="patch", arguments="*** x", kind="custom")))
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {"input": "*** x"}


# counting


def test_a_count_has_the_system_instruction_and_the_tools() -> None:
    request = DomainRequest(
        model="gemini-2.5-flash",
        messages=[Message(role="system", content=[TextPart(text="s")]), user("Hi")],
        tools=[Tool(name="f")],
    )
    body = encode_count_request(request)["generateContentRequest"]
    assert body["model"] == "models/gemini-2.5-flash"
    assert body.keys() == {"model", "contents", "systemInstruction", "tools"}
    assert decode_count_request({"generateContentRequest": body}).messages == [
        Message(role="system", content=[TextPart(text="s")]),
        user("Hi"),
    ]
    assert decode_count_request(HELLO).messages == [user("Hello")]
    assert decode_count_request({"generate_content_request": HELLO}).messages == [user("Hello")]


def test_counts_are_read_and_written() -> None:
    count = decode_token_count({"totalTokens": 9, "cachedContentTokenCount": 3, "promptTokensDetails": []})
    assert count == TokenCount(input_tokens=9, cached_tokens=3)
    TypeAdapter(types.CountTokensResponse).validate_python(encode_token_count(count))
    assert encode_token_count(TokenCount(input_tokens=9)) == {"totalTokens": 9}
    with pytest.raises(BackendError):
        decode_token_count({"totalTokens": "x"})


# the same format through the domain: nothing is lost

TEXT = st.text(max_size=8)
WORD = st.text("abc", min_size=1, max_size=8)
VALUE = st.one_of(st.booleans(), st.integers(-9, 9), TEXT, st.lists(TEXT, max_size=2), st.dictionaries(WORD, TEXT))
UNKNOWN = {"xNew": VALUE}
BYTES = st.binary(min_size=1, max_size=6).map(lambda data: base64.b64encode(data).decode())


def fields(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional={**optional, **UNKNOWN})


BLOB = fields({"mimeType": st.sampled_from(["image/png", "audio/wav"]), "data": BYTES}, displayName=WORD)
FILE = fields({"fileUri": st.sampled_from(["gs://b/a", "https://example.org/a.png"])}, mimeType=st.just("image/png"))
MEDIA = st.one_of(fields({"inlineData": BLOB}, videoMetadata=VALUE), fields({"fileData": FILE}))
RESULT = fields(
    {"name": WORD, "response": st.dictionaries(st.sampled_from(["output", "error", "a_b"]), VALUE)},
    id=WORD,
    parts=st.lists(fields({"inlineData": BLOB}), min_size=1, max_size=2),
)
CALL = fields({"name": WORD, "args": st.dictionaries(st.sampled_from(["a_b", "c"]), VALUE)}, id=WORD)
PART = st.one_of(
    fields({"text": TEXT}, thoughtSignature=BYTES),
    fields({"text": TEXT, "thought": st.just(True)}, thoughtSignature=BYTES),
    fields({"functionCall": CALL}, thoughtSignature=BYTES),
    fields({"functionResponse": RESULT}),
    MEDIA,
    fields({"inlineData": BLOB}, thoughtSignature=BYTES),
    fields({"executableCode": VALUE}, thoughtSignature=BYTES),
)
TURN = fields({"parts": st.lists(PART, min_size=1, max_size=4)}, role=st.sampled_from(["user", "model", "function"]))
DECLARATION = fields({"name": WORD}, description=TEXT, parameters=st.just(OPENAPI), response=st.just(OPENAPI))
TOOL = st.one_of(
    st.fixed_dictionaries({"functionDeclarations": st.lists(DECLARATION, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"functionDeclarations": st.just([{"name": "f", "parametersJsonSchema": SCHEMA}])}),
    st.just({"googleSearch": {}, "urlContext": {}}),
)
CONFIG = fields(
    {},
    temperature=st.floats(0, 2),
    topK=st.integers(1, 9),
    maxOutputTokens=st.integers(1, 9),
    candidateCount=st.integers(1, 3),
    stopSequences=st.lists(WORD, min_size=1, max_size=7),
    responseLogprobs=st.booleans(),
    logprobs=st.integers(0, 5),
    responseMimeType=st.sampled_from(["application/json", "text/plain", "text/x.enum"]),
    responseJsonSchema=st.just(SCHEMA),
    responseModalities=st.just(["TEXT"]),
    thinkingConfig=fields(
        {},
        thinkingBudget=st.integers(-1, 99_999),
        thinkingLevel=st.sampled_from(["LOW", "later"]),
        includeThoughts=st.booleans(),
    ),
)
REQUEST = fields(
    {"contents": st.lists(TURN, min_size=1, max_size=4)},
    systemInstruction=fields({"parts": st.lists(fields({"text": TEXT}), min_size=1, max_size=2)}, role=st.just("user")),
    tools=st.lists(TOOL, min_size=1, max_size=3),
    toolConfig=fields(
        {},
        functionCallingConfig=fields(
            {"mode": st.sampled_from(["AUTO", "ANY", "NONE", "VALIDATED"])},
            allowedFunctionNames=st.lists(WORD, max_size=2),
        ),
        retrievalConfig=VALUE,
    ),
    generationConfig=CONFIG,
    safetySettings=VALUE,
    labels=st.dictionaries(WORD, TEXT, min_size=1, max_size=2),
    cachedContent=WORD,
)


def canonical(body: dict[str, Any]) -> dict[str, Any]:
    """Without objects that say nothing."""
    return {
        name: value for name, value in body.items() if value != {} or name not in ("generationConfig", "toolConfig")
    }


@settings(max_examples=300, deadline=None)
@given(REQUEST)
def test_a_gemini_request_keeps_its_meaning(body: dict[str, Any]) -> None:
    request = decode_request(body)
    assert canonical(encode_request(request)) == canonical(body)
    assert request.dropped == []
