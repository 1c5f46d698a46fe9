"""How many tokens a request is, where nobody who knows can be asked.

About four characters of Latin text are a token, and two tokens three characters of most other writing; tokenizers
differ by a fifth or so either way. It is told as what it is, in `x-llm-proxy-token-count: estimated`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from proxy_core.domain.content import (
    MediaPart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from proxy_core.domain.request import DomainRequest, Tool
from proxy_core.formats import wire_json

_PER_MESSAGE: Final = 4
_PER_MEDIA: Final = {"image": 1100, "audio": 500, "video": 5000, "file": 3000}


def estimated_tokens(request: DomainRequest) -> int:
    """The tokens of messages and tools, at least 1."""
    parts = sum(_of_part(part) for message in request.messages for part in message.content)
    tools = sum(_of_tool(tool) for tool in request.tools)
    return max(1, parts + tools + _PER_MESSAGE * len(request.messages))


def _of_text(text: str) -> int:
    foreign = len(text) - len(text.encode("ascii", "ignore"))
    return (len(text) - foreign + 3) // 4 + (2 * foreign + 2) // 3


def _of_json(value: Any) -> int:
    return _of_text(wire_json.dumps(value).decode())


def _of_tool(tool: Tool) -> int:
    described = tool.native or {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return _of_json(described)


def _of_part(part: Part) -> int:
    return _COUNTS[type(part)](part)


_COUNTS: dict[type, Callable[[Any], int]] = {
    TextPart: lambda part: _of_text(part.text),
    RefusalPart: lambda part: _of_text(part.text),
    ReasoningPart: lambda part: _of_text(part.text),
    MediaPart: lambda part: _PER_MEDIA[part.kind],
    ToolCallPart: lambda part: _of_text(part.name) + _of_text(part.arguments),
    ToolResultPart: lambda part: _PER_MESSAGE + sum(map(_of_part, part.content)),
    NativePart: lambda part: _of_json(part.data),
}
