"""The domain's messages to `instructions` and `input`.

* System messages that lead a conversation of another format are its `instructions`; later ones keep their place. A
  conversation that is nothing but system text stays in `input`, since there must be some.
* A Responses client's own `instructions` go back there, and its system and developer messages stay where they were.

https://platform.openai.com/docs/api-reference/responses/create#responses_create-input (2026-11)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any, Final

from proxy_core.domain.content import NativePart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from proxy_core.domain.request import Message
from proxy_core.formats.fields import stated
from proxy_core.formats.openai_responses.content_encode import encode_input, encode_spoken, is_content
from proxy_core.formats.openai_responses.fields import FORMAT, note
from proxy_core.formats.openai_responses.input_items import ITEM_FIELD
from proxy_core.formats.openai_responses.reasoning_items import encode_reasoning
from proxy_core.formats.openai_responses.target import Target

_Item = dict[str, Any]

#: A longer `call_id` is refused (`string_above_max_length`).
_MAX_CALL_ID: Final = 64


def encode_conversation(target: Target) -> dict[str, Any]:
    """`instructions` and `input`."""
    messages = list(enumerate(target.request.messages))
    leading = _instructions(target)
    items = [item for index, message in messages[len(leading) :] for item in _encode_message(message, target, index)]
    if not items and leading and not target.same_format:
        return {"input": [item for index, message in messages for item in _encode_message(message, target, index)]}
    fields: dict[str, Any] = {"instructions": _text(leading, target)} if leading else {}
    return {**fields, "input": items} if items or not target.same_format else fields


def _instructions(target: Target) -> list[Message]:
    """The messages at the beginning that are `instructions`."""
    wanted = _is_instructions if target.same_format else _is_system
    return list(takewhile(wanted, target.request.messages))


def _is_instructions(message: Message) -> bool:
    return note(message.extras, "instructions") is True


def _is_system(message: Message) -> bool:
    return message.role == "system"


def _text(messages: list[Message], target: Target) -> str:
    for message in messages:
        _record_own(message, target)
        target.note_dropped(part for part in message.content if not isinstance(part, TextPart))
    texts = [part for message in messages for part in message.content if isinstance(part, TextPart)]
    for part in texts:
        target.own(part.extras)
    return "\n\n".join(part.text for part in texts)


def _record_own(message: Message, target: Target) -> dict[str, Any]:
    if message.name is not None:
        target.request.drop("name")
    return target.own(message.extras)


def _encode_message(message: Message, target: Target, index: int) -> Iterator[_Item]:
    """The items that a message is: runs of content are messages here too, every other part is an item."""
    own = _record_own(message, target)
    path = f"messages[{index}].content"
    for run in _runs(message.content):
        if is_content(run[0]):
            yield from _encode_run(message, run, own, target, path)
        else:
            yield from _encode_other(run[0], target, path)
    if not message.content and message.role != "assistant":
        yield from _encode_run(message, [], own, target, path)


def _runs(parts: list[Part]) -> list[list[Part]]:
    """Parts that stand in one item together."""
    runs: list[list[Part]] = []
    for part in parts:
        if runs and is_content(part) and is_content(runs[-1][-1]) and not _begins_item(part):
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _begins_item(part: Part) -> bool:
    return not isinstance(part, NativePart) and note(part.extras, "item") is not None


def _encode_run(message: Message, run: list[Part], own: _Item, target: Target, path: str) -> Iterator[_Item]:
    if message.role == "assistant":
        yield from _encode_spoken(run, target, path)
        return
    role = note(message.extras, "role") or message.role
    content = encode_input(run, target, path)
    if content != [] or target.same_format:
        item = note(message.extras, "item") or {}
        yield {"type": "message", "role": role, "content": content, **item, **own}


def _encode_spoken(run: list[Part], target: Target, path: str) -> Iterator[_Item]:
    """A message of the model's. An empty one says something only if the client sent it as an item."""
    content = encode_spoken(run, target, path)
    own = run[0].extra(FORMAT)
    item = note(getattr(run[0], "extras", {}), "item")
    if item is None and not any(part.get("text") or part.get("refusal") for part in content):
        return
    about = {name.removeprefix(ITEM_FIELD): value for name, value in own.items() if name.startswith(ITEM_FIELD)}
    yield {"type": "message", "role": "assistant", "content": content, **(item or {}), **about}


# what is no message


def _encode_other(part: Part, target: Target, path: str) -> Iterator[_Item]:
    item = _WRITERS[type(part)](part, target, path)
    if item is not None:
        yield item


def _native(part: NativePart, target: Target, _: str) -> _Item | None:
    if part.format == FORMAT:
        return part.data
    target.note_dropped([part])
    return None


def _reasoning(part: ReasoningPart, target: Target, _: str) -> _Item | None:
    return encode_reasoning(part, target)


def _call(part: ToolCallPart, target: Target, _: str) -> _Item:
    namespace = note(part.extras, "namespace")
    head = {"call_id": call_id(part.id), "name": note(part.extras, "name") or part.name}
    if part.kind == "custom":
        item = {"type": "custom_tool_call", **head, "input": part.arguments}
    else:
        item = {"type": "function_call", **head, "arguments": part.arguments or "{}"}
    return {**item, **stated({"namespace": namespace}), **(note(part.extras, "item") or {}), **target.own(part.extras)}


def call_id(identifier: str) -> str:
    """The id as the API accepts it: equal for equal ids, so that calls and results still meet."""
    if len(identifier) <= _MAX_CALL_ID:
        return identifier
    return f"call_{hashlib.sha256(identifier.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _result(part: ToolResultPart, target: Target, path: str) -> _Item:
    own, name = target.own(part.extras), part.name if target.same_format else None
    kind = "custom_tool_call_output" if part.tool_call_id in target.free_text_calls else "function_call_output"
    return {
        "type": note(part.extras, "kind") or kind,
        "call_id": call_id(part.tool_call_id),
        "output": _output(part, target, path),
        **stated({"name": name}),
        **(note(part.extras, "item") or {}),
        **own,
    }


def _output(result: ToolResultPart, target: Target, path: str) -> str | list[_Item]:
    """A string where it is all text, unless a Responses client itself sent a list. That the tool failed has no field of
    its own: the text says so."""
    parts: list[Part] = list(result.content)
    texts = [part.text for part in result.content if isinstance(part, TextPart)]
    prefix = "Error: " if result.is_error and not "".join(texts).lower().startswith("error") else ""
    if len(texts) == len(parts) and not target.same_format:
        encode_input(parts, target, path)  # for the record of what is dropped
        return prefix + "\n".join(texts)
    if prefix:
        parts.insert(0, TextPart(text=prefix.rstrip()))
    return encode_input(parts, target, path) or ""


_WRITERS: dict[type, Callable[[Any, Target, str], _Item | None]] = {
    NativePart: _native,
    ReasoningPart: _reasoning,
    ToolCallPart: _call,
    ToolResultPart: _result,
}
