"""The formats that the upstream speaks, and which one a request is in."""

import re
from itertools import chain
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from tests.fault_upstream import anthropic, gemini, openai, openai_responses
from tests.fault_upstream.reply import Event, Reply


class Format(Protocol):
    """What a format module offers; `check` raises RefusedError for what the real API would refuse.

    `lost_thought` is the refusal of a turn that lacks its signature; `retry_statuses` come with Retry-After.
    """

    call_id_prefix: str
    lost_thought: str
    retry_statuses: frozenset[int]

    def body(self, reply: Reply) -> dict[str, Any]: ...
    def events(self, reply: Reply) -> list[Event]: ...
    def error(self, status: int, message: str | None = None) -> dict[str, Any]: ...
    def error_event(self, status: int, number: int = 0) -> Event: ...
    def headers(self) -> dict[str, str]: ...
    def models(self, names: list[str]) -> dict[str, Any]: ...
    def counted(self, tokens: int) -> dict[str, Any]: ...
    def asked_for_usage(self, request: dict[str, Any]) -> bool: ...
    def asked_for_signatures(self, request: dict[str, Any]) -> bool: ...
    def offered_tool(self, request: dict[str, Any]) -> str | None: ...
    def tool_results(self, request: dict[str, Any]) -> dict[str, str]: ...
    def thoughts(self, request: dict[str, Any]) -> list[tuple[str, str]]: ...
    def images(self, request: dict[str, Any]) -> list[str]: ...
    def check(self, headers: dict[str, str], request: dict[str, Any]) -> None: ...


FORMATS: dict[str, Format] = {
    "openai": openai,
    "openai-responses": openai_responses,
    "anthropic": anthropic,
    "gemini": gemini,
}

IN_PATH = {
    "/chat/": "openai",
    "/messages": "anthropic",
    "/responses": "openai-responses",
    "/embeddings": "openai",
    "/v1beta": "gemini",
}
IN_HEADERS = {"x-goog-api-key": "gemini", "anthropic-version": "anthropic"}

GEMINI_CALL = re.compile(r"/models/(.+):(\w+)$")


def gemini_call(path: str) -> re.Match[str] | None:
    """Model (1) and method (2) of a Gemini call, which stand in the path, percent-encoded or not."""
    return GEMINI_CALL.search(_bare(path))


def format_of(path: str, headers: dict[str, str]) -> Format:
    """The format by path, or by the headers where the path is shared (`/v1/models`)."""
    by_path = (name for part, name in IN_PATH.items() if part in path)
    by_headers = (name for header, name in IN_HEADERS.items() if header in headers)
    return FORMATS["gemini" if gemini_call(path) else next(chain(by_path, by_headers), "openai")]


ENDPOINTS = {
    ("POST", "/chat/completions"): "chat",
    ("POST", "/messages"): "chat",
    ("POST", "/messages/count_tokens"): "count",
    ("POST", "/responses"): "chat",
    ("POST", "/responses/input_tokens"): "count",
    ("POST", ":generateContent"): "chat",
    ("POST", ":streamGenerateContent"): "chat",
    ("POST", ":countTokens"): "count",
    ("POST", "/embeddings"): "embeddings",
    ("POST", ":embedContent"): "embed_content",
    ("POST", ":batchEmbedContents"): "embed_contents",
    ("GET", "/models"): "models",
    ("HEAD", "/"): "probe",
}


def endpoint_of(method: str, path: str) -> str:
    """What is asked for: a row of `ENDPOINTS` by the end of the path, or `unknown`."""
    bare = _bare(path)
    return next((name for (verb, end), name in ENDPOINTS.items() if verb == method and bare.endswith(end)), "unknown")


def is_streamed(path: str, request: dict[str, Any]) -> bool:
    """Whether the answer comes in events, which Gemini tells by the path and everybody else by the body."""
    call = gemini_call(path)
    return call[2] == "streamGenerateContent" if call else request.get("stream") is True


def is_array(path: str) -> bool:
    """Whether the events are elements of one JSON array: Gemini's without `alt=sse`."""
    return is_streamed(path, {}) and "alt=sse" not in urlsplit(path).query


def _bare(path: str) -> str:
    return unquote(path.partition("?")[0])
