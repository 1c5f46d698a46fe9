"""The formats that the upstream speaks, and which one a request is in."""

from typing import Any, Protocol

from tests.fault_upstream import anthropic, openai
from tests.fault_upstream.reply import Event, Reply


class Format(Protocol):
    """What a format module offers; `check` raises RefusedError for what the real API would refuse."""

    call_id_prefix: str

    def body(self, reply: Reply) -> dict[str, Any]: ...
    def events(self, reply: Reply) -> list[Event]: ...
    def error(self, status: int, message: str | None = None) -> dict[str, Any]: ...
    def error_event(self, status: int) -> Event: ...
    def headers(self) -> dict[str, str]: ...
    def models(self, names: list[str]) -> dict[str, Any]: ...
    def asked_for_usage(self, request: dict[str, Any]) -> bool: ...
    def offered_tool(self, request: dict[str, Any]) -> str | None: ...
    def tool_results(self, request: dict[str, Any]) -> dict[str, str]: ...
    def thoughts(self, request: dict[str, Any]) -> list[tuple[str, str]]: ...
    def images(self, request: dict[str, Any]) -> list[str]: ...
    def check(self, headers: dict[str, str], request: dict[str, Any]) -> None: ...


FORMATS: dict[str, Format] = {"openai": openai, "anthropic": anthropic}


def format_of(path: str, headers: dict[str, str]) -> Format:
    """The format by path, or by the headers where the path is shared (`/v1/models`)."""
    shared = "/chat/" not in path
    speaks_anthropic = "/messages" in path or (shared and "anthropic-version" in headers)
    return FORMATS["anthropic" if speaks_anthropic else "openai"]


ENDPOINTS = {
    ("POST", "/chat/completions"): "chat",
    ("POST", "/messages"): "chat",
    ("POST", "/messages/count_tokens"): "count",
    ("GET", "/models"): "models",
    ("HEAD", "/"): "probe",
}


def endpoint_of(method: str, path: str) -> str:
    """What is asked for: a row of `ENDPOINTS` by the end of the path, or `unknown`."""
    bare = path.partition("?")[0]
    return next((name for (verb, end), name in ENDPOINTS.items() if verb == method and bare.endswith(end)), "unknown")
