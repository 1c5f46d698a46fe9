"""Log probabilities: Gemini's `logprobsResult`, and the shape of Chat Completions, which the domain keeps.

https://ai.google.dev/api/generate-content#LogprobsResult (2026-11)
"""

from __future__ import annotations

from typing import Any

from proxy_core.formats.fields import Json, as_dict, as_text, dicts
from proxy_core.formats.gemini.fields import camel_keys


def read_logprobs(raw: Any) -> Json | None:
    """`logprobs` as Chat Completions has it; None where there is none."""
    result = camel_keys(as_dict(raw))
    tops = [dicts(as_dict(step).get("candidates")) for step in _list(result.get("topCandidates"))]
    chosen = dicts(result.get("chosenCandidates"))
    tokens = [_read_step(token, tops[i] if i < len(tops) else []) for i, token in enumerate(chosen)]
    return {"content": tokens, "refusal": None} if tokens else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _read_step(token: Json, tops: list[Json]) -> Json:
    return {**_read_token(token), "top_logprobs": [_read_token(top) for top in tops]}


def _read_token(raw: Json) -> Json:
    """A probability of 1 has the logarithm 0, and fields at 0 are left out."""
    raw = camel_keys(raw)
    text, value = as_text(raw.get("token")), raw.get("logProbability")
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    return {"token": text, "logprob": number, "bytes": list(text.encode("utf-8", "replace"))}


def write_logprobs(logprobs: Json) -> Json:
    """The `logprobsResult` of `logprobs`; empty where those are."""
    tokens = dicts(logprobs.get("content")) or dicts(logprobs.get("refusal"))
    if not tokens:
        return {}
    tops = [[_write_token(top) for top in dicts(token.get("top_logprobs"))] for token in tokens]
    result: Json = {"chosenCandidates": [_write_token(token) for token in tokens]}
    return {**result, "topCandidates": [{"candidates": step} for step in tops]} if any(tops) else result


def _write_token(token: Json) -> Json:
    return {"token": as_text(token.get("token")), "logProbability": token.get("logprob")}


def joined(result: Any, later: Any) -> Any:
    """Two `logprobsResult` of one stream in one."""
    if not (isinstance(result, dict) and isinstance(later, dict)):
        return later or result
    lists = {
        name: [*_list(result.get(name)), *_list(later.get(name))]
        for name in ("chosenCandidates", "topCandidates")
        if name in result or name in later
    }
    return {**result, **later, **lists}
