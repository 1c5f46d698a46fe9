"""The Anthropic SDK."""

from collections.abc import Iterable, Mapping
from typing import Any

import anthropic
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, ModelInfo, RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from pydantic import TypeAdapter

from tests.e2e.answers import Answer, Call, Counts, Question
from tests.e2e.sdk_client import PARAMETERS, GeneratedClient

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tools",
    "max_tokens": "length",
    "refusal": "refused",
}
_MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
_ERROR: TypeAdapter[ErrorResponse] = TypeAdapter(ErrorResponse)


class MessagesClient(GeneratedClient):
    """Messages; see `Client`."""

    format = "anthropic"
    sdk = anthropic
    kinds = (anthropic.Anthropic, anthropic.AsyncAnthropic)
    root = ""
    described = TypeAdapter(ModelInfo)
    turns = "messages"
    default_limit = 1000

    def _question(self, content: Any, system: str | None, fields: Question) -> Question:
        told = {} if system is None else {"system": system}
        return {"messages": [{"role": "user", "content": content}], **told, **fields}

    def _tool(self, name: str) -> Any:
        return {"name": name, "description": f"Tool {name}", "input_schema": PARAMETERS}

    def image(self, media_type: str, data: str) -> Any:
        return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}

    def linked_image(self, url: str) -> Any:
        return {"type": "image", "source": {"type": "url", "url": url}}

    def document(self, title: str, data: str) -> Any:
        source = {"type": "base64", "media_type": "application/pdf", "data": data}
        return {"type": "document", "title": title, "source": source}

    def next_turn(self, question: Question, answer: Answer, results: Mapping[str, str], **fields: Any) -> Question:
        held = {"role": "assistant", "content": answer.native.content}
        replies = [{"type": "tool_result", "tool_use_id": call, "content": text} for call, text in results.items()]
        turn = [{"role": "user", "content": replies}] if replies else []
        return {**question, **fields, "messages": [*question["messages"], held, *turn]}

    def error_of(self, error: Any) -> Any:
        return _ERROR.validate_python(error.body).error

    def _whole(self, asked: Question) -> Answer:
        raw = self.sync.messages.with_raw_response.create(**asked)
        _MESSAGE.validate_json(raw.text())
        return _answer(raw.parse(), raw.headers)

    async def _whole_async(self, asked: Question) -> Answer:
        raw = await self.asynchronous.messages.with_raw_response.create(**asked)
        _MESSAGE.validate_json(await raw.text())
        return _answer(await raw.parse(), raw.headers)

    def _events(self, asked: Question) -> Answer:
        raw = self.sync.messages.with_raw_response.create(stream=True, **asked)
        return _answer(_collected(raw.parse()), raw.headers)

    async def _events_async(self, asked: Question) -> Answer:
        raw = await self.asynchronous.messages.with_raw_response.create(stream=True, **asked)
        return _answer(_collected([event async for event in await raw.parse()]), raw.headers)

    def _helper(self, asked: Question) -> Answer:
        with self.sync.messages.stream(**asked) as stream:
            return _answer(stream.get_final_message(), stream.response.headers)

    async def _helper_async(self, asked: Question) -> Answer:
        async with self.asynchronous.messages.stream(**asked) as stream:
            return _answer(await stream.get_final_message(), stream.response.headers)


def _collected(events: Iterable[RawMessageStreamEvent]) -> Any:
    snapshot, buffers, last = None, dict[int, bytes](), ""
    for event in events:
        _EVENT.validate_python(event.to_dict())
        snapshot, last = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers), event.type
    assert last == "message_stop"
    return snapshot


def _answer(message: Any, headers: Mapping[str, str]) -> Answer:
    blocks = message.content
    return Answer(
        text="".join(block.text for block in blocks if block.type == "text"),
        thinking="".join(block.thinking for block in blocks if block.type == "thinking"),
        calls=[Call(block.id, block.name, block.input) for block in blocks if block.type == "tool_use"],
        finish=FINISH[message.stop_reason],
        usage=_counts(message.usage),
        model=message.model,
        native=message,
        headers=headers,
    )


def _counts(usage: Any) -> Counts:
    cached, details = usage.cache_read_input_tokens or 0, usage.output_tokens_details
    whole = usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0)
    return Counts(whole, usage.output_tokens, cached, details.thinking_tokens if details else 0)
