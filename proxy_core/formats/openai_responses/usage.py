"""Token counts, both ways.

https://platform.openai.com/docs/api-reference/responses/object#responses-object-usage and `ResponseUsage` of
openai-python 3.57 (2026-11)
"""

from __future__ import annotations

from typing import Any

from proxy_core.domain.base import Extras
from proxy_core.domain.response import Usage
from proxy_core.formats.fields import Json, as_dict, count, leftover, usage_in
from proxy_core.formats.openai_responses.fields import FORMAT, own_fields

_INPUT, _OUTPUT = "input_tokens_details", "output_tokens_details"
_KNOWN = frozenset({"input_tokens", "output_tokens", "total_tokens", _INPUT, _OUTPUT})
_KNOWN_INPUT = frozenset({"cached_tokens", "cache_write_tokens"})
_KNOWN_OUTPUT = frozenset({"reasoning_tokens"})


def usage_of_body(body: bytes) -> Usage | None:
    """The counts of a whole answer."""
    return read_usage(usage_in(body))


def read_usage(raw: Any) -> Usage | None:
    """The counts, or None where there are none."""
    if not isinstance(raw, dict):
        return None
    given, written = as_dict(raw.get(_INPUT)), as_dict(raw.get(_OUTPUT))
    usage = Usage(
        input_tokens=count(raw.get("input_tokens")),
        output_tokens=count(raw.get("output_tokens")),
        cache_read_tokens=count(given.get("cached_tokens")),
        cache_write_tokens=count(given.get("cache_write_tokens")),
        reasoning_tokens=count(written.get("reasoning_tokens")),
        extras=_extras(raw, given, written),
    )
    return None if usage.input_tokens is None and usage.output_tokens is None else usage


def _extras(raw: Json, given: Json, written: Json) -> Extras:
    own = leftover(raw, _KNOWN)
    details = {_INPUT: leftover(given, _KNOWN_INPUT), _OUTPUT: leftover(written, _KNOWN_OUTPUT)}
    own.update((name, value) for name, value in details.items() if value)
    return {FORMAT: own} if own else {}


def write_usage(usage: Usage | None) -> Json:
    """`usage`, with every field that the SDK's type demands: what nobody told counts as 0. Clients that read the end of
    a stream by a schema (the AI SDK) take no answer without it."""
    usage = usage or Usage()
    own = own_fields(usage.extras)
    given = {"cached_tokens": usage.cache_read_tokens or 0, "cache_write_tokens": usage.cache_write_tokens or 0}
    return {
        **own,
        "input_tokens": usage.input_tokens or 0,
        _INPUT: {**given, **as_dict(own.get(_INPUT))},
        "output_tokens": usage.output_tokens or 0,
        _OUTPUT: {"reasoning_tokens": usage.reasoning_tokens or 0, **as_dict(own.get(_OUTPUT))},
        "total_tokens": usage.total_tokens,
    }
