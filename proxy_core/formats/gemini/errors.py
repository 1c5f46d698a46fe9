"""Error bodies, both ways: Google's `Status` with its details, alone or in an array.

https://ai.google.dev/gemini-api/docs/troubleshooting, https://google.aip.dev/193 (2026-11)
"""

from __future__ import annotations

import re
from typing import Any, Final

from proxy_core.domain.response import ErrorInfo
from proxy_core.formats.fields import Json, as_dict, count, dicts, text_or_none
from proxy_core.formats.pages import visible_text

#: What each status stands for over HTTP. https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
STATUS_OF_NAME: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_NAME_OF_STATUS: Final = {
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
_TYPE: Final = "type.googleapis.com/google.rpc."
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")
_RETRY = re.compile(r"retry in (\d+(?:\.\d+)?)\s*(ms|s)", re.IGNORECASE)


def decode_error(body: Any, status: int | None) -> ErrorInfo:
    """The error that a body tells of, whatever its shape; `status` is None where none came with it."""
    error = _error_in(body)
    message = text_or_none(error.get("message")) or text_or_none(error.get("detail"))
    name = text_or_none(error.get("status"))
    details = dicts(error.get("details"))
    if status is None:
        status = _http_status(error.get("code")) or STATUS_OF_NAME.get(name or "", 502)
    return ErrorInfo(
        message=message or f"the upstream answered with status {status}",
        type=name,
        code=_reason(details),
        param=_field(details),
        status=status,
        retry_after=_retry_after(details, message or ""),
    )


def _error_in(body: Any) -> Json:
    """The object that has the message."""
    if isinstance(body, list):
        return _error_in(body[0]) if body else {}
    if isinstance(body, str):
        return {"message": visible_text(body)}
    error = as_dict(body).get("error")
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else as_dict(body)


def _http_status(code: Any) -> int | None:
    number = count(code)
    return number if number is not None and 400 <= number < 600 else None


def _of_kind(details: list[Json], kind: str) -> Json:
    """The first detail of a kind; empty where there is none."""
    return next((detail for detail in details if detail.get("@type") == _TYPE + kind), {})


def _first(details: list[Json], kind: str, entries: str) -> Json:
    """The first entry in the detail of a kind."""
    found = dicts(_of_kind(details, kind).get(entries))
    return found[0] if found else {}


def _reason(details: list[Json]) -> str | None:
    """A word for programs: the reason, or else the quota that is used up."""
    reason = _of_kind(details, "ErrorInfo").get("reason")
    return text_or_none(reason) or text_or_none(_first(details, "QuotaFailure", "violations").get("quotaId"))


def _field(details: list[Json]) -> str | None:
    return text_or_none(_first(details, "BadRequest", "fieldViolations").get("field"))


def _retry_after(details: list[Json], message: str) -> float | None:
    """Seconds, from `RetryInfo`, or from the message: `Please retry in 17.4s.`"""
    delay = _of_kind(details, "RetryInfo").get("retryDelay")
    if isinstance(delay, str) and (match := _SECONDS.fullmatch(delay)):
        return float(match[1])
    if match := _RETRY.search(message):
        return float(match[1]) / (1000 if match[2].lower() == "ms" else 1)
    return None


def encode_error(error: ErrorInfo) -> Json:
    """The error body; the same object is an event, or an element, of a stream."""
    status = error.status or STATUS_OF_NAME.get(error.type or "", 500)
    body: Json = {"code": status, "message": error.message, "status": _name(error.type, status)}
    details = _details(error)
    return {"error": {**body, "details": details} if details else body}


def _name(kind: str | None, status: int) -> str:
    """The name for a status; an upstream's own, where it fits better."""
    if kind is not None and STATUS_OF_NAME.get(kind) == status:
        return kind
    return _NAME_OF_STATUS.get(status) or ("INVALID_ARGUMENT" if 400 <= status < 500 else "INTERNAL")


def _details(error: ErrorInfo) -> list[Json]:
    details: list[Json] = []
    code = error.code or (None if error.type in STATUS_OF_NAME else error.type)
    if code:
        details.append({"@type": _TYPE + "ErrorInfo", "reason": code, "domain": "llm-proxy"})
    if error.param:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    if error.retry_after is not None:
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{error.retry_after:g}s"})
    return details
