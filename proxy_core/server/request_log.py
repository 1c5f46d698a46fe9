"""One log line per request, written by a hook like any other. Never a key, never content."""

from __future__ import annotations

from typing import Any

import structlog

from proxy_core.host.hooks import ErrorContext, RequestContext, ResponseContext, StreamEndContext, hookimpl

log = structlog.get_logger("llm_proxy.request")


class RequestLog:
    """Logs how each request ended: who answered, how long it took, how many tokens."""

    @hookimpl
    def after_response(self, context: ResponseContext) -> None:
        log.info("request", status=context.status_code, outcome="complete", **_answered(context))

    @hookimpl
    def on_stream_end(self, context: StreamEndContext) -> None:
        write = log.warning if context.outcome == "interrupted" else log.info
        fields = _answered(context)
        fields["ttft_ms"] = _milliseconds(context.time_to_first_token)
        if context.error is not None:
            fields["error"] = context.error.message
        write("request", status=200, outcome=context.outcome, **fields)

    @hookimpl
    def on_error(self, context: ErrorContext) -> None:
        write = log.error if context.error.status_code >= 500 else log.info
        write(
            "request",
            status=context.error.status_code,
            outcome="failed",
            **_asked(context.request),
            backend=context.backend,
            upstream_model=context.model,
            latency_ms=_milliseconds(context.latency),
            code=context.error.code,
            error=context.error.message,
        )


def _asked(request: RequestContext) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "client_format": request.client_format,
        "model": request.model,
        "stream": request.stream,
    }


def _answered(context: ResponseContext | StreamEndContext) -> dict[str, Any]:
    fields = _asked(context.request)
    fields["backend"] = context.backend
    fields["upstream_model"] = context.model
    fields["lane"] = context.lane
    fields["latency_ms"] = _milliseconds(context.latency)
    if context.usage is not None:
        fields["input_tokens"] = context.usage.input_tokens
        fields["output_tokens"] = context.usage.output_tokens
    if context.dropped:
        fields["dropped"] = list(context.dropped)
    return fields


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
