"""Bytes to events and back, however the network cuts them."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.errors import BackendError
from proxy_core.formats.sse import KEEP_ALIVE, Event, EventSplitter, WholeEvents, parse_event, render
from tests.support.cuts import pieces_of

# U+2028, U+0085 and form feed end lines for `str.splitlines`, not for SSE.
TEXT = st.text(st.sampled_from('a:{}"\\ é☕😀\u2028\u0085\x0c\v'), max_size=12)
NAMES = st.sampled_from(["message_start", "ping", "x"])
BLOCKS = st.one_of(
    TEXT.map(lambda text: [f"data: {text}"]),
    TEXT.map(lambda text: [f"data:{text}"]),
    st.tuples(NAMES, TEXT).map(lambda pair: [f"event: {pair[0]}", f"data: {pair[1]}"]),
    st.lists(TEXT, min_size=2, max_size=3).map(lambda lines: [f"data: {line}" for line in lines]),
    TEXT.map(lambda text: [f": {text}"]),
    st.just(["retry: 10", "id: 7"]),
)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
STREAMS = st.tuples(st.lists(BLOCKS, min_size=1, max_size=6), LINE_ENDS, st.booleans())


def spelled(stream: tuple[list[list[str]], str, bool]) -> bytes:
    """The stream as bytes: all blocks with one line end, perhaps with a BOM."""
    blocks, eol, bom = stream
    text = "".join("".join(line + eol for line in (*block, "")) for block in blocks)
    return ("\ufeff" * bom + text).encode()


def split(pieces: Iterable[bytes]) -> list[Event]:
    """What an `EventSplitter` makes of these pieces."""
    splitter = EventSplitter()
    blocks = [block for piece in pieces for block in splitter.feed(piece)]
    return [parse_event(block) for block in (*blocks, *splitter.flush())]


def said(events: Iterable[Event]) -> list[Event]:
    """The events that say something: a block of mere line ends is none."""
    return [event for event in events if event != Event(None, None)]


@given(STREAMS)
def test_the_events_are_those_that_were_written(stream):
    written = []
    for block in stream[0]:
        data = [line.partition(":")[2].removeprefix(" ") for line in block if line.startswith("data:")]
        name = [line.removeprefix("event: ") for line in block if line.startswith("event:")]
        written.append(Event(name[0] if name else None, "\n".join(data).encode() if data else None))
    assert said(split([spelled(stream)])) == said(written)


@given(STREAMS, st.sampled_from([1, 2, 7, 64]))
def test_events_do_not_depend_on_how_the_stream_is_cut(stream, size):
    whole = spelled(stream)
    assert said(split(pieces_of(whole, size))) == said(split([whole]))


@given(STREAMS, st.data())
def test_events_do_not_depend_on_where_the_stream_is_cut_in_two(stream, data):
    whole = spelled(stream)
    cut = data.draw(st.integers(0, len(whole)))
    assert said(split([whole[:cut], whole[cut:]])) == said(split([whole]))


@given(STREAMS, st.sampled_from([1, 2, 7, 64]))
def test_whole_events_passes_every_byte_on_and_holds_back_only_the_torn_tail(stream, size):
    whole = spelled(stream)
    keeper = WholeEvents()
    passed = [keeper.feed(piece) for piece in pieces_of(whole, size)]
    assert b"".join([*passed, keeper.flush()]) == whole
    assert all(not piece or piece[-1:] in b"\r\n" for piece in passed)


def test_a_torn_event_comes_out_of_flush():
    splitter = EventSplitter()
    assert splitter.feed(b"data: a\n\ndata: b\n") == [b"data: a"]
    assert splitter.pending
    assert splitter.flush() == [b"data: b"]
    assert splitter.flush() == []


def test_a_crlf_cut_between_its_halves_makes_no_event_of_its_own():
    splitter = EventSplitter()
    pieces = [b"data: a\r", b"\n\r", b"\ndata: b\r\n", b"\r\n"]
    assert [parse_event(block) for piece in pieces for block in splitter.feed(piece)] == [
        Event(None, b"a"),
        Event(None, b"b"),
    ]


@given(st.binary(max_size=200), st.sampled_from([1, 7, 64]))
def test_junk_raises_nothing(junk, size):
    split(pieces_of(junk, size))
    keeper = WholeEvents()
    assert b"".join([*map(keeper.feed, pieces_of(junk, size)), keeper.flush()]) == junk


@pytest.mark.parametrize("kind", [EventSplitter, WholeEvents])
def test_an_event_beyond_the_limit_is_an_error(kind):
    reader = kind(max_event_bytes=100)
    reader.feed(b"data: " + b"x" * 90)
    with pytest.raises(BackendError, match="longer than 100 bytes") as raised:
        reader.feed(b"x" * 10)
    assert raised.value.code == "event_too_large"


class CountingBuffer(bytearray):
    """A buffer that adds up how many bytes are searched."""

    searched = 0

    def find(self, sub, start=0, *rest):
        self.searched += len(self) - start
        return super().find(sub, start, *rest)

    def rfind(self, sub, start=0, *rest):
        self.searched += len(self) - start
        return super().rfind(sub, start, *rest)

    def __contains__(self, item):
        self.searched += len(self)
        return super().__contains__(item)


@pytest.mark.parametrize("kind", [EventSplitter, WholeEvents])
@pytest.mark.parametrize("eol", [b"", b"\r"], ids=["lf", "a carriage return"])
def test_a_long_event_in_small_pieces_is_searched_a_fixed_number_of_times(kind, eol):
    reader = kind()
    reader._buffer = CountingBuffer()
    regex_searched = 0
    event = b"data: x" + eol + b"y" * (1 << 20)
    for piece in pieces_of(event, 64):
        regex_searched += len(reader._buffer) + len(piece) - reader._scanned
        reader.feed(piece)
    assert reader._buffer.searched + regex_searched < 4 * len(event)


@given(NAMES | st.none(), TEXT.map(str.encode))
def test_rendered_events_read_back(name, data):
    assert split([render(data, name)]) == [Event(name, data)]


def test_the_keep_alive_is_a_comment():
    assert split([KEEP_ALIVE]) == [Event(None, None)]
