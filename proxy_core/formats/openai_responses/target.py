"""A request on its way to a Responses upstream, and the record of what was left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from proxy_core.domain.base import Extras
from proxy_core.domain.content import NativePart, Part, ToolCallPart
from proxy_core.domain.request import DomainRequest
from proxy_core.formats import losses
from proxy_core.formats.openai.dialect import names_of
from proxy_core.formats.openai_responses.fields import FORMAT, own_fields


@dataclass(frozen=True, slots=True)
class Target:
    """What the request says, and which of the calls in it are of free-text tools."""

    request: DomainRequest
    free_text_calls: frozenset[str]

    @classmethod
    def of(cls, request: DomainRequest) -> Target:
        """The target of a request."""
        calls = (part for message in request.messages for part in message.content if isinstance(part, ToolCallPart))
        return cls(request, frozenset(part.id for part in calls if part.kind == "custom"))

    @property
    def same_format(self) -> bool:
        """Whether a Responses client wrote the request, so that nothing may change."""
        return self.request.source_format == FORMAT

    def own(self, extras: Extras) -> dict[str, Any]:
        """Our own wire fields; those of other formats are recorded as dropped."""
        if not extras:
            return {}
        self.request.drop(*losses.of_foreign(extras, FORMAT))
        return own_fields(extras)

    def note_dropped(self, parts: Iterable[Part]) -> None:
        """Record parts that have no place where they stand, and what they carried."""
        for part in parts:
            self.request.drop(*names_of(part))
            if not isinstance(part, NativePart):
                self.own(part.extras)
