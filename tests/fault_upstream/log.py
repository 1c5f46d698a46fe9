"""What the upstream saw, and when."""

import asyncio
import json
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.fault_upstream.http1 import Request

POLL = 0.002


@dataclass
class Exchange:
    """One request and what became of it; times are `time.monotonic()`.

    `aborted`: the peer left before the answer was complete. `reused`: the connection had carried one before.
    """

    request: Request
    model: str
    connection: int
    reused: bool
    t_received: float
    t_first_byte: float | None = None
    t_finished: float | None = None
    t_closed_by_peer: float | None = None
    events_written: int = 0
    aborted: bool = False

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def body(self) -> bytes:
        return self.request.body

    @cached_property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name; the last of equal names wins."""
        return dict(self.request.headers)

    @cached_property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to this exchange."""
        return self.t_finished is not None or self.t_closed_by_peer is not None


class Log(deque[Exchange]):
    """The newest exchanges of all connections, oldest first."""

    def of(self, model: str) -> list[Exchange]:
        """The exchanges with this model name, oldest first."""
        return [exchange for exchange in tuple(self) if exchange.model == model]

    async def until(
        self, model: str, happened: Callable[[Exchange], object], within: float = 5, count: int = 1
    ) -> Exchange:
        """Wait for `count` exchanges of `model` to which something happened, and return the last of them."""
        for _ in range(math.ceil(within / POLL)):
            if found := self._found(model, happened, count):
                return found
            await asyncio.sleep(POLL)
        raise self._too_late(model, within)

    def until_sync(
        self, model: str, happened: Callable[[Exchange], object], within: float = 5, count: int = 1
    ) -> Exchange:
        """`until` for a test without an event loop, when the upstream runs in a thread."""
        for _ in range(math.ceil(within / POLL)):
            if found := self._found(model, happened, count):
                return found
            time.sleep(POLL)
        raise self._too_late(model, within)

    def _found(self, model: str, happened: Callable[[Exchange], object], count: int) -> Exchange | None:
        matching = [exchange for exchange in self.of(model) if happened(exchange)]
        return matching[count - 1] if len(matching) >= count else None

    def _too_late(self, model: str, within: float) -> TimeoutError:
        return TimeoutError(f"waited {within} s; the exchanges with {model!r} are {self.of(model)}")
