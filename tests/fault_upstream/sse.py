"""Events to bytes, in every spelling that the event stream format allows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from tests.fault_upstream.reply import Event
from tests.fault_upstream.story import Story

LINE_ENDS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
PING = {"type": "ping"}


@dataclass(frozen=True)
class Spelling:
    """How events are written down.

    `eol` is a line end; `colon` may leave out the space; `indent` spreads JSON over several `data:` lines;
    `comments` put one before each event, `pings` one between named events; without `tail` the last event lacks its
    blank line.
    """

    eol: str = "\n"
    colon: str = ": "
    indent: int | None = None
    comments: bool = False
    pings: bool = False
    tail: bool = True

    @classmethod
    def of(cls, story: Story) -> Self:
        """The spelling that the pairs `eol`, `space`, `lines`, `comments`, `pings` and `tail` ask for."""
        return cls(
            eol=LINE_ENDS[story.text("eol", "lf")],
            colon=": " if story.flag("space", default=True) else ":",
            indent=1 if story.flag("lines") else None,
            comments=story.flag("comments"),
            pings=story.flag("pings"),
            tail=story.flag("tail", default=True),
        )

    def frames(self, events: list[Event]) -> Iterator[bytes]:
        """One block of bytes for each event, made when it is wanted."""
        for left, event in zip(reversed(range(len(events))), events, strict=True):
            frame = self._fillers(event, first=left == len(events) - 1) + self.frame(event)
            yield frame if left or self.tail else frame.removesuffix(self.eol.encode())

    def frame(self, event: Event) -> bytes:
        """One event with its closing blank line."""
        name, data = event
        text = data if isinstance(data, str) else self._json(data)
        lines = [f"event{self.colon}{name}"] if name else []
        lines += [f"data{self.colon}{line}" for line in text.split("\n")]
        return "".join(line + self.eol for line in (*lines, "")).encode()

    def _json(self, data: Any) -> str:
        separators = None if self.indent else (",", ":")
        return json.dumps(data, ensure_ascii=False, indent=self.indent, separators=separators)

    def _fillers(self, event: Event, first: bool) -> bytes:
        comment = f": PROCESSING{self.eol}{self.eol}".encode() if self.comments else b""
        ping = self.frame(("ping", PING)) if self.pings and event[0] and not first else b""
        return comment + ping
