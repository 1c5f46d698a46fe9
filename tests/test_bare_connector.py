"""A connector written bare, on httpx and `proxy_core.api`, is a good connector.

It is built and installed with pip in a fresh environment, beside the core's wheel and what that requires and nothing of
the checkout; the proxy runs there, and real SDKs talk to it.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.answers import WAYS, Client, Way
from tests.e2e.pairs import FORMATS, clients_of
from tests.fault_upstream import ARGUMENTS, GREETING, FaultUpstream, story, upstream_in_thread
from tests.support.proxy import RunningProxy, running_proxy
from tests.support.wheels import Pip, build_wheel, fresh_environment, lend

ROOT = Path(__file__).parents[1]
CONNECTORS = ["bare", "bare-dumps", "bare-careful"]
HANG_UP_SECONDS = 0.05
HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, pip: Pip) -> Path:
    """The Python of a fresh environment where somebody has installed the core and the bare connector."""
    wheels, home = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("environment")
    projects = [ROOT, ROOT / "tests" / "support" / "bare_connector"]
    python = fresh_environment(home)
    pip.install_into(home, *(build_wheel(project, wheels) for project in projects))
    lend(python, *(requires("llm-proxy-core") or ()))
    return python


@pytest.fixture(scope="module")
def upstream() -> Iterator[FaultUpstream]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(environment: Path, upstream: FaultUpstream) -> Iterator[RunningProxy]:
    options = {"api_key": "sk-upstream", "api_base_url": upstream.openai_url}
    with running_proxy({"backends": dict.fromkeys(CONNECTORS, options)}, python=environment) as running:
        yield running


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as running:
        yield running


@pytest.fixture(scope="module")
def clients(proxy: RunningProxy, runner: asyncio.Runner) -> Iterator[dict[str, Client]]:
    with clients_of(proxy.address, runner) as clients:
        yield clients


@pytest.fixture(params=FORMATS, ids="{}-sdk".format)
def client(request: pytest.FixtureRequest, clients: dict[str, Client]) -> Client:
    return clients[request.param]


@pytest.fixture(params=CONNECTORS)
def connector(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


def test_nothing_of_the_checkout_is_in_the_environment(proxy: RunningProxy) -> None:
    report = proxy.get("/readyz").json
    assert report["plugins"] == {}
    assert sorted(report["backends"]) == sorted(CONNECTORS)
    assert list(report["backends"].values()) == [{"ready": True}] * len(CONNECTORS)


def test_the_models_that_the_connector_fetched_are_offered(proxy: RunningProxy) -> None:
    offered = [model["id"] for model in proxy.get("/v1/models").json["data"]]
    assert offered == [f"{name}:{model}" for name in sorted(CONNECTORS) for model in ("fault-small", "fault-large")]


def test_text_comes_whole(client: Client, connector: str, way: Way) -> None:
    answer = client.ask(way, f"{connector}:{story('answer', prompt=21, output=9)}", client.question())
    assert (answer.text, answer.finish, answer.lane) == (GREETING, "stop", "translated")
    assert answer.usage is not None
    assert answer.usage[:2] == (21, 9)


def test_tools_are_called_and_their_results_taken_back(client: Client, connector: str, way: Way) -> None:
    """The upstream refuses results for calls that it never made."""
    model, question = f"{connector}:{story('tools', n=2)}", client.question("Weather?", tools=1)
    first = client.ask(way, model, question)
    assert first.finish == "tools"
    assert [(call.name, call.arguments) for call in first.calls] == [("get_weather", ARGUMENTS)] * 2
    results = {call.id: f"{number} °C" for number, call in enumerate(first.calls)}
    final = client.ask(way, model, client.next_turn(question, first, results))
    assert (final.text, final.finish) == (f"The tool said: {'; '.join(results.values())}.", "stop")


def test_the_upstream_gets_the_system_prompt_the_key_and_the_loop_guard(
    client: Client, connector: str, upstream: FaultUpstream
) -> None:
    model = story("answer")
    client.ask(WAYS[0], f"{connector}:{model}", client.question("Hello", system="Be kind."))
    [exchange] = upstream.log.of(model)
    assert exchange.json["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
    ]
    assert exchange.json["stream"] is False
    assert exchange.headers["authorization"] == "Bearer sk-upstream"
    assert exchange.headers["x-llmproxy-loop-guard"] == "1"


ERRORS = {401: "AuthenticationError", 429: "RateLimitError", 500: "InternalServerError"}


@pytest.mark.parametrize("status", ERRORS)
def test_an_error_is_the_sdks_error_for_that_status(client: Client, connector: str, way: Way, status: int) -> None:
    with pytest.raises(getattr(client.sdk, ERRORS[status])) as raised:
        client.ask(way, f"{connector}:{story('status', code=status)}", client.question())
    assert raised.value.status_code == status
    assert raised.value.response.headers.get("retry-after") == ("2" if status == 429 else None)
    assert client.error_of(raised.value).message


@pytest.mark.parametrize("name", ["rst", "fin", "eof", "no_done"])
def test_a_broken_stream_is_an_error_and_no_answer(client: Client, connector: str, name: str) -> None:
    with pytest.raises(client.sdk.APIError):
        client.ask(Way("events"), f"{connector}:{story(name)}", client.question())


@pytest.mark.parametrize("name", ["silent", "headers_then_silent", "one_event_then_idle", "tick"])
def test_a_client_that_hangs_up_stops_the_upstream(
    proxy: RunningProxy, upstream: FaultUpstream, connector: str, name: str
) -> None:
    model = story(name, n=1000, ms=5)
    body = {"model": f"{connector}:{model}", "stream": True, "messages": HI}
    left = asyncio.run(_hang_up(proxy, upstream, model, body))
    exchange = upstream.log.until_sync(model, lambda seen: seen.t_closed_by_peer)
    assert exchange.t_closed_by_peer is not None
    assert exchange.t_closed_by_peer - left <= HANG_UP_SECONDS


async def _hang_up(proxy: RunningProxy, upstream: FaultUpstream, model: str, body: dict[str, Any]) -> float:
    """Ask, wait until the upstream is at it, and leave; returns when."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    content = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    await upstream.wait_received(model)
    if model.startswith(("one_event", "tick")):
        await reader.readuntil(b"data: ")
    else:
        await asyncio.sleep(0.05)
    left = time.monotonic()
    writer.transport.abort()
    return left


# cut at every byte

AT_ONCE = 16
TEXT = "né ☕ 😀"

Collected = tuple[str, Any, str, int]
Collect = Callable[[Any, str], Awaitable[Collected]]


async def collected_chat(sdk: Any, model: str) -> Collected:
    """Text, tool arguments, finish reason and output tokens, as the OpenAI SDK streams them."""
    text, arguments, finish, tokens = "", "", "", 0
    stream = await sdk.chat.completions.create(
        model=model, stream=True, stream_options={"include_usage": True}, messages=HI
    )
    async for chunk in stream:
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
        for choice in chunk.choices:
            text += choice.delta.content or ""
            arguments += "".join(call.function.arguments or "" for call in choice.delta.tool_calls or ())
            finish += choice.finish_reason or ""
    return text, json.loads(arguments or "null"), finish, tokens


async def collected_message(sdk: Any, model: str) -> Collected:
    """The same, as the Anthropic SDK streams them."""
    text, arguments, finish, tokens = "", "", "", 0
    stream = await sdk.messages.create(model=model, stream=True, max_tokens=50, messages=HI)
    async for event in stream:
        if event.type == "content_block_delta":
            text += getattr(event.delta, "text", "")
            arguments += getattr(event.delta, "partial_json", "")
        if event.type == "message_delta":
            finish, tokens = event.delta.stop_reason, event.usage.output_tokens
    return text, json.loads(arguments or "null"), finish, tokens


async def collected_response(sdk: Any, model: str) -> Collected:
    """The same, as the OpenAI SDK streams responses."""
    text, arguments, finish, tokens = "", "", "", 0
    async for event in await sdk.responses.create(model=model, stream=True, input="Hi"):
        text += event.delta if event.type == "response.output_text.delta" else ""
        arguments += event.delta if event.type == "response.function_call_arguments.delta" else ""
        if event.type == "response.completed":
            finish, tokens = event.response.status, event.response.usage.output_tokens
    return text, json.loads(arguments or "null"), finish, tokens


async def collected_contents(sdk: Any, model: str) -> Collected:
    """The same, as Google's SDK streams them, arguments whole."""
    text, arguments, finish, tokens = "", None, "", 0
    async for chunk in await sdk.models.generate_content_stream(model=model, contents="Hi"):
        tokens = chunk.usage_metadata.candidates_token_count if chunk.usage_metadata else tokens
        for candidate in chunk.candidates or ():
            parts = (candidate.content and candidate.content.parts) or []
            text += "".join(part.text or "" for part in parts)
            arguments = next((part.function_call.args for part in parts if part.function_call), arguments)
            finish += candidate.finish_reason or ""
    return text, arguments, finish, tokens


COLLECT: dict[str, Collect] = {
    "openai": collected_chat,
    "openai-responses": collected_response,
    "anthropic": collected_message,
    "gemini": collected_contents,
}
ANSWERS = {"answer": (TEXT, None), "tools": ("", ARGUMENTS)}
FINISH = {
    ("openai", "answer"): "stop",
    ("openai", "tools"): "tool_calls",
    ("anthropic", "answer"): "end_turn",
    ("anthropic", "tools"): "tool_use",
    **dict.fromkeys([("openai-responses", "answer"), ("openai-responses", "tools")], "completed"),
    **dict.fromkeys([("gemini", "answer"), ("gemini", "tools")], "STOP"),
}


def cut_story(name: str, at: int) -> str:
    """A stream that is as long wherever it is cut."""
    return story(name, text=TEXT, output=9, cut=f"{at:04}", id="c")


def length_of(upstream: FaultUpstream, name: str) -> int:
    """How many bytes the upstream streams."""
    body = {"model": cut_story(name, 1), "stream": True, "stream_options": {"include_usage": True}, "messages": HI}
    headers = {"authorization": "Bearer any"}
    answer = httpx.post(f"{upstream.openai_url}/chat/completions", json=body, headers=headers, trust_env=False)
    assert b"[DONE]" in answer.content
    return len(answer.content)


@pytest.mark.parametrize(
    ("connector", "spoken", "name", "step"),
    [
        ("bare", "openai", "answer", 1),
        ("bare", "openai", "tools", 3),
        ("bare", "anthropic", "answer", 7),
        ("bare", "anthropic", "tools", 11),
        ("bare", "openai-responses", "answer", 11),
        ("bare", "openai-responses", "tools", 17),
        ("bare", "gemini", "answer", 11),
        ("bare", "gemini", "tools", 17),
        ("bare-dumps", "openai", "answer", 7),
        ("bare-dumps", "openai", "tools", 11),
        ("bare-careful", "openai", "answer", 7),
        ("bare-careful", "openai", "tools", 11),
    ],
)
def test_the_stream_is_the_same_wherever_the_upstream_cuts_it(
    clients: dict[str, Client],
    runner: asyncio.Runner,
    upstream: FaultUpstream,
    connector: str,
    spoken: str,
    name: str,
    step: int,
) -> None:
    """Every byte once; the rest as a sample, for `formats/test_slices.py` cuts at every byte without a network."""
    sdk = clients[spoken].asynchronous
    collect = COLLECT[spoken]
    length = length_of(upstream, name)
    gate = asyncio.Semaphore(AT_ONCE)

    async def cut(at: int) -> Collected:
        async with gate:
            return await collect(sdk, f"{connector}:{cut_story(name, at)}")

    async def all_cuts(cuts: Iterable[int]) -> list[Collected]:
        return await asyncio.gather(*map(cut, cuts))

    expected = (*ANSWERS[name], FINISH[spoken, name], 9)
    cuts = range(1, length, step)
    assert [(at, got) for at, got in zip(cuts, runner.run(all_cuts(cuts)), strict=True) if got != expected] == []


def test_byte_by_byte(client: Client, connector: str) -> None:
    answer = client.ask(Way("events"), f"{connector}:{story('byte_by_byte')}", client.question())
    assert (answer.text, answer.finish) == (GREETING, "stop")


@pytest.mark.parametrize("name", ["crlf", "cr", "comments", "pings", "gzip"])
def test_odd_spellings_of_a_stream(client: Client, connector: str, name: str) -> None:
    answer = client.ask(Way("events"), f"{connector}:{story(name, pieces=11)}", client.question())
    assert (answer.text, answer.finish) == (GREETING, "stop")
