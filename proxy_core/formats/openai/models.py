"""The answers of `GET /v1/models`. https://platform.openai.com/docs/api-reference/models (2026-11)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy_core.formats.base import ModelCard


def encode_model(card: ModelCard) -> dict[str, Any]:
    """One model; when it was made is not known here."""
    return {"id": card.id, "object": "model", "created": 0, "owned_by": card.backend}


def encode_models(cards: list[ModelCard], _: Mapping[str, str]) -> dict[str, Any]:
    """All models: the API knows no pages here."""
    return {"object": "list", "data": [encode_model(card) for card in cards]}
