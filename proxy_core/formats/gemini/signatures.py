"""Thinking, and Gemini's signatures of it, among the parts of a turn.

A signature goes back on the part it came with: a thought, a function's call, a text or an image; one that came alone
goes on an empty text. Anybody else's is left out, and recorded.

Gemini 3 refuses a turn whose first call is unsigned. For a call that Gemini did not make there is no signature; Google
has a word that says so, which older models ignore.
https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11)
"""

from __future__ import annotations

from typing import Final

from proxy_core.domain.content import MediaPart, Part, ReasoningPart, TextPart, ToolCallPart
from proxy_core.formats import losses
from proxy_core.formats.fields import Json
from proxy_core.formats.gemini.contents import ALONE
from proxy_core.formats.gemini.fields import FORMAT
from proxy_core.formats.gemini.parts_encode import encode_part
from proxy_core.formats.gemini.target import Target

#: "set thought_signature to skip_thought_signature_validator", for calls taken over from another model.
UNSIGNED: Final = "skip_thought_signature_validator"


def encode_signed(parts: list[Part], target: Target, *, foreign: bool = False) -> list[Json]:
    """The parts of one turn. `foreign` tells that its calls may be another model's."""
    writer = _Writer(parts, target)
    for part in parts:
        writer.add(part)
    writer.flush()
    if foreign or writer.left_foreign:
        _mark_unsigned(writer.encoded)
    return writer.encoded


def _mark_unsigned(encoded: list[Json]) -> None:
    call = next((part for part in encoded if "functionCall" in part), None)
    if call is not None:
        call.setdefault("thoughtSignature", UNSIGNED)


class _Writer:
    def __init__(self, parts: list[Part], target: Target) -> None:
        self.encoded: list[Json] = []
        self.left_foreign = False
        self._target = target
        self._calls = {part.id for part in parts if isinstance(part, ToolCallPart)}
        self._by_call: dict[str, str] = {}
        self._waiting: str | None = None

    def add(self, part: Part) -> None:
        if isinstance(part, ReasoningPart):
            self._add_reasoning(part)
            return
        encoded = encode_part(part, self._target)
        if encoded is None:
            return
        if isinstance(part, TextPart | MediaPart) and self._waiting:
            encoded = {**encoded, "thoughtSignature": self._waiting}
            self._waiting = None
        self.flush()
        if isinstance(part, ToolCallPart) and part.id in self._by_call:
            encoded = {**encoded, "thoughtSignature": self._by_call.pop(part.id)}
        self.encoded.append(encoded)

    def flush(self) -> None:
        """Put a signature that waits for a text on an empty one."""
        if self._waiting:
            self.encoded.append({"text": "", "thoughtSignature": self._waiting})
            self._waiting = None

    def _add_reasoning(self, part: ReasoningPart) -> None:
        own = self._target.own(part.extras)
        if not self._may_return(part):
            self._target.request.drop(*losses.of_reasoning(part))
            self.left_foreign = self.left_foreign or part.origin is not None
            return
        if part.text or part.signature or part.data is None:
            signed = {"thoughtSignature": part.signature} if part.signature else {}
            self.encoded.append({"text": part.text, "thought": True, **signed, **own})
        if part.data is not None:
            self._add_signature(part, part.data)

    def _may_return(self, part: ReasoningPart) -> bool:
        """Gemini's own state to Gemini; thinking that nobody signed only if a Gemini client itself sends it."""
        if part.origin is None:
            return self._target.same_format
        return part.origin == FORMAT

    def _add_signature(self, part: ReasoningPart, signature: str) -> None:
        if part.id is not None and part.id in self._calls:
            self._by_call[part.id] = signature
            return
        if part.id is not None:
            self._target.request.drop("signature")
            return
        self.flush()
        self._waiting = signature
        if part.extra(FORMAT).get(ALONE):
            self.flush()
