"""Reading JSON objects field by field: strictly, with errors that name the field, or as it comes."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from proxy_core.domain.base import Extras
from proxy_core.errors import InvalidRequestError
from proxy_core.formats.fields import KIND_NAMES, NOTE, is_kind

FORMAT = "openai"

T = TypeVar("T")

_JSON_NAMES = {type(None): "null", **KIND_NAMES}


def invalid(message: str, code: str, param: str) -> InvalidRequestError:
    """The error for one field of the client's body, as OpenAI words it."""
    return InvalidRequestError(message, code=code, details={"param": param, "type": "invalid_request_error"})


def wrong_type(path: str, expected: str, value: Any) -> InvalidRequestError:
    """`value` is not of the type that the field at `path` has."""
    got = _JSON_NAMES.get(type(value), type(value).__name__)
    return invalid(f"Invalid type for '{path}': expected {expected}, but got {got} instead.", "invalid_type", path)


def missing(path: str) -> InvalidRequestError:
    """There is no field at `path`."""
    return invalid(f"Missing required parameter: '{path}'.", "missing_required_parameter", path)


def invalid_value(path: str, value: str, supported: list[str]) -> InvalidRequestError:
    """The word at `path` is none of `supported`."""
    words = ", ".join(f"'{word}'" for word in supported)
    return invalid(f"Invalid value for '{path}': '{value}'. Supported values are: {words}.", "invalid_value", path)


class Fields:
    """A client's JSON object. What nobody has taken is left over for `extras`."""

    __slots__ = ("path", "rest")

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise wrong_type(path or "body", "an object", value)
        self.path = path
        self.rest: dict[str, Any] = dict(value)

    def at(self, name: str) -> str:
        """The path of a field, as in `messages[0].content`."""
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, kind: type[T]) -> T | None:
        """The field, or None where it is missing or null."""
        value = self.rest.pop(name, None)
        if value is None:
            return None
        if not is_kind(value, kind):
            raise wrong_type(self.at(name), KIND_NAMES[kind], value)
        return cast("T", value)

    def need(self, name: str, kind: type[T]) -> T:
        """The field, which must be there."""
        value = self.take(name, kind)
        if value is None:
            raise missing(self.at(name))
        return value

    def inner(self, name: str) -> Fields:
        """The object in a field that must be there."""
        return Fields(self.need(name, dict), self.at(name))

    def extras(self, **notes: Any) -> Extras:
        """What is left over, with notes to ourselves (`role=` becomes `_role`); nulls say nothing."""
        if not (self.rest or notes):
            return {}
        own = {name: value for name, value in self.rest.items() if value is not None}
        own.update((NOTE + name, value) for name, value in notes.items() if value is not None)
        return {FORMAT: own} if own else {}


def own_fields(extras: Extras) -> dict[str, Any]:
    """What `extras` holds for our wire, without the notes."""
    own = extras.get(FORMAT) if extras else None
    return {name: value for name, value in own.items() if not name.startswith(NOTE)} if own else {}


def note(extras: Extras, name: str) -> Any:
    """A note to ourselves, or None."""
    return extras[FORMAT].get(NOTE + name) if FORMAT in extras else None


def leftover(value: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """The fields that are neither known nor null, in their order."""
    return {name: field for name, field in value.items() if name not in known and field is not None}


def as_dict(value: Any) -> dict[str, Any]:
    """The object, or an empty one: upstreams send null, and worse, for what is not there."""
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The string, or an empty one."""
    return value if isinstance(value, str) else ""


def count(value: Any) -> int | None:
    """A whole number that is not negative, also when it is spelled `3.0`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == value and value != float("inf") else None
