"""What runs in the process that serves, be it the only one or one of several workers.

The server itself is imported where it is made: a process that only watches over workers does without.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from uvicorn.config import STARTUP_FAILURE

from proxy_core.cli.failures import report
from proxy_core.cli.listen import Address
from proxy_core.cli.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from proxy_core.server.app import Application

#: What uvicorn logs about a start that failed, after we have said it better.
_ALREADY_SAID = ("Application startup failed", "Application shutdown failed", "Child process")


@dataclass(frozen=True)
class Serving:
    """Makes the application; uvicorn calls it in each process, which gets a copy.

    `greeted` and `failed` are files that the processes share: one makes the file when it says so, and then the others
    do not repeat it. None when it is always to be said.
    """

    settings: Settings
    address: Address
    greeted: Path | None = None
    failed: Path | None = None

    def __call__(self) -> ASGIApp:
        hush_uvicorn()
        try:
            application = self._make()
        except Exception as error:  # noqa: BLE001 - a plugin's factory may raise anything
            self._complain(error)
            sys.exit(STARTUP_FAILURE)
        return Announced(application.app, lambda: self._greet(application), self._complain)

    def _make(self) -> Application:
        from proxy_core.logs import configure_logging
        from proxy_core.server.app import Application

        config = self.settings.load()
        configure_logging(config.logging)
        return Application(config)

    def _greet(self, application: Application) -> None:
        from proxy_core.cli.banner import banner
        from proxy_core.host.discovery import core_version

        if not _first(self.greeted):
            return
        try:
            click.echo(banner(application, self.address, core_version()))
        except (OSError, UnicodeError):
            pass  # nobody is there to read it, or only in ASCII

    def _complain(self, error: Exception) -> None:
        if _first(self.failed):
            report(error, with_traceback=self.settings.log_level == "debug")


def _first(marker: Path | None) -> bool:
    """Whether no other process has said it."""
    try:
        if marker is not None:
            marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Announced:
    """An application that tells when it is ready, or why it is not; uvicorn would log a traceback."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        self._app = app
        self._ready = ready
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def overheard(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._ready()
            message.pop("message", None)  # the traceback
            await send(message)

        try:
            await self._app(scope, receive, overheard)
        except Exception as error:  # noqa: BLE001 - it is told, and ends the process
            self._failed(error)


def hush_uvicorn() -> None:
    """Keep uvicorn from repeating what we say."""
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_ALREADY_SAID)
