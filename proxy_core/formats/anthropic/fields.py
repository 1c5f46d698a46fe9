"""Reading fields of JSON that anybody may have written: the right type, or an error that names the path."""

from __future__ import annotations

from typing import Final, TypeVar, cast

from proxy_core.domain.base import Extras
from proxy_core.errors import InvalidRequestError
from proxy_core.formats.fields import KIND_NAMES, Json, is_kind

NAME: Final = "anthropic"

T = TypeVar("T")


def invalid(path: str, problem: str) -> InvalidRequestError:
    """The error for the field at `path`, worded as the Messages API words it."""
    details = {"param": path, "type": "invalid_request_error"}
    return InvalidRequestError(f"{path}: {problem}", details=details)


def join(path: str, key: str | int) -> str:
    """The path of `key` inside `path`."""
    return f"{path}.{key}" if path else str(key)


def expect(value: object, kind: type[T], path: str) -> T:
    """The value, if it is of `kind`."""
    if not is_kind(value, kind):
        raise invalid(path, f"must be {KIND_NAMES[kind]}")
    return cast("T", value)


def optional(source: Json, key: str, kind: type[T], path: str = "") -> T | None:
    """The field, or None when it is absent or null."""
    value: T | None = source.get(key)
    return value if value is None or type(value) is kind else expect(value, kind, join(path, key))


def required(source: Json, key: str, kind: type[T], path: str = "") -> T:
    """The field, which must be there."""
    value = optional(source, key, kind, path)
    if value is None:
        raise invalid(join(path, key), "Field required")
    return value


def count(source: Json, key: str, path: str = "") -> int | None:
    """An integer that is not negative; None when it is absent."""
    value = optional(source, key, int, path)
    if value is not None and value < 0:
        raise invalid(join(path, key), "must not be negative")
    return value


def objects(array: object, path: str) -> list[tuple[str, Json]]:
    """The objects of the array at `path`, each with its own path; none when there is no array."""
    items = [] if array is None else expect(array, list, path)
    return [(at := join(path, i), expect(item, dict, at)) for i, item in enumerate(items)]


def leftovers(source: Json, known: frozenset[str]) -> Extras:
    """What this format alone knows: every field but the `known` ones."""
    if source.keys() <= known:
        return {}
    return {NAME: {key: value for key, value in source.items() if key not in known}}
