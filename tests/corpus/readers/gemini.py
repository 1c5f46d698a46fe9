"""Google's `generateContent`. https://ai.google.dev/api/generate-content (2026-11)"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.corpus.readers.neutral import (
    Calls,
    Json,
    call_part,
    free_names,
    merged,
    plain_schema,
    result_part,
    stated,
    tool,
)

_CAMEL = {
    "maxOutputTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "stopSequences": "stop",
    "candidateCount": "n",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}
_MODES = {"ANY": "required", "AUTO": "auto", "NONE": "none", "VALIDATED": "auto"}
_FINISH = {"STOP": "stop", "MAX_TOKENS": "length"}
_FILTERS = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"}
#: What Google tells clients to send where another model has called, and nobody has signed: no signature.
#: https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11)
NO_STATE = "skip_thought_signature_validator"
#: Other providers' words, which a proxy has to put into `finishMessage`.
_NATIVE = {"pause": "pause", "pause_turn": "pause", "refusal": "refusal"}
_UPPER = re.compile(r"_([a-z])")
#: Their keys are the client's own.
_OPAQUE = {"args", "response", "parametersJsonSchema", "responseJsonSchema", "parameters", "responseSchema"}


def camel(value: Any) -> Any:
    """Fields as JSON spells them; clients may write them in snake_case."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {_UPPER.sub(lambda match: match[1].upper(), key): inner for key, inner in value.items()}
    return {key: inner if key in _OPAQUE else camel(inner) for key, inner in named.items()}


def request(body: Json) -> Json:
    body = camel(body)
    config = body.get("generationConfig") or {}
    declared = [each for group in body.get("tools", ()) for each in group.get("functionDeclarations", ())]
    tools = [tool(each, each.get("parametersJsonSchema") or each.get("parameters")) for each in declared]
    calls, free = Calls(), free_names(tools)
    turns = [
        ({"model": "assistant"}.get(content.get("role"), "user"), _parts(content["parts"], calls, free))
        for content in body["contents"]
    ]
    system = (body.get("systemInstruction") or {}).get("parts", ())
    return stated(
        {neutral: config.get(name) for name, neutral in _CAMEL.items()}
        | {"system": "\n\n".join(part["text"] for part in system), "turns": merged(turns), "tools": tools}
        | _choice((body.get("toolConfig") or {}).get("functionCallingConfig") or {})
        | _format(config)
        | _thinking(config.get("thinkingConfig"))
    )


def _parts(parts: list[Json], calls: Calls, free: set[str]) -> list[Json]:
    """A signature on a call is state that goes before it."""
    out: list[Json] = []
    for part in parts:
        if "functionCall" in part and part.get("thoughtSignature", NO_STATE) != NO_STATE:
            out.append({"state": part["thoughtSignature"]})
        out.append(_part(part, calls, free))
    return out


def _part(part: Json, calls: Calls, free: set[str]) -> Json:
    if "functionCall" in part:
        call = part["functionCall"]
        number = calls.call(call.get("id"), call["name"])
        return call_part(number, call["name"], call.get("args") or {}, call["name"] in free)
    if "functionResponse" in part:
        return _result(part["functionResponse"], calls)
    if "text" in part:
        return {"thinking" if part.get("thought") else "text": part["text"]}
    return _media(part)


def _media(part: Json) -> Json:
    if "fileData" in part:
        kind = part["fileData"].get("mimeType", "")
        return {"media": _kind(kind), "url": part["fileData"]["fileUri"]}
    inline = part["inlineData"]
    return {"media": _kind(inline["mimeType"]), "type": inline["mimeType"], "data": inline["data"]}


def _kind(media_type: str) -> str:
    kind = media_type.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "file"


def _result(response: Json, calls: Calls) -> Json:
    said = response["response"]
    key = next(iter(said)) if len(said) == 1 else ""
    inner = said[key] if key in ("error", "output", "result") else said
    text = inner if isinstance(inner, str) else json.dumps(inner)
    media = [_media(part) for part in response.get("parts", ())]
    return result_part(calls.result(response.get("id"), response["name"]), text, media, key == "error")


def _choice(config: Json) -> Json:
    mode, names = _MODES.get(config.get("mode", "")), config.get("allowedFunctionNames") or []
    if mode == "required" and len(names) == 1:
        mode = "tool"
    return {"tool_choice": mode, "allowed": names}


def _format(config: Json) -> Json:
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if schema:
        return {"format": "json_schema", "schema": plain_schema(schema)}
    return {"format": "json_object"} if config.get("responseMimeType") == "application/json" else {}


def _thinking(config: Json | None) -> Json:
    if config is None:
        return {}
    budget, level = config.get("thinkingBudget"), config.get("thinkingLevel")
    if budget == 0:
        return {"thinks": "off"}
    return {"thinks": "on", "budget": budget if budget != -1 else None, "effort": level.lower() if level else None}


def answer(body: Json) -> Json:
    if body.get("error"):
        return {"error": body["error"]["message"]}
    first, *others = body.get("candidates") or [{}]
    parts = (first.get("content") or {}).get("parts") or []
    calls = [_said_call(part["functionCall"]) for part in parts if "functionCall" in part]
    return stated(
        {
            "text": _text(parts),
            "thinking": "".join(part.get("text", "") for part in parts if part.get("thought")),
            "calls": calls,
            "finish": _finish(body, first, bool(calls)),
            "usage": _usage(body.get("usageMetadata")),
            "citations": _citations(first.get("groundingMetadata") or {}, _text(parts)),
            "media": sum("inlineData" in part for part in parts) or None,
            "logprobs": _logprobs(first.get("logprobsResult") or {}),
            "others": [_text(each["content"]["parts"]) for each in others],
            "order": [kind for part in parts if (kind := _part_kind(part))],
        }
    )


def _text(parts: list[Json]) -> str:
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def _part_kind(part: Json) -> str | None:
    if "functionCall" in part:
        return "call"
    return "text" if part.get("text") and not part.get("thought") else None


def _said_call(call: Json) -> Json:
    return {"name": call["name"], "arguments": call.get("args") or {}}


def _finish(body: Json, candidate: Json, called: bool) -> str:
    reason, message = candidate.get("finishReason"), candidate.get("finishMessage")
    if message in _NATIVE:
        return _NATIVE[message]
    if reason is None:
        return "content_filter" if (body.get("promptFeedback") or {}).get("blockReason") else "stop"
    if reason == "STOP" and called:
        return "tool_calls"
    return _FINISH.get(reason) or ("content_filter" if reason in _FILTERS else "error")


def _usage(usage: Json | None) -> Json | None:
    """Thoughts are not within `candidatesTokenCount`, cached tokens are within the prompt's."""
    if usage is None:
        return None
    thoughts = usage.get("thoughtsTokenCount") or 0
    given, said = usage.get("promptTokenCount") or 0, usage.get("candidatesTokenCount") or 0
    assert usage["totalTokenCount"] == given + said + thoughts
    return {
        "input": given,
        "output": said + thoughts,
        "cached": usage.get("cachedContentTokenCount") or 0,
        "reasoning": thoughts,
    }


def _citations(grounding: Json, text: str) -> list[Json]:
    """Offsets count bytes of UTF-8; sources without a passage are cited by none."""
    chunks, data = grounding.get("groundingChunks") or [], text.encode()
    found = [
        (index, data[segment.get("startIndex") or 0 : segment.get("endIndex")].decode())
        for support in grounding.get("groundingSupports") or ()
        for segment in [support.get("segment") or {}]
        for index in support["groundingChunkIndices"]
    ]
    return [_citation(chunks[index]["web"], said) for index, said in found]


def _citation(page: Json, said: str) -> Json:
    return {"url": page["uri"], "title": page.get("title", ""), "said": said}


def _logprobs(result: Json) -> list[Any]:
    return [[each["token"], each["logProbability"]] for each in result.get("chosenCandidates") or ()]


def history(body: Json) -> Json:
    content = {"role": "model", "parts": [], **(body["candidates"][0].get("content") or {})}
    calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
    first = {"role": "user", "parts": [{"text": "Hi."}]}
    last = {"role": "user", "parts": [_ok(call) for call in calls] or [{"text": "Go on."}]}
    return {"contents": [first, content, last]}


def _ok(call: Json) -> Json:
    known = {key: call[key] for key in ("id", "name") if call.get(key)}
    return {"functionResponse": {**known, "response": {"output": "ok"}}}


def state(body: Json) -> list[Any]:
    """Each signature, with what it stands on."""
    parts = [part for content in body["contents"] for part in content["parts"]]
    signed = [part for part in parts if part.get("thoughtSignature", NO_STATE) != NO_STATE]
    return [(_place(part), part["thoughtSignature"]) for part in signed]


def _place(part: Json) -> str:
    if "functionCall" in part:
        return f"call of {part['functionCall']['name']}"
    return "thought" if part.get("thought") else "text" if part.get("text") else "empty text"
