"""Calls of tools, both ways; with the `function_call` of 2023."""

from __future__ import annotations

import uuid
from typing import Any

from proxy_core.domain.base import Extras
from proxy_core.domain.content import ToolCallPart, ToolKind
from proxy_core.formats import wire_json
from proxy_core.formats.fields import as_dict, as_text, dicts, invalid_value, leftover, text_or_none
from proxy_core.formats.openai.fields import FORMAT, Fields, note, own_fields
from proxy_core.formats.openai.tools import TOOL_KINDS, is_legacy

_CALL_FIELDS = frozenset({"id", "type", "function", "custom", "index"})
_NOTHING: dict[ToolKind, str] = {"function": "{}", "custom": ""}
#: Where each kind of call keeps what the model wrote.
INPUT: dict[ToolKind, str] = {"function": "arguments", "custom": "input"}


def minted_id() -> str:
    """An id for a call whose provider gave none."""
    return f"call_{uuid.uuid4().hex[:24]}"


def decode_tool_calls(fields: Fields) -> list[ToolCallPart]:
    """A client's `tool_calls`."""
    calls = fields.take("tool_calls", list) or []
    return [_decode_call(call, f"{fields.at('tool_calls')}[{index}]") for index, call in enumerate(calls)]


def _decode_call(value: Any, path: str) -> ToolCallPart:
    fields = Fields(value, path)
    fields.rest.pop("index", None)  # left from the stream that the client collected the call from
    kind = fields.take("type", str) or "function"
    if kind not in TOOL_KINDS:
        raise invalid_value(fields.at("type"), kind, list(TOOL_KINDS))
    inner = fields.inner(kind)
    return ToolCallPart(
        id=fields.need("id", str),
        name=inner.need("name", str),
        arguments=_decode_arguments(inner, "input" if kind == "custom" else "arguments"),
        kind=TOOL_KINDS[kind],
        extras=fields.extras(inner=inner.rest or None),
    )


def _decode_arguments(fields: Fields, name: str) -> str:
    """JSON text; the JSON itself is taken too, for that is how many programs keep it."""
    value = fields.rest.get(name)
    if isinstance(value, dict):
        fields.rest.pop(name)
        return wire_json.dumps(value).decode()
    return fields.take(name, str) or ""


def decode_function_call(fields: Fields, position: int) -> list[ToolCallPart]:
    """A client's legacy `function_call`, in the message at `position`."""
    if fields.rest.get("function_call") is None:
        return []
    inner = fields.inner("function_call")
    name, arguments = inner.need("name", str), _decode_arguments(inner, "arguments")
    extras: Extras = {FORMAT: {"_legacy": True}}
    return [ToolCallPart(id=legacy_id(position), name=name, arguments=arguments, extras=extras)]


def legacy_id(position: int) -> str:
    """The id of the `function_call` in the message at `position`: the same in every turn of a conversation."""
    return f"call_legacy_{position}"


def read_tool_calls(message: dict[str, Any]) -> list[ToolCallPart]:
    """The calls in an upstream's answer, ids minted where it gave none."""
    parts = [_read_call(call) for call in dicts(message.get("tool_calls"))]
    legacy = as_dict(message.get("function_call"))
    if as_text(legacy.get("name")):
        parts.append(_read_call({"function": legacy}))
        parts[-1].extras = {FORMAT: {"_legacy": True}}
    return parts


def _read_call(call: dict[str, Any]) -> ToolCallPart:
    kind: ToolKind = "custom" if isinstance(call.get("custom"), dict) else "function"
    inner = as_dict(call.get(kind))
    own = leftover(call, _CALL_FIELDS)
    return ToolCallPart(
        id=text_or_none(call.get("id")) or minted_id(),
        name=as_text(inner.get("name")),
        arguments=read_arguments(inner.get("input" if kind == "custom" else "arguments")) or _NOTHING[kind],
        kind=kind,
        extras={FORMAT: own} if own else {},
    )


def read_arguments(value: Any) -> str:
    """Arguments as JSON text, also where a server sends the JSON itself (Ollama)."""
    return wire_json.dumps(value).decode() if isinstance(value, dict) else as_text(value)


def encode_call(part: ToolCallPart) -> dict[str, Any]:
    """One entry of `tool_calls`."""
    inner = note(part.extras, "inner") or {}
    return {
        "id": part.id,
        "type": part.kind,
        part.kind: {"name": part.name, INPUT[part.kind]: part.arguments, **inner},
        **own_fields(part.extras),
    }


def call_fields(parts: list[ToolCallPart]) -> dict[str, Any]:
    """`tool_calls`, or `function_call` for a call that came as one."""
    fields: dict[str, Any] = {}
    if calls := [encode_call(part) for part in parts if not is_legacy(part)]:
        fields["tool_calls"] = calls
    for part in parts:
        if is_legacy(part):
            fields["function_call"] = {"name": part.name, "arguments": part.arguments}
    return fields
