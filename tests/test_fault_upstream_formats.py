"""The FaultUpstream's Responses and Gemini, judged by the SDKs of OpenAI and Google."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from typing import Any, get_args

import aiohttp
import openai
import pytest
from google import genai
from google.genai import errors, types
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.fault_upstream import ARGUMENTS, GREETING, SIGNATURE, THOUGHT, FaultUpstream, response, story
from tests.fault_upstream.formats import FORMATS, endpoint_of, format_of
from tests.fault_upstream.reply import Reply, Text, Thinking, ToolUse, Usage

# google-genai subclasses aiohttp's session, and aiohttp warns of it.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(59)).decode()
ENCRYPTED: Any = ["reasoning.encrypted_content"]
FUNCTION: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
DECLARATION = {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
QUESTION: Any = {"role": "user", "content": "weather?"}
ASKED: dict[str, Any] = {"role": "user", "parts": [{"text": "weather?"}]}

REPLIES = {
    "text": Reply("m", (Text(("Hel", "lo ☕")),)),
    "nothing": Reply("m", (), "length"),
    "length": Reply("m", (Text(("Hel",)),), "length"),
    "thinking": Reply("m", (Thinking(("Hm", "m"), SIGNATURE), Text(("yes",))), usage=Usage(21, 9, 4, 5)),
    "only a signature": Reply("m", (Thinking((), SIGNATURE), ToolUse("call_1", "look", {"a": 1})), "tools"),
    "calls": Reply("m", (Text(("So ",)), ToolUse("call_1", "look", {}), ToolUse("call_2", "look", {"a": 1})), "tools"),
}


@pytest.fixture
async def upstream() -> AsyncIterator[FaultUpstream]:
    async with FaultUpstream() as running:
        yield running


@pytest.fixture
async def client(upstream: FaultUpstream) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="k", base_url=upstream.responses_url, max_retries=0) as client:
        yield client


@pytest.fixture
async def google(upstream: FaultUpstream) -> AsyncIterator[Any]:
    async with google_client(upstream.gemini_url, "") as client:
        yield client


def google_client(url: str, version: str, key: str = "k") -> Any:
    options = types.HttpOptions(base_url=url, api_version=version)
    return genai.Client(api_key=key, vertexai=False, http_options=options).aio


async def post(url: str, body: dict[str, Any], **headers: str) -> tuple[int, str]:
    """One request by hand."""
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.text()


async def generate(
    upstream: FaultUpstream, model: str, method: str = "generateContent", **fields: Any
) -> tuple[int, Any]:
    """One Gemini request by hand, and its JSON."""
    url = f"{upstream.gemini_url}/models/{model}:{method}"
    status, text = await post(url, {"contents": [ASKED], **fields}, **{"x-goog-api-key": "k"})
    return status, json.loads(text)


async def refusal(upstream: FaultUpstream, model: str = "answer", **fields: Any) -> str:
    """The message of Gemini's 400."""
    status, answer = await generate(upstream, model, **fields)
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    return str(answer["error"]["message"])


# what is rendered


@pytest.mark.parametrize("name", REPLIES)
@pytest.mark.parametrize("signed", [True, False])
def test_responses_bodies_and_events_have_the_sdk_types(name: str, signed: bool) -> None:
    reply = Reply(**{**vars(REPLIES[name]), "signed": signed})
    whole = TypeAdapter(Response).validate_python(FORMATS["openai-responses"].body(reply))
    rows = FORMATS["openai-responses"].events(reply)
    events = [TypeAdapter(ResponseStreamEvent).validate_python(row) for _, row in rows]
    assert [type(event) in get_args(get_args(ResponseStreamEvent)[0]) for event in events] == [True] * len(events)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events] == [name for name, _ in rows]
    assert events[-1].type == ("response.incomplete" if reply.finish == "length" else "response.completed")
    assert events[-1].response == whole
    assert [event.item for event in events if event.type == "response.output_item.done"] == whole.output
    assert ("encrypted_content" in json.dumps(rows)) == (signed and bool(reply.thinkings))


def test_responses_deltas_add_up_to_the_items() -> None:
    rows = [row for _, row in FORMATS["openai-responses"].events(REPLIES["thinking"])]
    said = {kind: "".join(row["delta"] for row in rows if row["type"] == kind) for kind in (_TEXT, _SUMMARY)}
    assert said == {_TEXT: "yes", _SUMMARY: "Hmm"}
    assert {row["item_id"] for row in rows if "item_id" in row} == {"rs_fault_0", "msg_fault_1"}
    added, done = (row["item"]["encrypted_content"] for row in rows if row.get("item", {}).get("type") == "reasoning")
    assert added != done == SIGNATURE


_TEXT, _SUMMARY = "response.output_text.delta", "response.reasoning_summary_text.delta"


@pytest.mark.parametrize("name", REPLIES)
@pytest.mark.parametrize("call_ids", [True, False])
def test_gemini_bodies_and_events_have_the_sdk_types(name: str, call_ids: bool) -> None:
    reply = Reply(**{**vars(REPLIES[name]), "call_ids": call_ids})
    whole = TypeAdapter(types.GenerateContentResponse).validate_python(FORMATS["gemini"].body(reply))
    rows = [row for _, row in FORMATS["gemini"].events(reply)]
    chunks = [TypeAdapter(types.GenerateContentResponse).validate_python(row) for row in rows]
    assert _collected(chunks) == _collected([whole])
    assert chunks[-1].usage_metadata == whole.usage_metadata
    assert [bool(_only(chunk).finish_reason) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert {call.id for call in whole.function_calls or []} == {each.id for each in reply.tool_uses if call_ids} | (
        {None} if reply.tool_uses and not call_ids else set()
    )


def _only(answer: types.GenerateContentResponse) -> types.Candidate:
    [candidate] = answer.candidates or []
    return candidate


def _parts(chunks: list[types.GenerateContentResponse]) -> Iterator[types.Part]:
    for candidate in map(_only, chunks):
        yield from (candidate.content.parts if candidate.content else None) or []


def _collected(chunks: list[types.GenerateContentResponse]) -> tuple[Any, ...]:
    parts = list(_parts(chunks))
    texts = ["".join(part.text or "" for part in parts if bool(part.thought) == thought) for thought in (True, False)]
    calls = [(part.function_call, part.thought_signature) for part in parts if part.function_call]
    signatures = [part.thought_signature for part in parts if part.thought_signature]
    return texts, calls, signatures, _only(chunks[-1]).finish_reason


def test_gemini_counts_reasoning_apart_and_the_total_with_it() -> None:
    counted = FORMATS["gemini"].body(REPLIES["thinking"])["usageMetadata"]
    assert (counted["promptTokenCount"], counted["cachedContentTokenCount"]) == (21, 4)
    assert (counted["candidatesTokenCount"], counted["thoughtsTokenCount"], counted["totalTokenCount"]) == (4, 5, 30)


@pytest.mark.parametrize(
    ("path", "headers", "spoken", "endpoint"),
    [
        ("/v1/responses", {}, "openai-responses", "chat"),
        ("/responses?a=1", {"anthropic-version": "x"}, "openai-responses", "chat"),
        ("/v1/responses/input_tokens", {}, "openai-responses", "count"),
        ("/v1/embeddings", {}, "openai", "embeddings"),
        ("/v1/models/a%3Ab:generateContent", {}, "gemini", "chat"),
        ("/v1beta/models/a%3AstreamGenerateContent?alt=sse", {}, "gemini", "chat"),
        ("/models/a:countTokens", {}, "gemini", "count"),
        ("/v1beta/models/a:embedContent", {}, "gemini", "embed_content"),
        ("/v1beta/models/a:batchEmbedContents", {}, "gemini", "embed_contents"),
        ("/v1beta/openai/chat/completions", {}, "openai", "chat"),
    ],
)
def test_paths_tell_format_and_endpoint(path: str, headers: dict[str, str], spoken: str, endpoint: str) -> None:
    assert (format_of(path, headers), endpoint_of("POST", path)) == (FORMATS[spoken], endpoint)


# Responses


async def test_responses_answer_whole_and_streamed(client: openai.AsyncOpenAI) -> None:
    whole = await client.responses.create(model="gpt-5", input="hello")
    assert (whole.output_text, whole.status, whole.model) == (GREETING, "completed", "gpt-5")
    assert whole.usage
    assert whole.usage.total_tokens == 30
    events = [event async for event in await client.responses.create(model="gpt-5", input="hello", stream=True)]
    assert events[-1].type == "response.completed"
    assert events[-1].response == whole
    async with client.responses.stream(model="gpt-5", input="hello") as stream:
        assert (await stream.get_final_response()).output_text == GREETING


@pytest.mark.parametrize("told", ["byte_by_byte", "crlf", "cr", "comments", "pings", "gzip", "lines", "tick~ms=1"])
async def test_spellings_leave_a_responses_stream_alone(client: openai.AsyncOpenAI, told: str) -> None:
    async with client.responses.stream(model=told, input="hello") as stream:
        assert (await stream.get_final_response()).output_text


async def test_a_cut_answer_is_incomplete(client: openai.AsyncOpenAI) -> None:
    whole = await client.responses.create(model="answer~finish=length", input="hello")
    assert whole.incomplete_details
    assert (whole.status, whole.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert whole.output[0].status == "incomplete"  # type: ignore[union-attr]  # it is a message
    events = [e async for e in await client.responses.create(model="answer~done=0", input="hello", stream=True)]
    assert events[-1].type == "response.output_item.done"


async def test_responses_thinking_round_trip_needs_the_encrypted_content(client: openai.AsyncOpenAI) -> None:
    model = story("thinking")
    asked: Any = {"model": model, "tools": [FUNCTION], "include": ENCRYPTED, "store": False}
    async with client.responses.stream(input=[QUESTION], **asked) as stream:
        first = await stream.get_final_response()
    thought, call = first.output
    assert thought.type == "reasoning"
    assert call.type == "function_call"
    assert (thought.summary[0].text, thought.encrypted_content) == (THOUGHT, SIGNATURE)
    assert (call.name, call.call_id, json.loads(call.arguments)) == ("weather", "call_fault_0", ARGUMENTS)
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sun"}
    kept = [QUESTION, thought.to_dict(), {**call.to_dict(), "id": None}, result]
    second = await client.responses.create(input=kept, **asked)
    assert second.output_text == "The tool said: sun."
    with pytest.raises(openai.BadRequestError, match="without its required 'reasoning' item"):
        await client.responses.create(input=[QUESTION, call.to_dict(), result], **asked)


async def test_responses_keeps_what_it_stored(client: openai.AsyncOpenAI) -> None:
    first = await client.responses.create(model="thinking", input=[QUESTION], tools=[FUNCTION])
    thought, call = first.output
    assert thought.type == "reasoning"
    assert thought.encrypted_content is None
    parts = [{"type": "input_text", "text": "su"}, {"type": "input_text", "text": "n"}]
    result: Any = {"type": "function_call_output", "call_id": "call_fault_0", "output": parts}
    kept: list[Any] = [QUESTION, thought.to_dict(), call.to_dict(), result]
    assert (await client.responses.create(model="thinking", input=kept)).output_text == "The tool said: sun."
    by_id = await client.responses.create(model="thinking", input=[result], previous_response_id=first.id)
    assert by_id.output_text == "The tool said: sun."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": []}, "this parameter has moved to 'input'"),
        ({"max_tokens": 1}, "moved to 'max_output_tokens'"),
        ({"stop": ["x"]}, "Unknown parameter: 'stop'"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "Missing required parameter: 'tools[0].name'"),
        ({"input": [{"type": "function_call", "id": "toolu_1", "call_id": "c"}]}, "begins with 'fc'"),
        ({"input": [{"type": "function_call", "call_id": "c"}]}, "No tool output found for function call c"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "No tool call found"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": ""}]}]}, "'input_text'"),
    ],
)
async def test_what_responses_refuses_is_refused(upstream: FaultUpstream, body: Any, message: str) -> None:
    url = f"{upstream.responses_url}/responses"
    status, text = await post(url, {"model": "answer", **body}, authorization="Bearer k")
    assert (status, json.loads(text)["error"]["type"]) == (400, "invalid_request_error")
    assert message in json.loads(text)["error"]["message"]
    assert (await post(url, {"model": "answer"}))[0] == 401


async def test_lax_stories_take_what_would_be_refused(client: openai.AsyncOpenAI) -> None:
    answer = await client.responses.create(model="answer~lax=1", input="x", extra_body={"messages": []})
    assert answer.output_text == GREETING


async def test_responses_sees_images(client: openai.AsyncOpenAI) -> None:
    part = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    answer = await client.responses.create(model="image", input=[{"role": "user", "content": [part]}])  # type: ignore[list-item, misc]
    assert answer.output_text == "1 image(s): image/png (67 bytes)"


async def test_responses_errors_raise_in_the_sdk(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as limited:
        await client.responses.create(model="status~code=429", input="x")
    assert limited.value.response.headers["retry-after"] == "2"
    with pytest.raises(openai.APIError, match="overloaded"):
        [event async for event in await client.responses.create(model="error_mid", input="x", stream=True)]
    name, data = FORMATS["openai-responses"].error_event(429, 7)
    assert name == "error"
    [event] = [TypeAdapter(ResponseStreamEvent).validate_python(data)]
    assert event.type == "error"
    assert (event.code, event.sequence_number) == ("rate_limit_exceeded", 7)
    assert data["error"]["message"] == event.message  # type: ignore[index]  # it is a dict


async def test_openai_counts_and_embeds(client: openai.AsyncOpenAI) -> None:
    counted = await client.responses.input_tokens.count(model="answer~prompt=5", input="x")
    assert (counted.input_tokens, counted.object) == (5, "response.input_tokens")
    packed = await client.embeddings.create(model="embed", input=["four", ""])
    plain = await client.embeddings.create(model="embed", input=["four", ""], encoding_format="float")
    assert [row.embedding for row in packed.data] == [row.embedding for row in plain.data]
    assert [len(row.embedding) for row in plain.data] == [4, 4]
    assert packed.usage.total_tokens == 4
    [wide] = (await client.embeddings.create(model="embed", input=[1, 2, 3], dimensions=7)).data
    assert len(wide.embedding) == 7


@pytest.mark.parametrize(("named", "fails"), [("count", True), ("count+models", True), ("models", False)])
async def test_one_endpoint_can_fail_alone(client: openai.AsyncOpenAI, named: str, fails: bool) -> None:
    model = f"answer~fails={named}~code=503~says=no counting today"
    assert (await client.responses.create(model=model, input="x")).output_text == GREETING
    expected = pytest.raises(openai.InternalServerError, match="no counting today") if fails else nullcontext()
    with expected:
        await client.responses.input_tokens.count(model=model, input="x")


# Gemini


async def test_gemini_answers_whole_and_streamed(google: Any) -> None:
    whole = await google.models.generate_content(model="gemini-3", contents="hello")
    assert (whole.text, whole.model_version) == (GREETING, "gemini-3")
    assert whole.usage_metadata.total_token_count == 30
    stream = await google.models.generate_content_stream(model="gemini-3", contents="hello")
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.text or "" for chunk in chunks) == GREETING
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP
    assert all(chunk.usage_metadata for chunk in chunks)


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_gemini_has_both_versions(upstream: FaultUpstream, version: str) -> None:
    async with google_client(upstream.url, version) as client:
        assert (await client.models.generate_content(model="tick~n=1", contents="x")).text == "tick 0 "
        assert [model.name async for model in await client.models.list()] == [
            "models/fault-small",
            "models/fault-large",
        ]


# google-genai 3.6 reads neither comments nor bare CRs, and Google sends none.
@pytest.mark.parametrize("told", ["byte_by_byte", "crlf", "pings", "gzip", "no_done", "lines", "tick~ms=1"])
async def test_spellings_leave_a_gemini_stream_alone(google: Any, told: str) -> None:
    stream = await google.models.generate_content_stream(model=told, contents="hello")
    text = "".join([chunk.text or "" async for chunk in stream])
    assert text == GREETING or text.startswith("tick 0 ")


async def test_gemini_thinking_round_trip_needs_the_signature(google: Any) -> None:
    config: Any = {"tools": [{"function_declarations": [DECLARATION]}]}
    stream = await google.models.generate_content_stream(model="thinking", contents="weather?", config=config)
    parts = list(_parts([chunk async for chunk in stream]))
    assert "".join(part.text for part in parts if part.thought and part.text) == THOUGHT
    [part] = [part for part in parts if part.function_call]
    assert part.function_call
    assert part.thought_signature == SIGNATURE.encode()
    assert (part.function_call.id, part.function_call.name, part.function_call.args) == (None, "weather", ARGUMENTS)
    result = types.Part.from_function_response(name="weather", response={"result": "sun"})
    told: list[Any] = [ASKED, {"role": "model", "parts": [part]}, {"role": "user", "parts": [result]}]
    second = await google.models.generate_content(model="thinking", contents=told, config=config)
    assert second.text == "The tool said: sun."
    told[1] = {"role": "model", "parts": [types.Part(function_call=part.function_call)]}
    with pytest.raises(errors.ClientError, match="missing a thought_signature"):
        await google.models.generate_content(model="thinking", contents=told, config=config)


def _call(name: str = "f", **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {}, **more}}


def _result(said: str, name: str = "f", **more: Any) -> dict[str, Any]:
    return {"function_response": {"name": name, "response": {"result": said}, **more}}


def _turns(calls: list[dict[str, Any]], results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"contents": [ASKED, {"role": "model", "parts": calls}, {"role": "user", "parts": results}]}


async def test_gemini_results_belong_to_calls_by_order_or_by_id(upstream: FaultUpstream) -> None:
    status, answer = await generate(
        upstream, "tools~n=2", **_turns([_call(), _call()], [_result("one"), _result("two")])
    )
    assert status == 200
    assert answer["candidates"][0]["content"]["parts"][0]["text"] == "The tool said: one; two."
    named = _turns([_call(id="a"), _call(id="b")], [_result("two", id="b"), _result("one", id="a")])
    assert (await generate(upstream, "tools~n=2", **named))[0] == 200
    assert "never given out: other" in await refusal(
        upstream, "tools", **_turns([_call()], [_result("x", name="other")])
    )
    assert "never given out: gemini_fault_1" in await refusal(
        upstream, "tools~n=1", **_turns([_call(), _call()], [_result("x")] * 2)
    )


async def test_gemini_calls_have_ids_when_the_story_says_so(google: Any) -> None:
    answer = await google.models.generate_content(model="tools~ids=1~n=2", contents="x")
    assert [call.id for call in answer.function_calls] == ["gemini_fault_0", "gemini_fault_1"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"stream": True}, 'Unknown name "stream": Cannot find field.'),
        ({"generationConfig": {"max_tokens": 1}}, "Unknown name \"max_tokens\" at 'generation_config'"),
        (_turns([_call(), _call()], [_result("x")]), "the number of function response parts is equal"),
        (_turns([_call()], [{"text": "x"}]), "the number of function response parts is equal"),
        ({"contents": [{"role": "model", "parts": [_call()]}]}, "function call turn comes immediately after"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
        ({"contents": [{"role": "user", "parts": []}]}, "contents[0].parts: contents.parts must not be empty"),
        ({"contents": [ASKED, {"role": "model", "parts": [{**_call(), "thoughtSignature": "§"}]}]}, "Base64 decoding"),
        (
            {"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"items": {"const": 1}}}]}]},
            "Unknown name \"const\" at 'tools[0].function_declarations[0].parameters.items'",
        ),
    ],
)
async def test_what_gemini_refuses_is_refused(upstream: FaultUpstream, body: Any, message: str) -> None:
    assert message in await refusal(upstream, **body)
    assert (await generate(upstream, "answer~lax=1", **body))[0] == 200


async def test_gemini_reads_both_spellings(upstream: FaultUpstream) -> None:
    tools = [{"function_declarations": [{"name": "f", "parameters_json_schema": {"const": 1}}]}]
    fields = {"generation_config": {"max_output_tokens": 1}, "system_instruction": {}, "tools": tools}
    status, answer = await generate(upstream, "tools", **fields)
    assert status == 200
    assert answer["candidates"][0]["content"]["parts"][0]["functionCall"]["name"] == "f"


async def test_gemini_wants_a_key(upstream: FaultUpstream) -> None:
    url = f"{upstream.gemini_url}/models/answer:generateContent"
    status, text = await post(url, {"contents": [ASKED]})
    assert status == 403
    assert json.loads(text)["error"]["status"] == "PERMISSION_DENIED"
    assert (await post(f"{url}?key=k", {"contents": [ASKED]}))[0] == 200
    async with google_client(upstream.gemini_url, "", "invalid") as client:
        with pytest.raises(errors.ClientError) as refused:
            await client.models.generate_content(model="answer", contents="x")
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
    assert refused.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


async def test_gemini_sees_images(upstream: FaultUpstream, google: Any) -> None:
    pixel = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    answer = await google.models.generate_content(model="image", contents=[pixel])
    assert answer.text == "1 image(s): image/png (67 bytes)"
    inner = {"parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}]}
    _, nested = await generate(upstream, "image", **_turns([_call()], [_result("x", **inner)]))
    assert "1 image(s)" in nested["candidates"][0]["content"]["parts"][0]["text"]


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (400, "INVALID_ARGUMENT", errors.ClientError),
        (401, "UNAUTHENTICATED", errors.ClientError),
        (403, "PERMISSION_DENIED", errors.ClientError),
        (404, "NOT_FOUND", errors.ClientError),
        (429, "RESOURCE_EXHAUSTED", errors.ClientError),
        (500, "INTERNAL", errors.ServerError),
        (503, "UNAVAILABLE", errors.ServerError),
        (529, "UNAVAILABLE", errors.ServerError),
    ],
)
async def test_gemini_statuses_raise_the_sdk_errors(google: Any, code: int, status: str, error: type) -> None:
    with pytest.raises(error) as raised:
        await google.models.generate_content(model=f"status~code={code}", contents="x")
    assert (raised.value.code, raised.value.status) == (code, status)  # type: ignore[attr-defined]  # an APIError


async def test_gemini_says_in_the_body_when_to_come_back(upstream: FaultUpstream) -> None:
    status, answer = await generate(upstream, "status~code=429")
    assert status == 429
    [retry] = [detail for detail in answer["error"]["details"] if detail["@type"].endswith("RetryInfo")]
    assert retry["retryDelay"] == "2s"


async def test_an_error_inside_a_gemini_stream_is_one_more_event(upstream: FaultUpstream) -> None:
    url = f"{upstream.gemini_url}/models/error_mid:streamGenerateContent?alt=sse"
    status, text = await post(url, {"contents": [ASKED]}, **{"x-goog-api-key": "k"})
    rows = [json.loads(block.removeprefix("data: ")) for block in text.split("\n\n")[:-1]]
    assert (status, [next(iter(row)) for row in rows]) == (200, ["candidates"] * 3 + ["error"])
    assert rows[-1]["error"]["status"] == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("told", "keys"),
    [
        ("tick~n=2", ["candidates"] * 3),
        ("tick~n=9~pieces=7", ["candidates"] * 10),
        ("error_mid", ["candidates"] * 3 + ["error"]),
        ("error_first", ["error"]),
    ],
)
async def test_without_sse_a_gemini_stream_is_one_array(upstream: FaultUpstream, told: str, keys: list[str]) -> None:
    status, rows = await generate(upstream, told, "streamGenerateContent")
    assert (status, [next(iter(row)) for row in rows]) == (200, keys)


async def test_an_array_that_ends_early_is_not_closed(upstream: FaultUpstream) -> None:
    url = f"{upstream.gemini_url}/models/tick~end=eof~after=2:streamGenerateContent"
    _, text = await post(url, {"contents": [ASKED]}, **{"x-goog-api-key": "k"})
    assert len(json.loads(text + "]")) == 2
    _, text = await post(f"{upstream.gemini_url}/models/answer:streamGenerateContent", {"contents": [ASKED]})
    [refused] = json.loads(text)
    assert refused["error"]["code"] == 403


@pytest.mark.parametrize("quote", [str, lambda text: "".join(f"%{ord(each):02X}" for each in text)])
async def test_the_story_in_a_gemini_path_may_be_encoded(upstream: FaultUpstream, quote: Callable[[str], str]) -> None:
    model = story("answer", text="a:b")
    url = f"{upstream.gemini_url}/models/{quote(model)}{quote(':')}generateContent"
    _, text = await post(url, {"contents": [ASKED]}, **{"x-goog-api-key": "k"})
    assert "a:b" in text
    assert upstream.log.of(model)
    raw = upstream.register(response(b"{}"))
    assert await generate(upstream, raw) == (200, {})


async def test_gemini_counts_and_embeds(upstream: FaultUpstream, google: Any) -> None:
    counted = await google.models.count_tokens(model="answer~prompt=5", contents="x")
    assert counted.total_tokens == 5
    embedded = await google.models.embed_content(model="embed", contents=["four", "x"])
    first, second = embedded.embeddings
    assert len(first.values) == 4
    assert first.values != second.values
    _, single = await generate(upstream, "embed", "embedContent", content={"parts": [{"text": "four"}]})
    assert single == {"embedding": {"values": first.values}}
    wide = await google.models.embed_content(model="embed", contents="x", config={"output_dimensionality": 7})
    assert len(wide.embeddings[0].values) == 7
