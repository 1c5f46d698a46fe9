"""What is too big, too deep or malformed is refused, as soon as that is known, in the client's format."""

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from proxy_core.config import ServerConfig
from proxy_core.errors import InvalidRequestError
from proxy_core.formats import wire_json
from proxy_core.server.http1 import HttpProtocol
from proxy_core.server.limits import check_depth
from tests.fault_upstream import FaultUpstream, response, story
from tests.reliability.dialects import DIALECTS
from tests.reliability.talk import (
    PAIRS,
    SPOKEN,
    Heard,
    ask,
    backends_at,
    body_of,
    parse,
    path_of,
    question,
    request_bytes,
    send_raw,
)
from tests.support.proxy import RunningProxy, running_proxy

MAX_BODY = 100_000


@pytest.fixture(scope="module")
def strict_proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    with running_proxy({"backends": backends_at(upstream), "server": {"max_body_bytes": MAX_BODY}}) as running:
        yield running


def assert_refused(client: str, heard: Heard, status: int) -> None:
    """An error with this status, in the client's format."""
    assert heard.status == status, heard
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["x-request-id"]
    assert heard.error["message"]
    assert heard.error[DIALECTS[client].error_kind]
    assert client != "anthropic" or heard.json["type"] == "error"


@pytest.mark.parametrize("client", SPOKEN)
async def test_a_declared_length_beyond_the_limit_is_refused_before_the_body(strict_proxy, client):
    head, _, _ = request_bytes(client, b"", {"content-length": str(MAX_BODY + 1)}).partition(b"\r\n\r\n")
    assert_refused(client, await first_answer(strict_proxy, head + b"\r\n\r\n"), 413)


@pytest.mark.parametrize("client", SPOKEN)
async def test_a_chunked_body_beyond_the_limit_is_refused_before_its_end(strict_proxy, client):
    head = request_bytes(client, b"", {"transfer-encoding": "chunked"}).replace(b"content-length: 0\r\n", b"")
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    assert_refused(client, await first_answer(strict_proxy, head + chunk * 7), 413)


async def first_answer(proxy: RunningProxy, request: bytes) -> Heard:
    """The answer to a request of which no more will come."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    received = b""
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            while not parse(received).whole:
                received += await reader.read(65536)
    finally:
        writer.transport.abort()
    return parse(received)


@pytest.mark.parametrize("client", SPOKEN)
async def test_a_body_of_exactly_the_limit_passes(strict_proxy, client):
    model = f"{client}:{story('answer')}"
    body = body_of(client, model)
    heard = await ask(strict_proxy, client, model, body=body + b" " * (MAX_BODY - len(body)))
    assert heard.status == 200


@pytest.mark.parametrize("client", SPOKEN)
async def test_too_many_headers_are_refused(proxy, client):
    assert_refused(client, await ask(proxy, client, headers={f"x-{number}": "1" for number in range(201)}), 431)


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("headers", [{"x-long": "a" * 70_000}, {f"x-{n}": "a" * 700 for n in range(150)}])
async def test_too_long_headers_are_refused(proxy, client, headers):
    assert_refused(client, await ask(proxy, client, headers=headers), 431)


@pytest.mark.parametrize("client", SPOKEN)
async def test_headers_without_end_do_not_fill_the_memory(proxy, client):
    received = await send_raw(proxy, f"POST {path_of(client)} HTTP/1.1\r\nx: ".encode() + b"a" * 10_000_000, patience=5)
    assert not received or parse(received).status in (400, 431)


class HastyProtocol(HttpProtocol):
    """The server's own, without its patience."""

    head_seconds = 0.3


async def test_a_head_that_trickles_in_is_cut_off():
    config = uvicorn.Config(_greet, port=0, http=HastyProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve([listener]))
        assert all(await asyncio.gather(*(_is_cut_off(port, begin, more) for begin, more in TRICKLES)))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(4):  # a connection in use lives longer than one head may take
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert await reader.readuntil(b"hello")
            await asyncio.sleep(0.15)
        writer.close()
        server.should_exit = True
        await serving


TRICKLES = [(b"", b""), (b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"a"), (b"GET /", b"a"), (b"G", b"")]


async def _greet(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(0.4)  # longer than a head may take
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def _is_cut_off(port: int, begin: bytes, more: bytes) -> bool:
    """Whether a connection on which a head begins, and never ends, is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begin)
    ended = asyncio.create_task(reader.read())
    for _ in range(40):
        await asyncio.wait([ended], timeout=0.05)
        if ended.done():
            break
        writer.write(more)
    writer.transport.abort()
    return ended.done() and (ended.exception() is not None or ended.result() == b"")


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + "1" + closing * depth


@pytest.mark.parametrize(("client", "backend"), PAIRS)
@pytest.mark.parametrize(
    "value",
    [
        nested(128),
        nested(1_000),
        nested(100_000),
        nested(64, '{"a":[', "]}"),
        nested(50_000, '{"a":', "}"),
        "[" * 200_000,
        '{"a":' * 50_000,
    ],
)
async def test_deep_nesting_is_refused(proxy, client, backend, value):
    model = f"{backend}:{story('answer')}"
    body = body_of(client, model)[:-1] + b',"metadata":' + value.encode() + b"}"
    heard = await ask(proxy, client, model, body=body)
    assert_refused(client, heard, 400)


@pytest.mark.parametrize("client", SPOKEN)
async def test_nesting_up_to_the_limit_passes(proxy, client):
    model = f"{client}:{story('answer', lax=1)}"
    body = body_of(client, model)[:-1] + b',"metadata":' + nested(127).encode() + b"}"
    assert (await ask(proxy, client, model, body=body)).status == 200


@pytest.mark.parametrize(("size", "elsewhere"), [(1024 * 1024, False), (1024 * 1024 + 1, True)])
async def test_long_bodies_are_looked_through_off_the_loop(monkeypatch, size, elsewhere):
    threads = []
    plain = wire_json.deeper_than

    def noted(body: bytes, limit: int) -> bool:
        threads.append(threading.get_ident())
        return plain(body, limit)

    monkeypatch.setattr(wire_json, "deeper_than", noted)
    await check_depth(nested(128).encode().ljust(size), ServerConfig())
    with pytest.raises(InvalidRequestError, match="deeper than 128"):
        await check_depth(nested(129).encode().ljust(size), ServerConfig())
    assert [thread != threading.get_ident() for thread in threads] == [elsewhere] * 2


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "x", "gzip, identity", "GZIP"])
async def test_an_encoded_body_is_refused(proxy, client, encoding):
    model = f"{client}:{story('answer')}"
    body = gzip.compress(body_of(client, model))
    assert_refused(client, await ask(proxy, client, model, body=body, headers={"content-encoding": encoding}), 415)


@pytest.mark.parametrize("client", SPOKEN)
async def test_the_encoding_that_is_none_passes(proxy, client):
    for spelling in ("identity", "Identity", ""):
        heard = await ask(proxy, client, f"{client}:{story('answer')}", headers={"content-encoding": spelling})
        assert heard.status == 200


def dialect_at(client: str, path: str) -> str:
    """Whose errors are told where nobody's address is: a client shows itself by its headers, but for a key of one."""
    return "gemini" if path.startswith("/v1beta/") else "openai" if client == "gemini" else client


CONTROLS = ["\r", "\n", "\0", "\r\nx-injected: 1\r\n\r\n"]


@pytest.mark.parametrize(("client", "backend"), PAIRS)
@pytest.mark.parametrize("control", CONTROLS)
async def test_control_characters_in_a_model_name_are_refused(proxy, upstream, client, backend, control):
    model = story("answer")
    heard = await ask(proxy, client, f"{backend}:{model}{control}z")
    assert_refused(client, heard, 400)
    assert not any(exchange.model.startswith(model) for exchange in tuple(upstream.log))


@pytest.mark.parametrize(("client", "backend"), PAIRS)
async def test_a_model_name_without_end_is_refused(proxy, client, backend):
    heard = await ask(proxy, client, f"{backend}:{'x' * 5000}")
    assert_refused(client, heard, 400)
    assert len(heard.body) < 1000


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("escape", ["%0d", "%0a", "%00", "%0D%0Ax-injected:%201"])
async def test_control_characters_in_a_path_are_refused(proxy, client, escape):
    for path in (f"/v1/models/{escape}", f"/v1/models/a{escape}b", f"/{escape}", f"{path_of(client)}{escape}"):
        heard = await ask(proxy, client, method="GET", path=path)
        assert_refused(dialect_at(client, path), heard, 400)
        assert b"x-injected" not in heard.body.lower() or "x-injected" not in heard.headers


SMUGGLED = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "content-length: 4\r\ncontent-length: 5",
        "content-length: 4, 5",
        "content-length: +4",
        "content-length: 0x4",
        "content-length: -1",
        "content-length : 4",
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding : chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding:\x0bchunked",
        "x: y\x00z\r\ncontent-length: 4",
        "content-length: 4\n\nx: y",
    ],
)
async def test_ambiguous_framing_is_refused(proxy, framing):
    head = f"POST {path_of('openai')} HTTP/1.1\r\nhost: 127.0.0.1\r\n{framing}\r\n\r\n".encode("latin-1")
    received = await send_raw(proxy, head + b"0\r\n\r\n" + SMUGGLED, patience=2)
    assert parse(received).status in (0, 400), received
    assert b'"status":"ok"' not in received


def broken_bodies(client: str, model: str) -> dict[str, bytes]:
    """Bodies that are wrong as JSON or for routing, whoever is asked; the latter only where a body
    has the model."""
    return {**broken_json(client, model), **(unroutable(model) if DIALECTS[client].model_in_body else {})}


def broken_json(client: str, model: str) -> dict[str, bytes]:
    """Bodies that are no JSON objects."""
    name = json.dumps(model).encode()
    good = body_of(client, model)
    return {
        "empty": b"",
        "blank": b" \n",
        "null": b"null",
        "true": b"true",
        "number": b"1",
        "string": name,
        "array": b"[" + good + b"]",
        "brace": b"{",
        "torn": good[:-1],
        "torn in a string": good[: good.index(b'"', 30) + 1],
        "torn in a character": b'{"model":' + name + b',"x":"\xc3',
        "torn in an escape": b'{"model":' + name + b',"x":"\\u00',
        "two documents": good + good,
        "trailing comma": good[:-1] + b",}",
        "trailing junk": good + b"x",
        "single quotes": good.replace(b'"', b"'"),
        "comment": b"/* hi */" + good,
        "unquoted key": b"{model:" + name + b"}",
        "no value": b'{"model":}',
        "no colon": b'{"model" ' + name + b"}",
        "raw newline in a string": b'{"model":' + name + b',"x":"a\nb"}',
        "bad escape": b'{"model":' + name + b',"x":"\\q"}',
        "bad number": b'{"model":' + name + b',"x":01}',
        "bad literal": b'{"model":' + name + b',"x":nul}',
        "UTF-16": good.decode().encode("utf-16"),
        "UTF-32": good.decode().encode("utf-32"),
        "byte order mark alone": b"\xef\xbb\xbf",
        "zeros": bytes(100),
        "form": b"model=x&stream=true",
    }


def unroutable(model: str) -> dict[str, bytes]:
    """Bodies that say nobody, or no way, to answer."""
    name = json.dumps(model).encode()
    return {
        "empty object": b"{}",
        "no model": b'{"messages":[]}',
        "model is null": b'{"model":null}',
        "model is a number": b'{"model":7}',
        "model is an object": b'{"model":{}}',
        "model is empty": b'{"model":""}',
        "model is unknown": b'{"model":"nobody:nothing"}',
        "model is a lone surrogate": b'{"model":"\\ud800"}',
        "stream is a word": b'{"model":' + name + b',"stream":"yes","messages":[]}',
        "stream is a number": b'{"model":' + name + b',"stream":1,"messages":[]}',
    }


MESSAGES = ("messages", "input", "contents")


def wrong_requests(client: str, model: str, stream: bool) -> dict[str, bytes]:
    """Bodies that are JSON, and wrong as requests: only the translated lane looks so closely."""
    base = json.loads(body_of(client, model, stream))
    turns = next(name for name in MESSAGES if name in base)
    wrong = {
        name: {turns if key == "messages" else key: value for key, value in fields.items()}
        for name, fields in WRONG.items()
    }
    return {name: json.dumps({**base, **fields}).encode() for name, fields in wrong.items()}


WRONG: dict[str, dict[str, Any]] = {
    "messages are null": {"messages": None},
    "messages are a string": {"messages": "hello"},
    "messages are an object": {"messages": {}},
    "a message is null": {"messages": [None]},
    "a message is a number": {"messages": [1]},
    "a message is empty": {"messages": [{}]},
    "no role": {"messages": [{"content": "x"}]},
    "odd role": {"messages": [{"role": "emperor", "content": "x"}]},
    "role is a list": {"messages": [{"role": [], "content": "x"}]},
    "content is a number": {"messages": [{"role": "user", "content": 7}]},
    "content is an object": {"messages": [{"role": "user", "content": {"a": 1}}]},
    "a part is null": {"messages": [{"role": "user", "content": [None]}]},
    "a part has no type": {"messages": [{"role": "user", "content": [{}]}]},
    "a part's type is a number": {"messages": [{"role": "user", "content": [{"type": 1}]}]},
    "a text is a list": {"messages": [{"role": "user", "content": [{"type": "text", "text": []}]}]},
    "tools are a string": {"tools": "x"},
    "a tool is null": {"tools": [None]},
    "a tool is empty": {"tools": [{}]},
    "max_tokens is a word": {"max_tokens": "many"},
    "max_tokens is a list": {"max_tokens": []},
    "temperature is an object": {"temperature": {}},
    "stop is an object": {"stop": {"a": 1}, "stop_sequences": {"a": 1}},
    "tool choice is a number": {"tool_choice": 3},
    "system is a number": {"system": 3},
    "metadata is a string": {"metadata": "x", "user": 7},
    "thinking is a string": {"thinking": "hard", "reasoning_effort": [], "reasoning": "hard"},
    "input is a number": {"messages": 7},
    "an item's type is a number": {"messages": [{"type": 7}]},
    "a call without anything": {"messages": [{"type": "function_call"}]},
    "a result without anything": {"messages": [{"type": "function_call_output"}]},
    "reasoning without anything": {"messages": [{"type": "reasoning", "summary": 7, "encrypted_content": []}]},
    "text is a string": {"text": "plain"},
    "instructions are a list": {"instructions": [1]},
    "parts are a number": {"messages": [{"role": "user", "parts": 7}]},
    "a part is a number": {"messages": [{"role": "user", "parts": [7]}]},
    "a part is empty": {"messages": [{"role": "user", "parts": [{}]}]},
    "a part's text is a list": {"messages": [{"role": "user", "parts": [{"text": []}]}]},
    "a part's call is a number": {"messages": [{"role": "model", "parts": [{"functionCall": 7}]}]},
    "a part's result is a number": {"messages": [{"role": "user", "parts": [{"functionResponse": 7}]}]},
    "a part's data is a number": {"messages": [{"role": "user", "parts": [{"inlineData": {"data": 7}}]}]},
    "the configuration is a list": {"generationConfig": [1]},
    "the configuration is wrong": {"generationConfig": {"maxOutputTokens": [], "topK": "many", "stopSequences": 7}},
    "the thinking's configuration is a word": {"generationConfig": {"thinkingConfig": "hard"}},
    "the instruction is a number": {"systemInstruction": 7},
    "declarations are a number": {"tools": [{"functionDeclarations": 7}]},
    "a declaration is empty": {"tools": [{"functionDeclarations": [{}]}]},
    "the tools' configuration is a word": {"toolConfig": "any"},
}


#: Where the proxy looks into bodies: not where there is nothing to translate, nor to find.
LOOKED_INTO = [pair for pair in PAIRS if pair != ("gemini", "gemini")]


@pytest.mark.parametrize(("client", "backend"), LOOKED_INTO)
async def test_broken_bodies_are_refused(proxy, upstream, client, backend):
    model = story("answer")
    bodies = broken_bodies(client, f"{backend}:{model}")
    assert len(bodies) >= 25
    for name, body in bodies.items():
        heard = await ask(proxy, client, f"{backend}:{model}", body=body)
        assert 400 <= heard.status < 500, (name, heard)
        assert_refused(client, heard, heard.status)
    assert not upstream.log.of(model)


@pytest.mark.parametrize(("client", "backend"), PAIRS)
@pytest.mark.parametrize("stream", [True, False])
async def test_wrong_requests_never_crash_us(proxy, client, backend, stream):
    errors_before = len([line for line in proxy.log if line.get("level") == "error"])
    model = f"{backend}:{story('answer', lax=1)}"
    for name, body in wrong_requests(client, model, stream).items():
        heard = await ask(proxy, client, model, stream=stream, body=body)
        assert heard.status < 500, (name, heard)
        if heard.status != 200:
            assert_refused(client, heard, heard.status)
    assert len([line for line in proxy.log if line.get("level") == "error"]) == errors_before


async def test_a_decompression_bomb_is_an_error_of_the_upstream(proxy, upstream):
    bomb = gzip.compress(b'{"id":"' + bytes(200_000_000) + b'"}', compresslevel=1)
    model = upstream.register(response(bomb, headers={"content-encoding": "gzip"}))
    for client in SPOKEN:
        assert_refused(client, await ask(proxy, client, f"openai:{model}", patience=20), 502)
    assert (await ask(proxy, "openai", f"openai:{story('answer')}")).status == 200


async def test_slow_senders_do_not_hold_up_others(proxy):
    slow = [await asyncio.open_connection(proxy.host, proxy.port) for _ in range(100)]
    try:
        for index, (_, writer) in enumerate(slow):
            writer.write(question("openai", f"openai:{story('answer')}")[: 20 + index * 2])
        heard = await ask(proxy, "openai", f"openai:{story('answer')}", patience=2)
        assert heard.status == 200
    finally:
        for _, writer in slow:
            writer.transport.abort()


async def test_pipelined_requests_are_answered_in_order(proxy):
    texts = ["first", "second", "third"]
    models = [f"openai:{story('answer', text=text, wait=30 if text == 'first' else 0)}" for text in texts]
    requests = [question("openai", model) for model in models[:-1]]
    requests.append(question("openai", models[-1], headers={"connection": "close"}))
    received = (await send_raw(proxy, b"".join(requests))).decode()
    assert received.count("HTTP/1.1 200 OK") == 3
    places = [received.index(f'"content":"{text}"') for text in texts]
    assert places == sorted(places)
