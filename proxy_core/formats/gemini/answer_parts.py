"""The parts of an upstream's answer, leniently. https://ai.google.dev/api/caching#Part (2026-11)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from proxy_core.domain.base import Extras
from proxy_core.domain.content import MediaPart, NativePart, Part, ReasoningPart, TextPart, ToolCallPart
from proxy_core.errors import BackendError
from proxy_core.formats import wire_json
from proxy_core.formats.fields import Json, as_dict, as_text, dicts, leftover, text_or_none
from proxy_core.formats.gemini.contents import ALONE
from proxy_core.formats.gemini.enums import in_words
from proxy_core.formats.gemini.fields import FORMAT, camel_keys
from proxy_core.formats.gemini.ids import minted_id
from proxy_core.formats.gemini.parts import standard_base64
from proxy_core.formats.media_types import guess_media_type, kind_of
from proxy_core.formats.partial_arguments import pieces_note

_CALL_FIELDS: Final = frozenset({"functionCall", "thoughtSignature"})
_CODE: Final = ("executableCode", "codeExecutionResult")
_MEDIA_FIELDS: Final = frozenset({"inlineData", "thoughtSignature"})


def read_parts(content: Any) -> list[Part]:
    """The parts of a candidate's `content`; none where it is empty, or nothing."""
    parts = as_dict(content).get("parts")
    if not isinstance(parts, list):
        parts = [parts]
    return [part for raw in dicts(parts) for part in _read_part(raw)]


def _read_part(raw: Json) -> list[Part]:
    fields = camel_keys(raw)
    if fields.get("thought") is True and "text" not in fields:  # an image of a thought
        return [NativePart(format=FORMAT, data=fields)]
    for name, read in _READERS.items():
        if fields.get(name) is not None:
            return read(fields)
    signature = text_or_none(fields.get("thoughtSignature"))
    if signature is not None and fields.keys() <= {"thought", "thoughtSignature"}:
        return [_alone(signature)]
    if fields.keys().isdisjoint(_CODE):
        return [NativePart(format=FORMAT, data=fields)] if fields else []
    return [NativePart(format=FORMAT, data=in_words(fields))]


def _text(fields: Json) -> list[Part]:
    """A thought with its signature; or a text, and before it the signature that belongs to it."""
    text, signature = as_text(fields["text"]), text_or_none(fields.get("thoughtSignature"))
    if fields.get("thought") is True:
        return [ReasoningPart(text=text, signature=signature, origin=FORMAT)] if text or signature else []
    if not text:
        return [] if signature is None else [_alone(signature)]
    return [TextPart(text=text)] if signature is None else [_signature(signature), TextPart(text=text)]


def _signature(signature: str) -> ReasoningPart:
    """What belongs to the text, or the image, that follows."""
    return ReasoningPart(data=signature, origin=FORMAT)


def _alone(signature: str) -> ReasoningPart:
    """What belongs to no text: the last event of many streams is nothing else."""
    return ReasoningPart(data=signature, origin=FORMAT, extras={FORMAT: {ALONE: True}})


def _function_call(fields: Json) -> list[Part]:
    """A call, and before it the signature that belongs to it; or a piece of a call, which may lack a name."""
    call = camel_keys(as_dict(fields["functionCall"]))
    name, signature = as_text(call.get("name")), text_or_none(fields.get("thoughtSignature"))
    identifier = text_or_none(call.get("id")) or (minted_id() if name else "")
    part = ToolCallPart(
        id=identifier, name=name, arguments=_arguments(call.get("args")), extras=_call_extras(fields, call)
    )
    if signature is None:
        return [part]
    return [ReasoningPart(data=signature, origin=FORMAT, id=identifier or None), part]


def _arguments(args: Any) -> str:
    if not isinstance(args, dict):
        return as_text(args) or "{}"
    try:
        return wire_json.dumps(args).decode()
    except ValueError as error:
        raise BackendError(f"the upstream calls a function with arguments that are no JSON: {error}") from error


def _call_extras(fields: Json, call: Json) -> Extras:
    own = leftover(fields, _CALL_FIELDS)
    more = call.get("willContinue") is True
    pieces = [camel_keys(piece) for piece in dicts(call.get("partialArgs"))]
    if more or pieces or not call.get("name"):
        own |= pieces_note(pieces, more=more)
    return {FORMAT: own} if own else {}


def _inline_data(fields: Json) -> list[Part]:
    """An image, or sound, and before it the signature that belongs to it."""
    blob = camel_keys(as_dict(fields["inlineData"]))
    signature, own = text_or_none(fields.get("thoughtSignature")), leftover(fields, _MEDIA_FIELDS)
    part = MediaPart(
        kind="file",
        media_type=text_or_none(blob.get("mimeType")),
        data=standard_base64(as_text(blob.get("data"))),
        filename=text_or_none(blob.get("displayName")),
        extras={FORMAT: own} if own else {},
    )
    part.kind = kind_of(guess_media_type(part))
    return [part] if signature is None else [_signature(signature), part]


_READERS: Final[dict[str, Callable[[Json], list[Part]]]] = {
    "functionCall": _function_call,
    "inlineData": _inline_data,
    "text": _text,
}
