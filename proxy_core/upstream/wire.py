"""The fast lane: one request over the wire, on the shared aiohttp session when the client is ours, on httpx when not.

Both engines give the same small response object and raise the same errors of ours, so whoever uses them (`HTTPBackend`)
need not know which one it got.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Protocol

import aiohttp
import httpx
from yarl import URL

from proxy_core.errors import BackendError
from proxy_core.upstream.client import Engine, UpstreamClient, release
from proxy_core.upstream.failures import AIOHTTP_FAILURES, HTTPX_FAILURES, network_error

#: A whole (not streamed) answer may not be longer than this.
MAX_BODY_BYTES = 64 * 1024 * 1024


class WireResponse(Protocol):
    """An answer whose headers have come."""

    status: int
    headers: Mapping[str, str]

    def reads(self) -> AsyncIterator[bytes]:
        """The body, in pieces as the network delivers them."""

    async def aclose(self) -> None:
        """Close the connection at once unless the body has been read to its end; may be called any time, and again."""


class Wire(Protocol):
    """An engine that sends requests."""

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> WireResponse:
        """Send a request and wait for the answer's headers; raises `BackendError` and its kind."""


async def read_body(response: WireResponse, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body; the connection is free for the next request afterwards."""
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in response.reads():
            size += len(piece)
            if size > limit:
                raise BackendError(f"the upstream's answer is longer than {limit} bytes", code="answer_too_large")
            pieces.append(piece)
    finally:
        await response.aclose()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def wire_for(client: httpx.AsyncClient) -> Wire:
    """The fastest engine that respects how `client` was made."""
    return AiohttpWire(client.engine) if isinstance(client, UpstreamClient) else HttpxWire(client)


class AiohttpWire:
    """Straight to the shared session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> WireResponse:
        engine = self._engine
        try:
            response = await engine.request(
                method,
                _parsed(url),
                headers=headers,
                data=body,
                proxy=engine.proxy_for(url),
            )
        except AIOHTTP_FAILURES as error:
            raise network_error(error, url) from error
        if (connection := response.connection) is not None and connection.protocol is not None:
            connection.protocol.read_timeout = engine.timeouts.idle
            connection.protocol.start_timeout()
        return AiohttpWireResponse(response, url)


@lru_cache(maxsize=256)
def _parsed(url: str) -> URL:
    return URL(url, encoded=True)


class AiohttpWireResponse:
    """An aiohttp response as a `WireResponse`."""

    __slots__ = ("_response", "_url", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, url: str) -> None:
        self._response = response
        self._url = url
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def reads(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while data := await content.readany():
                yield data
        except AIOHTTP_FAILURES as error:
            raise network_error(error, self._url) from error

    async def aclose(self) -> None:
        release(self._response)


class HttpxWire:
    """Plain httpx, for clients that are not ours: a test's `MockTransport`, say."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> WireResponse:
        request = self._client.build_request(method, url, headers=dict(headers), content=body)
        try:
            return HttpxWireResponse(await self._client.send(request, stream=True), url)
        except HTTPX_FAILURES as error:
            raise network_error(error, url) from error


class HttpxWireResponse:
    """An httpx response as a `WireResponse`."""

    __slots__ = ("_response", "_url", "headers", "status")

    def __init__(self, response: httpx.Response, url: str) -> None:
        self._response = response
        self._url = url
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    async def reads(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._response.aiter_bytes():
                yield data
        except HTTPX_FAILURES as error:
            raise network_error(error, self._url) from error

    async def aclose(self) -> None:
        await self._response.aclose()
