"""The client that connectors are handed: httpx to look at, aiohttp underneath.

httpx 0.28 spends four times the CPU of aiohttp on a request and leaks pool slots when it is cancelled
(encode/httpcore#1093); its API is what everybody knows. So each backend gets an `httpx.AsyncClient` of its own whose
transport runs on one aiohttp session that all share.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict
from yarl import URL

from proxy_core.config import TimeoutConfig
from proxy_core.upstream.connection import PooledConnection, StaleConnectionError
from proxy_core.upstream.failures import AIOHTTP_FAILURES, httpx_error
from proxy_core.upstream.headers import LOOP_GUARD_HEADER
from proxy_core.upstream.scope import on_request_end

#: Idle connections are closed before the usual 60 s of servers and balancers, so that few requests meet a dead one.
KEEP_ALIVE_SECONDS = 30.0

#: aiohttp holds up to twice this for a client that does not read; its own default comes to half a megabyte.
READ_BUFFER_BYTES = 64 * 1024
MAX_HEADER_BYTES = 64 * 1024


class Engine:
    """One aiohttp session for the whole process, made on first use inside the running loop.

    No limit on connections: each origin has its own pool, and one slow origin must not hold up the others. No cookies,
    no redirects, no `.netrc`; proxies come from the usual environment variables.
    """

    def __init__(self, timeouts: TimeoutConfig) -> None:
        self.timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[str, str | None] = {}

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._open()
        return self._session

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0, ssl=httpx.create_ssl_context(), keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=60
        )
        protocol: type[ResponseHandler] = PooledConnection
        # aiohttp has no public way to choose the protocol.
        connector._factory = partial(protocol, loop=asyncio.get_running_loop())  # noqa: SLF001
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=self.timeouts.total, sock_connect=self.timeouts.connect, sock_read=self.timeouts.first_byte
            ),
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )

    async def request(self, method: str, url: URL, *, data: Any, **options: Any) -> aiohttp.ClientResponse:
        """`ClientSession.request` without redirects; sent once more for each connection it meets that had died idle.

        After a burst the pool may be full of those. A fresh connection never is one, so it ends there at the latest.
        """
        options["allow_redirects"] = False
        while True:
            try:
                return await self.session.request(method, url, data=data, **options)
            except StaleConnectionError:
                if data is not None and not isinstance(data, bytes):
                    raise

    def proxy_for(self, url: str) -> str | None:
        """The proxy that the environment names for a URL, looked up once per origin."""
        origin = "/".join(url.split("/", 3)[:3])
        if origin not in self._proxies:
            self._proxies[origin] = env_proxy(origin)
        return self._proxies[origin]

    def client(self) -> UpstreamClient:
        """A client for one backend: own headers and hooks, shared connections."""
        return UpstreamClient(self)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def env_proxy(origin: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for an origin (`https://host:port`)."""
    url = urlsplit(origin)
    if urllib.request.proxy_bypass(url.netloc):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


def release(response: aiohttp.ClientResponse) -> None:
    """Give the connection back to its pool if the body has been read to its end; else close it, at once.

    Synchronous on purpose: nothing, a second cancellation least of all, can come in between.
    """
    if response.content.at_eof() and response.content.exception() is None:
        response.release()
    else:
        response.close()


class UpstreamClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` on the shared engine. Marks every request with the loop guard; follows no redirects."""

    def __init__(self, engine: Engine) -> None:
        timeouts = engine.timeouts
        super().__init__(
            transport=EngineTransport(engine),
            headers={LOOP_GUARD_HEADER: "1", "accept-encoding": "identity"},
            timeout=httpx.Timeout(timeouts.first_byte, connect=timeouts.connect),
        )
        self.engine = engine
        self.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # one caller's are no other's


class EngineTransport(httpx.AsyncBaseTransport):
    """httpx requests on the engine's session, with httpx's exceptions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _httpx_errors():
            response = await self._engine.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=CIMultiDict(request.headers.multi_items()),
                data=_content(request),
                skip_auto_headers=_AUTO_HEADERS,
                auto_decompress=False,
                proxy=self._engine.proxy_for(str(request.url)),
                timeout=_timeout(request),
            )
        on_request_end(partial(release, response))
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response), request=request)


# httpx sets its own.
_AUTO_HEADERS = frozenset({"accept", "accept-encoding", "user-agent", "content-type"})


def _content(request: httpx.Request) -> bytes | AsyncIterator[bytes] | None:
    try:
        return request.content or None
    except httpx.RequestNotRead:
        request.headers.pop("transfer-encoding", None)  # aiohttp sets it
        return aiter(cast(httpx.AsyncByteStream, request.stream))


def _timeout(request: httpx.Request) -> aiohttp.ClientTimeout:
    limits = request.extensions.get("timeout", {})
    return aiohttp.ClientTimeout(
        total=None, connect=limits.get("pool"), sock_connect=limits.get("connect"), sock_read=limits.get("read")
    )


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except AIOHTTP_FAILURES as error:
        raise httpx_error(error) from error


class _Body(httpx.AsyncByteStream):
    """The body as it arrives. Closing it closes the connection, unless it was read to its end."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            while data := await self._response.content.readany():
                yield data

    async def aclose(self) -> None:
        release(self._response)
