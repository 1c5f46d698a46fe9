"""A connector that passes on whatever it reads, put together by the host: text or bytes, pieces or lines.

Nothing here goes over a network: `TranslationService.to_domain_stream_chunk` on the connector's side, `StreamAnswer` on
the host's, and every place where a stream can be cut.
"""

import asyncio
import codecs
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy_core.api import (
    AppConfig,
    BackendPluginDefinition,
    LLMBackend,
    LLMProxyError,
    PluginCompatibility,
    ProcessedResponse,
    ResponseEnvelope,
    StreamChunk,
    StreamingResponseHandle,
    StreamInterruptedError,
    TextDelta,
    ToolCallDelta,
    TranslationService,
)
from proxy_core.errors import BackendError
from proxy_core.formats.said import Said
from proxy_core.formats.slices import SliceAssembler
from proxy_core.host.registry import ConfiguredBackend
from proxy_core.stream_answer import StreamAnswer
from tests.fault_upstream.formats import FORMATS
from tests.fault_upstream.reply import Reply, Text, ToolUse, Usage
from tests.fault_upstream.sse import Spelling
from tests.support.cuts import in_two, pieces_of

TRANSLATION = TranslationService()
TEXT = ("né ", "data: 1\n\n", "☕\u2028", "😀")
ARGUMENTS = {"a": "event: ü\r\n"}
REPLY = Reply(
    "m", (Text(TEXT), ToolUse("call_1", "look", ARGUMENTS)), "tools", Usage(prompt=3, output=4), include_usage=True
)

SPELLINGS = {
    "plain": Spelling(),
    "crlf": Spelling(eol="\r\n"),
    "cr": Spelling(eol="\r"),
    "tight": Spelling(colon=":"),
    "lines": Spelling(indent=1),
    "chatty": Spelling(comments=True, pings=True),
    "no-tail": Spelling(tail=False),
}


class Bare(LLMBackend):
    """A connector; its loops are in the tests."""

    backend_type = "bare"

    async def initialize(self, **kwargs: Any) -> None: ...

    async def chat_completions(self, *arguments: Any, **kwargs: Any) -> ResponseEnvelope:
        raise NotImplementedError


DEFINITION = BackendPluginDefinition("bare", Bare, "llm-proxy-bare", PluginCompatibility("0.1"))
CONFIGURED = ConfiguredBackend("bare", DEFINITION, Bare(AppConfig()), {}, 1)


def frames_of(format_name: str, spelling: str = "plain") -> list[bytes]:
    """The reply as a stream, event by event."""
    return list(SPELLINGS[spelling].frames(FORMATS[format_name].events(REPLY)))


def spelled(format_name: str, spelling: str = "plain") -> bytes:
    """The reply as a stream."""
    return b"".join(frames_of(format_name, spelling))


def answer_of(
    format_name: str, pieces: Iterable[str | bytes], dumped: bool = False, status: int = 200, **headers: str
) -> StreamAnswer:
    """The host's view of a connector that loops over `pieces`."""

    async def loop() -> AsyncIterator[ProcessedResponse]:
        for piece in pieces:
            chunk = TRANSLATION.to_domain_stream_chunk(piece, format_name)
            yield ProcessedResponse(content=chunk.model_dump() if dumped else chunk)

    handle = StreamingResponseHandle(iterator=loop(), headers=headers, status_code=status)
    return StreamAnswer(handle, headers, CONFIGURED, None, TRANSLATION)


async def chunks_of(format_name: str, pieces: Iterable[str | bytes], dumped: bool = False) -> list[StreamChunk]:
    answer = answer_of(format_name, pieces, dumped)
    chunks: list[StreamChunk] = []
    await collect(chunks, answer)
    await answer.aclose()
    return chunks


async def collect(said: list[StreamChunk], answer: StreamAnswer) -> None:
    """Add what the answer says, as long as it does."""
    async for together in answer:
        said += [chunk for chunk in together if isinstance(chunk, StreamChunk)]


def told(chunks: Iterable[StreamChunk]) -> tuple[Any, ...]:
    """What a stream says, however it came in pieces; what it repeats counts once."""
    text, arguments, opened, finish, ends, usage = "", "", [], [], 0, None
    for chunk in map(Said().apply, chunks):
        assert not ends
        ends += chunk.terminal
        finish += [each.reason for each in chunk.finish]
        usage = chunk.usage or usage
        for delta in chunk.deltas:
            if isinstance(delta, TextDelta):
                text += delta.text
            if isinstance(delta, ToolCallDelta):
                arguments += delta.arguments
                opened += [delta.name] if delta.name else []
    assert usage is not None
    return text, json.loads(arguments), opened, finish, ends, usage.output_tokens


def whole(format_name: str) -> tuple[Any, ...]:
    """The same of the reply; Gemini does not tell that it stopped for a tool."""
    finish = "stop" if format_name == "gemini" else "tool_calls"
    return "".join(TEXT), ARGUMENTS, ["look"], [finish], 1, 4


# ways in which a connector reads


def as_bytes(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`aiter_bytes`."""
    yield from pieces


def as_text(pieces: Iterable[bytes]) -> Iterator[str]:
    """`aiter_text`: a torn character waits for its other half."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    yield from filter(None, map(decoder.decode, pieces))


def as_escaped_text(pieces: Iterable[bytes]) -> Iterator[str]:
    """Each piece decoded by itself."""
    return (piece.decode("utf-8", "surrogateescape") for piece in pieces)


READERS = [as_bytes, as_text, as_escaped_text]
Reader = Callable[[Iterable[bytes]], Iterable[str | bytes]]


def lines_of(stream: bytes) -> list[str]:
    """`aiter_lines`: lines without their ends."""
    return stream.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("spelling", ["plain", "crlf"])
async def test_a_stream_says_the_same_wherever_it_is_cut_in_two(format_name: str, read: Reader, spelling: str) -> None:
    for cut in in_two(spelled(format_name, spelling), most=1500):
        assert told(await chunks_of(format_name, read(filter(None, cut)))) == whole(format_name)


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("dumped", [False, True], ids=["chunks", "dumped"])
async def test_a_stream_says_the_same_in_pieces_of_any_size(
    format_name: str, read: Reader, spelling: str, dumped: bool
) -> None:
    stream = spelled(format_name, spelling)
    for size in (*range(1, 8), 13, 64, 200, len(stream)):
        assert told(await chunks_of(format_name, read(pieces_of(stream, size)), dumped)) == whole(format_name)


@given(st.sampled_from(sorted(FORMATS)), st.sampled_from(READERS), st.sampled_from(sorted(SPELLINGS)), st.data())
@settings(max_examples=100, deadline=None)
def test_a_stream_says_the_same_in_pieces_of_mixed_sizes(format_name, read, spelling, data):
    stream = spelled(format_name, spelling)
    cuts = sorted({0, len(stream), *data.draw(st.lists(st.integers(0, len(stream)), max_size=12))})
    pieces = [stream[start:end] for start, end in pairwise(cuts)]
    assert told(asyncio.run(chunks_of(format_name, read(pieces)))) == whole(format_name)


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("spelling", sorted(set(SPELLINGS) - {"lines"}))
@pytest.mark.parametrize("kept", [True, False], ids=["all", "no-blank-ones"])
async def test_a_stream_says_the_same_line_by_line(format_name: str, spelling: str, kept: bool) -> None:
    lines = [line for line in lines_of(spelled(format_name, spelling)) if kept or line]
    assert told(await chunks_of(format_name, lines)) == whole(format_name)


@pytest.mark.parametrize("format_name", FORMATS)
async def test_lines_may_keep_their_ends(format_name: str) -> None:
    assert told(await chunks_of(format_name, spelled(format_name, "chatty").splitlines(keepends=True))) == whole(
        format_name
    )


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("extra", ["id: 7", "retry: 100", ": comment", ":", "event: message"])
async def test_lines_that_say_nothing_do_not_swallow_the_next_one(format_name: str, extra: str) -> None:
    lines = [each for line in lines_of(spelled(format_name)) for each in ([extra, line] if line else [line])]
    assert told(await chunks_of(format_name, lines)) == whole(format_name)


@pytest.mark.parametrize("format_name", FORMATS)
async def test_whole_events_and_torn_ones_may_take_turns(format_name: str) -> None:
    events = [event + b"\n\n" for event in spelled(format_name).split(b"\n\n") if event]
    pieces = [piece for n, event in enumerate(events) for piece in (pieces_of(event, 9) if n % 2 else [event])]
    assert told(await chunks_of(format_name, pieces)) == whole(format_name)


@pytest.mark.parametrize("format_name", FORMATS)
async def test_a_whole_event_is_handed_on_at_once(format_name: str) -> None:
    """Without waiting for its blank line or for the next event."""
    first = spelled(format_name).partition(b"\n\n")[0]
    answer = answer_of(format_name, [first])
    assert await anext(aiter(answer))
    await answer.aclose()


@pytest.mark.parametrize("format_name", FORMATS)
async def test_a_torn_event_is_handed_on_as_soon_as_it_is_whole(format_name: str) -> None:
    stream = spelled(format_name)
    end = stream.index(b"\n\n") + 2
    sent = []

    def pieces() -> Iterator[bytes]:
        for piece in pieces_of(stream[:end], 5):
            sent.append(piece)
            yield piece
        raise AssertionError("the event was whole before")

    answer = answer_of(format_name, pieces())
    assert await anext(aiter(answer))
    assert b"".join(sent).rstrip() == stream[:end].rstrip()
    await answer.aclose()


# streams that end too soon


@pytest.mark.parametrize("format_name", FORMATS)
async def test_a_stream_that_is_cut_off_anywhere_is_reported_and_invents_nothing(format_name: str) -> None:
    *before, _ = frames_of(format_name)
    stream = b"".join(before)
    for length in range(1, len(stream), 3):
        said: list[StreamChunk] = []
        with pytest.raises(StreamInterruptedError, match="before the answer was complete"):
            await collect(said, answer_of(format_name, as_text([stream[:length]])))
        assert not any(chunk.terminal for chunk in said)
        heard = map(Said().apply, said)
        text = "".join(delta.text for chunk in heard for delta in chunk.deltas if isinstance(delta, TextDelta))
        assert "".join(TEXT).startswith(text)


@pytest.mark.parametrize("format_name", sorted({*FORMATS} - {"gemini"}))
async def test_what_follows_the_end_is_not_handed_on(format_name: str) -> None:
    stream = spelled(format_name)
    assert told(await chunks_of(format_name, [stream + stream])) == whole(format_name)
    assert told(await chunks_of(format_name, [stream, stream])) == whole(format_name)


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_broken_json_is_an_error_however_it_is_cut(format_name: str, size: int) -> None:
    first, blank, rest = spelled(format_name).partition(b"\n\n")
    stream = first + blank + b'data: {"broken": tru\n\n' + rest
    with pytest.raises(LLMProxyError, match="not JSON"):
        await chunks_of(format_name, pieces_of(stream, size))


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize(
    ("format_name", "body", "status"),
    [
        ("openai", {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}, 429),
        ("openai", {"error": {"message": "slow down", "type": "x", "code": "y"}}, 502),
        ("openai-responses", {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, 429),
        ("anthropic", {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}, 429),
        ("gemini", {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}, 429),
        ("gemini", {"error": {"message": "slow down", "status": "RESOURCE_EXHAUSTED"}}, 429),
    ],
)
async def test_an_error_body_in_place_of_a_stream_is_that_error(
    format_name: str, body: dict[str, Any], status: int, size: int
) -> None:
    """A connector that looks at no status reads the body as if it were a stream."""
    for spelling in (json.dumps(body), json.dumps(body, indent=2)):
        with pytest.raises(LLMProxyError, match="slow down") as failure:
            await chunks_of(format_name, pieces_of(spelling, size))
        assert failure.value.status_code == status


@pytest.mark.parametrize("body", ['{"error": {"message": "no"}}', '{"detail": "no"}'])
async def test_the_status_and_headers_that_the_connector_tells_are_those_of_the_error(body: str) -> None:
    with pytest.raises(LLMProxyError, match="no") as failure:
        await collect([], answer_of("openai", [body], False, 429, **{"retry-after": "7"}))
    assert failure.value.status_code == 429
    assert failure.value.retry_after == 7


async def test_a_page_in_place_of_a_stream_is_a_stream_without_end() -> None:
    with pytest.raises(StreamInterruptedError):
        await chunks_of("openai", ["<html><body>502 Bad Gateway</body></html>"])


def test_an_event_that_never_ends_is_refused() -> None:
    assembler = SliceAssembler(TRANSLATION.format("openai"))
    piece = TRANSLATION.to_domain_stream_chunk("data: " + "x" * (1 << 20), "openai")
    with pytest.raises(BackendError, match="one stream event is longer than"):
        list(map(assembler.feed, [piece] * 40))


# one slice by itself


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize(
    "text",
    ["", "\n", "\r\n\r\n", "data: ", "data: {", "ata: {}", "data", ": hi\n\n", "x", '{"a"', "data: [1]", "data: 1"],
)
def test_a_slice_that_is_no_event_waits_for_the_rest(format_name: str, text: str) -> None:
    chunk = TRANSLATION.to_domain_stream_chunk(text, format_name)
    assert chunk.slice is not None
    assert (chunk.deltas, chunk.terminal, chunk.error) == ([], False, None)
    assert StreamChunk.model_validate(chunk.model_dump()) == chunk


@pytest.mark.parametrize("ending", ["", "\n", "\n\n", "\r\n", "\r\n\r\n", "\r", " \n\n"])
def test_a_whole_event_is_decoded_whatever_of_its_blank_line_has_come(ending: str) -> None:
    event = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}' + ending
    for piece in (event, event.encode()):
        [delta] = TRANSLATION.to_domain_stream_chunk(piece, "openai").deltas
        assert isinstance(delta, TextDelta)
        assert delta.text == "hi"


def test_decoding_a_slice_keeps_nothing() -> None:
    torn = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}'
    assert not TRANSLATION.to_domain_stream_chunk(torn, "openai").deltas
    assert not TRANSLATION.to_domain_stream_chunk("]}\n\n", "openai").deltas


def test_a_parsed_event_needs_no_putting_together() -> None:
    chunk = TRANSLATION.to_domain_stream_chunk({"choices": [{"index": 0, "delta": {"content": "hi"}}]}, "openai")
    assert chunk.slice is None
    assert SliceAssembler(TRANSLATION.format("openai")).feed(chunk) == [chunk]


def test_the_marker_of_the_end_is_the_end_by_itself() -> None:
    assert TRANSLATION.to_domain_stream_chunk("data: [DONE]\n\n", "openai").terminal
    assert TRANSLATION.to_domain_stream_chunk("data: [DONE]", "openai").terminal


@pytest.mark.parametrize("size", [1, 64])
def test_putting_together_takes_time_linear_in_the_bytes(size: int) -> None:
    """A megabyte in tiny pieces; were it quadratic, the test would run out of time."""
    assembler = SliceAssembler(TRANSLATION.format("openai"))
    event = json.dumps({"choices": [{"index": 0, "delta": {"content": "x" * 1000 * 4 * size}}]})
    stream = f"data: {event}\n\n" * 3
    chunks = [
        chunk
        for piece in pieces_of(stream, size)
        for chunk in assembler.feed(TRANSLATION.to_domain_stream_chunk(piece, "openai"))
    ]
    assert len([chunk for chunk in chunks if chunk.deltas]) == 3
