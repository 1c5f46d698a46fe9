import asyncio
import json

import pytest

from llm_proxy_local import provide
from llm_proxy_local.options import LocalOptions
from proxy_core.api import (
    ConfigurationError,
    DomainRequest,
    InvalidRequestError,
    MediaPart,
    Message,
    ModelNotFoundError,
    ReasoningPart,
    ResponseEnvelope,
    ResponseFormat,
    ServiceUnavailableError,
    StreamingResponseHandle,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)

MODEL = "smollm2-135m-instruct"


def user(*parts):
    return Message(role="user", content=[TextPart(text=part) if isinstance(part, str) else part for part in parts])


def ask(*messages, **fields):
    return DomainRequest(model=MODEL, **{"messages": list(messages), "max_tokens": 16, "temperature": 0.0, **fields})


async def answered(backend, request):
    """The whole answer."""
    envelope = await backend.chat_completions(request, [], MODEL)
    assert isinstance(envelope, ResponseEnvelope)
    return envelope.content


async def streamed(backend, request):
    """The chunks of a streamed answer."""
    request.stream = True
    handle = await backend.chat_completions(request, [], MODEL)
    assert isinstance(handle, StreamingResponseHandle)
    return [piece.content async for piece in handle]


async def test_a_stream_says_what_the_whole_answer_says(make_backend):
    backend = await make_backend()
    whole = await answered(backend, ask(user("Tell me about cats."), seed=1))
    chunks = await streamed(backend, ask(user("Tell me about cats."), seed=1))
    assert "".join(delta.text for chunk in chunks for delta in chunk.deltas) == whole.text != ""
    assert [chunk.terminal for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].finish[0].reason == whole.finish_reason == "length"
    assert chunks[-1].usage == whole.usage
    assert whole.usage.output_tokens == 16
    assert whole.usage.input_tokens > 20
    assert {chunk.model for chunk in chunks} == {whole.model} == {MODEL}


async def test_it_answers_with_blocking_calls_forbidden(make_backend):
    blockbuster = pytest.importorskip("blockbuster")
    backend = await make_backend()
    with blockbuster.blockbuster_ctx():
        assert (await answered(backend, ask(user("Hello")))).text


async def test_a_stop_sequence_is_named(make_backend):
    backend = await make_backend()
    free = (await answered(backend, ask(user("Count to ten.")))).text
    response = await answered(backend, ask(user("Count to ten."), stop=[free[5:8]]))
    assert (response.finish_reason, response.choices[0].stop_sequence) == ("stop", free[5:8])


async def test_leaving_a_stream_stops_the_generation(make_backend, until_idle):
    backend = await make_backend()
    handle = await backend.chat_completions(ask(user("Tell me a story."), max_tokens=1500, stream=True), [], MODEL)
    await anext(aiter(handle))
    await handle.iterator.aclose()
    assert await until_idle(backend._engine.pid) < 1.0


async def test_the_cancel_callback_stops_the_generation(make_backend, until_idle):
    backend = await make_backend()
    handle = await backend.chat_completions(ask(user("Tell me a story."), max_tokens=1500, stream=True), [], MODEL)
    await anext(aiter(handle))
    await handle.cancel_callback()
    await handle.cancel_callback()
    assert await until_idle(backend._engine.pid) < 1.0


async def test_giving_up_a_whole_answer_stops_the_generation(make_backend, until_idle):
    backend = await make_backend()
    await answered(backend, ask(user("Hello")))
    task = asyncio.create_task(answered(backend, ask(user("Tell me a story."), max_tokens=1500)))
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait([task])
    assert await until_idle(backend._engine.pid) < 1.0


async def test_a_full_queue_is_a_503_that_says_when_to_come_back(make_backend):
    backend = await make_backend(queue_size=0)
    handle = await backend.chat_completions(ask(user("Tell me a story."), max_tokens=1500, stream=True), [], MODEL)
    with pytest.raises(ServiceUnavailableError, match="queue_size") as caught:
        await answered(backend, ask(user("Hello")))
    assert (caught.value.status_code, caught.value.code) == (503, "queue_full")
    assert caught.value.retry_after > 0
    await handle.cancel_callback()


async def test_a_prompt_too_long_is_a_400_with_both_numbers(make_backend):
    backend = await make_backend(context_size=512)
    for answer in (answered, streamed):
        with pytest.raises(InvalidRequestError, match=r"1\d{3} tokens.* 512; .*context_size") as caught:
            await answer(backend, ask(user("word " * 1000)))
        assert (caught.value.status_code, caught.value.code) == (400, "context_length_exceeded")


async def test_offered_tools_are_left_out_and_reported(make_backend):
    backend = await make_backend()
    request = ask(user("Hello"), tools=[Tool(name="weather")], tool_choice=ToolChoice(mode="auto"), logprobs=True, n=2)
    assert (await answered(backend, request)).text
    assert set(request.dropped) == {"tools", "tool_choice", "logprobs", "n"}


@pytest.mark.parametrize("mode", ["required", "tool"])
async def test_a_tool_that_must_be_called_is_refused(make_backend, mode):
    backend = await make_backend()
    request = ask(user("Hello"), tools=[Tool(name="weather")], tool_choice=ToolChoice(mode=mode, name="weather"))
    with pytest.raises(InvalidRequestError, match="cannot call tools"):
        await answered(backend, request)


async def test_images_are_refused_wherever_they_stand(make_backend):
    backend = await make_backend()
    image = MediaPart(kind="image", media_type="image/png", data="iVBORw0KGgo=")
    for message in (user("What is this?", image), user(ToolResultPart(tool_call_id="1", content=[image]))):
        with pytest.raises(InvalidRequestError, match="the local model reads text only"):
            await answered(backend, ask(message))


async def test_tools_and_thoughts_of_earlier_turns_become_text(make_backend):
    backend = await make_backend()
    called = Message(
        role="assistant",
        content=[ReasoningPart(text="hm"), ToolCallPart(id="1", name="weather", arguments='{"city": "Oslo"}')],
    )
    request = ask(
        Message(role="system", content=[TextPart(text="Be brief.")]),
        user("Weather in Oslo?"),
        called,
        user(ToolResultPart(tool_call_id="1", content=[TextPart(text="12 degrees")])),
        user("So?"),
    )
    assert (await answered(backend, request)).text
    assert set(request.dropped) == {"tool_calls", "tool_results", "reasoning"}


async def test_lone_surrogates_do_no_harm(make_backend):
    backend = await make_backend()
    assert (await answered(backend, ask(user("Say \ud800 hello \U0001f600")))).text


async def test_json_that_fits_a_schema_can_be_asked_for(make_backend):
    backend = await make_backend()
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "maximum": 99}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    wanted = ResponseFormat(type="json_schema", name="person", schema=schema)
    response = await answered(backend, ask(user("Invent a person."), response_format=wanted, max_tokens=100))
    assert set(json.loads(response.text)) == {"name", "age"}


async def test_a_schema_that_makes_no_sense_is_a_400(make_backend):
    backend = await make_backend()
    wanted = ResponseFormat(type="json_schema", schema={"$ref": "#/nowhere"})
    with pytest.raises(InvalidRequestError, match="nowhere"):
        await answered(backend, ask(user("Hello"), response_format=wanted))


async def test_an_empty_conversation_is_a_400(make_backend):
    backend = await make_backend()
    with pytest.raises(InvalidRequestError, match="messages"):
        await answered(backend, ask())


async def test_another_model_is_not_found(make_backend):
    backend = await make_backend()
    with pytest.raises(ModelNotFoundError, match=MODEL):
        await backend.chat_completions(ask(user("Hello")), [], "gpt-9")


async def test_the_model_has_its_files_name_or_the_configured_one(make_backend, weights, tmp_path):
    copy = tmp_path / "My-Model-v2.Q8_0.gguf"
    copy.symlink_to(weights)
    assert (await make_backend()).get_available_models() == [MODEL]
    assert (await make_backend(model_path=copy)).get_available_models() == ["my-model-v2"]
    assert (await make_backend(model_path=str(copy), model_name="mine")).get_available_models() == ["mine"]


async def test_nothing_is_loaded_before_it_is_needed(make_backend):
    backend = await make_backend()
    assert backend._engine.pid is None
    eager = await make_backend(preload=True)
    await asyncio.sleep(0.3)
    assert eager._engine.pid is not None


async def test_a_missing_file_is_named_with_the_way_out(make_backend, tmp_path):
    with pytest.raises(ConfigurationError, match=r"no\.gguf.*No such file.*llm-proxy local install"):
        await make_backend(model_path=tmp_path / "no.gguf")


async def test_a_file_of_another_kind_is_named(make_backend, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"something else")
    with pytest.raises(ConfigurationError, match=r"model\.safetensors.*no GGUF file"):
        await make_backend(model_path=path)


def test_the_definition_says_what_the_model_cannot_do():
    definition = provide()
    assert definition.backend_name == "local"
    assert definition.enabled_by_default
    assert definition.options_model is LocalOptions
    assert (definition.capabilities.tools, definition.capabilities.vision) == (False, False)


def test_every_option_is_described():
    assert [name for name, field in LocalOptions.model_fields.items() if not field.description] == []
