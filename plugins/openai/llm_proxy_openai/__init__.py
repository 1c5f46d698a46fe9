"""Connectors to OpenAI's Chat Completions and Responses, and to everybody who speaks the former."""

from typing import Any

from pydantic import Field

from proxy_core.api import (
    BackendCapabilities,
    BackendOptions,
    BackendPluginDefinition,
    HTTPBackend,
    PluginCompatibility,
)

__all__ = [
    "CompatibleOptions",
    "OpenAIBackend",
    "OpenAICompatibleBackend",
    "OpenAIResponsesBackend",
    "provide",
    "provide_compatible",
    "provide_responses",
]

_COMPATIBILITY = PluginCompatibility(core_min_version="0.1")


class OpenAIBackend(HTTPBackend):
    """https://platform.openai.com/docs/api-reference/chat (2026-11)"""

    backend_type = "openai"
    wire_format = "openai"
    default_base_url = "https://api.openai.com/v1"
    api_key_env = "OPENAI_API_KEY"
    embedding_path = "/embeddings"


class OpenAIResponsesBackend(HTTPBackend):
    """https://platform.openai.com/docs/api-reference/responses (2026-11)"""

    backend_type = "openai-responses"
    wire_format = "openai-responses"
    default_base_url = "https://api.openai.com/v1"
    api_key_env = "OPENAI_API_KEY"
    chat_path = "/responses"
    count_path = "/responses/input_tokens"
    embedding_path = "/embeddings"
    embedding_format = "openai"


class CompatibleOptions(BackendOptions):
    """The usual options, and what servers differ in."""

    terminal_required: bool = Field(
        True, description="Take a stream without `[DONE]` for cut; switch off for a server that never sends it."
    )


class OpenAICompatibleBackend(HTTPBackend):
    """Any server that speaks Chat Completions: vLLM, Ollama, a gateway, a provider without a connector of its own."""

    backend_type = "openai-compatible"
    wire_format = "openai"
    api_key_required = False
    embedding_path = "/embeddings"

    async def initialize(self, *, terminal_required: bool = True, **kwargs: Any) -> None:
        self.terminal_required = terminal_required
        await super().initialize(**kwargs)


def provide() -> BackendPluginDefinition:
    """The entry point `openai`."""
    return BackendPluginDefinition(
        backend_name="openai",
        factory=OpenAIBackend,
        plugin_name="llm-proxy-openai",
        compatibility=_COMPATIBILITY,
        capabilities=BackendCapabilities(tools=True, vision=True, reasoning=True, structured_output=True),
        options_model=BackendOptions,
        api_key_env="OPENAI_API_KEY",
    )


def provide_responses() -> BackendPluginDefinition:
    """The entry point `openai-responses`. Its key is `openai`'s as well: who has no configuration gets that one."""
    return BackendPluginDefinition(
        backend_name="openai-responses",
        factory=OpenAIResponsesBackend,
        plugin_name="llm-proxy-openai",
        compatibility=_COMPATIBILITY,
        capabilities=BackendCapabilities(tools=True, vision=True, reasoning=True, structured_output=True),
        options_model=BackendOptions,
        api_key_env="OPENAI_API_KEY",
        enabled_by_key=False,
    )


def provide_compatible() -> BackendPluginDefinition:
    """The entry point `openai-compatible`."""
    return BackendPluginDefinition(
        backend_name="openai-compatible",
        factory=OpenAICompatibleBackend,
        plugin_name="llm-proxy-openai",
        compatibility=_COMPATIBILITY,
        options_model=CompatibleOptions,
    )
