"""LangChain: its agent around each of its chat models."""

from collections.abc import Callable, Iterator
from functools import partial, reduce
from itertools import groupby
from operator import add, attrgetter
from typing import Any

from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

from tests.downstream.answers import KEY, NO_SIGNATURES, PROMPT, Answer, Asked, Client, failures_told, weather

BUDGET = 1024


def openai_chat(asked: Asked) -> BaseChatModel:
    thinking: dict[str, Any] = {"reasoning_effort": "low"} if asked.thinks else {}
    common = {"base_url": f"{asked.origin}/v1", "api_key": KEY, "max_retries": 0}
    return ChatOpenAI(model=asked.model, stream_usage=True, **common, **thinking)


def openai_responses(asked: Asked) -> BaseChatModel:
    switch = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    thinking: dict[str, Any] = {**switch, "store": False} if asked.thinks else {}
    common = {"base_url": f"{asked.origin}/v1", "api_key": KEY, "max_retries": 0}
    new = {"use_responses_api": True, "output_version": "responses/v1"}
    return ChatOpenAI(model=asked.model, **new, **common, **thinking)


def anthropic(asked: Asked) -> BaseChatModel:
    thinking: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": BUDGET}} if asked.thinks else {}
    common = {"base_url": asked.origin, "api_key": KEY, "max_retries": 0}
    return ChatAnthropic(model=asked.model, max_tokens=4096, **common, **thinking)


def google(asked: Asked) -> BaseChatModel:
    thinking: dict[str, Any] = {"include_thoughts": True, "thinking_budget": BUDGET} if asked.thinks else {}
    common = {"base_url": asked.origin, "api_key": KEY, "max_retries": 1}  # 1 is none, 0 the SDK's default
    return ChatGoogleGenerativeAI(model=asked.model, **common, **thinking)


def ask(make: Callable[[Asked], BaseChatModel], asked: Asked) -> Answer:
    """Let an agent run until it has its answer."""
    calls: list[Any] = []
    agent = create_agent(make(asked), tools=[weather(calls)] if asked.offers_tool else [])
    question = {"messages": [{"role": "user", "content": PROMPT}]}
    with failures_told():
        messages = list((_streamed if asked.streams else _whole)(agent, question))
    final = messages[-1]
    assert final.usage_metadata
    thinking = "".join(map(_thinking, messages))
    return Answer(
        final.text, thinking, calls, final.usage_metadata["input_tokens"], final.usage_metadata["output_tokens"]
    )


def _whole(agent: Any, question: Any) -> Iterator[AIMessage]:
    """Each message as its step ends: the state at the end forgets one whose id comes again, as our upstream's do."""
    steps = (step for update in agent.stream(question, stream_mode="updates") for step in update.values())
    return (message for step in steps for message in step["messages"] if isinstance(message, AIMessage))


def _streamed(agent: Any, question: Any) -> Iterator[AIMessage]:
    """The chunks of each message, added up."""
    events = agent.stream(question, stream_mode="messages")
    chunks = (chunk for chunk, _ in events if isinstance(chunk, AIMessageChunk))
    return (reduce(add, group) for _, group in groupby(chunks, attrgetter("id")))


def _thinking(message: AIMessage) -> str:
    return "".join(block.get("reasoning", "") for block in message.content_blocks if block["type"] == "reasoning")


COUNTS_AT_THE_END = ("counts streamed anthropic",)
"""It reads input tokens in `message_delta`, where Anthropic repeats them, and our upstream does not."""

FORGETS_IDS = tuple(
    f"{question} * {backend}" for question in ("tools", "thinking") for backend in ("openai*", "anthropic")
)
"""It sends calls and results back without the ids, and our upstream, unlike real ones, insists on its own."""

CLIENTS = [
    Client(
        *("langchain-openai-chat", "openai", "OpenAIRateLimitError", partial(ask, openai_chat)),
        hides_thinking=True,
        excused=NO_SIGNATURES,
    ),
    Client("langchain-openai-responses", "openai-responses", "OpenAIRateLimitError", partial(ask, openai_responses)),
    Client(
        *("langchain-anthropic", "anthropic", "AnthropicRateLimitError", partial(ask, anthropic)),
        excused=COUNTS_AT_THE_END,
    ),
    Client("langchain-google", "gemini", "GoogleRateLimitError", partial(ask, google), excused=FORGETS_IDS),
]
