"""What one request has open upstream.

A connector that reads half a response and drops it would keep its socket until the upstream tires of it; whatever a
connector opened through our client is closed when the request it did so for has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

_closers: ContextVar[list[Callable[[], None]] | None] = ContextVar("llm_proxy_open_responses", default=None)


class RequestScope:
    """Collects, in the task that makes it and those it starts, how to close what is opened from now on."""

    __slots__ = ("_closers",)

    def __init__(self) -> None:
        self._closers: list[Callable[[], None]] = []
        _closers.set(self._closers)

    def close(self) -> None:
        """Close everything; what has been read to its end is not affected."""
        for close in self._closers:
            close()
        self._closers.clear()


def on_request_end(close: Callable[[], None]) -> None:
    """Have `close` called when the current request ends; nothing outside of requests."""
    if (closers := _closers.get()) is not None:
        closers.append(close)
