"""A domain request to the body of `POST /v1/messages`.

What the Messages API lacks is recorded with `request.drop`; what would change the answer beyond recognition raises
`InvalidRequestError`. Fields of a request that came as Messages are passed on as they are, for the upstream to judge.

Choices:

* JSON mode without a schema has no counterpart (`output_config.format` wants a closed schema): recorded. Chat's own
  rule is that the prompt must ask for JSON, and the model still reads the prompt.
* A system message in mid-conversation keeps its role only if it came as Messages: most models reject it, and those that
  take it do so in certain places only. From other clients it becomes text of the user's turn where it stands, recorded.
  https://docs.claude.com/en/docs/build-with-claude/mid-conversation-system-messages (2026-11)
* A conversation that is nothing but system text becomes a user turn, since there must be one.

https://docs.claude.com/en/api/messages (2026-11)
"""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from proxy_core.domain.content import MediaPart, Part
from proxy_core.domain.request import DomainRequest, Message
from proxy_core.formats import losses
from proxy_core.formats.anthropic.content_encode import encode_parts, record_foreign, simplest
from proxy_core.formats.anthropic.fields import NAME, invalid
from proxy_core.formats.anthropic.schema import closed_schema
from proxy_core.formats.anthropic.thinking import encode_effort, encode_thinking, is_thinking
from proxy_core.formats.anthropic.tools import encode_tool_choice, encode_tools
from proxy_core.formats.fields import Json

#: `max_tokens` is required; this stands in where the client left it to the provider. Every current model allows twice
#: as much (https://docs.claude.com/en/docs/about-claude/models/overview, 2026-11). A larger budget comes on top.
DEFAULT_MAX_TOKENS: Final = 16_384

#: No loss where they are empty, false or zero.
_UNKNOWN_TO_MESSAGES = (
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "metadata",
)


def encode_request(request: DomainRequest) -> Json:
    """The body to send upstream."""
    _refuse_impossible(request)
    _record_losses(request)
    thinking = encode_thinking(request)
    body: Json = {
        "model": request.model,
        "max_tokens": _max_tokens(request, thinking),
        **_conversation(request),
    }
    optional = {
        **_sampling(request, is_thinking(thinking)),
        **_tools(request),
        "stop_sequences": _stop(request),
        "thinking": thinking,
        "output_config": _output_config(request),
        "metadata": _metadata(request),
        "stream": request.stream or None,
    }
    body |= {key: value for key, value in optional.items() if value is not None}
    return {**request.extra(NAME), **body}


def _refuse_impossible(request: DomainRequest) -> None:
    if request.n is not None and request.n > 1:
        word = losses.client_word("n", request.source_format)
        raise invalid(word, "the Messages API gives one answer per request; send n requests instead")


def _record_losses(request: DomainRequest) -> None:
    request.drop(*(field for field in _UNKNOWN_TO_MESSAGES if getattr(request, field)))
    if request.seed is not None:
        request.drop("seed")
    record_foreign(request.extras, request)
    for tool in request.tools:
        record_foreign(tool.extras, request)


def _max_tokens(request: DomainRequest, thinking: Json | None) -> int:
    """Thinking counts toward `max_tokens`: where the budget leaves no room for an answer, it comes on top."""
    limit = DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens
    budget: int = (thinking or {}).get("budget_tokens", 0)
    return limit + budget if budget >= limit and request.source_format != NAME else limit


def _conversation(request: DomainRequest) -> Json:
    leading = list(takewhile(lambda message: message.role == "system", request.messages))
    system = [block for i, message in enumerate(leading) for block in _blocks(message, request, i)]
    turns = _turns(request, len(leading))
    if not turns and system:
        return {"messages": [{"role": "user", "content": simplest(system)}]}
    return {"system": simplest(system), "messages": turns} if system else {"messages": turns}


def _turns(request: DomainRequest, start: int) -> list[Json]:
    """Messages from number `start` on, neighbours of one role in one turn."""
    turns: list[Json] = []
    for i, message in enumerate(request.messages[start:], start):
        _add_turn(turns, _role(message, request), message, _blocks(message, request, i))
    turns = [_in_order(turn, request) for turn in turns]
    if turns and turns[-1]["role"] == "assistant" and request.source_format != NAME:
        _trim_end(turns[-1]["content"])
    return [{**turn, "content": simplest(turn["content"])} if turn["content"] else _bare(turn) for turn in turns]


def _add_turn(turns: list[Json], role: str, message: Message, blocks: list[Json]) -> None:
    extra = message.extra(NAME)
    if turns and turns[-1]["role"] == role and not extra:
        turns[-1]["content"] += blocks
    elif blocks or extra:
        turns.append({**extra, "role": role, "content": blocks})


def _bare(turn: Json) -> Json:
    return {key: value for key, value in turn.items() if key != "content"}


def _role(message: Message, request: DomainRequest) -> str:
    if message.role != "system" or request.source_format == NAME:
        return message.role
    request.drop("messages.role")
    return "user"


def _blocks(message: Message, request: DomainRequest, index: int) -> list[Json]:
    record_foreign(message.extras, request)
    if message.name:
        request.drop("name")
    parts = message.content if message.role == "user" else _without_media(message.content, request)
    return encode_parts(parts, request, f"messages.{index}.content")


def _without_media(parts: list[Part], request: DomainRequest) -> list[Part]:
    """Only users show images; one in an assistant's or a system turn would fail the request."""
    kept: list[Part] = [part for part in parts if not isinstance(part, MediaPart)]
    if len(kept) == len(parts) or request.source_format == NAME:
        return parts
    request.drop("messages.content.media")
    return kept


def _in_order(turn: Json, request: DomainRequest) -> Json:
    """Results first in a user's turn, calls last in an assistant's (an answer of Anthropic's own stays as it was)."""
    blocks: list[Json] = turn["content"]
    if turn["role"] == "user":
        blocks.sort(key=lambda block: block["type"] != "tool_result")
    elif request.source_format != NAME:
        blocks.sort(key=lambda block: block["type"] == "tool_use")
    return turn


def _trim_end(blocks: list[Json]) -> None:
    """An answer the model is to continue must not end in white space."""
    if blocks and blocks[-1]["type"] == "text":
        blocks[-1] = {**blocks[-1], "text": blocks[-1]["text"].rstrip()}


def _sampling(request: DomainRequest, thinking: bool) -> Json:
    """What the API allows: a temperature of 1 at most, and not beside `top_p`; while thinking, neither temperature nor
    `top_k`, and `top_p` from 0.95. A temperature or `top_p` of 1 says what the default says: its loss is none.
    https://docs.claude.com/en/docs/build-with-claude/extended-thinking#feature-compatibility (2026-11)"""
    given = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
    values = {name: value for name, value in given.items() if value is not None}
    if request.source_format == NAME:
        return values
    if thinking or {"temperature", "top_p"} <= values.keys():
        values = {name: value for name, value in values.items() if value != 1 or name == "top_k"}
    kept = {name: value for name, value in values.items() if _allowed(name, value, values, thinking)}
    if kept.get("temperature", 0) > 1:
        kept["temperature"] = 1.0
    request.drop(*(name for name, value in values.items() if kept.get(name) != value))
    return kept


def _allowed(name: str, value: float, values: Json, thinking: bool) -> bool:
    if name == "top_p":
        return value >= 0.95 if thinking else "temperature" not in values
    return not thinking


def _tools(request: DomainRequest) -> Json:
    tools = encode_tools(request)
    if not tools:
        return {}  # the API refuses a choice without tools
    return {"tools": tools, "tool_choice": encode_tool_choice(request)}


def _stop(request: DomainRequest) -> list[str] | None:
    visible = [text for text in request.stop if text.strip()]
    if len(visible) < len(request.stop):
        request.drop("stop")
    return visible or None


def _output_config(request: DomainRequest) -> Json | None:
    config: Json = dict(request.extra(NAME).get("output_config", {}))
    if effort := encode_effort(request.reasoning):
        config["effort"] = effort
    wanted = request.response_format
    if wanted is not None and wanted.type == "json_schema" and wanted.schema is not None:
        config["format"] = {"type": "json_schema", "schema": _schema(wanted.schema, request)}
    elif wanted is not None and wanted.type != "text":
        request.drop("response_format")
    return config or None


def _schema(schema: Json, request: DomainRequest) -> Json:
    if request.source_format == NAME:
        return schema
    closed, is_same = closed_schema(schema)
    if not is_same:
        request.drop("additionalProperties")
    return closed


def _metadata(request: DomainRequest) -> Json | None:
    metadata: Json = dict(request.extra(NAME).get("metadata", {}))
    if request.user:
        metadata["user_id"] = request.user
    return metadata or None
