"""What the command line of `serve` says over the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from proxy_core.cli.exposure import exposure_problem
from proxy_core.config import AppConfig, load_config
from proxy_core.errors import ConfigurationError


@dataclass(frozen=True)
class Settings:
    """A configuration to serve: its file, and what replaces parts of it. None leaves a part as it is.

    Each worker process gets a copy and loads it anew, so that one which is restarted (SIGHUP, `--reload`) sees a file
    that has changed.
    """

    path: str | None = None
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    log_level: str | None = None
    allow_unauthenticated: bool | None = None

    def load(self) -> AppConfig:
        """The configuration to serve; raises `ConfigurationError`."""
        config = load_config(self.path)
        wanted = {name: getattr(self, name) for name in ("host", "port", "workers", "allow_unauthenticated")}
        server = config.server.model_copy(update=_given(wanted))
        logging = config.logging.model_copy(update=_given({"level": self.log_level}))
        config = config.model_copy(update={"server": server, "logging": logging})
        if problem := exposure_problem(config, "--host" if self.host else None):
            raise ConfigurationError(problem, "exposed")
        return config


def _given(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
