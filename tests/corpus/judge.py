"""Whether a body means what its story says: `request_faults` and `answer_faults` tell in what it does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.corpus.readers.neutral import Json, merged

#: Any text: somebody had to explain what has no place.
ANY_TEXT = "…"
#: Where a format lacks a finish, its nearest; never a plain stop.
_NEAREST: dict[str, dict[str, str]] = {"anthropic": {"content_filter": "refusal", "error": "refusal"}}
_MAY_GO = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "presence_penalty",
    "seed",
    "top_k",
    "top_logprobs",
    "user",
)
#: Fields whose loss takes them from a request's meaning, by the words that clients have for them.
_TAKEN: dict[str, dict[str, str]] = {
    "": {name: name for name in _MAY_GO},
    "anthropic": {"user_id": "user"},
    "gemini": {
        "frequencyPenalty": "frequency_penalty",
        "logprobs": "top_logprobs",
        "presencePenalty": "presence_penalty",
        "responseLogprobs": "logprobs",
        "topK": "top_k",
    },
}
#: How hard to think is compared where both sides say it in the same measure.
_MEASURES = ("effort", "budget")


def request_faults(expected: Json, got: Json, client: str, target: str, lost: Iterable[str]) -> list[str]:
    """What differs between a request's meaning and that of the body for `target`, in words; `lost` was reported."""
    expected = {key: value for key, value in expected.items() if value not in (None, [])}
    for name in lost:
        expected.pop((_TAKEN[""] | _TAKEN.get(client, {})).get(name, ""), None)
    ordered = expected.pop("order", True)
    faults = _said(expected, got)
    if "turns" in expected:
        faults += _differ("turns", _turns(expected["turns"], client, target, ordered), _sorted(got["turns"], ordered))
    compared = (expected.keys() | got.keys()) - {"turns", "says", *_MEASURES}
    if "says" in expected:
        compared -= {"system"}
    for key in sorted(compared):
        faults += _differ(key, _tidy(expected.get(key)), _tidy(got.get(key)))
    measured = [key for key in _MEASURES if key in expected and key in got]
    return faults + [fault for key in measured for fault in _differ(key, expected[key], got[key])]


def _tidy(value: Any) -> Any:
    """Not to stream, and a free choice of tools, are what not saying so means."""
    return None if value is False or value == "auto" else value


def _said(expected: Json, got: Json) -> list[str]:
    """All texts in their order, whoever says them."""
    if "says" not in expected:
        return []
    texts = [part["text"] for turn in got["turns"] for part in turn["parts"] if "text" in part]
    return _differ("says", "".join(expected["says"]), "".join([got.get("system", ""), *texts]))


def _turns(turns: list[Json], client: str, target: str, ordered: bool) -> list[Json]:
    """The turns as `target` may be told them: thinking goes back to its issuer alone."""
    kept = [(turn["role"], [part for each in turn["parts"] if (part := _own(each, client, target))]) for turn in turns]
    return _sorted(merged(kept), ordered)


def _own(part: Json, client: str, target: str) -> Json | None:
    if "thinking" not in part and "state" not in part:
        return part
    if client != target:
        return None
    state = part.get("state", {}).get(client)
    shown = {} if target == "gemini" else {"thinking": part["thinking"]}
    return {**shown, "state": state} if state else shown


_RANKS = ("result", "thinking", "state", "text", "media", "call")


def _sorted(turns: list[Json], ordered: bool) -> list[Json]:
    """Where a format keeps no order among kinds of parts, an order of our own."""
    if ordered:
        return turns
    rank = lambda part: next(n for n, name in enumerate(_RANKS) if name in part)  # noqa: E731  # used once
    return merged([(turn["role"], sorted(turn["parts"], key=rank)) for turn in turns])


def answer_faults(expected: Json, got: Json, client: str) -> list[str]:
    """What differs between an answer's meaning and that of the body that a client of the format `client` gets."""
    if "error" in expected:
        return [] if expected["error"] in got.get("error", "") else [f"error: {got}"]
    expected = {"finish": "stop", **expected}
    why: str = expected["finish"]
    expected["finish"] = _NEAREST.get(client, {}).get(why, why)
    got = {key: value for key, value in got.items() if key != "error" or why != "error"}
    order = expected.pop("order", None)
    faults = _calls(expected.pop("calls", []), got.pop("calls", []))
    faults += _refusal(expected, got, client, why)
    faults += _usage(expected.pop("usage", {}), got.pop("usage", {}))
    faults += _citations(expected.pop("citations", []), got.pop("citations", []))
    if order and "order" in got:
        faults += _differ("order", order, got["order"])
    for key in sorted((expected.keys() | got.keys()) - {"order"}):
        faults += _differ(key, expected.get(key) or None, got.get(key) or None)
    return faults


def _calls(expected: list[Json], got: list[Json]) -> list[str]:
    if len(expected) != len(got):
        return [f"calls: {expected} is {got}"]
    pairs = zip(expected, got, strict=True)
    return [f"calls: {want} is {have}" for want, have in pairs if want["name"] != have["name"] or not _same(want, have)]


def _same(want: Json, have: Json) -> bool:
    """Arguments that were cut off are their text or, where an object must be, that text in one."""
    if "cut" in want:
        return have["arguments"] in (want["cut"], {"input": want["cut"]})
    if "input" in want and "arguments" in have:
        return bool(have["arguments"] == {"input": want["input"]})
    return {key: have.get(key) for key in want} == want


def _refusal(expected: Json, got: Json, client: str, why: str) -> list[str]:
    """The words of a refusal have a field of their own, or are text."""
    want, have = expected.pop("refusal", ""), got.pop("refusal", "")
    if not want and why in _NEAREST.get(client, {}):
        return []  # the explanation of another end
    if want and not have and client in ("anthropic", "gemini"):
        have = got.pop("text", "")
    return _differ("refusal", want, have)


def _usage(expected: Json, got: Json) -> list[str]:
    return [fault for key, count in expected.items() for fault in _differ(key, count, got.get(key))]


def _citations(expected: list[Json], got: list[Json]) -> list[str]:
    """Where a format knows what was said, it must be that."""
    known = {"url", "title"}
    want = [{key: each[key] for key in known} for each in expected]
    have = [{key: each[key] for key in known} for each in got]
    faults = _differ("citations", want, have)
    if faults or not all("said" in each for each in got):
        return faults
    return _differ("cited texts", [each["said"] for each in expected], [each["said"] for each in got])


def _differ(what: str, expected: Any, got: Any) -> list[str]:
    return [] if _equal(expected, got) else [f"{what}: expected {expected!r}, got {got!r}"]


def _equal(expected: Any, got: Any) -> bool:
    if expected == ANY_TEXT and isinstance(got, str):
        return True
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(_equal(value, got[key]) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(_equal, expected, got))
    return bool(expected == got)
