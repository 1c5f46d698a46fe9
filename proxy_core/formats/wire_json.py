"""JSON as it really arrives: fast when it is clean, forgiving when it is not.

orjson refuses lone surrogates, NaN and integers beyond 64 bits; models and clients send all three. Nothing here raises
anything but `ValueError`.
"""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any

import orjson

#: Nesting beyond this is refused before any recursive decoder sees it.
MAX_DEPTH = 128

_ESCAPED_BACKSLASHES = b"\\\\"
_ESCAPED_QUOTE = b'\\"'
_NOT_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_ALL_CURLY = bytes.maketrans(b"[]", b"{}")
_STEPS = bytes.maketrans(b"{}", b"\x01\xff")  # 1 and -1, as signed bytes
_STRIDE = 16 * 1024  # counted in one go; other threads may run in between


def loads(data: bytes | str) -> Any:
    """The value of a JSON text. Lone surrogates become U+FFFD; raises `ValueError` when it is not JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _loads_lenient(data)


def _loads_lenient(data: bytes | str) -> Any:
    text = data if isinstance(data, str) else data.decode("utf-8-sig", "replace")
    try:
        return _mend(json.loads(text))
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON; what strict JSON cannot say (lone surrogates, NaN) is replaced."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _dumps_lenient(value)


def _dumps_lenient(value: Any) -> bytes:
    try:
        return json.dumps(_mend(value), ensure_ascii=False, separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("the value is nested too deeply for JSON") from None


def _mend(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case dict():
            return {_mend(key): _mend(item) for key, item in value.items()}
        case list():
            return [_mend(item) for item in value]
        case float() if value != value or value in (float("inf"), float("-inf")):
            return None
        case _:
            return value


def structure(body: bytes) -> bytes:
    """The brackets of a JSON text that stand outside strings, in order."""
    unescaped = body.replace(_ESCAPED_BACKSLASHES, b"").replace(_ESCAPED_QUOTE, b"")
    return b"".join(unescaped.split(b'"')[::2]).translate(None, _NOT_BRACKETS)


def levels(part: bytes) -> int:
    """How many levels a part of a JSON text goes down, all in all; it begins and ends outside strings."""
    brackets = structure(part).translate(_ALL_CURLY)
    return 2 * brackets.count(b"{") - len(brackets)


def deeper_than(body: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether arrays and objects nest more than `limit` deep; a few C passes, 0.2 ms for 100 KB of escaped code.

    Each pass takes the innermost brackets away, and so one level everywhere. Real requests are flat and gone after a
    few; what hardly shrinks is counted through.
    """
    if body.count(b"{") + body.count(b"[") <= limit:
        return False
    brackets = structure(body).translate(_ALL_CURLY)
    for passes in range(1, limit + 1):
        if not brackets:
            return False
        brackets, before = brackets.replace(b"{}", b""), len(brackets)
        if 16 * (before - len(brackets)) <= before:
            return _climbs_above(brackets, limit - passes)
    return bool(brackets)


def _climbs_above(brackets: bytes, limit: int) -> bool:
    """Whether curly brackets nest deeper, counted one by one up to where they do. They need not balance."""
    steps = memoryview(brackets.translate(_STEPS)).cast("b")
    depths = [0]
    for start in range(0, len(steps), _STRIDE):
        depths = list(accumulate(steps[start : start + _STRIDE], initial=depths[-1]))
        if max(depths) > limit:
            return True
    return False
