"""Anthropic's Messages. https://docs.claude.com/en/api/messages (2026-11)"""

from __future__ import annotations

from typing import Any

from tests.corpus.readers.neutral import Calls, Json, call_part, free_names, merged, result_part, stated, tool

_CHOICES = {"any": "required", "auto": "auto", "none": "none", "tool": "tool"}
_FINISH = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "pause",
    "refusal": "refusal",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}


def request(body: Json) -> Json:
    tools = [tool(each, each["input_schema"]) for each in body.get("tools", ()) if "input_schema" in each]
    calls, free = Calls(), free_names(tools)
    turns = [
        (message["role"], [_part(block, calls, free) for block in _listed(message["content"])])
        for message in body["messages"]
    ]
    choice = body.get("tool_choice") or {}
    return stated(
        {name: body.get(name) for name in ("max_tokens", "temperature", "top_p", "top_k", "stream")}
        | {
            "system": "\n\n".join(block["text"] for block in _listed(body.get("system", ""))),
            "turns": merged(turns),
            "tools": tools,
            "stop": body.get("stop_sequences"),
            "tool_choice": _CHOICES.get(choice.get("type", "")),
            "allowed": [choice["name"]] if "name" in choice else [],
            "parallel": False if choice.get("disable_parallel_tool_use") else None,
            "user": (body.get("metadata") or {}).get("user_id"),
        }
        | _format(body.get("output_config") or {})
        | _thinking(body.get("thinking"), body.get("output_config") or {})
    )


def _listed(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _part(block: Json, calls: Calls, free: set[str]) -> Json:
    kind = block["type"]
    if kind == "text":
        return {"text": block["text"]}
    if kind == "thinking":
        return {"thinking": block["thinking"], "state": block["signature"]}
    if kind == "tool_use":
        name = block["name"]
        return call_part(calls.call(block["id"], name), name, block["input"], name in free)
    if kind == "tool_result":
        return _result(block, calls)
    return {"media": {"document": "file"}.get(kind, kind), **_source(block["source"])}


def _source(source: Json) -> Json:
    return {"url": source["url"]} if source["type"] == "url" else {"type": source["media_type"], "data": source["data"]}


def _result(block: Json, calls: Calls) -> Json:
    parts = [_part(each, calls, set()) for each in _listed(block.get("content", ""))]
    text = "".join(part["text"] for part in parts if "text" in part)
    media = [part for part in parts if "media" in part]
    return result_part(calls.result(block["tool_use_id"]), text, media, block.get("is_error", False))


def _format(config: Json) -> Json:
    wanted = config.get("format") or {}
    return {"format": wanted.get("type"), "schema": wanted.get("schema")}


def _thinking(thinking: Json | None, config: Json) -> Json:
    if thinking is None:
        return {"effort": config.get("effort")}
    if thinking["type"] == "disabled":
        return {"thinks": "off"}
    return {"thinks": "on", "budget": thinking.get("budget_tokens"), "effort": config.get("effort")}


def answer(body: Json) -> Json:
    if body["type"] == "error":
        return {"error": body["error"]["message"]}
    blocks, details = body["content"], body.get("stop_details") or {}
    texts = [block for block in blocks if block["type"] == "text"]
    return stated(
        {
            "text": "".join(block["text"] for block in texts),
            "thinking": "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
            "calls": [_said_call(block) for block in blocks if block["type"] == "tool_use"],
            "refusal": details.get("explanation") if details.get("type") == "refusal" else None,
            "finish": _FINISH[body["stop_reason"]],
            "usage": _usage(body["usage"]),
            "citations": [_citation(each) for block in texts for each in block.get("citations") or ()],
            "order": [_KINDS[block["type"]] for block in blocks if block["type"] in _KINDS],
        }
    )


_KINDS = {"text": "text", "tool_use": "call"}


def _said_call(block: Json) -> Json:
    """A client of Messages has no free-text tools: the object stays one."""
    return {"name": block["name"], "arguments": block["input"]}


def _usage(usage: Json) -> Json:
    """Cached tokens, read or written, are not within `input_tokens`."""
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    details = usage.get("output_tokens_details") or {}
    return {
        "input": usage["input_tokens"] + read + written,
        "output": usage["output_tokens"],
        "cached": read,
        "reasoning": details.get("thinking_tokens") or 0,
    }


def _citation(citation: Json) -> Json:
    """It covers its block, so what it says is no question of offsets."""
    return {"url": citation["url"], "title": citation["title"]}


def history(body: Json) -> Json:
    calls = [block["id"] for block in body["content"] if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call, "content": "ok"} for call in calls]
    last = results or [{"type": "text", "text": "Go on."}]
    turns = [("user", "Hi."), ("assistant", body["content"]), ("user", last)]
    messages = [{"role": role, "content": content} for role, content in turns]
    return {"model": "MODEL", "max_tokens": 99, "messages": messages}


def state(body: Json) -> list[Any]:
    blocks = [block for message in body["messages"] for block in _listed(message["content"])]
    return [block for block in blocks if block["type"] in ("thinking", "redacted_thinking")]
