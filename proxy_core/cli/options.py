"""Options that several commands have."""

from __future__ import annotations

import click

LOG_LEVELS = ("debug", "info", "warning", "error")

_LEVEL_KEY = "proxy_core.cli.log_level"


def _remember_level(ctx: click.Context, _: click.Parameter, level: str | None) -> None:
    if level is not None:
        ctx.meta[_LEVEL_KEY] = level


def chosen_log_level() -> str | None:
    """What `--log-level` says, before the command or after it."""
    level: str | None = click.get_current_context().meta.get(_LEVEL_KEY)
    return level


config_option = click.option(
    "-c",
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(),
    help="The configuration; else $LLM_PROXY_CONFIG, else ./llm-proxy.yaml if there is one.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

log_level_option = click.option(
    "--log-level",
    type=click.Choice(LOG_LEVELS, case_sensitive=False),
    callback=_remember_level,
    expose_value=False,
    help="The least important message to log; `debug` also shows where an unexpected error came from.",
)
