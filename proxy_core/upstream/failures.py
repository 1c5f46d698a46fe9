"""What goes wrong on the network, in the words of aiohttp, httpx, and our own error tree."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping

import aiohttp
import httpx

from proxy_core.errors import (
    BackendError,
    BackendTimeoutError,
    ConfigurationError,
    LLMProxyError,
    ServiceUnavailableError,
    error_class_for_status,
)
from proxy_core.upstream.retry_after import parse_retry_after

# The first row that fits counts.
_AIOHTTP_TO_HTTPX: tuple[tuple[type[Exception], type[httpx.RequestError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (asyncio.TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
    (OSError, httpx.ReadError),
)

_HTTPX_TO_OURS: tuple[tuple[type[Exception], type[LLMProxyError], str, str], ...] = (
    (httpx.ConnectTimeout, ServiceUnavailableError, "upstream_unreachable", "no connection in time"),
    (httpx.PoolTimeout, ServiceUnavailableError, "upstream_busy", "no free connection in time"),
    (httpx.TimeoutException, BackendTimeoutError, "upstream_timeout", "no answer in time"),
    (httpx.ProxyError, ServiceUnavailableError, "upstream_unreachable", "the HTTP proxy refused the connection"),
    (httpx.ConnectError, ServiceUnavailableError, "upstream_unreachable", "no connection"),
    (httpx.UnsupportedProtocol, ConfigurationError, "invalid_base_url", "this is no http(s) URL"),
    (httpx.InvalidURL, ConfigurationError, "invalid_base_url", "this is no URL"),
    (httpx.RequestError, BackendError, "upstream_disconnected", "the connection broke"),
)

#: What the two libraries raise for failures of the network.
AIOHTTP_FAILURES = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
HTTPX_FAILURES = (httpx.RequestError, httpx.InvalidURL)


def httpx_error(error: Exception) -> httpx.RequestError:
    """The httpx exception for one of `AIOHTTP_FAILURES`."""
    kind = next(ours for theirs, ours in _AIOHTTP_TO_HTTPX if isinstance(error, theirs))
    return kind(str(error) or type(error).__name__)


def network_error(error: Exception, url: str) -> LLMProxyError:
    """Our error for one of `AIOHTTP_FAILURES` or `HTTPX_FAILURES`; names the host, never the query."""
    known = error if isinstance(error, HTTPX_FAILURES) else httpx_error(error)
    _, kind, code, what = next(row for row in _HTTPX_TO_OURS if isinstance(known, row[0]))
    reason = _reason(error)
    detail = f": {reason}" if reason else ""
    return kind(f"{_origin(url)}: {what}{detail}", code)


def _reason(error: Exception) -> str:
    """The system's own word for it ("Connection refused") where there is one, rather than a library's sentence."""
    system = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if not isinstance(system, OSError) or system.errno is None:
        return str(error)
    return os.strerror(system.errno) if system.errno in errno.errorcode else system.strerror or str(error)


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def status_error(message: str, code: str | None, status: int, headers: Mapping[str, str]) -> LLMProxyError:
    """Our error for an HTTP error status of an upstream; keeps the status and Retry-After. A redirect is the upstream's
    fault: it is never followed."""
    status = status if 400 <= status <= 599 else 502
    kind = error_class_for_status(status)
    return kind(message, code, status_code=status, retry_after=parse_retry_after(headers.get("retry-after")))
