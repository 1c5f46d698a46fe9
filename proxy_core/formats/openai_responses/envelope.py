"""The `response` object around the output of an answer.

It repeats most of its request: in the client's own words, whatever an upstream was told.
https://platform.openai.com/docs/api-reference/responses/object (2026-11)
"""

from __future__ import annotations

import time
import uuid
from typing import Any, Final

from proxy_core.domain.request import DomainRequest
from proxy_core.domain.stream import StreamChunk
from proxy_core.formats.base import RenderOptions
from proxy_core.formats.fields import Json, as_dict, dicts
from proxy_core.formats.openai_responses.fields import own_fields
from proxy_core.formats.openai_responses.request import echo_of

_PREFIX: Final = "resp_"
_PLAIN_TEXT: Final[Json] = {"format": {"type": "text"}}
#: What a response says of a request that did not say it. Nothing is stored here.
_UNSAID: Final[Json] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": False,
    "temperature": None,
    "text": _PLAIN_TEXT,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
#: Facts about the answer, which only the upstream knows.
_FACTS: Final = ("conversation", "service_tier", "store")
#: What the upstream was told is nobody else's business.
_PRIVATE: Final = frozenset({"instructions", "metadata", "prompt", "prompt_cache_key", "tools", "tool_choice", "user"})


class Envelope:
    """The response that an answer becomes, but for its output."""

    def __init__(self, options: RenderOptions) -> None:
        self._model = options.model
        self._request = options.request
        self._identity: Json = {}
        self._own: Json = {}

    @property
    def begun(self) -> bool:
        """Whether the response has its id."""
        return bool(self._identity)

    def adopt(self, chunk: StreamChunk) -> None:
        """Keep what the upstream says of the response in our own format."""
        self._own |= own_fields(chunk.extras)

    def begin(self, chunk: StreamChunk) -> None:
        """Give the response its identity, that of the upstream's answer where it has one."""
        identifier = chunk.id or uuid.uuid4().hex
        self._identity = {
            "id": identifier if identifier.startswith(_PREFIX) else _PREFIX + identifier,
            "object": "response",
            "created_at": chunk.created or int(time.time()),
        }

    def around(self, outcome: Json, output: list[Json], usage: Json | None) -> Json:
        """The response; `outcome` is its status and what goes with that."""
        head = {**self._identity, **outcome, "model": self._model, "output": output}
        return {**head, **self._about(), "usage": usage}

    def _about(self) -> Json:
        if self._request is None:
            return {**_UNSAID, **self._own}
        own = {name: value for name, value in self._own.items() if name not in _PRIVATE}
        return {**_UNSAID, **own, **_echo(self._request)}


def _echo(request: DomainRequest) -> Json:
    echo = {name: value for name, value in echo_of(request).items() if name not in _FACTS}
    if "tools" in echo:
        echo["tools"] = [_tool(tool) for tool in dicts(echo["tools"])]
    if "text" in echo:
        echo["text"] = {**_PLAIN_TEXT, **as_dict(echo["text"])}
    return echo


def _tool(tool: Json) -> Json:
    """A tool as a response has it: what its type demands is there, if only as null."""
    required: dict[str, Any] = {"parameters": None, "strict": None} if tool.get("type") == "function" else {}
    return {**required, **tool}
