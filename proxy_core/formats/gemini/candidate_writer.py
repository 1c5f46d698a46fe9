"""One candidate of an answer on its way to a Gemini client, as parts, whether streamed or whole.

https://ai.google.dev/api/generate-content#v1beta.Candidate (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from proxy_core.domain.content import Citation
from proxy_core.domain.stream import (
    CitationDelta,
    Delta,
    Finish,
    MediaDelta,
    NativeDelta,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from proxy_core.formats import losses
from proxy_core.formats.fields import Json, stated
from proxy_core.formats.gemini.citations import SOURCES, Cited, is_repeated, write_grounding
from proxy_core.formats.gemini.fields import FORMAT, own_fields
from proxy_core.formats.gemini.finish import write_finish
from proxy_core.formats.gemini.logprobs import joined, write_logprobs
from proxy_core.formats.gemini.open_call import OpenCall
from proxy_core.formats.gemini.state_writer import StateWriter

#: The fields of a part that is nothing but text.
_TEXT: Final = frozenset({"text", "thought"})


class CandidateWriter:
    """Turns the deltas of one choice into parts. A call waits until it is whole, and what follows waits with it.

    `thinking` tells that the last part sent was thinking. `drop` records what a Gemini client cannot be shown.
    """

    def __init__(self, index: int, drop: Callable[..., None]) -> None:
        self.index = index
        self.finish: Finish | None = None
        self.texts: list[str] = []
        self.block: int | None = None
        self.state = StateWriter()
        self.queue: list[Json | OpenCall] = []
        self._drop = drop
        self._calls: dict[int, OpenCall] = {}
        self.thinking = False
        self._refused = self._said = False
        self._starts: list[int] = [0]
        self._citations: list[tuple[Citation, int]] = []
        self._tokens: list[Any] = []
        self._own: Json = {}

    def write(self, delta: Delta) -> list[Json]:
        """The parts that can be sent now."""
        if not isinstance(delta, ReasoningDelta):
            self.state.next_block()
        if not isinstance(delta, ToolCallDelta) and getattr(delta, "block", None) is not None:
            self._close_calls()  # who numbers blocks has finished one before the next begins
        self.queue += _WRITERS[type(delta)](self, delta)
        return self._ready()

    def _close_calls(self) -> None:
        for call in self._calls.values():
            call.close()

    def _ready(self) -> list[Json]:
        parts: list[Json] = []
        while self.queue and self._may_go(self.queue[0]):
            first = self.queue.pop(0)
            parts.append(first.part() if isinstance(first, OpenCall) else first)
        if parts:
            self._said, self.thinking = True, "thought" in parts[-1]
        return parts

    def _may_go(self, first: Json | OpenCall) -> bool:
        """Text at once; all else when it is whole and something follows, for the last event needs a part."""
        if isinstance(first, OpenCall):
            return len(self.queue) > 1 and first.is_complete()
        return len(self.queue) > 1 or first.keys() <= _TEXT

    def text(self, delta: TextDelta | RefusalDelta) -> list[Json]:
        if isinstance(delta, RefusalDelta):
            self._refused = True
        elif delta.logprobs is not None:
            self._tokens += delta.logprobs.get("content") or delta.logprobs.get("refusal") or ()
        if not delta.text:
            return []
        self._enter(delta.block)
        self.texts.append(delta.text)
        return [self.state.onto({"text": delta.text})]

    def _enter(self, block: int | None) -> None:
        """Note where another block of text begins."""
        if block != self.block:
            self.block = block
            self._starts.append(self._measured())

    def _measured(self) -> int:
        """How many characters the text has so far."""
        return sum(map(len, self.texts))

    def citation(self, delta: CitationDelta) -> list[Json]:
        """Kept for the end, when the text is known."""
        if delta.block is not None:
            self._enter(delta.block)
        self._citations.append((delta.citation, self._starts[-1]))
        return []

    def reasoning(self, delta: ReasoningDelta) -> list[Json]:
        return self.state.think(delta)

    def tool_call(self, delta: ToolCallDelta) -> list[Json | OpenCall]:
        call = self._calls.get(delta.index)
        if call is not None:
            call.feed(delta.arguments)
            return []
        if not delta.name:
            return []
        signed = [*self.state.alone()]
        call = self._calls[delta.index] = OpenCall(delta, self.state.of_call(delta.id))
        return [*signed, call]

    def media(self, delta: MediaDelta) -> list[Json]:
        media = delta.media
        if media.data is not None:
            blob = {"mimeType": media.media_type, "data": media.data, "displayName": media.filename}
            return [self.state.onto({"inlineData": stated(blob), **own_fields(media.extras)})]
        if media.url is not None:
            file = stated({"mimeType": media.media_type, "fileUri": media.url, "displayName": media.filename})
            return [self.state.onto({"fileData": file, **own_fields(media.extras)})]
        self._drop("content.media")
        return []

    def native(self, delta: NativeDelta) -> list[Json]:
        if delta.format == FORMAT:
            return [*self.state.alone(), delta.data]
        self._drop(*losses.of_native(delta))
        return []

    def adopt(self, own: Json) -> None:
        """Fields that a Gemini upstream gave its candidate; log probabilities come piece by piece."""
        if "logprobsResult" in own and "logprobsResult" in self._own:
            own = {**own, "logprobsResult": joined(self._own["logprobsResult"], own["logprobsResult"])}
        self._own |= own

    def note_finish(self, finish: Finish) -> None:
        """Written last, once: some servers repeat it on every event."""
        self.finish = finish
        self.adopt(own_fields(finish.extras))

    def rest(self) -> list[Json]:
        """The parts that are still to be sent at the end."""
        self._close_calls()
        parts = [each.part() if isinstance(each, OpenCall) else each for each in self.queue]
        self.queue.clear()
        return [*parts, *self.state.rest()]

    def nothing(self) -> list[Json]:
        """The part of a last event that has nothing to say: none of the text, or thought, that was said before."""
        if not self._said:
            return []
        return [{"text": "", "thought": True} if self.thinking else {"text": ""}]

    def feedback(self) -> Json | None:
        """The `promptFeedback` of an answer that has no candidate, since the prompt was blocked."""
        return self._own.get("promptFeedback")

    def candidate(self, parts: list[Json]) -> Json:
        """The candidate with its end."""
        return {
            "content": {"parts": parts, "role": "model"},
            **write_finish(self.finish, calls=bool(self._calls), refused=self._refused),
            "index": self.index,
            **self._sources(),
            **({"logprobsResult": write_logprobs({"content": self._tokens})} if self._tokens else {}),
            **self._own,
        }

    def _sources(self) -> Json:
        """Made from citations, unless Gemini's own are there."""
        foreign = [cited for cited in self._citations if not is_repeated(cited[0])]
        if self._own.keys() & set(SOURCES):
            if foreign:
                self._drop("citations")
            return {}
        if not self._citations:
            return {}
        text = "".join(self.texts)
        ends = dict(zip(self._starts, [*self._starts[1:], len(text)], strict=True))
        return {"groundingMetadata": write_grounding([Cited(c, at, ends[at]) for c, at in self._citations], text)}


_WRITERS: Final[dict[type, Callable[[CandidateWriter, Any], Any]]] = {
    CitationDelta: CandidateWriter.citation,
    MediaDelta: CandidateWriter.media,
    NativeDelta: CandidateWriter.native,
    ReasoningDelta: CandidateWriter.reasoning,
    RefusalDelta: CandidateWriter.text,
    TextDelta: CandidateWriter.text,
    ToolCallDelta: CandidateWriter.tool_call,
}
