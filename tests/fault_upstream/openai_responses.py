"""How OpenAI's Responses speaks (https://platform.openai.com/docs/api-reference/responses-streaming).

Errors, headers and the model list are those of the whole provider. `openai_responses_request.py` reads requests.
"""

from collections.abc import Iterator
from typing import Any

from tests.fault_upstream import openai
from tests.fault_upstream.openai_responses_request import asked_for_signatures as asked_for_signatures
from tests.fault_upstream.openai_responses_request import check as check
from tests.fault_upstream.openai_responses_request import images as images
from tests.fault_upstream.openai_responses_request import offered_tool as offered_tool
from tests.fault_upstream.openai_responses_request import thoughts as thoughts
from tests.fault_upstream.openai_responses_request import tool_results as tool_results
from tests.fault_upstream.reply import Event, Part, Reply, Text, Thinking, ToolUse, Usage

call_id_prefix = openai.call_id_prefix
lost_thought = (
    "Item 'fc_fault_1' of type 'function_call' was provided without its required 'reasoning' item: 'rs_fault_0'."
)
retry_statuses = openai.retry_statuses
error, headers, models, counted = openai.error, openai.headers, openai.models, openai.counted
Row = dict[str, Any]


def usage(counts: Usage) -> Row:
    """Counts as this format nests them."""
    return {
        "input_tokens": counts.prompt,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": 0},
        "output_tokens": counts.output,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": counts.prompt + counts.output,
    }


def body(reply: Reply) -> Row:
    """The whole answer as one `response`."""
    items = [_done(index, part, reply) for index, part in enumerate(reply.parts)]
    if reply.finish == "length" and items and "status" in items[-1]:
        items[-1]["status"] = "incomplete"
    outcome = {"incomplete_details": {"reason": "max_output_tokens"}} if reply.finish == "length" else {}
    end = {"status": _status(reply), "completed_at": openai.CREATED + 1, "usage": usage(reply.usage)}
    return {**_response(reply), **end, **outcome, "output": items, "service_tier": "default"}


def _status(reply: Reply) -> str:
    return "incomplete" if reply.finish == "length" else "completed"


def _response(reply: Reply) -> Row:
    """The response while nothing is known of it; requests are not echoed."""
    return {
        "id": "resp_fault",
        "object": "response",
        "created_at": openai.CREATED,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": reply.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "auto",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
    }


def _output_text(text: str) -> Row:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _summary_text(text: str) -> Row:
    return {"type": "summary_text", "text": text}


def _encrypted(part: Thinking, reply: Reply, *, whole: bool = True) -> Row:
    """The signature if it was asked for; an item that has just begun carries another, shorter one."""
    return {"encrypted_content": part.signature[: None if whole else 8]} if reply.signed else {}


def _message(index: int, status: str, content: list[Row]) -> Row:
    return {"id": f"msg_fault_{index}", "type": "message", "status": status, "content": content, "role": "assistant"}


def _reasoning(index: int, summary: list[Row]) -> Row:
    return {"id": f"rs_fault_{index}", "type": "reasoning", "summary": summary}


def _function_call(index: int, status: str, part: ToolUse, arguments: str) -> Row:
    head = {"id": f"fc_fault_{index}", "type": "function_call", "status": status}
    return {**head, "arguments": arguments, "call_id": part.id, "name": part.name}


def _done(index: int, part: Part, reply: Reply) -> Row:
    """The finished output item."""
    if isinstance(part, ToolUse):
        return _function_call(index, "completed", part, "".join(part.pieces))
    if isinstance(part, Thinking):
        summary = [_summary_text(part.whole)] if part.whole else []
        return {**_reasoning(index, summary), **_encrypted(part, reply)}
    return _message(index, "completed", [_output_text(part.whole)])


def _added(index: int, part: Part, reply: Reply) -> Row:
    """The output item as it begins."""
    if isinstance(part, ToolUse):
        return _function_call(index, "in_progress", part, "")
    if isinstance(part, Thinking):
        return {**_reasoning(index, []), **_encrypted(part, reply, whole=False)}
    return _message(index, "in_progress", [])


def events(reply: Reply) -> list[Event]:
    """The answer as named and numbered events: created, items one after the other, completed or incomplete."""
    final = body(reply)
    rows: list[Row] = [
        {"type": f"response.{name}", "response": _response(reply)} for name in ("created", "in_progress")
    ]
    for index, part in enumerate(reply.parts):
        rows.append({"type": "response.output_item.added", "output_index": index, "item": _added(index, part, reply)})
        place = {"item_id": final["output"][index]["id"], "output_index": index}
        rows += ({**row, **place} for row in _CONTENT[type(part)](part))
        rows.append({"type": "response.output_item.done", "output_index": index, "item": final["output"][index]})
    rows.append({"type": f"response.{_status(reply)}", "response": final})
    return [(row["type"], {**row, "sequence_number": number}) for number, row in enumerate(rows)]


def _text_rows(part: Text) -> Iterator[Row]:
    place = {"content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": _output_text("")}
    for piece in part.pieces:
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": part.whole, "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": _output_text(part.whole)}


def _thinking_rows(part: Thinking) -> Iterator[Row]:
    if not part.whole:
        return
    place = {"summary_index": 0}
    yield {"type": "response.reasoning_summary_part.added", **place, "part": _summary_text("")}
    for piece in part.pieces:
        yield {"type": "response.reasoning_summary_text.delta", **place, "delta": piece}
    yield {"type": "response.reasoning_summary_text.done", **place, "text": part.whole}
    yield {"type": "response.reasoning_summary_part.done", **place, "part": _summary_text(part.whole)}


def _tool_rows(part: ToolUse) -> Iterator[Row]:
    for piece in part.pieces:
        yield {"type": "response.function_call_arguments.delta", "delta": piece}
    yield {"type": "response.function_call_arguments.done", "arguments": "".join(part.pieces)}


_CONTENT: dict[type, Any] = {Text: _text_rows, Thinking: _thinking_rows, ToolUse: _tool_rows}


def error_event(status: int, number: int = 0) -> Event:
    """An error inside a stream that began with 200, flat as documented and nested as it really comes."""
    nested = error(status)["error"]
    flat = {key: nested[key] for key in ("code", "message", "param")}
    return "error", {"type": "error", **flat, "sequence_number": number, "error": nested}


def asked_for_usage(_: Row) -> bool:
    """This format's streams always carry usage."""
    return True
