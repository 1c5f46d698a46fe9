"""Running uvicorn: one process, several workers, or one that is started anew when a file changes."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from socket import socket

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.statreload import StatReload

from proxy_core.cli.listen import Address
from proxy_core.cli.serving import Serving, hush_uvicorn
from proxy_core.cli.settings import Settings
from proxy_core.config import AppConfig, ServerConfig
from proxy_core.logs import configure_logging

#: Longer than clients keep an idle connection, so that it is they who close it.
_KEEP_ALIVE_SECONDS = 75


def run(settings: Settings, config: AppConfig, address: Address, sockets: list[socket], *, reload: bool) -> bool:
    """Serve until a signal; False when the start failed, which has been told."""
    serving = Serving(settings, address)
    if not reload and config.server.workers == 1:
        return _run_single(serving, config, sockets)
    configure_logging(config.logging)
    with tempfile.TemporaryDirectory(prefix="llm-proxy-") as shared:
        serving = replace(serving, greeted=Path(shared, "greeted"))
        if reload:
            return _run_reloading(serving, config, sockets)
        return _run_workers(replace(serving, failed=Path(shared, "failed")), config, sockets)


def _run_single(serving: Serving, config: AppConfig, sockets: list[socket]) -> bool:
    server = uvicorn.Server(_uvicorn_config(serving, config.server))
    try:
        server.run(sockets)
    except KeyboardInterrupt:
        return True
    except SystemExit:
        return False
    return server.started


def _run_workers(serving: Serving, config: AppConfig, sockets: list[socket]) -> bool:
    """Workers that die are replaced; SIGHUP replaces all, one by one."""
    hush_uvicorn()
    supervisor = Multiprocess(_uvicorn_config(serving, config.server, config.server.workers), sockets=sockets)
    supervisor.run()
    return not any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)


def _run_reloading(serving: Serving, config: AppConfig, sockets: list[socket]) -> bool:
    server = uvicorn.Server(_uvicorn_config(serving, config.server))
    Reloader(server, sockets, config.source.path).run()
    return True


def _uvicorn_config(serving: Serving, server: ServerConfig, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        serving,
        factory=True,
        workers=workers,
        host=server.host,
        port=server.port,
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        http="proxy_core.server.http1:HttpProtocol",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(server.shutdown_grace_seconds),
    )


class Reloader(StatReload):
    """Watches the configuration file, and the Python files below the current directory."""

    def __init__(self, server: uvicorn.Server, sockets: list[socket], config_file: str | None) -> None:
        super().__init__(server.config, server.run, sockets)
        self._config_file = config_file

    def iter_py_files(self) -> Iterator[Path]:
        if self._config_file:
            yield Path(self._config_file)
        for directory, below, files in os.walk("."):
            below[:] = [name for name in below if _is_ours(Path(directory, name))]
            yield from (Path(directory, name) for name in files if name.endswith(".py"))


def _is_ours(directory: Path) -> bool:
    """Not a hidden directory, nor a virtual environment or what else is full of other people's code."""
    if directory.name.startswith((".", "__")) or directory.name in ("node_modules", "site-packages"):
        return False
    return not (directory / "pyvenv.cfg").exists()
