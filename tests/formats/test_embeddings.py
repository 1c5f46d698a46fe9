"""Embeddings in both formats that have them, against the official SDKs' own types."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from google.genai import types
from openai.types import CreateEmbeddingResponse
from pydantic import TypeAdapter

from proxy_core.domain.embedding import EmbeddingRequest, EmbeddingResponse
from proxy_core.domain.response import Usage
from proxy_core.errors import BackendError, InvalidRequestError
from proxy_core.formats.gemini import embeddings as gemini
from proxy_core.formats.openai import OpenAIFormat

CHAT = OpenAIFormat()
VECTORS = [[0.5, -0.25], [1.0, 0.0]]
PACKED = [base64.b64encode(struct.pack("<2f", *vector)).decode() for vector in VECTORS]
CONTENT = {"parts": [{"text": "one"}]}


def named(request: EmbeddingRequest, model: str = "m") -> EmbeddingRequest:
    """What the host does when the model is in the address."""
    request.model = model
    return request


# OpenAI


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("one", ["one"]),
        ("", [""]),
        (["one"], ["one"]),
        (["one", "two"], ["one", "two"]),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
    ],
)
def test_every_form_of_input_is_read_and_kept(given: Any, inputs: list[Any]) -> None:
    body = {"model": "m", "input": given, "dimensions": 2, "encoding_format": "float", "user": "u", "x_new": 1}
    request = CHAT.decode_embedding_request(body)
    assert request.inputs == inputs
    assert (request.model, request.dimensions, request.base64, request.user) == ("m", 2, False, "u")
    assert CHAT.encode_embedding_request(request) == body
    assert request.dropped == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": "x"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": []}, "input"),
        ({"model": "m", "input": 3}, "input"),
        ({"model": "m", "input": ["x", None]}, "input[1]"),
        ({"model": "m", "input": [[]]}, "input[0]"),
        ({"model": "m", "input": [["x"]]}, "input[0]"),
        ({"model": "m", "input": [True]}, "input[0]"),
        ({"model": "m", "input": [1, "x"]}, "input"),
        ({"model": "m", "input": "x", "encoding_format": "int8"}, "encoding_format"),
        ({"model": "m", "input": "x", "dimensions": "2"}, "dimensions"),
    ],
)
def test_errors_name_the_field(body: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        CHAT.decode_embedding_request(body)
    assert words in caught.value.message


def test_vectors_are_read_from_numbers_and_from_base64_in_their_order() -> None:
    rows = [{"index": 1, "embedding": PACKED[1]}, {"index": 0, "embedding": VECTORS[0]}]
    response = CHAT.decode_embeddings({"data": rows, "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}})
    assert response.vectors == VECTORS
    assert response.usage == Usage(input_tokens=3, output_tokens=0)
    assert CHAT.decode_embeddings({"data": [{"embedding": [1]}]}).usage is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": [3]},
        {"data": [{}]},
        {"data": [{"embedding": "?"}]},
        {"data": [{"embedding": "AAA="}]},
        {"data": [{"embedding": ["x"]}]},
        {"data": [{"embedding": [True]}]},
    ],
)
def test_an_answer_without_vectors_is_the_upstreams_error(body: dict[str, Any]) -> None:
    with pytest.raises(BackendError):
        CHAT.decode_embeddings(body)


@pytest.mark.parametrize(("encoding", "expected"), [("float", VECTORS), ("base64", PACKED), (None, VECTORS)])
def test_vectors_are_written_in_the_encoding_asked_for(encoding: str | None, expected: list[Any]) -> None:
    request = CHAT.decode_embedding_request({"model": "m", "input": ["a", "b"], "encoding_format": encoding})
    response = EmbeddingResponse(vectors=VECTORS, usage=Usage(input_tokens=3))
    body = CHAT.encode_embeddings(response, request, "asked/for")
    if encoding != "base64":
        TypeAdapter(CreateEmbeddingResponse).validate_python(body, strict=True)
    assert [row["embedding"] for row in body["data"]] == expected
    assert (body["model"], body["usage"]) == ("asked/for", {"prompt_tokens": 3, "total_tokens": 3})
    assert CHAT.decode_embeddings(body).vectors == VECTORS


def test_an_answer_without_usage_counts_nothing() -> None:
    request = CHAT.decode_embedding_request({"model": "m", "input": "a"})
    body = CHAT.encode_embeddings(EmbeddingResponse(vectors=VECTORS[:1]), request, "m")
    TypeAdapter(CreateEmbeddingResponse).validate_python(body, strict=True)


# Gemini


@pytest.mark.parametrize(
    "body",
    [
        {"content": CONTENT, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2, "title": "t"},
        {"content": CONTENT, "task_type": "RETRIEVAL_QUERY", "output_dimensionality": "2", "title": "t"},
        {
            "content": "one",
            "embedContentConfig": {"taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2, "title": "t"},
        },
        {
            "requests": [
                {
                    "model": "models/m",
                    "content": {"parts": [{"text": "o"}, {"text": "ne"}]},
                    "taskType": "RETRIEVAL_QUERY",
                    "outputDimensionality": 2,
                    "title": "t",
                }
            ]
        },
    ],
)
def test_both_forms_are_read_and_written_as_a_batch(body: dict[str, Any]) -> None:
    request = named(gemini.decode_embedding_request(body))
    assert (request.inputs, request.dimensions, request.task, request.title) == (["one"], 2, "RETRIEVAL_QUERY", "t")
    assert gemini.encode_embedding_request(request) == {
        "requests": [
            {
                "model": "models/m",
                "content": CONTENT,
                "taskType": "RETRIEVAL_QUERY",
                "outputDimensionality": 2,
                "title": "t",
            }
        ]
    }
    assert request.dropped == []


def test_the_texts_of_a_batch_keep_their_own_titles() -> None:
    requests = [
        {"model": "models/m", "content": CONTENT, "title": "a", "autoTruncate": True},
        {"model": "models/m", "content": CONTENT},
    ]
    request = named(gemini.decode_embedding_request({"requests": requests}))
    assert gemini.encode_embedding_request(request) == {"requests": requests}
    CHAT.encode_embedding_request(request)
    assert request.dropped == ["autoTruncate", "title"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "content"),
        ({"requests": []}, "requests"),
        ({"requests": "x"}, "requests"),
        ({"requests": [{}]}, "requests[0].content"),
        ({"content": {"parts": [{"inlineData": {}}]}}, "content.parts[0]"),
        ({"content": CONTENT, "outputDimensionality": "x"}, "outputDimensionality"),
        (
            {"requests": [{"content": CONTENT, "outputDimensionality": number} for number in (1, 2)]},
            "outputDimensionality",
        ),
    ],
)
def test_errors_of_gemini_clients_name_the_field(body: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        gemini.decode_embedding_request(body)
    assert words in caught.value.message


def test_gemini_takes_no_tokens() -> None:
    request = CHAT.decode_embedding_request({"model": "m", "input": [[1, 2]]})
    with pytest.raises(InvalidRequestError, match="tokens"):
        gemini.encode_embedding_request(request)


def test_an_openai_request_becomes_a_batch() -> None:
    request = CHAT.decode_embedding_request(
        {"model": "tunedModels/x", "input": ["a", "b"], "dimensions": 2, "user": "u", "encoding_format": "base64"}
    )
    assert gemini.encode_embedding_request(request) == {
        "requests": [
            {"model": "tunedModels/x", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2}
            for text in "ab"
        ]
    }
    assert request.dropped == ["user"]


def test_vectors_are_written_in_the_form_of_the_request() -> None:
    response = EmbeddingResponse(vectors=VECTORS, usage=Usage(input_tokens=3))
    batch = gemini.encode_embeddings(
        response, gemini.decode_embedding_request({"requests": [{"content": CONTENT}]}), "m"
    )
    TypeAdapter(types.EmbedContentResponse).validate_python(batch)
    assert gemini.decode_embeddings(batch) == EmbeddingResponse(
        vectors=VECTORS, usage=Usage(input_tokens=3, output_tokens=0)
    )
    one = EmbeddingResponse(vectors=VECTORS[:1])
    single = gemini.encode_embeddings(one, gemini.decode_embedding_request({"content": CONTENT}), "m")
    assert single == {"embedding": {"values": VECTORS[0]}}
    assert gemini.decode_embeddings(single) == one


@pytest.mark.parametrize("body", [{}, {"embeddings": [{}]}, {"embedding": None}, {"embeddings": [{"values": "x"}]}])
def test_an_answer_of_gemini_without_vectors_is_the_upstreams_error(body: dict[str, Any]) -> None:
    with pytest.raises(BackendError):
        gemini.decode_embeddings(body)
