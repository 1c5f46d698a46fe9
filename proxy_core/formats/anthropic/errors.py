"""Error bodies, both ways. https://docs.claude.com/en/api/errors (2026-11)"""

from __future__ import annotations

from typing import Any

from proxy_core.domain.response import ErrorInfo
from proxy_core.formats.fields import Json, text_or_none
from proxy_core.formats.pages import visible_text

#: What each type stands for where no HTTP status came with it (inside a stream).
STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
#: 503 is none of Anthropic's statuses; "temporarily overloaded" is what tells its clients to come back later.
_TYPE_OF_STATUS = {status: name for name, status in STATUS_OF_TYPE.items()} | {503: "overloaded_error"}

#: What clients act on, by the field that is refused. A conversation that Anthropic was to hold is then sent whole (the
#: `thread` of anthropic 2.14's tool runner, 2026-11).
_DETAILS: dict[str | None, Json] = {
    "thread": {"error_code": "thread_unsupported_request", "unsupported": []},
}


def decode_error(body: Any, status: int | None) -> ErrorInfo:
    """The error that a body tells of, whatever its shape; `status` is None where none came with it."""
    if not isinstance(body, dict):
        return ErrorInfo(message=_readable(body, status), status=status)
    error = body.get("error")
    if not isinstance(error, dict):
        error = {"message": error} if isinstance(error, str) else body
    kind = text_or_none(error.get("type"))
    return ErrorInfo(
        message=_first_text(error, "message", "detail", "error_message") or _readable(None, status),
        type=None if kind == "error" else kind,
        code=_code(error),
        param=text_or_none(error.get("param")),
        status=status if status is not None else STATUS_OF_TYPE.get(kind or "", 500),
    )


def _first_text(source: Json, *keys: str) -> str | None:
    return next((text for key in keys if (text := text_or_none(source.get(key)))), None)


def _code(error: Json) -> str | None:
    details = error.get("details")
    stable = text_or_none(details.get("error_code")) if isinstance(details, dict) else None
    code = error.get("code")
    return stable or (str(code) if isinstance(code, str | int) else None)


def _readable(body: Any, status: int | None) -> str:
    text = visible_text(body) if isinstance(body, str) else ""
    return text or (f"the upstream answered with status {status}" if status else "the upstream sent an error")


def encode_error(error: ErrorInfo, request_id: str | None) -> Json:
    """The error body; the same object is the data of a stream's `error` event."""
    fields: Json = {"type": _error_type(error), "message": error.message}
    if error.param in _DETAILS:
        fields["details"] = _DETAILS[error.param]
    return {"type": "error", "error": fields, "request_id": request_id}


def _error_type(error: ErrorInfo) -> str:
    """By status; OpenAI's types share some names with Anthropic's but mean other statuses."""
    if error.status in _TYPE_OF_STATUS:
        return _TYPE_OF_STATUS[error.status]
    if error.status is None and error.type in STATUS_OF_TYPE:
        return error.type or "api_error"
    client_is_wrong = error.status is not None and 400 <= error.status < 500
    return "invalid_request_error" if client_is_wrong else "api_error"
