"""Tools, both ways.

A tool's `strict` is true where it is left out and the schema allows it, which makes every parameter required: so tools
of other clients, for whom leaving it out means false, say false. (Comment on `strict` in openai-python 3.57,
types/responses/namespace_tool_param.py, 2026-11.)

https://platform.openai.com/docs/api-reference/responses/create#responses_create-tools (2026-11)
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from proxy_core.domain.base import Extras
from proxy_core.domain.content import ToolKind
from proxy_core.domain.request import Tool
from proxy_core.formats.fields import NOTE, as_text, stated
from proxy_core.formats.openai_responses.fields import FORMAT, Fields, note, own_fields
from proxy_core.formats.openai_responses.names import FlatNames
from proxy_core.formats.openai_responses.target import Target

TOOL_KINDS: dict[str, ToolKind] = {"function": "function", "custom": "custom"}
#: The format of free text that a tool without `format` has.
_ANY_TEXT = {"type": "text"}


def decode_tools(fields: Fields, names: FlatNames) -> list[Tool]:
    """The client's tools, those in namespaces under their flat names."""
    return [tool for entry in fields.each("tools") for tool in _decode_entry(entry, names)]


def _decode_entry(fields: Fields, names: FlatNames) -> list[Tool]:
    if fields.rest.get("type") == "namespace" and fields.rest.get("tools"):
        return _decode_namespace(fields, names)
    return [_decode_tool(fields)]


def _decode_namespace(fields: Fields, names: FlatNames) -> list[Tool]:
    fields.rest.pop("type")
    namespace, nested = fields.need("name", str), fields.each("tools")
    about = stated(fields.rest)
    return [_nested(tool, namespace, about, names) for tool in nested]


def _nested(fields: Fields, namespace: str, about: dict[str, Any], names: FlatNames) -> Tool:
    """A tool in a namespace. What else the namespace says (its description) is a field of each of its tools."""
    tool = _decode_tool(fields)
    own: dict[str, Any] = {NOTE + "namespace": namespace, NOTE + "name": tool.name}
    tool.name = names.of(tool.name, namespace)
    tool.extras = {FORMAT: {**tool.extra(FORMAT), **own, **({"namespace": about} if about else {})}}
    return tool


def _decode_tool(fields: Fields) -> Tool:
    whole = dict(fields.rest)
    kind = fields.need("type", str)
    if kind not in TOOL_KINDS:
        return Tool(name=hosted_name(whole), kind="native", native_format=FORMAT, native=whole)
    any_text = fields.rest.pop("format") if fields.rest.get("format") == _ANY_TEXT else None
    return Tool(
        name=fields.need("name", str),
        description=fields.take("description", str),
        parameters=fields.take("parameters", dict),
        strict=fields.take("strict", bool),
        kind=TOOL_KINDS[kind],
        extras=fields.extras(format=any_text),
    )


def hosted_name(tool: dict[str, Any]) -> str:
    """What we call a tool that OpenAI runs: several servers of tools may go by one type."""
    return as_text(tool.get("server_label")) or as_text(tool.get("name")) or as_text(tool.get("type"))


def encode_tools(target: Target) -> dict[str, Any]:
    """`tools`, where there are any; other formats' own tools are recorded."""
    target.request.drop(*(f"tools.{tool.name}" for tool in target.request.tools if not _can_offer(tool)))
    groups = groupby(offered(target), lambda tool: note(tool.extras, "namespace"))
    tools = [entry for namespace, tools in groups for entry in _encode_group(namespace, list(tools), target)]
    return {"tools": tools} if tools else {}


def offered(target: Target) -> list[Tool]:
    """The tools that a Responses upstream can be told of."""
    return [tool for tool in target.request.tools if _can_offer(tool)]


def _can_offer(tool: Tool) -> bool:
    return tool.kind != "native" or tool.native_format == FORMAT


def _encode_group(namespace: str | None, tools: list[Tool], target: Target) -> list[dict[str, Any]]:
    encoded = [_encode_tool(tool, target) for tool in tools]
    if namespace is None:
        return encoded
    about = own_fields(tools[0].extras).get("namespace") or {}
    return [{"type": "namespace", "name": namespace, "tools": encoded, **about}]


def _encode_tool(tool: Tool, target: Target) -> dict[str, Any]:
    if tool.kind == "native":
        return tool.native or {}
    definition = {
        "type": tool.kind,
        "name": note(tool.extras, "name") or tool.name,
        "description": tool.description,
        "format": note(tool.extras, "format"),
    }
    if tool.kind == "function":
        definition |= {"parameters": _parameters(tool, target), "strict": _strict(tool, target)}
    return stated(definition) | _own(tool.extras, target)


def _own(extras: Extras, target: Target) -> dict[str, Any]:
    return {name: value for name, value in target.own(extras).items() if name != "namespace"}


def _parameters(tool: Tool, target: Target) -> dict[str, Any] | None:
    if tool.parameters is None and not target.same_format:
        return {"type": "object", "properties": {}}
    return tool.parameters


def _strict(tool: Tool, target: Target) -> bool | None:
    return False if tool.strict is None and not target.same_format else tool.strict
