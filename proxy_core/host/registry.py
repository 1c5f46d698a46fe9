"""The configured backends: built, initialized, and kept ready."""

from __future__ import annotations

import asyncio
import difflib
import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from proxy_core.config import AppConfig, BackendConfig, validate_options
from proxy_core.errors import ConfigurationError, LLMProxyError, ServiceUnavailableError
from proxy_core.host.definition import BackendPluginDefinition
from proxy_core.host.discovery import Finding, definitions_in, guarded
from proxy_core.redaction import declared_secrets, redacted, secrets_in

if TYPE_CHECKING:
    from proxy_core.backends.base import LLMBackend
    from proxy_core.translation import TranslationService
    from proxy_core.upstream.client import Engine

log = structlog.get_logger("llm_proxy.host")

#: How long the start waits for backends to get ready; the rest of them go on in the background.
START_PATIENCE_SECONDS = 2.0
#: How long a backend that could not be initialized is left alone before the next attempt.
RETRY_SECONDS = 10.0
#: How long after its time is up a connector may take to notice that.
GRACE_SECONDS = 1.0


class ConfiguredBackend:
    """One backend of the config: the connector's object, its options, and whether it is ready."""

    def __init__(
        self,
        name: str,
        definition: BackendPluginDefinition,
        backend: LLMBackend,
        options: dict[str, Any],
        budget: float,
        strict_translation: bool = False,
    ) -> None:
        self.name = name
        self.strict_translation = strict_translation
        self.definition = definition
        self.backend = backend
        self.ready = False
        self.secrets = secrets_in(options, declared_secrets(definition.options_model))
        self._options = options
        self._budget = budget
        self._failure: str | None = None
        self._retry_at = 0.0
        self._attempt: asyncio.Task[None] | None = None

    @property
    def models(self) -> list[str]:
        """What the connector lists; empty when it fails at that."""
        return self._listed()[0] or []

    def _listed(self) -> tuple[list[str] | None, str | None]:
        return guarded(lambda: _model_names(self.backend))

    @property
    def problem(self) -> str | None:
        """Why the backend is not ready, or not at its best."""
        found = self._failure or self.backend.problem or (self._listed()[1] if self.ready else None)
        return None if found is None else redacted(found, self.secrets)

    def start(self) -> asyncio.Task[None]:
        """Begin to initialize, unless that is under way."""
        attempt = self._attempt
        if attempt is None or attempt.done():
            attempt = self._attempt = asyncio.create_task(self._initialize(), name=f"initialize {self.name}")
            attempt.add_done_callback(_take_note)
        return attempt

    async def ensure_ready(self) -> None:
        """Wait for an attempt under way, or make a new one when it is time; raises `ServiceUnavailableError`."""
        if self._attempt is None or (self._attempt.done() and time.monotonic() >= self._retry_at):
            _ = self.start()
        if self._attempt is not None:
            await asyncio.wait([self._attempt], timeout=self._budget + GRACE_SECONDS)
        if not self.ready:
            reason = self._failure or f"initialize() goes on after more than {self._budget:g} s"
            raise ServiceUnavailableError(
                f"backend {self.name!r} is not available: {reason}", "backend_unavailable", retry_after=RETRY_SECONDS
            )

    def refresh(self) -> None:
        """Have another try in the background at what went wrong when the backend was initialized."""
        if (self._failure or self.backend.problem) and time.monotonic() >= self._retry_at:
            _ = self.start()

    async def _initialize(self) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        try:
            async with asyncio.timeout(self._budget) as budget:
                await self.backend.initialize(**self._options)
        except ConfigurationError as error:  # told once: it stops the start
            self._failure = redacted(error.message, self.secrets)
            raise ConfigurationError(f"backend {self.name!r}: {self._failure}", error.code) from None
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is logged, and told whoever asks
            if budget.expired():
                self._fail(f"initialize() took longer than {self._budget:g} s")
            else:
                self._fail(error.message if isinstance(error, LLMProxyError) else f"{type(error).__name__}: {error}")
        else:
            self.ready, self._failure = True, None
            if self.backend.problem:
                log.warning("backend is not at its best", backend=self.name, reason=self.problem)

    def _fail(self, reason: str) -> None:
        self._failure = redacted(reason, self.secrets)
        log.warning("backend could not be initialized", backend=self.name, reason=self._failure)

    async def stop(self) -> None:
        """Stop initializing, and let the connector clean up; a connector that cannot is logged."""
        if self._attempt is not None:
            self._attempt.cancel()
        try:
            async with asyncio.timeout(2.0):
                await self.backend.close()
        except Exception as error:  # noqa: BLE001 - it is logged
            reason = redacted(f"{type(error).__name__}: {error}", self.secrets)
            log.warning("backend could not be closed", backend=self.name, reason=reason)


def _take_note(attempt: asyncio.Task[None]) -> None:
    """Spare asyncio its complaint about a failure that came too late to stop the start; it is logged already."""
    if not attempt.cancelled():
        attempt.exception()


def _model_names(backend: LLMBackend) -> list[str]:
    names: list[Any] = list(backend.get_available_models())
    if strangers := [name for name in names if not isinstance(name, str)]:
        raise TypeError(f"get_available_models() lists {strangers[0]!r}, which is not a string")
    return names


class Registry:
    """All configured backends by name. Build it with `build`, then `start` it inside the event loop."""

    def __init__(self, backends: Mapping[str, ConfiguredBackend], findings: Iterable[Finding] = ()) -> None:
        self.backends = dict(backends)
        self.findings = list(findings)

    async def start(self) -> None:
        """Initialize all backends at once. Raises `ConfigurationError` for what only the operator can mend; slow and
        failing backends do not hold up the others."""
        tasks = [backend.start() for backend in self.backends.values()]
        if not tasks:
            return
        done, _ = await asyncio.wait(tasks, timeout=START_PATIENCE_SECONDS)
        failures = [error for task in done if not task.cancelled() and (error := task.exception())]
        if failures:
            raise failures[0]

    def refresh(self) -> None:
        """Have another try, in the background, at what went wrong with any of them."""
        for backend in self.backends.values():
            backend.refresh()

    async def stop(self) -> None:
        await asyncio.gather(*(backend.stop() for backend in self.backends.values()))


def enabled_backends(
    config: AppConfig, definitions: Mapping[str, BackendPluginDefinition], env: Mapping[str, str]
) -> dict[str, BackendConfig]:
    """The backends to serve: those of the config; without any, each connector whose key is in the environment;
    without any of these, the connectors that need no key."""
    if config.backends:
        return {name: backend for name, backend in config.backends.items() if backend.enabled}
    keyed = [name for name, definition in definitions.items() if definition.enabled_by_key and definition.key_from(env)]
    keyless = [name for name, definition in definitions.items() if definition.enabled_by_default]
    return {name: BackendConfig(type=name) for name in keyed or keyless}


def build_registry(
    config: AppConfig,
    findings: list[Finding],
    engine: Engine,
    translation: TranslationService,
    env: Mapping[str, str] = os.environ,
) -> Registry:
    """Build every enabled backend; raises `ConfigurationError` naming file, line and way out where that fails."""
    definitions = definitions_in(findings)
    brought = {each.name: each for definition in definitions.values() for each in definition.formats}
    for wire_format in brought.values():
        translation.register(wire_format)
    built = {}
    for name, stanza in enabled_backends(config, definitions, env).items():
        definition = _definition_for(name, stanza.type or name, config, findings)
        options = backend_options(name, stanza, definition, config, env)
        backend = _build(definition, engine, config, translation)
        built[name] = ConfiguredBackend(
            name, definition, backend, options, config.timeouts.initialize, stanza.strict_translation
        )
    return Registry(built, findings)


def _definition_for(name: str, kind: str, config: AppConfig, findings: list[Finding]) -> BackendPluginDefinition:
    candidates = [finding for finding in findings if finding.name == kind]
    usable = next((finding.definition for finding in candidates if finding.definition), None)
    if usable is not None:
        return usable
    where = config.where("backends", name)
    if candidates:
        reasons = "; ".join(f"{finding.described}: {finding.problem}" for finding in candidates)
        raise ConfigurationError(f"{where}: the connector {kind!r} cannot be used: {reasons}", "connector_unusable")
    installed = sorted(definitions_in(findings))
    near = difflib.get_close_matches(kind, installed, n=1)
    way_out = (
        f"did you mean {near[0]!r}?" if near else f"try `pip install llm-proxy-{kind}`, or set `type:` to one of these"
    )
    raise ConfigurationError(
        f"{where}: no connector of type {kind!r} is installed (installed: {', '.join(installed) or 'none'}); {way_out}",
        "connector_missing",
    )


def backend_options(
    name: str, stanza: BackendConfig, definition: BackendPluginDefinition, config: AppConfig, env: Mapping[str, str]
) -> dict[str, Any]:
    """The keyword arguments for `initialize`: what the config says, over what the environment supplies."""
    given = {**definition.option_defaults(env), **stanza.options}
    return validate_options(name, given, definition.options_model, config.source)


def _build(
    definition: BackendPluginDefinition, engine: Engine, config: AppConfig, translation: TranslationService
) -> LLMBackend:
    def make() -> LLMBackend:
        backend = definition.factory(engine.client(), config, translation)
        if definition.post_build_hook is not None:
            definition.post_build_hook(backend)
        return backend

    backend, failure = guarded(make)
    if failure is not None:
        raise ConfigurationError(
            f"connector {definition.plugin_name}: its factory failed: {failure}", "connector_broken"
        )
    built: LLMBackend = backend
    return built
