"""`llm-proxy doctor`: what is installed, what is enabled and why, what can be reached, and what cannot."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from proxy_core.cli.failures import UNEXPECTED, complain
from proxy_core.cli.options import config_option, json_option, log_level_option

if TYPE_CHECKING:
    from proxy_core.cli.probe import Probe
    from proxy_core.config import AppConfig
    from proxy_core.host.discovery import Finding


@dataclass(frozen=True)
class Diagnosis:
    """All that was found out."""

    installed: dict[str, str]
    config: str
    plugins: list[dict[str, str]]
    backends: list[dict[str, Any]]
    not_enabled: dict[str, str]
    problems: list[str]


@click.command(short_help="Say what works, what does not, and why.")
@config_option
@json_option
@log_level_option
def command(config_path: str | None, as_json: bool) -> None:
    """Say what is installed, which backends are enabled and why, whether they can be reached, and if not, why not.

    Asks every upstream for its models. Shows no key. The exit code is 1 when something that is enabled cannot be used.
    """
    from proxy_core.cli.quiet import quiet_logging
    from proxy_core.cli.tables import show_json
    from proxy_core.config import load_config

    config = load_config(config_path)
    quiet_logging()
    diagnosis = diagnose(config)
    if as_json:
        show_json(vars(diagnosis))
    else:
        _show(diagnosis)
    if diagnosis.problems:
        raise click.exceptions.Exit(UNEXPECTED)


def diagnose(config: AppConfig) -> Diagnosis:
    """Examine everything; takes as long as the slowest upstream, at most `timeouts.initialize`."""
    from proxy_core.cli.plugins import find_plugins
    from proxy_core.cli.probe import try_out
    from proxy_core.host.discovery import core_version, discover_for

    findings = discover_for(config)
    probes = asyncio.run(try_out(config, findings))
    return Diagnosis(
        installed={"llm-proxy": core_version(), "python": platform.python_version(), "system": platform.platform()},
        config=config.source.path or "none (there is no llm-proxy.yaml): defaults",
        plugins=[vars(plugin) for plugin in find_plugins(config.plugins.allow)],
        backends=[_backend_row(probe) for probe in probes],
        not_enabled=dict(_not_enabled(config, findings, probes)),
        problems=list(_problems(config, probes)),
    )


def _backend_row(probe: Probe) -> dict[str, Any]:
    milliseconds = None if probe.seconds is None else round(probe.seconds * 1000)
    return {
        "backend": probe.name,
        "connector": probe.connector,
        "enabled because": probe.reason,
        "state": "not usable" if probe.problem else "ready",
        "models": len(probe.models),
        "milliseconds": milliseconds,
        "reason": probe.problem or "",
    }


def _not_enabled(config: AppConfig, findings: list[Finding], probes: list[Probe]) -> Iterator[tuple[str, str]]:
    """Configured backends that are switched off, and connectors that nothing uses."""
    for name, backend in config.backends.items():
        if not backend.enabled:
            yield name, f"{config.where('backends', name)}.enabled is false"
    used = {probe.connector for probe in probes} | {backend.type for backend in config.backends.values()}
    for finding in findings:
        if finding.definition and finding.name not in used:
            yield finding.name, _way_in(config, finding.definition.api_key_env)


def _way_in(config: AppConfig, key: str | None) -> str:
    if config.backends or not key:
        return "no backend in the configuration uses it"
    if os.environ.get(key):  # then it would be enabled
        return "not needed"
    return f"{key} is not set in the environment"


def _problems(config: AppConfig, probes: list[Probe]) -> Iterator[str]:
    from proxy_core.cli.exposure import exposure_problem

    if exposed := exposure_problem(config):
        yield exposed
    if not probes:
        yield "no backend is enabled: configure one, set the key of an installed connector, or install llm-proxy-local"
    for probe in probes:
        if probe.problem:
            yield f"backend {probe.name!r}: {probe.problem}"


def _show(diagnosis: Diagnosis) -> None:
    from proxy_core.cli.tables import show_table

    for name, value in {**diagnosis.installed, "configuration": diagnosis.config}.items():
        click.echo(f"{name:<15} {value}")
    _show_rows("Plugins", diagnosis.plugins)
    _show_rows("Backends", [_without_reason(row) for row in diagnosis.backends])
    if diagnosis.not_enabled:
        show_table(("name", "why"), diagnosis.not_enabled.items(), title="Not enabled")
    for problem in diagnosis.problems:
        complain(problem)
    if not diagnosis.problems:
        click.echo("Everything that is enabled can be used.")


def _without_reason(row: dict[str, Any]) -> dict[str, Any]:
    """It stands among the problems, where there is room for it."""
    return {name: value for name, value in row.items() if name != "reason"}


def _show_rows(title: str, rows: list[dict[str, Any]]) -> None:
    from proxy_core.cli.tables import show_table

    if rows:
        cells = [["" if value is None else str(value) for value in row.values()] for row in rows]
        show_table(list(rows[0]), cells, title=f"\n{title}")
