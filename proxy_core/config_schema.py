"""The JSON Schema of the configuration file, for editors and for the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from proxy_core.config import BACKEND_NAME, AppConfig

_HAS_VARIABLE = r"\$\{"


def json_schema(connectors: Mapping[str, type[BaseModel] | None] | None = None) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the file, for editors and for the documentation.

    `connectors` holds the `options_model` of each installed connector by its `backend_type`; the options of
    other connectors are not checked.
    """
    schema = AppConfig.model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    for definition in definitions.values():
        definition["type"] = ["object", "null"]  # a key with nothing after it
    backend = definitions["BackendConfig"]
    backends = schema["properties"]["backends"]
    backends["propertyNames"] = {"pattern": BACKEND_NAME}
    for name, options_model in sorted((connectors or {}).items()):
        if options_model is not None:
            definitions |= _options_schemas(name, options_model, backend["properties"])
            _tie(name, backend, backends)
    _allow_variables(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _options_schemas(name: str, options_model: type[BaseModel], common: dict[str, Any]) -> dict[str, Any]:
    """The definition of a connector's backends, under its name, and those that it refers to."""
    schema = options_model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    nested = {f"{name}.{key}": value for key, value in schema.pop("$defs", {}).items()}
    schema["properties"] = {**common, **schema.get("properties", {})}
    return {name: schema, **nested}


def _tie(name: str, backend: dict[str, Any], backends: dict[str, Any]) -> None:
    """A backend is a connector's when its `type` says so, or its name when it has no `type`."""
    options = {"$ref": f"#/$defs/{name}"}
    typed = {"type": "object", "properties": {"type": {"const": name}}, "required": ["type"]}
    backend.setdefault("allOf", []).append({"if": typed, "then": options})
    untyped = {"type": "object", "not": {"required": ["type"]}}
    backends.setdefault("properties", {})[name] = {
        "$ref": "#/$defs/BackendConfig",
        "if": untyped,
        "then": options,
    }


def _allow_variables(schema: Any) -> None:
    """`port: ${PORT}` is as good as a number: let what is not text also be a text with a variable."""
    if isinstance(schema, list):
        for item in schema:
            _allow_variables(item)
    if not isinstance(schema, dict):
        return
    for item in schema.values():
        _allow_variables(item)
    if "enum" in schema:
        schema["anyOf"] = [{"enum": schema.pop("enum")}, {"pattern": _HAS_VARIABLE}]
    if schema.get("type") in ("boolean", "integer", "number"):
        schema.update({"type": [schema["type"], "string"], "pattern": _HAS_VARIABLE})
