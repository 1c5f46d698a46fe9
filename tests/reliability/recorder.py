"""The plainest of providers: keeps each request, and answers with the bytes it was told."""

import asyncio
from typing import Self

from tests.fault_upstream.http1 import take_request


class Recorder:
    """Listens on loopback. Set `answer` to the writes of the next response; `received` is the last request's body,
    and `target` what it was sent to."""

    def __init__(self) -> None:
        self.answer: list[bytes] = []
        self.received = b""
        self.target = ""
        self.port = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._inbox = recorder, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        if request := take_request(self._inbox):
            self._recorder.received, self._recorder.target = request.body, request.path
            self._write(list(self._recorder.answer))

    def _write(self, writes: list[bytes]) -> None:
        """Each write in a turn of its own, so that they arrive apart."""
        self._transport.write(writes.pop(0))
        if writes:
            asyncio.get_running_loop().call_soon(self._write, writes)
