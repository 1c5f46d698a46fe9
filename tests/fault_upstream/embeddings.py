"""Embeddings in the two shapes that there are: small vectors that depend on the input's length alone.

https://platform.openai.com/docs/api-reference/embeddings and https://ai.google.dev/api/embeddings
"""

import base64
import struct
from typing import Any

from tests.fault_upstream.gemini_request import field, listed

DIMENSIONS = 4


def vector(size: int, dimensions: int = DIMENSIONS) -> list[float]:
    """Numbers that a 32-bit float holds exactly."""
    return [(size + number) / 1024 for number in range(dimensions)]


def openai(request: dict[str, Any]) -> dict[str, Any]:
    """The answer of `POST /embeddings`, with base64 where that was asked for."""
    sizes = [len(each) for each in _inputs(request.get("input", ""))]
    vectors = [vector(size, request.get("dimensions") or DIMENSIONS) for size in sizes]
    packed = request.get("encoding_format") == "base64"
    rows = [
        {"object": "embedding", "index": index, "embedding": _packed(each) if packed else each}
        for index, each in enumerate(vectors)
    ]
    usage = {"prompt_tokens": sum(sizes), "total_tokens": sum(sizes)}
    return {"object": "list", "data": rows, "model": request.get("model"), "usage": usage}


def gemini(request: dict[str, Any]) -> dict[str, Any]:
    """The answer of `:embedContent`."""
    return {"embedding": {"values": _of_content(request)}}


def gemini_batch(request: dict[str, Any]) -> dict[str, Any]:
    """The answer of `:batchEmbedContents`."""
    return {"embeddings": [{"values": _of_content(each)} for each in listed(request, "requests")]}


def _inputs(given: Any) -> list[Any]:
    """One text, texts, one text as tokens, or several."""
    return given if isinstance(given, list) and not (given and isinstance(given[0], int)) else [given]


def _packed(numbers: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def _of_content(request: dict[str, Any]) -> list[float]:
    size = sum(len(part.get("text", "")) for part in listed(request.get("content") or {}, "parts"))
    wanted = field(request, "outputDimensionality") or field(
        field(request, "embedContentConfig") or {}, "outputDimensionality"
    )
    return vector(size, wanted or DIMENSIONS)
