"""A request on its way to a Responses upstream, and the record of what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from proxy_core.domain.content import ToolCallPart
from proxy_core.domain.request import DomainRequest
from proxy_core.formats.openai.dialect import OpenAITarget
from proxy_core.formats.openai_responses.fields import FORMAT


@dataclass(frozen=True, slots=True)
class Target(OpenAITarget):
    """What the request says, and which of the calls in it are of free-text tools."""

    FORMAT: ClassVar[str] = FORMAT

    free_text_calls: frozenset[str]

    @classmethod
    def of(cls, request: DomainRequest) -> Target:
        """The target of a request."""
        calls = (part for message in request.messages for part in message.content if isinstance(part, ToolCallPart))
        return cls(request, frozenset(part.id for part in calls if part.kind == "custom"))
