"""Google's SDK, google-genai."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import quote

import aiohttp
from google import genai
from google.genai import types

from tests.e2e import gemini_errors
from tests.e2e.answers import KEY, Answer, Call, Counts, Question, Way
from tests.e2e.gemini_response import FINISH, collected, essence, remembered
from tests.e2e.sdk_client import PARAMETERS, SDKClient

ROLES = {"user": "user", "assistant": "model"}


class GeminiClient(SDKClient):
    """`generateContent`, and a chat for `helper`; see `Client`.

    The SDK drops the fields that it does not know before it judges the rest, so the sync ways judge the body itself.
    The async ones go through another HTTP library.
    """

    format = "gemini"
    sdk = gemini_errors
    turns = "contents"
    limit_field = "max_output_tokens"

    def __init__(self, address: str, runner: asyncio.Runner, retries: int = 0) -> None:
        patience = types.HttpRetryOptions(attempts=retries + 1, initial_delay=0.01, jitter=0)
        hooks = {"event_hooks": {"response": [self._keep]}}
        self._session = runner.run(_session())
        options = types.HttpOptions(
            base_url=address, retry_options=patience, client_args=hooks, aiohttp_client=self._session
        )
        client = genai.Client(api_key=KEY, http_options=options)
        super().__init__(runner, client, client.aio)

    def close(self) -> None:
        self.sync.close()
        self._runner.run(self.asynchronous.aclose())
        self._runner.run(self._session.close())

    def _keep(self, response: Any) -> None:
        response.read()
        self._body = response.content

    def _question(self, content: Any, system: str | None, fields: Question) -> Question:
        told = {} if system is None else {"system_instruction": system}
        config = {"automatic_function_calling": {"disable": True}, **told, **_config(fields)}
        return {"contents": [{"role": "user", "parts": content}], "config": config}

    def _content(self, text: str, media: tuple[Any, ...]) -> Any:
        return [{"text": text}, *media]

    def _tools(self, names: tuple[str, ...]) -> list[Any]:
        return [{"function_declarations": super()._tools(names)}]

    def _tool(self, name: str) -> Any:
        return {"name": name, "description": f"Tool {name}", "parameters_json_schema": PARAMETERS}

    def _turn(self, role: str, text: str) -> Any:
        return {"role": ROLES[role], "parts": [{"text": text}]}

    def image(self, media_type: str, data: str) -> Any:
        return {"inline_data": {"mime_type": media_type, "data": data}}

    def linked_image(self, url: str) -> Any:
        return {"file_data": {"file_uri": url, "mime_type": "image/png"}}

    def document(self, _: str, data: str) -> Any:
        return {"inline_data": {"mime_type": "application/pdf", "data": data}}

    def next_turn(self, question: Question, answer: Answer, results: Mapping[str, str], **fields: Any) -> Question:
        held = answer.native.candidates[0].content
        calls = dict(zip((call.id for call in answer.calls), _calls(held.parts), strict=True))
        replies = [_result(calls[call], text) for call, text in results.items()]
        turn = [types.Content(role="user", parts=replies)] if replies else []
        config = {**question["config"], **_config(fields)}
        return {"contents": [*question["contents"], held, *turn], "config": config}

    def keyed(self, key: str | None) -> Question:
        return {"extra_headers": {"x-goog-api-key": key or ""}}  # the SDK never sends none

    def ask(self, way: Way, model: str, question: Question) -> Answer:
        if way.is_async:
            return super().ask(way, model, question)
        with gemini_errors.renamed():
            answer = super().ask(way, model, question)
        for document in _documents(self._body):
            types.GenerateContentResponse.model_validate_json(document)
        return answer

    async def ask_async(self, way: Way, model: str, question: Question) -> Answer:
        with gemini_errors.renamed():
            return await super().ask_async(way, model, question)

    def _asked(self, way: Way, model: str, question: Question) -> Question:
        return {"model": quote(model, safe=":"), **question}

    def essence(self, answer: Answer) -> Any:
        return essence(answer.native)

    def error_of(self, error: Any) -> Any:
        return gemini_errors.ErrorBody.model_validate(error.body).error

    def models(self) -> list[str]:
        return [_name(model) for model in self.sync.models.list(config={"page_size": 2})]

    def model(self, name: str) -> str:
        with gemini_errors.renamed():
            return _name(self.sync.models.get(model=quote(name, safe=":")))

    def post(self, path: str) -> Any:
        with gemini_errors.renamed():
            return self.sync._api_client.request("post", path.removeprefix("/"), {}, None)

    def _whole(self, asked: Question) -> Answer:
        return _answer(self.sync.models.generate_content(**asked))

    async def _whole_async(self, asked: Question) -> Answer:
        return _answer(await self.asynchronous.models.generate_content(**asked))

    def _events(self, asked: Question) -> Answer:
        return _answer(collected(list(self.sync.models.generate_content_stream(**asked))))

    async def _events_async(self, asked: Question) -> Answer:
        chunks = await self.asynchronous.models.generate_content_stream(**asked)
        return _answer(collected([chunk async for chunk in chunks]))

    def _helper(self, asked: Question) -> Answer:
        chat, message = _chat(self.sync.chats, asked)
        return _answer(remembered(chat, list(chat.send_message_stream(message))))

    async def _helper_async(self, asked: Question) -> Answer:
        chat, message = _chat(self.asynchronous.chats, asked)
        chunks = [chunk async for chunk in await chat.send_message_stream(message)]
        return _answer(remembered(chat, chunks))


async def _session() -> aiohttp.ClientSession:
    """A session as the SDK makes one, but for a class that aiohttp warns of."""
    return aiohttp.ClientSession()


_HTTP = {"extra_headers": "headers", "extra_body": "extra_body"}
"""What the other SDKs call these options of a request, and what this one does."""


def _config(fields: Question) -> Question:
    config = {name: value for name, value in fields.items() if name not in _HTTP}
    options = {name: fields[theirs] for theirs, name in _HTTP.items() if theirs in fields}
    return {**config, "http_options": options} if options else config


def _result(call: types.FunctionCall, text: str) -> types.Part:
    response = types.FunctionResponse(id=call.id, name=call.name, response={"output": text})
    return types.Part(function_response=response)


def _chat(chats: Any, asked: Question) -> tuple[Any, list[types.Part]]:
    """A chat that holds all turns but the last, and that one."""
    *past, last = (types.Content.model_validate(turn) for turn in asked["contents"])
    return chats.create(model=asked["model"], config=asked["config"], history=past), last.parts or []


def _answer(response: types.GenerateContentResponse) -> Answer:
    candidate = response.candidates[0] if response.candidates else _nothing(response)
    parts = (candidate.content and candidate.content.parts) or []
    calls = [Call(call.id or f"{call.name}-{n}", call.name, call.args or {}) for n, call in enumerate(_calls(parts))]
    return Answer(
        text="".join(part.text for part in parts if part.text and not part.thought),
        thinking="".join(part.text for part in parts if part.text and part.thought),
        calls=calls,
        finish="tools" if calls and candidate.finish_reason == "STOP" else FINISH[candidate.finish_reason],
        usage=_counts(response.usage_metadata) if response.usage_metadata else None,
        model=response.model_version,
        native=response,
        headers=response.sdk_http_response.headers,
    )


def _nothing(response: types.GenerateContentResponse) -> types.Candidate:
    """What stands for the answer to a prompt that was blocked."""
    assert response.prompt_feedback
    assert response.prompt_feedback.block_reason
    return types.Candidate(finish_reason=types.FinishReason.SAFETY)


def _calls(parts: list[types.Part]) -> list[types.FunctionCall]:
    return [part.function_call for part in parts if part.function_call]


def _counts(usage: types.GenerateContentResponseUsageMetadata) -> Counts:
    given = (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0)
    thought = usage.thoughts_token_count or 0
    written = (usage.candidates_token_count or 0) + thought
    assert usage.total_token_count == given + written
    return Counts(given, written, usage.cached_content_token_count or 0, thought)


def _name(model: types.Model) -> str:
    assert model.name
    return model.name.removeprefix("models/")


def _documents(body: bytes) -> Iterator[bytes]:
    """The JSON of an answer: all of the body, or each event's data."""
    for full, lines in groupby(body.splitlines(), bool):
        if full:
            yield b"\n".join(line.removeprefix(b"data: ") for line in lines)
