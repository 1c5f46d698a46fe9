"""Free-text (`custom`) tools at an upstream that has none.

Their input travels as the JSON object `{"input": "..."}`, in the tool's definition and in the calls of the history; a
client that offered such a tool gets its text back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec

from proxy_core.domain.content import ToolCallPart
from proxy_core.domain.response import DomainResponse
from proxy_core.domain.stream import Delta, StreamChunk, ToolCallDelta
from proxy_core.formats import wire_json

#: The parameters of a function that stands for a free-text tool.
WRAPPING_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}


def arguments_object(part: ToolCallPart) -> dict[str, Any]:
    """A call's arguments as an object. What is none (free text, another JSON value, JSON that was cut off or nests too
    deeply) is wrapped as `{"input": text}`, so that nothing the model wrote is lost."""
    if part.kind == "function" and not part.arguments.strip():
        return {}
    arguments = _loads_or_none(part.arguments) if part.kind == "function" else None
    return arguments if isinstance(arguments, dict) else {"input": part.arguments}


def _loads_or_none(text: str) -> object:
    if wire_json.deeper_than(text.encode("utf-8", "surrogatepass")):
        return None
    try:
        return wire_json.loads(text)
    except ValueError:
        return None


def unwrapped(arguments: str) -> str:
    """The text within; arguments that are not the wrapping, as they are."""
    try:
        value = wire_json.loads(arguments)
    except ValueError:
        return arguments
    text = value.get("input") if isinstance(value, dict) and len(value) == 1 else None
    return text if isinstance(text, str) else arguments


def unwrap_calls(response: DomainResponse, names: Collection[str]) -> None:
    """Turn the function calls of a whole answer that go by these names into free-text calls."""
    for choice in response.choices:
        for part in choice.content:
            if isinstance(part, ToolCallPart) and part.kind == "function" and part.name in names:
                part.kind, part.arguments = "custom", unwrapped(part.arguments)


class FreeTextCalls:
    """The same for a stream. A call opens at once; its text follows when the answer ends, since only then the JSON is
    known to be whole."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._held: dict[tuple[int, int], list[str]] = {}

    def apply(self, chunk: StreamChunk) -> StreamChunk:
        """The chunk with calls of these names as free-text calls."""
        deltas = [kept for delta in chunk.deltas if (kept := self._keep(delta)) is not None]
        if chunk.finish or chunk.terminal:
            deltas += self._released()
        return msgspec.structs.replace(chunk, deltas=deltas)

    def _keep(self, delta: Delta) -> Delta | None:
        if not isinstance(delta, ToolCallDelta):
            return delta
        key = (delta.choice, delta.index)
        if delta.name in self._names and delta.kind == "function" and key not in self._held:
            self._held[key] = [delta.arguments]
            return msgspec.structs.replace(delta, kind="custom", arguments="")
        if key not in self._held:
            return delta
        self._held[key].append(delta.arguments)
        return None

    def _released(self) -> Iterator[ToolCallDelta]:
        for (choice, index), pieces in self._held.items():
            yield ToolCallDelta(index=index, choice=choice, arguments=unwrapped("".join(pieces)), kind="custom")
        self._held.clear()
