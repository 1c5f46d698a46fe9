"""A client's Messages request to the domain. https://docs.claude.com/en/api/messages (2026-11)"""

from __future__ import annotations

from typing import Any

from proxy_core.domain.base import Extras
from proxy_core.domain.content import TextPart
from proxy_core.domain.request import DomainRequest, Message, ResponseFormat, Role
from proxy_core.formats.anthropic.content import decode_content
from proxy_core.formats.anthropic.fields import (
    NAME,
    count,
    expect,
    invalid,
    join,
    leftovers,
    objects,
    optional,
    required,
)
from proxy_core.formats.anthropic.thinking import decode_effort, decode_reasoning
from proxy_core.formats.anthropic.tools import decode_tool_choice, decode_tools
from proxy_core.formats.fields import Json

_FIELDS = frozenset(
    {
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
_MESSAGE_FIELDS = frozenset({"content", "role"})
_ROLES: dict[str, Role] = {"assistant": "assistant", "system": "system", "user": "user"}


def decode_request(body: Json) -> DomainRequest:
    """The request; raises `InvalidRequestError` that names the first field that is wrong."""
    tool_choice, parallel_tool_calls = decode_tool_choice(body)
    return DomainRequest(
        model=required(body, "model", str),
        messages=_system(body) + _messages(body),
        tools=decode_tools(body),
        tool_choice=tool_choice,
        parallel_tool_calls=parallel_tool_calls,
        max_tokens=_max_tokens(body),
        temperature=optional(body, "temperature", float),
        top_p=optional(body, "top_p", float),
        top_k=count(body, "top_k"),
        stop=_stop(body),
        reasoning=decode_reasoning(body),
        response_format=_response_format(body),
        stream=optional(body, "stream", bool) or False,
        include_usage=True,
        user=optional(optional(body, "metadata", dict) or {}, "user_id", str, "metadata"),
        source_format=NAME,
        native_only=["thread"] if body.get("thread") is not None else [],
        extras=_extras(body),
    )


def _max_tokens(body: Json) -> int:
    required(body, "max_tokens", int)
    return count(body, "max_tokens") or 0


def _system(body: Json) -> list[Message]:
    content = body.get("system")
    parts = [] if content is None else decode_content(content, "system")
    if any(not isinstance(part, TextPart) for part in parts):
        raise invalid("system", "must hold text blocks only")
    return [Message(role="system", content=parts)] if parts else []


def _messages(body: Json) -> list[Message]:
    required(body, "messages", list)
    messages = [_message(message, path) for path, message in objects(body["messages"], "messages")]
    if not messages:
        raise invalid("messages", "at least one message is required")
    return messages


def _message(message: Json, path: str) -> Message:
    role = required(message, "role", str, path)
    if role not in _ROLES:
        raise invalid(join(path, "role"), f"must be one of {', '.join(_ROLES)}")
    content: Any = message.get("content")
    if content is None and role != "system":  # a system message may carry settings alone
        raise invalid(join(path, "content"), "Field required")
    return Message(
        role=_ROLES[role],
        content=decode_content(content, join(path, "content")),
        extras=leftovers(message, _MESSAGE_FIELDS),
    )


def _stop(body: Json) -> list[str]:
    sequences: list[Any] = optional(body, "stop_sequences", list) or []
    return [expect(text, str, join("stop_sequences", i)) for i, text in enumerate(sequences)]


def _response_format(body: Json) -> ResponseFormat | None:
    config = optional(body, "output_config", dict) or {}
    wanted = optional(config, "format", dict, "output_config")
    if wanted is None or wanted.get("type") != "json_schema":
        return None
    schema = required(wanted, "schema", dict, "output_config.format")
    return ResponseFormat(type="json_schema", schema=schema)


def _extras(body: Json) -> Extras:
    """Unknown fields, and what the known ones hold beyond the domain."""
    fields = {key: value for key, value in body.items() if key not in _FIELDS}
    fields["metadata"] = _without(body.get("metadata"), "user_id")
    fields["output_config"] = _without(body.get("output_config"), *_understood(body))
    rest = {key: value for key, value in fields.items() if value or key not in _FIELDS}
    return {NAME: rest} if rest else {}


def _understood(body: Json) -> list[str]:
    readers = {"effort": decode_effort, "format": _response_format}
    return [key for key, read in readers.items() if read(body) is not None]


def _without(source: Json | None, *keys: str) -> Json:
    return {key: value for key, value in (source or {}).items() if key not in keys and value is not None}
