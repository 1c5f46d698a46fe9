"""The requests that are measured: small ones, and what a coding agent sends (about 100 KB), always the same bytes."""

import json
import random
from collections.abc import Callable
from typing import Any

from tests.bench.load import Call

TOOLS = 24
AGENT_BYTES = 100_000
PATHS = {"openai": "/v1/chat/completions", "openai-responses": "/v1/responses", "anthropic": "/v1/messages"}
GEMINI_PATHS = {
    False: "/v1beta/models/{model}:generateContent",
    True: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
}
WORDS = (
    *("the", "file", "function", "returns", "error", "when", "path", "does", "not", "exist"),
    *("so", "read", "it", "before", "edit", "and", "run", "tests", "after"),
)


SAID = (
    ("user", "What is the capital of France?"),
    ("assistant", "Paris."),
    ("user", "And of Italy? Answer in one sentence, please."),
)


def small(format_name: str, model: str, *, stream: bool) -> Call:
    """A short conversation, as a chat window sends it."""
    if format_name == "gemini":
        return _small_gemini(model, stream=stream)
    said = [{"role": role, "content": text} for role, text in SAID]
    names = ("input", "max_output_tokens") if format_name == "openai-responses" else ("messages", "max_tokens")
    body: dict[str, Any] = {"model": model, "temperature": 0.5, **dict(zip(names, (said, 512), strict=True))}
    options: dict[str, Any] = {"stream": True} if stream else {}
    if stream and format_name == "openai":
        options = {"stream": True, "stream_options": {"include_usage": True}}
    return Call(PATHS[format_name], json.dumps({**body, **options}).encode())


def _small_gemini(model: str, *, stream: bool) -> Call:
    said = [{"role": role.replace("assistant", "model"), "parts": [{"text": text}]} for role, text in SAID]
    body = {"contents": said, "generationConfig": {"maxOutputTokens": 512, "temperature": 0.5}}
    return Call(GEMINI_PATHS[stream].format(model=model), json.dumps(body).encode(), "x-goog-api-key: k\r\n")


def agent(format_name: str, model: str, *, stream: bool) -> Call:
    """A coding agent's turn: a long system prompt, 24 tools, and tool rounds until there are 100 KB."""
    prose = random.Random(7)
    rounds = 1
    while len(body := _AGENTS[format_name](prose, model, rounds, stream)) < AGENT_BYTES:
        prose.seed(7)
        rounds += 1
    return Call(PATHS[format_name], body)


def _text(prose: random.Random, words: int) -> str:
    return " ".join(prose.choices(WORDS, k=words))


def _schema(prose: random.Random) -> dict[str, Any]:
    properties = {
        name: {"type": kind, "description": _text(prose, 18)}
        for name, kind in (("path", "string"), ("limit", "integer"), ("pattern", "string"), ("force", "boolean"))
    }
    return {"type": "object", "properties": properties, "required": ["path"], "additionalProperties": False}


def _anthropic(prose: random.Random, model: str, rounds: int, stream: bool) -> bytes:
    cached = {"cache_control": {"type": "ephemeral"}}
    system = [{"type": "text", "text": _text(prose, words), **cached} for words in (12, 700, 1800)]
    tools = [
        {"name": f"tool_{n}", "description": _text(prose, 90), "input_schema": _schema(prose)} for n in range(TOOLS)
    ]
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": _text(prose, 200)}]}]
    for number in range(rounds):
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": f"tool_{number % TOOLS}"}
        arguments = {"path": f"src/module_{number}.py", "limit": number}
        said = {"type": "text", "text": _text(prose, 30)}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": _text(prose, 220)}
        messages.append({"role": "assistant", "content": [said, {**call, "input": arguments}]})
        messages.append({"role": "user", "content": [result]})
    body = {
        "model": model,
        "max_tokens": 32000,
        "messages": messages,
        "system": system,
        "tools": tools,
        "metadata": {"user_id": "user_0"},
        "stream": stream,
    }
    return json.dumps(body, ensure_ascii=False).encode()


def _openai(prose: random.Random, model: str, rounds: int, stream: bool) -> bytes:
    tools = [
        {
            "type": "function",
            "function": {"name": f"tool_{n}", "description": _text(prose, 90), "parameters": _schema(prose)},
        }
        for n in range(TOOLS)
    ]
    messages: list[dict[str, Any]] = [{"role": "system", "content": _text(prose, 2500)}]
    messages.append({"role": "user", "content": _text(prose, 200)})
    for number in range(rounds):
        arguments = json.dumps({"path": f"src/module_{number}.py", "limit": number})
        function = {"name": f"tool_{number % TOOLS}", "arguments": arguments}
        calls = [{"id": f"call_{number}", "type": "function", "function": function}]
        messages.append({"role": "assistant", "content": _text(prose, 30), "tool_calls": calls})
        messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": _text(prose, 220)})
    body = {"model": model, "max_completion_tokens": 32000, "messages": messages, "tools": tools, "stream": stream}
    return json.dumps(body, ensure_ascii=False).encode()


_AGENTS: dict[str, Callable[[random.Random, str, int, bool], bytes]] = {"anthropic": _anthropic, "openai": _openai}
