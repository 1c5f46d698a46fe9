"""What holds for every stream of Responses: typed events in order, constant ids, and no end that says something new."""

from collections import defaultdict
from typing import Any, get_args

from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

Event = dict[str, Any]

_TYPES: dict[str, TypeAdapter[Any]] = {
    kind: TypeAdapter(model)
    for model in get_args(get_args(ResponseStreamEvent)[0])
    for kind in get_args(model.model_fields["type"].annotation)
}
_WHOLE = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.reasoning_text": "text",
    "response.reasoning_summary_text": "text",
}
"""The field of a `.done` event that repeats what its deltas said."""


def validated(events: list[Event]) -> None:
    """Judge each event by its own type, and all of them as a story."""
    for event in events:
        _TYPES[event["type"]].validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    _check_ids(events)
    _check_deltas(events)
    _check_items(events)


def _check_ids(events: list[Event]) -> None:
    """One id for the response, and one for each of its items, wherever it is named."""
    assert len({event["response"]["id"] for event in events if "response" in event}) == 1
    ids = defaultdict(set)
    for event in (event for event in events if "output_index" in event):
        ids[event["output_index"]].add(event.get("item_id") or event["item"].get("id"))
    assert all(len(names) == 1 for names in ids.values()), ids


def _check_deltas(events: list[Event]) -> None:
    """What came in pieces is what is then said to be done."""
    said: dict[Any, str] = defaultdict(str)
    for event in events:
        stem, _, end = event["type"].rpartition(".")
        place = stem, *(event.get(key) for key in ("output_index", "content_index", "summary_index"))
        if end == "delta":
            said[place] += event["delta"]
        elif end == "done" and stem in _WHOLE:
            assert event[_WHOLE[stem]] == said.pop(place, ""), event
    assert not said


def _check_items(events: list[Event]) -> None:
    """All that was said to be done stands in the response that ends the stream, in the order in which it began."""
    output = events[-1]["response"]["output"]
    for event in events:
        stem, _, end = event["type"].rpartition(".")
        if end == "done" and "output_index" in event:
            field = _WHOLE.get(stem) or stem.rpartition("_")[2]
            found = _at(event, output[event["output_index"]])
            assert event[field] == (found[field] if stem in _WHOLE else found), event
    for end in ("added", "done"):
        begun = [event["output_index"] for event in events if event["type"] == f"response.output_item.{end}"]
        assert begun == list(range(len(output)))


def _at(event: Event, item: Event) -> Any:
    """The part of the item that the event is about; or the item."""
    for index, parts in (("content_index", "content"), ("summary_index", "summary")):
        if index in event:
            return item[parts][event[index]]
    return item
