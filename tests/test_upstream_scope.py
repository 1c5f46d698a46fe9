"""A connector that drops a response unread does not keep its socket."""

import asyncio

from proxy_core.config import TimeoutConfig
from proxy_core.upstream.client import Engine
from proxy_core.upstream.scope import RequestScope
from tests.fault_upstream import FaultUpstream, story


async def _drop_half_read(engine: Engine, upstream: FaultUpstream, model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    client = engine.client()
    url = f"http://127.0.0.1:{upstream.port}/v1/chat/completions"
    request = client.build_request("POST", url, json=body, headers={"authorization": "Bearer k"})
    response = await client.send(request, stream=True)
    assert response.status_code == 200


async def test_what_a_connector_leaves_open_is_closed_when_its_request_ends() -> None:
    engine = Engine(TimeoutConfig())
    async with FaultUpstream() as upstream:
        model = story("one_event_then_idle")

        async def request() -> None:
            scope = RequestScope()
            await _drop_half_read(engine, upstream, model)
            scope.close()

        await asyncio.create_task(request())
        await upstream.wait_closed(model, within=2)
        await engine.aclose()
