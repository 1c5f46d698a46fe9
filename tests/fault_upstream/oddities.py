"""What real providers do differently, as changes to a list of events: `answer~odd=usage_rides+no_finish`.

All are dialects of Chat Completions. The order in the story is the order of application.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from tests.fault_upstream.reply import Event

Oddity = Callable[[list[Event]], list[Event]]


def usage_rides(events: list[Event]) -> list[Event]:
    """Usage comes on the chunk with the finish reason, not on its own (many compatible servers)."""
    return _move_usage(events, lambda chunk, usage: chunk.update(usage=usage))


def usage_in_x_groq(events: list[Event]) -> list[Event]:
    """Usage hides in `x_groq` on the chunk with the finish reason (Groq)."""
    return _move_usage(events, lambda chunk, usage: chunk.update(x_groq={"id": "req_fault", "usage": usage}))


def no_usage(events: list[Event]) -> list[Event]:
    """No usage at all."""
    return [event for event in events if not _usage(event)]


def no_finish(events: list[Event]) -> list[Event]:
    """No chunk has a finish reason."""
    return [event for event in events if not _finishes(event)]


def azure_first(events: list[Event]) -> list[Event]:
    """A first chunk without choices that carries filter results (Azure OpenAI)."""
    first = {
        "id": "",
        "object": "",
        "created": 0,
        "model": "",
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0}],
    }
    return [(None, first), *events]


def no_tool_index(events: list[Event]) -> list[Event]:
    """Tool deltas without `index` and `type` (Gemini's compatible endpoint)."""
    return _each_tool_delta(events, lambda call: [call.pop(key, None) for key in ("index", "type")])


def tool_index_from_one(events: list[Event]) -> list[Event]:
    """The first tool call has index 1."""
    return _each_tool_delta(events, lambda call: call.update(index=call["index"] + 1))


def blank_tool_ids(events: list[Event]) -> list[Event]:
    """Later deltas of a call carry `id: ""` and an empty name, which must not overwrite the first."""
    return _each_tool_delta(events, lambda call: call.setdefault("id", "") or call["function"].setdefault("name", ""))


def content_parts(events: list[Event]) -> list[Event]:
    """`delta.content` is a list of parts (Mistral)."""
    return _each_delta(events, _listed)


def reasoning_key(events: list[Event]) -> list[Event]:
    """Reasoning comes as `reasoning` and nothing else (Groq, Together)."""
    return _each_delta(events, _renamed)


def error_after_finish(events: list[Event]) -> list[Event]:
    """An error object comes after the finish reason, where `[DONE]` should be."""
    return [*events[:-1], (None, {"error": {"message": "late trouble", "type": "server_error", "code": 500}})]


ODDITIES: dict[str, Oddity] = {
    each.__name__: each
    for each in (
        usage_rides,
        usage_in_x_groq,
        no_usage,
        no_finish,
        azure_first,
        no_tool_index,
        tool_index_from_one,
        blank_tool_ids,
        content_parts,
        reasoning_key,
        error_after_finish,
    )
}


def made_odd(events: list[Event], names: str) -> list[Event]:
    """Apply the oddities named in `names`, joined by `+`, to a copy of the events."""
    events = deepcopy(events) if names else events
    for name in filter(None, names.split("+")):
        events = ODDITIES[name](events)
    return events


def _usage(event: Event) -> Any:
    return isinstance(event[1], dict) and event[1].get("usage")


def _finishes(event: Event) -> bool:
    return isinstance(event[1], dict) and any(choice["finish_reason"] for choice in event[1].get("choices", ()))


def _move_usage(events: list[Event], put: Callable[[dict[str, Any], Any], None]) -> list[Event]:
    usage = next(filter(None, map(_usage, events)), {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30})
    kept = no_usage(events)
    for _, chunk in filter(_finishes, kept):
        put(chunk, usage)  # type: ignore[arg-type]  # an event that finishes is a dict
    return kept


def _each_delta(events: list[Event], change: Callable[[dict[str, Any]], object]) -> list[Event]:
    chunks = [data for _, data in events if isinstance(data, dict)]
    for choice in (choice for chunk in chunks for choice in chunk.get("choices", ())):
        change(choice["delta"])
    return events


def _each_tool_delta(events: list[Event], change: Callable[[dict[str, Any]], object]) -> list[Event]:
    return _each_delta(events, lambda delta: [change(call) for call in delta.get("tool_calls", ())])


def _listed(delta: dict[str, Any]) -> None:
    if delta.get("content"):
        delta["content"] = [{"type": "text", "text": delta["content"]}]


def _renamed(delta: dict[str, Any]) -> None:
    delta.pop("reasoning_details", None)
    if "reasoning_content" in delta:
        delta["reasoning"] = delta.pop("reasoning_content")
