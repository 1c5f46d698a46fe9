"""An upstream's output items to parts; the same items stand in whole answers and at the end of streamed ones.

https://platform.openai.com/docs/api-reference/responses/object#responses-object-output (2026-11)
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from proxy_core.domain.base import Extras
from proxy_core.domain.content import (
    MediaPart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
)
from proxy_core.formats.fields import NOTE, Json, as_text, dicts, leftover, stated, text_or_none
from proxy_core.formats.openai.calls import minted_id, read_arguments
from proxy_core.formats.openai_responses.annotations import read_annotation
from proxy_core.formats.openai_responses.fields import FORMAT, own_fields
from proxy_core.formats.openai_responses.names import FlatNames
from proxy_core.formats.openai_responses.reasoning_items import SEPARATOR

#: Which kind of call an item is, and where it keeps what the model wrote.
CALLS: Final[dict[str, tuple[ToolKind, str]]] = {
    "function_call": ("function", "arguments"),
    "custom_tool_call": ("custom", "input"),
}
_CALL = frozenset({"type", "call_id", "name", "namespace", "arguments", "input", "id", "status", "caller"})
_IDENTITY = ("id", "caller")
_TEXT = frozenset({"type", "text", "annotations", "logprobs"})
_REASONING = frozenset({"type", "id", "status", "summary", "encrypted_content"})
_IMAGE = frozenset({"type", "result", "status"})
_FLAT = FlatNames(None)

#: A part, and which content of its item it is.
Placed = tuple[int, Part]


def read_output(output: Any) -> list[tuple[int, int, Part]]:
    """All parts, each with the numbers of its item and of its content in that."""
    items = enumerate(dicts(output))
    return [(index, place, part) for index, item in items for place, part in read_item(item)]


def read_item(item: Json) -> list[Placed]:
    """The parts that an item is; one that only OpenAI knows is kept whole."""
    reader = _ITEMS.get(as_text(item.get("type")))
    return reader(item) if reader else [(0, NativePart(format=FORMAT, data=item))]


def message_note(item: Json) -> Json:
    """What sets a message apart from its neighbours."""
    return stated({"id": text_or_none(item.get("id")), "phase": item.get("phase")})


def _message(item: Json) -> list[Placed]:
    content = item.get("content")
    entries = [{"type": "output_text", "text": content}] if isinstance(content, str) else dicts(content)
    return [(place, part) for place, entry in enumerate(entries) if (part := _content(entry, item)) is not None]


def _content(entry: Json, item: Json) -> Part | None:
    """The part for one content of a message; None for an empty one. Of a type unknown to us, it is kept in a message
    of its own."""
    kind = entry.get("type")
    if kind not in ("output_text", "text", "refusal"):
        return NativePart(format=FORMAT, data={**item, "id": None, "content": [entry]})
    extras: Extras = {FORMAT: {f"{NOTE}message": message_note(item), **leftover(entry, _TEXT | {"refusal"})}}
    if kind == "refusal":
        text = as_text(entry.get("refusal"))
        return RefusalPart(text=text, extras=extras) if text else None
    citations = [read_annotation(annotation) for annotation in dicts(entry.get("annotations"))]
    text = as_text(entry.get("text"))
    return TextPart(text=text, citations=citations, extras=extras) if text or citations else None


def _reasoning(item: Json) -> list[Placed]:
    """One without text or state is kept for its id: OpenAI wants it back before the call that it led to."""
    name = "summary" if dicts(item.get("summary")) else "content"
    texts = [as_text(piece.get("text")) for piece in dicts(item.get(name))]
    own = leftover(item, _REASONING | {name})
    own |= {f"{NOTE}pieces": texts} if len(texts) > 1 else {}
    own |= {f"{NOTE}content": True} if texts and name == "content" else {}
    return [
        (
            0,
            ReasoningPart(
                text=SEPARATOR.join(texts),
                data=text_or_none(item.get("encrypted_content")),
                origin=FORMAT,
                id=text_or_none(item.get("id")),
                extras={FORMAT: own} if own else {},
            ),
        )
    ]


def _call(item: Json) -> list[Placed]:
    kind, field = CALLS[item["type"]]
    nothing = "{}" if kind == "function" else ""
    part = ToolCallPart(
        id=text_or_none(item.get("call_id")) or minted_id(),
        name=call_name(item),
        arguments=read_arguments(item.get(field)) or nothing,
        kind=kind,
        extras=call_extras(item),
    )
    return [(0, part)]


def call_name(item: Json) -> str:
    """The name of a call, one in a namespace under its flat name."""
    return _FLAT.of(as_text(item.get("name")), text_or_none(item.get("namespace")))


def call_extras(item: Json) -> Extras:
    """What only the Responses API knows of a call."""
    namespace = text_or_none(item.get("namespace"))
    notes = {
        "item": stated({name: item.get(name) for name in _IDENTITY}) or None,
        "namespace": namespace,
        "name": as_text(item.get("name")) if namespace else None,
    }
    own = leftover(item, _CALL) | {NOTE + name: value for name, value in notes.items() if value is not None}
    return {FORMAT: own} if own else {}


def _image(item: Json) -> list[Placed]:
    """An image that the model made; one that failed is OpenAI's alone."""
    result = text_or_none(item.get("result"))
    if result is None:
        return [(0, NativePart(format=FORMAT, data=item))]
    kind = text_or_none(item.get("output_format")) or "png"
    media_type = f"image/{'svg+xml' if kind == 'svg' else kind}"
    return [(0, MediaPart(kind="image", media_type=media_type, data=result, extras={FORMAT: leftover(item, _IMAGE)}))]


def image_item(media: MediaPart) -> Json | None:
    """The item for an image that a model made; None for what has no item here: sounds, and images known by an address
    alone."""
    if media.kind != "image" or media.data is None:
        return None
    kind = (media.media_type or "").removeprefix("image/").partition("+")[0]
    form = {"output_format": kind} if kind else {}
    head = {"id": f"ig_{uuid.uuid4().hex}", "type": "image_generation_call", "status": "completed"}
    return {**head, "result": media.data, **form, **own_fields(media.extras)}


_ITEMS: dict[str, Callable[[Json], list[Placed]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _call,
    "custom_tool_call": _call,
    "image_generation_call": _image,
}
