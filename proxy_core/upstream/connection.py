"""One pooled connection, with two things that aiohttp's own does not tell apart, and a cheaper read timeout.

Upstreams close idle connections, and now and then just as the next request is on its way. That request may go out
again: nobody has begun to answer it. One that dies later, or on a fresh connection, may have been worked on.

What an upstream sends while nobody waits for an answer would pass for the answer to the next request, whoever made it.
"""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

#: A connection that was closed while idle says so within a round trip; what dies later died of something else.
STALE_SECONDS = 1.0


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A connection that had carried a request before ended at once, without a byte of an answer to the next one."""


class PooledConnection(ResponseHandler):
    """aiohttp's client protocol; raises `StaleConnectionError`, and is not handed out again after stray bytes."""

    _requests = 0
    _answered = False  # a byte of an answer has come
    _final = False  # the head of the answer has come, beyond any `100 Continue` or `103 Early Hints`
    _asked_at = 0.0
    _active_at = 0.0

    def set_response_params(self, **params: Any) -> None:  # called once for each request
        self._requests += 1
        self._answered = self._final = False
        self._asked_at = self._loop.time()
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if data and self._final and (self._payload is None or self._payload.is_eof()):
            self.force_close()  # the answer was over
        self._answered = True
        super().data_received(data)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:  # once for each head
        self._final = data[0].code >= 200
        super().feed_data(data, size)

    def is_connected(self) -> bool:  # what the pool asks before it hands out a connection
        return super().is_connected() and not self.should_close

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(StaleConnectionError(str(exc)) if self._is_stale(exc) else exc, *cause)

    def start_timeout(self) -> None:
        self._drop_timeout()
        self._reschedule_timeout()

    def _reschedule_timeout(self) -> None:
        """aiohttp cancels and makes a timer at every read; this one rings once, and looks at the clock then."""
        self._active_at = self._loop.time()
        if self._read_timeout and self._read_timeout_handle is None:
            self._read_timeout_handle = self._loop.call_later(self._read_timeout, self._on_read_timeout)

    def _on_read_timeout(self) -> None:
        silence = self._loop.time() - self._active_at
        if self._read_timeout and silence < self._read_timeout:
            self._read_timeout_handle = self._loop.call_later(self._read_timeout - silence, self._on_read_timeout)
        else:
            self._read_timeout_handle = None
            super()._on_read_timeout()

    def _is_stale(self, error: BaseException) -> bool:
        return (
            self._requests > 1
            and not self._answered
            and isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
            and self._loop.time() - self._asked_at < STALE_SECONDS
        )
