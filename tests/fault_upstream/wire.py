"""One connection: requests in, the means to answer them (well or badly) out."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import cast

from tests.fault_upstream.http1 import LAST_CHUNK, Request, chunk, head, take_request
from tests.fault_upstream.log import Exchange

RESET_AT_ONCE = struct.pack("ii", 1, 0)
SETTLE = 0.02
"""Seconds between the last byte and a reset, so that the reset does not overtake it."""

Handler = Callable[["Wire", Request], Awaitable[None]]


class Wire(asyncio.Protocol):
    """A keep-alive connection that reads all the time, so that a peer who leaves is noticed at once."""

    def __init__(self, serial: int, handler: Handler) -> None:
        self.serial, self.carried = serial, 0
        self.exchange: Exchange | None = None
        self._handler, self._inbox = handler, bytearray()
        self._gone, self._writable = asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        self._closed_by_us = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        self._take_next()

    def eof_received(self) -> None:
        self._peer_left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._peer_left()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _take_next(self) -> None:
        if self._task is None and (request := take_request(self._inbox)):
            self._task = asyncio.get_running_loop().create_task(self._serve(request))

    async def _serve(self, request: Request) -> None:
        try:
            await self._handler(self, request)
        except ConnectionError:
            return  # the peer has left in the middle of it, and `connection_lost` is to say so
        except Exception:
            self.abort()
            raise
        self._task, self.carried = None, self.carried + 1
        if self.exchange and not self._gone.is_set():
            self.exchange.t_finished = time.monotonic()
        if ("connection", "close") in request.headers:
            await self.fin()
        self._take_next()

    def _peer_left(self) -> None:
        if self._gone.is_set():
            return
        self._gone.set()
        self._writable.set()
        if self.exchange and not self._closed_by_us:
            self.exchange.t_closed_by_peer = time.monotonic()
            self.exchange.aborted = self._task is not None
        if self._task:
            self._task.cancel()

    async def head(self, status: int, headers: dict[str, str]) -> None:
        """Send status line and headers."""
        await self.send(head(status, headers))

    async def event(self, frame: bytes) -> None:
        """Send one event as one chunk, and count it."""
        await self.chunk(frame)
        if self.exchange:
            self.exchange.events_written += 1

    async def chunk(self, data: bytes) -> None:
        """Send one chunk of a chunked body."""
        await self.send(chunk(data))

    async def last_chunk(self) -> None:
        """End a chunked body cleanly."""
        await self.send(LAST_CHUNK)

    async def send(self, data: bytes) -> None:
        """Write `data` in one go, let others run, and wait while the peer does not read."""
        if self._gone.is_set() or self._transport.is_closing():
            raise ConnectionResetError("the peer left")
        if self.exchange and self.exchange.t_first_byte is None:
            self.exchange.t_first_byte = time.monotonic()
        self._transport.write(data)
        await asyncio.sleep(0)
        await self._writable.wait()

    async def rst(self) -> None:
        """Reset the connection."""
        await asyncio.sleep(SETTLE)
        self._closed_by_us = True
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self._transport.abort()

    async def fin(self) -> None:
        """Close the connection in an orderly way, wherever the response is."""
        self._closed_by_us = True
        self._transport.close()

    async def idle(self) -> None:
        """Do nothing until the peer leaves."""
        await self._gone.wait()

    def abort(self) -> None:
        """Drop the connection because the upstream stops."""
        self._closed_by_us = True
        self._transport.abort()
