"""The OpenAI SDK."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

import openai
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.shared import ErrorObject
from pydantic import TypeAdapter

from tests.e2e.answers import KEY, Answer, Call, Counts, Question, Way

FINISH = {"stop": "stop", "tool_calls": "tools", "length": "length", "content_filter": "refused"}
_COMPLETION: TypeAdapter[ChatCompletion] = TypeAdapter(ChatCompletion)
_CHUNK: TypeAdapter[ChatCompletionChunk] = TypeAdapter(ChatCompletionChunk)
_ERROR: TypeAdapter[ErrorObject] = TypeAdapter(ErrorObject)


class ChatClient:
    """Chat Completions; see `Client`."""

    format = "openai"
    sdk = openai

    def __init__(self, base_url: str, runner: asyncio.Runner, key: str = KEY) -> None:
        self._runner = runner
        self.sync = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
        self.asynchronous = openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0)

    def close(self) -> None:
        self.sync.close()
        self._runner.run(self.asynchronous.close())

    def question(
        self, text: str = "Hi", system: str | None = None, tools: int = 0, media: tuple[Any, ...] = (), **fields: Any
    ) -> Question:
        content = [{"type": "text", "text": text}, *media] if media else text
        messages = [{"role": "user", "content": content}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        if tools:
            fields["tools"] = [_tool(name) for name in ("get_weather", "get_time")[:tools]]
        return {"messages": messages, **fields}

    def image(self, media_type: str, data: str) -> Any:
        return self.linked_image(f"data:{media_type};base64,{data}")

    def linked_image(self, url: str) -> Any:
        return {"type": "image_url", "image_url": {"url": url}}

    def document(self, title: str, data: str) -> Any:
        return {"type": "file", "file": {"filename": title, "file_data": f"data:application/pdf;base64,{data}"}}

    def next_turn(self, question: Question, answer: Answer, results: Mapping[str, str], **fields: Any) -> Question:
        held = answer.native.choices[0].message.model_dump()
        replies = [{"role": "tool", "tool_call_id": call, "content": text} for call, text in results.items()]
        return {**question, **fields, "messages": [*question["messages"], held, *replies]}

    def ask(self, way: Way, model: str, question: Question) -> Answer:
        asked = {"model": model, **question}
        if way.streams:
            asked.setdefault("stream_options", {"include_usage": True})
        return self._runner.run(_ASYNC[way.shape](self, asked)) if way.is_async else _SYNC[way.shape](self, asked)

    def error_of(self, error: Any) -> Any:
        return _ERROR.validate_python(error.body)

    def _whole(self, asked: Question) -> Answer:
        raw = self.sync.chat.completions.with_raw_response.create(**asked)
        _COMPLETION.validate_json(raw.content)
        return _answer(raw.parse(), raw.headers)

    async def _whole_async(self, asked: Question) -> Answer:
        raw = await self.asynchronous.chat.completions.with_raw_response.create(**asked)
        _COMPLETION.validate_json(raw.content)
        return _answer(raw.parse(), raw.headers)

    def _events(self, asked: Question) -> Answer:
        raw = self.sync.chat.completions.with_raw_response.create(stream=True, **asked)
        return _answer(_collected(raw.parse()), raw.headers)

    async def _events_async(self, asked: Question) -> Answer:
        raw = await self.asynchronous.chat.completions.with_raw_response.create(stream=True, **asked)
        return _answer(_collected([chunk async for chunk in raw.parse()]), raw.headers)

    def _helper(self, asked: Question) -> Answer:
        with self.sync.chat.completions.stream(**asked) as stream:
            stream.until_done()
            return _answer(stream.current_completion_snapshot, stream._response.headers)

    async def _helper_async(self, asked: Question) -> Answer:
        async with self.asynchronous.chat.completions.stream(**asked) as stream:
            await stream.until_done()
            return _answer(stream.current_completion_snapshot, stream._response.headers)


_SYNC: dict[str, Any] = {"whole": ChatClient._whole, "events": ChatClient._events, "helper": ChatClient._helper}
_ASYNC: dict[str, Any] = {
    "whole": ChatClient._whole_async,
    "events": ChatClient._events_async,
    "helper": ChatClient._helper_async,
}


def _tool(name: str) -> Any:
    function = {
        "name": name,
        "description": f"Tool {name}",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    return {"type": "function", "function": function}


def _collected(chunks: Iterable[ChatCompletionChunk]) -> Any:
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(_CHUNK.validate_python(chunk.to_dict()))
    return state.current_completion_snapshot  # the final one is refused where it was cut by its limit


def _answer(completion: Any, headers: Mapping[str, str]) -> Answer:
    [choice] = completion.choices
    message = choice.message
    return Answer(
        text=message.content or "",
        thinking=(message.model_extra or {}).get("reasoning_content") or "",
        calls=[
            Call(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
        ],
        finish=FINISH[choice.finish_reason],
        usage=_counts(completion.usage) if completion.usage else None,
        model=completion.model,
        native=completion,
        headers=headers,
    )


def _counts(usage: Any) -> Counts:
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    given, written = usage.prompt_tokens_details, usage.completion_tokens_details
    return Counts(
        usage.prompt_tokens,
        usage.completion_tokens,
        (given.cached_tokens if given else 0) or 0,
        (written.reasoning_tokens if written else 0) or 0,
    )
