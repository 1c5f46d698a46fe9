"""OpenAI's Responses. https://platform.openai.com/docs/api-reference/responses (2026-11)"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tests.corpus.readers.neutral import (
    Calls,
    Json,
    call_part,
    data_url,
    free_names,
    loaded,
    result_part,
    split_system,
    stated,
    tool,
)

_SAME = ("stream", "temperature", "top_logprobs", "top_p", "user")
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
_CALLS = ("function_call", "custom_tool_call")
_NATIVE = {"pause": "pause", "pause_turn": "pause", "refusal": "refusal"}


def request(body: Json) -> Json:
    tools = [_tool(each, prefix) for each, prefix in _offered(body.get("tools", ()))]
    calls, free = Calls(), free_names(tools)
    turns = [_item(item, calls, free) for item in _listed(body["input"], "message")]
    turns.insert(0, ("system", [{"text": body.get("instructions") or ""}]))
    return stated(
        {name: body.get(name) for name in _SAME}
        | split_system(turns)
        | {
            "tools": tools,
            "max_tokens": body.get("max_output_tokens"),
            "parallel": body.get("parallel_tool_calls"),
            "logprobs": "message.output_text.logprobs" in (body.get("include") or ()) or None,
        }
        | _choice(body.get("tool_choice"))
        | _format(body.get("text") or {})
        | _effort(body.get("reasoning") or {})
    )


def _offered(tools: Iterable[Json]) -> Iterator[tuple[Json, str]]:
    """The client's own tools, and what goes before their names: that of the namespace they are in."""
    for each in tools:
        if each["type"] == "namespace":
            yield from ((inner, f"{each['name']}__") for inner in each["tools"])
        elif each["type"] in ("function", "custom"):
            yield each, ""


def _tool(each: Json, prefix: str) -> Json:
    return tool(each, each.get("parameters"), name=prefix + each["name"], free_text=each["type"] == "custom")


def _listed(content: Any, kind: str = "input_text") -> list[Json]:
    if not isinstance(content, str):
        return list(content)
    return [{"role": "user", "content": content}] if kind == "message" else [{"type": kind, "text": content}]


def _item(item: Json, calls: Calls, free: set[str]) -> tuple[str, list[Json]]:
    kind = item.get("type", "message")
    if kind == "message":
        return _ROLES[item["role"]], [_part(part) for part in _listed(item["content"])]
    if kind == "reasoning":
        texts = [each["text"] for each in item.get("summary") or item.get("content") or ()]
        return "assistant", [stated({"thinking": "\n\n".join(texts), "state": item.get("encrypted_content")})]
    if kind in _CALLS:
        custom = kind == "custom_tool_call"
        text = item["input"] if custom else item["arguments"]
        number = calls.call(item["call_id"], item["name"])
        return "assistant", [call_part(number, item["name"], text, custom or item["name"] in free)]
    return "user", [_result(item, calls)]


def _part(part: Json) -> Json:
    kind = part["type"]
    if kind in ("input_text", "output_text"):
        return {"text": part["text"]}
    if kind == "refusal":
        return {"text": part["refusal"]}
    if kind == "input_image":
        return {"media": "image", **data_url(part["image_url"])}
    return {"media": "file", **data_url(part.get("file_data") or part["file_url"])}


def _result(item: Json, calls: Calls) -> Json:
    parts = [_part(part) for part in _listed(item["output"])]
    text = "".join(part["text"] for part in parts if "text" in part)
    return result_part(calls.result(item["call_id"]), text, [part for part in parts if "media" in part])


def _choice(choice: Any) -> Json:
    if not isinstance(choice, dict):
        return {"tool_choice": choice}
    if choice["type"] != "allowed_tools":
        return {"tool_choice": "tool", "allowed": [choice["name"]]}
    return {"tool_choice": choice["mode"], "allowed": [each["name"] for each in choice["tools"]]}


def _format(text: Json) -> Json:
    wanted = text.get("format") or {}
    return {"format": wanted.get("type"), "schema": wanted.get("schema")}


def _effort(reasoning: Json) -> Json:
    word = reasoning.get("effort")
    if word is None:
        return {}
    return {"thinks": "off"} if word == "none" else {"thinks": "on", "effort": word}


def answer(body: Json) -> Json:
    if body.get("error") and "output" not in body:
        return {"error": body["error"]["message"]}
    output = body["output"]
    content = [part for item in output if item["type"] == "message" for part in item["content"]]
    texts = [part for part in content if part["type"] == "output_text"]
    meaning = {
        "text": "".join(part["text"] for part in texts),
        "thinking": "\n\n".join(filter(None, (_thinking(item) for item in output if item["type"] == "reasoning"))),
        "refusal": "".join(part["refusal"] for part in content if part["type"] == "refusal"),
        "calls": [_said_call(item) for item in output if item["type"] in _CALLS],
        "usage": _usage(body.get("usage")),
        "error": (body.get("error") or {}).get("message"),
        "citations": [_citation(each, part["text"]) for part in texts for each in part["annotations"]],
        "media": sum(item["type"] == "image_generation_call" for item in output) or None,
        "logprobs": [[each["token"], each["logprob"]] for part in texts for each in part.get("logprobs") or ()],
        "order": [_KINDS[item["type"]] for item in output if item["type"] in _KINDS],
    }
    return stated({**meaning, "finish": _finish(body, meaning)})


_KINDS = {"message": "text", **dict.fromkeys(_CALLS, "call")}


def _thinking(item: Json) -> str:
    return "\n\n".join(each["text"] for each in item.get("summary") or item.get("content") or ())


def _said_call(item: Json) -> Json:
    if item["type"] == "custom_tool_call":
        return {"name": item["name"], "input": item["input"]}
    return {"name": item["name"], "arguments": loaded(item["arguments"])}


def _finish(body: Json, meaning: Json) -> str:
    """The status or, where a proxy adds the provider's own word, that."""
    if (native := body.get("native_finish_reason")) in _NATIVE:
        return _NATIVE[native]
    if body["status"] == "incomplete":
        reason: str = body["incomplete_details"]["reason"]
        return _REASONS.get(reason, reason)
    if body["status"] != "completed":
        return "error"
    return "tool_calls" if meaning["calls"] else "refusal" if meaning["refusal"] else "stop"


def _usage(usage: Json | None) -> Json | None:
    if usage is None:
        return None
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    return {
        "input": usage["input_tokens"],
        "output": usage["output_tokens"],
        "cached": usage["input_tokens_details"]["cached_tokens"],
        "reasoning": usage["output_tokens_details"]["reasoning_tokens"],
    }


def _citation(annotation: Json, text: str) -> Json:
    said = text[annotation["start_index"] : annotation["end_index"]]
    return {"url": annotation["url"], "title": annotation["title"], "said": said}


def history(body: Json) -> Json:
    items = [item for item in body["output"] if item["type"] != "web_search_call"]
    kinds = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
    results = [
        {"type": kinds[item["type"]], "call_id": item["call_id"], "output": "ok"}
        for item in items
        if item["type"] in kinds
    ]
    last = results or [{"role": "user", "content": "Go on."}]
    return {"model": "MODEL", "input": [{"role": "user", "content": "Hi."}, *items, *last], "store": False}


def state(body: Json) -> list[Any]:
    """Encrypted reasoning, with the summary it came with."""
    items = [item for item in body["input"] if item.get("type") == "reasoning"]
    return [(item["id"], _thinking(item), item["encrypted_content"]) for item in items if item.get("encrypted_content")]
