"""What has happened since the start, for Prometheus: counted by a hook like any other.

https://prometheus.io/docs/instrumenting/exposition_formats (2026-11). Counting is a sum in a dict; the library that
writes the text is imported when somebody asks for it. Each worker counts for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from starlette.types import Receive, Scope, Send

from proxy_core.errors import ClientDisconnectedError
from proxy_core.host.hooks import ErrorContext, RequestContext, ResponseContext, StreamEndContext, hookimpl

if TYPE_CHECKING:
    from prometheus_client import Metric

#: Names of losses may be made up by clients; what is beyond these many is counted as one.
MOST_FIELDS: Final = 200
_OTHER: Final = "other"


class Metrics:
    """Counts requests, and what translation could not carry."""

    def __init__(self) -> None:
        #: By backend, client format, lane and outcome.
        self.requests: Counter[tuple[str, ...]] = Counter()
        #: By backend, client format and field.
        self.dropped: Counter[tuple[str, ...]] = Counter()
        self._fields: set[str] = set()

    @hookimpl
    def after_response(self, context: ResponseContext) -> None:
        self._count(context.request, context.backend, context.lane, "complete", context.dropped)

    @hookimpl
    def on_stream_end(self, context: StreamEndContext) -> None:
        self._count(context.request, context.backend, context.lane, context.outcome, context.dropped)

    @hookimpl
    def on_error(self, context: ErrorContext) -> None:
        outcome = "cancelled" if isinstance(context.error, ClientDisconnectedError) else "failed"
        self._count(context.request, context.backend or "", "", outcome, ())

    def _count(self, request: RequestContext, backend: str, lane: str, outcome: str, dropped: Iterable[str]) -> None:
        self.requests[backend, request.client_format, lane, outcome] += 1
        for name in dropped:
            self.dropped[backend, request.client_format, self._label(name)] += 1

    def _label(self, name: str) -> str:
        """The name without what a client made up: `tools.get_weather` counts as `tools`."""
        field = name.partition(".")[0]
        if field not in self._fields and len(self._fields) >= MOST_FIELDS:
            return _OTHER
        self._fields.add(field)
        return field

    def collect(self) -> Iterable[Metric]:
        """The families of metrics, as `prometheus_client` wants them from a collector."""
        from prometheus_client.core import CounterMetricFamily

        for name, text, labels, counts in (
            (
                "llm_proxy_requests",
                "Requests, by how they ended.",
                ("backend", "client_format", "lane", "outcome"),
                self.requests,
            ),
            (
                "llm_proxy_translation_dropped",
                "What translation could not carry, by field.",
                ("backend", "client_format", "field"),
                self.dropped,
            ),
        ):
            family = CounterMetricFamily(name, text, labels=labels)
            for values, count in counts.items():
                family.add_metric(values, count)
            yield family


class MetricsEndpoint:
    """`GET /metrics`, in the text format of Prometheus or, where it is asked for, OpenMetrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry()
        registry.register(self._metrics)
        encode, content_type = choose_encoder(scope["llm_proxy.headers"].get("accept", ""))
        headers = [(b"content-type", content_type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": encode(registry)})
