"""Errors. Bodies are those of Chat Completions; inside a stream, and in an answer that failed, they have shapes of
their own.

https://platform.openai.com/docs/api-reference/responses-streaming/error and `ResponseError` of openai-python 3.57
(2026-11)
"""

from __future__ import annotations

from typing import Final

from proxy_core.domain.response import ErrorInfo
from proxy_core.formats.fields import Json, as_dict
from proxy_core.formats.openai.errors import decode_error, encode_error, stream_error

__all__ = ["decode_error", "encode_error", "read_error_event", "read_failure", "write_error_event", "write_failure"]

#: The codes that the SDK's type knows in the `error` of a response; all but the first three are the client's fault.
_SERVER_FAULTS: Final = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
_CLIENT_FAULTS: Final = frozenset(
    {
        "bio_policy",
        "data_residency_mismatch",
        "empty_image_file",
        "failed_to_download_image",
        "image_content_policy_violation",
        "image_file_not_found",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_mode",
        "invalid_image_url",
        "invalid_prompt",
        "misalignment_policy_violation",
        "unsupported_image_media_type",
    }
)
#: Codes that OpenAI sends there too. Codex tells by them whether to try again, and the code of a fault that is its own
#: keeps it from doing so: https://github.com/openai/codex/blob/main/codex-rs/codex-api/src/sse/responses.rs (2026-11)
_UNLISTED: Final = frozenset(
    {
        "context_length_exceeded",
        "cyber_policy",
        "insufficient_quota",
        "server_is_overloaded",
        "slow_down",
        "usage_not_included",
    }
)
_CODES = _SERVER_FAULTS | _CLIENT_FAULTS | _UNLISTED
#: What stands for other codes, by status; for all other statuses, the server is at fault.
_NEAREST: Final = {400: "invalid_prompt", 413: "invalid_prompt", 422: "invalid_prompt", 429: "rate_limit_exceeded"}


def read_failure(response: Json) -> ErrorInfo:
    """The error of a response that failed, with the HTTP status that it stands for."""
    error = response.get("error")
    info = stream_error({"error": error} if error else {**response, "type": None})
    if info.status == 502 and info.code in _CLIENT_FAULTS:
        info.status = 400
    if not error and response.get("object") == "response":
        info.message = "the response failed, and the upstream did not say why"
    return info


def read_error_event(payload: Json) -> ErrorInfo:
    """The error in an `error` event: its fields stand in the event (as documented), or in an `error` in it."""
    nested = payload.get("error")
    return stream_error({"error": nested} if nested else {**payload, "type": None})


def write_error_event(error: ErrorInfo) -> Json:
    """The fields of an `error` event: flat as the SDK's type has them, and nested as OpenAI sends them, which is what
    makes its SDKs raise."""
    body = as_dict(encode_error(error)["error"])
    return {"code": body["code"], "message": error.message, "param": body["param"], "error": body}


def write_failure(error: ErrorInfo) -> Json:
    """The `error` of a response that failed. Codes that clients do not know there become the nearest that they do."""
    nearest = _NEAREST.get(error.status or 500, "server_error")
    return {"code": error.code if error.code in _CODES else nearest, "message": error.message}
