"""Tools and the choice among them, both ways; with the `functions` of 2023."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_core.domain.content import ToolCallPart, ToolKind
from proxy_core.domain.request import Tool, ToolChoice
from proxy_core.formats.fields import as_dict, as_text, invalid_value, wrong_type
from proxy_core.formats.openai.dialect import Target
from proxy_core.formats.openai.fields import FORMAT, Fields, note, own_fields

_MODES = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",
}  # "any" is Mistral's word
TOOL_KINDS: dict[str, ToolKind] = {"function": "function", "custom": "custom"}


def decode_tools(fields: Fields) -> list[Tool]:
    """`tools`, and after them the legacy `functions`."""
    tools = fields.take("tools", list) or []
    functions = fields.take("functions", list) or []
    return [
        *(_decode_tool(tool, f"{fields.at('tools')}[{index}]") for index, tool in enumerate(tools)),
        *(_decode_legacy(tool, f"{fields.at('functions')}[{index}]") for index, tool in enumerate(functions)),
    ]


def _decode_tool(value: Any, path: str) -> Tool:
    fields = Fields(value, path)
    kind = fields.need("type", str)
    if kind not in TOOL_KINDS:
        return Tool(name=kind, kind="native", native_format=FORMAT, native=value)
    tool = _decode_definition(fields.inner(kind))
    tool.kind = TOOL_KINDS[kind]
    tool.extras = fields.extras(inner=own_fields(tool.extras) or None)
    return tool


def _decode_definition(fields: Fields) -> Tool:
    return Tool(
        name=fields.need("name", str),
        description=fields.take("description", str),
        parameters=fields.take("parameters", dict),
        strict=fields.take("strict", bool),
        extras=fields.extras(),
    )


def _decode_legacy(value: Any, path: str) -> Tool:
    fields = Fields(value, path)
    tool = _decode_definition(fields)
    tool.extras = fields.extras(legacy=True)
    return tool


def encode_tools(target: Target) -> dict[str, Any]:
    """`tools` and `functions`, where there are any; other formats' own tools are recorded."""
    target.request.drop(*(f"tools.{tool.name}" for tool in target.request.tools if not _can_offer(tool)))
    tools = [_encode_tool(tool, target) for tool in offered(target) if not is_legacy(tool)]
    legacy = [_encode_definition(tool, target.own(tool.extras)) for tool in offered(target) if is_legacy(tool)]
    return {name: value for name, value in (("tools", tools), ("functions", legacy)) if value}


def offered(target: Target) -> list[Tool]:
    """The tools that a Chat upstream can be told of."""
    return [tool for tool in target.request.tools if _can_offer(tool)]


def _can_offer(tool: Tool) -> bool:
    return tool.kind != "native" or tool.native_format == FORMAT


def is_legacy(of: Tool | ToolCallPart) -> bool:
    """Whether it came as one of the `functions` of 2023."""
    return note(of.extras, "legacy") is True


def _encode_tool(tool: Tool, target: Target) -> dict[str, Any]:
    if tool.kind == "native":
        return tool.native or {}
    own = target.own(tool.extras)
    return {"type": tool.kind, tool.kind: _encode_definition(tool, note(tool.extras, "inner") or {}), **own}


def _encode_definition(tool: Tool, own: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    return {name: value for name, value in fields.items() if value is not None} | own


def decode_tool_choice(fields: Fields) -> ToolChoice | None:
    """`tool_choice`, or the legacy `function_call`. A choice of a kind unknown to us is left to `extras`."""
    for name in ("tool_choice", "function_call"):
        value = fields.rest.get(name)
        if isinstance(value, str):
            return _decode_mode(fields.need(name, str), fields.at(name))
        if isinstance(value, dict):
            return _decode_named(fields, name)
        if value is not None:
            raise wrong_type(fields.at(name), "a string or an object", value)
    return None


def _decode_mode(word: str, path: str) -> ToolChoice:
    if word not in _MODES:
        raise invalid_value(path, word, ["none", "auto", "required"])
    return ToolChoice(mode=_MODES[word])  # type: ignore[arg-type]  # the table holds nothing else


def _decode_named(fields: Fields, name: str) -> ToolChoice | None:
    choice = fields.inner(name)
    kind = "legacy" if name == "function_call" else choice.need("type", str)
    reader = _CHOICES.get(kind)
    if reader is not None:
        return reader(choice)
    fields.rest[name] = choice.rest | {"type": kind}
    return None


def _named(kind: ToolKind) -> Callable[[Fields], ToolChoice]:
    def read(choice: Fields) -> ToolChoice:
        return ToolChoice(mode="tool", name=choice.inner(kind).need("name", str), kind=kind)

    return read


def _allowed(choice: Fields) -> ToolChoice:
    inner = choice.inner("allowed_tools")
    mode = _decode_mode(inner.need("mode", str), inner.at("mode"))
    mode.allowed = [_tool_name(tool) for tool in inner.need("tools", list)]
    return mode


def _tool_name(tool: Any) -> str:
    kind = as_dict(tool).get("type")
    return as_text(as_dict(as_dict(tool).get(kind)).get("name")) or as_text(kind) if isinstance(kind, str) else ""


_CHOICES: dict[str, Callable[[Fields], ToolChoice]] = {
    "function": _named("function"),
    "custom": _named("custom"),
    "allowed_tools": _allowed,
    "legacy": lambda choice: ToolChoice(mode="tool", name=choice.need("name", str)),
}


def encode_tool_choice(target: Target) -> dict[str, Any]:
    """`tool_choice` or `function_call`, and `parallel_tool_calls`; OpenAI refuses all of them where there are no
    tools, and the choice of one that is not there."""
    choice, tools = target.request.tool_choice, offered(target)
    if not tools and not target.same_format:
        return {}
    fields: dict[str, Any] = {"parallel_tool_calls": target.request.parallel_tool_calls}
    if choice is not None and (target.same_format or _can_choose(choice, tools)):
        legacy = bool(tools) and all(is_legacy(tool) for tool in tools)
        fields["function_call" if legacy else "tool_choice"] = _encode_choice(choice, target, legacy=legacy)
    return {name: value for name, value in fields.items() if value is not None}


def _can_choose(choice: ToolChoice, tools: list[Tool]) -> bool:
    return choice.mode != "tool" or any(tool.name == choice.name for tool in tools)


def _encode_choice(choice: ToolChoice, target: Target, *, legacy: bool) -> Any:
    if choice.mode == "tool":
        named = {"name": choice.name or ""}
        return named if legacy else {"type": choice.kind, choice.kind: named}
    if choice.allowed:
        references = [_reference(name, offered(target)) for name in _allowed_names(choice, target)]
        allowed = {"mode": choice.mode, "tools": references}
        return {"type": "allowed_tools", "allowed_tools": allowed} if references else "none"
    return choice.mode


def _allowed_names(choice: ToolChoice, target: Target) -> list[str]:
    """The tools that the choice is narrowed to, but for those that cannot be offered."""
    known = {tool.name for tool in offered(target)}
    if target.same_format or known.issuperset(choice.allowed):
        return choice.allowed
    target.request.drop("tool_choice.allowed_tools")
    return [name for name in choice.allowed if name in known]


def _reference(name: str, tools: list[Tool]) -> dict[str, Any]:
    kind = next((tool.kind for tool in tools if tool.name == name), "function")
    return {"type": name} if kind == "native" else {"type": kind, kind: {"name": name}}
