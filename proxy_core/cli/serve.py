"""`llm-proxy serve`."""

from __future__ import annotations

from typing import Any

import click

from proxy_core.cli.failures import MISCONFIGURED
from proxy_core.cli.options import chosen_log_level, config_option, log_level_option


@click.command(short_help="Start the proxy.")
@config_option
@click.option("--host", help="The address to listen on.  [default: server.host, 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The port to listen on; 0 takes a free one.  [default: server.port, 8765]",
)
@click.option("--workers", type=click.IntRange(min=1), help="How many processes serve.  [default: server.workers, 1]")
@click.option("--reload", is_flag=True, help="Start anew when the configuration or Python code below here changes.")
@click.option(
    "--allow-unauthenticated",
    is_flag=True,
    default=None,
    help="Let everybody in who can reach the host, without keys.",
)
@log_level_option
def command(config_path: str | None, reload: bool, **options: Any) -> None:
    """Start the proxy.

    When it is ready it prints its address, its models and how to try it; logs go to standard error. Options win over
    the configuration.

    Ctrl-C lets running requests end, and a second Ctrl-C does not; the exit code is 0 then, and 2 when the start
    failed. With several workers, SIGHUP reads the configuration again and replaces them one by one.
    """
    from proxy_core.cli.listen import Address, listen
    from proxy_core.cli.settings import Settings

    settings = Settings(config_path, log_level=chosen_log_level(), **options)
    if reload and (settings.workers or 1) > 1:
        raise click.UsageError("--reload serves with one process; leave out --workers")
    config = settings.load()
    sockets = listen(config.server.host, config.server.port)
    address = Address(config.server.host, sockets[0].getsockname()[1])

    from proxy_core.cli import supervise  # after the port is taken: importing the server takes time

    if not supervise.run(settings, config, address, sockets, reload=reload):
        raise click.exceptions.Exit(MISCONFIGURED)
