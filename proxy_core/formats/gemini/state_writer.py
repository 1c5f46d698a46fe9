"""Where opaque state goes in an answer for a Gemini client: into `thoughtSignature`.

Gemini's own state stands before the part that it belongs to, and goes onto it again. Another provider's is sealed, with
the text of its thinking, into the next call, or else into an empty text at the end: Gemini CLI keeps no thoughts in its
history, but the signatures of calls. https://github.com/google-gemini/gemini-cli, geminiChat.ts (2026-11)
"""

from __future__ import annotations

from proxy_core.domain.content import ReasoningPart
from proxy_core.domain.stream import ReasoningDelta
from proxy_core.formats import opaque
from proxy_core.formats.fields import Json
from proxy_core.formats.gemini.contents import ALONE
from proxy_core.formats.gemini.fields import FORMAT, own_fields


class StateWriter:
    """The state in one candidate that waits for its part."""

    def __init__(self) -> None:
        #: Of the text, or the image, that follows.
        self.waiting: str | None = None
        self._of_calls: dict[str, str] = {}
        self._foreign: list[ReasoningPart] = []
        self._last: tuple[int | None, str | None] | None = None

    def think(self, delta: ReasoningDelta) -> list[Json]:
        """The parts to send now."""
        if delta.origin == FORMAT and delta.data is not None:
            return self._sign(delta.data, delta)
        own = delta.origin == FORMAT
        if not own and delta.origin is not None:
            self._keep(delta)
        signature = delta.signature if own else None
        if not (delta.text or signature):
            return []
        part: Json = {"text": delta.text, "thought": True, **own_fields(delta.extras)}
        return [*self.alone(), {**part, "thoughtSignature": signature} if signature else part]

    def _sign(self, signature: str, delta: ReasoningDelta) -> list[Json]:
        if delta.id is not None:
            self._of_calls[delta.id] = signature
            return []
        parts = self.alone()
        self.waiting = signature
        return parts + self.alone() if delta.extra(FORMAT).get(ALONE) else parts

    def _keep(self, delta: ReasoningDelta) -> None:
        """Another provider's thinking, the pieces of one block in one. A signature ends its block."""
        key = (delta.block, delta.origin)
        if key != self._last or not self._foreign or opaque.is_opaque(self._foreign[-1]):
            self._foreign.append(ReasoningPart(origin=delta.origin))
        self._last, part = key, self._foreign[-1]
        part.text += delta.text
        part.signature = delta.signature or part.signature
        part.data = delta.data or part.data
        part.id = delta.id or part.id

    def next_block(self) -> None:
        """Something else follows: what was thought before is whole."""
        self._last = None

    def onto(self, part: Json) -> Json:
        """A text, or an image, with the signature that waits for it."""
        if self.waiting is None:
            return part
        signature, self.waiting = self.waiting, None
        return {**part, "thoughtSignature": signature}

    def alone(self) -> list[Json]:
        """A signature that waits, on an empty text of its own."""
        return [] if self.waiting is None else [self.onto({"text": ""})]

    def of_call(self, identifier: str | None) -> str | None:
        """What goes onto the call of this id."""
        own = self._of_calls.pop(identifier or "", None)
        return self._sealed() if own is None else own

    def _sealed(self) -> str | None:
        parts = opaque.foreign(self._foreign, FORMAT)
        self._foreign.clear()
        return opaque.seal(*parts, with_text=True) if parts else None

    def rest(self) -> list[Json]:
        """What has found no part, at the end of the answer."""
        left = [signature for signature in (*self._of_calls.values(), self._sealed()) if signature is not None]
        self._of_calls.clear()
        return [*self.alone(), *({"text": "", "thoughtSignature": signature} for signature in left)]
