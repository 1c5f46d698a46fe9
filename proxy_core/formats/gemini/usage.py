"""Token counts. Gemini counts thoughts outside the candidates' tokens, and the results of its own tools outside the
prompt's; the domain's totals include their parts. Cached tokens are within the prompt's in both.

https://ai.google.dev/api/generate-content#UsageMetadata (2026-11)
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from proxy_core.domain.response import Usage
from proxy_core.formats import wire_json
from proxy_core.formats.fields import Json, as_dict, count, leftover, stated
from proxy_core.formats.gemini.enums import in_words
from proxy_core.formats.gemini.fields import FORMAT, camel_keys, own_fields

_TOOL_USE: Final = "toolUsePromptTokenCount"
_KNOWN = frozenset(
    {
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "cachedContentTokenCount",
        "totalTokenCount",
    }
)


def read_usage(raw: Any) -> Usage | None:
    """The counts of a `usageMetadata`; None where there are none."""
    if not isinstance(raw, dict):
        return None
    raw = camel_keys(raw)
    usage = usage_of(
        count(raw.get("promptTokenCount")),
        count(raw.get("candidatesTokenCount")),
        count(raw.get("thoughtsTokenCount")),
        count(raw.get("cachedContentTokenCount")),
        count(raw.get(_TOOL_USE)),
        count(raw.get("totalTokenCount")),
    )
    own = in_words(leftover(raw, _KNOWN))
    if usage is not None and own:
        usage.extras = {FORMAT: own}
    return usage


def usage_of(
    prompt: int | None,
    candidates: int | None,
    thoughts: int | None,
    cached: int | None,
    tool_use: int | None,
    total: int | None,
) -> Usage | None:
    """The domain's counts. Fields at 0 are left out on the wire, so the total tells what is missing."""
    if prompt is None and candidates is None and total is None:
        return None
    given = None if prompt is None and tool_use is None else (prompt or 0) + (tool_use or 0)
    written = None if candidates is None and thoughts is None else (candidates or 0) + (thoughts or 0)
    if total is not None and given is not None and total >= given:
        written = total - given
    return Usage(input_tokens=given, output_tokens=written, cache_read_tokens=cached, reasoning_tokens=thoughts)


def write_usage(usage: Usage) -> Json:
    """The `usageMetadata` of these counts."""
    own = own_fields(usage.extras)
    thoughts = usage.reasoning_tokens
    fields = {
        "promptTokenCount": max(0, (usage.input_tokens or 0) - (count(own.get(_TOOL_USE)) or 0)),
        "candidatesTokenCount": max(0, (usage.output_tokens or 0) - (thoughts or 0)),
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": usage.cache_read_tokens,
        "totalTokenCount": usage.total_tokens,
    }
    return stated(fields) | own


class _Answer(msgspec.Struct, rename="camel"):
    usage_metadata: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


def usage_of_body(body: bytes) -> Usage | None:
    """The counts of a whole answer; the rest is skipped, not decoded."""
    try:
        raw = _decode_answer(body).usage_metadata
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raw = _usage_in_odd(body)
    return read_usage(raw)


def _usage_in_odd(body: bytes) -> Any:
    """The way of bodies that strict decoders refuse (lone surrogates, NaN)."""
    try:
        return as_dict(wire_json.loads(body)).get("usageMetadata")
    except ValueError:
        return None
