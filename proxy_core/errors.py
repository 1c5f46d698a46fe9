"""Every error the product raises on purpose.

::

    LLMProxyError                    500
      ConfigurationError             500   the operator's file, options or installation
        PluginError                        a distribution that cannot be loaded or used
      InvalidRequestError            400   what the client sent
        LoopDetectedError            508   the request has already passed through a proxy of this kind
        ModelNotFoundError           404
        RequestTooLargeError         413
        ClientDisconnectedError      499   nobody is left to tell; for hooks and logs
      AuthenticationError            401
      PermissionDeniedError          403
      RateLimitError                 429
      BackendError                   502   what the upstream did
        ServiceUnavailableError      503
        BackendTimeoutError          504
        StreamInterruptedError       502   the answer was cut before its end

Errors climb as exceptions and become JSON in one place only (the server), in the format the client speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = [
    "AuthenticationError",
    "BackendError",
    "BackendTimeoutError",
    "ClientDisconnectedError",
    "ConfigurationError",
    "InvalidRequestError",
    "LLMProxyError",
    "LoopDetectedError",
    "ModelNotFoundError",
    "PermissionDeniedError",
    "PluginError",
    "RateLimitError",
    "RequestTooLargeError",
    "ServiceUnavailableError",
    "StreamInterruptedError",
    "error_class_for_status",
]


class LLMProxyError(Exception):
    """Base of the tree.

    `message` is for the person at the client; `code` is a stable machine-readable word; `status_code` is the HTTP
    status the client gets; `details` is free-form context (`type` and `param` are shown to clients where their
    format has a place for them); `retry_after` is in seconds. When an upstream answered with an error, `headers` are
    that answer's and `upstream_body` is its format and bytes.
    """

    default_status: ClassVar[int] = 500
    default_code: ClassVar[str | None] = "internal_error"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        *,
        status_code: int | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code if code is not None else self.default_code
        self.status_code = status_code if status_code is not None else self.default_status
        self.details: dict[str, Any] = dict(details or {})
        self.retry_after = retry_after
        self.headers: Mapping[str, str] = {}
        self.upstream_body: tuple[str, bytes] | None = None


class ConfigurationError(LLMProxyError):
    """The configuration or the installation is wrong; the message names the place and the way out."""

    default_code = "configuration_error"


class PluginError(ConfigurationError):
    """A plugin cannot be used; the message names its distribution and the reason."""

    default_code = "plugin_error"


class InvalidRequestError(LLMProxyError):
    """The client's request cannot be served as it stands."""

    default_status = 400
    default_code = "invalid_request"


class LoopDetectedError(InvalidRequestError):
    """The request carries the loop-guard header: a proxy of this kind already forwarded it."""

    default_status = 508
    default_code = "loop_detected"


class ModelNotFoundError(InvalidRequestError):
    """No configured backend answers to this model string."""

    default_status = 404
    default_code = "model_not_found"


class RequestTooLargeError(InvalidRequestError):
    """The body or the headers exceed a configured limit."""

    default_status = 413
    default_code = "request_too_large"


class ClientDisconnectedError(InvalidRequestError):
    """The client left before its answer was whole. Never sent; hooks and logs see it."""

    default_status = 499
    default_code = "client_disconnected"


class AuthenticationError(LLMProxyError):
    """A key is missing or wrong: the client's with us, or ours with the upstream."""

    default_status = 401
    default_code = "invalid_api_key"


class PermissionDeniedError(LLMProxyError):
    """The key is known but may not do this."""

    default_status = 403
    default_code = "permission_denied"


class RateLimitError(LLMProxyError):
    """Too many requests; `retry_after` is in seconds where it is known."""

    default_status = 429
    default_code = "rate_limit_exceeded"


class BackendError(LLMProxyError):
    """The upstream failed."""

    default_status = 502
    default_code = "backend_error"


class ServiceUnavailableError(BackendError):
    """The upstream cannot be reached, is overloaded, or is switched off."""

    default_status = 503
    default_code = "service_unavailable"


class BackendTimeoutError(BackendError):
    """The upstream did not answer in time."""

    default_status = 504
    default_code = "timeout"


class StreamInterruptedError(BackendError):
    """The stream ended before its terminal event; what the client holds is not a whole answer."""

    default_code = "stream_interrupted"


_BY_STATUS: dict[int, type[LLMProxyError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    413: RequestTooLargeError,
    429: RateLimitError,
    503: ServiceUnavailableError,
    504: BackendTimeoutError,
    508: LoopDetectedError,
    529: ServiceUnavailableError,
}


def error_class_for_status(status: int) -> type[LLMProxyError]:
    """The class that stands for an HTTP error status, upstream's or ours."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return InvalidRequestError if 400 <= status < 500 else BackendError
