"""Reasoning: plain text in `reasoning_content` (or `reasoning`), and OpenRouter's `reasoning_details`, which clients
send back and which therefore carry signatures and encrypted thoughts.

https://openrouter.ai/docs/guides/best-practices/reasoning-tokens (2026-11)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proxy_core.domain.base import Extras
from proxy_core.domain.content import ReasoningPart
from proxy_core.domain.stream import ReasoningDelta
from proxy_core.formats.fields import as_text, count, dicts, leftover, text_or_none
from proxy_core.formats.openai.fields import FORMAT, note, own_fields

#: Where providers put plain reasoning text; the first that is there holds, for some repeat it.
PLAIN_FIELDS = ("reasoning_content", "reasoning")

# OpenRouter's clients check `format` against this list, so ours must be on it where they can.
_TAGS = {
    "anthropic": "anthropic-claude-v1",
    "gemini": "google-gemini-v1",
    "openai-responses": "openai-responses-v1",
    FORMAT: "unknown",
}
_ORIGINS = {tag: origin for origin, tag in _TAGS.items()}
_OTHER = "llm-proxy/"
_KNOWN = frozenset({"type", "text", "summary", "data", "signature", "id", "index", "format"})
_TEXT_KEYS = {"reasoning.summary": "summary"}
#: What the text is called where it is a summary of the thinking.
_TEXT_TYPES = {"openai-responses": "reasoning.summary"}


def tag_of(origin: str | None) -> str:
    """The `format` that tells whose reasoning this is."""
    origin = origin or FORMAT
    return _TAGS.get(origin, _OTHER + origin)


def origin_of(tag: Any) -> str:
    """Whose reasoning a `format` marks. Clients that join a stream's strings may have repeated the tag."""
    if not isinstance(tag, str):
        return FORMAT
    if tag.startswith(_OTHER):
        return tag.removeprefix(_OTHER)
    return next((origin for known, origin in _ORIGINS.items() if tag.startswith(known)), FORMAT)


def plain_text(message: dict[str, Any]) -> str:
    """The reasoning text beside the details."""
    return next((text for name in PLAIN_FIELDS if (text := as_text(message.get(name)))), "")


def read_reasoning(message: dict[str, Any]) -> list[ReasoningPart]:
    """An upstream's reasoning: it alone can read what it signed."""
    details = read_details(message.get("reasoning_details"), FORMAT)
    return with_plain_text(details, plain_text(message))


def with_plain_text(details: list[ReasoningPart], text: str) -> list[ReasoningPart]:
    """The details and, where they have no text of their own, the text beside them."""
    if not text or any(part.text for part in details):
        return details
    return [ReasoningPart(text=text), *details]


def read_details(details: Any, origin: str | None = None) -> list[ReasoningPart]:
    """The parts that `reasoning_details` spells; `origin` None reads it from each entry's `format`."""
    parts: list[ReasoningPart] = []
    last_index: int | None = None
    for entry in dicts(details):
        part = _read_entry(entry, origin)
        index = count(entry.get("index"))
        if parts and (_shares_id(parts[-1], part) or _continues(parts[-1], part, last_index, index)):
            _join(parts[-1], part)
        else:
            parts.append(part)
        last_index = index
    return parts


def _read_entry(entry: dict[str, Any], origin: str | None) -> ReasoningPart:
    text = entry.get(_TEXT_KEYS.get(as_text(entry.get("type")), "text"))
    return ReasoningPart(
        text=as_text(text),
        signature=text_or_none(entry.get("signature")),
        data=text_or_none(entry.get("data")),
        origin=origin or origin_of(entry.get("format")),
        id=text_or_none(entry.get("id")),
        extras=_entry_extras(entry),
    )


def _entry_extras(entry: dict[str, Any]) -> Extras:
    own = leftover(entry, _KNOWN)
    kind = entry.get("type")
    if isinstance(kind, str) and kind not in ("reasoning.text", "reasoning.encrypted"):
        own["_type"] = kind
    if (tag := entry.get("format")) is not None and tag not in _ORIGINS:
        own["_format"] = tag
    return {FORMAT: own} if own else {}


def _shares_id(part: ReasoningPart, later: ReasoningPart) -> bool:
    """Text and its encrypted form, under one id."""
    return part.id is not None and part.id == later.id and part.data is None and later.data is not None


def _continues(part: ReasoningPart, later: ReasoningPart, index: int | None, later_index: int | None) -> bool:
    """Whether `later` is the next piece of `part`: clients keep a stream's details as they came."""
    same = index is not None and index == later_index
    return same and part.signature is None and part.data is None and later.data is None


def _join(part: ReasoningPart, later: ReasoningPart) -> None:
    part.text += later.text
    part.signature = part.signature or later.signature
    part.data = part.data or later.data
    part.id = part.id or later.id


def write_reasoning(parts: list[ReasoningPart]) -> dict[str, Any]:
    """The fields of a message that carry reasoning: all text, and as details what its issuer wants back."""
    fields: dict[str, Any] = {}
    if text := "".join(part.text for part in parts):
        fields["reasoning_content"] = text
    if details := write_details(part for part in parts if part.origin):
        fields["reasoning_details"] = details
    return fields


def write_details(parts: Iterable[ReasoningPart]) -> list[dict[str, Any]]:
    """`reasoning_details`: an entry for the text of each part and one for what only its issuer can read."""
    entries = [entry for part in parts for entry in entries_of(part)]
    return [{**entry, "index": index} for index, entry in enumerate(entries)]


def entries_of(part: ReasoningPart | ReasoningDelta) -> list[dict[str, Any]]:
    """The entries of one part, without index."""
    entries: list[dict[str, Any]] = []
    if part.text or part.signature or part.data is None:
        kind = note(part.extras, "type") or _TEXT_TYPES.get(part.origin or "", "reasoning.text")
        entries.append({"type": kind, _TEXT_KEYS.get(kind, "text"): part.text})
        if part.signature:
            entries[0]["signature"] = part.signature
    if part.data is not None:
        entries.append({"type": "reasoning.encrypted", "data": part.data})
    identity = identity_of(part)
    return [{**entry, **identity} for entry in entries]


def identity_of(part: ReasoningPart | ReasoningDelta) -> dict[str, Any]:
    """What an entry says but for its content: id, format tag and fields unknown to us."""
    identity: dict[str, Any] = {"format": note(part.extras, "format") or tag_of(part.origin)} | own_fields(part.extras)
    return {"id": part.id, **identity} if part.id else identity


def read_detail_deltas(details: Any, choice: int) -> list[ReasoningDelta]:
    """The deltas that a chunk's `reasoning_details` spells."""
    return [_detail_delta(entry, choice) for entry in dicts(details)]


def _detail_delta(entry: dict[str, Any], choice: int) -> ReasoningDelta:
    part = _read_entry(entry, FORMAT)
    return ReasoningDelta(
        text=part.text,
        signature=part.signature,
        data=part.data,
        origin=part.origin,
        id=part.id,
        choice=choice,
        block=count(entry.get("index")),
        extras=part.extras,
    )
