"""Nothing blocks the event loop: one request of every kind, under a guard that raises when something does."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster

from tests.fault_upstream import FaultUpstream, story
from tests.reliability.asgi import application, call
from tests.reliability.talk import CLIENTS, SPOKEN, backends_at, body_of

KINDS = [
    *(
        "answer",
        "tools",
        "thinking",
        "gzip",
        "fin",
        "error_first",
        "error_mid",
        "no_done",
        "bad_json",
        "status",
        "drop",
    ),
]


ROUTES = [(client, backend) for client in CLIENTS for backend in SPOKEN]


def other_than(client: str) -> str:
    """A backend that needs this client's requests translated, as the beginning of a model's name."""
    return "anthropic:" if client == "openai" else "openai:"


@pytest.fixture
def unblocked() -> Iterator[BlockBuster]:
    guard = BlockBuster()
    guard.activate()
    yield guard
    guard.deactivate()


@pytest.mark.filterwarnings("ignore:Sending a large body")  # aiohttp's, of a megabyte that is in memory anyway
async def test_no_request_blocks_the_loop(upstream: FaultUpstream, unblocked: BlockBuster) -> None:
    unblocked.deactivate()
    async with application({"backends": backends_at(upstream)}) as app:
        for client, backend in ROUTES:  # what is imported on first use, as it must be from a disk
            await call(app, client, f"{backend}:{story('answer')}", stream=True)
        await call(app, "openai", method="GET", path="/metrics", body=b"")
        unblocked.activate()
        for client, backend in ROUTES:
            for kind in KINDS:
                for stream in (True, False):
                    heard = await call(app, client, f"{backend}:{story(kind)}", stream=stream)
                    assert heard.whole
                    assert b"BlockingError" not in heard.body
        for client in SPOKEN:
            model = f"{client}:{story('answer', lax=1)}"
            for body in (b"", b"{", b"[]", body_of(client, model)[:-9]):
                heard = await call(app, client, other_than(client) + model.partition(":")[2], body=body)
                assert heard.status == 400, (client, body, heard)
            assert (await call(app, client, "nobody:nothing")).status == 404
            big = body_of(client, model, metadata={"x": "a" * 3_000_000})
            assert (await call(app, client, model, body=big)).status == 200
        for path in (
            "/v1/models",
            "/v1beta/models",
            "/v1/models/openai:listed",
            "/healthz",
            "/readyz",
            "/metrics",
            "/nothing",
        ):
            assert (await call(app, "openai", body=b"", method="GET", path=path)).status in (200, 404)
        unblocked.deactivate()


async def test_the_guard_would_notice(unblocked: BlockBuster) -> None:
    with pytest.raises(Exception, match=r"[Bb]locking"):
        time.sleep(0.01)  # noqa: ASYNC251 - the very thing
    await asyncio.sleep(0)
