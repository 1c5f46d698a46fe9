"""Logging for the commands whose findings are shown otherwise."""

from __future__ import annotations

from proxy_core.cli.options import chosen_log_level
from proxy_core.config import LoggingConfig
from proxy_core.logs import configure_logging


def quiet_logging() -> None:
    """To standard error, and only errors unless `--log-level` says more."""
    configure_logging(LoggingConfig.model_validate({"level": chosen_log_level() or "error"}))
