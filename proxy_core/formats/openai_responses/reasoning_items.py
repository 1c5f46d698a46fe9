"""Reasoning items of a conversation, both ways.

The encrypted content is the model's state, which OpenAI wants back in the item it came in; the summary is for people.
https://developers.openai.com/api/docs/guides/reasoning#encrypted-reasoning-items (2026-11)
"""

from __future__ import annotations

from typing import Any

from proxy_core.domain.content import Part, ReasoningPart
from proxy_core.formats import opaque
from proxy_core.formats.fields import NOTE, as_text, dicts, text_or_none
from proxy_core.formats.openai_responses.fields import FORMAT, Fields, note
from proxy_core.formats.openai_responses.target import Target

#: How the pieces of a summary are set apart in one text.
SEPARATOR = "\n\n"
_ITEM = f"{NOTE}item"


def text_of(item: dict[str, Any]) -> str:
    """What people may read of a reasoning item: its summary or, lacking one, the thinking itself."""
    pieces = dicts(item.get("summary")) or dicts(item.get("content"))
    return SEPARATOR.join(as_text(piece.get("text")) for piece in pieces)


def decode_reasoning(fields: Fields) -> list[ReasoningPart]:
    """The parts that a client's reasoning item stands for: several, perhaps, where it holds another provider's state
    that we sealed. What nobody encrypted is nobody's."""
    item = dict(fields.rest)
    for name, kind in (("summary", list), ("content", list)):
        fields.take(name, kind)
    encrypted, text = text_or_none(fields.take("encrypted_content", str)), text_of(item)
    if encrypted is not None and opaque.is_sealed(encrypted):
        return _unsealed(encrypted, text)
    return [
        ReasoningPart(
            text=text,
            data=encrypted,
            origin=FORMAT if encrypted else None,
            id=text_or_none(fields.take("id", str)),
            extras={FORMAT: {_ITEM: item}},
        )
    ]


def _unsealed(seal: str, text: str) -> list[ReasoningPart]:
    """What we sealed, with the text that stood beside it, unless the seal holds that too."""
    parts = opaque.unseal(seal)
    if not text or any(part.text for part in parts):
        return parts
    if not parts:  # somebody has tampered with the seal
        return [ReasoningPart(text=text)]
    signed = next((part for part in parts if part.signature is not None), parts[0])
    signed.text = text
    return parts


def encode_reasoning(part: ReasoningPart, target: Target) -> dict[str, Any] | None:
    """The item, exactly as it came, for its issuer. None, and recorded, for anybody else's state, and for thinking that
    nobody encrypted; but if a Responses client chose to send that, it counts."""
    item: dict[str, Any] | None = note(part.extras, "item")
    if not (is_own_state(part) or (target.same_format and item is not None)):
        target.note_dropped([part])
        return None
    if item is not None and text_of(item) == part.text and text_or_none(item.get("encrypted_content")) == part.data:
        return item
    return _item(part)


def is_own_state(part: Part) -> bool:
    """Whether it is state that OpenAI issued and wants back."""
    return isinstance(part, ReasoningPart) and part.origin == FORMAT and part.data is not None


def _item(part: ReasoningPart) -> dict[str, Any]:
    """An item for what came another way (a Chat client's `reasoning_details`)."""
    item: dict[str, Any] = {"type": "reasoning", "summary": []}
    if part.text:
        item["summary"] = [{"type": "summary_text", "text": part.text}]
    if part.id:
        item["id"] = part.id
    if part.data is not None:
        item["encrypted_content"] = part.data
    return item
