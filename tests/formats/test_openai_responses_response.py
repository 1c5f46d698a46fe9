"""Whole Responses answers: what we emit is what the official SDK reads, and what we read is what servers send."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_core.domain.content import (
    Citation,
    MediaPart,
    NativePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from proxy_core.domain.response import Choice, DomainResponse, ErrorInfo, FinishReason, Usage
from proxy_core.domain.stream import as_chunk
from proxy_core.formats import builtin_formats, opaque
from proxy_core.formats.anthropic import AnthropicFormat
from proxy_core.formats.base import ModelCard, RenderOptions
from proxy_core.formats.openai import OpenAIFormat
from tests.fault_upstream import openai_responses as upstream
from tests.fault_upstream.reply import Reply, Text, Thinking, ToolUse
from tests.fault_upstream.reply import Usage as Counts
from tests.support.responses import FORMAT, OPTIONS, Row, collected, streamed, valid, without_ids

PNG = base64.b64encode(b"\x89PNG picture").decode()
REPLY = Reply(
    "gpt-upstream",
    (
        Thinking(("let me ", "think"), "ENCRYPTED=="),
        Text(("Hello ", "wörld ☕")),
        ToolUse("call_a", "weather", {"city": "Zürich"}),
        ToolUse("call_b", "weather", {"city": "Genève"}),
    ),
    "tools",
    Counts(21, 9, 4, 2),
)
LOGPROBS = {
    "content": [
        {
            "token": "é",
            "logprob": -0.1,
            "bytes": None,
            "top_logprobs": [{"token": "e", "logprob": -2.0, "bytes": [101]}],
        }
    ],
    "refusal": None,
}


def body(*output: Row, **fields: Any) -> Row:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1760000000,
        "status": "completed",
        "model": "gpt-upstream",
        "output": list(output),
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        **fields,
    }


def message(*content: Row, **fields: Any) -> Row:
    return {
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": list(content),
        **fields,
    }


def text(value: str, *annotations: Row, **fields: Any) -> Row:
    return {"type": "output_text", "text": value, "annotations": list(annotations), "logprobs": [], **fields}


def call(**fields: Any) -> Row:
    head = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "f"}
    return {**head, "arguments": '{"a":1}', **fields}


def read(*output: Row, **fields: Any) -> Choice:
    return FORMAT.decode_response(body(*output, **fields)).choices[0]


def there_and_back(*output: Row, **fields: Any) -> Row:
    return valid(FORMAT.encode_response(FORMAT.decode_response(body(*output, **fields)), OPTIONS))


def rendered(*content: Any, finish: Any = "stop", options: RenderOptions = OPTIONS, **fields: Any) -> Row:
    """An answer of another format, for a Responses client: whole, and the same as a stream."""
    choice = Choice(content=list(content), finish_reason=finish, **fields)
    response = DomainResponse(id="msg_x", created=7, choices=[choice])
    stream = collected(streamed(as_chunk(response), options=options))
    whole = valid(FORMAT.encode_response(response, options))
    assert without_ids(stream) == without_ids(whole)
    return whole


# an upstream's answer


def test_an_answer_of_openai_survives_the_domain() -> None:
    answer = upstream.body(REPLY)
    answer.pop("prompt_cache_retention")  # null, and so it says nothing
    assert FORMAT.encode_response(FORMAT.decode_response(answer), OPTIONS) == {**answer, "model": OPTIONS.model}


def test_every_kind_of_item_is_read() -> None:
    choice = FORMAT.decode_response(upstream.body(REPLY)).choices[0]
    thought, said, first, second = choice.content
    assert isinstance(thought, ReasoningPart)
    assert (thought.text, thought.data, thought.origin, thought.id) == (
        "let me think",
        "ENCRYPTED==",
        "openai-responses",
        "rs_fault_0",
    )
    assert isinstance(said, TextPart)
    assert said.text == "Hello wörld ☕"
    assert isinstance(first, ToolCallPart)
    assert isinstance(second, ToolCallPart)
    assert (first.id, first.name, json.loads(first.arguments)) == ("call_a", "weather", {"city": "Zürich"})
    assert second.id == "call_b"
    assert choice.finish_reason == "tool_calls"


def test_phases_ids_and_pieces_of_a_summary_come_back_as_they_were() -> None:
    pieces = [{"type": "summary_text", "text": part} for part in ("**One**\n\nfirst", "**Two**")]
    output = [
        {"id": "rs_1", "type": "reasoning", "summary": pieces, "encrypted_content": "E"},
        message(text("Let me look."), phase="commentary"),
        call(namespace="crm", caller={"type": "direct"}),
        message(text("a"), text("b"), {"type": "refusal", "refusal": "no more"}, id="msg_2", phase="final_answer"),
    ]
    assert read(*output).content[0].text == "**One**\n\nfirst\n\n**Two**"  # type: ignore[union-attr]  # thinking
    assert there_and_back(*output)["output"] == output


def test_reasoning_of_open_models_is_read_from_its_content() -> None:
    content = [{"type": "reasoning_text", "text": text} for text in ("hm", "well")]
    item = {"id": "rs", "type": "reasoning", "summary": [], "content": content}
    (part,) = read(item).content
    assert isinstance(part, ReasoningPart)
    assert part.text == "hm\n\nwell"
    assert there_and_back(item)["output"] == [item]


def test_a_reasoning_item_without_text_or_state_keeps_its_id() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": []}
    assert there_and_back(item, call())["output"][0] == item


def test_a_custom_call_has_free_text_and_a_name_in_a_namespace_is_flat() -> None:
    item = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** Begin"}
    (part,) = read({**item, "namespace": "repo"}).content
    assert isinstance(part, ToolCallPart)
    assert (part.kind, part.arguments, part.name) == ("custom", "*** Begin", "repo__patch")
    assert there_and_back({**item, "status": "completed", "namespace": "repo"})["output"] == [
        {**item, "status": "completed", "namespace": "repo"}
    ]


def test_citations_of_pages_are_read_and_those_of_files_kept() -> None:
    page = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 3}
    file = {"type": "file_citation", "file_id": "file_1", "filename": "b.pdf", "index": 2}
    (part,) = read(message(text("Hi.", page, file))).content
    assert isinstance(part, TextPart)
    first, second = part.citations
    assert (first.url, first.title, first.start, first.end) == ("https://a.example", "A", 0, 3)
    assert (second.url, second.title) == (None, "b.pdf")
    assert there_and_back(message(text("Hi.", page, file)))["output"] == [message(text("Hi.", page, file))]


def test_hosted_tools_stay_whole_for_their_own_clients_and_are_recorded_for_others() -> None:
    search = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }
    part = read(search).content[0]
    assert part == NativePart(format="openai-responses", data=search)
    assert there_and_back(search, message(text("x")))["output"] == [search, message(text("x"))]
    response = FORMAT.decode_response(body(search, message(text("x"))))
    OpenAIFormat().encode_response(response, OPTIONS)
    assert response.dropped == ["web_search_call"]


def test_an_image_that_the_model_made_is_media() -> None:
    item = {
        "id": "ig_1",
        "type": "image_generation_call",
        "status": "completed",
        "result": PNG,
        "output_format": "webp",
        "revised_prompt": "a cat",
    }
    (part,) = read(item).content
    assert isinstance(part, MediaPart)
    assert (part.kind, part.media_type, part.data) == ("image", "image/webp", PNG)
    assert there_and_back(item)["output"] == [item]


def test_an_image_that_failed_is_kept_whole() -> None:
    item = {"id": "ig_1", "type": "image_generation_call", "status": "failed", "result": None}
    assert read(item).content == [NativePart(format="openai-responses", data=item)]


def test_content_of_tomorrow_comes_back_in_a_message() -> None:
    (part,) = read(message({"type": "output_smell", "smell": "rose"})).content
    assert isinstance(part, NativePart)
    whole = FORMAT.encode_response(
        FORMAT.decode_response(body(message({"type": "output_smell", "smell": "rose"}))), OPTIONS
    )
    assert whole["output"][0]["content"] == [{"type": "output_smell", "smell": "rose"}]


def test_logprobs_have_the_shape_of_chat() -> None:
    token = {
        "token": "é",
        "logprob": -0.1,
        "bytes": [195, 169],
        "top_logprobs": [{"token": "e", "logprob": -2.0, "bytes": [101]}],
    }
    choice = read(message(text("é", logprobs=[token])))
    assert choice.logprobs == {"content": [token], "refusal": None}
    assert there_and_back(message(text("é", logprobs=[token])))["output"] == [message(text("é", logprobs=[token]))]


@pytest.mark.parametrize(
    ("fields", "reason", "native"),
    [
        ({"status": "completed"}, "stop", None),
        ({"status": None}, "stop", None),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length", None),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter", None),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_messages"}}, "length", "max_messages"),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, "pause", "steered"),
        ({"status": "incomplete", "incomplete_details": None}, "length", "incomplete"),
        ({"status": "cancelled"}, "error", "cancelled"),
        ({"status": "in_progress"}, "pause", "in_progress"),
        ({"status": "completed", "native_finish_reason": "pause_turn"}, "pause", "pause_turn"),
        (
            {
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
                "native_finish_reason": "refusal",
            },
            "refusal",
            "refusal",
        ),
    ],
)
def test_ends_are_read(fields: Row, reason: FinishReason, native: str | None) -> None:
    choice = read(message(text("x")), **fields)
    assert (choice.finish_reason, choice.native_finish_reason) == (reason, native)


def test_the_end_of_calls_and_of_refusals_is_derived() -> None:
    assert read(message(text("x")), call()).finish_reason == "tool_calls"
    assert read(message({"type": "refusal", "refusal": "no"})).finish_reason == "refusal"
    assert read(message(text("x"), {"type": "refusal", "refusal": "no"})).finish_reason == "stop"


@pytest.mark.parametrize(
    ("answer", "message_", "code", "status"),
    [
        (
            body(status="failed", error={"code": "rate_limit_exceeded", "message": "slow"}),
            "slow",
            "rate_limit_exceeded",
            429,
        ),
        (body(status="failed", error={"code": "invalid_image", "message": "bad"}), "bad", "invalid_image", 400),
        (
            body(status="failed", error={"code": "server_error", "message": ""}),
            "HTTP 500 Internal Server Error",
            "server_error",
            500,
        ),
        (body(status="failed"), "the response failed, and the upstream did not say why", None, 502),
        ({"error": {"message": "no", "type": "invalid_request_error", "code": None}}, "no", None, 400),
        ({"detail": "nothing here"}, "nothing here", None, 502),
        ({"error": "plain"}, "plain", None, 502),
    ],
)
def test_an_answer_that_failed_is_an_error(answer: Row, message_: str, code: str | None, status: int) -> None:
    error = FORMAT.decode_response(answer).error
    assert error is not None
    assert (error.message, error.code, error.status) == (message_, code, status)


def test_usage_is_read_with_its_details() -> None:
    raw = {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5, "cache_write_tokens_details": None},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 1},
        "total_tokens": 39,
    }
    usage = FORMAT.decode_response(body(usage=raw)).usage
    assert usage is not None
    counts = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
    assert (*counts, usage.reasoning_tokens) == (30, 9, 10, 5, 4)
    assert FORMAT.decode_usage(json.dumps(body(usage=raw)).encode()) == usage
    assert there_and_back(usage=raw)["usage"]["output_tokens_details"] == {"reasoning_tokens": 4, "audio_tokens": 1}
    assert FORMAT.decode_response(body(usage=None)).usage is None


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"type": "message"},
        {"type": "message", "content": "plain text"},
        {"type": "message", "content": [None, {"type": 5}, {"type": "output_text", "text": None}]},
        {"type": "reasoning", "summary": "x", "content": 5},
        {"type": "function_call", "name": "f", "arguments": {"a": 1}},
        {"type": "function_call", "name": None},
        {"type": "custom_tool_call", "name": "f"},
        {"type": ["message"]},
        None,
        5,
    ],
)
def test_no_item_breaks_us(item: Any) -> None:
    response = FORMAT.decode_response(body(item))
    FORMAT.encode_response(response, OPTIONS)
    for client in builtin_formats():
        client.encode_response(response, OPTIONS)


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "type",
                        "content",
                        "text",
                        "summary",
                        "call_id",
                        "name",
                        "arguments",
                        "annotations",
                        "logprobs",
                        "id",
                    ]
                ),
                inner | st.sampled_from(["message", "reasoning", "function_call", "output_text", "refusal"]),
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_output_breaks_us(output: Any) -> None:
    response = FORMAT.decode_response(body(output=output))
    FORMAT.encode_response(response, OPTIONS)


# the answer for a client


def test_an_answer_of_another_format_is_a_valid_response() -> None:
    whole = rendered(
        ReasoningPart(text="hm", signature="SIG", origin="anthropic"),
        TextPart(text="Hi"),
        ToolCallPart(id="toolu_1", name="f", arguments='{"a":1}'),
        ToolCallPart(id="toolu_2", name="g"),
        TextPart(text="bye"),
        finish="tool_calls",
    )
    assert whole["id"] == "resp_msg_x"
    assert (whole["object"], whole["created_at"], whole["model"]) == ("response", 7, OPTIONS.model)
    assert (whole["status"], whole["error"], whole["incomplete_details"]) == ("completed", None, None)
    kinds = [(item["type"], item["id"].partition("_")[0]) for item in whole["output"]]
    assert kinds == [
        ("reasoning", "rs"),
        ("message", "msg"),
        ("function_call", "fc"),
        ("function_call", "fc"),
        ("message", "msg"),
    ]
    assert [whole["output"][at]["call_id"] for at in (2, 3)] == ["toolu_1", "toolu_2"]
    assert whole["output"][3]["arguments"] == "{}"
    assert "native_finish_reason" not in whole
    assert whole["usage"]["total_tokens"] == 0


def test_another_providers_state_is_sealed_and_the_summary_stands_beside_it() -> None:
    part = ReasoningPart(text="hm", signature="SIG", origin="anthropic")
    data = ReasoningPart(data="THOUGHT", origin="gemini", id="call_1")
    first, second = rendered(part, data)["output"]
    assert first["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert opaque.unseal(first["encrypted_content"]) == [ReasoningPart(signature="SIG", origin="anthropic")]
    assert second["summary"] == []
    assert opaque.unseal(second["encrypted_content"]) == [data]
    assert second["id"].startswith("rs_")


def test_thinking_that_nobody_signed_has_no_state() -> None:
    (item,) = rendered(ReasoningPart(text="hm", origin="anthropic"))["output"]
    assert "encrypted_content" not in item


def test_our_own_state_goes_to_the_client_as_it_is() -> None:
    (item,) = rendered(ReasoningPart(text="a\n\nb", data="E", origin="openai-responses", id="rs_9"))["output"]
    assert (item["id"], item["encrypted_content"]) == ("rs_9", "E")


def test_texts_beside_each_other_are_one_message() -> None:
    whole = rendered(TextPart(text="a"), TextPart(text="b"), RefusalPart(text="no"))
    (item,) = whole["output"]
    assert [part["type"] for part in item["content"]] == ["output_text", "output_text", "refusal"]


def test_citations_cover_their_text_unless_they_say() -> None:
    sources = [
        Citation(url="https://a.example", title="A", start=1, end=2),
        Citation(url="https://b.example", cited_text="said elsewhere"),
        Citation(url="https://c.example", cited_text="llo"),
    ]
    (item,) = rendered(TextPart(text="héllo", citations=sources))["output"]
    assert item["content"][0]["annotations"] == [
        {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 1, "end_index": 2},
        {"type": "url_citation", "url": "https://b.example", "title": "", "start_index": 0, "end_index": 5},
        {"type": "url_citation", "url": "https://c.example", "title": "", "start_index": 2, "end_index": 5},
    ]


def test_logprobs_of_chat_get_their_bytes() -> None:
    (item,) = rendered(ReasoningPart(text="hm"), TextPart(text="é"), logprobs=LOGPROBS)["output"][1:]
    (token,) = item["content"][0]["logprobs"]
    assert token["bytes"] == [195, 169]


def test_images_are_shown_and_sounds_recorded() -> None:
    image = MediaPart(kind="image", media_type="image/png", data=PNG)
    choice = Choice(
        content=[image, MediaPart(kind="audio", data=PNG), MediaPart(kind="image", url="https://a.example/x.png")]
    )
    response = DomainResponse(choices=[choice])
    (item,) = valid(FORMAT.encode_response(response, OPTIONS))["output"]
    assert (item["type"], item["result"], item["output_format"]) == ("image_generation_call", PNG, "png")
    assert response.dropped == ["content.media"]
    assert [part["type"] for part in rendered(image, TextPart(text="x"))["output"]] == [
        "image_generation_call",
        "message",
    ]


def test_only_the_first_choice_is_shown() -> None:
    choices = [Choice(content=[TextPart(text="b")], index=1), Choice(content=[TextPart(text="a")])]
    response = DomainResponse(choices=choices)
    whole = valid(FORMAT.encode_response(response, OPTIONS))
    assert whole["output"][0]["content"][0]["text"] == "b"
    assert response.dropped == ["choices"]


def test_foreign_blocks_are_dropped_and_recorded() -> None:
    response = DomainResponse(
        choices=[Choice(content=[NativePart(format="anthropic", data={"type": "server_tool_use"})])]
    )
    assert valid(FORMAT.encode_response(response, OPTIONS))["output"] == []
    assert response.dropped == ["server_tool_use"]


@pytest.mark.parametrize(
    ("content", "reason", "native", "status", "why", "trace"),
    [
        ([TextPart(text="x")], "stop", None, "completed", None, None),
        ([TextPart(text="x")], None, None, "completed", None, None),
        ([TextPart(text="x")], "stop", "eos_token", "completed", None, "eos_token"),
        ([TextPart(text="x")], "length", None, "incomplete", "max_output_tokens", None),
        ([TextPart(text="x")], "length", "max_messages", "incomplete", "max_messages", None),
        (
            [],
            "length",
            "model_context_window_exceeded",
            "incomplete",
            "max_output_tokens",
            "model_context_window_exceeded",
        ),
        ([], "content_filter", None, "incomplete", "content_filter", None),
        ([RefusalPart(text="no")], "refusal", None, "completed", None, None),
        ([RefusalPart(text="no")], "stop", None, "completed", None, None),
        ([TextPart(text="x")], "refusal", None, "incomplete", "content_filter", "refusal"),
        ([TextPart(text="x")], "pause", "pause_turn", "incomplete", "max_output_tokens", "pause_turn"),
        ([TextPart(text="x")], "pause", None, "incomplete", "max_output_tokens", "pause"),
        ([TextPart(text="x")], "error", "malformed_function_call", "failed", None, "malformed_function_call"),
        ([], "error", None, "failed", None, "error"),
        ([ToolCallPart(id="c", name="f")], "stop", None, "completed", None, None),
        ([TextPart(text="x")], "tool_calls", None, "completed", None, "tool_calls"),
    ],
)
def test_ends_are_never_plainly_complete_without_a_trace(
    content: list[Any], reason: Any, native: str | None, status: str, why: str | None, trace: str | None
) -> None:
    whole = rendered(*content, finish=reason, native_finish_reason=native)
    assert (whole["status"], (whole["incomplete_details"] or {}).get("reason")) == (status, why)
    assert whole.get("native_finish_reason") == trace
    assert (whole["error"] is None) is (status != "failed")


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "refusal", "pause"])
def test_an_end_that_was_written_reads_the_same(reason: FinishReason) -> None:
    whole = rendered(TextPart(text="x"), finish=reason, stop_sequence="###")
    choice = FORMAT.decode_response(whole).choices[0]
    assert (choice.finish_reason, choice.stop_sequence) == (reason, "###")


def test_an_answer_that_is_cut_off_says_which_item_is() -> None:
    cut = ToolCallPart(id="c", name="f", arguments='{"a":')
    items = rendered(TextPart(text="x"), cut, finish="length")["output"]
    assert [item["status"] for item in items] == ["completed", "incomplete"]
    assert items[1]["arguments"] == '{"a":'


def test_an_empty_answer_is_a_valid_response() -> None:
    assert valid(FORMAT.encode_response(DomainResponse(), OPTIONS))["output"] == []


def test_an_error_is_an_error_body() -> None:
    error = ErrorInfo(message="no", status=429)
    assert FORMAT.encode_response(DomainResponse(error=error), OPTIONS)["error"]["code"] == "rate_limit_exceeded"
    assert FORMAT.encode_error(error, OPTIONS)["error"]["message"] == "no"
    assert FORMAT.decode_error({"error": {"message": "no"}}, 400).status == 400


def test_the_response_repeats_its_request_in_the_clients_words() -> None:
    request = FORMAT.decode_request(
        {
            "model": OPTIONS.model,
            "input": "hi",
            "instructions": "be kind",
            "metadata": {"a": "b"},
            "temperature": 0.5,
            "tools": [
                {"type": "function", "name": "f"},
                {"type": "custom", "name": "c"},
                {"type": "namespace", "name": "crm", "description": "d", "tools": [{"type": "function", "name": "g"}]},
                {"type": "web_search"},
            ],
            "tool_choice": {"type": "function", "name": "f"},
            "text": {"verbosity": "low"},
            "reasoning": {"effort": "high"},
            "store": True,
            "service_tier": "flex",
        }
    )
    told = DomainResponse(
        extras={"openai-responses": {"instructions": "secret", "service_tier": "default", "top_p": 0.9}}
    )
    whole = valid(FORMAT.encode_response(told, RenderOptions(model="m", request=request)))
    assert (whole["instructions"], whole["metadata"], whole["temperature"]) == ("be kind", {"a": "b"}, 0.5)
    assert (whole["tool_choice"], whole["reasoning"]) == ({"type": "function", "name": "f"}, {"effort": "high"})
    assert whole["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert whole["tools"][0] == {"type": "function", "name": "f", "parameters": None, "strict": None}
    assert [tool["type"] for tool in whole["tools"]] == ["function", "custom", "namespace", "web_search"]
    assert (whole["service_tier"], whole["store"], whole["top_p"]) == ("default", False, 0.9)
    silent = FORMAT.decode_request({"model": "m", "input": "hi"})
    assert FORMAT.encode_response(told, RenderOptions(model="m", request=silent))["instructions"] is None


def test_calls_get_the_names_that_the_client_knows() -> None:
    tools = [
        {"type": "namespace", "name": "crm", "description": "d", "tools": [{"type": "function", "name": "find"}]},
        {"type": "custom", "name": "patch"},
    ]
    request = FORMAT.decode_request({"model": "m", "input": "hi", "tools": tools})
    options = RenderOptions(model="m", request=request, free_text_tools=frozenset({"patch"}))
    found = ToolCallPart(id="c1", name="crm__find")
    patched = ToolCallPart(id="c2", name="patch", arguments='{"input":"*** Begin"}')
    first, second = rendered(found, patched, options=options, finish="tool_calls")["output"]
    assert (first["name"], first["namespace"]) == ("find", "crm")
    assert (second["type"], second["input"]) == ("custom_tool_call", "*** Begin")


def test_ids_are_unique_where_an_upstream_repeats_them() -> None:
    calls = [ToolCallPart(id="call_0", name="f"), ToolCallPart(id="call_0", name="f"), ToolCallPart(id="", name="f")]
    response = DomainResponse(choices=[Choice(content=[*calls])])
    items = valid(FORMAT.encode_response(response, OPTIONS))["output"]
    collected(streamed(as_chunk(response)))
    assert len({item["call_id"] for item in items}) == 3
    assert all(item["call_id"].startswith("call_") for item in items)


# through other formats


@pytest.mark.parametrize("client", [OpenAIFormat(), AnthropicFormat()], ids=lambda client: client.name)
def test_what_another_client_shows_can_be_brought_back(client: Any) -> None:
    """Text, calls and thinking survive the way to another format's client; written for a Responses client again, they
    are the same."""
    response = FORMAT.decode_response(upstream.body(REPLY))
    shown = client.decode_response(client.encode_response(response, OPTIONS))
    again = valid(FORMAT.encode_response(shown, OPTIONS))
    kinds = [item["type"] for item in again["output"]]
    assert kinds == ["reasoning", "message", "function_call", "function_call"]
    assert again["output"][0]["summary"] == [{"type": "summary_text", "text": "let me think"}]
    assert again["output"][1]["content"][0]["text"] == "Hello wörld ☕"
    assert [json.loads(item["arguments"]) for item in again["output"][2:]] == [{"city": "Zürich"}, {"city": "Genève"}]
    assert again["usage"] == upstream.usage(REPLY.usage) | {
        "output_tokens_details": again["usage"]["output_tokens_details"]
    }


def test_models_are_listed_as_chat_lists_them() -> None:
    card = ModelCard("m", "b")
    assert FORMAT.encode_models([card], {})["data"] == [FORMAT.encode_model(card)]


def test_usage_is_written_in_full() -> None:
    response = DomainResponse(choices=[Choice()], usage=Usage(input_tokens=5, cache_write_tokens=2, output_tokens=1))
    assert valid(FORMAT.encode_response(response, OPTIONS))["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 2},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 6,
    }
