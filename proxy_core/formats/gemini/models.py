"""The answers of `GET /v1beta/models`. https://ai.google.dev/api/models (2026-11)"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from proxy_core.errors import InvalidRequestError
from proxy_core.formats.base import ModelCard
from proxy_core.formats.fields import Json, as_dict, as_text, dicts, invalid
from proxy_core.formats.gemini.fields import camel, camel_keys

_MOST: Final = 1000
_PREFIX: Final = "models/"
_METHODS: Final = ("generateContent", "streamGenerateContent", "countTokens")
#: A model with none of these is of no use here.
_SERVED: Final = frozenset({"generateContent", "embedContent"})


def encode_model(card: ModelCard) -> Json:
    """One model; its limits are not known here."""
    return {
        "name": _PREFIX + card.id,
        "displayName": card.id,
        "description": f"{card.id}, served by {card.backend}",
        "supportedGenerationMethods": list(_METHODS),
    }


def encode_models(cards: list[ModelCard], query: Mapping[str, str]) -> Json:
    """The page of models that `pageSize` and `pageToken` ask for; up to 1000 without a size."""
    wanted = {camel(name): value for name, value in query.items()}
    start = _start([card.id for card in cards], wanted.get("pageToken"))
    page = cards[start : start + _size(wanted.get("pageSize"))]
    body: Json = {"models": [encode_model(card) for card in page]}
    more = start + len(page) < len(cards)
    return {**body, "nextPageToken": _token(page[-1].id)} if more else body


def _size(text: str | None) -> int:
    """More than the most is the most, as at Google; 0 is left out on the wire."""
    if not text:
        return _MOST
    if not (text.isascii() and text.isdecimal()):
        raise invalid(f"Invalid value at 'page_size': {text!r}, expected a whole number.", "invalid_value", "pageSize")
    return min(int(text[:9]), _MOST) or _MOST


def _token(last: str) -> str:
    """Opaque to clients: the last name of a page, so that models that come and go do not shift the next."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def _start(ids: list[str], token: str | None) -> int:
    if not token:
        return 0
    try:
        return ids.index(base64.b64decode(token, b"-_", validate=True).decode()) + 1
    except (binascii.Error, ValueError):
        raise _bad_token() from None


def _bad_token() -> InvalidRequestError:
    return invalid("Invalid page token: ask for the first page again.", "invalid_value", "pageToken")


def decode_models(body: Any) -> list[str]:
    """The names of the models that answer or embed; all where the list does not tell (Vertex AI)."""
    found = as_dict(body)
    entries = dicts(found.get("models") or found.get("publisherModels"))
    names = [_name(entry) for entry in map(camel_keys, entries) if _is_served(entry)]
    return [name for name in names if name]


def _is_served(entry: Json) -> bool:
    methods = entry.get("supportedGenerationMethods")
    return not isinstance(methods, list) or any(method in _SERVED for method in methods if isinstance(method, str))


def _name(entry: Json) -> str:
    """`models/x` and `publishers/google/models/x` are `x`; a tuned model keeps its kind."""
    name = as_text(entry.get("name"))
    return name.rpartition(_PREFIX)[2]
