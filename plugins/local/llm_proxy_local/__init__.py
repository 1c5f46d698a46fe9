"""llm-proxy's embedded model: a GGUF file answers on this machine, with no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from llm_proxy_local.backend import LocalBackend
    from proxy_core.api import AppConfig, BackendPluginDefinition, TranslationService

__all__ = ["provide"]


def provide() -> BackendPluginDefinition:
    """The connector, for the entry point `local` in the group `llm_proxy_backends`."""
    from llm_proxy_local.options import LocalOptions
    from proxy_core.api import BackendCapabilities, BackendPluginDefinition, PluginCompatibility

    return BackendPluginDefinition(
        backend_name="local",
        factory=_build,
        plugin_name="llm-proxy-local",
        compatibility=PluginCompatibility(core_min_version="0.1"),
        capabilities=BackendCapabilities(
            streaming=True, tools=False, vision=False, reasoning=None, structured_output=True
        ),
        options_model=LocalOptions,
        enabled_by_default=True,
    )


def _build(client: httpx.AsyncClient, config: AppConfig, translation_service: TranslationService) -> LocalBackend:
    from llm_proxy_local.backend import LocalBackend

    return LocalBackend(client, config, translation_service)
