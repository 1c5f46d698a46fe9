"""A client's tools and the choice among them. https://ai.google.dev/api/caching#Tool (2026-11)"""

from __future__ import annotations

from typing import Any, Final, Literal

from proxy_core.domain.request import Tool, ToolChoice
from proxy_core.formats.fields import Json, invalid_value, wrong_type
from proxy_core.formats.gemini.enums import word_of
from proxy_core.formats.gemini.fields import FORMAT, Fields
from proxy_core.formats.gemini.schema import json_schema

_Mode = Literal["auto", "none", "required"]
_MODES: Final[dict[str, _Mode | None]] = {
    "MODE_UNSPECIFIED": None,
    "AUTO": "auto",
    "ANY": "required",
    "NONE": "none",
    "VALIDATED": "auto",
}
#: By their numbers in the protobuf.
_MODES_BY_NUMBER: Final = tuple(_MODES)


def decode_tools(body: Fields) -> list[Tool]:
    """The functions, and as native tools all else (`googleSearch`, `codeExecution`). Each knows the number of the
    object that it came in."""
    return [tool for number, entry in enumerate(body.each("tools")) for tool in _decode_entry(entry, number)]


def _decode_entry(entry: Fields, number: int) -> list[Tool]:
    functions = [_function(declaration, number) for declaration in entry.each("functionDeclarations")]
    return [*functions, *(_native(name, value, number) for name, value in entry.rest.items() if value is not None)]


def _native(name: str, value: Any, number: int) -> Tool:
    extras = {FORMAT: {"_group": number}}
    return Tool(name=name, kind="native", native_format=FORMAT, native={name: value}, extras=extras)


def _function(fields: Fields, number: int) -> Tool:
    name, description = fields.need("name", str), fields.take("description", str)
    openapi = fields.take("parameters", dict)
    parameters = fields.take("parametersJsonSchema", dict)
    if parameters is None:
        parameters = json_schema(openapi)
    else:
        openapi = None
    extras = fields.extras(group=number, parameters=openapi)
    return Tool(name=name, description=description, parameters=parameters, extras=extras)


def decode_tool_choice(body: Fields) -> tuple[ToolChoice | None, Json | None]:
    """The choice in `toolConfig.functionCallingConfig`, and the client's own words for it."""
    if body.rest.get("toolConfig") is None:
        return None, None
    config = body.inner("toolConfig")
    calling = config.inner("functionCallingConfig") if config.rest.get("functionCallingConfig") is not None else None
    body.rest["toolConfig"] = config.rest or None
    if calling is None:
        return None, None
    given = dict(calling.rest)
    return choice_of(calling), given


def choice_of(calling: Fields) -> ToolChoice | None:
    """The choice that a `functionCallingConfig` spells; ANY of one function is that function."""
    mode = _mode(calling)
    names: list[Any] = calling.take("allowedFunctionNames", list) or []
    for number, name in enumerate(names):
        if not isinstance(name, str):
            raise wrong_type(f"{calling.at('allowedFunctionNames')}[{number}]", "a string", name)
    if mode == "required" and len(names) == 1:
        return ToolChoice(mode="tool", name=names[0])
    return None if mode is None and not names else ToolChoice(mode=mode or "auto", allowed=names)


def _mode(calling: Fields) -> _Mode | None:
    """The mode, a word in upper or lower case or a number."""
    value = calling.rest.pop("mode", None)
    if value is None:
        return None
    word = word_of(value, _MODES_BY_NUMBER)
    if word not in _MODES:
        raise invalid_value(calling.at("mode"), str(value), list(_MODES))
    return _MODES[word]
