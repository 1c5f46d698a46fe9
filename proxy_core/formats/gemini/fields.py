"""Reading and keeping the fields of Gemini's JSON, which is protobuf's.

Every field has two spellings, `maxOutputTokens` and `max_output_tokens`; a whole number may come as a string or as
`40.0`; an array of one may be the element alone. https://protobuf.dev/programming-guides/json/ (2026-11)
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final, TypeVar

from proxy_core.domain.base import Extras
from proxy_core.formats import fields
from proxy_core.formats.fields import Json

FORMAT: Final = "gemini"

T = TypeVar("T")

_SNAKE = re.compile(r"(?<=[A-Za-z0-9])_([a-z0-9])")
_WHOLE = re.compile(r"[+-]?\d{1,19}")


def camel(name: str) -> str:
    """The spelling of a field's name in lowerCamelCase; a `_` at its beginning stays."""
    return _SNAKE.sub(lambda match: match[1].upper(), name) if "_" in name else name


def camel_keys(value: Json) -> Json:
    """The object with its own keys, not those further in, in lowerCamelCase. Not for what users name: arguments,
    results, properties of schemas, labels."""
    if not any("_" in key for key in value):
        return value
    return {camel(key): field for key, field in value.items()}


class Fields(fields.Fields):
    """A Gemini client's JSON object; its fields are asked for in lowerCamelCase."""

    __slots__ = ()

    format_name: ClassVar[str] = FORMAT

    def __init__(self, value: Any, path: str = "") -> None:
        super().__init__(value, path)
        self.rest = camel_keys(self.rest)

    def take(self, name: str, kind: type[T]) -> T | None:
        value = self.rest.get(name)
        if value is None:
            self.rest.pop(name, None)
            return None
        if kind is int and type(value) in (str, float):
            self.rest[name] = _whole(value)
        elif kind is list and isinstance(value, dict):
            self.rest[name] = [value]
        return super().take(name, kind)


def _whole(value: Any) -> Any:
    """The number that `"40"` or `40.0` spells; anything else as it is."""
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else value
    return int(value) if value.is_integer() else value


def own_fields(extras: Extras) -> Json:
    """What `extras` holds for our wire, without the notes."""
    return fields.own_fields(extras, FORMAT)


def note(extras: Extras, name: str) -> Any:
    """A note to ourselves, or None."""
    return fields.note(extras, FORMAT, name)
