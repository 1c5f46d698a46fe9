"""Gemini's answers: what we emit is what Google's SDK reads, and what we read is what Gemini really sends."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from google.genai import errors as sdk_errors
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
from proxy_core.domain.response import Choice, DomainResponse, ErrorInfo, FinishReason, Usage
from proxy_core.errors import BackendError, InvalidRequestError
from proxy_core.formats import opaque
from proxy_core.formats.anthropic import AnthropicFormat
from proxy_core.formats.base import ModelCard, RenderOptions
from proxy_core.formats.gemini import GeminiFormat
from proxy_core.formats.openai import OpenAIFormat

FORMAT, CHAT, MESSAGES = GeminiFormat(), OpenAIFormat(), AnthropicFormat()
OPTIONS = RenderOptions(model="asked/for")
ODD_TEXT = 'naïve ☕ 👩‍🚀 \u2028\u0085 "quoted" \\ end'
PNG = "iVBORw0KGgo="
SIGNATURE = "CiQB0e2Kb1+sig=="


def answer(*parts: dict[str, Any], **candidate: Any) -> dict[str, Any]:
    """A body as Gemini sends it."""
    return {
        "candidates": [{"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP", **candidate}],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
        "modelVersion": "gemini-3-pro",
        "responseId": "r1",
    }


def sdk(body: dict[str, Any]) -> types.GenerateContentResponse:
    """The body as the SDK reads it, and as its types have it, which forbid fields that they do not know."""
    types.GenerateContentResponse.model_validate(body)
    converted = sdk_models._GenerateContentResponse_from_mldev(copy.deepcopy(body))
    return types.GenerateContentResponse._from_response(response=converted, kwargs={})


def written(*parts: Part, **choice: Any) -> types.GenerateContentResponse:
    response = DomainResponse(id="r1", choices=[Choice(content=list(parts), **choice)])
    return sdk(FORMAT.encode_response(response, OPTIONS))


def parts_of(response: types.GenerateContentResponse) -> list[types.Part]:
    content = first(response).content
    assert content
    return content.parts or []


def first(response: types.GenerateContentResponse) -> types.Candidate:
    assert response.candidates
    return response.candidates[0]


# what Gemini sends


def test_text_thinking_and_calls_are_told_apart() -> None:
    body = answer(
        {"text": "Hm. ", "thought": True, "thoughtSignature": SIGNATURE},
        {"text": ODD_TEXT},
        {"functionCall": {"name": "f", "args": {"city": "Zürich", "n": 2**70}, "id": "c1"}},
    )
    response = FORMAT.decode_response(body)
    thought, text, call = response.content
    assert thought == ReasoningPart(text="Hm. ", signature=SIGNATURE, origin="gemini")
    assert text == TextPart(text=ODD_TEXT)
    assert isinstance(call, ToolCallPart)
    assert (call.id, call.name, json.loads(call.arguments)) == ("c1", "f", {"city": "Zürich", "n": 2**70})
    assert (response.id, response.model) == ("r1", "gemini-3-pro")
    assert response.finish_reason == "tool_calls"


def test_calls_without_ids_get_ids_of_their_own_which_gemini_clients_do_not_see() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    response = FORMAT.decode_response(answer(call, call))
    one, other = response.tool_calls
    assert one.id
    assert one.id != other.id
    assert FORMAT.encode_response(response, OPTIONS)["candidates"][0]["content"]["parts"] == [call, call]


@pytest.mark.parametrize("arguments", [None, {}, "{}"])
def test_a_call_without_arguments_has_empty_ones(arguments: Any) -> None:
    response = FORMAT.decode_response(answer({"functionCall": {"name": "f", "args": arguments}}))
    assert response.tool_calls[0].arguments == "{}"


def test_a_signature_on_a_call_stands_before_it_under_its_id() -> None:
    response = FORMAT.decode_response(answer({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s"}))
    signature, call = response.content
    assert isinstance(call, ToolCallPart)
    assert signature == ReasoningPart(data="s", origin="gemini", id=call.id)


@pytest.mark.parametrize(
    "part",
    [
        {"text": "hi", "thoughtSignature": SIGNATURE},
        {"text": "", "thoughtSignature": SIGNATURE},
        {"text": "", "thought": True, "thoughtSignature": SIGNATURE},
        {"text": "hm", "thought": True, "thoughtSignature": SIGNATURE},
        {"inlineData": {"mimeType": "image/png", "data": PNG}, "thoughtSignature": SIGNATURE},
        {"functionCall": {"name": "f", "args": {"a": [1]}, "id": "c1"}, "thoughtSignature": SIGNATURE},
        {"functionCall": {"name": "f", "args": {}}, "partMetadata": {"k": "v"}},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": SIGNATURE},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"thought": True, "inlineData": {"mimeType": "image/png", "data": PNG}},
        {"fileData": {"fileUri": "gs://bucket/a.png", "mimeType": "image/png"}},
    ],
)
def test_parts_reach_gemini_clients_as_they_came(part: dict[str, Any]) -> None:
    body = answer({"text": "before"}, part, {"text": "after"})
    encoded = FORMAT.encode_response(FORMAT.decode_response(body), OPTIONS)
    assert encoded["candidates"][0]["content"]["parts"] == body["candidates"][0]["content"]["parts"]
    sdk(encoded)


def test_an_image_is_media_whatever_the_alphabet_of_its_base64() -> None:
    response = FORMAT.decode_response(answer({"inline_data": {"mime_type": "image/png", "data": "-_8="}}))
    assert response.content == [MediaPart(kind="image", media_type="image/png", data="+/8=")]


def test_code_that_ran_is_native_and_recorded_for_others() -> None:
    response = FORMAT.decode_response(answer({"executableCode": {"language": "PYTHON", "code": "1"}}, {"text": "1"}))
    assert response.content[0] == NativePart(
        format="gemini", data={"executableCode": {"language": "PYTHON", "code": "1"}}
    )
    CHAT.encode_response(response, OPTIONS)
    assert response.dropped == ["executableCode"]


def test_several_candidates_are_several_choices() -> None:
    body = answer({"text": "a"}, index=0)
    body["candidates"].append({"content": {"parts": [{"text": "b"}]}, "finishReason": "MAX_TOKENS", "index": 1})
    response = FORMAT.decode_response(body)
    assert [(choice.index, choice.finish_reason) for choice in response.choices] == [(0, "stop"), (1, "length")]
    encoded = sdk(FORMAT.encode_response(response, OPTIONS))
    assert [candidate.index for candidate in encoded.candidates or []] == [0, 1]


@pytest.mark.parametrize("content", [{}, None, {"role": "model"}, {"parts": None}, {"parts": []}])
@pytest.mark.parametrize(("word", "reason"), [("MAX_TOKENS", "length"), ("SAFETY", "content_filter")])
def test_an_answer_may_have_no_parts(content: Any, word: str, reason: str) -> None:
    response = FORMAT.decode_response({"candidates": [{"content": content, "finishReason": word}]})
    assert response.content == []
    assert response.finish_reason == reason
    assert first(sdk(FORMAT.encode_response(response, OPTIONS))).finish_reason == types.FinishReason(word)
    CHAT.encode_response(response, OPTIONS)
    MESSAGES.encode_response(response, OPTIONS)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"),
        (1, "stop"),
        (2, "length"),
        (3, "content_filter"),
        (4, "content_filter"),
        (5, "error"),
        (6, "error"),
        (10, "error"),
        (18, "error"),
        (99, "error"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("LANGUAGE", "error"),
        ("OTHER", "error"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("UNEXPECTED_TOOL_CALL", "error"),
        ("TOO_MANY_TOOL_CALLS", "error"),
        ("MISSING_THOUGHT_SIGNATURE", "error"),
        ("MALFORMED_RESPONSE", "error"),
        ("NO_IMAGE", "error"),
        ("CONTINUATION", "pause"),
        ("A_WORD_OF_TOMORROW", "error"),
    ],
)
def test_finish_reasons_are_words_or_numbers(word: str | int, reason: FinishReason) -> None:
    response = FORMAT.decode_response(answer({"text": "x"}, finishReason=word, finishMessage="because"))
    assert response.finish_reason == reason
    assert (response.choices[0].native_finish_reason is None) == (reason in ("stop", "length"))
    encoded = FORMAT.encode_response(response, OPTIONS)["candidates"][0]
    if isinstance(word, str):
        assert encoded["finishReason"] == word
    assert encoded["finishMessage"] == "because"


def test_no_reason_of_the_sdk_is_unknown_here() -> None:
    for word in types.FinishReason:
        response = FORMAT.decode_response(answer({"text": "x"}, finishReason=word.value))
        if word is not types.FinishReason.FINISH_REASON_UNSPECIFIED:
            encoded = FORMAT.encode_response(response, OPTIONS)
            assert encoded["candidates"][0]["finishReason"] == word.value
            assert response.choices[0].extras == {}


@pytest.mark.parametrize("reason", ["SAFETY", 1, "PROHIBITED_CONTENT"])
def test_a_blocked_prompt_is_a_choice_without_content(reason: Any) -> None:
    feedback = {"blockReason": reason, "blockReasonMessage": "no", "safetyRatings": []}
    body = {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}}
    response = FORMAT.decode_response(body)
    word = "SAFETY" if reason == 1 else reason
    (choice,) = response.choices
    assert (choice.content, choice.finish_reason, choice.native_finish_reason) == ([], "content_filter", word)
    encoded = FORMAT.encode_response(response, OPTIONS)
    assert encoded["promptFeedback"] == {**feedback, "blockReason": word}
    assert "candidates" not in encoded
    sdk(encoded)
    chat = CHAT.encode_response(response, OPTIONS)["choices"][0]
    assert (chat["finish_reason"], chat["message"]["content"]) == ("content_filter", None)


def test_feedback_on_a_prompt_that_was_not_blocked_is_kept() -> None:
    body = answer({"text": "x"}) | {"promptFeedback": {"safetyRatings": []}, "modelStatus": {"modelStage": "STABLE"}}
    response = FORMAT.decode_response(body)
    assert (response.text, response.finish_reason) == ("x", "stop")
    encoded = FORMAT.encode_response(response, OPTIONS)
    assert encoded["promptFeedback"] == body["promptFeedback"]
    assert encoded["modelStatus"] == body["modelStatus"]


def test_an_answer_with_nothing_in_it_is_no_success() -> None:
    response = FORMAT.decode_response({"usageMetadata": {"promptTokenCount": 5}, "modelVersion": "m"})
    assert response.finish_reason == "error"
    assert FORMAT.encode_response(response, OPTIONS)["candidates"][0]["finishMessage"] == "error"


def test_snake_case_is_read_too() -> None:
    body = {
        "candidates": [
            {
                "content": {"parts": [{"function_call": {"name": "f", "args": {"a_b": 1}}, "thought_signature": "s"}]},
                "finish_reason": "STOP",
            }
        ],
        "usage_metadata": {"prompt_token_count": 1, "total_token_count": 4, "candidates_token_count": 3},
        "model_version": "m",
        "response_id": "r",
    }
    response = FORMAT.decode_response(body)
    assert (response.id, response.model, response.tool_calls[0].arguments) == ("r", "m", '{"a_b":1}')
    assert response.content[0] == ReasoningPart(data="s", origin="gemini", id=response.tool_calls[0].id)
    assert response.usage == Usage(input_tokens=1, output_tokens=3)


def test_the_time_is_kept() -> None:
    response = FORMAT.decode_response(answer({"text": "x"}) | {"createTime": "2026-11-27T12:00:00.123456789Z"})
    assert response.created == 1795780800
    assert FORMAT.encode_response(response, OPTIONS)["createTime"] == "2026-11-27T12:00:00Z"
    assert FORMAT.decode_response(answer({"text": "x"}) | {"createTime": "soon"}).created is None


FIELD_NAMES = [
    "candidates",
    "content",
    "parts",
    "text",
    "functionCall",
    "name",
    "index",
    "finishReason",
    "thought",
    "inlineData",
    "groundingMetadata",
    "groundingChunks",
    "groundingSupports",
    "groundingChunkIndices",
    "web",
    "usageMetadata",
    "logprobsResult",
    "topCandidates",
    "chosenCandidates",
    "promptFeedback",
    "blockReason",
    "partialArgs",
    "jsonPath",
    "stringValue",
    "error",
]


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(FIELD_NAMES),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_an_upstream_sends_does_not_break_us(value: Any) -> None:
    body = value if isinstance(value, dict) else {"candidates": value}
    try:
        response = FORMAT.decode_response(body)
        FORMAT.decode_payload(body)
    except BackendError:
        return
    FORMAT.encode_response(response, OPTIONS)
    CHAT.encode_response(response, OPTIONS)


# usage


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (
            {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 20, "totalTokenCount": 35},
            Usage(input_tokens=10, output_tokens=25, reasoning_tokens=20),
        ),
        (
            {"promptTokenCount": 10, "thoughtsTokenCount": 20, "totalTokenCount": 30},
            Usage(input_tokens=10, output_tokens=20, reasoning_tokens=20),
        ),
        (
            {"promptTokenCount": 10, "cachedContentTokenCount": 8, "candidatesTokenCount": 1, "totalTokenCount": 11},
            Usage(input_tokens=10, output_tokens=1, cache_read_tokens=8),
        ),
        (  # thoughts within the candidates' count
            {"promptTokenCount": 10, "candidatesTokenCount": 25, "thoughtsTokenCount": 20, "totalTokenCount": 35},
            Usage(input_tokens=10, output_tokens=25, reasoning_tokens=20),
        ),
        ({"promptTokenCount": 10, "totalTokenCount": 10}, Usage(input_tokens=10, output_tokens=0)),
        ({"promptTokenCount": 10}, Usage(input_tokens=10)),
        ({}, None),
        (None, None),
    ],
)
def test_totals_match(raw: Any, usage: Usage | None) -> None:
    body = {"candidates": [], "usageMetadata": raw}
    assert FORMAT.decode_response(body).usage == usage
    assert FORMAT.decode_usage(json.dumps(body).encode()) == usage
    if usage is not None:
        encoded = FORMAT.encode_response(DomainResponse(usage=usage), OPTIONS)["usageMetadata"]
        assert encoded["totalTokenCount"] == usage.total_tokens
        assert FORMAT.decode_response({"usageMetadata": encoded}).usage is not None


def test_usage_reaches_gemini_clients_as_it_came() -> None:
    raw = {
        "promptTokenCount": 10,
        "toolUsePromptTokenCount": 4,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 20,
        "cachedContentTokenCount": 3,
        "totalTokenCount": 39,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}],
        "trafficType": "ON_DEMAND",
    }
    response = FORMAT.decode_response(answer() | {"usageMetadata": raw})
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (14, 25)
    assert FORMAT.encode_response(response, OPTIONS)["usageMetadata"] == raw


def test_usage_of_a_body_that_is_no_strict_json() -> None:
    body = b'{"candidates":[NaN],"usageMetadata":{"promptTokenCount":1,"totalTokenCount":2}}'
    assert FORMAT.decode_usage(body) == Usage(input_tokens=1, output_tokens=1)
    assert FORMAT.decode_usage(b"no") is None


# citations

GROUNDING = {
    "webSearchQueries": ["q"],
    "searchEntryPoint": {"renderedContent": "<div>"},
    "groundingChunks": [
        {"web": {"uri": "https://a.example", "title": "A"}},
        {"retrievedContext": {"uri": "https://b.example", "title": "B", "text": "…"}},
        {"maps": {"uri": "https://c.example", "title": "C"}},
    ],
    "groundingSupports": [
        {"segment": {"startIndex": 6, "endIndex": 9, "text": "Zür"}, "groundingChunkIndices": [0, 1, 7]},
    ],
}


def test_grounding_is_cited_and_kept_whole() -> None:
    body = answer({"text": "Wow, Zürich"}, groundingMetadata=GROUNDING)
    response = FORMAT.decode_response(body)
    (text,) = response.content
    assert isinstance(text, TextPart)
    cited = [(citation.url, citation.title, citation.cited_text) for citation in text.citations]
    assert cited == [
        ("https://a.example", "A", "Zür"),
        ("https://b.example", "B", "Zür"),
        ("https://c.example", "C", None),
    ]
    encoded = FORMAT.encode_response(response, OPTIONS)
    assert encoded["candidates"][0]["groundingMetadata"] == GROUNDING
    sdk(encoded)
    annotations = CHAT.encode_response(response, OPTIONS)["choices"][0]["message"]["annotations"]
    assert [each["url_citation"]["url"] for each in annotations] == [url for url, _, _ in cited]


def cited_words(*texts: str, **segment: Any) -> list[str | None]:
    """By text, the words that a citation of this segment is for; None where there is no citation."""
    chunks = [{"web": {"uri": "https://a.example"}}]
    metadata = {"groundingChunks": chunks, "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}]}
    parts: list[dict[str, Any]] = [{"text": "Hm.", "thought": True}, *({"text": text} for text in texts)]
    response = FORMAT.decode_response(answer(*parts, groundingMetadata=metadata))
    found = [part for part in response.content if isinstance(part, TextPart)]
    return [part.text[c.start : c.end] if (c := next(iter(part.citations), None)) else None for part in found]


@pytest.mark.parametrize(
    ("texts", "segment", "words"),
    [
        (["Grüß Zürich"], {"startIndex": 7, "endIndex": 14, "text": "Zürich"}, ["Zürich"]),
        (["Grüß Zürich"], {"endIndex": 6, "text": "Grüß"}, ["Grüß"]),
        (["Grüß Zürich"], {"startIndex": 7, "endIndex": 14}, ["Zürich"]),
        (["a a a"], {"startIndex": 4, "endIndex": 5, "text": "a"}, ["a"]),
        (["Grüß ", "Zürich"], {"startIndex": 7, "endIndex": 14, "text": "Zürich"}, [None, "Zürich"]),
        (["Grüß Zürich"], {"startIndex": 5, "endIndex": 11, "text": "Zürich"}, ["Grüß Zürich"]),  # wrong offsets
        (["Zürich", "Lima"], {"startIndex": 900, "endIndex": 911, "text": "Zürich"}, ["Zürich", None]),
        (["Zürich", "Lima"], {"text": "Bern"}, [None, "Lima"]),
    ],
)
def test_segments_are_counted_in_bytes_over_all_texts(
    texts: list[str], segment: dict[str, Any], words: list[str | None]
) -> None:
    assert cited_words(*texts, **segment) == words


def test_enums_as_integers_are_words_to_gemini_clients() -> None:
    rating = {"category": 7, "probability": 1}
    body = answer({"executableCode": {"language": 1, "code": "1"}}, safetyRatings=[rating], finishReason=1)
    body["usageMetadata"]["promptTokensDetails"] = [{"modality": 2, "tokenCount": 7}]
    encoded = FORMAT.encode_response(FORMAT.decode_response(body), OPTIONS)
    sdk(encoded)
    (candidate,) = encoded["candidates"]
    assert candidate["safetyRatings"] == [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}]
    assert candidate["content"]["parts"][0]["executableCode"]["language"] == "PYTHON"
    assert encoded["usageMetadata"]["promptTokensDetails"][0]["modality"] == "IMAGE"


@pytest.mark.parametrize("name", ["citationSources", "citations"])
def test_recited_sources_are_cited(name: str) -> None:
    metadata = {name: [{"startIndex": 0, "endIndex": 4, "uri": "https://a.example", "license": "mit"}, {}]}
    response = FORMAT.decode_response(answer({"text": "text"}, citationMetadata=metadata))
    (text,) = response.content
    assert isinstance(text, TextPart)
    assert [citation.url for citation in text.citations] == ["https://a.example"]
    assert FORMAT.encode_response(response, OPTIONS)["candidates"][0]["citationMetadata"] == metadata


def test_sources_of_no_text_are_not_lost() -> None:
    response = FORMAT.decode_response(answer(groundingMetadata=GROUNDING))
    assert [len(part.citations) for part in response.content if isinstance(part, TextPart)] == [3]


def test_citations_of_others_become_grounding_with_offsets_in_bytes() -> None:
    one = Citation(url="https://a.example", title="A", start=5, end=11)
    two = Citation(url="https://b.example", cited_text="Zür")
    three = Citation(url="https://a.example", title="A")
    document = Citation(title="Notes", cited_text="quoted from the source")
    content = [
        TextPart(text="Wow! "),
        TextPart(text="Grüß Zürich", citations=[one, two, three, document]),
        TextPart(text=" end"),
    ]
    grounding = first(written(*content)).grounding_metadata
    assert grounding
    assert grounding.grounding_chunks
    assert grounding.grounding_supports
    assert [chunk.web and chunk.web.uri for chunk in grounding.grounding_chunks] == [
        "https://a.example",
        "https://b.example",
        None,
    ]
    assert grounding.grounding_chunks[2].retrieved_context
    whole = "Wow! Grüß Zürich end".encode()
    segments = [support.segment for support in grounding.grounding_supports]
    assert all(segment is not None for segment in segments)
    texts = [whole[segment.start_index : segment.end_index].decode() for segment in segments if segment]
    assert texts == [segment.text for segment in segments if segment] == ["Zürich", "Zür", "Grüß Zürich", "Grüß Zürich"]
    assert [support.grounding_chunk_indices for support in grounding.grounding_supports] == [[0], [1], [0], [2]]


# log probabilities

LOGPROBS = {
    "chosenCandidates": [{"token": "Zü", "tokenId": 7, "logProbability": -0.5}, {"token": "rich", "tokenId": 8}],
    "topCandidates": [{"candidates": [{"token": "Zü", "tokenId": 7, "logProbability": -0.5}]}, {}],
}


def test_log_probabilities_have_chats_shape_and_come_back_as_they_were() -> None:
    response = FORMAT.decode_response(answer({"text": "Zürich"}, logprobsResult=LOGPROBS, avgLogprobs=-0.25))
    logprobs = response.choices[0].logprobs
    assert logprobs is not None
    top = {"token": "Zü", "logprob": -0.5, "bytes": list("Zü".encode())}
    assert logprobs["content"][0] == {**top, "top_logprobs": [top]}
    assert logprobs["content"][1]["logprob"] == 0.0
    candidate = FORMAT.encode_response(response, OPTIONS)["candidates"][0]
    assert (candidate["logprobsResult"], candidate["avgLogprobs"]) == (LOGPROBS, -0.25)


def test_log_probabilities_of_others_are_written() -> None:
    token = {"token": "a", "logprob": -1.0, "bytes": [97]}
    result = first(written(TextPart(text="a"), logprobs={"content": [{**token, "top_logprobs": [token]}]}))
    assert result.logprobs_result
    assert result.logprobs_result.chosen_candidates
    assert result.logprobs_result.chosen_candidates[0].log_probability == -1.0
    assert result.logprobs_result.top_candidates


# what others send


def test_an_answer_in_full_is_valid() -> None:
    response = DomainResponse(
        id="r1",
        created=1795780800,
        usage=Usage(input_tokens=10, output_tokens=25, cache_read_tokens=4, reasoning_tokens=20),
        choices=[
            Choice(
                content=[
                    ReasoningPart(text="Hm."),
                    TextPart(text=ODD_TEXT),
                    MediaPart(kind="image", media_type="image/png", data=PNG),
                    MediaPart(kind="image", url="https://a.example/a.png"),
                    ToolCallPart(id="c1", name="f", arguments='{"a": 1}'),
                ],
                finish_reason="tool_calls",
            )
        ],
    )
    encoded = sdk(FORMAT.encode_response(response, OPTIONS))
    thought, text, image, link, call = parts_of(encoded)
    assert (thought.text, thought.thought) == ("Hm.", True)
    assert text.text == ODD_TEXT
    assert image.inline_data == types.Blob(mime_type="image/png", data=base64.b64decode(PNG))
    assert link.file_data == types.FileData(file_uri="https://a.example/a.png")
    assert call.function_call == types.FunctionCall(id="c1", name="f", args={"a": 1})
    assert first(encoded).finish_reason == types.FinishReason.STOP
    assert (encoded.model_version, encoded.response_id) == ("asked/for", "r1")
    counts = encoded.usage_metadata
    assert counts
    assert (counts.prompt_token_count, counts.candidates_token_count, counts.thoughts_token_count) == (10, 5, 20)
    assert (counts.cached_content_token_count, counts.total_token_count) == (4, 35)


def test_an_answer_of_nothing_is_valid() -> None:
    encoded = sdk(FORMAT.encode_response(DomainResponse(), OPTIONS))
    assert encoded.response_id
    assert first(encoded).finish_reason == types.FinishReason.STOP


@pytest.mark.parametrize(
    ("choice", "word", "message"),
    [
        (Choice(finish_reason="stop"), "STOP", None),
        (Choice(finish_reason="stop", stop_sequence="END"), "STOP", "stop_sequence: END"),
        (Choice(finish_reason="length"), "MAX_TOKENS", None),
        (
            Choice(finish_reason="length", native_finish_reason="model_context_window_exceeded"),
            "MAX_TOKENS",
            "model_context_window_exceeded",
        ),
        (Choice(finish_reason="content_filter"), "SAFETY", None),
        (Choice(finish_reason="content_filter", native_finish_reason="RECITATION"), "RECITATION", None),
        (Choice(finish_reason="refusal"), "SAFETY", "refusal"),
        (Choice(finish_reason="pause", native_finish_reason="pause_turn"), "OTHER", "pause_turn"),
        (Choice(finish_reason="pause"), "OTHER", "pause"),
        (Choice(finish_reason="error"), "OTHER", "error"),
        (Choice(finish_reason="error", native_finish_reason="MALFORMED_RESPONSE"), "MALFORMED_RESPONSE", None),
        (Choice(content=[RefusalPart(text="No.")], finish_reason="stop"), "SAFETY", "refusal"),
        (Choice(content=[ToolCallPart(id="c", name="f")]), "STOP", None),
    ],
)
def test_ends_say_what_they_are(choice: Choice, word: str, message: str | None) -> None:
    encoded = FORMAT.encode_response(DomainResponse(choices=[choice]), OPTIONS)
    sdk(encoded)
    candidate = encoded["candidates"][0]
    assert (candidate["finishReason"], candidate.get("finishMessage")) == (word, message)


def test_a_refusal_in_words_is_text() -> None:
    (part,) = parts_of(written(RefusalPart(text="I can't."), finish_reason="refusal"))
    assert part.text == "I can't."


def test_free_text_and_broken_arguments_are_wrapped() -> None:
    custom = ToolCallPart(id="c", name="f", arguments="ls -l", kind="custom")
    cut = ToolCallPart(id="d", name="f", arguments='{"a": ')
    calls = [part.function_call for part in parts_of(written(custom, cut))]
    assert [call and call.args for call in calls] == [{"input": "ls -l"}, {"input": '{"a": '}]


def test_foreign_blocks_and_files_are_left_out_and_recorded() -> None:
    native = NativePart(format="anthropic", data={"type": "server_tool_use"})
    media = MediaPart(kind="file", file_id="file_1")
    response = DomainResponse(choices=[Choice(content=[native, media])])
    assert parts_of(sdk(FORMAT.encode_response(response, OPTIONS))) == []
    assert response.dropped == ["server_tool_use", "content.media"]


# opaque state

THINKING = ReasoningPart(text="Hm.", signature="sig", origin="anthropic")
ENCRYPTED = ReasoningPart(text="So.", data="gAAA", origin="openai-responses", id="rs_1")
CALL = ToolCallPart(id="c1", name="f", arguments="{}")


def seals(encoded: dict[str, Any]) -> list[list[ReasoningPart]]:
    parts = encoded["candidates"][0]["content"]["parts"]
    return [opaque.unseal(part["thoughtSignature"]) if "thoughtSignature" in part else [] for part in parts]


def test_foreign_state_is_sealed_into_the_next_call_with_its_text() -> None:
    content: list[Part] = [THINKING, TextPart(text="x"), ENCRYPTED, CALL, ToolCallPart(id="c2", name="f")]
    encoded = FORMAT.encode_response(DomainResponse(choices=[Choice(content=content)]), OPTIONS)
    sdk(encoded)
    assert seals(encoded) == [[], [], [], [THINKING, ENCRYPTED], []]
    thoughts = [part["text"] for part in encoded["candidates"][0]["content"]["parts"] if part.get("thought")]
    assert thoughts == ["Hm.", "So."]


def test_foreign_state_before_no_call_is_sealed_into_an_empty_text_at_the_end() -> None:
    content: list[Part] = [THINKING, TextPart(text="x")]
    encoded = FORMAT.encode_response(DomainResponse(choices=[Choice(content=content)]), OPTIONS)
    sdk(encoded)
    assert seals(encoded) == [[], [], [THINKING]]
    assert encoded["candidates"][0]["content"]["parts"][-1]["text"] == ""


def test_state_that_comes_back_is_what_was_issued() -> None:
    content: list[Part] = [THINKING, CALL]
    encoded = FORMAT.encode_response(DomainResponse(choices=[Choice(content=content)]), OPTIONS)
    parts = [part for part in encoded["candidates"][0]["content"]["parts"] if not part.get("thought")]
    history = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": parts},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "id": "c1", "response": {"output": "1"}}}]},
    ]
    request = FORMAT.decode_request({"contents": history})
    assert request.messages[1].content[:2] == [THINKING, CALL]


def test_thinking_that_nobody_signed_is_not_sealed() -> None:
    encoded = FORMAT.encode_response(DomainResponse(choices=[Choice(content=[ReasoningPart(text="a"), CALL])]), OPTIONS)
    assert seals(encoded) == [[], []]


# errors


def test_an_error_body_says_all_it_knows() -> None:
    details = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED", "domain": "x"},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.5s"},
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "contents"}]},
    ]
    error = {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED", "details": details}
    expected = ErrorInfo(
        message="slow down",
        type="RESOURCE_EXHAUSTED",
        code="RATE_LIMIT_EXCEEDED",
        param="contents",
        status=429,
        retry_after=17.5,
    )
    assert FORMAT.decode_error({"error": error}, 429) == expected
    assert FORMAT.decode_error([{"error": error}], 429) == expected
    assert FORMAT.decode_response({"error": error}).error == expected
    encoded = FORMAT.encode_error(expected, OPTIONS)
    assert FORMAT.decode_error(encoded, 429) == expected


def test_the_quota_that_is_used_up_is_named() -> None:
    quota = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "PerDay-FreeTier"}]}
    body = {"error": {"code": 429, "message": "Please retry in 800ms.", "details": [quota]}}
    error = FORMAT.decode_error(body, 429)
    assert (error.code, error.retry_after) == ("PerDay-FreeTier", 0.8)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "the upstream answered with status 503"),
        ([], "the upstream answered with status 503"),
        (None, "the upstream answered with status 503"),
        ("<html><title>Bad &amp; gone</title>", "Bad & gone"),
        ({"error": "no"}, "no"),
        ({"error": {"message": ""}}, "the upstream answered with status 503"),
        ({"detail": "Not Found"}, "Not Found"),
    ],
)
def test_an_error_always_has_a_message(body: Any, message: str) -> None:
    assert FORMAT.decode_error(body, 503).message == message


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (409, "ABORTED"),
        (413, "INVALID_ARGUMENT"),
        (422, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (499, "CANCELLED"),
        (500, "INTERNAL"),
        (501, "UNIMPLEMENTED"),
        (502, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (529, "UNAVAILABLE"),
    ],
)
def test_errors_have_googles_names(status: int, name: str) -> None:
    body = FORMAT.encode_error(ErrorInfo(message="m", status=status), OPTIONS)
    assert body == {"error": {"code": status, "message": "m", "status": name}}
    error = sdk_errors.APIError(status, body)
    assert (error.status, error.message) == (name, "m")


def test_an_upstreams_own_name_is_kept_where_it_fits() -> None:
    body = FORMAT.encode_error(ErrorInfo(message="m", type="FAILED_PRECONDITION", status=400), OPTIONS)
    assert body["error"]["status"] == "FAILED_PRECONDITION"
    body = FORMAT.encode_error(ErrorInfo(message="m", type="overloaded_error", status=529), OPTIONS)
    assert body["error"]["status"] == "UNAVAILABLE"
    assert body["error"]["details"][0]["reason"] == "overloaded_error"


def test_an_error_in_the_place_of_an_answer_is_an_error() -> None:
    assert FORMAT.decode_response({"message": "no route"}).error == ErrorInfo(message="no route", status=502)
    response = DomainResponse(error=ErrorInfo(message="m", status=404))
    assert FORMAT.encode_response(response, OPTIONS)["error"]["status"] == "NOT_FOUND"


# models

CARDS = [ModelCard(id=f"backend/model-{number}", backend="backend") for number in range(5)]


def sdk_model(body: dict[str, Any]) -> types.Model:
    return types.Model._from_response(response=sdk_models._Model_from_mldev(body), kwargs={})


def test_a_model_is_what_the_sdk_reads() -> None:
    model = sdk_model(FORMAT.encode_model(CARDS[0]))
    assert model.name == "models/backend/model-0"
    assert "generateContent" in (model.supported_actions or [])


def test_all_models_are_on_one_page_without_a_size() -> None:
    body = FORMAT.encode_models(CARDS, {})
    assert len(body["models"]) == 5
    assert "nextPageToken" not in body
    assert FORMAT.decode_models(body) == [card.id for card in CARDS]


@pytest.mark.parametrize(("size", "token"), [("pageSize", "pageToken"), ("page_size", "page_token")])
def test_pages_lead_to_the_last_model(size: str, token: str) -> None:
    seen: list[str] = []
    query = {size: "2"}
    while True:
        body = FORMAT.encode_models(CARDS, query)
        seen += FORMAT.decode_models(body)
        if "nextPageToken" not in body:
            break
        query = {size: "2", token: body["nextPageToken"]}
    assert seen == [card.id for card in CARDS]


@pytest.mark.parametrize(
    "query", [{"pageToken": "x"}, {"pageToken": "bm9uZQ=="}, {"pageSize": "-1"}, {"pageSize": "²"}]
)
def test_a_bad_page_is_the_clients_fault(query: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError) as error:
        FORMAT.encode_models(CARDS, query)
    assert error.value.details["param"] == next(iter(query))


def test_models_that_neither_answer_nor_embed_are_left_out() -> None:
    body = {
        "models": [
            {"name": "models/gemini", "supportedGenerationMethods": ["generateContent", "countTokens"]},
            {"name": "models/embedding", "supportedGenerationMethods": ["embedContent"]},
            {"name": "models/imagen", "supportedGenerationMethods": ["predict"]},
            {"name": "tunedModels/mine"},
            {"name": None},
            "models/odd",
        ]
    }
    assert FORMAT.decode_models(body) == ["gemini", "embedding", "tunedModels/mine"]
    assert FORMAT.decode_models({"publisherModels": [{"name": "publishers/google/models/x"}]}) == ["x"]
    assert FORMAT.decode_models(None) == []
