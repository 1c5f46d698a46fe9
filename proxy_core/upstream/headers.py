"""Headers that leave this process, towards either side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy_core.config import IdentityConfig

#: A request that arrives with this header has already passed through a proxy of this kind.
LOOP_GUARD_HEADER = "x-llmproxy-loop-guard"

#: What the client may learn of an upstream's answer; formats add their own (`WireFormat.response_headers`).
PASSED_ON = ("retry-after", "x-ratelimit-")


def ensure_loop_guard_header(headers: MutableMapping[str, str]) -> MutableMapping[str, str]:
    """Mark an outgoing request, so that a proxy that gets it back refuses it; returns the same mapping."""
    headers[LOOP_GUARD_HEADER] = "1"
    return headers


def passed_on(headers: Mapping[str, str], prefixes: Iterable[str] = ()) -> dict[str, str]:
    """The headers of an upstream's answer whose names begin with an allowed prefix, in lower case."""
    allowed = (*PASSED_ON, *prefixes)
    return {lowered: value for name, value in headers.items() if (lowered := _allowed_name(name, allowed))}


@lru_cache(maxsize=1024)
def _allowed_name(name: str, allowed: tuple[str, ...]) -> str | None:
    lowered = name.lower()
    return lowered if lowered.startswith(allowed) else None


@dataclass(frozen=True, slots=True)
class Identity:
    """How this proxy introduces itself to an upstream, on behalf of one request.

    `headers` are the client's own, without credentials.
    """

    user_agent: str
    title: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: IdentityConfig, headers: Mapping[str, str] | None = None) -> Identity:
        """The configured introduction, on behalf of a request with these headers."""
        return cls(config.effective_user_agent, config.title, config.url, headers or {})

    def on_behalf_of(self, headers: Mapping[str, str]) -> Identity:
        """The same introduction for another request."""
        return Identity(self.user_agent, self.title, self.url, headers)

    def get_resolved_headers(self, request_headers: Mapping[str, str] | None = None) -> dict[str, str]:
        """`User-Agent`, and `X-Title` and `HTTP-Referer`: ours where configured, else the client's own
        (https://openrouter.ai/docs/app-attribution, 2026-11). `request_headers` stand in for the client's headers."""
        client = self.headers if request_headers is None else {k.lower(): v for k, v in request_headers.items()}
        introduction = {
            "user-agent": self.user_agent,
            "x-title": self.title or client.get("x-title"),
            "http-referer": self.url or client.get("http-referer"),
        }
        return {name: value for name, value in introduction.items() if value}
