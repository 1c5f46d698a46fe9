"""Whatever a connector raises, as an error of ours."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection, Mapping
from traceback import format_exception

import structlog

from proxy_core.domain.response import ErrorInfo
from proxy_core.errors import BackendError, LLMProxyError
from proxy_core.redaction import redacted

log = structlog.get_logger("llm_proxy.gateway")


def error_from_info(info: ErrorInfo | None, status: int, headers: Mapping[str, str]) -> LLMProxyError:
    """The error for an error body, or for an error status without one."""
    from proxy_core.upstream.failures import status_error

    status = status if status >= 400 else (info and info.status) or 502
    if info is None:
        return status_error(f"the upstream answered with status {status}", None, status, headers)
    error = status_error(info.message, info.code, status, headers)
    if error.retry_after is None:  # the header is exact, the body's words are not
        error.retry_after = info.retry_after
    error.details.update({"type": info.type, "param": info.param})
    return error


def is_failure(error: BaseException) -> bool:
    """Whether a connector failed: not so when it is we who are cancelled, or the process that ends."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    return isinstance(error, Exception | SystemExit)


def as_proxy_error(error: BaseException, backend: str, secrets: Collection[str]) -> LLMProxyError:
    """Errors of ours as they are, httpx's by their meaning, anything else as the connector's fault; fit to be shown."""
    return without_secrets(_known(error) or _connectors_fault(error, backend, secrets), secrets)


def _known(error: BaseException) -> LLMProxyError | None:
    if isinstance(error, LLMProxyError):
        return error
    return _httpx_error(error) if "httpx" in sys.modules else None


def _connectors_fault(error: BaseException, backend: str, secrets: Collection[str]) -> BackendError:
    log.error("a connector failed", backend=backend, exception=redacted("".join(format_exception(error)), secrets))
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return BackendError(f"the connector of backend {backend!r} failed: {what}", code="connector_failed")


def without_secrets(error: LLMProxyError, secrets: Collection[str]) -> LLMProxyError:
    """The same error, fit to be shown and logged."""
    error.message = redacted(error.message, secrets)
    error.args = (error.message,)
    if error.upstream_body is not None:
        name, body = error.upstream_body
        for secret in secrets:
            body = body.replace(secret.encode(), b"****")
        error.upstream_body = (name, body)
    return error


def _httpx_error(error: BaseException) -> LLMProxyError | None:
    import httpx

    from proxy_core.upstream.failures import HTTPX_FAILURES, network_error, status_error

    if isinstance(error, httpx.HTTPStatusError):
        response = error.response
        reason = response.text[:500] if response.is_closed and response.is_stream_consumed else ""
        message = reason or f"the upstream answered with status {response.status_code}"
        return status_error(message, None, response.status_code, response.headers)
    if isinstance(error, HTTPX_FAILURES):
        return network_error(error, _url_of(error))
    return None


def _url_of(error: Exception) -> str:
    try:
        return str(error.request.url)  # type: ignore[attr-defined]  # httpx raises RuntimeError when it was never set
    except (AttributeError, RuntimeError):
        return "the upstream"
