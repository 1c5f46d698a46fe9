"""The connector to Anthropic's Messages API."""

from proxy_core.api import (
    BackendCapabilities,
    BackendOptions,
    BackendPluginDefinition,
    HTTPBackend,
    PluginCompatibility,
)

__all__ = ["AnthropicBackend", "provide"]


class AnthropicBackend(HTTPBackend):
    """https://docs.claude.com/en/api/messages (2026-11)

    A client's own `anthropic-version` and `anthropic-beta` replace the version below on the lossless lane.
    """

    backend_type = "anthropic"
    wire_format = "anthropic"
    default_base_url = "https://api.anthropic.com/v1"
    api_key_env = "ANTHROPIC_API_KEY"
    auth_header = "x-api-key"
    auth_scheme = ""
    static_headers = {"anthropic-version": "2023-06-01"}
    chat_path = "/messages"
    models_path = "/models?limit=1000"
    count_path = "/messages/count_tokens"


def provide() -> BackendPluginDefinition:
    """The entry point `anthropic`."""
    return BackendPluginDefinition(
        backend_name="anthropic",
        factory=AnthropicBackend,
        plugin_name="llm-proxy-anthropic",
        compatibility=PluginCompatibility(core_min_version="0.1"),
        capabilities=BackendCapabilities(tools=True, vision=True, reasoning=True, structured_output=True),
        options_model=BackendOptions,
        api_key_env="ANTHROPIC_API_KEY",
    )
