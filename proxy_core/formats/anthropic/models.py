"""The answers of `GET /v1/models`. https://docs.claude.com/en/api/models-list (2026-11)"""

from __future__ import annotations

from proxy_core.formats.base import ModelCard
from proxy_core.formats.fields import Json


def encode_model(card: ModelCard) -> Json:
    """One model. The epoch is what the API gives where the release date is unknown."""
    return {
        "type": "model",
        "id": card.id,
        "display_name": card.id,
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
    }


def encode_models(cards: list[ModelCard]) -> Json:
    """All models, on one page."""
    return {
        "data": [encode_model(card) for card in cards],
        "has_more": False,
        "first_id": cards[0].id if cards else None,
        "last_id": cards[-1].id if cards else None,
    }
