"""The OpenAI SDK, speaking Chat Completions."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from tests.e2e.answers import Answer, Call, Counts, Question, Way
from tests.e2e.sdk_client import PARAMETERS, OpenAIClient

FINISH = {"stop": "stop", "tool_calls": "tools", "length": "length", "content_filter": "refused"}
_COMPLETION: TypeAdapter[ChatCompletion] = TypeAdapter(ChatCompletion)
_CHUNK: TypeAdapter[ChatCompletionChunk] = TypeAdapter(ChatCompletionChunk)


class ChatClient(OpenAIClient):
    """Chat Completions; see `Client`."""

    format = "openai"
    turns = "messages"

    def _question(self, content: Any, system: str | None, fields: Question) -> Question:
        told = [] if system is None else [{"role": "system", "content": system}]
        return {"messages": [*told, {"role": "user", "content": content}], **fields}

    def _tool(self, name: str) -> Any:
        function = {"name": name, "description": f"Tool {name}", "parameters": PARAMETERS}
        return {"type": "function", "function": function}

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

    def _asked(self, way: Way, model: str, question: Question) -> Question:
        usage = {"stream_options": {"include_usage": True}} if way.streams else {}
        return {"model": model, **usage, **question}

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
        finish="refused" if message.refusal else FINISH[choice.finish_reason],
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
