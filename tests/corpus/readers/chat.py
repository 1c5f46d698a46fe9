"""Chat Completions. https://platform.openai.com/docs/api-reference/chat (2026-11)"""

from __future__ import annotations

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

_SAME = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "n",
    "presence_penalty",
    "seed",
    "stream",
    "temperature",
    "top_k",
    "top_logprobs",
    "top_p",
    "user",
)
_NATIVE = {"pause": "pause", "pause_turn": "pause", "refusal": "refusal", "error": "error"}
#: Gemini's words for failures begin so.
_FAILURES = ("MALFORMED", "UNEXPECTED", "OTHER")


def request(body: Json) -> Json:
    tools = [_tool(each) for each in body.get("tools", ())]
    calls, free = Calls(), free_names(tools)
    turns = [(_ROLES[message["role"]], _parts(message, calls, free)) for message in body["messages"]]
    return stated(
        {name: body.get(name) for name in _SAME}
        | split_system(turns)
        | {
            "tools": tools,
            "max_tokens": body.get("max_completion_tokens") or body.get("max_tokens"),
            "stop": body.get("stop"),
            "parallel": body.get("parallel_tool_calls"),
        }
        | _choice(body.get("tool_choice"))
        | _format(body.get("response_format"))
        | _effort(body.get("reasoning_effort"))
    )


_ROLES = {"system": "system", "developer": "system", "user": "user", "tool": "user", "assistant": "assistant"}


def _tool(each: Json) -> Json:
    inner = each[each["type"]]
    return tool(inner, inner.get("parameters"), free_text=each["type"] == "custom")


def _parts(message: Json, calls: Calls, free: set[str]) -> list[Json]:
    content = message.get("content")
    parts = [_part(part) for part in _listed(content)]
    if message["role"] == "tool":
        text = "".join(part["text"] for part in parts)
        return [result_part(calls.result(message["tool_call_id"]), text, [])]
    thinking = message.get("reasoning_content")
    head = [{"thinking": thinking}] if thinking else []
    refusal = [{"text": message["refusal"]}] if message.get("refusal") else []
    return [*head, *parts, *refusal, *(_call(call, calls, free) for call in message.get("tool_calls") or ())]


def _listed(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _part(part: Json) -> Json:
    kind = part["type"]
    if kind == "text":
        return {"text": part["text"]}
    if kind == "input_audio":
        return {"media": "audio", "type": f"audio/{part[kind]['format']}", "data": part[kind]["data"]}
    if kind == "file":
        return {"media": "file", **data_url(part[kind]["file_data"])}
    return {"media": kind.removesuffix("_url"), **data_url(part[kind]["url"])}


def _call(call: Json, calls: Calls, free: set[str]) -> Json:
    inner = call[call["type"]]
    custom = call["type"] == "custom"
    text = inner["input"] if custom else inner["arguments"]
    return call_part(calls.call(call["id"], inner["name"]), inner["name"], text, custom or inner["name"] in free)


def _choice(choice: Any) -> Json:
    if not isinstance(choice, dict):
        return {"tool_choice": choice}
    if choice["type"] != "allowed_tools":
        return {"tool_choice": "tool", "allowed": [choice[choice["type"]]["name"]]}
    inner = choice["allowed_tools"]
    return {"tool_choice": inner["mode"], "allowed": [each[each["type"]]["name"] for each in inner["tools"]]}


def _format(wanted: Json | None) -> Json:
    wanted = wanted or {}
    return {"format": wanted.get("type"), "schema": wanted.get("json_schema", {}).get("schema")}


def _effort(word: str | None) -> Json:
    if word is None:
        return {}
    return {"thinks": "off"} if word == "none" else {"thinks": "on", "effort": word}


def answer(body: Json) -> Json:
    if body.get("error"):
        return {"error": body["error"]["message"]}
    first, *others = body["choices"]
    message = first["message"]
    text = message.get("content") or ""
    return stated(
        {
            "text": text,
            "thinking": message.get("reasoning_content"),
            "refusal": message.get("refusal"),
            "calls": [_said_call(call) for call in message.get("tool_calls") or ()],
            "finish": _finish(first),
            "usage": _usage(body.get("usage")),
            "citations": [_citation(each, text) for each in message.get("annotations") or ()],
            "media": len(message.get("images") or ()) or None,
            "logprobs": _logprobs(first.get("logprobs")),
            "others": [each["message"]["content"] for each in others],
        }
    )


def _said_call(call: Json) -> Json:
    if call["type"] == "custom":
        return {"name": call["custom"]["name"], "input": call["custom"]["input"]}
    return {"name": call["function"]["name"], "arguments": loaded(call["function"]["arguments"])}


def _finish(choice: Json) -> str:
    word, native = choice["finish_reason"], choice.get("native_finish_reason")
    if native and (native in _NATIVE or native.startswith(_FAILURES)):
        return _NATIVE.get(native, "error")
    refused = choice["message"].get("refusal") and word == "stop"
    return "refusal" if refused else word


def _usage(usage: Json | None) -> Json | None:
    if usage is None:
        return None
    given, written = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    return {
        "input": usage["prompt_tokens"],
        "output": usage["completion_tokens"],
        "cached": given.get("cached_tokens") or 0,
        "reasoning": written.get("reasoning_tokens") or 0,
    }


def _citation(annotation: Json, text: str) -> Json:
    inner = annotation["url_citation"]
    said = text[inner["start_index"] : inner["end_index"]]
    return {"url": inner["url"], "title": inner["title"], "said": said}


def _logprobs(logprobs: Json | None) -> list[Any]:
    return [[each["token"], each["logprob"]] for each in (logprobs or {}).get("content") or ()]


def history(body: Json) -> Json:
    message = {key: value for key, value in body["choices"][0]["message"].items() if value is not None}
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in message.get("tool_calls", ())]
    message = {"content": None, **{key: value for key, value in message.items() if key != "annotations"}}
    last = results or [{"role": "user", "content": "Go on."}]
    return {"model": "MODEL", "messages": [{"role": "user", "content": "Hi."}, message, *last]}


def state(body: Json) -> list[Any]:
    """Nothing that Chat itself issues."""
    return []
