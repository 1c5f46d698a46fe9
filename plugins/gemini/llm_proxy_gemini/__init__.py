"""The connector to Google's Gemini API."""

from proxy_core.api import (
    BackendCapabilities,
    BackendOptions,
    BackendPluginDefinition,
    HTTPBackend,
    PluginCompatibility,
)

__all__ = ["GeminiBackend", "provide"]


class GeminiBackend(HTTPBackend):
    """https://ai.google.dev/api/generate-content (2026-11)"""

    backend_type = "gemini"
    wire_format = "gemini"
    default_base_url = "https://generativelanguage.googleapis.com/v1beta"
    api_version = "v1beta"
    api_key_env = "GEMINI_API_KEY"
    auth_header = "x-goog-api-key"
    auth_scheme = ""
    chat_path = "/models/{model}:generateContent"
    stream_path = "/models/{model}:streamGenerateContent?alt=sse"
    models_path = "/models?pageSize=1000"
    count_path = "/models/{model}:countTokens"
    embedding_path = "/models/{model}:batchEmbedContents"


def provide() -> BackendPluginDefinition:
    """The entry point `gemini`."""
    return BackendPluginDefinition(
        backend_name="gemini",
        factory=GeminiBackend,
        plugin_name="llm-proxy-gemini",
        compatibility=PluginCompatibility(core_min_version="0.1"),
        capabilities=BackendCapabilities(tools=True, vision=True, reasoning=True, structured_output=True),
        options_model=BackendOptions,
        api_key_env="GEMINI_API_KEY",
    )
