"""The upstream itself: listens, finds the story in each request, and keeps the log."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit
from weakref import WeakSet

from tests.fault_upstream.deeds import Scene, play
from tests.fault_upstream.formats import endpoint_of, format_of, gemini_call
from tests.fault_upstream.http1 import Request
from tests.fault_upstream.log import Exchange, Log
from tests.fault_upstream.stories import Question
from tests.fault_upstream.story import Story, story
from tests.fault_upstream.wire import Wire


class Script(NamedTuple):
    """The exact bytes of a registered response."""

    writes: tuple[bytes, ...]
    then: str
    pause: float


async def _keep(_: Wire) -> None:
    """Leave the connection open for the next request."""


LAST_ACTS: dict[str, Callable[[Wire], Awaitable[None]]] = {
    "keep": _keep,
    "fin": Wire.fin,
    "rst": Wire.rst,
    "idle": Wire.idle,
}


class FaultUpstream:
    """A provider on loopback that does what the model name of each request says; `story.py` has the grammar.

    Point a client at `openai_url`, `responses_url`, `anthropic_url` or `gemini_url`, and:

        async with FaultUpstream() as upstream:
            model = story("tick", n=20, ms=10, end="rst", after=3)
            ...
            exchange = await upstream.wait_closed(model)
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, keep: int = 20_000) -> None:
        self.host, self.port, self.log = host, port, Log(maxlen=keep)
        self._serials, self._wires = count(1), WeakSet[Wire]()
        self._scripts: dict[str, Script] = {}

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://{self.host}:{self.port}"

    @property
    def anthropic_url(self) -> str:
        """The base URL for Anthropic clients."""
        return self.url

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI clients."""
        return f"{self.url}/v1"

    @property
    def responses_url(self) -> str:
        """The base URL for OpenAI clients that speak Responses, which is the same."""
        return self.openai_url

    @property
    def gemini_url(self) -> str:
        """The base URL for Gemini clients, with the version."""
        return f"{self.url}/v1beta"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; `port` then tells where."""
        self._server = await asyncio.get_running_loop().create_server(
            self._new_wire, self.host, self.port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        self._server.close()
        for wire in list(self._wires):
            wire.abort()
        await asyncio.sleep(0)

    def register(self, *writes: bytes, then: str = "keep", pause_ms: float = 0) -> str:
        """Answer requests for the returned model with exactly these bytes, each in a write of its own.

        `then`: `keep` the connection, close it with `fin` or `rst`, or `idle`. `response()` makes such bytes.
        """
        model = story("raw")
        self._scripts[model] = Script(writes, then, pause_ms / 1000)
        return model

    async def wait_received(self, model: str, within: float = 5, count: int = 1) -> Exchange:
        """Wait until the `count`-th request for `model` is here."""
        return await self.log.until(model, lambda _: True, within, count)

    async def wait_closed(self, model: str, within: float = 5, count: int = 1) -> Exchange:
        """Wait until the peer closed the connection of the `count`-th request for `model`."""
        return await self.log.until(model, lambda exchange: exchange.t_closed_by_peer, within, count)

    async def wait_over(self, model: str, within: float = 5, count: int = 1) -> Exchange:
        """Wait until the `count`-th request for `model` is answered or given up."""
        return await self.log.until(model, lambda exchange: exchange.over, within, count)

    def _new_wire(self) -> Wire:
        wire = Wire(next(self._serials), self._serve)
        self._wires.add(wire)
        return wire

    async def _serve(self, wire: Wire, request: Request) -> None:
        document = _document(request.body)
        told = Story.parse(_model(request.path, document))
        wire.exchange = Exchange(request, told.model, wire.serial, bool(wire.carried), time.monotonic())
        self.log.append(wire.exchange)
        if told.name == "raw":
            await self._recite(wire, told.model)
        else:
            await play(Scene(_question(self._still(told), request, document), wire))

    def _still(self, told: Story) -> Story:
        """The story, or a plain answer once it has been told `times` times."""
        times = told.number("times", 0)
        told_out = times and len(self.log.of(told.model)) > times
        return Story(told.model, "answer", {}) if told_out else told

    async def _recite(self, wire: Wire, model: str) -> None:
        script = self._scripts[model]
        for piece in script.writes:
            await wire.send(piece)
            await asyncio.sleep(script.pause)
        await LAST_ACTS[script.then](wire)


def _question(told: Story, request: Request, document: dict[str, Any]) -> Question:
    headers = {**_key_in_query(request.path), **dict(request.headers)}
    endpoint = endpoint_of(request.method, request.path)
    return Question(told, format_of(request.path, headers), endpoint, headers, document, request.body, request.path)


def _key_in_query(path: str) -> dict[str, str]:
    """`?key=`, which counts as the header that it stands for."""
    keys = parse_qs(urlsplit(path).query).get("key", [])
    return {"x-goog-api-key": keys[-1]} if keys else {}


def _document(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; anything else counts as an empty one."""
    with contextlib.suppress(ValueError):
        document = json.loads(body)
        return document if isinstance(document, dict) else {}
    return {}


def _model(path: str, document: dict[str, Any]) -> str:
    """The model of a Gemini call, or the one named in the body, or in a path segment that begins with `~`."""
    if call := gemini_call(path):
        return call[1]
    in_path = (segment[1:] for segment in unquote(path).split("/") if segment.startswith("~"))
    return str(document.get("model") or next(in_path, "answer"))


@contextlib.contextmanager
def upstream_in_thread() -> Iterator[FaultUpstream]:
    """Run an upstream on a loop of its own, for tests whose clients block; wait with `log.until_sync`."""
    loop, upstream = asyncio.new_event_loop(), FaultUpstream()
    thread = threading.Thread(target=loop.run_forever, name="fault-upstream", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(upstream.start(), loop).result(5)
        yield upstream
        asyncio.run_coroutine_threadsafe(upstream.stop(), loop).result(5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
