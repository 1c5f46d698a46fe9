"""JSON Schema in the keywords that Gemini knows, for schemas that no Gemini client wrote.

A reference must lead to a child of the root's `$defs`; any other, and one with more beside it than a description and a
default, fails the whole request. `const` and `allOf` are not known: one value is an `enum`, one schema is itself. What
else is not known (`pattern`, `exclusiveMinimum`) Gemini passes over.
https://ai.google.dev/api/generate-content#GenerationConfig (`responseJsonSchema`),
https://ai.google.dev/api/caching#Schema (`ref`), https://github.com/anomalyco/opencode/issues/12295 (2026-11)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from typing import Any, Final
from urllib.parse import unquote

from proxy_core.formats.fields import Json, as_dict

_DEFS: Final = "#/$defs/"
_DEFINED: Final = re.compile(r"#/\$defs/[^/]+")
#: What begins the names in `$defs` of what stood elsewhere.
_NAME: Final = "referenced_"
#: What stands at the root alone.
_OF_ROOT: Final = frozenset({"$defs", "$id", "$schema", "definitions"})
#: What says nothing about which values are valid.
_REMARKS: Final = frozenset({"deprecated", "examples", "readOnly", "title", "writeOnly"})


def supported_schema(schema: Json) -> Json:
    """The schema that means the same to Gemini."""
    return _Writer(schema).written()


class _Writer:
    """One schema on its way. What is referred to moves into `$defs`, unless it is there already; a reference stands in
    its place, so that everything is written once. (Schemas are known by their identity.)"""

    def __init__(self, root: Json) -> None:
        self._root = root
        found = [target for reference in _references(root) if (target := self._target(reference)) is not None]
        self._moved = {id(target): target for target in found}
        self._names = {identity: f"{_NAME}{number}" for number, identity in enumerate(self._moved)}

    def _target(self, reference: str) -> Json | None:
        return None if _DEFINED.fullmatch(reference) else _at(self._root, reference)

    def written(self) -> Json:
        top = _at(self._root, self._root.get("$ref")) or {}
        schema = self._whole({**_without(self._root, {"$ref"} if top else ()), **top})
        if not self._moved:
            return schema
        moved = {self._names[key]: self._whole(_without(target, _OF_ROOT)) for key, target in self._moved.items()}
        return {**_without(schema, {"definitions"}), "$defs": as_dict(schema.get("$defs")) | moved}

    def schema(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        name = self._names.get(id(schema))
        return self._whole(schema) if name is None else {"$ref": _DEFS + name}

    def _whole(self, schema: Json) -> Json:
        flat = _flat(schema)
        written = {name: _INNER[name](self, value) if name in _INNER else value for name, value in flat.items()}
        if isinstance(reference := written.get("$ref"), str):
            name = self._names.get(id(self._target(reference)))
            return {**_without(written, _REMARKS), "$ref": reference if name is None else _DEFS + name}
        if type(written.get("const")) in (str, int, float):
            written["enum"] = [written.pop("const")]
        return written

    def each(self, schemas: Any) -> Any:
        return [self.schema(schema) for schema in schemas] if isinstance(schemas, list) else schemas

    def named(self, schemas: Any) -> Any:
        named = isinstance(schemas, dict)
        return {name: self.schema(schema) for name, schema in schemas.items()} if named else schemas


#: Where a schema holds others.
_INNER: Final[dict[str, Callable[[_Writer, Any], Any]]] = {
    "$defs": _Writer.named,
    "additionalProperties": _Writer.schema,
    "allOf": _Writer.each,
    "anyOf": _Writer.each,
    "items": _Writer.schema,
    "oneOf": _Writer.each,
    "prefixItems": _Writer.each,
    "properties": _Writer.named,
}


def _without(schema: Json, names: Container[str]) -> Json:
    return {name: value for name, value in schema.items() if name not in names}


def _flat(schema: Json) -> Json:
    """The schema with the only one of its `allOf` in its place, as pydantic wraps references that have more beside."""
    parts = schema.get("allOf")
    if not (isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict)):
        return schema
    return schema if parts[0].keys() & schema.keys() else {**_without(schema, {"allOf"}), **parts[0]}


def _references(value: Any) -> Iterator[str]:
    """All of them, wherever they stand."""
    if isinstance(value, dict) and isinstance(value.get("$ref"), str):
        yield value["$ref"]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _references(each)


def _at(root: Json, reference: Any) -> Json | None:
    """What a reference leads to inside the schema; None for any other."""
    if not (isinstance(reference, str) and re.match(r"#(/|$)", reference)):
        return None
    found: Any = root
    for step in reference.split("/")[1:]:
        found = _inside(found, unquote(step).replace("~1", "/").replace("~0", "~"))
    return found if isinstance(found, dict) else None


def _inside(holder: Any, step: str) -> Any:
    if isinstance(holder, list) and re.fullmatch("[0-9]{1,6}", step):
        return holder[int(step)] if int(step) < len(holder) else None
    return holder.get(step) if isinstance(holder, dict) else None
