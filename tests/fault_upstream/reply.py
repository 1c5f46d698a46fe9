"""What a story says, before any format renders it."""

import json
from dataclasses import dataclass, field
from typing import Any

THOUGHT = "The user wants the weather, so a tool must be called."
SIGNATURE = "EqQBCgIYAhIM+fault/signature+must==come/back=="


@dataclass(frozen=True)
class Text:
    """Visible text; each piece is one stream event."""

    pieces: tuple[str, ...]

    @property
    def whole(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True)
class Thinking(Text):
    """Reasoning with the opaque signature that must come back unchanged."""

    signature: str = ""


@dataclass(frozen=True)
class ToolUse:
    """One call of a tool; the arguments stream in fragments that cut through JSON tokens."""

    id: str
    name: str
    arguments: dict[str, Any]

    @property
    def pieces(self) -> tuple[str, ...]:
        text = json.dumps(self.arguments)
        return tuple(text[at : at + 9] for at in range(0, len(text), 9))


@dataclass(frozen=True)
class Usage:
    """Token counts; `prompt` includes the cached ones, `output` the reasoning ones."""

    prompt: int = 21
    output: int = 9
    cached: int = 0
    reasoning: int = 0


Part = Text | Thinking | ToolUse
Event = tuple[str | None, dict[str, Any] | str]
"""One stream event: its `event:` name, if the format has one, and its data; text is sent as it is."""


@dataclass(frozen=True)
class Reply:
    """Everything that a format needs to render an answer.

    `signed` and `call_ids` matter to formats that can leave out the opaque signature or the ids of tool calls.
    """

    model: str
    parts: tuple[Part, ...]
    finish: str = "stop"
    usage: Usage = field(default_factory=Usage)
    include_usage: bool = False
    signed: bool = True
    call_ids: bool = False

    def texts(self, kind: type[Text] = Text) -> str:
        """The text of all parts that are exactly of `kind`."""
        return "".join(part.whole for part in self.parts if type(part) is kind and isinstance(part, Text))

    @property
    def tool_uses(self) -> list[ToolUse]:
        return [part for part in self.parts if isinstance(part, ToolUse)]

    @property
    def thinkings(self) -> list[Thinking]:
        return [part for part in self.parts if isinstance(part, Thinking)]


class RefusedError(Exception):
    """What the real provider would refuse: with `status`, and `message` in the format's error body."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.status = message, status


def words(text: str) -> tuple[str, ...]:
    """Cut `text` after each space, as tokens come."""
    return tuple(piece for piece in text.replace(" ", " \0").split("\0") if piece)
