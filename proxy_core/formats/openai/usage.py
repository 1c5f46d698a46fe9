"""Token counts, both ways.

https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage (2026-11)
"""

from __future__ import annotations

from typing import Any

import msgspec

from proxy_core.domain.response import Usage
from proxy_core.formats.fields import as_dict, count, leftover, usage_in
from proxy_core.formats.openai.fields import FORMAT, own_fields

_INPUT, _OUTPUT = "prompt_tokens_details", "completion_tokens_details"
_KNOWN = frozenset({"prompt_tokens", "completion_tokens", "total_tokens", _INPUT, _OUTPUT})
_KNOWN_INPUT = frozenset({"cached_tokens", "cache_write_tokens"})
_KNOWN_OUTPUT = frozenset({"reasoning_tokens"})


class _Given(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Written(msgspec.Struct, frozen=True):
    reasoning_tokens: int | None = None


class _Counts(msgspec.Struct):
    """The counts as OpenAI itself spells them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _Given = _Given()
    completion_tokens_details: _Written = _Written()


class _Answer(msgspec.Struct):
    usage: _Counts


_decode_answer = msgspec.json.Decoder(_Answer).decode


def usage_of_body(body: bytes) -> Usage | None:
    """The counts of a whole answer, for accounting: what only Chat knows of them is left out where they are spelled as
    usual."""
    try:
        counts = _decode_answer(body).usage
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return read_usage(usage_in(body))
    if min(counts.prompt_tokens, counts.completion_tokens) < 0:
        return read_usage(usage_in(body))
    given = counts.prompt_tokens_details
    return Usage(
        input_tokens=counts.prompt_tokens,
        output_tokens=max(counts.completion_tokens, counts.total_tokens - counts.prompt_tokens),
        cache_read_tokens=given.cached_tokens,
        cache_write_tokens=given.cache_write_tokens,
        reasoning_tokens=counts.completion_tokens_details.reasoning_tokens,
    )


def read_usage(raw: Any) -> Usage | None:
    """The counts, or None where there are none."""
    if not isinstance(raw, dict):
        return None
    given, written = as_dict(raw.get(_INPUT)), as_dict(raw.get(_OUTPUT))
    usage = Usage(
        input_tokens=_first(raw, "prompt_tokens", "input_tokens"),
        output_tokens=_output(raw),
        cache_read_tokens=_cached(raw, given),
        cache_write_tokens=_first(given, "cache_write_tokens"),
        reasoning_tokens=_first(written, "reasoning_tokens"),
        extras=_extras(raw, given, written),
    )
    return None if usage.input_tokens is None and usage.output_tokens is None else usage


def _first(counts: dict[str, Any], *names: str) -> int | None:
    for name in names:
        found = count(counts.get(name))
        if found is not None:
            return found
    return None


def _output(raw: dict[str, Any]) -> int | None:
    """Output with its reasoning. xAI and Gemini count reasoning outside `completion_tokens`, but within the total:
    https://docs.x.ai/docs/key-information/consumption-and-rate-limits (2026-11)"""
    output = _first(raw, "completion_tokens", "output_tokens")
    total, given = count(raw.get("total_tokens")), _first(raw, "prompt_tokens", "input_tokens")
    if total is None or given is None:
        return output
    return max(output or 0, total - given)


def _cached(raw: dict[str, Any], given: dict[str, Any]) -> int | None:
    """Also where DeepSeek (`prompt_cache_hit_tokens`) and Moonshot (`cached_tokens`) put it."""
    cached = _first(given, "cached_tokens")
    return cached if cached is not None else _first(raw, "prompt_cache_hit_tokens", "cached_tokens")


def _extras(raw: dict[str, Any], given: dict[str, Any], written: dict[str, Any]) -> dict[str, dict[str, Any]]:
    own = leftover(raw, _KNOWN)
    details = {_INPUT: leftover(given, _KNOWN_INPUT), _OUTPUT: leftover(written, _KNOWN_OUTPUT)}
    own.update((name, value) for name, value in details.items() if value)
    return {FORMAT: own} if own else {}


def write_usage(usage: Usage) -> dict[str, Any]:
    """`usage` with the details that are known."""
    own = own_fields(usage.extras)
    given = {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens}
    fields = {
        "prompt_tokens": usage.input_tokens or 0,
        "completion_tokens": usage.output_tokens or 0,
        "total_tokens": usage.total_tokens,
        _INPUT: _stated(given) | as_dict(own.get(_INPUT)),
        _OUTPUT: _stated({"reasoning_tokens": usage.reasoning_tokens}) | as_dict(own.get(_OUTPUT)),
    }
    return own | {name: value for name, value in fields.items() if value != {}}


def _stated(counts: dict[str, int | None]) -> dict[str, int]:
    return {name: value for name, value in counts.items() if value is not None}
