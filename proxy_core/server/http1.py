"""HTTP/1.1 towards clients: uvicorn's protocol, with the bounds on a request's head that it lacks.

Its parser buffers a header until its end has come, however long that is and however long it takes, and before anybody
has asked for a key. The configured limits are checked later, on whole heads; these keep the process from falling over.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy_core.server.cork import CorkedTransport


class HttpProtocol(HttpToolsProtocol):
    """One connection; heads that are too long or too slow end it."""

    #: Well above any `server.max_header_bytes` that makes sense.
    max_head_bytes: ClassVar[int] = 1024 * 1024
    #: For the whole head to arrive.
    head_seconds: ClassVar[float] = 15.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(cast(asyncio.Transport, CorkedTransport(transport)))
        self._deadline = self.loop.call_later(self.head_seconds, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._drop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            self._check_head()

    def _check_head(self) -> None:
        if self._head_bytes > self.max_head_bytes:
            self.send_400_response("The request's head is too long.")
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self.transport.close)

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._drop_deadline()
        super().on_headers_complete()

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
