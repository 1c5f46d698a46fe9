"""pydantic-ai: its agent around each of its models."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ThinkingPart
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.models.google import GoogleModel, GoogleModelSettings
from pydantic_ai.models.openai import (
    OpenAIChatModel,
    OpenAIChatModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesModelSettings,
)
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.downstream.answers import KEY, NO_SIGNATURES, PROMPT, Answer, Asked, Client, failures_told, weather


def openai_chat(asked: Asked) -> Model:
    settings = OpenAIChatModelSettings(openai_reasoning_effort="low") if asked.thinks else None
    provider = OpenAIProvider(base_url=f"{asked.origin}/v1", api_key=KEY)
    return OpenAIChatModel(asked.model, provider=provider, settings=settings)


def openai_responses(asked: Asked) -> Model:
    thinking = OpenAIResponsesModelSettings(openai_reasoning_effort="low", openai_reasoning_summary="auto")
    profile = OpenAIModelProfile(openai_supports_encrypted_reasoning_content=True)  # as it knows of OpenAI's own names
    provider = OpenAIProvider(base_url=f"{asked.origin}/v1", api_key=KEY)
    settings = thinking if asked.thinks else None
    return OpenAIResponsesModel(asked.model, provider=provider, profile=profile, settings=settings)


def anthropic(asked: Asked) -> Model:
    thinking = AnthropicModelSettings(anthropic_thinking={"type": "enabled", "budget_tokens": 1024})
    provider = AnthropicProvider(base_url=asked.origin, api_key=KEY)
    return AnthropicModel(asked.model, provider=provider, settings=thinking if asked.thinks else None)


def google(asked: Asked) -> Model:
    thinking = GoogleModelSettings(google_thinking_config={"include_thoughts": True})
    provider = GoogleProvider(base_url=asked.origin, api_key=KEY)
    return GoogleModel(asked.model, provider=provider, settings=thinking if asked.thinks else None)


def ask(make: Callable[[Asked], Model], asked: Asked) -> Answer:
    """Let an agent run until it has its answer."""
    return asyncio.run(_ask(make, asked))


async def _ask(make: Callable[[Asked], Model], asked: Asked) -> Answer:
    calls: list[Any] = []
    tools = [weather(calls)] if asked.offers_tool else []
    with failures_told():
        async with Agent(make(asked), tools=tools, model_settings={"max_retries": 0}) as agent:
            result, text = await (_streamed if asked.streams else _whole)(agent)
    thinking = "".join(map(_thinking, result.all_messages()))
    return Answer(text, thinking, calls, result.usage.input_tokens, result.usage.output_tokens)


async def _whole(agent: Any) -> tuple[Any, str]:
    result = await agent.run(PROMPT)
    return result, result.output


async def _streamed(agent: Any) -> tuple[Any, str]:
    async with agent.run_stream(PROMPT) as result:
        return result, "".join([piece async for piece in result.stream_text(delta=True, debounce_by=None)])


def _thinking(message: ModelMessage) -> str:
    return "".join(part.content for part in message.parts if isinstance(part, ThinkingPart))


CLIENTS = [
    Client(
        *("pydantic-ai-openai-chat", "openai", "ModelRateLimitError", partial(ask, openai_chat)),
        excused=NO_SIGNATURES,
    ),
    Client("pydantic-ai-openai-responses", "openai-responses", "ModelRateLimitError", partial(ask, openai_responses)),
    Client("pydantic-ai-anthropic", "anthropic", "ModelRateLimitError", partial(ask, anthropic)),
    Client("pydantic-ai-google", "gemini", "ModelRateLimitError", partial(ask, google)),
]
