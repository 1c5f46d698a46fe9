"""A client's `input` to the domain's messages.

Items of the model stand one by one here (its thoughts, words and calls); neighbours are one turn in the domain. Which
item a text belongs to is in its note `item`, with the ids and states that mean nothing to other providers. What tools
gave back stands in turns of the user.

https://platform.openai.com/docs/api-reference/responses/create#responses_create-input (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_core.domain.content import NativePart, Part, TextPart, ToolCallPart, ToolResultPart
from proxy_core.domain.request import Message
from proxy_core.formats import wire_json
from proxy_core.formats.fields import NOTE, invalid_value, missing, stated, wrong_type
from proxy_core.formats.openai_responses.content import decode_content, decode_output
from proxy_core.formats.openai_responses.fields import FORMAT, Fields
from proxy_core.formats.openai_responses.names import FlatNames
from proxy_core.formats.openai_responses.reasoning_items import decode_reasoning

#: What an item says of itself that no other provider could use, and that is no loss.
_IDENTITY = ("id", "status", "caller")
#: Fields of an item that only its first part can keep are called so there.
ITEM_FIELD = "message."


def decode_input(fields: Fields, names: FlatNames) -> list[Message]:
    """The conversation; none where there is no `input`."""
    value, path = fields.rest.pop("input", None), fields.at("input")
    if value is None:
        return []
    if isinstance(value, str):
        return [Message(role="user", content=[TextPart(text=value)])]
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array of items", value)
    messages: list[Message] = []
    for index, item in enumerate(value):
        _append(messages, _decode_item(Fields(item, f"{path}[{index}]"), names))
    return messages


def _append(messages: list[Message], message: Message) -> None:
    if message.role != "assistant":
        messages.append(message)
    elif messages and messages[-1].role == "assistant":
        messages[-1].content += message.content
    elif message.content:
        messages.append(message)


def _decode_item(fields: Fields, names: FlatNames) -> Message:
    """One item; of a type that only OpenAI knows, it is kept whole."""
    kind = item_type(fields)
    if kind == "message":
        return _decode_message(fields)
    if kind == "reasoning":
        return Message(role="assistant", content=[*decode_reasoning(fields)])
    if kind in _CALLS:
        return Message(role="assistant", content=[_decode_call(fields, kind, names)])
    if kind in _RESULTS and fields.rest.get("call_id") is not None:
        return Message(role="user", content=[_decode_result(fields, kind)])
    return Message(role="assistant", content=[NativePart(format=FORMAT, data=fields.rest)])


def item_type(fields: Fields) -> str:
    """The type of an item; two kinds may leave it out."""
    kind = fields.rest.get("type")
    if isinstance(kind, str):
        return kind
    if kind is not None:
        raise wrong_type(fields.at("type"), "a string", kind)
    if "role" in fields.rest:
        return "message"
    if "id" in fields.rest:
        return "item_reference"
    raise missing(fields.at("type"))


# messages


def _decode_message(fields: Fields) -> Message:
    fields.rest.pop("type", None)
    role = fields.need("role", str)
    if role not in _MESSAGES:
        raise invalid_value(fields.at("role"), role, list(_MESSAGES))
    return _MESSAGES[role](fields)


def _decode_user(fields: Fields) -> Message:
    return Message(role="user", content=decode_content(fields), extras=fields.extras(item=_identity(fields)))


def _decode_system(fields: Fields) -> Message:
    return Message(role="system", content=decode_content(fields), extras=fields.extras(item=_identity(fields)))


def _decode_developer(fields: Fields) -> Message:
    content, item = decode_content(fields), _identity(fields)
    return Message(role="system", content=content, extras=fields.extras(item=item, role="developer"))


def _decode_assistant(fields: Fields) -> Message:
    """What the model said. What there is to say of the item stands in its first part: in an empty one, if need be, that
    is nothing but a mark."""
    content, item = decode_content(fields), _identity(fields) or {}
    own: dict[str, Any] = {ITEM_FIELD + name: value for name, value in stated(fields.rest).items()}
    own[f"{NOTE}item"] = item
    if not content or isinstance(content[0], NativePart):
        content.insert(0, TextPart(text="", extras={FORMAT: {f"{NOTE}mark": True}}))
    _keep(content[0], own)
    return Message(role="assistant", content=content)


def _keep(part: Part, own: dict[str, Any]) -> None:
    if not isinstance(part, NativePart):
        part.extras = {FORMAT: {**part.extras.get(FORMAT, {}), **own}}


def _identity(fields: Fields) -> dict[str, Any] | None:
    found = {name: fields.rest.pop(name, None) for name in _IDENTITY}
    return stated(found) or None


_MESSAGES: dict[str, Callable[[Fields], Message]] = {
    "user": _decode_user,
    "assistant": _decode_assistant,
    "system": _decode_system,
    "developer": _decode_developer,
}


# calls of tools, and results


def _decode_call(fields: Fields, kind: str, names: FlatNames) -> Part:
    fields.rest.pop("type")
    name, namespace = fields.need("name", str), fields.take("namespace", str)
    notes = {"item": _identity(fields), "namespace": namespace, "name": name if namespace else None}
    if kind == "custom_tool_call":
        call = ToolCallPart(id=fields.need("call_id", str), name=names.of(name, namespace), kind="custom")
        call.arguments = fields.take("input", str) or ""
    else:
        call = ToolCallPart(id=fields.need("call_id", str), name=names.of(name, namespace))
        call.arguments = _decode_arguments(fields)
    call.extras = fields.extras(**notes)
    return call


def _decode_arguments(fields: Fields) -> str:
    """JSON text; the JSON itself is taken too, for that is how many programs keep it. An empty text is no JSON, and
    some servers refuse a history that has one."""
    value = fields.rest.get("arguments")
    if isinstance(value, dict):
        fields.rest.pop("arguments")
        return wire_json.dumps(value).decode()
    return fields.take("arguments", str) or "{}"


def _decode_result(fields: Fields, kind: str) -> ToolResultPart:
    fields.rest.pop("type")
    item = {**(_identity(fields) or {}), **stated({"namespace": fields.take("namespace", str)})}
    return ToolResultPart(
        tool_call_id=fields.need("call_id", str),
        content=decode_output(fields),
        name=fields.take("name", str),
        extras=fields.extras(item=item or None, kind=kind),
    )


_CALLS = frozenset({"function_call", "custom_tool_call"})
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
