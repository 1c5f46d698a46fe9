"""The wire formats: how requests, answers, stream events and errors look as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy_core.formats.base import WireFormat

#: The format whose message shape connectors get as `processed_messages`, and the default dialect towards clients.
CHAT_COMPLETIONS = "openai"


def builtin_formats() -> list[WireFormat]:
    """The formats the core itself speaks, the default dialect first."""
    from proxy_core.formats.anthropic import AnthropicFormat
    from proxy_core.formats.gemini import GeminiFormat
    from proxy_core.formats.openai import OpenAIFormat
    from proxy_core.formats.openai_responses import OpenAIResponsesFormat

    return [OpenAIFormat(), OpenAIResponsesFormat(), AnthropicFormat(), GeminiFormat()]
