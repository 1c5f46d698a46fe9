"""Token counts. Anthropic's `input_tokens` exclude cached input, the domain's include it.

https://docs.claude.com/en/docs/build-with-claude/prompt-caching#tracking-cache-performance (2026-11)
"""

from __future__ import annotations

from typing import Any

from proxy_core.domain.response import Usage
from proxy_core.formats.anthropic.fields import NAME, leftovers
from proxy_core.formats.fields import Json, usage_in

_READ = "cache_read_input_tokens"
_WRITTEN = "cache_creation_input_tokens"
_KNOWN = frozenset({"input_tokens", "output_tokens", "output_tokens_details", _READ, _WRITTEN})


def decode_usage(usage: Any) -> Usage | None:
    """The counts of a `usage` object; None when there is no object."""
    if not isinstance(usage, dict):
        return None
    details = usage.get("output_tokens_details")
    read, written = _tokens(usage, _READ), _tokens(usage, _WRITTEN)
    fresh = _tokens(usage, "input_tokens")
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=_tokens(usage, "output_tokens"),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=_tokens(details, "thinking_tokens") if isinstance(details, dict) else None,
        extras=leftovers(usage, _KNOWN),
    )


def _tokens(source: Json, key: str) -> int | None:
    value = source.get(key)
    return value if type(value) is int else None


def encode_usage(usage: Usage | None) -> Json:
    """The `usage` object; the SDK's types want both totals, so what is not known counts as 0."""
    usage = usage or Usage()
    read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    body: Json = {
        "input_tokens": max(0, (usage.input_tokens or 0) - read - written),
        _WRITTEN: written,
        _READ: read,
        "output_tokens": usage.output_tokens or 0,
    }
    if usage.reasoning_tokens is not None:
        body["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return {**usage.extra(NAME), **body}


def usage_of_body(body: bytes) -> Usage | None:
    """The usage of a whole answer; None when the body is not one, or does not say."""
    return decode_usage(usage_in(body))
