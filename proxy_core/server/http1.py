"""HTTP/1.1 towards clients: uvicorn's protocol, with the bounds on a request's head and trailers that it lacks.

Its parser buffers a header until its end has come, however long that is and however long it takes, and before anybody
has asked for a key. The configured limits are checked later, on whole heads; these keep the process from falling over.
Nobody wants trailers: they are read over.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy_core.server.cork import CorkedTransport


class HttpProtocol(HttpToolsProtocol):
    """One connection; heads and trailers that are too long or too slow end it."""

    #: Also for trailers, and for the size line of a chunk. Well above any `server.max_header_bytes` that makes sense.
    max_head_bytes: ClassVar[int] = 1024 * 1024
    #: For the whole head to arrive; as long again for the trailers.
    head_seconds: ClassVar[float] = 15.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._in_body = False
        self._unclaimed = 0  # bytes that have come since a head, a piece of a body or a message was complete
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(cast(asyncio.Transport, CorkedTransport(transport)))
        self._deadline = self.loop.call_later(self.head_seconds, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._drop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unclaimed += len(data)
        super().data_received(data)
        if self._unclaimed or self._in_head:
            self._check_unclaimed()

    def _check_unclaimed(self) -> None:
        if self._unclaimed > self.max_head_bytes:
            self._refuse()
        elif self._deadline is None and (self._in_head or self._in_body):
            self._deadline = self.loop.call_later(self.head_seconds, self.transport.close)

    def _refuse(self) -> None:
        if self._in_head and not self.transport.is_closing():
            self.send_400_response("The request's head is too long.")
        else:
            self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._claim()
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """What follows is a piece of the body, or the trailers."""
        self._claim()

    def on_body(self, body: bytes) -> None:
        self._claim()
        super().on_body(body)

    def on_chunk_complete(self) -> None:
        """The line end after a piece of the body; the next one may take its time."""
        self._claim()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._claim()
        super().on_message_complete()

    def _claim(self) -> None:
        self._unclaimed = 0
        self._drop_deadline()

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
