"""The yardstick: the least a Python proxy can be. Starlette on uvicorn, aiohttp below, no features.

It parses and dumps the body as a naive one would, and passes the answer through.
Run as `python -m tests.bench.forwarder UPSTREAM_PORT PORT`.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

FORWARDED = {
    "anthropic-version": "2023-06-01",
    "x-api-key": "k",
    "x-goog-api-key": "k",
    "authorization": "Bearer k",
}
PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/{call}")


def make_app(upstream: str) -> Starlette:
    """An app that sends each POST to the same path of `upstream`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            app.state.session = session
            yield

    async def forward(request: Request) -> Response:
        body = await request.json()
        session: aiohttp.ClientSession = request.app.state.session
        url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        answer = await session.post(upstream + url, json=body, headers=FORWARDED)
        if body.get("stream") or "alt=sse" in request.url.query:
            return StreamingResponse(answer.content.iter_any(), answer.status, media_type="text/event-stream")
        return Response(await answer.read(), answer.status, media_type="application/json")

    async def ready(_: Request) -> Response:
        return PlainTextResponse("ok")

    routes = [*(Route(path, forward, methods=["POST"]) for path in PATHS), Route("/readyz", ready)]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    app = make_app(f"http://127.0.0.1:{sys.argv[1]}")
    port = int(sys.argv[2])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning")
