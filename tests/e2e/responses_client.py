"""The OpenAI SDK, speaking Responses."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import openai
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response
from pydantic import TypeAdapter

from tests.e2e.answers import Answer, Call, Counts, Question
from tests.e2e.response_events import validated
from tests.e2e.sdk_client import PARAMETERS, OpenAIClient

_RESPONSE: TypeAdapter[Response] = TypeAdapter(Response)
_ENDS = {"response.completed", "response.incomplete"}
_FAILURES = {"error", "response.failed"}


class ResponsesClient(OpenAIClient):
    """Responses, without any state on the other side; see `Client`."""

    format = "openai-responses"
    turns = "input"
    limit_field = "max_output_tokens"

    def _question(self, content: Any, system: str | None, fields: Question) -> Question:
        told = {} if system is None else {"instructions": system}
        stateless = {"store": False, "include": ["reasoning.encrypted_content"]}
        return {"input": [{"role": "user", "content": content}], **told, **stateless, **fields}

    def _content(self, text: str, media: tuple[Any, ...]) -> Any:
        return [{"type": "input_text", "text": text}, *media] if media else text

    def _tool(self, name: str) -> Any:
        described = {"name": name, "description": f"Tool {name}", "parameters": PARAMETERS}
        return {"type": "function", **described, "strict": False}

    def image(self, media_type: str, data: str) -> Any:
        return self.linked_image(f"data:{media_type};base64,{data}")

    def linked_image(self, url: str) -> Any:
        return {"type": "input_image", "image_url": url, "detail": "auto"}

    def document(self, title: str, data: str) -> Any:
        return {"type": "input_file", "filename": title, "file_data": f"data:application/pdf;base64,{data}"}

    def next_turn(self, question: Question, answer: Answer, results: Mapping[str, str], **fields: Any) -> Question:
        held = [item.model_dump(exclude_none=True) for item in answer.native.output]
        replies = [{"type": "function_call_output", "call_id": call, "output": text} for call, text in results.items()]
        return {**question, **fields, "input": [*question["input"], *held, *replies]}

    def essence(self, answer: Answer) -> Any:
        return _without_ids(answer.native.to_dict(mode="json"))

    def _whole(self, asked: Question) -> Answer:
        raw = self.sync.responses.with_raw_response.create(**asked)
        _RESPONSE.validate_json(raw.content)
        return _answer(raw.parse(), raw.headers)

    async def _whole_async(self, asked: Question) -> Answer:
        raw = await self.asynchronous.responses.with_raw_response.create(**asked)
        _RESPONSE.validate_json(raw.content)
        return _answer(raw.parse(), raw.headers)

    def _events(self, asked: Question) -> Answer:
        raw = self.sync.responses.with_raw_response.create(stream=True, **asked)
        return _answer(_collected(list(_told(raw.parse()))), raw.headers)

    async def _events_async(self, asked: Question) -> Answer:
        raw = await self.asynchronous.responses.with_raw_response.create(stream=True, **asked)
        return _answer(_collected([event async for event in _told_async(raw.parse())]), raw.headers)

    def _helper(self, asked: Question) -> Answer:
        with self.sync.responses.stream(**asked) as stream:
            *_, last = _told(stream)
            final = stream.get_final_response() if last.type == "response.completed" else last.response
            return _answer(final, stream._response.headers)

    async def _helper_async(self, asked: Question) -> Answer:
        async with self.asynchronous.responses.stream(**asked) as stream:
            *_, last = [event async for event in _told_async(stream)]
            final = await stream.get_final_response() if last.type == "response.completed" else last.response
            return _answer(final, stream._response.headers)


def _told(events: Iterable[Any]) -> Iterator[Any]:
    """The events; raises what the SDK leaves to its user to raise."""
    for event in events:
        _raise_failure(event, events)
        yield event


async def _told_async(events: AsyncIterable[Any]) -> AsyncIterator[Any]:
    async for event in events:
        _raise_failure(event, events)
        yield event


def _raise_failure(event: Any, events: Any) -> None:
    if event.type in _FAILURES:
        failure = event if event.type == "error" else event.response.error
        stream = getattr(events, "_raw_stream", events)
        raise openai.APIError(failure.message, stream.response.request, body=failure.to_dict())


def _collected(events: list[Any]) -> Any:
    validated([event.to_dict() for event in events if event.type != "ping"])  # which the SDK lets pass
    state = ResponseStreamState(input_tools=openai.omit, text_format=openai.omit)
    for event in events:
        state.handle_event(event)
    assert events[-1].type in _ENDS
    return state._completed_response or events[-1].response


def _answer(response: Any, headers: Mapping[str, str]) -> Answer:
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    calls = [item for item in response.output if item.type == "function_call"]
    return Answer(
        text="".join(part.text for part in parts if part.type == "output_text"),
        thinking="".join(_thought(item) for item in response.output if item.type == "reasoning"),
        calls=[Call(item.call_id, item.name, json.loads(item.arguments)) for item in calls],
        finish=_finish(response, parts, calls),
        usage=_counts(response.usage) if response.usage else None,
        model=response.model,
        native=response,
        headers=headers,
    )


def _thought(item: Any) -> str:
    return "".join(part.text for part in (*item.summary, *(item.content or ())))


_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "refused"}


def _finish(response: Any, parts: list[Any], calls: list[Any]) -> str:
    if response.status == "incomplete":
        return _INCOMPLETE[response.incomplete_details.reason]
    assert response.status == "completed"
    if any(part.type == "refusal" for part in parts):
        return "refused"
    return "tools" if calls else "stop"


def _counts(usage: Any) -> Counts:
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    return Counts(
        usage.input_tokens,
        usage.output_tokens,
        usage.input_tokens_details.cached_tokens,
        usage.output_tokens_details.reasoning_tokens,
    )


_MINTED = {"id", "created_at", "completed_at"}


def _without_ids(value: Any) -> Any:
    """Without what names an answer or an item of it; the ids of calls stay."""
    if isinstance(value, list):
        return [_without_ids(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_ids(item) for key, item in value.items() if key not in _MINTED}
    return value
