"""The answers of `GET /v1/models`. https://docs.claude.com/en/api/models-list (2026-11)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from proxy_core.formats.anthropic.fields import invalid
from proxy_core.formats.base import ModelCard
from proxy_core.formats.fields import Json

_MOST: Final = 1000


def encode_model(card: ModelCard) -> Json:
    """One model. The epoch is what the API gives where the release date is unknown."""
    return {
        "type": "model",
        "id": card.id,
        "display_name": card.id,
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
    }


def encode_models(cards: list[ModelCard], query: Mapping[str, str]) -> Json:
    """The page of models that `limit`, `after_id` and `before_id` ask for; all on one page without a limit."""
    start, end = _window([card.id for card in cards], query)
    page = cards[start:end]
    more = start > 0 if "before_id" in query else end < len(cards)
    return {
        "data": [encode_model(card) for card in page],
        "has_more": more,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }


def _window(ids: list[str], query: Mapping[str, str]) -> tuple[int, int]:
    limit = _limit(query)
    if "before_id" in query:
        end = _position(ids, query, "before_id")
        return max(0, end - limit), end
    start = _position(ids, query, "after_id") + 1 if "after_id" in query else 0
    return start, min(len(ids), start + limit)


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(_MOST))
    if not text.isdecimal() or len(text) > len(str(_MOST)) or not 1 <= int(text) <= _MOST:
        raise invalid("limit", f"must be a whole number from 1 to {_MOST}")
    return int(text)


def _position(ids: list[str], query: Mapping[str, str], name: str) -> int:
    if query[name] not in ids:
        raise invalid(name, "is no model of this list")
    return ids.index(query[name])
