"""The FaultUpstream itself, judged by the providers' own SDKs and by bare sockets."""

import asyncio
import base64
import gzip
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from tests.fault_upstream import (
    ARGUMENTS,
    GREETING,
    ODDITIES,
    SIGNATURE,
    FaultUpstream,
    Story,
    response,
    story,
    upstream_in_thread,
)

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(59)).decode()
CHAT_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
OPENAI_TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
ANTHROPIC_TOOL: Any = {"name": "weather", "input_schema": {"type": "object"}}


@pytest.fixture
async def upstream() -> AsyncIterator[FaultUpstream]:
    async with FaultUpstream() as running:
        yield running


@pytest.fixture
async def chat(upstream: FaultUpstream) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="k", base_url=upstream.openai_url, max_retries=0) as client:
        yield client


@pytest.fixture
async def claude(upstream: FaultUpstream) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key="k", base_url=upstream.anthropic_url, max_retries=0) as client:
        yield client


async def ask(
    upstream: FaultUpstream,
    model: str,
    spoken: str,
    *,
    stream: bool = True,
    patience: float = 5,
    **fields: Any,
) -> tuple[int, bytes]:
    """One request by hand; the body as far as it came, with a `!` where the connection broke."""
    reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
    body = json.dumps({"model": model, "stream": stream, "max_tokens": 9, "messages": [], **fields}).encode()
    head = f"POST {CHAT_PATHS[spoken]} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
    head += f"anthropic-version: 2023-06-01\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    received = await _read_all(reader, patience)
    writer.close()
    top, _, rest = received.partition(b"\r\n\r\n")
    return int(top.split()[1] if top else 0), _unchunked(rest) if b"chunked" in top else rest


async def _read_all(reader: asyncio.StreamReader, patience: float) -> bytes:
    received = b""
    try:
        async with asyncio.timeout(patience):
            while piece := await reader.read(65536):
                received += piece
    except TimeoutError:
        return received
    except ConnectionResetError:
        return received + b"!reset"
    return received + b"!closed"


def _unchunked(data: bytes) -> bytes:
    body = b""
    while b"\r\n" in data:
        size, _, data = data.partition(b"\r\n")
        if not int(size, 16):
            return body + b"!end"
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body + data


def test_story_names_survive_a_round_trip() -> None:
    told = Story.parse(story("rst", after=5, id="x"))
    assert (told.name, told.text("end"), told.number("after", 3)) == ("answer", "rst", 5)


async def test_openai_answer_has_the_sdk_types(upstream: FaultUpstream, chat: openai.AsyncOpenAI) -> None:
    raw = await chat.chat.completions.with_raw_response.create(model="gpt-4o", messages=[])
    answer = TypeAdapter(ChatCompletion).validate_json(raw.text)
    assert answer.choices[0].message.content == GREETING
    assert answer.usage
    assert answer.usage.total_tokens == 30


async def test_anthropic_answer_has_the_sdk_types(claude: anthropic.AsyncAnthropic) -> None:
    raw = await claude.messages.with_raw_response.create(model="claude", max_tokens=9, messages=[])
    answer = TypeAdapter(Message).validate_json(await raw.text())
    assert answer.content[0].type == "text"
    assert answer.content[0].text == GREETING


@pytest.mark.parametrize("name", ["answer", "tools", "thinking", "tick"])
async def test_streams_validate_and_collect_to_the_whole_answer(upstream: FaultUpstream, name: str) -> None:
    _, stream = await ask(upstream, name, "openai", stream_options={"include_usage": True})
    _, whole = await ask(upstream, name, "openai", stream=False)
    state = ChatCompletionStreamState()
    for line in stream.split(b"\n\n")[:-2]:
        state.handle_chunk(TypeAdapter(ChatCompletionChunk).validate_json(line.removeprefix(b"data: ")))
    collected = state.get_final_completion()
    expected = TypeAdapter(ChatCompletion).validate_json(whole.removesuffix(b"!closed"))
    assert collected.choices[0].message.content == expected.choices[0].message.content
    assert collected.usage == expected.usage


@pytest.mark.parametrize("name", ["answer", "tools", "thinking", "tick"])
async def test_anthropic_events_validate(upstream: FaultUpstream, name: str) -> None:
    _, stream = await ask(upstream, name, "anthropic")
    rows = [json.loads(block.split(b"data: ")[1]) for block in stream.split(b"\n\n")[:-1]]
    for row in (row for row in rows if row["type"] != "ping"):
        TypeAdapter(RawMessageStreamEvent).validate_python(row)
    assert [rows[0]["type"], rows[2]["type"], rows[-1]["type"]] == ["message_start", "ping", "message_stop"]


async def test_openai_tool_round_trip(chat: openai.AsyncOpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "weather?"}]
    model = story("tools")
    first = await chat.chat.completions.create(model=model, messages=messages, tools=[OPENAI_TOOL])
    [call] = first.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", ARGUMENTS)
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "snow"}]
    second = await chat.chat.completions.create(model=model, messages=messages, tools=[OPENAI_TOOL])
    assert second.choices[0].message.content == "The tool said: snow."


async def test_anthropic_thinking_round_trip_needs_the_signature(claude: anthropic.AsyncAnthropic) -> None:
    model = story("thinking")
    question: Any = {"role": "user", "content": "weather?"}
    async with claude.messages.stream(
        model=model,
        max_tokens=9,
        messages=[question],
        tools=[ANTHROPIC_TOOL],
    ) as stream:
        first = await stream.get_final_message()
    thought, call = first.content
    assert thought.type == "thinking"
    assert call.type == "tool_use"
    assert (thought.signature, call.input) == (SIGNATURE, ARGUMENTS)
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sun"}]}
    kept: list[Any] = [question, {"role": "assistant", "content": first.content}, result]
    second = await claude.messages.create(model=model, max_tokens=9, messages=kept)
    assert second.content[0].type == "text"
    lost: list[Any] = [question, {"role": "assistant", "content": [call]}, result]
    with pytest.raises(anthropic.BadRequestError, match="must start with a thinking block"):
        await claude.messages.create(model=model, max_tokens=9, messages=lost)


async def test_a_foreign_tool_id_is_refused(chat: openai.AsyncOpenAI) -> None:
    messages: list[Any] = [{"role": "tool", "tool_call_id": "call_other", "content": "x"}]
    with pytest.raises(openai.BadRequestError, match="never given out"):
        await chat.chat.completions.create(model="tools", messages=messages)


async def test_images_are_counted_in_both_formats(upstream: FaultUpstream) -> None:
    chat_part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": source}]}
    for spoken, part in (
        ("openai", chat_part),
        ("anthropic", {"type": "image", "source": source}),
        ("anthropic", result),
    ):
        message = {"role": "user", "content": [part]}
        _, body = await ask(upstream, "image", spoken, stream=False, messages=[message])
        assert b"1 image(s): image/png (67 bytes)" in body


async def test_echo_and_the_log_hold_the_received_bytes(upstream: FaultUpstream) -> None:
    model = story("echo")
    _, body = await ask(upstream, model, "openai", stream=False, odd_number=1e3)
    exchange = await upstream.wait_over(model)
    answer = json.loads(body.removesuffix(b"!closed"))
    assert answer["choices"][0]["message"]["content"].encode() == exchange.body
    assert (exchange.method, exchange.path) == ("POST", "/v1/chat/completions")
    assert exchange.headers["authorization"] == "Bearer k"


async def test_model_lists_and_probes(
    upstream: FaultUpstream, chat: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic
) -> None:
    assert [model.id async for model in chat.models.list()] == ["fault-small", "fault-large"]
    assert [model.id async for model in claude.models.list()] == ["fault-small", "fault-large"]
    counted = await claude.messages.count_tokens(model="claude", messages=[{"role": "user", "content": "x"}])
    assert counted.input_tokens == 21
    told = chat.with_options(base_url=f"{upstream.url}/~status~code=401/v1")
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        await told.models.list()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "InternalServerError"),
        (529, "InternalServerError"),
    ],
)
async def test_statuses_raise_the_sdk_errors(
    chat: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic, code: int, error: str
) -> None:
    model = story("status", code=code)
    with pytest.raises(getattr(openai, error)) as raised:
        await chat.chat.completions.create(model=model, messages=[])
    assert raised.value.response.headers.get("retry-after") == ("2" if code in {429, 503, 529} else None)
    with pytest.raises(anthropic.APIStatusError) as refused:
        await claude.messages.create(model=model, max_tokens=9, messages=[])
    assert refused.value.status_code == code


async def test_requests_that_the_real_api_refuses_are_refused(
    upstream: FaultUpstream, chat: openai.AsyncOpenAI
) -> None:
    assert (await ask(upstream, "answer", "openai", stream=False))[0] == 200
    with pytest.raises(openai.BadRequestError, match="anthropic-version"):
        await chat.post("/messages", cast_to=object, body={"model": "answer"})


@pytest.mark.parametrize("spoken", ["openai", "anthropic"])
@pytest.mark.parametrize(("end", "mark"), [("rst", b"!reset"), ("fin", b"!closed"), ("eof", b"!end"), ("idle", b"")])
async def test_endings_come_after_the_named_event(upstream: FaultUpstream, spoken: str, end: str, mark: bytes) -> None:
    for after in (0, 2):
        model = story("tick", end=end, after=after)
        _, body = await ask(upstream, model, spoken, patience=0.3)
        assert body.count(b"data: ") == after
        assert body.endswith(mark)
        assert upstream.log.of(model)[0].events_written == after


async def test_an_answer_that_is_not_streamed_breaks_in_its_body(upstream: FaultUpstream) -> None:
    for end, mark in (("rst", b"!reset"), ("fin", b"!closed")):
        _, body = await ask(upstream, story("answer", end=end), "openai", stream=False)
        assert body.startswith(b'{"id"')
        assert body.endswith(mark)


@pytest.mark.parametrize(("name", "events"), [("error_first", 0), ("error_mid", 3)])
async def test_errors_inside_a_stream_raise_in_the_sdks(
    upstream: FaultUpstream,
    chat: openai.AsyncOpenAI,
    claude: anthropic.AsyncAnthropic,
    name: str,
    events: int,
) -> None:
    model = story(name)
    with pytest.raises(openai.APIError, match="overloaded"):
        [chunk async for chunk in await chat.chat.completions.create(model=model, messages=[], stream=True)]
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        [event async for event in await claude.messages.create(model=model, max_tokens=9, messages=[], stream=True)]
    assert [exchange.events_written for exchange in upstream.log.of(model)] == [events, events]


SPELLINGS = [
    *("byte_by_byte", "pieces", "cut_at", "crlf", "cr", "comments", "pings", "gzip", "no_done"),
    *("answer~space=0", "answer~lines=1", "answer~burst=1"),
]


@pytest.mark.parametrize("told", SPELLINGS)
async def test_spellings_and_cuts_leave_the_text_alone(claude: anthropic.AsyncAnthropic, told: str) -> None:
    async with claude.messages.stream(model=told, max_tokens=9, messages=[]) as stream:
        assert await stream.get_final_text() == GREETING


async def test_json_can_be_gzipped(upstream: FaultUpstream) -> None:
    _, body = await ask(upstream, "gzip", "openai", stream=False)
    assert json.loads(gzip.decompress(body.removesuffix(b"!closed")))["object"] == "chat.completion"


async def test_bad_json_is_bad(upstream: FaultUpstream) -> None:
    _, body = await ask(upstream, "bad_json", "openai")
    assert body.split(b"\n\n")[3] == b'data: {"broken": tru'


@pytest.mark.parametrize("odd", ODDITIES)
async def test_oddities_keep_the_stream_readable(upstream: FaultUpstream, odd: str) -> None:
    _, body = await ask(upstream, story("thinking", odd=odd), "openai", stream_options={"include_usage": True})
    _, plain = await ask(upstream, "thinking~id=plain", "openai", stream_options={"include_usage": True})
    chunks = [json.loads(block.removeprefix(b"data: ")) for block in body.split(b"\n\n")[:-2]]
    assert chunks
    assert odd == "content_parts" or body != plain


async def test_usage_finds_odd_places(upstream: FaultUpstream) -> None:
    _, rides = await ask(upstream, story("answer", odd="usage_rides"), "openai")
    _, groq = await ask(upstream, story("answer", odd="usage_in_x_groq"), "openai")
    assert json.loads(rides.split(b"\n\n")[-3][6:])["usage"]["total_tokens"] == 30
    assert json.loads(groq.split(b"\n\n")[-3][6:])["x_groq"]["usage"]["total_tokens"] == 30


async def test_flood_and_huge_lines_come_whole(upstream: FaultUpstream) -> None:
    _, flood = await ask(upstream, "flood~n=2000~size=1000", "openai")
    _, line = await ask(upstream, "huge_line~mib=2", "anthropic")
    assert flood.count(b"x" * 1000) == 2000
    assert b"y" * (2 << 20) in line


async def test_a_story_told_out_becomes_an_answer(upstream: FaultUpstream) -> None:
    model = story("status", code=503, times=2)
    assert [(await ask(upstream, model, "openai", stream=False))[0] for _ in range(3)] == [503, 503, 200]


async def test_raw_bytes_come_back_as_registered(upstream: FaultUpstream) -> None:
    body = b'{"b":1.50,  "a":"\\u00e9"}'
    for chunks in (None, 3):
        model = upstream.register(response(body, headers={"x-odd": "1"}, chunks=chunks))
        _, received = await ask(upstream, model, "openai")
        assert received.startswith(body)
    broken = upstream.register(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", then="rst")
    assert await ask(upstream, broken, "openai") == (200, b"abc!reset")


async def test_a_reused_connection_can_be_dropped_without_a_byte(
    chat: openai.AsyncOpenAI, upstream: FaultUpstream
) -> None:
    model = story("drop", reused=1)
    await chat.chat.completions.create(model=model, messages=[])
    with pytest.raises(openai.APIConnectionError):
        await chat.chat.completions.create(model=model, messages=[])
    assert [exchange.reused for exchange in upstream.log.of(model)] == [False, True]


@pytest.mark.parametrize(
    "told", ["silent", "headers_then_silent", "one_event_then_idle", "tick~ms=50~n=999", "flood~n=20000"]
)
async def test_a_peer_that_leaves_is_noticed_at_once(upstream: FaultUpstream, told: str) -> None:
    model = story(told)
    _, writer = await asyncio.open_connection(upstream.host, upstream.port)
    body = json.dumps({"model": model, "stream": True, "messages": []}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k\r\n"
    writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
    await upstream.wait_received(model)
    await asyncio.sleep(0.05)
    left = time.monotonic()
    writer.transport.abort()
    exchange = await upstream.wait_closed(model)
    assert exchange.t_closed_by_peer is not None
    assert exchange.t_closed_by_peer - left < 0.05
    assert exchange.aborted


def test_a_blocking_client_can_use_an_upstream_in_a_thread() -> None:
    with upstream_in_thread() as upstream:
        client = openai.OpenAI(api_key="k", base_url=upstream.openai_url, max_retries=0, timeout=0.2)
        model = story("silent")
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(model=model, messages=[])
        assert upstream.log.until_sync(model, lambda exchange: exchange.t_closed_by_peer).aborted


async def test_it_runs_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fault_upstream", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        port = int(await asyncio.wait_for(process.stdout.readline(), 10))
        elsewhere = FaultUpstream(port=port)
        assert (await ask(elsewhere, "answer", "anthropic", stream=False))[0] == 200
    finally:
        process.terminate()
        await process.wait()
