"""Error bodies, both ways.

https://platform.openai.com/docs/guides/error-codes/api-errors (2026-11). The shapes are those of OpenAI, and of
OpenRouter, vLLM, Mistral, FastAPI, Gemini's compatible endpoint and the proxies in front of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from proxy_core.domain.response import ErrorInfo
from proxy_core.formats.fields import as_dict, as_text, text_or_none
from proxy_core.formats.pages import visible_text

_INVALID, _SERVER = "invalid_request_error", "server_error"
# OpenAI gives wrong keys and unknown models `invalid_request_error` too and tells them apart by `code`.
_TYPE_BY_STATUS = {403: "permission_error", 408: _SERVER, 429: "rate_limit_error"}
_CODE_BY_STATUS = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}
_OPENAI_TYPES = frozenset(
    {
        _INVALID,
        _SERVER,
        "authentication_error",
        "permission_error",
        "request_forbidden",
        "rate_limit_error",
        "requests",
        "tokens",
        "insufficient_quota",
    }
)
#: The HTTP status that an error inside a 200 stream stands for, by its code or type.
_STATUS_BY_WORD = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "overloaded_error": 503,
    "server_is_overloaded": 503,
    "service_unavailable": 503,
}
_RETRY = re.compile(r"try again in (?:(\d+)m(?!s))?(?:([\d.]+)(ms|s))?", re.IGNORECASE)


def decode_error(body: Any, status: int) -> ErrorInfo:
    """An upstream's error, whatever its shape; the message is never empty."""
    fields = _flatten(body)
    message = _message(fields) or _reason(status)
    return ErrorInfo(
        message=message,
        type=text_or_none(fields.get("type")),
        code=_code(fields.get("code")),
        param=text_or_none(fields.get("param")),
        status=status,
        retry_after=_retry_after(message),
    )


def stream_error(payload: dict[str, Any]) -> ErrorInfo:
    """An error inside a stream that began with 200: the status is the one it stands for, where it tells."""
    fields = _flatten(payload)
    code = fields.get("code") or fields.get("status")
    words = (_STATUS_BY_WORD.get(word) for word in (_code(code), text_or_none(fields.get("type"))) if word)
    status = _as_status(code) or next(filter(None, words), 502)
    return decode_error(payload, status)


def _as_status(code: Any) -> int | None:
    number = int(code) if isinstance(code, str) and code.isdecimal() and len(code) == 3 else code
    return number if isinstance(number, int) and 400 <= number < 600 else None


def _flatten(body: Any) -> dict[str, Any]:
    """The object that has the message, from wherever it hides."""
    if isinstance(body, list):
        return _flatten(body[0]) if body else {}
    if isinstance(body, str | bytes):
        return {"message": _plain(body)}
    if not isinstance(body, dict):
        return {}
    inner = body.get("error") or body.get("errors")
    if isinstance(inner, dict):
        return inner
    if isinstance(inner, list):
        return _flatten(inner)
    return {**body, "message": inner} if isinstance(inner, str) else body


def _plain(text: str | bytes) -> str:
    return visible_text(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)


def _message(fields: dict[str, Any]) -> str:
    for name, read in _MESSAGES.items():
        if text := read(fields.get(name)):
            return _with_cause(text, fields)
    return ""


def _detail(value: Any) -> str:
    """FastAPI: a string, or a list of what is wrong where."""
    if not isinstance(value, list):
        return as_text(value) or as_text(as_dict(value).get("message"))
    return "; ".join(filter(None, map(_problem, value)))


def _problem(value: Any) -> str:
    if not isinstance(value, dict):
        return as_text(value)
    place = value.get("loc")
    path = ".".join(str(step) for step in place) if isinstance(place, list) else ""
    return ": ".join(filter(None, (path, as_text(value.get("msg")))))


_MESSAGES: dict[str, Callable[[Any], str]] = {
    "message": _detail,
    "detail": _detail,
    "error_description": as_text,
    "msg": as_text,
    "title": as_text,
}


def _with_cause(text: str, fields: dict[str, Any]) -> str:
    """OpenRouter says "Provider returned error" and hides what the provider said."""
    cause = _plain(as_text(as_dict(fields.get("metadata")).get("raw")))
    return f"{text}: {cause}" if cause and cause not in text else text


def _reason(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _code(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_or_none(value)


def _retry_after(message: str) -> float | None:
    """OpenAI puts it into the message as well: `Please try again in 800ms`, `in 6m0s`."""
    match = _RETRY.search(message)
    if match is None or not (match[1] or match[2]):
        return None
    try:
        seconds = float(match[2] or 0)
    except ValueError:
        return None
    return int(match[1] or 0) * 60 + (seconds / 1000 if match[3] and match[3].lower() == "ms" else seconds)


def encode_error(error: ErrorInfo) -> dict[str, Any]:
    """The error as OpenAI spells it. A type that OpenAI does not have stays as the code, where there is no other."""
    status = error.status or 500
    known = error.type in _OPENAI_TYPES
    code = error.code or (None if known else error.type) or _CODE_BY_STATUS.get(status)
    kind = error.type if known else _type(status)
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}


def _type(status: int) -> str:
    return _TYPE_BY_STATUS.get(status) or (_INVALID if 400 <= status < 500 else _SERVER)
