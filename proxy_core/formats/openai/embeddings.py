"""Embeddings, both ways. https://platform.openai.com/docs/api-reference/embeddings (2026-11)"""

from __future__ import annotations

import base64
import binascii
import sys
from array import array
from typing import Any, Final

from proxy_core.domain.base import Extras
from proxy_core.domain.embedding import EmbeddingInput, EmbeddingRequest, EmbeddingResponse
from proxy_core.domain.response import Usage
from proxy_core.errors import BackendError
from proxy_core.formats import losses
from proxy_core.formats.fields import (
    Json,
    as_dict,
    count,
    invalid,
    invalid_value,
    leftover,
    missing,
    stated,
    wrong_type,
)
from proxy_core.formats.openai.fields import FORMAT, Fields, note, own_fields
from proxy_core.formats.vectors import read_vector

_ENCODINGS: Final = ("float", "base64")
_KNOWN: Final = frozenset({"object", "data", "model", "usage"})


def decode_embedding_request(body: Json) -> EmbeddingRequest:
    """A client's request; raises `InvalidRequestError` naming the field that is wrong."""
    fields = Fields(body)
    given = fields.rest.pop("input", None)
    encoding = fields.take("encoding_format", str)
    if encoding not in (None, *_ENCODINGS):
        raise invalid_value(fields.at("encoding_format"), encoding, list(_ENCODINGS))
    return EmbeddingRequest(
        model=fields.need("model", str),
        inputs=_inputs(given, fields.at("input")),
        dimensions=fields.take("dimensions", int),
        base64=encoding == "base64",
        user=fields.take("user", str),
        source_format=FORMAT,
        extras=fields.extras(encoding=encoding, single=True if _is_single(given) else None),
    )


def _is_single(given: Any) -> bool:
    """Whether it is one input: a text, or its tokens."""
    return isinstance(given, str) or (isinstance(given, list) and given[:1] != [] and _is_token(given[0]))


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _inputs(given: Any, path: str) -> list[EmbeddingInput]:
    if given is None:
        raise missing(path)
    if _is_single(given):
        return [_input(given, path)]
    if not isinstance(given, list):
        raise wrong_type(path, "a string or an array", given)
    if not given:
        raise invalid(f"Invalid '{path}': expected at least one input.", "empty_array", path)
    return [_input(each, f"{path}[{index}]") for index, each in enumerate(given)]


def _input(value: Any, path: str) -> EmbeddingInput:
    if isinstance(value, str) or (isinstance(value, list) and value and all(map(_is_token, value))):
        return value
    raise wrong_type(path, "a string or an array of tokens", value)


def encode_embedding_request(request: EmbeddingRequest) -> Json:
    """The body for an upstream. The encoding is what a client of this format asks for; others leave it open."""
    request.drop(*losses.of_foreign(request.extras, FORMAT))
    request.drop(*(name for name in ("task", "title") if getattr(request, name)))
    inputs: Any = request.inputs
    body = {
        "model": request.model,
        "input": inputs[0] if note(request.extras, "single") and len(inputs) == 1 else inputs,
        "dimensions": request.dimensions,
        "encoding_format": note(request.extras, "encoding"),
        "user": request.user,
    }
    return own_fields(request.extras) | stated(body)


def decode_embeddings(body: Json) -> EmbeddingResponse:
    """An upstream's vectors, in the order of the inputs; raises `BackendError` when there are none."""
    rows = body.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BackendError("the upstream's answer has no embeddings in data")
    numbered = [(count(row.get("index")), row) for row in rows]
    if all(index is not None for index, _ in numbered):
        numbered.sort(key=lambda pair: pair[0] or 0)
    model, own = body.get("model"), leftover(body, _KNOWN)
    extras: Extras = {FORMAT: own} if own else {}
    return EmbeddingResponse(
        vectors=[_vector(row.get("embedding")) for _, row in numbered],
        model=model if isinstance(model, str) else None,
        usage=_usage(as_dict(body.get("usage"))),
        extras=extras,
    )


def _usage(raw: Json) -> Usage | None:
    tokens = count(raw.get("prompt_tokens"))
    tokens = count(raw.get("total_tokens")) if tokens is None else tokens
    return None if tokens is None else Usage(input_tokens=tokens, output_tokens=0)


def _vector(value: Any) -> list[float]:
    """The numbers, from an array or from the base64 of little-endian 32-bit floats."""
    return _unpacked(value) if isinstance(value, str) else read_vector(value)


def _unpacked(text: str) -> list[float]:
    numbers = array("f")
    try:
        numbers.frombytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise BackendError(f"the upstream sent an embedding that is no base64 of 32-bit floats: {error}") from error
    return _little_endian(numbers).tolist()


def _packed(vector: list[float]) -> str:
    return base64.b64encode(_little_endian(array("f", vector)).tobytes()).decode()


def _little_endian(numbers: array[float]) -> array[float]:
    """The same bytes the other way round on a big-endian machine."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def encode_embeddings(response: EmbeddingResponse, request: EmbeddingRequest, model: str) -> Json:
    """The vectors for the client, in the encoding it asked for."""
    rows = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if request.base64 else vector}
        for index, vector in enumerate(response.vectors)
    ]
    tokens = (response.usage.input_tokens if response.usage is not None else None) or 0
    return {
        **own_fields(response.extras),
        "object": "list",
        "data": rows,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
