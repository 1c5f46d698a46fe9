"""Messages, both ways. Results of tools are `tool` messages here, and parts of a user's turn in the domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from proxy_core.domain.content import (
    MediaPart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from proxy_core.domain.request import Message
from proxy_core.formats import wire_json
from proxy_core.formats.fields import invalid, invalid_value
from proxy_core.formats.openai.calls import call_fields, decode_function_call, decode_tool_calls, legacy_id
from proxy_core.formats.openai.content import decode_content, encode_content, encode_parts
from proxy_core.formats.openai.dialect import Target
from proxy_core.formats.openai.fields import Fields, note
from proxy_core.formats.openai.reasoning import PLAIN_FIELDS, read_details, with_plain_text, write_reasoning


def decode_messages(fields: Fields) -> list[Message]:
    """The conversation; raises `InvalidRequestError` naming the message and field that is wrong."""
    entries = fields.need("messages", list)
    if not entries:
        raise invalid("Invalid 'messages': expected an array with at least one message.", "empty_array", "messages")
    return [_decode_message(entries, index, fields.at("messages")) for index in range(len(entries))]


def _decode_message(entries: list[Any], index: int, path: str) -> Message:
    fields = Fields(entries[index], f"{path}[{index}]")
    role = fields.need("role", str)
    if role not in _DECODERS:
        raise invalid_value(fields.at("role"), role, list(_DECODERS))
    return _DECODERS[role](fields, entries, index)


def _decode_system(fields: Fields, *_: Any) -> Message:
    content, name = decode_content(fields), fields.take("name", str)
    return Message(role="system", content=content, name=name, extras=fields.extras())


def _decode_developer(fields: Fields, *_: Any) -> Message:
    content, name = decode_content(fields), fields.take("name", str)
    return Message(role="system", content=content, name=name, extras=fields.extras(role="developer"))


def _decode_user(fields: Fields, *_: Any) -> Message:
    content, name = decode_content(fields), fields.take("name", str)
    return Message(role="user", content=content, name=name, extras=fields.extras())


def _decode_assistant(fields: Fields, _: list[Any], index: int) -> Message:
    reasoning, spelled = _decode_reasoning(fields)
    content: list[Part] = [*reasoning, *decode_content(fields, required=False)]
    if refusal := fields.take("refusal", str):
        content.append(RefusalPart(text=refusal))
    content += decode_tool_calls(fields)
    content += decode_function_call(fields, index)
    name = fields.take("name", str)
    if not fields.rest.get("annotations"):  # as every answer has them that comes back
        fields.rest.pop("annotations", None)
    return Message(role="assistant", content=content, name=name, extras=fields.extras(reasoning=spelled))


def _decode_reasoning(fields: Fields) -> tuple[list[ReasoningPart], list[str] | None]:
    """The thinking, and how the client spells the plain text of it."""
    texts = {name: text for name in PLAIN_FIELDS if (text := fields.take(name, str))}
    details = read_details(fields.take("reasoning_details", list))
    parts = with_plain_text(details, next(iter(texts.values()), ""))
    return parts, list(texts) if parts else None


def _decode_tool(fields: Fields, *_: Any) -> Message:
    result = ToolResultPart(
        tool_call_id=fields.need("tool_call_id", str),
        content=[_result_part(part) for part in decode_content(fields)],
        name=fields.take("name", str),
        extras=fields.extras(),
    )
    return Message(role="user", content=[result])


def _result_part(part: Part) -> TextPart | MediaPart:
    if isinstance(part, TextPart | MediaPart):
        return part
    return TextPart(text=part.text if isinstance(part, RefusalPart) else wire_json.dumps(part.data).decode())  # type: ignore[union-attr]  # content parts are text, refusal, media or native


def _decode_function(fields: Fields, entries: list[Any], index: int) -> Message:
    """The result of a `function_call` of 2023, which has no id: it answers the last call before it."""
    calls = (
        at for at in range(index - 1, -1, -1) if isinstance(entries[at], dict) and entries[at].get("function_call")
    )
    result = ToolResultPart(
        tool_call_id=legacy_id(next(calls, index)),
        content=[_result_part(part) for part in decode_content(fields, required=False)],
        name=fields.need("name", str),
        extras=fields.extras(role="function"),
    )
    return Message(role="user", content=[result])


_DECODERS: dict[str, Callable[[Fields, list[Any], int], Message]] = {
    "system": _decode_system,
    "developer": _decode_developer,
    "user": _decode_user,
    "assistant": _decode_assistant,
    "tool": _decode_tool,
    "function": _decode_function,
}


def encode_messages(target: Target) -> list[dict[str, Any]]:
    """The conversation as Chat Completions spells it."""
    given = target.request.messages
    messages = given if target.same_format else _merged(given)
    return [encoded for message in messages for encoded in _ENCODERS[message.role](message, target)]


def _merged(messages: list[Message]) -> list[Message]:
    """Neighbours of one role as one turn: other formats may cut a turn in pieces, and OpenAI wants the results of all
    its calls right after it."""
    merged: list[Message] = []
    for message in messages:
        if merged and _continues_turn(merged[-1], message):
            last = merged[-1]
            extras = {name: {**last.extra(name), **message.extra(name)} for name in {**last.extras, **message.extras}}
            merged[-1] = Message(role=last.role, content=[*last.content, *message.content], extras=extras)
        else:
            merged.append(message)
    return merged


def _continues_turn(last: Message, message: Message) -> bool:
    return last.role == message.role != "system" and last.name is None and message.name is None


def _encode_system(message: Message, target: Target) -> Iterable[dict[str, Any]]:
    role = note(message.extras, "role") or "system"
    content = _texts(message.content, target, "\n\n")
    return [_message(role, "" if content is None else content, message, target)]


def _message(role: str, content: Any, message: Message, target: Target, **fields: Any) -> dict[str, Any]:
    body = {"role": role, "content": content, **fields, **target.own(message.extras)}
    return {"name": message.name, **body} if message.name is not None else body


def _texts(parts: list[Part], target: Target, separator: str) -> Any:
    """Content of a message that only holds text: one string, unless a Chat client itself sent a list. Several
    providers (Groq among them) refuse lists in all but user messages."""
    if target.same_format:
        return encode_content(parts, target)
    texts = [part for part in parts if isinstance(part, TextPart)]
    encode_parts(texts, target)  # for the record of what is dropped
    target.note_dropped(part for part in parts if not isinstance(part, TextPart))
    return separator.join(part.text for part in texts) if texts else None


def _encode_user(message: Message, target: Target) -> Iterable[dict[str, Any]]:
    """Tool messages must follow the calls they answer, so results come before the rest of the turn."""
    results = [part for part in message.content if isinstance(part, ToolResultPart)]
    parts: list[Part] = [] if target.same_format else [part for each in results for part in _attached(each, target)]
    parts += [part for part in message.content if not isinstance(part, ToolResultPart)]
    messages = [_encode_result(result, target) for result in results]
    content = encode_content(parts, target)
    if content is not None or not message.content or (target.same_format and not results):
        messages.append(_message("user", "" if content is None else content, message, target))
    return messages


def _attached(result: ToolResultPart, target: Target) -> list[Part]:
    """Media in a result, which tool messages cannot hold, for the user's message that follows."""
    media: list[Part] = [part for part in result.content if isinstance(part, MediaPart)]
    if not media:
        return []
    target.request.drop("tool_result.media")
    return [TextPart(text=f"Attached to the result of tool call {result.tool_call_id}:"), *media]


def _encode_result(result: ToolResultPart, target: Target) -> dict[str, Any]:
    own = target.own(result.extras)
    if note(result.extras, "role") == "function":
        return {"role": "function", "name": result.name, "content": _result_content(result, target), **own}
    named = {"name": result.name} if result.name is not None and target.same_format else {}
    content = _result_content(result, target)
    return {"role": "tool", "tool_call_id": result.tool_call_id, "content": content, **named, **own}


def _result_content(result: ToolResultPart, target: Target) -> Any:
    parts: list[Part] = list(result.content)
    if target.same_format:
        content = encode_content(parts, target)
        return "" if content is None else content
    text = _texts([part for part in parts if isinstance(part, TextPart)], target, "\n") or ""
    if not text and any(isinstance(part, MediaPart) for part in parts):
        text = "(see the attachment in the next message)"
    return f"Error: {text}" if result.is_error and not text.lower().startswith("error") else text


def _encode_assistant(message: Message, target: Target) -> Iterable[dict[str, Any]]:
    groups = _by_type(message.content)
    fields = {
        **_encode_reasoning(message, groups[ReasoningPart], target),
        **_refusal(groups[RefusalPart], target),
        **_calls(groups[ToolCallPart], target),
    }
    content = _texts(groups[Part], target, "")
    if content is None and not fields and not target.same_format:
        return []  # nothing is left of it
    return [_message("assistant", content, message, target, **fields)]


def _by_type(parts: list[Part]) -> dict[Any, list[Any]]:
    """Parts that have fields of their own, by type; the rest under `Part`."""
    groups: dict[Any, list[Any]] = {ReasoningPart: [], RefusalPart: [], ToolCallPart: [], Part: []}
    for part in parts:
        groups.get(type(part), groups[Part]).append(part)
    return groups


def _refusal(parts: list[RefusalPart], target: Target) -> dict[str, Any]:
    for part in parts:
        target.own(part.extras)
    return {"refusal": "".join(part.text for part in parts)} if parts else {}


def _calls(parts: list[ToolCallPart], target: Target) -> dict[str, Any]:
    for part in parts:
        target.own(part.extras)
    return call_fields(parts)


def _encode_reasoning(message: Message, parts: list[ReasoningPart], target: Target) -> dict[str, Any]:
    """Thinking goes back to whoever issued it; plain text only where the client chose to send it upstream itself."""
    kept = [part for part in parts if _may_return(part, target)]
    target.note_dropped(part for part in parts if part not in kept)
    fields = write_reasoning(kept)
    spelled = note(message.extras, "reasoning")
    if spelled is not None and (text := fields.pop("reasoning_content", "")):
        fields = {**dict.fromkeys(spelled, text), **fields}
    return fields


def _may_return(part: ReasoningPart, target: Target) -> bool:
    if part.origin is None:
        wanted = target.same_format or target.dialect.wants_plain_reasoning
        return wanted and part.signature is None and part.data is None
    return part.origin in target.dialect.readable_origins


_ENCODERS: dict[str, Callable[[Message, Target], Iterable[dict[str, Any]]]] = {
    "system": _encode_system,
    "user": _encode_user,
    "assistant": _encode_assistant,
}
