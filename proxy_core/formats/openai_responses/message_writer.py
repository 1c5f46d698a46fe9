"""Messages on their way to the client, with the texts and refusals in them."""

from __future__ import annotations

from typing import ClassVar, Final

from proxy_core.domain.content import Citation
from proxy_core.domain.stream import RefusalDelta, TextDelta
from proxy_core.formats import wire_json
from proxy_core.formats.fields import Json
from proxy_core.formats.openai_responses.annotations import write_annotation, write_logprobs
from proxy_core.formats.openai_responses.item_writer import Events, Item
from proxy_core.formats.sse import render

#: What follows the text in the event of a piece of text.
TEXT_END: Final = b"}\n\n"


class TextWriter:
    """A text in a message. Its sources are written when it ends, for only then is it known what they cover."""

    kind: ClassVar[type] = TextDelta

    def __init__(self, events: Events, place: Json, block: int | None) -> None:
        self.block = block
        self.pieces: list[str] = []
        self.citations: list[Citation] = []
        self.head = b""
        self._logprobs: list[Json] = []
        self._events = events
        self._place = place

    def open(self) -> bytes:
        """The event that begins it."""
        self.head = _head(self._place)
        return self._write("content_part.added", part=self.part())

    def write(self, text: str, logprobs: Json | None = None) -> bytes:
        """The next piece."""
        self.pieces.append(text)
        tokens = write_logprobs(logprobs)
        self._logprobs += tokens
        return self._write("output_text.delta", delta=text, logprobs=tokens)

    def close(self) -> bytes:
        """The events that end it."""
        part = self.part()
        data = b"".join(
            self._write("output_text.annotation.added", annotation_index=number, annotation=annotation)
            for number, annotation in enumerate(part["annotations"])
        )
        data += self._write("output_text.done", text=part["text"], logprobs=part["logprobs"])
        return data + self._write("content_part.done", part=part)

    def part(self) -> Json:
        """The content as it stands."""
        text = "".join(self.pieces)
        annotations = [write_annotation(citation, text) for citation in self.citations]
        return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": list(self._logprobs)}

    def _write(self, what: str, **fields: object) -> bytes:
        return self._events.write(f"response.{what}", **self._place, **fields)


def _head(place: Json) -> bytes:
    """What the event of a piece begins with, but for its number (`%d`)."""
    kind = "response.output_text.delta"
    before = render(wire_json.dumps({"type": kind, "sequence_number": None, **place, "logprobs": []}), kind)
    escaped = before.removesuffix(TEXT_END).replace(b"%", b"%%")
    return escaped.replace(b"null", b"%d", 1) + b',"delta":'


class RefusalWriter(TextWriter):
    """A refusal in a message."""

    kind = RefusalDelta

    def write(self, text: str, logprobs: Json | None = None) -> bytes:
        self.pieces.append(text)
        return self._write("refusal.delta", delta=text)

    def close(self) -> bytes:
        part = self.part()
        return self._write("refusal.done", refusal=part["refusal"]) + self._write("content_part.done", part=part)

    def part(self) -> Json:
        return {"type": "refusal", "refusal": "".join(self.pieces)}


_WRITERS: dict[type, type[TextWriter]] = {TextDelta: TextWriter, RefusalDelta: RefusalWriter}


class MessageItem(Item):
    """What the model says. `about` is what sets it apart from its neighbours: its id, and its phase."""

    prefix = "msg"

    def __init__(self, events: Events, index: int, identifier: str | None, about: Json) -> None:
        super().__init__(events, index, identifier)
        self.about = about
        self._content: list[Json] = []
        self._last: TextWriter | None = None

    def begin(self, kind: type, block: int | None) -> tuple[TextWriter, bytes]:
        """Another text or refusal, and the events that open it."""
        data = self.end()
        place = {**self.place, "content_index": len(self._content)}
        self._last = _WRITERS[kind](self.events, place, block)
        return self._last, data + self._last.open()

    def end(self) -> bytes:
        if self._last is None:
            return b""
        data = self._last.close()
        self._content.append(self._last.part())
        self._last = None
        return data

    def item(self, status: str) -> Json:
        own = {name: value for name, value in self.about.items() if name != "id"}
        head = {"id": self.id, "type": "message", "status": status, "role": "assistant"}
        return {**head, "content": list(self._content), **own}
