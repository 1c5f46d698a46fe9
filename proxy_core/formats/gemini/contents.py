"""A client's `contents` and `systemInstruction` to messages. https://ai.google.dev/api/caching#Content (2026-11)"""

from __future__ import annotations

from typing import Any, Final

from proxy_core.domain.content import NativePart, Part, ReasoningPart, TextPart, ToolCallPart
from proxy_core.domain.request import Message, Role
from proxy_core.formats import opaque
from proxy_core.formats.fields import NOTE, invalid, invalid_value
from proxy_core.formats.gemini.fields import FORMAT, Fields
from proxy_core.formats.gemini.ids import OpenCalls
from proxy_core.formats.gemini.parts import Place, decode_part, standard_base64

#: The note on a signature that came with no text; it goes back so.
ALONE: Final = f"{NOTE}alone"

#: `function` is what `user` was called for results, once; a turn without a role is the user's.
_ROLES: Final[dict[str, Role]] = {"user": "user", "model": "assistant", "function": "user"}


def decode_contents(body: Fields) -> list[Message]:
    """The system instruction and the turns; raises `InvalidRequestError` naming the part that is wrong."""
    calls = OpenCalls()
    turns = body.each("contents")
    if not turns:
        raise invalid("contents: at least one content is required", "missing_required_parameter", "contents")
    return [*_system(body), *(_message(turn, index, calls) for index, turn in enumerate(turns))]


def _system(body: Fields) -> list[Message]:
    value = body.rest.get("systemInstruction")
    if isinstance(value, str):
        body.rest["systemInstruction"] = {"parts": [{"text": value}]}
    if value is None:
        return []
    fields = body.inner("systemInstruction")
    role, parts = fields.take("role", str), _parts(fields, -1, OpenCalls())
    return [Message(role="system", content=parts, extras=fields.extras(role=role))]


def _message(fields: Fields, index: int, calls: OpenCalls) -> Message:
    role = fields.take("role", str) or ""
    if role and role not in _ROLES:
        raise invalid_value(fields.at("role"), role, ["user", "model"])
    parts = _parts(fields, index, calls)
    spelled = None if role in ("user", "model") else role
    return Message(role=_ROLES[role or "user"], content=parts, extras=fields.extras(role=spelled))


def _parts(fields: Fields, index: int, calls: OpenCalls) -> list[Part]:
    """The parts of a turn, each after the state that is signed into it."""
    parts: list[Part] = []
    for number, entry in enumerate(_entries(fields)):
        signature = entry.take("thoughtSignature", str)
        part = decode_part(entry, Place((index, number), calls))
        if signature and opaque.is_sealed(signature):
            _add_unsealed(parts, part, standard_base64(signature))
        elif signature:
            _add_signed(parts, part, signature)
        else:
            parts.append(part)
    return parts


def _entries(fields: Fields) -> list[Fields]:
    """The parts; a plain string is a text, as it is in Google's SDKs."""
    value: Any = fields.rest.get("parts")
    if isinstance(value, str | list):
        listed = [value] if isinstance(value, str) else value
        fields.rest["parts"] = [{"text": part} if isinstance(part, str) else part for part in listed]
    return fields.each("parts")


def _add_unsealed(parts: list[Part], part: Part, seal: str) -> None:
    """Another provider's state, which stands for the plain thinking right before it."""
    if isinstance(part, ReasoningPart):
        parts.append(part)
    restored = opaque.unseal(seal)
    if restored:
        text = "".join(_take_thoughts(parts))
        if text and not any(each.text for each in restored):
            restored[0].text = text
        parts += restored
    if not isinstance(part, ReasoningPart) and not _is_empty(part):
        parts.append(part)


def _take_thoughts(parts: list[Part]) -> list[str]:
    """The texts of the thinking that ends `parts`, which it is taken from; what is signed stays."""
    texts: list[str] = []
    while parts and isinstance(parts[-1], ReasoningPart) and not opaque.is_opaque(parts[-1]):
        texts.insert(0, parts[-1].text)
        parts.pop()
    return texts


def _add_signed(parts: list[Part], part: Part, signature: str) -> None:
    """A part, after Gemini's own signature of it where the part cannot hold that itself."""
    if isinstance(part, ReasoningPart):
        part.signature, part.origin = signature, FORMAT
        parts.append(part)
    elif _is_empty(part):
        parts.append(ReasoningPart(data=signature, origin=FORMAT, extras={FORMAT: {ALONE: True}}))
    elif isinstance(part, NativePart):
        parts.append(NativePart(format=FORMAT, data={**part.data, "thoughtSignature": signature}))
    else:
        identifier = part.id if isinstance(part, ToolCallPart) else None
        parts += [ReasoningPart(data=signature, origin=FORMAT, id=identifier), part]


def _is_empty(part: Part) -> bool:
    """Whether a part says nothing: the last event of many streams is a signature, and no more."""
    if isinstance(part, NativePart):
        return not part.data
    return isinstance(part, TextPart) and not part.text and not part.extras
