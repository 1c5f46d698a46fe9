"""The group of all commands: our own, and those that plugins bring (entry-point group `llm_proxy_commands`).

Neither is imported before it is needed: ours to show its help, a plugin's to run it or to show its own help. A plugin's
command that cannot be loaded says why when it is called, and disturbs no other.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from proxy_core.cli.failures import report
from proxy_core.cli.options import chosen_log_level

if TYPE_CHECKING:
    from importlib_metadata import EntryPoint


class CommandGroup(click.Group):
    """`commands_in` names the module of each of our commands; each module has a `command`."""

    def __init__(self, *args: Any, commands_in: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules = commands_in

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self._modules, *plugin_commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._modules:
            command: click.Command = importlib.import_module(self._modules[cmd_name]).command
            return command
        return plugin_commands().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"there is no command {args[0]!r}{_suggestion(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:  # noqa: BLE001 - the last resort, in one line
            ctx.exit(report(error, with_traceback=chosen_log_level() == "debug"))


def _suggestion(word: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


class PluginCommand(click.Command):
    """Stands for a plugin's command until that is called."""

    def __init__(self, entries: list[EntryPoint]) -> None:
        from proxy_core.host.discovery import distribution_of

        self.entries = entries
        self._owners = " and ".join(" ".join(distribution_of(entry)) for entry in entries)
        super().__init__(entries[0].name, short_help=f"Comes with {self._owners}.")

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        command, problem = self.load()
        if command is None:
            raise click.ClickException(f"the command {self.name!r} of {self._owners} cannot be used: {problem}")
        return command.make_context(info_name, args, parent, **extra)

    def load(self) -> tuple[click.Command | None, str | None]:
        """The plugin's command, or why it cannot be used."""
        from proxy_core.host.discovery import guarded

        if len(self.entries) > 1:
            return None, "they have the same name; uninstall one"
        loaded, failure = guarded(self.entries[0].load)
        if failure is None and not isinstance(loaded, click.Command):
            failure = f"its entry point is a {type(loaded).__qualname__}, not a click command"
        return (None, failure) if failure else (loaded, None)


def plugin_commands() -> dict[str, PluginCommand]:
    """The commands of plugins by name, none of them imported."""
    from proxy_core.host.discovery import COMMANDS_GROUP, entry_points_of

    entries: dict[str, list[EntryPoint]] = {}
    for entry in entry_points_of(COMMANDS_GROUP):
        entries.setdefault(entry.name, []).append(entry)
    return {name: PluginCommand(rivals) for name, rivals in entries.items()}
