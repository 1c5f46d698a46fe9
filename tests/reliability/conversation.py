"""Two turns with a tool between them, in every format: a row for each.

The second turn either brings back all that the answer had, as the SDKs do, or only its text and calls.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.reliability.dialects import DIALECTS, Body
from tests.reliability.talk import Heard

TOOL = "get_weather"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
RESULT = "21 °C"


class Call(NamedTuple):
    """A call of a tool, with its arguments as JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Turns:
    """How a format offers a tool, and what it makes of the answer that calls it.

    `said` is the assistant's whole turn as its client would send it back; `calls` are the calls in it, and `bare` is
    the turn with them alone. `answered` are the tool's results. `think` asks for thought.
    """

    field: str
    think: Body
    first: Body
    tools: list[Any]
    said: Callable[[Heard], list[Body]]
    calls: Callable[[list[Body]], list[Call]]
    bare: Callable[[list[Call]], list[Body]]
    answered: Callable[[list[Call]], list[Body]]
    text: Callable[[Body], str]

    def begin(self) -> Body:
        """The fields of a request that offers the tool, and asks for thought."""
        return {self.field: [self.first], "tools": self.tools, **self.think}

    def go_on(self, said: list[Body], *, bare: bool = False) -> Body:
        """The fields of a request that tells the tool's results."""
        calls = self.calls(said)
        assert calls
        turn = self.bare(calls) if bare else said
        return {self.field: [self.first, *turn, *self.answered(calls)], "tools": self.tools, **self.think}


def _joined(pieces: Iterable[Any]) -> str:
    return "".join(piece for piece in pieces if isinstance(piece, str))


# Chat Completions


def _chat_said(heard: Heard) -> list[Body]:
    if heard.body.startswith(b"{"):
        return [{name: value for name, value in heard.json["choices"][0]["message"].items() if value is not None}]
    deltas = [choice["delta"] for event in heard.events[:-1] for choice in event.json["choices"]]
    details = [entry for delta in deltas for entry in delta.get("reasoning_details") or ()]
    calls: dict[int, Body] = {}
    for piece in (piece for delta in deltas for piece in delta.get("tool_calls") or ()):
        call = calls.setdefault(piece["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
        call["id"] = piece.get("id") or call["id"]
        for name, value in piece["function"].items():
            call["function"][name] += value
    content = _joined(delta.get("content") for delta in deltas)
    kept = {"content": content} if content else {}
    return [{"role": "assistant", **kept, "reasoning_details": details, "tool_calls": list(calls.values())}]


def _chat_calls(said: list[Body]) -> list[Call]:
    return [Call(call["id"], **call["function"]) for turn in said for call in turn.get("tool_calls", ())]


def _chat_bare(calls: list[Call]) -> list[Body]:
    functions = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
    return [{"role": "assistant", "tool_calls": functions}]


def _chat_answered(calls: list[Call]) -> list[Body]:
    return [{"role": "tool", "tool_call_id": call.id, "content": RESULT} for call in calls]


# Responses


def _responses_said(heard: Heard) -> list[Body]:
    response = heard.json if heard.body.startswith(b"{") else heard.events[-1].json["response"]
    return [{name: value for name, value in item.items() if value is not None} for item in response["output"]]


def _responses_calls(said: list[Body]) -> list[Call]:
    return [Call(item["call_id"], item["name"], item["arguments"]) for item in said if item["type"] == "function_call"]


def _responses_bare(calls: list[Call]) -> list[Body]:
    return [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments} for call in calls
    ]


def _responses_answered(calls: list[Call]) -> list[Body]:
    return [{"type": "function_call_output", "call_id": call.id, "output": RESULT} for call in calls]


def _responses_text(body: Body) -> str:
    return _joined(part.get("text") for item in body["output"] for part in item.get("content") or ())


# Messages


def _messages_said(heard: Heard) -> list[Body]:
    if heard.body.startswith(b"{"):
        return [{"role": "assistant", "content": heard.json["content"]}]
    blocks: dict[int, Body] = {}
    for event in (event.json for event in heard.events):
        if event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "input_json": ""}
        elif event["type"] == "content_block_delta":
            _add_block_delta(blocks[event["index"]], event["delta"])
    return [{"role": "assistant", "content": [_block(**block) for block in blocks.values()]}]


BLOCK_FIELDS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input_json"),
}


def _add_block_delta(block: Body, delta: Body) -> None:
    source, target = BLOCK_FIELDS[delta["type"]]
    block[target] = block.get(target, "") + delta[source]


def _block(input_json: str, **block: Any) -> Body:
    return {**block, "input": json.loads(input_json or "{}")} if block["type"] == "tool_use" else block


def _messages_calls(said: list[Body]) -> list[Call]:
    blocks = [block for turn in said for block in turn["content"] if block["type"] == "tool_use"]
    return [Call(block["id"], block["name"], json.dumps(block["input"])) for block in blocks]


def _messages_bare(calls: list[Call]) -> list[Body]:
    content = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)} for call in calls
    ]
    return [{"role": "assistant", "content": content}]


def _messages_answered(calls: list[Call]) -> list[Body]:
    content = [{"type": "tool_result", "tool_use_id": call.id, "content": RESULT} for call in calls]
    return [{"role": "user", "content": content}]


# Gemini


def _gemini_said(heard: Heard) -> list[Body]:
    answers = [heard.json] if heard.body.startswith(b"{") else [event.json for event in heard.events]
    candidates = [candidate for answer in answers for candidate in answer.get("candidates", ())]
    parts = [part for each in candidates for part in each.get("content", {}).get("parts", ())]
    return [{"role": "model", "parts": parts}]


def _gemini_calls(said: list[Body]) -> list[Call]:
    found = [part["functionCall"] for turn in said for part in turn["parts"] if "functionCall" in part]
    return [Call(call.get("id", ""), call["name"], json.dumps(call["args"])) for call in found]


def _id(call: Call) -> Body:
    return {"id": call.id} if call.id else {}


def _gemini_bare(calls: list[Call]) -> list[Body]:
    parts = [{"functionCall": {**_id(call), "name": call.name, "args": json.loads(call.arguments)}} for call in calls]
    return [{"role": "model", "parts": parts}]


def _gemini_answered(calls: list[Call]) -> list[Body]:
    parts = [{"functionResponse": {**_id(call), "name": call.name, "response": {"result": RESULT}}} for call in calls]
    return [{"role": "user", "parts": parts}]


def _gemini_text(body: Body) -> str:
    parts = body["candidates"][0]["content"]["parts"]
    return _joined(part.get("text") for part in parts if not part.get("thought"))


_USER = {"role": "user", "content": "Weather?"}

TURNS = {
    "openai": Turns(
        "messages",
        {"reasoning_effort": "low"},
        _USER,
        [{"type": "function", "function": {"name": TOOL, "parameters": SCHEMA}}],
        _chat_said,
        _chat_calls,
        _chat_bare,
        _chat_answered,
        lambda body: str(body["choices"][0]["message"]["content"]),
    ),
    "openai-responses": Turns(
        "input",
        {"reasoning": {"effort": "low"}},
        _USER,
        [{"type": "function", "name": TOOL, "parameters": SCHEMA}],
        _responses_said,
        _responses_calls,
        _responses_bare,
        _responses_answered,
        _responses_text,
    ),
    "anthropic": Turns(
        "messages",
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048},
        _USER,
        [{"name": TOOL, "input_schema": SCHEMA}],
        _messages_said,
        _messages_calls,
        _messages_bare,
        _messages_answered,
        lambda body: _joined(block.get("text") for block in body["content"]),
    ),
    "gemini": Turns(
        "contents",
        {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1024}}},
        DIALECTS["gemini"].content["contents"][0],
        [{"functionDeclarations": [{"name": TOOL, "parameters": SCHEMA}]}],
        _gemini_said,
        _gemini_calls,
        _gemini_bare,
        _gemini_answered,
        _gemini_text,
    ),
}
