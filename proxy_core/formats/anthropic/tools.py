"""Tools and the choice among them, both ways.

A free-text (`custom`) tool becomes a function of one string; see `proxy_core.formats.free_text`.

https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview (2026-11)
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from proxy_core.domain.request import DomainRequest, Tool, ToolChoice
from proxy_core.formats.anthropic.fields import NAME, invalid, leftovers, objects, optional, required
from proxy_core.formats.fields import NOTE, Json, note, own_fields
from proxy_core.formats.free_text import WRAPPING_SCHEMA

_TOOL_FIELDS = frozenset({"description", "input_schema", "name", "strict", "type"})
#: Where a tool keeps the type `custom`, which says no more than none.
_TYPE = f"{NOTE}type"

_Mode = Literal["auto", "none", "required", "tool"]
_MODES: dict[str, _Mode] = {"any": "required", "auto": "auto", "none": "none", "tool": "tool"}
_CHOICES = {mode: kind for kind, mode in _MODES.items()}

_BAD_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def decode_tools(body: Json) -> list[Tool]:
    """The client's tools; those with a type of their own (server tools and the like) only Anthropic knows."""
    return [_decode_tool(tool, path) for path, tool in objects(body.get("tools"), "tools")]


def _decode_tool(tool: Json, path: str) -> Tool:
    kind = optional(tool, "type", str, path)
    if kind not in (None, "custom"):
        name = optional(tool, "name", str, path) or str(kind)
        return Tool(name=name, kind="native", native_format=NAME, native=tool)
    extras = leftovers(tool, _TOOL_FIELDS)
    return Tool(
        name=required(tool, "name", str, path),
        description=optional(tool, "description", str, path),
        parameters=optional(tool, "input_schema", dict, path),
        strict=optional(tool, "strict", bool, path),
        extras={NAME: {**extras.get(NAME, {}), _TYPE: kind}} if kind else extras,
    )


def decode_tool_choice(body: Json) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether several tools may be called at once."""
    choice = optional(body, "tool_choice", dict)
    if choice is None:
        return None, None
    kind = required(choice, "type", str, "tool_choice")
    if kind not in _MODES:
        raise invalid("tool_choice.type", f"must be one of {', '.join(sorted(_MODES))}")
    name = required(choice, "name", str, "tool_choice") if kind == "tool" else None
    single = optional(choice, "disable_parallel_tool_use", bool, "tool_choice")
    return ToolChoice(mode=_MODES[kind], name=name), None if single is None else not single


def encode_tools(request: DomainRequest) -> list[Json]:
    """The tools that can be offered; those only another format knows are dropped. Of a tool that may not be called the
    model is not told: the Messages API has no other way to forbid it."""
    allowed = request.tool_choice.allowed if request.tool_choice is not None else []
    wanted = [tool for tool in request.tools if not allowed or tool.name in allowed]
    if not {*allowed} <= {tool.name for tool in wanted if _can_offer(tool)}:
        request.drop("tool_choice.allowed_tools")
    return [encoded for tool in wanted if (encoded := _encode_tool(tool, request)) is not None]


def _can_offer(tool: Tool) -> bool:
    return tool.kind != "native" or tool.native_format == NAME


def _encode_tool(tool: Tool, request: DomainRequest) -> Json | None:
    if not _can_offer(tool):
        request.drop(f"tools.{tool.name}")
        return None
    if tool.kind == "native":
        return tool.native
    encoded: Json = {"name": tool.name, "input_schema": _schema(tool)}
    if tool.description:
        encoded["description"] = tool.description
    if tool.strict and tool.kind == "function":
        encoded["strict"] = True
    if kind := note(tool.extras, NAME, "type"):
        encoded["type"] = kind
    return {**own_fields(tool.extras, NAME), **encoded}


def _schema(tool: Tool) -> Json:
    """A schema whose top is an object, as the API demands."""
    if tool.kind == "custom":
        return WRAPPING_SCHEMA
    if not tool.parameters:
        return {"type": "object", "properties": {}}
    return tool.parameters if "type" in tool.parameters else {"type": "object", **tool.parameters}


def encode_tool_choice(request: DomainRequest) -> Json | None:
    """The `tool_choice` field, also where only parallel calls are turned off."""
    choice, single = request.tool_choice, request.parallel_tool_calls is False
    if choice is None and not single:
        return None
    encoded: Json = {"type": _CHOICES[choice.mode] if choice is not None else "auto"}
    if choice is not None and choice.mode == "tool":
        encoded["name"] = choice.name
    if single and encoded["type"] != "none":
        encoded["disable_parallel_tool_use"] = True
    return encoded


def tool_id(identifier: str) -> str:
    """The id as the API accepts it (`^[a-zA-Z0-9_-]+$`): equal for equal ids, so that calls and results still meet."""
    if identifier and not _BAD_IN_ID.search(identifier):
        return identifier
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{_BAD_IN_ID.sub('_', identifier) or 'toolu'}_{digest}"
