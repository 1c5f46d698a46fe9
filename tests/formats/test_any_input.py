"""Whatever a client or an upstream sends, nobody crashes: near misses of requests, answers and events, in all formats.

A client is told what is wrong with its request, an upstream's nonsense is a `BackendError`, and what was decoded is
encoded for everybody. Any text survives every pair of formats, whole and streamed.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proxy_core.domain.base import DomainModel
from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse
from proxy_core.domain.stream import StreamChunk, as_chunk
from proxy_core.errors import BackendError, InvalidRequestError, LLMProxyError
from proxy_core.failures import error_from_info
from proxy_core.formats import wire_json
from proxy_core.formats.base import RenderOptions
from proxy_core.formats.free_text import unwrap_calls
from proxy_core.formats.sse import EventSplitter, parse_event
from proxy_core.server.responses import error_info
from proxy_core.state_store import StateStore, StateWatch
from proxy_core.token_estimate import estimated_tokens
from proxy_core.translation import TranslationService
from tests.fault_upstream.formats import FORMATS
from tests.fault_upstream.reply import Reply, Text, Thinking, ToolUse, Usage
from tests.support.mutations import mutated

SERVICE = TranslationService()
NAMES = [wire_format.name for wire_format in SERVICE.formats]
DECISIONS = st.binary(min_size=8, max_size=60)

often = settings(
    max_examples=600,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
of_each_format = pytest.mark.parametrize("name", NAMES)

# requests

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "enum": ["a"]}}, "required": ["city"]}

REQUESTS: dict[str, dict[str, Any]] = {
    "openai": {
        "model": "m",
        "messages": [
            {"role": "developer", "content": "Be kind.", "name": "boss"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look."},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}},
                    {
                        "type": "file",
                        "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PIXEL}"},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": "Hm.",
                "refusal": None,
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "I",
                        "signature": "s",
                        "format": "anthropic-claude-v1",
                        "index": 0,
                    },
                    {
                        "type": "reasoning.encrypted",
                        "data": "ZA==",
                        "id": "c1",
                        "format": "google-gemini-v1",
                        "index": 1,
                    },
                ],
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"city":"é"}'}},
                    {"id": "c2", "type": "custom", "custom": {"name": "free", "input": "go"}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "21"}]},
            {"role": "tool", "tool_call_id": "c2", "content": "ok"},
            {"role": "user", "content": "And?"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "look", "description": "d", "parameters": SCHEMA, "strict": True},
            },
            {"type": "custom", "custom": {"name": "free", "format": {"type": "text"}}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.1,
        "logit_bias": {"1": 2},
        "logprobs": True,
        "top_logprobs": 2,
        "n": 1,
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}},
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u",
        "metadata": {"a": "b"},
    },
    "openai-responses": {
        "model": "m",
        "instructions": "Be kind.",
        "input": [
            {"role": "developer", "content": "Hm."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look."},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PIXEL}"},
                ],
            },
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "I think"}],
                "content": [{"type": "reasoning_text", "text": "so"}],
                "encrypted_content": "enc",
            },
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {
                        "type": "output_text",
                        "text": "Hm.",
                        "annotations": [
                            {"type": "url_citation", "url": "http://a", "title": "t", "start_index": 0, "end_index": 2}
                        ],
                    },
                    {"type": "refusal", "refusal": "no"},
                ],
            },
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": '{"city":"é"}'},
            {"type": "custom_tool_call", "call_id": "c2", "name": "free", "input": "go"},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "21"}]},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "ok"},
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": "q"},
            },
            {"role": "user", "content": "And?"},
        ],
        "tools": [
            {"type": "function", "name": "look", "description": "d", "parameters": SCHEMA, "strict": True},
            {"type": "custom", "name": "free", "format": {"type": "text"}},
            {"type": "namespace", "name": "ns", "description": "n", "tools": [{"type": "function", "name": "in"}]},
            {"type": "web_search"},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
        "parallel_tool_calls": False,
        "max_output_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 2,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "s", "schema": SCHEMA, "strict": True}, "verbosity": "low"},
        "store": False,
        "stream": True,
        "user": "u",
        "metadata": {"a": "b"},
        "prompt_cache_key": "k",
        "truncation": "auto",
    },
    "anthropic": {
        "model": "m",
        "max_tokens": 100,
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look."},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    {"type": "image", "source": {"type": "url", "url": "http://a/b.png"}},
                    {
                        "type": "document",
                        "title": "a",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PIXEL},
                        "citations": {"enabled": True},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I think", "signature": "s"},
                    {"type": "redacted_thinking", "data": "enc"},
                    {
                        "type": "text",
                        "text": "Hm.",
                        "citations": [{"type": "web_search_result_location", "url": "http://a", "title": "t"}],
                    },
                    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"city": "é"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "c1",
                        "is_error": True,
                        "content": [
                            {"type": "text", "text": "21"},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                        ],
                    },
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
        "tools": [
            {"name": "look", "description": "d", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
        ],
        "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "stop_sequences": ["END"],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "metadata": {"user_id": "u"},
        "context_management": {"edits": []},
        "stream": True,
    },
    "gemini": {
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Look."},
                    {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
                    {"file_data": {"mime_type": "application/pdf", "file_uri": "http://a/b.pdf"}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "I think", "thought": True, "thoughtSignature": "cw=="},
                    {"text": "Hm.", "thoughtSignature": "dA=="},
                    {"functionCall": {"id": "c1", "name": "look", "args": {"city": "é"}}, "thoughtSignature": "dQ=="},
                    {"functionCall": {"name": "look", "args": {}}},
                    {"executableCode": {"language": "PYTHON", "code": "1"}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "c1",
                            "name": "look",
                            "response": {"result": 21},
                            "parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}],
                        }
                    },
                    {"functionResponse": {"name": "look", "response": {"error": "no"}}},
                    {"text": "And?"},
                ],
            },
        ],
        "tools": [
            {"functionDeclarations": [{"name": "look", "description": "d", "parameters": SCHEMA}]},
            {"function_declarations": [{"name": "two", "parametersJsonSchema": SCHEMA, "response": SCHEMA}]},
            {"googleSearch": {}},
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        "generationConfig": {
            "maxOutputTokens": 100,
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 40,
            "seed": 7,
            "stopSequences": ["END"],
            "presencePenalty": 0.1,
            "frequencyPenalty": 0.1,
            "responseLogprobs": True,
            "logprobs": 2,
            "candidateCount": 1,
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
            "responseModalities": ["TEXT"],
            "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True},
        },
        "labels": {"a": "b"},
    },
}


def received(value: Any) -> Any:
    """What the proxy reads of a body that says this: as bytes it cannot say everything that Python can."""
    return wire_json.loads(json.dumps(value))


def decoded(name: str, body: dict[str, Any]) -> DomainRequest:
    request = SERVICE.to_domain_request(deepcopy(body), name)
    request.model, request.source_format = "m", name
    return request


def refused(call: Callable[[], object]) -> bool:
    """Whether a client is told that its request is wrong; anything else must go well."""
    try:
        call()
    except InvalidRequestError as error:
        told = error
    else:
        return False
    assert told.message
    assert told.status_code == 400
    for wire_format in SERVICE.formats:
        wire_json.dumps(wire_format.encode_error(error_info(told), RenderOptions("m")))
    return True


def encode_for_all(request: DomainRequest) -> None:
    """Everything that may become of a request."""
    for target in NAMES:
        refused(partial(encode, request, target))
    refused(lambda: SERVICE.chat_messages(request))
    assert estimated_tokens(request) > 0
    assert_typed(request)


def encode(request: DomainRequest, target: str) -> bytes:
    return wire_json.dumps(SERVICE.from_domain_request(request.with_model("m"), target))


def assert_typed(decoded: DomainModel) -> None:
    """Whether all that was decoded is of the type that it is said to be; Python's numbers may be larger than others."""
    try:
        type(decoded).model_validate(decoded.model_dump())
    except msgspec.ValidationError as error:
        if "out of range" not in str(error):
            raise


@of_each_format
def test_the_requests_are_right_as_they_are(name):
    request = decoded(name, REQUESTS[name])
    assert [wire_json.dumps(SERVICE.from_domain_request(request.with_model("m"), name))]
    encode_for_all(request)


@of_each_format
def test_any_request_is_translated_or_refused(name):
    @often
    @given(DECISIONS)
    def every_case(data: bytes) -> None:
        body = received(mutated(REQUESTS[name], data))
        if isinstance(body, dict) and not refused(lambda: decoded(name, body)):
            encode_for_all(decoded(name, body))

    every_case()


@of_each_format
def test_encoding_leaves_the_request_as_it_was(name):
    request = decoded(name, REQUESTS[name])
    before = request.model_dump()
    for target in (*NAMES, *NAMES):
        refused(partial(encode, request, target))
    assert request.model_dump() == before


@of_each_format
def test_arguments_may_nest_deeper_within_their_text_than_a_body_may(name):
    """Nobody has counted brackets in there."""
    for depth in (100, 300, 900, 5000):
        arguments = json.dumps('{"city":' * depth + '"é"' + "}" * depth)
        told = json.dumps(REQUESTS[name]).replace(json.dumps('{"city":"é"}'), arguments)
        encode_for_all(decoded(name, received(json.loads(told))))


COUNTING = [name for name in NAMES if name != "openai"]


@pytest.mark.parametrize("name", COUNTING)
def test_any_request_to_count_is_counted_or_refused(name):
    wire_format = SERVICE.format(name)

    def count(body: dict[str, Any]) -> None:
        request = wire_format.decode_count_request(deepcopy(body))
        request.model, request.source_format = "m", name
        for target in COUNTING:
            encode_count = SERVICE.format(target).encode_count_request
            refused(partial(lambda encode: wire_json.dumps(encode(request.with_model("m"))), encode_count))
        assert estimated_tokens(request) > 0

    @settings(often, max_examples=200)
    @given(DECISIONS)
    def every_case(data: bytes) -> None:
        body = received(mutated(REQUESTS[name], data))
        if isinstance(body, dict):
            refused(lambda: count(body))

    every_case()


EMBEDDINGS: dict[str, list[dict[str, Any]]] = {
    "openai": [
        {"model": "m", "input": ["a", "b"], "dimensions": 7, "encoding_format": "base64", "user": "u"},
        {"model": "m", "input": [[1, 2], [3]]},
    ],
    "gemini": [
        {"content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING", "title": "t", "outputDimensionality": 7},
        {"requests": [{"model": "models/m", "content": {"parts": [{"text": "a"}]}, "task_type": "CLUSTERING"}]},
    ],
}
VECTORS: dict[str, list[dict[str, Any]]] = {
    "openai": [
        {
            "object": "list",
            "data": [{"index": 0, "embedding": [0.1, 1]}, {"index": 1, "embedding": [1e300, 2]}],
            "usage": {"prompt_tokens": 3},
        },
        {"data": [{"object": "embedding", "embedding": "AACAPwAAAEA="}]},
    ],
    "gemini": [{"embedding": {"values": [0.1, 1]}}, {"embeddings": [{"values": [0.1]}, {"values": [2]}]}],
}


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_any_request_for_vectors_is_translated_or_refused(name):
    wire_format = SERVICE.format(name)

    def embed(body: dict[str, Any]) -> None:
        for target in EMBEDDINGS:
            request = wire_format.decode_embedding_request(deepcopy(body))
            request.model, request.source_format = "m", name
            refused(partial(SERVICE.from_domain_embedding_request, request, target))

    @settings(often, max_examples=300)
    @given(st.sampled_from(EMBEDDINGS[name]), DECISIONS)
    def every_case(whole: dict[str, Any], data: bytes) -> None:
        body = received(mutated(whole, data))
        if isinstance(body, dict):
            refused(lambda: embed(body))

    every_case()


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_any_vectors_are_passed_on_or_the_upstream_s_fault(name):
    asked = [
        (client, SERVICE.format(client).decode_embedding_request(deepcopy(body)))
        for client, bodies in EMBEDDINGS.items()
        for body in bodies
    ]

    @settings(often, max_examples=300)
    @given(st.sampled_from(VECTORS[name]), DECISIONS)
    def every_case(whole: dict[str, Any], data: bytes) -> None:
        body = received(mutated(whole, data))
        if not isinstance(body, dict) or faulty(lambda: SERVICE.format(name).decode_embeddings(deepcopy(body))):
            return
        vectors = SERVICE.format(name).decode_embeddings(body)
        for client, request in asked:
            wire_json.dumps(SERVICE.format(client).encode_embeddings(vectors, request, "m"))

    every_case()


# answers

REPLIES = [
    Reply("m", (Thinking(("Hm, ", "ça"), "c2lnbmF0dXJl"), Text(("né ", "☕"))), include_usage=True),
    Reply(
        "m",
        (
            Thinking(("Hm",), "c2lnbmF0dXJl"),
            ToolUse("call_1", "look", {"city": "é"}),
            ToolUse("call_2", "free", {"input": "x"}),
        ),
        "tools",
        Usage(cached=3, reasoning=2),
        include_usage=True,
        call_ids=True,
    ),
]
RICH_EVENTS: dict[str, list[dict[str, Any]]] = {
    "openai": [
        {
            "id": "c",
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "refusal": "no",
                        "annotations": [{"type": "url_citation", "url_citation": {"url": "http://a"}}],
                    },
                    "logprobs": {"content": [{"token": "a", "logprob": -1, "top_logprobs": []}]},
                }
            ],
        },
        {"error": {"message": "m", "type": "server_error", "code": 500}},
    ],
    "openai-responses": [
        {
            "type": "response.output_text.annotation.added",
            "output_index": 0,
            "content_index": 0,
            "annotation": {"type": "url_citation", "url": "http://a", "title": "t", "start_index": 0, "end_index": 1},
        },
        {"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": "no"},
        {
            "type": "response.failed",
            "response": {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "m"}},
        },
        {"type": "error", "code": "server_error", "message": "m", "param": None},
    ],
    "anthropic": [
        {
            "type": "content_block_start",
            "index": 5,
            "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 5,
            "delta": {"type": "citations_delta", "citation": {"type": "web_search_result_location", "url": "http://a"}},
        },
        {"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
    ],
    "gemini": [
        {
            "candidates": [
                {
                    "content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}]},
                    "finishReason": "SAFETY",
                    "groundingMetadata": {
                        "groundingChunks": [{"web": {"uri": "http://a", "title": "t"}}],
                        "groundingSupports": [{"segment": {"endIndex": 2, "text": "né"}, "groundingChunkIndices": [0]}],
                    },
                    "citationMetadata": {"citationSources": [{"startIndex": 0, "endIndex": 2, "uri": "http://b"}]},
                    "logprobsResult": {"topCandidates": [], "chosenCandidates": [{"token": "a", "logProbability": -1}]},
                }
            ]
        },
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}},
        {
            "candidates": [
                {
                    "content": {
                        "parts": [
                            {
                                "functionCall": {
                                    "name": "f",
                                    "partialArgs": [{"jsonPath": "$.a", "stringValue": "x"}],
                                    "willContinue": True,
                                }
                            }
                        ]
                    }
                }
            ]
        },
        {
            "error": {
                "code": 429,
                "message": "m",
                "status": "RESOURCE_EXHAUSTED",
                "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}],
            }
        },
    ],
}


def bodies_of(name: str) -> list[dict[str, Any]]:
    return [*(FORMATS[name].body(reply) for reply in REPLIES), FORMATS[name].error(429)]


def events_of(name: str) -> list[list[dict[str, Any]]]:
    """Streams, as the JSON of their events."""
    plain = [[data for _, data in FORMATS[name].events(reply) if isinstance(data, dict)] for reply in REPLIES]
    return [*plain, *([*plain[0][:3], event, *plain[0][3:]] for event in RICH_EVENTS[name])]


def faulty(call: Callable[[], object]) -> bool:
    """Whether an upstream's answer makes no sense; anything else must go well."""
    try:
        call()
    except BackendError as error:
        return bool(error.message)
    return False


def options_of(client: str) -> RenderOptions:
    """What the encoders know of the client's request."""
    request = decoded(client, REQUESTS[client])
    return RenderOptions("m", True, "req_1", frozenset({"free"}), request)


def answer_all(response: DomainResponse) -> None:
    """The answer for a client of each format, whole and as the one chunk of a stream."""
    assert_typed(response)
    if response.error is not None:
        error = error_from_info(response.error, response.error.status or 502, {})
        assert isinstance(error, LLMProxyError)
        assert error.message
    for client in NAMES:
        answered, options = DomainResponse.model_validate(response.model_dump()), options_of(client)
        unwrap_calls(answered, options.free_text_tools)
        wire_json.dumps(SERVICE.from_domain_response(answered, client, options))
        SERVICE.stream_encoder(client, options).encode(as_chunk(response))
    StateWatch(StateStore(), "").see([as_chunk(response)])


@of_each_format
def test_any_answer_is_passed_on_or_the_upstream_s_fault(name):
    @settings(often, max_examples=300)
    @given(st.sampled_from(bodies_of(name)), DECISIONS)
    def every_case(whole: dict[str, Any], data: bytes) -> None:
        body = received(mutated(whole, data))
        if isinstance(body, dict) and not faulty(lambda: SERVICE.to_domain_response(deepcopy(body), name)):
            answer_all(SERVICE.to_domain_response(deepcopy(body), name))
            SERVICE.format(name).decode_usage(json.dumps(body).encode())

    every_case()


DEEP_ARGUMENTS = '{"a":' * 900 + "1" + "}" * 900
#: What a longer search has found: by format, an answer.
FOUND: list[tuple[str, dict[str, Any]]] = [
    (
        "openai-responses",
        {"status": "completed", "output": [{"type": "function_call", "id": [1], "call_id": "c", "name": "f"}]},
    ),
    (
        "openai",
        {"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": DEEP_ARGUMENTS}}]}}]},
    ),
]


@pytest.mark.parametrize(("name", "body"), FOUND)
def test_odd_answers_that_were_found_by_searching(name, body):
    if not faulty(lambda: SERVICE.to_domain_response(deepcopy(body), name)):
        answer_all(SERVICE.to_domain_response(deepcopy(body), name))


def test_vectors_of_numbers_without_end_are_the_upstream_s_fault():
    wire_format, openai = SERVICE.format("gemini"), SERVICE.format("openai")
    asked = openai.decode_embedding_request({"model": "m", "input": "a", "encoding_format": "base64"})
    body = received({"embeddings": [{"values": [10**400]}]})
    if not faulty(lambda: wire_format.decode_embeddings(body)):
        openai.encode_embeddings(wire_format.decode_embeddings(body), asked, "m")


#: Of a text delta, whatever stands in its place.
ODD_DELTAS = [
    ("anthropic", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": True}}),
    ("anthropic", {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": 7}}),
    ("openai", {"choices": [{"delta": {"content": True, "reasoning_content": 7}}]}),
    ("openai-responses", {"type": "response.output_text.delta", "output_index": 0, "delta": True}),
    ("gemini", {"candidates": [{"content": {"parts": [{"text": True}]}}]}),
]


@pytest.mark.parametrize(("name", "event"), ODD_DELTAS)
def test_a_text_that_is_none_does_not_pass_for_one(name, event):
    decode = SERVICE.format(name).decode_payload
    if not faulty(lambda: decode(deepcopy(event))) and (chunk := decode(deepcopy(event))) is not None:
        assert_typed(chunk)


def stream_to_all(chunks: list[StreamChunk]) -> None:
    """The stream for a client of each format, to its end."""
    for client in NAMES:
        encoder = SERVICE.stream_encoder(client, options_of(client))
        told = b"".join(encoder.encode(chunk) for chunk in deepcopy(chunks))
        told += encoder.encode(StreamChunk(terminal=True))
        assert encoder.closed
        for event in map(parse_event, EventSplitter().feed(told)):
            assert event.data is not None
            assert event.data == b"[DONE]" or isinstance(json.loads(event.data), dict)
    watch = StateWatch(StateStore(), "")
    watch.see(chunks)


@of_each_format
def test_any_events_are_passed_on_or_the_upstream_s_fault(name):
    wire_format = SERVICE.format(name)

    def chunks_of(events: Iterable[Any]) -> Iterator[StreamChunk]:
        for event in events:
            if isinstance(event, dict) and (chunk := wire_format.decode_payload(deepcopy(event))) is not None:
                assert_typed(chunk)
                yield chunk

    @settings(often, max_examples=300)
    @given(st.sampled_from(events_of(name)), DECISIONS)
    def every_case(whole: list[dict[str, Any]], data: bytes) -> None:
        events = received(mutated(whole, data))
        chunks: list[StreamChunk] = []
        if isinstance(events, list) and not faulty(lambda: chunks.extend(chunks_of(events))):
            stream_to_all(chunks)

    every_case()


@of_each_format
def test_any_error_is_told_in_words(name):
    @settings(often, max_examples=300)
    @given(DECISIONS)
    def every_case(data: bytes) -> None:
        body = received(mutated(FORMATS[name].error(429), data))
        for status in (400, 429, 500):
            info = SERVICE.format(name).decode_error(body, status)
            assert info.message
            for client in SERVICE.formats:
                wire_json.dumps(client.encode_error(info, RenderOptions("m")))
                assert client.stream_encoder(RenderOptions("m")).fail(info)

    every_case()


# any text

TEXTS = st.text(
    st.characters() | st.sampled_from("😀\u2028\u2029\u0085\0\x1f\ufeff\ufffd\ud83d\udc00\n\r\t\\\"'{}[]<&:,"),
    max_size=12,
)
SOME_TEXTS = [
    "é☕😀",
    "\u2028\u2029\u0085",
    "a\0b",
    "\ud800",
    "\udc00\ud83d",
    "\ufeff",
    "data: x\n\n",
    "[DONE]",
    '"}]',
    "\r\n",
    " ",
]
each_pair = pytest.mark.parametrize(
    ("client", "upstream"), [(client, upstream) for client in NAMES for upstream in NAMES]
)


def mended(text: str) -> str:
    """The text as UTF-8 can say it."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def strings_in(value: Any) -> Iterator[str]:
    """Every string in a JSON value, but for keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings_in(inner)


def request_saying(name: str, text: str) -> dict[str, Any]:
    """A request that says a text in four places: system prompt, question, call's argument and tool's result."""
    body = deepcopy(REQUESTS[name])
    changed = json.loads(
        json.dumps(body).replace('"Be kind."', json.dumps(f"<{text}>")).replace('"Look."', json.dumps(f"({text})"))
    )
    told = json.dumps(changed).replace(r"{\"city\":\"\u00e9\"}", json.dumps(json.dumps({"city": text}))[1:-1])
    return json.loads(told.replace('{"city": "\\u00e9"}', json.dumps({"city": text})))


def said_in_requests(client: str, upstream: str, text: str) -> None:
    request = decoded(client, received(request_saying(client, text)))
    if client == "openai":  # nobody else takes sound
        del request.messages[1].content[2:]
    body = json.loads(wire_json.dumps(SERVICE.from_domain_request(request, upstream)))
    strings = list(strings_in(body))
    for wanted in (f"<{mended(text)}>", f"({mended(text)})"):
        assert any(wanted in string for string in strings), (wanted, strings)
    assert mended(text) in strings or any(_city(string) == mended(text) for string in strings), strings


def _city(string: str) -> Any:
    try:
        value = json.loads(string)
    except ValueError:
        return None
    city = value.get("city") if isinstance(value, dict) else None
    return mended(city) if isinstance(city, str) else None


@each_pair
def test_any_text_of_a_request_reaches_any_upstream(client, upstream):
    for text in SOME_TEXTS:
        said_in_requests(client, upstream, text)

    @settings(often, max_examples=60)
    @given(TEXTS)
    def every_case(text: str) -> None:
        said_in_requests(client, upstream, text)

    every_case()


TEXT_FIELDS = {"openai": "content", "openai-responses": "text", "anthropic": "text", "gemini": "text"}


def texts_of(client: str, body: Any) -> Iterator[str]:
    """The answer's text in a body or event of a client, thoughts apart."""
    if isinstance(body, list):
        for inner in body:
            yield from texts_of(client, inner)
    elif isinstance(body, dict) and not body.get("thought"):
        text = body.get(TEXT_FIELDS[client])
        if isinstance(text, str):
            yield text
        for inner in body.values():
            yield from texts_of(client, inner)


def whole_text(client: str, upstream: str, reply: Reply) -> str:
    response = SERVICE.to_domain_response(received(FORMATS[upstream].body(reply)), upstream)
    body = wire_json.dumps(SERVICE.from_domain_response(response, client, RenderOptions("m")))
    return "".join(texts_of(client, json.loads(body)))


def streamed_text(client: str, upstream: str, reply: Reply) -> str:
    frames = [
        f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
        for _, data in FORMATS[upstream].events(reply)
    ]
    source, encoder = SERVICE.format(upstream), SERVICE.stream_encoder(client, RenderOptions("m"))
    blocks = EventSplitter().feed(b"".join(frames))
    chunks = [chunk for block in blocks if (chunk := source.decode_block(block)) is not None]
    told = b"".join(map(encoder.encode, [*chunks, StreamChunk(terminal=True)]))
    events = [parse_event(block).data or b"" for block in EventSplitter().feed(told)]
    return "".join(streamed_texts(client, [json.loads(event) for event in events if event != b"[DONE]"]))


def streamed_texts(client: str, events: list[dict[str, Any]]) -> Iterator[str]:
    if client == "openai-responses":
        yield from (event["delta"] for event in events if event["type"] == "response.output_text.delta")
    else:
        yield from texts_of(client, events)


def said_in_answers(client: str, upstream: str, text: str) -> None:
    """Whole as one piece, and in two pieces; a surrogate pair is not cut, as nobody who streams UTF-8 could."""
    text = text or "x"
    at = len(text) // 2
    pieces = (text,) if 0xD800 <= ord(text[at - 1]) < 0xDC00 else (text[:at], text[at:])
    reply = Reply("m", (Text(tuple(filter(None, pieces))),), include_usage=True)
    assert whole_text(client, upstream, reply) == mended(text)
    assert streamed_text(client, upstream, reply) == "".join(map(mended, pieces))


@each_pair
def test_any_text_of_an_answer_reaches_any_client(client, upstream):
    for text in SOME_TEXTS:
        said_in_answers(client, upstream, text)

    @settings(often, max_examples=60)
    @given(TEXTS)
    def every_case(text: str) -> None:
        said_in_answers(client, upstream, text)

    every_case()
