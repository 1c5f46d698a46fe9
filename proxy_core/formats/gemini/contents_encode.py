"""Messages to `contents` and `systemInstruction`.

Choices, for requests that no Gemini client wrote:

* Turns of one role that follow each other are one. Results of tools stand first in the user's turn, in the order of
  their calls; media in them comes after the results, since only the newest models take it inside.
* A system message amid the conversation becomes text of the user's turn, recorded; a conversation that is nothing but
  system text becomes a user's turn, since there must be one.
* Before a conversation that begins with the model's turn stands a user's turn of one space.

https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/function-calling (2026-11)
"""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from proxy_core.domain.content import MediaPart, Part, TextPart, ToolResultPart
from proxy_core.domain.request import Message
from proxy_core.formats.fields import Json
from proxy_core.formats.gemini.fields import note
from proxy_core.formats.gemini.parts_encode import result_name
from proxy_core.formats.gemini.signatures import encode_signed
from proxy_core.formats.gemini.target import Target

_ROLES: Final = {"user": "user", "assistant": "model", "system": "user"}
_OPENING: Final[Json] = {"role": "user", "parts": [{"text": " "}]}


def encode_contents(target: Target) -> Json:
    """`contents`, and `systemInstruction` where there is one."""
    messages = target.request.messages
    leading = list(takewhile(lambda message: message.role == "system", messages))
    system, turns = _system(leading, target), _turns(messages[len(leading) :], target)
    if not turns and system:
        return {"contents": [{"role": "user", "parts": system["parts"]}]}
    return {"systemInstruction": system, "contents": turns} if system else {"contents": turns}


def _system(messages: list[Message], target: Target) -> Json:
    content: Json = {}
    for message in messages:
        own, role = _own(message, target), note(message.extras, "role")
        content |= {**own, "role": role} if role else own
        parts = message.content if target.same_format else _without_media(message.content, target)
        content["parts"] = content.get("parts", []) + encode_signed(parts, target)
    return content if content.get("parts") or target.same_format else {}


def _without_media(parts: list[Part], target: Target) -> list[Part]:
    kept: list[Part] = [part for part in parts if not isinstance(part, MediaPart)]
    if len(kept) < len(parts):
        target.request.drop("messages.content.media")
    return kept


def _own(message: Message, target: Target) -> Json:
    if message.name:
        target.request.drop("name")
    return target.own(message.extras)


def _turns(messages: list[Message], target: Target) -> list[Json]:
    if target.same_format:
        return [_as_given(message, target) for message in messages]
    turns = _folded([_turn(role, parts, target) for role, parts in _merged(messages, target)])
    return [_OPENING, *turns] if turns and turns[0]["role"] == "model" else turns


def _as_given(message: Message, target: Target) -> Json:
    spelled = note(message.extras, "role")
    role = _role(message, target) if spelled is None else spelled
    turn = {"parts": encode_signed(message.content, target), **_own(message, target)}
    return {"role": role, **turn} if role else turn


def _role(message: Message, target: Target) -> str:
    if message.role == "system":
        target.request.drop("messages.role")
    return _ROLES[message.role]


def _merged(messages: list[Message], target: Target) -> list[tuple[str, list[Part]]]:
    """The parts of each turn, neighbours of one role in one."""
    turns: list[tuple[str, list[Part]]] = []
    for message in messages:
        _own(message, target)
        role = _role(message, target)
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(message.content)
        elif message.content:
            turns.append((role, list(message.content)))
    return turns


def _turn(role: str, parts: list[Part], target: Target) -> Json:
    arranged = _without_media(parts, target) if role == "model" else _arranged(parts, target)
    return {"role": role, "parts": encode_signed(arranged, target, foreign=True)}


def _folded(turns: list[Json]) -> list[Json]:
    """Without the turns of which nothing is left, and again with neighbours of one role in one."""
    folded: list[Json] = []
    for turn in turns:
        if folded and folded[-1]["role"] == turn["role"]:
            folded[-1]["parts"] += turn["parts"]
        elif turn["parts"]:
            folded.append(turn)
    return folded


def _arranged(parts: list[Part], target: Target) -> list[Part]:
    """A user's parts: results in the order of their calls, what is attached to them, all else."""
    numbers = {identifier: number for number, identifier in enumerate(target.calls)}
    results = [part for part in parts if isinstance(part, ToolResultPart)]
    results.sort(key=lambda result: numbers.get(result.tool_call_id, len(numbers)))
    attached = [part for result in results for part in _attached(result, target)]
    return [*results, *attached, *(part for part in parts if not isinstance(part, ToolResultPart))]


def _attached(result: ToolResultPart, target: Target) -> list[Part]:
    media: list[Part] = [part for part in result.content if isinstance(part, MediaPart)]
    if not media:
        return []
    target.request.drop("tool_result.media")
    return [TextPart(text=f"Attached to the result of {result_name(result, target)}:"), *media]
