"""One format through the domain and back: a bare connector changes nothing that has a meaning.

What does change, and says the same (`canonical` knows it): a single plain text is a string, a single stop word a list,
fields that are null are absent, and Chat streams ask for their usage. Beyond that, and left out here: Messages turns of
one role are one turn, and blank texts are gone from them; in Chat answers empty arguments are `{}`, `reasoning` is
called `reasoning_content`, and content in a list is one string (its parts of unknown types are dropped, recorded).
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_core.domain.stream import as_chunk
from proxy_core.formats.anthropic import AnthropicFormat
from proxy_core.formats.base import RenderOptions
from proxy_core.formats.openai import OpenAIFormat

CHAT, MESSAGES = OpenAIFormat(), AnthropicFormat()
OPTIONS = RenderOptions(model="m")

TEXT = st.text(max_size=8)
WORD = st.text("abc_", min_size=1, max_size=8)
FLAG = st.booleans()
VALUE = st.one_of(FLAG, st.integers(-9, 9), TEXT, st.lists(TEXT, max_size=2), st.dictionaries(WORD, TEXT, max_size=2))
UNKNOWN = {"x_new": VALUE, "x_other": VALUE}
SCHEMA = st.fixed_dictionaries({"type": st.just("object")}, optional={"properties": st.just({"a": {"type": "string"}})})
JSON_TEXT = st.sampled_from(["{}", '{"a":1}', '{"a":"\\u00e9"}', '{"a": 1'])
PNG = "iVBORw0KGgo="


def fields(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


def tagged(kind: str, required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return fields({"type": st.just(kind), **required}, **optional)


# Chat Completions

DATA_URL = st.sampled_from(["https://example.org/a.png", f"data:image/png;base64,{PNG}"])
CHAT_TEXT = tagged("text", {"text": TEXT}, cache_control=st.just({"type": "ephemeral"}))
CHAT_PART = st.one_of(
    CHAT_TEXT,
    tagged("image_url", {"image_url": fields({"url": DATA_URL}, detail=st.just("low"), **UNKNOWN)}, **UNKNOWN),
    tagged("input_audio", {"input_audio": st.just({"data": PNG, "format": "wav"})}),
    tagged("file", {"file": st.sampled_from([{"file_id": "f"}, {"file_data": PNG, "filename": "a.pdf"}])}),
    tagged("tomorrow", {}, **UNKNOWN),
)
CHAT_CALL = st.one_of(
    tagged("function", {"id": WORD, "function": fields({"name": WORD, "arguments": JSON_TEXT})}, **UNKNOWN),
    tagged("custom", {"id": WORD, "custom": fields({"name": WORD, "input": TEXT})}),
)
THOUGHTS = tagged("reasoning.text", {"text": TEXT, "signature": WORD, "format": st.just("unknown")})


def numbered(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**entry, "index": index} for index, entry in enumerate(entries)]


def said(part: Any) -> st.SearchStrategy[Any]:
    return TEXT | st.lists(part, min_size=1, max_size=3)


def role(kind: str, required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return fields({"role": st.just(kind), **required}, **optional, **UNKNOWN)


CHAT_MESSAGE = st.one_of(
    role("system", {"content": said(CHAT_TEXT)}, name=WORD),
    role("developer", {"content": said(CHAT_TEXT)}),
    role("user", {"content": said(CHAT_PART)}, name=WORD),
    role(
        "assistant",
        {"content": st.none() | said(CHAT_TEXT)},
        refusal=st.text(min_size=1, max_size=3),
        tool_calls=st.lists(CHAT_CALL, min_size=1, max_size=2),
        reasoning_content=st.text(min_size=1, max_size=3),
    ),
    role("assistant", {"content": TEXT, "reasoning_details": st.lists(THOUGHTS, min_size=1, max_size=2).map(numbered)}),
    role("tool", {"tool_call_id": WORD, "content": said(CHAT_TEXT)}),
)
DEFINITION = fields({"name": WORD}, description=TEXT, parameters=SCHEMA, strict=FLAG)
CHAT_TOOL = st.one_of(
    tagged("function", {"function": DEFINITION}, **UNKNOWN),
    tagged("custom", {"custom": fields({"name": WORD}, description=TEXT, format=VALUE)}),
    tagged("web_search", {}, **UNKNOWN),
)
CHAT_CHOICE = st.one_of(
    st.sampled_from(["auto", "none", "required"]),
    tagged("function", {"function": fields({"name": WORD})}),
    tagged("tomorrow", {}, **UNKNOWN),
)
CHAT_REQUEST = fields(
    {"model": WORD, "messages": st.lists(CHAT_MESSAGE, min_size=1, max_size=4)},
    tools=st.lists(CHAT_TOOL, min_size=1, max_size=3),
    tool_choice=CHAT_CHOICE,
    parallel_tool_calls=FLAG,
    temperature=st.floats(0, 2),
    max_tokens=st.integers(1, 9),
    seed=st.integers(0, 9),
    logit_bias=st.dictionaries(WORD, st.integers(-9, 9), min_size=1, max_size=2),
    logprobs=FLAG,
    top_logprobs=st.integers(0, 9),
    n=st.integers(1, 3),
    stop=WORD | st.lists(WORD, min_size=1, max_size=5),
    user=WORD,
    metadata=st.dictionaries(WORD, TEXT, min_size=1, max_size=2),
    reasoning_effort=st.sampled_from(["none", "low", "xhigh", "tomorrow"]),
    response_format=st.sampled_from([{"type": "json_object"}, {"type": "tomorrow", "x": 1}])
    | tagged("json_schema", {"json_schema": fields({"name": WORD}, schema=SCHEMA, strict=FLAG)}),
    stream=FLAG,
    **UNKNOWN,
)
CHAT_USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "x_cost": 0.5}
CHAT_ANSWER_MESSAGE = role(
    "assistant",
    {"content": st.none() | st.text(min_size=1, max_size=8)},
    refusal=st.text(min_size=1, max_size=3),
    tool_calls=st.lists(CHAT_CALL, min_size=1, max_size=2),
    reasoning_content=st.text(min_size=1, max_size=3),
    annotations=st.just([{"type": "file"}]),
    audio=st.just({"id": "a"}),
)
CHAT_ANSWER = fields(
    {
        "id": WORD,
        "object": st.just("chat.completion"),
        "created": st.integers(1, 9),
        "model": st.just("m"),
        "choices": st.tuples(
            fields({"index": st.just(0), "message": CHAT_ANSWER_MESSAGE, "finish_reason": st.just("length")}, **UNKNOWN)
        ).map(list),
        "usage": st.just(CHAT_USAGE),
    },
    **UNKNOWN,
)


def canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: canonical(item) for name, item in value.items() if item is not None and name != "stream_options"}
    if isinstance(kept.get("content"), str) and "role" in kept:
        kept["content"] = [{"type": "text", "text": kept["content"]}]
    return kept


def canonical_chat(body: dict[str, Any]) -> Any:
    stop, body = body.get("stop"), canonical(body)
    if not body.get("stream"):
        body.pop("stream", None)
    return {**body, "stop": [stop]} if isinstance(stop, str) else body


@settings(max_examples=150, deadline=None)
@given(CHAT_REQUEST)
def test_a_chat_request_keeps_its_meaning(body: dict[str, Any]) -> None:
    request = CHAT.decode_request(body)
    assert canonical_chat(CHAT.encode_request(request)) == canonical_chat(body)
    assert request.dropped == []


@settings(max_examples=100, deadline=None)
@given(CHAT_ANSWER)
def test_a_chat_answer_keeps_its_meaning(body: dict[str, Any]) -> None:
    response = CHAT.decode_response(body)
    assert canonical(CHAT.encode_response(response, OPTIONS)) == canonical(body)
    assert response.dropped == []


# Messages

CACHED = {"cache_control": st.just({"type": "ephemeral"})}
SOURCE = st.sampled_from(
    [
        {"type": "base64", "media_type": "image/png", "data": PNG},
        {"type": "url", "url": "https://example.org/a.png"},
        {"type": "file", "file_id": "file_1"},
    ]
)
VISIBLE = st.text("abc", min_size=1, max_size=8)
MESSAGES_TEXT = tagged("text", {"text": VISIBLE}, **CACHED)
SHOWN = MESSAGES_TEXT | tagged("image", {"source": SOURCE}, **CACHED)
RESULT = tagged(
    "tool_result", {"tool_use_id": WORD, "content": st.lists(SHOWN, min_size=1, max_size=2)}, is_error=st.just(True)
)
SIGNED = tagged("thinking", {"thinking": TEXT, "signature": WORD}) | tagged("redacted_thinking", {"data": WORD})
CALL = tagged("tool_use", {"id": WORD, "name": WORD, "input": st.dictionaries(WORD, VALUE, max_size=2)}, **UNKNOWN)
SERVER = tagged("server_tool_use", {"id": WORD, "name": WORD, "input": st.just({"query": "x"})})
USER = st.lists(RESULT, max_size=2).flatmap(
    lambda results: st.lists(SHOWN, min_size=1, max_size=2).map(lambda shown: [*results, *shown])
)
ASSISTANT = st.lists(SIGNED | MESSAGES_TEXT | SERVER | CALL, min_size=1, max_size=4)
TURNS = st.lists(st.tuples(USER, ASSISTANT), min_size=1, max_size=2).map(
    lambda pairs: [
        {"role": name, "content": content}
        for pair in pairs
        for name, content in zip(("user", "assistant"), pair, strict=True)
    ]
)
MESSAGES_REQUEST = fields(
    {"model": WORD, "max_tokens": st.integers(1, 9), "messages": TURNS},
    system=VISIBLE | st.lists(MESSAGES_TEXT, min_size=1, max_size=2),
    tools=st.lists(
        fields({"name": WORD, "input_schema": SCHEMA}, description=VISIBLE, strict=st.just(True), **CACHED)
        | tagged("web_search_20250305", {"name": WORD}, **UNKNOWN),
        min_size=1,
        max_size=2,
    ),
    thinking=st.sampled_from([{"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive", "display": "omitted"}]),
    output_config=fields({"effort": st.sampled_from(["low", "tomorrow"])}, **UNKNOWN),
    metadata=fields({"user_id": WORD}, **UNKNOWN),
    temperature=st.floats(0, 1),
    top_p=st.floats(0, 1),
    top_k=st.integers(0, 9),
    stop_sequences=st.lists(VISIBLE, min_size=1, max_size=6),
    stream=st.just(True),
    **UNKNOWN,
)
MESSAGES_ANSWER = fields(
    {
        "id": WORD,
        "type": st.just("message"),
        "role": st.just("assistant"),
        "model": st.just("m"),
        "content": ASSISTANT,
        "stop_reason": st.sampled_from(["max_tokens", "pause_turn", "tool_use"]),
        "stop_sequence": st.none(),
        "usage": st.just(
            {
                "input_tokens": 5,
                "output_tokens": 2,
                "cache_creation_input_tokens": 1,
                "cache_read_input_tokens": 3,
                "service_tier": "standard",
            }
        ),
    },
    **UNKNOWN,
)


def canonical_messages(body: dict[str, Any]) -> Any:
    body = canonical(body)
    if isinstance(body.get("system"), str):
        body["system"] = [{"type": "text", "text": body["system"]}]
    for block in (block for turn in body["messages"] for block in turn["content"]):
        if isinstance(block.get("content"), str):
            block["content"] = [{"type": "text", "text": block["content"]}]
    return body


@settings(max_examples=150, deadline=None)
@given(MESSAGES_REQUEST)
def test_a_messages_request_keeps_its_meaning(body: dict[str, Any]) -> None:
    request = MESSAGES.decode_request(body)
    assert canonical_messages(MESSAGES.encode_request(request)) == canonical_messages(body)
    assert request.dropped == []


@settings(max_examples=100, deadline=None)
@given(MESSAGES_ANSWER)
def test_a_messages_answer_keeps_its_meaning(body: dict[str, Any]) -> None:
    response = MESSAGES.decode_response(body)
    assert MESSAGES.encode_response(response, OPTIONS) == body
    encoder = MESSAGES.stream_encoder(OPTIONS)
    encoder.encode(as_chunk(response))
    assert response.dropped == encoder.dropped == []
