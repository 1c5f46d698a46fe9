"""The application without a server: called as a server calls it, in the test's own event loop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import unquote

import structlog

from proxy_core.config import AppConfig
from proxy_core.server.app import Application
from tests.reliability.talk import Heard, body_of, path_of


@contextlib.asynccontextmanager
async def application(config: Mapping[str, Any]) -> AsyncIterator[Any]:
    """The ASGI application of a configuration, from start-up to shutdown; it logs nothing."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    app = Application(AppConfig.model_validate(config)).app
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    lifespan = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, asked.get, told.put))
    await asked.put({"type": "lifespan.startup"})
    assert (await told.get())["type"] == "lifespan.startup.complete"
    yield app
    await asked.put({"type": "lifespan.shutdown"})
    assert (await told.get())["type"] == "lifespan.shutdown.complete"
    await lifespan
    structlog.reset_defaults()


async def call(
    app: Any,
    client: str,
    model: str = "m",
    *,
    stream: bool = False,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    path: str = "",
) -> Heard:
    """One request to the application."""
    heard = Heard()
    content = body_of(client, model, stream) if body is None else body
    waiting = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else await asyncio.Event().wait()  # type: ignore[func-returns-value]

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            heard.status = message["status"]
            heard.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            heard.body += message["body"]
            heard.whole = not message.get("more_body", False)

    sent = {"host": "127.0.0.1", "content-length": str(len(content)), **(headers or {})}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    address, _, query = (path or path_of(client, model, stream)).partition("?")
    scope = {"type": "http", "method": method, "path": unquote(address), "query_string": query.encode(), "headers": raw}
    await app({**scope, "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"}}, receive, send)
    return heard
