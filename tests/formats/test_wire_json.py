"""JSON as it really arrives."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.formats.wire_json import deeper_than, dumps, levels, loads, structure

STRINGS = st.text(st.sampled_from('a"\\{}[]:, é☕😀\n'), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | STRINGS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4), max_leaves=30
)


def depth_of(value: object) -> int:
    """How deep arrays and objects nest, the plain way."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def nested(depth: int, kinds: str) -> bytes:
    """An array or object with as many more inside each other, of alternating kinds."""
    opening, closing = [], []
    for level in range(depth):
        is_array = kinds[level % len(kinds)] == "["
        opening.append("[" if is_array else '{"k":')
        closing.append("]" if is_array else "}")
    return ("".join(opening) + "1" + "".join(reversed(closing))).encode()


@given(JSON, st.integers(0, 6), st.booleans())
def test_depth_agrees_with_a_plain_count(value, limit, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert deeper_than(body, limit) == (depth_of(value) > limit)


@given(JSON)
def test_brackets_inside_strings_do_not_count(value):
    body = json.dumps({"text": json.dumps(value)}).encode()
    assert structure(body) == b"{}"


@pytest.mark.parametrize("kinds", ["[", "{", "[{", "{[", "[[{", "{{["])
@pytest.mark.parametrize("depth", [127, 128, 129, 200, 1000])
def test_depth_is_exact_whatever_nests_in_what(kinds, depth):
    assert deeper_than(nested(depth, kinds), 128) == (depth > 128)


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 5)), max_size=12), st.integers(1, 140))
def test_depth_is_exact_however_little_a_pass_takes_away(towers, limit):
    body = b"[" + b",".join(nested(depth, "[{") for depth, times in towers for _ in range(times)) + b"]"
    assert deeper_than(body, limit) == (1 + max((depth for depth, _ in towers), default=0) > limit)


def seconds_for(body: bytes) -> float:
    """How long it takes to tell how deep this nests."""
    started = time.perf_counter()
    deeper_than(body, 128)
    return time.perf_counter() - started


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}"), ("[", ""), ("", "]"), ("[" * 30, "]" * 30)]
)
def test_depth_takes_about_as_long_whatever_the_shape(opening, closing):
    times = 1_000_000 // len(opening + closing)
    towers = nested(120, "[").decode() + ","
    bodies = [(opening * times + closing * times).encode(), ("[" + towers * (1_000_000 // len(towers)) + "1]").encode()]
    for body in bodies:
        assert min(seconds_for(body) for _ in range(3)) < 0.2


@pytest.mark.parametrize(
    ("body", "is_deep"), [(b"[" * 400, True), (b"]" * 400 + b"[" * 128, False), (b"]" * 9 + b"[" * 300, True)]
)
def test_brackets_that_do_not_balance_are_counted_all_the_same(body, is_deep):
    assert deeper_than(body, 128) is is_deep


@given(JSON, JSON)
def test_levels_count_what_opens_less_what_closes(before, after):
    body = json.dumps([before, {"a": ["HERE", after]}])
    assert levels(body[: body.index('"HERE"')].encode()) == 3
    assert levels(body[body.index(after_here := '"HERE"') + len(after_here) :].encode()) == -3


@given(st.binary(max_size=300), st.integers(0, 4))
def test_depth_of_junk_raises_nothing(junk, limit):
    assert deeper_than(junk, limit) in (True, False)


@given(JSON)
def test_values_come_back_as_they_were(value):
    assert loads(dumps(value)) == value
    assert loads(dumps(value).decode()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"\\ud83d"', "\ufffd"),
        (b'{"\\udc00k": "a\\ud83db"}', {"\ufffdk": "a\ufffdb"}),
        (b'["\\ud83d\\ude00", "\\udc00"]', ["😀", "\ufffd"]),
        (b"[NaN, Infinity, -Infinity, 1]", [None, None, None, 1]),
        (b"\xef\xbb\xbf[1]", [1]),
        (b'["\xff"]', ["\ufffd"]),
        (str(2**64 - 1).encode(), 2**64 - 1),
    ],
)
def test_what_strict_json_refuses_is_read_all_the_same(text, value):
    assert loads(text) == value


def test_an_integer_beyond_64_bits_keeps_its_magnitude():
    assert math.isclose(loads(b"18446744073709551617"), 2**64)
    assert loads(dumps(2**70)) == pytest.approx(2**70)


def test_an_endless_number_is_no_crash():
    assert loads(b"[1e999]") in ([None], [math.inf])


@pytest.mark.parametrize(
    "text",
    [b"", b"nul", b"{", b'{"a"}', b"[1,]", b"\xff\xfe", b"[" * 100_000, b"[" * 5000 + b"]" * 5000, b"9" * 5000 + b"x"],
    ids=lambda text: f"{text[:8]!r} of {len(text)}",
)
def test_junk_raises_value_error_and_nothing_else(text):
    with pytest.raises(ValueError, match=r"."):
        loads(text)


@given(st.binary(max_size=60))
def test_loads_raises_only_value_error(junk):
    try:
        loads(junk)
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\ud83db", '"a\ufffdb"'),
        ({"k\udc00": "é"}, '{"k\ufffd":"é"}'),
        ([math.nan, math.inf], "[null,null]"),
        (["\ud800", math.nan], '["\ufffd",null]'),
        ({1: 2}, '{"1":2}'),
    ],
)
def test_what_strict_json_cannot_say_is_replaced(value, text):
    assert dumps(value).decode() == text


def test_a_value_nested_too_deeply_is_a_value_error():
    value: list = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(ValueError, match="too deeply"):
        dumps(value)
