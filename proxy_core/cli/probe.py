"""The enabled backends, each built and tried on its own, so that the fault of one does not hide those of the others."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass

from proxy_core.config import AppConfig
from proxy_core.errors import ConfigurationError
from proxy_core.host.definition import BackendPluginDefinition
from proxy_core.host.discovery import Finding, definitions_in
from proxy_core.host.registry import ConfiguredBackend, build_registry, enabled_backends
from proxy_core.translation import TranslationService
from proxy_core.upstream.client import Engine


@dataclass
class Probe:
    """One enabled backend: why it is, and what came of building it and of trying it."""

    name: str
    connector: str
    reason: str
    backend: ConfiguredBackend | None = None
    failure: str | None = None
    seconds: float | None = None

    @property
    def problem(self) -> str | None:
        """Why it cannot be used, or not fully."""
        return self.failure or (self.backend.problem if self.backend else None)

    @property
    def models(self) -> list[str]:
        return self.backend.models if self.backend else []


def build_probes(config: AppConfig, findings: list[Finding], engine: Engine) -> list[Probe]:
    """Build what `serve` would; options that do not validate and connectors that are missing become failures."""
    definitions = definitions_in(findings)
    probes = []
    for name, stanza in enabled_backends(config, definitions, os.environ).items():
        probe = Probe(name, stanza.type or name, _reason(name, config, definitions.get(name)))
        alone = config.model_copy(update={"backends": {name: stanza}})
        try:
            probe.backend = build_registry(alone, findings, engine, TranslationService()).backends[name]
        except ConfigurationError as error:
            probe.failure = error.message
        probes.append(probe)
    return probes


def _reason(name: str, config: AppConfig, definition: BackendPluginDefinition | None) -> str:
    if config.backends:
        return f"{config.source.path}:{config.source.line(('backends', name))}"
    if definition and definition.key_from(os.environ):
        return f"{definition.api_key_env} is set"
    return "nothing else is configured"


async def try_out(config: AppConfig, findings: list[Finding]) -> list[Probe]:
    """Build and initialize every enabled backend, all at once, each within `timeouts.initialize`; then close them."""
    engine = Engine(config.timeouts)
    probes = build_probes(config, findings, engine)
    try:
        await asyncio.gather(*(_initialize(probe, probe.backend) for probe in probes if probe.backend))
    finally:
        await asyncio.gather(*(probe.backend.stop() for probe in probes if probe.backend))
        await engine.aclose()
    return probes


async def _initialize(probe: Probe, backend: ConfiguredBackend) -> None:
    started = time.perf_counter()
    try:
        await backend.start()
    except ConfigurationError as error:
        probe.failure = backend.problem or error.message
    probe.seconds = time.perf_counter() - started
