"""The ASGI application: routes, and what lives from start to stop."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

import structlog
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from proxy_core.config import AppConfig, load_config
from proxy_core.errors import LLMProxyError
from proxy_core.gateway import Gateway
from proxy_core.host.discovery import discover_for
from proxy_core.host.hooks import Hooks
from proxy_core.host.registry import build_registry
from proxy_core.logs import configure_logging
from proxy_core.server.catalog import HealthEndpoint, ModelsEndpoint, ProbeEndpoint, ReadyEndpoint
from proxy_core.server.endpoint import ClientEndpoint
from proxy_core.server.guard import Guard
from proxy_core.server.metrics import Metrics, MetricsEndpoint
from proxy_core.server.protocols import Protocols, Row
from proxy_core.server.request_log import RequestLog
from proxy_core.translation import TranslationService
from proxy_core.upstream.client import Engine

log = structlog.get_logger("llm_proxy.server")


class Application:
    """The server of one configuration. `app` is what an ASGI server runs; `gateway` exists between start and stop."""

    def __init__(self, config: AppConfig) -> None:
        self.config = config
        self._gateway: Gateway | None = None
        self._engine = Engine(config.timeouts)
        self._translation = TranslationService()
        self._hooks = Hooks(_report_hook_failure)
        self._hooks.register(RequestLog(), "request log")
        self._metrics = Metrics()
        self._hooks.register(self._metrics, "metrics")
        self.findings = [*self._hooks.load_installed(config.plugins.allow), *discover_for(config)]
        self._registry = build_registry(config, self.findings, self._engine, self._translation)
        protocols = Protocols(self._translation)
        exact = {path: self._endpoint(row) for path, row in protocols.exact.items()}
        with_model = [(row, self._endpoint(row)) for row in protocols.with_model]
        routes = self._routes(exact, ModelsEndpoint(lambda: self.gateway, protocols))
        router = Router(routes, redirect_slashes=False, default=_not_found, lifespan=self._lifespan)
        self.app: ASGIApp = Guard(_posts_first(exact, with_model, router), config, protocols)

    @property
    def gateway(self) -> Gateway:
        """What requests go through."""
        assert self._gateway is not None
        return self._gateway

    def _endpoint(self, row: Row) -> ASGIApp:
        return ClientEndpoint(row, lambda: self.gateway, self.config.server)

    def _routes(self, endpoints: Mapping[str, ASGIApp], models: ASGIApp) -> list[Route]:
        return [
            *(_Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items()),
            *(
                _Route(path, models, methods=["GET"])
                for version in ("v1", "v1beta")
                for path in (f"/{version}/models", f"/{version}/models/{{model:path}}")
            ),
            _Route("/", ProbeEndpoint(), methods=["HEAD"]),
            _Route("/healthz", HealthEndpoint(), methods=["GET"]),
            _Route("/metrics", MetricsEndpoint(self._metrics), methods=["GET"]),
            _Route("/readyz", ReadyEndpoint(lambda: self.gateway), methods=["GET"]),
        ]

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        for finding in self.findings:
            if finding.problem:
                log.warning("plugin not loaded", plugin=finding.described, reason=finding.problem)
        try:
            await self._registry.start()
            self._gateway = Gateway(self.config, self._registry, self._translation, self._hooks)
            with _settled_memory():
                yield
        finally:
            await self._registry.stop()
            await self._engine.aclose()


def _posts_first(exact: Mapping[str, ASGIApp], with_model: Sequence[tuple[Row, ASGIApp]], others: ASGIApp) -> ASGIApp:
    """The formats' routes, by far the most asked for, without the router's search; all else through it."""

    def endpoint_of(path: str) -> ASGIApp:
        known = exact.get(path)
        return known or next((endpoint for row, endpoint in with_model if row.matches(path)), others)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        await (endpoint_of(scope["path"]) if is_post else others)(scope, receive, send)

    return dispatch


@contextmanager
def _settled_memory() -> Iterator[None]:
    """What exists now lives as long as the server: take it out of the collector's rounds, and make these rarer.
    Requests leave no cycles behind; with Python's defaults the collector took a fifth of their CPU."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


class _Route(Route):
    """Starlette's, with errors of ours."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            allowed = " and ".join(sorted(self.methods or ()))
            raise LLMProxyError(f"{scope['path']} takes {allowed}", "method_not_allowed", status_code=405)
        await self.app(scope, receive, send)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    raise LLMProxyError(f"there is nothing at {scope['method']} {scope['path']}", "not_found", status_code=404)


def _report_hook_failure(hook: str, error: BaseException) -> None:
    log.error("a hook plugin failed", hook=hook, exc_info=error)


def create_app() -> ASGIApp:
    """The application for the configuration that `load_config` finds: for any ASGI server that takes a factory."""
    config = load_config()
    configure_logging(config.logging)
    return Application(config).app
