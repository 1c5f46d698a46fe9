"""Taking secrets out of what others say: an upstream may quote the key it was sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from proxy_core.config import AppConfig, BackendConfig, masked
from proxy_core.host.definition import BackendPluginDefinition
from proxy_core.host.discovery import Finding

#: Shorter ones are words, and no secrets.
_SHORTEST = 4


def definitions_in(findings: Iterable[Finding]) -> dict[str, BackendPluginDefinition]:
    """The connectors that can be used, by name."""
    return {finding.name: finding.definition for finding in findings if finding.definition}


def secrets_in(config: AppConfig, findings: Iterable[Finding]) -> list[str]:
    """What `config show` would mask in the options of backends, and the keys in the environment; longest first."""
    definitions = definitions_in(findings)
    shown = masked(config, {name: definition.options_model for name, definition in definitions.items()})["backends"]
    found = {definition.key_from(os.environ) or "" for definition in definitions.values()}
    for name, stanza in config.backends.items():
        found.update(_differences(_options(stanza), shown[name]))
    return sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True)


def _options(stanza: BackendConfig) -> dict[str, Any]:
    return {"type": stanza.type, "enabled": stanza.enabled, **stanza.options}


def _differences(plain: Any, shown: Any) -> Iterator[str]:
    if isinstance(plain, dict):
        for key, value in plain.items():
            yield from _differences(value, shown[key])
    elif isinstance(plain, list):
        for value, masked_value in zip(plain, shown, strict=True):
            yield from _differences(value, masked_value)
    elif plain != shown:
        yield str(plain)


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets."""
    for secret in secrets:
        text = text.replace(secret, "****")
    return text
