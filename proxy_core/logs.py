"""Logging: structlog, as JSON for machines or in colour for people. Everything goes to standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from proxy_core.config import LoggingConfig
from proxy_core.formats import wire_json


def configure_logging(config: LoggingConfig) -> None:
    """Set up structlog, and the standard library's logging (uvicorn's, plugins') to go the same way."""
    level = logging.getLevelNamesMapping()[config.level.upper()]
    as_json = config.format == "json" or (config.format == "auto" and not sys.stderr.isatty())
    renderer = _renderer(as_json)
    structlog.configure(
        processors=[*_PROCESSORS, *_FAILURES[as_json], renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_PROCESSORS, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_FAILURES[as_json], renderer],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)


_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_FAILURES: dict[bool, list[structlog.typing.Processor]] = {True: [structlog.processors.format_exc_info], False: []}


def _renderer(as_json: bool) -> structlog.typing.Processor:
    if as_json:
        return structlog.processors.JSONRenderer(serializer=_dumps)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _dumps(value: Any, **_: Any) -> str:
    return wire_json.dumps(value).decode()
