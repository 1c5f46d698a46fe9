"""What a backend hands back: an answer, or a stream of pieces, with the upstream's status and headers."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from proxy_core.domain.response import DomainResponse, Usage
from proxy_core.domain.stream import StreamChunk

#: `bytes` is the client's own format, ready to send: only `LLMBackend.passthrough` may return it.
StreamContent: TypeAlias = StreamChunk | list[StreamChunk] | dict[str, Any] | bytes
CancelCallback: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class ResponseEnvelope:
    """A whole answer. `content` is a `DomainResponse`, its `model_dump()`, or (passthrough) the client's bytes.

    `headers` are the upstream's; the host passes on only those on its allow-list.
    """

    content: DomainResponse | dict[str, Any] | bytes
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    usage: Usage | dict[str, Any] | None = None


@dataclass(slots=True)
class ProcessedResponse:
    """One piece of a stream: a `StreamChunk`, its `model_dump()`, or a list of chunks that arrived together."""

    content: StreamContent
    usage: Usage | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class StreamingResponseEnvelope(abc.ABC):
    """An async iterator of `ProcessedResponse`. `cancel_callback` closes the upstream at once; it is called when the
    client leaves, and may be called more than once."""

    status_code: int = 200
    headers: Mapping[str, str]
    cancel_callback: CancelCallback | None = None

    @abc.abstractmethod
    def __aiter__(self) -> AsyncIterator[ProcessedResponse]:
        """The pieces, in order."""


@dataclass(slots=True)
class StreamingResponseHandle(StreamingResponseEnvelope):
    """The ready-made `StreamingResponseEnvelope`."""

    iterator: AsyncIterator[ProcessedResponse]
    cancel_callback: CancelCallback | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status_code: int = 200

    def __aiter__(self) -> AsyncIterator[ProcessedResponse]:
        return self.iterator
