"""Reading JSON that anybody may have written: what the formats' own `fields` modules share."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from proxy_core.formats import wire_json

Json = dict[str, Any]

#: Keys of `extras` that begin so are notes of a format to itself: never written to the wire, never reported as dropped.
NOTE: Final = "_"

KIND_NAMES: Final[dict[type, str]] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "an array",
    str: "a string",
}


def is_kind(value: object, kind: type) -> bool:
    """Whether a JSON value is of a kind: whole numbers are numbers, booleans are none."""
    found = type(value)
    return found is kind or (kind is float and found is int)


def text_or_none(value: Any) -> str | None:
    """The string; None for anything else, and for an empty one."""
    return value if isinstance(value, str) and value else None


class _Answer(msgspec.Struct):
    usage: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


def usage_in(body: bytes) -> Any:
    """The `usage` of a whole answer; the rest is skipped, not decoded. None where there is none."""
    try:
        return _decode_answer(body).usage
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _usage_in_odd(body)


def _usage_in_odd(body: bytes) -> Any:
    """The way of bodies that strict decoders refuse (lone surrogates, NaN)."""
    try:
        answer = wire_json.loads(body)
    except ValueError:
        return None
    return answer.get("usage") if isinstance(answer, dict) else None
