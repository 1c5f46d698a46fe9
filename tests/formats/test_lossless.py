"""The lossless lane: nothing but the model's bytes changes, and the end of a stream is noticed."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.errors import BackendError, InvalidRequestError
from proxy_core.formats import builtin_formats, sse
from proxy_core.formats.gemini import GeminiFormat
from proxy_core.formats.lossless import LosslessStream, peek, replace_model
from proxy_core.formats.lossless_array import LosslessArray
from tests.fault_upstream.formats import FORMATS
from tests.fault_upstream.json_array import JsonArray
from tests.fault_upstream.reply import Reply, Text, ToolUse
from tests.fault_upstream.sse import Spelling
from tests.support.cuts import in_two, pieces_of

KEYS = st.sampled_from(["model", "stream", "messages", "a", 'model"', '"model', "\\model", "modèle", "mode", "m{", ""])
STRINGS = st.text(st.sampled_from('a"\\{}[]:, é☕\n'), max_size=8) | st.sampled_from(
    ['"model": "inner"', '\\"model": "inner"', 'x"model":"y', "model", "\\u006dodel", '"\\u006dodel":"x"', "\\"]
)
VALUES = st.recursive(
    STRINGS | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
OTHER_FIELDS = st.lists(st.tuples(KEYS.filter(lambda key: key not in ("model", "stream")), VALUES), max_size=5)
SPACE = st.sampled_from(["", " ", "\n\t", "  "])


def escaped(text: str) -> str:
    """A JSON string whose every character is an escape."""
    return '"' + "".join(f"\\u{ord(character):04x}" for character in text) + '"'


@st.composite
def bodies(draw) -> tuple[str, str]:
    """A request body, one or more `model` fields among others, and the same with the model replaced by `new/"☕`."""
    new = json.dumps('new/"☕', ensure_ascii=False)
    ascii_only = draw(st.booleans())
    fields = [
        [json.dumps(key, ensure_ascii=ascii_only), json.dumps(value, ensure_ascii=ascii_only)] * 2
        for key, value in draw(OTHER_FIELDS)
    ]
    for _ in range(draw(st.integers(1, 2))):
        key = draw(st.sampled_from(['"model"', escaped("model"), '"m\\u006Fdel"', '"mode\\u006c"']))
        old = json.dumps(draw(STRINGS))
        fields.insert(draw(st.integers(0, len(fields))), [key, old, key, new])
    colon = draw(SPACE) + ":" + draw(SPACE)
    comma = draw(SPACE) + "," + draw(SPACE)
    before = comma.join(field[0] + colon + field[1] for field in fields)
    after = comma.join(field[2] + colon + field[3] for field in fields)
    return "{" + before + "}", "{" + after + "}"


@given(bodies())
def test_only_the_top_level_model_is_replaced(body):
    before, after = (text.encode() for text in body)
    found = peek(before).model
    assert found == json.loads(before)["model"]
    if found != 'new/"☕':
        assert replace_model(before, found, 'new/"☕') == after


TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]', re.DOTALL)


def replaced_by_a_walk(body: bytes, new: bytes) -> bytes:
    """What `replace_model` does, the plain way: token by token."""
    pieces, end, depth, name, awaiting_value = [], 0, 0, b"", False
    for token in TOKEN.finditer(body):
        text = token.group()
        depth += (text in b"{[") - (text in b"}]")
        if text in (b":", b","):
            awaiting_value = text == b":" and depth == 1
        elif awaiting_value and text.startswith(b'"') and name and json.loads(name) == "model":
            pieces += [body[end : token.start()], new]
            end = token.end()
        elif depth == 1 and text.startswith(b'"'):
            name = text
    return b"".join([*pieces, body[end:]])


@st.composite
def agent_bodies(draw) -> bytes:
    """A body in which `model`, spelled in any way, is a key at all depths and part of texts."""
    value = draw(st.dictionaries(KEYS.filter(lambda key: key != "stream"), VALUES, max_size=4))
    value |= {"a": draw(st.lists(st.fixed_dictionaries({"model": VALUES, "b": VALUES}), max_size=3)), "model": "old"}
    fields = draw(st.permutations(list(value.items())))
    text = json.dumps(dict(fields), separators=(draw(SPACE) + "," + draw(SPACE), draw(SPACE) + ":" + draw(SPACE)))
    for spelling in draw(st.lists(st.sampled_from(['"m\\u006Fdel"', '"mode\\u006c"', escaped("model")]), max_size=3)):
        places = [match.start() for match in re.finditer(r'(?<!\\)"model"', text)]
        at = draw(st.sampled_from(places)) if places else 0
        text = text[:at] + text[at:].replace('"model"', spelling, 1)
    return text.encode()


@given(agent_bodies())
def test_replacing_agrees_with_a_walk_over_all_tokens(body):
    assert replace_model(body, peek(body).model, "N") == replaced_by_a_walk(body, b'"N"')


def test_a_body_whose_model_stays_is_the_very_same_object():
    body = b'{"model" : "m" , "x":1.0}'
    assert replace_model(body, "m", "m") is body


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b'{"model":"a","model":"b"}', b'{"model":"N","model":"N"}'),
        (b'{"m\\u006fdel":"a","t":{"model":"b"}}', b'{"m\\u006fdel":"N","t":{"model":"b"}}'),
        (b'{"t":{"model":"b"},"model":"a"}', b'{"t":{"model":"b"},"model":"N"}'),
        (b'{"t":[{"model":"b"}],"model":"a"}', b'{"t":[{"model":"b"}],"model":"N"}'),
        (b'{"t":"\\"model\\":\\"b\\"","model":"a"}', b'{"t":"\\"model\\":\\"b\\"","model":"N"}'),
        (b'{"t":"model","model":"a"}', b'{"t":"model","model":"N"}'),
        (b'{"t":"\\\\","model":"a"}', b'{"t":"\\\\","model":"N"}'),
        (b'{"t":"\\\\\\"model\\":","model":"a"}', b'{"t":"\\\\\\"model\\":","model":"N"}'),
        (b'{"t":"\\u006","model":"a"}'.replace(b"006", b"0061"), b'{"t":"\\u0061","model":"N"}'),
        (
            b'{"\\u006D\\u006F\\u0064\\u0065\\u006C":"a","t":{"model":"b"},"model":"c"}',
            b'{"\\u006D\\u006F\\u0064\\u0065\\u006C":"N","t":{"model":"b"},"model":"N"}',
        ),
        (b'\xef\xbb\xbf{"model":"a"}', b'\xef\xbb\xbf{"model":"N"}'),
        (
            b'{"model":"a","u":"\\ud83d","n":18446744073709551617}',
            b'{"model":"N","u":"\\ud83d","n":18446744073709551617}',
        ),
        (b'{"model":"a","n":NaN,"e":1e999,"f":1.0}', b'{"model":"N","n":NaN,"e":1e999,"f":1.0}'),
        (b'{"model":"a\\"\\\\","b":"\xff"}', b'{"model":"N","b":"\xff"}'),
    ],
)
def test_all_other_bytes_stay(body, after):
    assert replace_model(body, peek(body).model, "N") == after


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b'"model"', "invalid_json", None),
        (b'{"model":"m"} x', "invalid_json", None),
        (b'{"model":"m","x":"\x01"}', "invalid_json", None),
        (b'{"x":' + b"[" * 100_000, "invalid_json", None),
        (b"{}", "missing_required_parameter", "model"),
        (b'{"x":NaN}', "missing_required_parameter", "model"),
        (b'{"model":null}', "invalid_type", "model"),
        (b'{"model":{"model":"m"}}', "invalid_type", "model"),
        (b'{"model":"m","stream":"yes"}', "invalid_type", "stream"),
        (b'{"model":"m","stream":"\\ud83d"}', "invalid_type", "stream"),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else str(value),
)
def test_a_body_that_names_no_model_is_refused(body, code, param):
    with pytest.raises(InvalidRequestError) as raised:
        peek(body)
    assert (raised.value.code, raised.value.details.get("param")) == (code, param)


@given(st.binary(max_size=80))
def test_peeking_raises_nothing_else(junk):
    try:
        peek(junk)
    except InvalidRequestError:
        pass


REPLY = Reply("m", (Text(("naïve ", "café ☕")), ToolUse("call_1", "f", {"q": "é"})), "tools", include_usage=True)


def stream_of(name: str, eol: str = "\n") -> bytes:
    """A whole answer as the upstream of this format streams it."""
    return b"".join(Spelling(eol=eol).frames(FORMATS[name].events(REPLY)))


ALL = pytest.mark.parametrize("wire_format", builtin_formats(), ids=lambda each: each.name)
#: Those whose streams say that they are at the end.
WITH_TERMINAL = pytest.mark.parametrize(
    "wire_format", [each for each in builtin_formats() if each.name != "gemini"], ids=lambda each: each.name
)


def pass_through(wire_format, pieces, kind=LosslessStream) -> tuple[bytes, LosslessStream]:
    """What comes out of a lossless stream until it is over, and the stream."""
    stream, out = kind(wire_format), []
    for piece in pieces:
        out.append(stream.feed(piece))
        if stream.has_ended():
            return b"".join(out), stream
    return b"".join([*out, stream.flush()]), stream


@ALL
@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_a_stream_passes_byte_for_byte_wherever_it_is_cut(wire_format, eol):
    whole = stream_of(wire_format.name, eol)
    for pieces in in_two(whole):
        out, stream = pass_through(wire_format, pieces)
        # A cut within the very last CRLF ends the stream one byte early; its blank line is complete all the same.
        assert out == whole or (eol == "\r\n" and out == whole[:-1])
        assert stream.terminal or stream.may_end
        assert stream.usage.output_tokens == 9


@ALL
@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_stream_passes_byte_for_byte_in_small_pieces(wire_format, size):
    whole = stream_of(wire_format.name)
    assert pass_through(wire_format, pieces_of(whole, size))[0] == whole


@WITH_TERMINAL
def test_nothing_follows_the_terminal_event_wherever_the_stream_is_cut(wire_format):
    whole = stream_of(wire_format.name)
    for pieces in in_two(whole + b'data: {"late": "DONE"}\n\n'):
        assert pass_through(wire_format, pieces)[0] == whole


@ALL
def test_a_stream_cut_off_before_its_terminal_event_is_not_terminal(wire_format):
    whole = stream_of(wire_format.name)
    last = whole.rstrip(b"\n").rindex(b"\n\n") + 2
    for at in range(last + 1):
        out, stream = pass_through(wire_format, [whole[:at]])
        assert whole.startswith(out)
        assert not stream.terminal
        assert not stream.may_end


@ALL
def test_a_terminal_event_without_its_blank_line_is_completed(wire_format):
    whole = stream_of(wire_format.name)
    out, stream = pass_through(wire_format, [whole.rstrip(b"\n")])
    assert out == whole
    assert stream.terminal or stream.may_end


@ALL
def test_an_error_event_ends_the_stream(wire_format):
    frame = Spelling().frame(FORMATS[wire_format.name].error_event(429))
    out, stream = pass_through(wire_format, [frame, stream_of(wire_format.name)])
    assert stream.error.message
    if wire_format.error_is_last:
        assert out == frame
        assert not stream.terminal


@ALL
def test_an_error_without_its_blank_line_is_completed(wire_format):
    begun = stream_of(wire_format.name).partition(b"\n\n")[0] + b"\n\n"
    frame = Spelling().frame(FORMATS[wire_format.name].error_event(429))
    out, stream = pass_through(wire_format, [begun, frame.rstrip(b"\n")])
    assert out == begun + frame
    assert stream.error.message


def test_a_torn_event_after_the_last_is_discarded_and_no_end():
    whole = stream_of("gemini")
    for torn in (b"data: {", b'data: {"usageMeta', b'data: {"finishReason": "ST'):
        out, stream = pass_through(GeminiFormat(), [whole, torn])
        assert out == whole
        assert not stream.may_end


def candidate(number: int, **fields: str) -> bytes:
    parts = {"content": {"parts": [{"text": "a"}]}}
    return json.dumps({"candidates": [{**parts, "index": number, **fields}]}).encode()


@pytest.mark.parametrize("kind", [LosslessStream, LosslessArray])
@pytest.mark.parametrize(("ended", "whole"), [([], False), ([0], False), ([1], False), ([0, 1], True), ([1, 0], True)])
def test_every_candidate_has_to_end(kind, ended, whole):
    events = [candidate(0), candidate(1), *(candidate(number, finishReason="STOP") for number in ended)]
    streams = {LosslessStream: b"".join(map(sse.render, events)), LosslessArray: b"[" + b",".join(events)}
    assert pass_through(GeminiFormat(), [streams[kind]], kind)[1].may_end == whole


@ALL
def test_a_torn_marked_event_that_is_no_json_is_an_error(wire_format):
    with pytest.raises(BackendError):
        pass_through(wire_format, [b'data: {"error": "usage" "message_stop" "completion_tokens"\n\n'])


# one JSON array


def array_of(indented: bool = True) -> bytes:
    """A whole answer as Gemini streams it where nobody asks for events."""
    whole = b"".join(JsonArray(complete=True).frames(FORMATS["gemini"].events(REPLY)))
    return whole if indented else json.dumps(json.loads(whole)).encode()


@pytest.mark.parametrize("indented", [True, False])
def test_an_array_passes_byte_for_byte_wherever_it_is_cut(indented):
    whole = array_of(indented)
    for pieces in (*in_two(whole), *(pieces_of(whole, size) for size in (1, 7, 64))):
        out, stream = pass_through(GeminiFormat(), pieces, LosslessArray)
        assert out == whole
        assert (stream.may_end, stream.error, stream.usage.output_tokens) == (True, None, 9)


@pytest.mark.parametrize("indented", [True, False])
def test_an_array_that_is_cut_off_before_its_last_element_has_no_end(indented):
    whole = array_of(indented)
    last = whole.rindex(b'"finishReason"')
    for at in range(last + 1):
        out, stream = pass_through(GeminiFormat(), [whole[:at]], LosslessArray)
        assert whole.startswith(out)
        assert not stream.terminal
        assert not stream.may_end


def test_a_long_element_in_small_pieces_takes_linear_time():
    whole = b'[{"candidates": [{"finishReason": "STOP", "data": "' + b"A" * 8 * 1024 * 1024 + b'"}]}]'
    began = time.process_time()
    assert pass_through(GeminiFormat(), pieces_of(whole, 64), LosslessArray)[0] == whole
    assert time.process_time() - began < 2


def test_only_whole_elements_of_an_array_pass():
    whole = array_of()
    ends = {0, *(match.end() for match in re.finditer(rb"\n}", whole))}
    for first, _ in in_two(whole):
        assert len(LosslessArray(GeminiFormat()).feed(first)) in ends


@pytest.mark.parametrize("end", [b"\n]", b"]\r\n", b"", b"\n", b",\n", b',{"torn":'])
def test_an_error_is_an_element_of_the_array_and_closes_it(end):
    element = json.dumps(FORMATS["gemini"].error(429)).encode()
    out, stream = pass_through(GeminiFormat(), [b"[" + element, end], LosslessArray)
    assert out == b"[" + element + (end if b"]" in end else b"]")
    assert stream.error.message


def test_an_array_that_lacks_its_end_alone_gets_it():
    whole = array_of()
    for at in range(len(whole.rstrip(b"\r\n]")), len(whole)):
        out, stream = pass_through(GeminiFormat(), [whole[:at]], LosslessArray)
        assert json.loads(out) == json.loads(whole)
        assert stream.may_end
