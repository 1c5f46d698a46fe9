"""One streamed response to a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Send

RawHeaders = list[tuple[bytes, bytes]]


class ClientStream:
    """Sends a stream to one client. The response begins with the first bytes written.

    After `interval` seconds of silence `keep_alive` is sent, so that no hop on the way takes the stream for dead; if
    that happens before the first bytes, the response begins with it, and a later error can only be told inside
    the stream.
    """

    def __init__(self, send: Send, headers: Callable[[], RawHeaders], interval: float, keep_alive: bytes) -> None:
        self._send = send
        self._headers = headers
        self._interval = interval
        self._keep_alive = keep_alive
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._writing = False
        self._comment: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(interval, self._tick)
        self.started = False
        self.ended = False

    async def write(self, data: bytes, last: bool = False) -> None:
        """Send bytes at once; with `last`, end the response."""
        if self._comment is not None:
            await self._comment
            self._comment = None
        await self._write(data, last)

    async def _write(self, data: bytes, last: bool = False) -> None:
        if self.ended:
            return
        self._writing = True
        self._last = self._loop.time()
        if not self.started:
            self.started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers()})
        self.ended = last
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})
        self._writing = False

    def close(self) -> None:
        """Stop the keep-alive."""
        self._timer.cancel()
        if self._comment is not None:
            self._comment.cancel()

    def _tick(self) -> None:
        silence = self._loop.time() - self._last
        if silence >= self._interval and not self._writing:
            self._comment = self._loop.create_task(self._write(self._keep_alive))
            silence = 0.0
        self._timer = self._loop.call_later(max(self._interval - silence, 0.01), self._tick)
