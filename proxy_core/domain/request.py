"""The neutral request."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from proxy_core.domain.base import DomainModel, Extras, Lossy
from proxy_core.domain.content import Part, TextPart, ToolKind

Role = Literal["system", "user", "assistant"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Message(DomainModel):
    """One turn, or a piece of one. Results of tools stand in messages of role `user`."""

    role: Role
    content: list[Part]
    name: str | None = None
    extras: Extras = {}

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


class Tool(DomainModel):
    """A tool the client offers. `parameters` is a JSON Schema.

    `kind` is `function`, `custom` (free-text input), or `native`: a tool only the format `native_format` knows,
    described whole in `native`.
    """

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    kind: ToolKind | Literal["native"] = "function"
    native_format: str | None = None
    native: dict[str, Any] | None = None
    extras: Extras = {}


class ToolChoice(DomainModel):
    """`mode` is `auto`, `none`, `required` (any tool) or `tool` (the one called `name`). `allowed` narrows `auto` and
    `required` to the tools of these names; empty means all."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str | None = None
    kind: ToolKind = "function"
    allowed: list[str] = []


class ReasoningSettings(DomainModel):
    """How much the model should think.

    `mode` is `off`, `on` (with `budget_tokens` and/or `effort`) or `adaptive` (the model decides, guided by `effort`).
    None leaves it to the provider. `visible` tells whether the client wants to read the thinking; None, that it did not
    say.
    """

    mode: Literal["off", "on", "adaptive"] | None = None
    effort: Effort | None = None
    budget_tokens: int | None = None
    visible: bool | None = None
    extras: Extras = {}


class ResponseFormat(DomainModel):
    """`json_object` is any JSON; `json_schema` is JSON that satisfies `schema`."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class DomainRequest(Lossy, kw_only=True):
    """A chat request in no provider's dialect.

    `stop`, penalties and probabilities have the meaning (and ranges) of Chat Completions. `include_usage` tells
    whether a streamed answer in Chat Completions format ends with a usage chunk. `dropped` collects what a target
    format could not carry; with `strict_translation` anything in it refuses the request.

    `native_only` names fields that no other format than the client's own can honour, and that must not be left out
    either (`previous_response_id`): a backend of another format refuses the request.
    """

    model: str
    messages: list[Message]
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    n: int | None = None
    reasoning: ReasoningSettings | None = None
    response_format: ResponseFormat | None = None
    stream: bool = False
    include_usage: bool = False
    user: str | None = None
    metadata: dict[str, Any] | None = None
    source_format: str | None = None
    native_only: list[str] = []
    strict_translation: bool = False
    extras: Extras = {}

    def with_model(self, model: str) -> DomainRequest:
        """A shallow copy for `model`, with a report of its own."""
        return msgspec.structs.replace(self, model=model, dropped=list(self.dropped))


class ChatMessage(dict[str, Any]):
    """A message as Chat Completions spells it: a dict, ready for JSON, whose keys are attributes too.

    This is what a connector gets as `processed_messages`: `payload["messages"] = processed_messages` is right, and
    so is `[message.model_dump() for message in processed_messages]`.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"this message has no {name!r}") from None

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """A plain dict; pydantic's keyword arguments are accepted and ignored."""
        return dict(self)
