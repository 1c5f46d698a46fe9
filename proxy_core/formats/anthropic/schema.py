"""The schema of an output, in the part of JSON Schema that Anthropic takes.

Objects must be closed, and limits on numbers, lengths and counts are refused. Anthropic's own SDK closes the objects
and tells the model of the limits in the description; so do we, for clients of other formats.
https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from proxy_core.formats import wire_json
from proxy_core.formats.fields import Json

#: Keywords that are refused, whatever their value; what else is not understood may stay.
_LIMITS: Final = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)
_STRING_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)


def closed_schema(schema: Json) -> tuple[Json, bool]:
    """The schema as Anthropic takes it, and whether that says the same: an object of any keys cannot be had."""
    return _closed(schema), not _has_open_object(schema)


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    closed = {name: _INNER[name](value) if name in _INNER else value for name, value in schema.items()}
    if "oneOf" in closed:
        closed["anyOf"] = closed.pop("oneOf")
    if closed.get("type") == "object" or "properties" in closed:
        closed["additionalProperties"] = False
    return _with_limits_told(closed)


def _each(schemas: Any) -> Any:
    return [_closed(schema) for schema in schemas] if isinstance(schemas, list) else schemas


def _named(schemas: Any) -> Any:
    return {name: _closed(schema) for name, schema in schemas.items()} if isinstance(schemas, dict) else schemas


#: Where a schema holds others.
_INNER: dict[str, Callable[[Any], Any]] = {
    "$defs": _named,
    "definitions": _named,
    "properties": _named,
    "items": _closed,
    "anyOf": _each,
    "oneOf": _each,
    "allOf": _each,
}


def _with_limits_told(schema: Json) -> Json:
    limits = {name: schema.pop(name) for name in _refused(schema)}
    if limits:
        told = "{" + ", ".join(f"{name}: {_spelled(value)}" for name, value in limits.items()) + "}"
        schema["description"] = "\n\n".join(filter(None, (schema.get("description"), told)))
    return schema


def _refused(schema: Json) -> list[str]:
    names: list[str] = [name for name in _LIMITS if name in schema]
    if "minItems" in schema and schema["minItems"] not in (0, 1):
        names.append("minItems")
    if schema.get("format") is not None and schema["format"] not in _STRING_FORMATS:
        names.append("format")
    return names


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else wire_json.dumps(value).decode()


def _has_open_object(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_has_open_object, schema))
    if not isinstance(schema, dict):
        return False
    if schema.get("type") == "object" and schema.get("additionalProperties", False) is not False:
        return True
    return any(_has_open_object(_values(name, schema[name])) for name in _INNER if name in schema)


def _values(name: str, inner: Any) -> Any:
    return list(inner.values()) if _INNER[name] is _named and isinstance(inner, dict) else inner
