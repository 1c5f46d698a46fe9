"""One candidate's part of a streamed answer, as Chat Completions cuts it into `delta` objects.

The OpenAI SDK's accumulator joins strings, and lists by `index`: what is to arrive once (ids, names, format tags,
annotations) is sent once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
from proxy_core.formats.fields import dicts
from proxy_core.formats.openai.calls import INPUT, minted_id
from proxy_core.formats.openai.citations import write_citation
from proxy_core.formats.openai.content import encode_media
from proxy_core.formats.openai.fields import note, own_fields
from proxy_core.formats.openai.finish import write_finish
from proxy_core.formats.openai.reasoning import entries_of
from proxy_core.formats.openai.response import message_fields

_NOTHING = object()


class Call:
    """A tool call that has been opened."""

    __slots__ = ("has_arguments", "index", "kind", "legacy")

    def __init__(self, index: int, delta: ToolCallDelta) -> None:
        self.index = index
        self.kind = delta.kind
        self.has_arguments = bool(delta.arguments)
        self.legacy = note(delta.extras, "legacy") is True

    def piece(self, text: str) -> dict[str, Any]:
        """The delta for the next piece of the arguments."""
        self.has_arguments = self.has_arguments or bool(text)
        if self.legacy:
            return {"function_call": {"arguments": text}}
        return {"tool_calls": [{"index": self.index, self.kind: {INPUT[self.kind]: text}}]}


class ChoiceWriter:
    """One candidate's part of a stream: turns deltas of the domain into `delta` objects."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish: Finish | None = None
        self.pieces: list[str] = []  # of the text so far
        self.block: Any = None
        #: Where a block begins and ends, by the number of its first piece and of the first beyond it.
        self._block_start = 0
        self._block_ends: dict[int, int] = {}
        self._refused = False
        self._calls: list[Call] = []
        self._open_calls: dict[int, Call] = {}
        self._details = self._images = 0
        self._open_detail: Any = _NOTHING
        self._citations: list[tuple[Citation, int]] = []
        self._annotations: list[dict[str, Any]] = []

    def write(self, delta: Delta) -> dict[str, Any] | None:
        """The `delta` to send now, if there is one."""
        return _DELTAS[type(delta)](self, delta)

    def text(self, delta: TextDelta) -> dict[str, Any]:
        self._enter_block(delta.block)
        self.pieces.append(delta.text)
        return {"content": delta.text}

    def _enter_block(self, block: int | None) -> None:
        if block != self.block:
            self._block_ends[self._block_start] = len(self.pieces)
            self.block, self._block_start = block, len(self.pieces)

    def refusal(self, delta: RefusalDelta) -> dict[str, Any]:
        self._refused = True
        return {"refusal": delta.text}

    def citation(self, delta: CitationDelta) -> None:
        """Kept for the end: the SDK cannot join two lists whose entries have no index, and spans end later."""
        self._enter_block(delta.block)
        self._citations.append((delta.citation, self._block_start))

    def reasoning(self, delta: ReasoningDelta) -> dict[str, Any]:
        fields: dict[str, Any] = {"reasoning_content": delta.text} if delta.text else {}
        if delta.origin:
            fields["reasoning_details"] = [self._detail(entry, delta) for entry in entries_of(delta)]
        return fields

    def _detail(self, entry: dict[str, Any], delta: ReasoningDelta) -> dict[str, Any]:
        """An entry under its number; what identifies it is sent with its first piece only."""
        key = (delta.block, entry["type"])
        if "data" in entry or key != self._open_detail:
            self._details += 1
            known = entry
        else:
            known = {name: entry[name] for name in entry.keys() & {"type", "text", "summary", "signature"}}
        self._open_detail = _NOTHING if "data" in entry or delta.signature else key
        return {**known, "index": self._details - 1}

    def tool_call(self, delta: ToolCallDelta) -> dict[str, Any] | None:
        call = self._open_calls.get(delta.index)
        if call is None:
            return self._open_call(delta) if delta.name else None
        return call.piece(delta.arguments) if delta.arguments else None

    def _open_call(self, delta: ToolCallDelta) -> dict[str, Any]:
        call = Call(len(self._calls), delta)
        self._calls.append(call)
        self._open_calls[delta.index] = call
        inner = {"name": delta.name, INPUT[delta.kind]: delta.arguments}
        if call.legacy:
            return {"function_call": inner}
        entry = {"index": call.index, "id": delta.id or minted_id(), "type": delta.kind, delta.kind: inner}
        return {"tool_calls": [entry | own_fields(delta.extras)]}

    def native(self, delta: NativeDelta) -> dict[str, Any] | None:
        """Fields that only a Chat client understands; annotations wait for the end, as citations do."""
        fields = dict(message_fields(delta) or {})
        self._annotations += dicts(fields.pop("annotations", None))
        return fields or None

    def media(self, delta: MediaDelta) -> dict[str, Any]:
        self._images += 1
        return {"images": [{"index": self._images - 1, **encode_media(delta.media)}]}

    def last_deltas(self) -> list[dict[str, Any]]:
        """What is still to be said before the finish: arguments that never came, and citations."""
        silent = [call for call in self._calls if call.kind == "function" and not call.has_arguments]
        deltas = [call.piece("{}") for call in silent]
        if annotations := self._written_citations() + self._annotations:
            deltas.append({"annotations": annotations})
        return deltas

    def _written_citations(self) -> list[dict[str, Any]]:
        self._block_ends[self._block_start] = len(self.pieces)
        return [write_citation(citation, *self._text_from(start)) for citation, start in self._citations]

    def _text_from(self, start: int) -> tuple[str, int]:
        """The text of a block, and where it begins in the whole content."""
        return "".join(self.pieces[start : self._block_ends[start]]), len("".join(self.pieces[:start]))

    def finish_fields(self) -> dict[str, Any]:
        """`finish_reason` and what goes with it, derived where the upstream gave none."""
        finish, called = self.finish, bool(self._calls)
        if called and self._calls[0].legacy:
            return {"finish_reason": "function_call"}
        if finish is None:
            return {**write_finish(None, None, calls=called)}
        fields = write_finish(finish.reason, finish.native, calls=called, refused=self._refused)
        return {**fields, "stop_reason": finish.stop_sequence} if finish.stop_sequence is not None else {**fields}


_DELTAS: dict[type, Callable[[ChoiceWriter, Any], dict[str, Any] | None]] = {
    TextDelta: ChoiceWriter.text,
    RefusalDelta: ChoiceWriter.refusal,
    ReasoningDelta: ChoiceWriter.reasoning,
    ToolCallDelta: ChoiceWriter.tool_call,
    CitationDelta: ChoiceWriter.citation,
    MediaDelta: ChoiceWriter.media,
    NativeDelta: ChoiceWriter.native,
}
