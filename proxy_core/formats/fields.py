"""Reading JSON that anybody may have written: strictly, with errors that name the field, or as it comes."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Self, TypeVar, cast

import msgspec

from proxy_core.domain.base import Extras
from proxy_core.errors import InvalidRequestError
from proxy_core.formats import wire_json

Json = dict[str, Any]

T = TypeVar("T")

#: Keys of `extras` that begin so are notes of a format to itself: never written to the wire, never reported as dropped.
NOTE: Final = "_"

KIND_NAMES: Final[dict[type, str]] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "an array",
    str: "a string",
}
_JSON_NAMES = {type(None): "null", **KIND_NAMES}


def is_kind(value: object, kind: type) -> bool:
    """Whether a JSON value is of a kind: whole numbers are numbers, booleans are none."""
    found = type(value)
    return found is kind or (kind is float and found is int)


def text_or_none(value: Any) -> str | None:
    """The string; None for anything else, and for an empty one."""
    return value if isinstance(value, str) and value else None


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


def stated(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def leftover(value: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """The fields that are neither known nor null, in their order."""
    return {name: field for name, field in value.items() if name not in known and field is not None}


# what a format keeps for itself


def own_fields(extras: Extras, format_name: str) -> dict[str, Any]:
    """What `extras` holds for a format's wire, without the notes."""
    own = extras.get(format_name) if extras else None
    return {name: value for name, value in own.items() if not name.startswith(NOTE)} if own else {}


def note(extras: Extras, format_name: str, name: str) -> Any:
    """A format's note to itself, or None."""
    return extras[format_name].get(NOTE + name) if format_name in extras else None


# a client's objects


def invalid(message: str, code: str, param: str) -> InvalidRequestError:
    """The error for one field of the client's body."""
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
    """A client's JSON object. What nobody has taken is left over for `extras`, under the name of the format that the
    subclass reads."""

    __slots__ = ("path", "rest")

    format_name: ClassVar[str]

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

    def inner(self, name: str) -> Self:
        """The object in a field that must be there."""
        return type(self)(self.need(name, dict), self.at(name))

    def each(self, name: str) -> list[Self]:
        """The objects in an array; none where there is no array."""
        return [type(self)(value, f"{self.at(name)}[{i}]") for i, value in enumerate(self.take(name, list) or [])]

    def extras(self, **notes: Any) -> Extras:
        """What is left over, with notes to ourselves (`role=` becomes `_role`); nulls say nothing."""
        if not (self.rest or notes):
            return {}
        own = stated(self.rest)
        own.update((NOTE + name, value) for name, value in notes.items() if value is not None)
        return {self.format_name: own} if own else {}


def take_harmless(fields: Fields, harmless: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Fields with a value that no other provider misses: for a note, so that they go back to their own as they came. An
    empty tuple stands for any value."""
    found = {name: fields.rest.get(name) for name in harmless}
    taken = {name: value for name, value in stated(found).items() if not harmless[name] or value in harmless[name]}
    for name in taken:
        fields.rest.pop(name)
    return taken


# the usage of a whole answer


class _Answer(msgspec.Struct):
    usage: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


def usage_in(body: bytes) -> Any:
    """The `usage` of a whole answer; the rest is skipped, not decoded. None where there is none."""
    try:
        return _decode_answer(body).usage
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _usage_in_odd(body)


def _usage_in_odd(body: bytes) -> Any:
    """The way of bodies that strict decoders refuse (lone surrogates, NaN)."""
    try:
        answer = wire_json.loads(body)
    except ValueError:
        return None
    return answer.get("usage") if isinstance(answer, dict) else None
