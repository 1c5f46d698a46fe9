"""Embeddings: texts to vectors."""

from __future__ import annotations

from typing import TypeAlias

from proxy_core.domain.base import DomainModel, Extras, Lossy
from proxy_core.domain.response import Usage

#: A text, or its tokens.
EmbeddingInput: TypeAlias = str | list[int]


class EmbeddingRequest(Lossy, kw_only=True):
    """Texts to embed. `dimensions` is the length that the vectors shall have; `task` says what they are for
    (`RETRIEVAL_QUERY`, `CLUSTERING`); `base64` asks for vectors as little-endian 32-bit floats in base64."""

    model: str
    inputs: list[EmbeddingInput]
    dimensions: int | None = None
    task: str | None = None
    title: str | None = None
    base64: bool = False
    user: str | None = None
    source_format: str | None = None
    strict_translation: bool = False
    extras: Extras = {}


class EmbeddingResponse(Lossy):
    """A vector for each input, in order."""

    vectors: list[list[float]]
    model: str | None = None
    usage: Usage | None = None
    extras: Extras = {}


class TokenCount(DomainModel):
    """How many tokens a request is. `estimated` where nobody who knows has counted."""

    input_tokens: int
    cached_tokens: int | None = None
    estimated: bool = False
