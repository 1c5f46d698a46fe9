"""`llm-proxy config`: check, show, describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from proxy_core.cli.failures import MISCONFIGURED, complain
from proxy_core.cli.options import config_option

if TYPE_CHECKING:
    from pydantic import BaseModel

    from proxy_core.config import AppConfig


@click.group(short_help="Check, show or describe the configuration.")
def command() -> None:
    """Check, show or describe the configuration. No upstream is asked; `llm-proxy doctor` does that."""


@command.command()
@click.argument("path", required=False, type=click.Path())
@config_option
def check(path: str | None, config_path: str | None) -> None:
    """Say everything that is wrong with the configuration at PATH; exit code 2 if anything is.

    Connectors must be installed and their options valid, as for `llm-proxy serve`.
    """
    from proxy_core.config import load_config

    config = load_config(path or config_path)
    backends, problems = _checked(config)
    for problem in problems:
        complain(problem)
    if problems:
        raise click.exceptions.Exit(MISCONFIGURED)
    click.echo(f"ok: {_origin(config)}")
    for line in backends:
        click.echo(f"  {line}")


def _checked(config: AppConfig) -> tuple[list[str], list[str]]:
    """A line for each backend, and the problems."""
    from proxy_core.cli.exposure import exposure_problem
    from proxy_core.cli.probe import build_probes
    from proxy_core.host.discovery import discover_for
    from proxy_core.upstream.client import Engine

    probes = build_probes(config, discover_for(config), Engine(config.timeouts))
    exposed = exposure_problem(config)
    problems = [*([exposed] if exposed else []), *(probe.failure for probe in probes if probe.failure)]
    enabled = [f"backend {probe.name} ({probe.connector}): {probe.reason}" for probe in probes]
    disabled = [f"backend {name}: not enabled" for name, backend in config.backends.items() if not backend.enabled]
    return [*enabled, *disabled], problems


def _origin(config: AppConfig) -> str:
    return config.source.path or "no configuration file, so everything has its default"


@command.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of YAML.")
def show(config_path: str | None, as_json: bool) -> None:
    """Print the whole configuration: defaults filled in, variables replaced, secrets masked."""
    from proxy_core.cli.tables import show_json
    from proxy_core.config import load_config, masked

    config = load_config(config_path)
    shown = masked(config, _options_models(config.plugins.allow))
    if as_json:
        show_json(shown)
    else:
        click.echo(f"# {_origin(config)}\n{_as_yaml(shown)}", nl=False)


def _as_yaml(value: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return text


@command.command()
@config_option
def schema(config_path: str | None) -> None:
    """Print the JSON Schema of the configuration, with the options of the installed connectors.

    Editors complete and check `llm-proxy.yaml` with it.
    """
    from proxy_core.cli.tables import show_json
    from proxy_core.config_schema import json_schema

    show_json(json_schema(_options_models(_allowed(config_path))))


def _allowed(config_path: str | None) -> list[str] | None:
    """The allow-list. A file that cannot be read may have one, so then no plugin is imported."""
    from proxy_core.config import load_config
    from proxy_core.errors import ConfigurationError

    try:
        return load_config(config_path).plugins.allow
    except ConfigurationError as error:
        complain(f"{error.message}\nthe schema is without the options of connectors until that is mended", "warning")
        return []


def _options_models(allow: list[str] | None) -> dict[str, type[BaseModel] | None]:
    from proxy_core.host.discovery import discover

    return {found.name: found.definition.options_model for found in discover(allow) if found.definition}
