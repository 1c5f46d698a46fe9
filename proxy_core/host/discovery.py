"""Finding connectors: entry points of the group `llm_proxy_backends`, each loaded under its own guard.

A broken, incompatible, duplicate or foreign entry never stops the others: it becomes a `Finding` with its reason.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proxy_core.formats import builtin_formats
from proxy_core.formats.base import WireFormat
from proxy_core.host.definition import BackendPluginDefinition

if TYPE_CHECKING:
    from importlib_metadata import EntryPoint

    from proxy_core.config import AppConfig

BACKENDS_GROUP = "llm_proxy_backends"
HOOKS_GROUP = "llm_proxy_hooks"
COMMANDS_GROUP = "llm_proxy_commands"

NOT_ALLOWED = "not on the allow-list (plugins.allow); it was not imported"

#: How long the import of a connector may hold up the start when nobody has asked for it.
LOAD_SECONDS = 1.0
#: How long, when the configuration names it; and for hooks, without which requests would go unwatched.
PATIENT_LOAD_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry point: either `definition` is set, or `problem` says why it cannot be used."""

    name: str
    distribution: str
    version: str
    target: str
    definition: BackendPluginDefinition | None = None
    problem: str | None = None

    @property
    def described(self) -> str:
        """`name (distribution version)`, for messages."""
        return f"{self.name} ({self.distribution} {self.version})"


def definitions_in(findings: Iterable[Finding]) -> dict[str, BackendPluginDefinition]:
    """The connectors that can be used, by name."""
    return {finding.name: finding.definition for finding in findings if finding.definition}


def core_version() -> str:
    """The installed version of `llm-proxy-core`."""
    from importlib_metadata import version

    return version("llm-proxy-core")


def entry_points_of(group: str) -> list[EntryPoint]:
    """All entry points of a group, sorted by name and distribution."""
    from importlib_metadata import entry_points

    return sorted(entry_points(group=group), key=lambda entry: (entry.name, distribution_of(entry)[0]))


def distribution_of(entry: EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that brought an entry point."""
    return (entry.dist.name, entry.dist.version) if entry.dist else ("an unknown distribution", "")


def is_allowed(entry: EntryPoint, allow: Sequence[str] | None) -> bool:
    """Whether the allow-list admits an entry point, by its own name or its distribution's; None admits all."""
    if allow is None:
        return True
    return bool({_normal(entry.name), _normal(distribution_of(entry)[0])} & {_normal(name) for name in allow})


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def discover_for(config: AppConfig) -> list[Finding]:
    """`discover`, for one configuration."""
    needed = {backend.type for backend in config.backends.values() if backend.enabled}
    return discover(config.plugins.allow, needed)


def discover(allow: Sequence[str] | None = None, needed: Collection[str] = ()) -> list[Finding]:
    """Every connector that is installed, usable or not. One that the allow-list does not name is not imported; those
    that are needed may take long to import."""
    found = [_inspect(entry, allow, needed) for entry in entry_points_of(BACKENDS_GROUP)]
    return _refuse_format_clashes(_refuse_duplicates(found))


def _inspect(entry: EntryPoint, allow: Sequence[str] | None, needed: Collection[str]) -> Finding:
    distribution, version = distribution_of(entry)

    def finding(definition: BackendPluginDefinition | None = None, problem: str | None = None) -> Finding:
        return Finding(entry.name, distribution, version, entry.value, definition, problem)

    if not is_allowed(entry, allow):
        return finding(problem=NOT_ALLOWED)
    patience = PATIENT_LOAD_SECONDS if entry.name in needed else LOAD_SECONDS
    provided, failure = loaded(lambda: _called(entry.load()), patience)
    if failure is not None:
        return finding(problem=failure)
    problem = _objection(entry.name, provided)
    return finding(problem=problem) if problem else finding(definition=provided)


def _called(provider: Callable[[], Any]) -> Any:
    return provider()


def guarded(load: Callable[[], Any]) -> tuple[Any, str | None]:
    """What a plugin's code returns, or why it failed. Importing can raise anything, SystemExit included."""
    try:
        return load(), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the plugin's
        return None, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def loaded(load: Callable[[], Any], patience: float = PATIENT_LOAD_SECONDS) -> tuple[Any, str | None]:
    """`guarded`, in a thread of its own that is left to itself when it takes too long."""
    outcomes: list[tuple[Any, str | None]] = []
    thread = threading.Thread(target=lambda: outcomes.append(guarded(load)), name="plugin import", daemon=True)
    thread.start()
    thread.join(patience)
    return outcomes[0] if outcomes else (None, f"it is not imported after {patience:g} s")


def _objection(name: str, provided: object) -> str | None:
    if not isinstance(provided, BackendPluginDefinition):
        kind = f"{type(provided).__module__}.{type(provided).__qualname__}"
        return f"its provider returned a {kind}, not a BackendPluginDefinition: it belongs to another product"
    if not all(isinstance(wire_format, WireFormat) for wire_format in provided.formats):
        return "its definition has formats that are no WireFormat"
    if provided.backend_name != name:
        return f"its definition is named {provided.backend_name!r}, its entry point {name!r}: they must agree"
    problem, failure = guarded(lambda: provided.compatibility.problem(core_version()))
    return problem or failure


def _refuse_duplicates(findings: Iterable[Finding]) -> list[Finding]:
    by_name: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_name[finding.name].append(finding)
    return [checked for group in by_name.values() for checked in _refuse_rivals(group)]


def _refuse_rivals(group: list[Finding]) -> list[Finding]:
    usable = [finding for finding in group if finding.definition]
    if len(usable) < 2:
        return group
    rivals = " and ".join(f"{finding.distribution} {finding.version}" for finding in usable)
    reason = f"{rivals} both provide {group[0].name!r}; uninstall one, or name the other in plugins.allow"
    return [_refused(finding, reason) if finding in usable else finding for finding in group]


def _refuse_format_clashes(findings: Iterable[Finding]) -> list[Finding]:
    """Two connectors may bring one and the same format, but not two of one name."""
    taken = {wire_format.name: type(wire_format) for wire_format in builtin_formats()}
    checked = []
    for finding in findings:
        brought = {wire_format.name: type(wire_format) for wire_format in _formats_of(finding)}
        clashes = [name for name, kind in brought.items() if taken.get(name, kind) is not kind]
        if clashes:
            checked.append(_refused(finding, f"brings a wire format {clashes[0]!r}, and there is one already"))
        else:
            taken.update(brought)
            checked.append(finding)
    return checked


def _formats_of(finding: Finding) -> Sequence[WireFormat]:
    return finding.definition.formats if finding.definition else ()


def _refused(finding: Finding, reason: str) -> Finding:
    return replace(finding, definition=None, problem=reason)
