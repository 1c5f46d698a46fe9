"""The neutral answer."""

from __future__ import annotations

from typing import Any, Literal

from proxy_core.domain.base import DomainModel, Extras, Lossy
from proxy_core.domain.content import Part, TextPart, ToolCallPart

#: `pause`: a long server-side turn stopped on purpose; `error`: the provider gave up. The provider's own word is in
#: `native_finish_reason` whenever the neutral one says less.
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error"]


class Usage(DomainModel):
    """Tokens of one call. Totals include their parts: cached tokens are within `input_tokens`, reasoning within
    `output_tokens`. None means the provider did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    extras: Extras = {}

    @property
    def total_tokens(self) -> int:
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    def merge(self, later: Usage) -> Usage:
        """Both reports of one call in one. Reports within a stream are running totals, so the larger count holds."""
        return Usage(
            input_tokens=_larger(self.input_tokens, later.input_tokens),
            output_tokens=_larger(self.output_tokens, later.output_tokens),
            cache_read_tokens=_larger(self.cache_read_tokens, later.cache_read_tokens),
            cache_write_tokens=_larger(self.cache_write_tokens, later.cache_write_tokens),
            reasoning_tokens=_larger(self.reasoning_tokens, later.reasoning_tokens),
            extras=_joined(self.extras, later.extras) if later.extras else self.extras,
        )


def _larger(one: int | None, other: int | None) -> int | None:
    """Some providers report on every event of a stream, so this must be quick."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _joined(extras: Extras, later: Extras) -> Extras:
    return {name: {**extras.get(name, {}), **later.get(name, {})} for name in {**extras, **later}}


class ErrorInfo(DomainModel):
    """An error as an upstream put it. `status` is the HTTP status it came with or stands for, `retry_after` seconds."""

    message: str
    type: str | None = None
    code: str | None = None
    param: str | None = None
    status: int | None = None
    retry_after: float | None = None


class Choice(DomainModel):
    """One candidate answer. `logprobs` keeps the Chat Completions shape."""

    content: list[Part] = []
    index: int = 0
    finish_reason: FinishReason | None = None
    native_finish_reason: str | None = None
    stop_sequence: str | None = None
    logprobs: dict[str, Any] | None = None
    extras: Extras = {}


class DomainResponse(Lossy):
    """A whole answer. `created` is a Unix time in seconds. `error` is set when the upstream sent an error body instead.
    `dropped` collects what the client's format could not show."""

    id: str | None = None
    model: str | None = None
    created: int | None = None
    choices: list[Choice] = []
    usage: Usage | None = None
    error: ErrorInfo | None = None
    extras: Extras = {}

    @property
    def content(self) -> list[Part]:
        """The parts of the first choice."""
        return self.choices[0].content if self.choices else []

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the first choice ended."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def text(self) -> str:
        """The text of the first choice."""
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def tool_calls(self) -> list[ToolCallPart]:
        """The tool calls of the first choice."""
        return [part for part in self.content if isinstance(part, ToolCallPart)]
