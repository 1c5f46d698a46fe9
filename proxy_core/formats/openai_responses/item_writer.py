"""The output items of an answer on its way to the client: how any begins and ends.

Whatever is sent in pieces is said whole when it is done, in its item, and in the response at the end: all from one
place. https://platform.openai.com/docs/api-reference/responses-streaming (2026-11)
"""

from __future__ import annotations

import abc
import os
from typing import ClassVar

from proxy_core.formats import wire_json
from proxy_core.formats.fields import Json, text_or_none
from proxy_core.formats.sse import render


class Events:
    """The events of one stream, numbered. Silent ones are not written: only what they add up to is wanted."""

    def __init__(self, *, silent: bool = False) -> None:
        self.number = 0
        self.silent = silent

    def write(self, kind: str, **fields: object) -> bytes:
        """The next event."""
        if self.silent:
            return b""
        payload = {"type": kind, "sequence_number": self.number, **fields}
        self.number += 1
        return render(wire_json.dumps(payload), kind)


class Item(abc.ABC):
    """One item of the output. `final` is the whole item, once it is closed."""

    prefix: ClassVar[str]

    def __init__(self, events: Events, index: int, identifier: str | None) -> None:
        self.events = events
        self.index = index
        self.id = identifier or f"{self.prefix}_{os.urandom(16).hex()}"
        self.place: Json = {"item_id": self.id, "output_index": index}
        self.final: Json | None = None

    def open(self) -> bytes:
        """The event that begins the item."""
        return self._event("added", self.item("in_progress"))

    def close(self, status: str = "completed") -> bytes:
        """What ends it; nothing if it has ended."""
        if self.final is not None:
            return b""
        data = self.end()
        self.final = self.item(status)
        return data + self._event("done", self.final)

    def _event(self, what: str, item: Json) -> bytes:
        return self.events.write(f"response.output_item.{what}", output_index=self.index, item=item)

    @abc.abstractmethod
    def item(self, status: str) -> Json:
        """The item as it stands."""

    def end(self) -> bytes:
        """The events that end its content."""
        return b""

    def is_whole(self) -> bool:
        """Whether it is done when another begins."""
        return True


class WholeItem(Item):
    """An item that comes whole: one of OpenAI's own tools, or an image."""

    prefix = "item"

    def __init__(self, events: Events, index: int, item: Json) -> None:
        super().__init__(events, index, text_or_none(item.get("id")))
        self._item = item

    def item(self, status: str) -> Json:
        return {**self._item, "id": self.id}
