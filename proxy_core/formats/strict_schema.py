"""Which schemas OpenAI can hold a model to (`strict`): every object closed, every property required, every type said.

https://platform.openai.com/docs/guides/structured-outputs#supported-schemas (2026-11)
"""

from __future__ import annotations

from typing import Any, Final

from proxy_core.domain.request import ResponseFormat

_UNSUPPORTED: Final = frozenset(
    {"allOf", "oneOf", "not", "dependentRequired", "dependentSchemas", "if", "then", "else", "patternProperties"}
)
#: Of which every schema must have one: there is none for just anything.
_KINDS: Final = frozenset({"type", "anyOf", "$ref"})
_NAMED: Final = ("$defs", "definitions", "properties")


def strictness(wanted: ResponseFormat) -> bool | None:
    """`strict` for a client of another format: what it says or, where its own provider always holds the model to a
    schema and so has no word for it, whether OpenAI can do the same."""
    if wanted.strict is not None:
        return wanted.strict
    schema = wanted.schema
    return (isinstance(schema, dict) and schema.get("type") == "object" and _is_strict(schema)) or None


def _is_strict(schema: Any) -> bool:
    if not isinstance(schema, dict) or _UNSUPPORTED & schema.keys() or not _KINDS & schema.keys():
        return False
    if not _is_closed(schema):
        return False
    inner = [each for name in _NAMED if isinstance(schema.get(name), dict) for each in schema[name].values()]
    inner += schema["anyOf"] if isinstance(schema.get("anyOf"), list) else []
    inner += [schema["items"]] if "items" in schema else []
    return all(map(_is_strict, inner))


def _is_closed(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type")
    if kinds != "object" and not (isinstance(kinds, list) and "object" in kinds):
        return True
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return False
    return schema.get("additionalProperties") is False and set(properties) <= {*map(str, required)}
