"""What an upstream was sent, in no format's words: each function takes the backend and the JSON of the request."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.e2e.answers import Call
from tests.fault_upstream.formats import FORMATS

Sent = dict[str, Any]


def _of(readers: dict[str, Callable[[Sent], Any]], backend: str, sent: Sent) -> Any:
    """Read with the backend's reader; Gemini's fields may be in either spelling."""
    return readers[backend](camel_case(sent) if backend == "gemini" else sent)


def camel_case(value: Any) -> Any:
    """All keys as `camelCase`, those of schemas and arguments included."""
    if isinstance(value, list):
        return [camel_case(item) for item in value]
    if isinstance(value, dict):
        return {_UNDERSCORE.sub(lambda found: found[1].upper(), key): camel_case(item) for key, item in value.items()}
    return value


_UNDERSCORE = re.compile("_([a-z])")


class Turn(NamedTuple):
    """One turn of text; `role` is `system`, `user` or `assistant`."""

    role: str
    text: str


def turns(backend: str, sent: Sent) -> list[Turn]:
    """All text in order, system prompts first; turns without text count as empty."""
    return [Turn(_ROLES.get(role, role), _plain(content)) for role, content in _of(_TURNS, backend, sent)]


def media(backend: str, sent: Sent) -> list[Any]:
    """The parts of the last turn after its text."""
    *_, (_, content) = _of(_TURNS, backend, sent)
    return list(content[1:])


_ROLES = {"developer": "system", "model": "assistant"}


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


def _of_chat(sent: Sent) -> Iterator[tuple[str, Any]]:
    return ((message["role"], message.get("content")) for message in sent["messages"])


def _of_responses(sent: Sent) -> Iterator[tuple[str, Any]]:
    if sent.get("instructions"):
        yield "system", sent["instructions"]
    said = sent["input"] if isinstance(sent["input"], list) else [{"role": "user", "content": sent["input"]}]
    yield from ((item["role"], item["content"]) for item in said if item.get("type", "message") == "message")


def _of_messages(sent: Sent) -> Iterator[tuple[str, Any]]:
    if sent.get("system"):
        yield "system", sent["system"]
    yield from ((message["role"], message["content"]) for message in sent["messages"])


def _of_gemini(sent: Sent) -> Iterator[tuple[str, Any]]:
    if "systemInstruction" in sent:
        yield "system", sent["systemInstruction"]["parts"]
    yield from ((content["role"], content["parts"]) for content in sent["contents"])


_TURNS: dict[str, Callable[[Sent], Iterator[tuple[str, Any]]]] = {
    "openai": _of_chat,
    "openai-responses": _of_responses,
    "anthropic": _of_messages,
    "gemini": _of_gemini,
}


def tools(backend: str, sent: Sent) -> list[tuple[str, Any]]:
    """Name and schema of each function on offer."""
    return list(_of(_TOOLS, backend, sent))


_TOOLS: dict[str, Callable[[Sent], list[tuple[str, Any]]]] = {
    "openai": lambda sent: [(tool["function"]["name"], tool["function"]["parameters"]) for tool in sent["tools"]],
    "openai-responses": lambda sent: [(tool["name"], tool["parameters"]) for tool in sent["tools"]],
    "anthropic": lambda sent: [(tool["name"], tool["input_schema"]) for tool in sent["tools"]],
    "gemini": lambda sent: [
        (each["name"], each["parametersJsonSchema"]) for tool in sent["tools"] for each in tool["functionDeclarations"]
    ],
}


def calls(backend: str, sent: Sent) -> list[Call]:
    """The tool calls of all turns; Gemini's may have no id."""
    return list(_of(_CALLS, backend, sent))


def _calls_of_chat(sent: Sent) -> Iterator[Call]:
    for call in (call for message in sent["messages"] for call in message.get("tool_calls") or ()):
        assert call["type"] == "function"
        yield Call(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))


def _calls_of_responses(sent: Sent) -> Iterator[Call]:
    calls = (item for item in sent["input"] if item.get("type") == "function_call")
    return (Call(call["call_id"], call["name"], json.loads(call["arguments"])) for call in calls)


def _calls_of_messages(sent: Sent) -> Iterator[Call]:
    blocks = (
        block for message in sent["messages"] if isinstance(message["content"], list) for block in message["content"]
    )
    return (Call(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use")


def _calls_of_gemini(sent: Sent) -> Iterator[Call]:
    parts = (part for content in sent["contents"] for part in content["parts"])
    calls = (part["functionCall"] for part in parts if "functionCall" in part)
    return (Call(call.get("id", ""), call["name"], call.get("args", {})) for call in calls)


_CALLS: dict[str, Callable[[Sent], Iterator[Call]]] = {
    "openai": _calls_of_chat,
    "openai-responses": _calls_of_responses,
    "anthropic": _calls_of_messages,
    "gemini": _calls_of_gemini,
}


def results(backend: str, sent: Sent) -> dict[str, str]:
    """The results of calls by id, as the upstream reads them."""
    return FORMATS[backend].tool_results(sent)


def schema(backend: str, sent: Sent) -> Any:
    """The JSON schema that the answer must have."""
    return _of(_SCHEMAS, backend, sent)


_SCHEMAS: dict[str, Callable[[Sent], Any]] = {
    "openai": lambda sent: sent["response_format"]["json_schema"]["schema"],
    "openai-responses": lambda sent: sent["text"]["format"]["schema"],
    "anthropic": lambda sent: sent["output_config"]["format"]["schema"],
    "gemini": lambda sent: (
        sent["generationConfig"].get("responseJsonSchema") or sent["generationConfig"]["responseSchema"]
    ),
}


def limit(backend: str, sent: Sent) -> int | None:
    """How many tokens the answer may have."""
    return settings(backend, sent).get(_LIMITS[backend])


_LIMITS = {
    "openai": "max_tokens",
    "openai-responses": "max_output_tokens",
    "anthropic": "max_tokens",
    "gemini": "maxOutputTokens",
}


def settings(backend: str, sent: Sent) -> dict[str, Any]:
    """What holds the settings of the answer."""
    return dict(_of(_SETTINGS, backend, sent))


_SETTINGS: dict[str, Callable[[Sent], Sent]] = {
    "openai": lambda sent: sent,
    "openai-responses": lambda sent: sent,
    "anthropic": lambda sent: sent,
    "gemini": lambda sent: sent.get("generationConfig", {}),
}


def sampling(backend: str, sent: Sent) -> dict[str, Any]:
    """Temperature, nucleus and stop sequences, as far as they were sent."""
    held = settings(backend, sent)
    return {word: held[name] for word, name in _SAMPLING[backend].items() if name in held}


_SAMPLING = {
    "openai": {"temperature": "temperature", "top_p": "top_p", "stop": "stop"},
    "openai-responses": {"temperature": "temperature", "top_p": "top_p"},
    "anthropic": {"temperature": "temperature", "top_p": "top_p", "stop": "stop_sequences"},
    "gemini": {"temperature": "temperature", "top_p": "topP", "stop": "stopSequences"},
}
