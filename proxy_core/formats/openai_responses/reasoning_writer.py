"""Reasoning items on their way to the client: what people may read, and the state that the issuer wants back.

https://developers.openai.com/api/docs/guides/reasoning#encrypted-reasoning-items (2026-11)
"""

from __future__ import annotations

from typing import Final, NamedTuple

from proxy_core.domain.content import ReasoningPart
from proxy_core.domain.stream import ReasoningDelta
from proxy_core.formats import opaque
from proxy_core.formats.fields import Json
from proxy_core.formats.openai_responses.fields import FORMAT, note, own_fields
from proxy_core.formats.openai_responses.item_writer import Events, Item
from proxy_core.formats.openai_responses.reasoning_items import SEPARATOR


class _Style(NamedTuple):
    """How one of the two lists of texts in an item is spelled."""

    field: str
    type: str
    number: str
    part_event: str
    text_event: str


_SUMMARY: Final = _Style("summary", "summary_text", "summary_index", "reasoning_summary_part", "reasoning_summary_text")
#: The thinking itself, which open models show.
_CONTENT: Final = _Style("content", "reasoning_text", "content_index", "content_part", "reasoning_text")


class ReasoningItem(Item):
    """What the model thinks. State of other providers goes sealed into `encrypted_content`; the client gives the
    summary back beside it."""

    prefix = "rs"

    def __init__(self, events: Events, index: int, identifier: str | None, block: int | None) -> None:
        super().__init__(events, index, identifier)
        self._block = block
        self._state = ReasoningPart()
        self._style = _SUMMARY
        self._texts: dict[_Style, list[list[str]]] = {_SUMMARY: [], _CONTENT: []}
        self._own: Json = {}

    def takes(self, delta: ReasoningDelta) -> bool:
        """Whether this delta is of this item. State ends it: what comes after is another. State without a block, or of
        another, belongs to what goes by the same id."""
        state = self._state
        if state.signature is not None or state.data is not None:
            return False
        if delta.data is not None and (delta.block is None or delta.block != self._block):
            return delta.id is not None and delta.id == state.id
        return delta.block == self._block

    def write(self, delta: ReasoningDelta) -> bytes:
        """The next piece, and whatever comes with it."""
        state = self._state
        for name in ("signature", "data", "origin", "id"):
            setattr(state, name, getattr(state, name) or getattr(delta, name))
        self._own |= own_fields(delta.extras)
        if not delta.text:
            return b""
        data = self._turn_to(_CONTENT if note(delta.extras, "content") else _SUMMARY)
        return data + (self._begin() if note(delta.extras, "begins") else self._say(_pieces(delta)))

    def _turn_to(self, style: _Style) -> bytes:
        if style is self._style:
            return b""
        data = self.end()
        self._style = style
        return data

    def _say(self, pieces: list[str]) -> bytes:
        data = b"" if self._texts[self._style] else self._begin()
        data += self._append(pieces[0])
        return data + b"".join(self._begin() + self._append(piece) for piece in pieces[1:])

    def _begin(self) -> bytes:
        style, data = self._style, self.end()
        self._texts[style].append([])
        return data + self._write(f"{style.part_event}.added", part=_text(style, []))

    def _append(self, text: str) -> bytes:
        self._texts[self._style][-1].append(text)
        return self._write(f"{self._style.text_event}.delta", delta=text)

    def end(self) -> bytes:
        style, texts = self._style, self._texts[self._style]
        if not texts:
            return b""
        part = _text(style, texts[-1])
        return self._write(f"{style.text_event}.done", text=part["text"]) + self._write(
            f"{style.part_event}.done", part=part
        )

    def _write(self, what: str, **fields: object) -> bytes:
        at = {self._style.number: len(self._texts[self._style]) - 1}
        return self.events.write(f"response.{what}", **self.place, **at, **fields)

    def item(self, status: str) -> Json:
        texts = {style.field: [_text(style, pieces) for pieces in texts] for style, texts in self._texts.items()}
        head = {"id": self.id, "type": "reasoning", "summary": texts["summary"], **self._own}
        return {**head, **({"content": texts["content"]} if texts["content"] else {}), **self._encrypted()}

    def _encrypted(self) -> Json:
        state = self._state
        if not opaque.is_opaque(state):
            return {}
        return {"encrypted_content": state.data if state.origin == FORMAT else opaque.seal(state)}


def _pieces(delta: ReasoningDelta) -> list[str]:
    """The texts of an item that came whole."""
    known: list[str] = note(delta.extras, "pieces") or []
    return known if SEPARATOR.join(known) == delta.text else [delta.text]


def _text(style: _Style, pieces: list[str]) -> Json:
    return {"type": style.type, "text": "".join(pieces)}
