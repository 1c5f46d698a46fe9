"""Gemini's `Schema` (a subset of OpenAPI 3.0) to JSON Schema.

Types are upper-case words or numbers, `nullable` is a flag, and `propertyOrdering` has no counterpart. The other way
none is needed: `parametersJsonSchema` and `responseJsonSchema` take JSON Schema; see `schema_encode.py`.
https://ai.google.dev/api/caching#Schema, https://ai.google.dev/gemini-api/docs/structured-output (2026-11)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from proxy_core.formats.fields import Json

#: By their numbers in https://github.com/googleapis/googleapis/blob/master/google/ai/generativelanguage/v1beta/content.proto
_TYPES = ("type_unspecified", "string", "number", "integer", "boolean", "array", "object", "null")

_KEYWORDS = {
    "additional_properties": "additionalProperties",
    "any_of": "anyOf",
    "defs": "$defs",
    "max_items": "maxItems",
    "max_length": "maxLength",
    "max_properties": "maxProperties",
    "min_items": "minItems",
    "min_length": "minLength",
    "min_properties": "minProperties",
    "one_of": "oneOf",
    "prefix_items": "prefixItems",
    "property_ordering": "propertyOrdering",
    "ref": "$ref",
}


def json_schema(schema: Any) -> Any:
    """The JSON Schema that means the same. What is JSON Schema already stays as it is."""
    if not isinstance(schema, dict):
        return schema
    given: Json = {_KEYWORDS.get(key) or key: value for key, value in schema.items() if value is not None}
    nullable = given.pop("nullable", False) is True
    given.pop("propertyOrdering", None)
    converted: Json = {key: _CONVERTERS.get(key, _as_it_is)(value) for key, value in given.items()}
    if "example" in converted:
        converted["examples"] = [converted.pop("example")]
    if converted.get("type") == _TYPES[0]:
        del converted["type"]
    return _nullable(converted) if nullable else converted


def object_schema(schema: Json | None) -> Json | None:
    """A schema for arguments: one whose top has no type says that it is an object."""
    if not schema:
        return None
    return schema if "type" in schema else {"type": "object", **schema}


def _nullable(schema: Json) -> Json:
    """Null is allowed too: in the type, among the values, or as another alternative."""
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    if isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return {"anyOf": [schema, {"type": "null"}]} if "$ref" in schema else schema


def _as_it_is(value: Any) -> Any:
    return value


def _type(value: Any) -> Any:
    if isinstance(value, list):
        return [_type(word) for word in value]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_TYPES):
        return _TYPES[value]
    return value.lower() if isinstance(value, str) else value


def _number(value: Any) -> Any:
    """Protobuf spells 64-bit numbers as strings."""
    return int(value) if isinstance(value, str) and value.isdecimal() and value.isascii() else value


def _reference(value: Any) -> Any:
    """It leads to a child of the root's `defs`."""
    return re.sub(r"^#/defs/", "#/$defs/", value) if isinstance(value, str) else value


def _each(value: Any) -> Any:
    return [json_schema(item) for item in value] if isinstance(value, list) else value


def _named(value: Any) -> Any:
    """Schemas by names that are the user's."""
    return {name: json_schema(item) for name, item in value.items()} if isinstance(value, dict) else value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "$defs": _named,
    "$ref": _reference,
    "additionalProperties": json_schema,
    "allOf": _each,
    "anyOf": _each,
    "items": json_schema,
    "oneOf": _each,
    "prefixItems": _each,
    "properties": _named,
    "type": _type,
    **dict.fromkeys(
        ("maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"),
        _number,
    ),
}
