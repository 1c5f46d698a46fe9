"""Tools and the choice among them, for Gemini.

====================================  ================================================================
domain                                Gemini
====================================  ================================================================
a function's schema                   `parametersJsonSchema`; see `schema_encode.py`
a free-text tool                      a function of one string; see `proxy_core.formats.free_text`
another provider's own tool           left out, recorded
`required`                            `ANY`
`required`, some allowed; one tool    `ANY` with `allowedFunctionNames`
`auto`, some allowed                  `AUTO`, and only these are declared: `allowedFunctionNames` does
                                      not go with `AUTO`, and `VALIDATED` is a preview
====================================  ================================================================

https://ai.google.dev/gemini-api/docs/function-calling#function_calling_modes (2026-11)
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from proxy_core.domain.request import Tool, ToolChoice
from proxy_core.formats.fields import Json, invalid
from proxy_core.formats.free_text import WRAPPING_SCHEMA
from proxy_core.formats.gemini.fields import FORMAT, Fields, note
from proxy_core.formats.gemini.schema import json_schema, object_schema
from proxy_core.formats.gemini.schema_encode import supported_schema
from proxy_core.formats.gemini.target import Target
from proxy_core.formats.gemini.tools import choice_of

#: "Must start with a letter or an underscore. Must be a-z, A-Z, 0-9, or contain underscores, dots, colons and dashes,
#: with a maximum length of 128." https://ai.google.dev/api/caching#FunctionDeclaration (2026-11)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_MODES: Final[dict[Literal["auto", "none", "required", "tool"], str]] = {
    "auto": "AUTO",
    "none": "NONE",
    "required": "ANY",
    "tool": "ANY",
}


def encode_tools(target: Target) -> list[Json]:
    """`tools`: the objects that a Gemini client sent, or one with all functions."""
    entries: dict[int, Json] = {}
    for tool in _declared(target):
        entry = entries.setdefault(note(tool.extras, "group") or 0, {})
        if tool.kind == "native":
            entry.update(tool.native or {})
        else:
            entry.setdefault("functionDeclarations", []).append(_declaration(tool, target))
    return [entries[number] for number in sorted(entries)]


def _can_offer(tool: Tool) -> bool:
    return tool.kind != "native" or tool.native_format == FORMAT


def _offered(target: Target) -> list[Tool]:
    return [tool for tool in target.request.tools if _can_offer(tool)]


def _declared(target: Target) -> list[Tool]:
    target.request.drop(*(f"tools.{tool.name}" for tool in target.request.tools if not _can_offer(tool)))
    choice, tools = target.request.tool_choice, _offered(target)
    if choice is None or target.same_format or choice.mode != "auto" or not choice.allowed:
        return tools
    return [tool for tool in tools if tool.name in choice.allowed]


def _declaration(tool: Tool, target: Target) -> Json:
    if not target.same_format and not _NAME.fullmatch(tool.name):
        raise _bad_name(tool.name)
    if tool.strict and tool.kind == "function":
        target.request.drop("strict")
    declaration: Json = {"name": tool.name}
    if tool.description is not None:
        declaration["description"] = tool.description
    return {**declaration, **_parameters(tool, target), **target.own(tool.extras)}


def _bad_name(name: str) -> Exception:
    return invalid(
        f"tools: Gemini does not take the function name {name!r}: it must begin with a letter or an underscore, go on "
        "with letters, digits, '_', '.', ':' and '-', and be no longer than 128 characters",
        "invalid_value",
        "tools",
    )


def _parameters(tool: Tool, target: Target) -> Json:
    given: Json | None = note(tool.extras, "parameters")
    if given is not None and json_schema(given) == tool.parameters:
        return {"parameters": given}
    schema = WRAPPING_SCHEMA if tool.kind == "custom" else tool.parameters
    if schema and not target.same_format:
        schema = supported_schema(schema)
    return {"parametersJsonSchema": object_schema(schema)} if schema else {}


def encode_tool_config(target: Target) -> Json | None:
    """`toolConfig`, with what only Gemini has in it."""
    own: Any = target.request.extra(FORMAT).get("toolConfig") or {}
    given = _as_given(target)
    calling = _calling(target) if given is None else given
    return own or None if calling is None else {**own, "functionCallingConfig": calling}


def _as_given(target: Target) -> Json | None:
    """A Gemini client's own words, unless the choice has been changed since."""
    given = note(target.request.extras, "calling")
    if not isinstance(given, dict) or choice_of(Fields(given)) != target.request.tool_choice:
        return None
    return given


def _calling(target: Target) -> Json | None:
    """None where there is no choice, and where it would be refused: without functions, or for one that is not there."""
    choice = target.request.tool_choice
    functions = {tool.name for tool in _offered(target) if tool.kind != "native"}
    if choice is None or not functions:
        return None
    names = [choice.name or ""] if choice.mode == "tool" else choice.allowed
    known = [name for name in names if name in functions]
    if len(known) < len(names):
        target.request.drop("tool_choice.allowed_tools")
    return _spelled(choice, known) if known or not names else None


def _spelled(choice: ToolChoice, names: list[str]) -> Json:
    calling: Json = {"mode": _MODES[choice.mode]}
    if names and calling["mode"] == "ANY":
        calling["allowedFunctionNames"] = names
    return calling
