"""What this server offers and how it is: model lists and health."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.types import Receive, Scope, Send

from proxy_core.errors import ModelNotFoundError
from proxy_core.formats import wire_json
from proxy_core.formats.base import ModelCard
from proxy_core.gateway import Gateway
from proxy_core.host.registry import Registry
from proxy_core.server.protocols import Protocols
from proxy_core.server.responses import send_json


def model_cards(gateway: Gateway) -> list[ModelCard]:
    """Every model string there is to ask for, and the backend behind it; an alias that leads nowhere is left out."""
    return [card for name in gateway.router.names() if (card := _card(name, gateway)) is not None]


def _card(name: str, gateway: Gateway) -> ModelCard | None:
    try:
        return ModelCard(name, gateway.router.resolve(name).backend)
    except ModelNotFoundError:
        return None


class ModelsEndpoint:
    """`GET /v1/models` and `GET /v1/models/{id}`, in the client's format; the same under `/v1beta`."""

    def __init__(self, gateway: Callable[[], Gateway], protocols: Protocols) -> None:
        self._gateway = gateway
        self._protocols = protocols

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway = self._gateway()
        gateway.registry.refresh()
        wire_format = self._protocols.format_of(scope["path"], scope["llm_proxy.headers"])
        wanted = scope["path_params"].get("model")
        if wanted is None:
            query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
            body = wire_format.encode_models(model_cards(gateway), query)
        else:
            body = wire_format.encode_model(_find(wanted, gateway))
        await send_json(send, 200, wire_json.dumps(body), [])


def _find(wanted: str, gateway: Gateway) -> ModelCard:
    name = unquote(wanted)
    target = gateway.router.resolve(name)
    if name not in gateway.router.names() and target.model not in gateway.registry.backends[target.backend].models:
        raise ModelNotFoundError(f"backend {target.backend!r} lists no model {target.model!r}")
    return ModelCard(name, target.backend)


class ProbeEndpoint:
    """`HEAD /`: some agents look whether anybody is there before they begin."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(send, 200, b"", [])


class HealthEndpoint:
    """`GET /healthz`: the process is alive."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(send, 200, b'{"status":"ok"}', [])


class ReadyEndpoint:
    """`GET /readyz`: 200 when at least one backend can be used, else 503. Who may use the server also learns what is
    wrong with each backend and plugin."""

    def __init__(self, gateway: Callable[[], Gateway]) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        registry = self._gateway().registry
        ready = any(backend.ready for backend in registry.backends.values())
        status = {"status": "ready" if ready else "not ready"}
        details = _details(registry) if scope["llm_proxy.admitted"] else {}
        await send_json(send, 200 if ready else 503, wire_json.dumps(status | details), [])


def _details(registry: Registry) -> dict[str, Any]:
    backends = {
        name: {"ready": backend.ready, **({"problem": backend.problem} if backend.problem else {})}
        for name, backend in registry.backends.items()
    }
    plugins = {found.described: found.problem for found in registry.findings if found.problem}
    return {"backends": backends, "plugins": plugins}
