"""`llm-proxy plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from proxy_core.cli.options import config_option, json_option, log_level_option

if TYPE_CHECKING:
    from proxy_core.host.discovery import Finding


@dataclass(frozen=True)
class Plugin:
    """One entry point of an installed distribution."""

    name: str
    kind: str
    distribution: str
    version: str
    status: str
    reason: str

    @classmethod
    def found(cls, finding: Finding, kind: str) -> Plugin:
        status = "not loaded" if finding.problem else "ok"
        return cls(finding.name, kind, finding.distribution, finding.version, status, finding.problem or "")


@click.command(short_help="List the installed plugins, and why one is not loaded.")
@config_option
@json_option
@log_level_option
def command(config_path: str | None, as_json: bool) -> None:
    """List every connector, hook and command that installed distributions offer, and why one is not loaded."""
    from proxy_core.cli.quiet import quiet_logging
    from proxy_core.cli.tables import show_json, show_table
    from proxy_core.config import load_config

    config = load_config(config_path)
    quiet_logging()
    plugins = [vars(plugin) for plugin in find_plugins(config.plugins.allow)]
    if as_json:
        show_json(plugins)
    elif plugins:
        show_table(list(plugins[0]), [list(plugin.values()) for plugin in plugins])
    else:
        click.echo("no plugin is installed; try `pip install llm-proxy-openai`")


def find_plugins(allow: list[str] | None) -> list[Plugin]:
    """All there are, loaded as `serve` would."""
    from proxy_core.host.discovery import discover
    from proxy_core.host.hooks import Hooks

    hooks = Hooks(lambda *_: None).load_installed(allow)
    backends = [Plugin.found(finding, "backend") for finding in discover(allow)]
    return [*backends, *(Plugin.found(finding, "hook") for finding in hooks), *_commands(allow)]


def _commands(allow: list[str] | None) -> Iterator[Plugin]:
    from proxy_core.cli.group import plugin_commands
    from proxy_core.host.discovery import NOT_ALLOWED, distribution_of, is_allowed

    for command in plugin_commands().values():
        allowed = all(is_allowed(entry, allow) for entry in command.entries)
        problem = command.load()[1] if allowed else NOT_ALLOWED
        for entry in command.entries:
            yield Plugin(
                entry.name, "command", *distribution_of(entry), "not loaded" if problem else "ok", problem or ""
            )
