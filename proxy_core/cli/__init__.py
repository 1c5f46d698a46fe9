"""The command line. Every command imports what it needs when it runs, so that `--help` and `--version` are instant."""

from __future__ import annotations

import click

from proxy_core.cli.group import CommandGroup
from proxy_core.cli.options import log_level_option

__all__ = ["cli", "main"]

PROGRAM = "llm-proxy"


@click.group(
    cls=CommandGroup,
    commands_in={
        "completion": "proxy_core.cli.completion",
        "config": "proxy_core.cli.config",
        "doctor": "proxy_core.cli.doctor",
        "models": "proxy_core.cli.models",
        "plugins": "proxy_core.cli.plugins",
        "serve": "proxy_core.cli.serve",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="llm-proxy-core", prog_name=PROGRAM, message="%(prog)s %(version)s")
@log_level_option
def cli() -> None:
    """One local address for every LLM API.

    `llm-proxy serve` starts the proxy; `llm-proxy doctor` says what works, what does not, and why.
    """


def main() -> None:
    """The installed command."""
    cli(prog_name=PROGRAM)
