"""A request on its way to Gemini, and the record of what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy_core.domain.base import Extras
from proxy_core.domain.content import ToolCallPart
from proxy_core.domain.request import DomainRequest
from proxy_core.formats import losses
from proxy_core.formats.fields import Json
from proxy_core.formats.gemini.fields import FORMAT, own_fields


@dataclass(frozen=True, slots=True)
class Target:
    """The request, and the calls of its history by their ids, in order."""

    request: DomainRequest
    calls: dict[str, ToolCallPart] = field(default_factory=dict)

    @classmethod
    def of(cls, request: DomainRequest) -> Target:
        """The target for a request."""
        parts = (part for message in request.messages for part in message.content)
        return cls(request, {part.id: part for part in parts if isinstance(part, ToolCallPart)})

    @property
    def same_format(self) -> bool:
        """Whether a Gemini client wrote the request, so that nothing may change."""
        return self.request.source_format == FORMAT

    def own(self, extras: Extras) -> Json:
        """Our own wire fields; those of other formats are recorded as dropped."""
        if not extras:
            return {}
        self.request.drop(*losses.of_foreign(extras, FORMAT))
        return own_fields(extras)
