"""Logging: structlog, as JSON for machines or in colour for people. Everything goes to standard error."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor

from proxy_core.config import LoggingConfig

_STAMPS: list[Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(config: LoggingConfig) -> None:
    """Set up structlog, and the standard library's logging (uvicorn's, plugins') to go the same way."""
    level = logging.getLevelNamesMapping()[config.level.upper()]
    as_json = config.format == "json" or (config.format == "auto" and not sys.stderr.isatty())
    structlog.configure(
        processors=[_json_line] if as_json else [*_STAMPS, *_console_renderers()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer) if as_json else _console_logger,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[_standard_handler(as_json)], force=True)


def _standard_handler(as_json: bool) -> logging.Handler:
    """What makes the standard library's records look like structlog's."""
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    renderers: list[Processor] = [_json_text] if as_json else _console_renderers()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_STAMPS, structlog.stdlib.add_logger_name], processors=[strip, *renderers]
        )
    )
    return handler


def _console_renderers() -> list[Processor]:
    # rich's tracebacks show local variables: keys, and what people wrote
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _console_logger(*_: Any) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)


def _json_line(_: Any, level: str, event: EventDict) -> bytes:
    """What the usual chain of processors does, in one: a request's log line is on every request's bill."""
    event["level"] = level
    event["timestamp"] = datetime.now(UTC)
    return _as_json(event)


def _json_text(_: Any, __: str, event: EventDict) -> str:
    return _as_json(event).decode()


def _as_json(event: EventDict) -> bytes:
    if event.get("exc_info"):
        event = structlog.processors.format_exc_info(None, "", event)
    return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z)
