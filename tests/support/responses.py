"""Responses streams, read as OpenAI's own SDK reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from proxy_core.domain.stream import StreamChunk
from proxy_core.formats.base import RenderOptions, WireFormat
from proxy_core.formats.openai_responses import OpenAIResponsesFormat
from proxy_core.formats.sse import EventSplitter, parse_event

FORMAT = OpenAIResponsesFormat()
OPTIONS = RenderOptions(model="the-model-asked-for")

RESPONSE = TypeAdapter(Response)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

Row = dict[str, Any]


def valid(body: Row) -> Row:
    """A whole answer that the SDK's type accepts."""
    RESPONSE.validate_python(body)
    return body


def payloads(data: bytes) -> list[Row]:
    """The payloads of a stream, each under its own name, numbered from 0."""
    events = [parse_event(block) for block in EventSplitter().feed(data)]
    rows = [json.loads(event.data or b"") for event in events]
    assert [event.name for event in events] == [row["type"] for row in rows]
    assert [row["sequence_number"] for row in rows] == list(range(len(rows)))
    return rows


def collected(data: bytes) -> Row:
    """The response at the end of a stream, which the SDK's types and accumulator accept, and whose pieces add up."""
    rows = payloads(data)
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    for row in rows:
        state.handle_event(EVENT.validate_python(row))
    response: Row = rows[-1]["response"]
    assert response["status"] == rows[-1]["type"].removeprefix("response.")
    assert len({row["response"]["id"] for row in rows if "response" in row}) == 1
    assert pieced(rows) == [without_status(item) for item in response["output"]]
    assert [row["item"] for row in in_order(rows)] == response["output"]
    return response


def in_order(rows: list[Row]) -> list[Row]:
    """The ends of the items, in the items' order."""
    return sorted(of_type(rows, "output_item.done"), key=lambda row: row["output_index"])


def without_status(item: Row) -> Row:
    return {name: value for name, value in item.items() if name not in ("status", "encrypted_content")}


def of_type(rows: list[Row], name: str) -> list[Row]:
    return [row for row in rows if row["type"] == f"response.{name}"]


def pieced(rows: list[Row]) -> list[Row]:
    """The output that the pieces of a stream add up to; what is said whole must agree."""
    items: list[Row] = []
    for row in rows:
        kind = row["type"].removeprefix("response.")
        if kind == "output_item.added":
            assert row["output_index"] == len(items)
            items.append(without_status(row["item"]))
        elif kind in _PIECES:
            item = items[row["output_index"]]
            assert row["item_id"] == item["id"]
            _PIECES[kind](item, row)
    return items


def _add_text(item: Row, row: Row) -> None:
    content = item["content"][row["content_index"]]
    content["text"] += row["delta"]
    content["logprobs"] += row["logprobs"]


def _add(name: str) -> Any:
    def add(item: Row, row: Row) -> None:
        item[name] += row["delta"]

    return add


def _add_summary(item: Row, row: Row) -> None:
    item["summary"][row["summary_index"]]["text"] += row["delta"]


def _add_thought(item: Row, row: Row) -> None:
    item["content"][row["content_index"]]["text"] += row["delta"]


def _add_refusal(item: Row, row: Row) -> None:
    item["content"][row["content_index"]]["refusal"] += row["delta"]


def _same(*names: str) -> Any:
    def check(item: Row, row: Row) -> None:
        for name in names:
            assert row[name] == item[name]

    return check


def _same_part(item: Row, row: Row) -> None:
    assert item["content"][row["content_index"]] == row["part"]


def _same_summary(item: Row, row: Row) -> None:
    assert item["summary"][row["summary_index"]] == row["part"]


_PIECES: dict[str, Any] = {
    "content_part.added": lambda item, row: item.setdefault("content", []).append(row["part"]),
    "content_part.done": _same_part,
    "custom_tool_call_input.delta": _add("input"),
    "custom_tool_call_input.done": _same("input"),
    "function_call_arguments.delta": _add("arguments"),
    "function_call_arguments.done": _same("arguments", "name"),
    "output_text.annotation.added": lambda item, row: item["content"][row["content_index"]]["annotations"].append(
        row["annotation"]
    ),
    "output_text.delta": _add_text,
    "reasoning_summary_part.added": lambda item, row: item["summary"].append(row["part"]),
    "reasoning_summary_part.done": _same_summary,
    "reasoning_summary_text.delta": _add_summary,
    "reasoning_text.delta": _add_thought,
    "refusal.delta": _add_refusal,
}


def streamed(*chunks: StreamChunk, options: RenderOptions = OPTIONS) -> bytes:
    """What a client gets of some chunks; the last ends the answer."""
    encoder = FORMAT.stream_encoder(options)
    return b"".join(encoder.encode(chunk) for chunk in chunks)


def decoded(*events: Row) -> list[StreamChunk]:
    """What some of an upstream's events say."""
    return [chunk for event in events if (chunk := FORMAT.decode_payload(event)) is not None]


def through(events: Iterable[Row], client: WireFormat = FORMAT) -> bytes:
    """An upstream's events, as a client gets them."""
    encoder = client.stream_encoder(OPTIONS)
    return b"".join(encoder.encode(chunk) for chunk in decoded(*events))


def without_ids(value: Any) -> Any:
    """The value without minted ids and times."""
    if isinstance(value, list):
        return [without_ids(item) for item in value]
    if isinstance(value, dict):
        return {name: without_ids(item) for name, item in value.items() if name not in ("id", "created_at")}
    return value
