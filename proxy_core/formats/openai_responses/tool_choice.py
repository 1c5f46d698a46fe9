"""The choice among tools, both ways.

https://platform.openai.com/docs/api-reference/responses/create#responses_create-tool_choice (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_core.domain.content import ToolKind
from proxy_core.domain.request import Tool, ToolChoice
from proxy_core.formats.fields import as_text, invalid_value, stated, wrong_type
from proxy_core.formats.openai_responses.fields import Fields, note
from proxy_core.formats.openai_responses.names import FlatNames, native_name
from proxy_core.formats.openai_responses.target import Target
from proxy_core.formats.openai_responses.tools import TOOL_KINDS, hosted_name, offered

_MODES = ("none", "auto", "required")


def decode_tool_choice(fields: Fields, names: FlatNames) -> ToolChoice | None:
    """The choice; one of a tool that OpenAI runs is left to `extras`."""
    value = fields.rest.get("tool_choice")
    if value is None:
        return None
    if isinstance(value, str):
        return _decode_mode(fields, "tool_choice")
    if not isinstance(value, dict):
        raise wrong_type(fields.at("tool_choice"), "a string or an object", value)
    choice = Fields(value, fields.at("tool_choice"))
    reader = _READERS.get(choice.need("type", str))
    if reader is None:
        return None
    fields.rest.pop("tool_choice")
    return reader(choice, names)


def spelled_choice(body: dict[str, Any], choice: ToolChoice | None) -> dict[str, Any] | None:
    """A note of how the client words a choice, and of what we take that to mean."""
    spelled = body.get("tool_choice")
    return {"words": spelled, "meaning": choice.model_dump()} if choice and isinstance(spelled, dict) else None


def _decode_mode(fields: Fields, name: str) -> ToolChoice:
    word = fields.need(name, str)
    if word not in _MODES:
        raise invalid_value(fields.at(name), word, list(_MODES))
    return ToolChoice(mode=word)  # type: ignore[arg-type]  # checked against `_MODES`


def _named(kind: ToolKind) -> Callable[[Fields, FlatNames], ToolChoice]:
    def read(choice: Fields, names: FlatNames) -> ToolChoice:
        name, namespace = choice.need("name", str), choice.take("namespace", str)
        return ToolChoice(mode="tool", name=names.find(name, namespace), kind=kind)

    return read


def _allowed(choice: Fields, names: FlatNames) -> ToolChoice:
    allowed = _decode_mode(choice, "mode")
    allowed.allowed = [_allowed_name(tool, names) for tool in choice.each("tools")]
    return allowed


def _allowed_name(tool: Fields, names: FlatNames) -> str:
    if as_text(tool.rest.get("type")) not in TOOL_KINDS:
        return hosted_name(tool.rest)
    return names.find(tool.need("name", str), tool.take("namespace", str))


_READERS: dict[str, Callable[[Fields, FlatNames], ToolChoice]] = {
    "function": _named("function"),
    "custom": _named("custom"),
    "allowed_tools": _allowed,
}


def encode_tool_choice(target: Target) -> dict[str, Any]:
    """`tool_choice` and `parallel_tool_calls`; OpenAI refuses both where there are no tools, and the choice of one
    that is not there."""
    if not offered(target) and not target.same_format:
        return {}
    choice = target.request.tool_choice
    spelled = choice and (_client_words(choice, target) or _encode_choice(choice, target))
    return stated({"tool_choice": spelled, "parallel_tool_calls": target.request.parallel_tool_calls})


def _client_words(choice: ToolChoice, target: Target) -> dict[str, Any] | None:
    """The choice as a Responses client worded it, unless somebody has made another since."""
    spelled: dict[str, Any] | None = note(target.request.extras, "choice")
    if spelled is None or not target.same_format or spelled["meaning"] != choice.model_dump():
        return None
    words: dict[str, Any] = spelled["words"]
    return words


def _encode_choice(choice: ToolChoice, target: Target) -> Any:
    tools = {tool.name: tool for tool in offered(target)}
    if choice.mode == "tool":
        return _reference(choice.name or "", tools) if choice.name in tools else None
    if not choice.allowed:
        return choice.mode
    known = [name for name in choice.allowed if name in tools]
    if len(known) < len(choice.allowed):
        target.request.drop("tool_choice.allowed_tools")
    allowed = [_reference(name, tools) for name in known]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": allowed} if allowed else "none"


def _reference(name: str, tools: dict[str, Tool]) -> dict[str, Any]:
    tool = tools[name]
    if tool.kind == "native":
        return {key: value for key, value in (tool.native or {}).items() if key in ("type", "server_label")}
    namespace, bare = native_name(tool) or (None, name)
    return stated({"type": tool.kind, "name": bare, "namespace": namespace})
