"""How requests are spelled for the upstream at hand, and what is left out on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from proxy_core.domain.base import Extras
from proxy_core.domain.content import MediaPart, NativePart, Part, ReasoningPart, ToolCallPart, ToolResultPart
from proxy_core.domain.request import DomainRequest
from proxy_core.formats import losses
from proxy_core.formats.fields import own_fields
from proxy_core.formats.openai.fields import FORMAT


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where Chat Completions upstreams differ. The defaults are what most of them understand; a connector passes its
    own to `OpenAIFormat`, or changes the body in `prepare_payload`.

    - `max_tokens_field`: how a limit is spelled that a client of another format set (a Chat client's own spelling is
      kept). OpenAI's reasoning models want `max_completion_tokens`; most compatible servers know only `max_tokens`.
    - `off_effort`: the `reasoning_effort` for "do not think"; None leaves it out and records it.
    - `readable_origins`: whose signed or encrypted reasoning the upstream can read. A router that resells another
      provider's models may add that provider's format.
    - `wants_plain_reasoning`: send thinking that nobody signed back as `reasoning_content`, whichever client has it
      (DeepSeek and Kimi refuse a tool's result without it); by default only a Chat client's own choice counts.
    - `stream_usage`: ask for usage at the end of every stream.
    """

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    off_effort: str | None = "none"
    readable_origins: frozenset[str] = frozenset({FORMAT})
    wants_plain_reasoning: bool = False
    stream_usage: bool = True


_KINDS: dict[type, str] = {MediaPart: "media", ToolCallPart: "tool_call", ToolResultPart: "tool_result"}


@dataclass(frozen=True, slots=True)
class OpenAITarget:
    """A request on its way to an upstream of either of OpenAI's formats, and the record of what was left out."""

    FORMAT: ClassVar[str]

    request: DomainRequest

    @property
    def same_format(self) -> bool:
        """Whether a client of this format wrote the request, so that nothing may change."""
        return self.request.source_format == self.FORMAT

    def own(self, extras: Extras) -> dict[str, Any]:
        """Our own wire fields; those of other formats are recorded as dropped."""
        if not extras:
            return {}
        self.request.drop(*losses.of_foreign(extras, self.FORMAT))
        return own_fields(extras, self.FORMAT)

    def note_dropped(self, parts: Iterable[Part]) -> None:
        """Record parts that have no place where they stand, and what they carried."""
        for part in parts:
            self.request.drop(*names_of(part))
            if not isinstance(part, NativePart):
                self.own(part.extras)


@dataclass(frozen=True, slots=True)
class Target(OpenAITarget):
    """A request on its way to a Chat upstream, and how it is spelled there."""

    FORMAT: ClassVar[str] = FORMAT

    dialect: Dialect


def names_of(part: Part) -> list[str]:
    """The names for a part that stays behind, in either of OpenAI's formats."""
    if isinstance(part, NativePart):
        return losses.of_native(part)
    if isinstance(part, ReasoningPart):
        return losses.of_reasoning(part)
    return [f"messages.content.{_KINDS.get(type(part), 'text')}"]
