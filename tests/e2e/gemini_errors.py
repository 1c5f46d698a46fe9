"""The errors of Google's SDK under the names that the other SDKs have for them.

Exception
└── APIError                        whatever the service says went wrong
    └── APIStatusError              … with a status
        ├── BadRequestError         400
        ├── AuthenticationError     401
        ├── PermissionDeniedError   403
        ├── NotFoundError           404
        ├── RateLimitError          429
        └── InternalServerError     500 and more
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from google.genai import errors
from pydantic import BaseModel, ConfigDict


class APIError(Exception):
    """The SDK's error, and what the tests ask of one."""

    def __init__(self, native: errors.APIError) -> None:
        super().__init__(native.message)
        self.status_code, self.body, self.response = native.code, native.details, native.response

    @property
    def request_id(self) -> str:
        headers: Mapping[str, str] = self.response.headers
        return headers["x-request-id"]


class APIStatusError(APIError): ...


class BadRequestError(APIStatusError): ...


class AuthenticationError(APIStatusError): ...


class PermissionDeniedError(APIStatusError): ...


class NotFoundError(APIStatusError): ...


class RateLimitError(APIStatusError): ...


class InternalServerError(APIStatusError): ...


_CLASSES: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
}


@contextmanager
def renamed() -> Iterator[None]:
    """Raise the SDK's errors as ours."""
    try:
        yield
    except errors.APIError as error:
        raise _class_of(error.code)(error) from error


def _class_of(code: Any) -> type[APIError]:
    return InternalServerError if code >= 500 else _CLASSES.get(code, APIStatusError)


class Status(BaseModel):
    """`google.rpc.Status` as JSON: https://cloud.google.com/apis/design/errors (2026-11)."""

    model_config = ConfigDict(extra="forbid")
    code: int
    message: str
    status: str
    details: list[dict[str, Any]] = []

    @property
    def type(self) -> str:
        return self.status


class ErrorBody(BaseModel):
    """What an error answer holds, and nothing else."""

    model_config = ConfigDict(extra="forbid")
    error: Status
