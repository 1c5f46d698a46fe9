"""`llm-proxy models`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import click

from proxy_core.cli.failures import UNEXPECTED, complain
from proxy_core.cli.options import config_option, json_option, log_level_option

if TYPE_CHECKING:
    from proxy_core.cli.probe import Probe
    from proxy_core.config import AppConfig
    from proxy_core.routing import Router


class Offer(NamedTuple):
    """A model string that clients may send."""

    model: str
    backend: str
    note: str


@click.command(short_help="List the models that clients can ask for.")
@config_option
@json_option
@log_level_option
def command(config_path: str | None, as_json: bool) -> None:
    """List the model strings that clients can ask for, and the backend behind each.

    Asks the upstreams. What is wrong with a backend goes to standard error; the exit code is 1 when there is no model.
    """
    from proxy_core.cli.probe import try_out
    from proxy_core.cli.quiet import quiet_logging
    from proxy_core.config import load_config
    from proxy_core.host.discovery import discover_for

    config = load_config(config_path)
    quiet_logging()
    probes = asyncio.run(try_out(config, discover_for(config)))
    offers = list_offers(config, probes)
    _show(offers, as_json)
    for probe in probes:
        if probe.problem:
            complain(f"backend {probe.name!r}: {probe.problem}", "warning")
    if not offers:
        complain("there is no model to ask for; `llm-proxy doctor` says why")
        raise click.exceptions.Exit(UNEXPECTED)


def list_offers(config: AppConfig, probes: list[Probe]) -> list[Offer]:
    """What `GET /v1/models` would list."""
    from proxy_core.gateway import Gateway
    from proxy_core.host.hooks import Hooks
    from proxy_core.host.registry import Registry
    from proxy_core.translation import TranslationService

    backends = {probe.name: probe.backend for probe in probes if probe.backend}
    gateway = Gateway(config, Registry(backends), TranslationService(), Hooks(lambda *_: None))
    return [_offer(name, config, gateway.router) for name in gateway.router.names()]


def _offer(name: str, config: AppConfig, router: Router) -> Offer:
    from proxy_core.errors import ModelNotFoundError

    note = f"alias of {config.models[name]}" if name in config.models else ""
    try:
        return Offer(name, router.resolve(name).backend, note)
    except ModelNotFoundError as error:
        return Offer(name, "", f"{note}: {error.message}")


def _show(offers: list[Offer], as_json: bool) -> None:
    from proxy_core.cli.tables import show_json, show_table

    if as_json:
        show_json([offer._asdict() for offer in offers])
    elif offers:
        show_table(("model", "backend", "note"), offers)
