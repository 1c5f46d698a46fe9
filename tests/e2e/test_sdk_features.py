"""What the SDKs offer beyond a plain call: parsed answers, strict tools, the beta client, deprecated fields."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from tests.e2e import seen
from tests.e2e.answers import EVENTS, WHOLE, Client, Question, Way
from tests.e2e.raw import chat_answer, messages_answer
from tests.fault_upstream import ARGUMENTS, GREETING, FaultUpstream, story

STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)


class City(BaseModel):
    """What the model shall answer with."""

    name: str
    people: int


BERN = City(name="Bern", people=137_000)


def _parsed_chat(client: Client, model: str) -> Any:
    completion = client.sync.chat.completions.parse(model=model, response_format=City, **client.question())
    return completion.choices[0].message.parsed


def _parsed_responses(client: Client, model: str) -> Any:
    return client.sync.responses.parse(model=model, text_format=City, **client.question()).output_parsed


def _parsed_message(client: Client, model: str) -> Any:
    return client.sync.messages.parse(model=model, output_format=City, **client.question()).parsed_output


def _parsed_content(client: Client, model: str) -> Any:
    wish = {"response_mime_type": "application/json", "response_schema": City}
    return client.ask(WHOLE, model, client.question(**wish)).native.parsed


def _streamed_chat(client: Client, model: str) -> Any:
    with client.sync.chat.completions.stream(model=model, response_format=City, **client.question()) as stream:
        return stream.get_final_completion().choices[0].message.parsed


def _streamed_response(client: Client, model: str) -> Any:
    with client.sync.responses.stream(model=model, text_format=City, **client.question()) as stream:
        return stream.get_final_response().output_parsed


def _streamed_message(client: Client, model: str) -> Any:
    with client.sync.messages.stream(model=model, output_format=City, **client.question()) as stream:
        return stream.get_final_message().content[0].parsed_output


def _streamed_content(client: Client, model: str) -> Any:
    """This SDK leaves the parsing to its users."""
    wish = {"response_mime_type": "application/json", "response_json_schema": City.model_json_schema()}
    return City.model_validate_json(client.ask(EVENTS, model, client.question(**wish)).text)


PARSED = {
    "openai": (_parsed_chat, _streamed_chat),
    "openai-responses": (_parsed_responses, _streamed_response),
    "anthropic": (_parsed_message, _streamed_message),
    "gemini": (_parsed_content, _streamed_content),
}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_structured_answers_are_parsed(client: Client, backend: str, streams: bool, upstream: FaultUpstream) -> None:
    model = story("answer", text=BERN.model_dump_json())
    assert PARSED[client.format][streams](client, f"{backend}:{model}") == BERN
    schema = seen.schema(backend, upstream.log.of(model)[-1].json)
    assert set(schema["required"]) == {"name", "people"}


def test_strict_tools_are_parsed(clients: dict[str, Client], backend: str, upstream: FaultUpstream) -> None:
    client, model = clients["openai"], story("tools")
    question = client.question(tools=1)
    question["tools"][0]["function"]["strict"] = True
    question["tools"][0]["function"]["parameters"]["additionalProperties"] = False
    with client.sync.chat.completions.stream(model=f"{backend}:{model}", **question) as stream:
        held = stream.get_final_completion().choices[0].message
    [call] = held.tool_calls
    assert call.function.parsed_arguments == ARGUMENTS
    result = {"role": "tool", "tool_call_id": call.id, "content": "5"}
    question["messages"] += [held, result]
    second = client.ask(WHOLE, f"{backend}:{model}", question)
    assert second.text == "The tool said: 5."
    assert second.dropped == ({"strict"} if backend == "gemini" else set())
    if backend != "gemini":  # where no tool is strict
        tool = upstream.log.of(model)[-1].json["tools"][0]
        assert (tool["function"] if backend == "openai" else tool)["strict"] is True


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_beta_client_is_served(
    clients: dict[str, Client], backend: str, stream: bool, upstream: FaultUpstream
) -> None:
    """It posts to `/v1/messages?beta=true`; its flags go to Anthropic alone."""
    client, model = clients["anthropic"], story("answer")
    asked = {"model": f"{backend}:{model}", "betas": ["a-2026-01-01", "b-2026-01-01"], **client.question()}
    if stream:
        with client.sync.beta.messages.stream(**asked) as events:
            message = events.get_final_message()
    else:
        message = client.sync.beta.messages.create(**asked)
    assert message.content[0].text == GREETING
    flags = upstream.log.of(model)[-1].headers.get("anthropic-beta")
    assert flags == ("a-2026-01-01,b-2026-01-01" if backend == "anthropic" else None)


@STREAMED
def test_the_clients_api_version_goes_to_anthropic(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    model = story("answer")
    clients["anthropic"].ask(way, f"anthropic:{model}", clients["anthropic"].question())
    seen = upstream.log.of(model)[-1].headers["anthropic-version"]
    model = story("answer")
    clients["openai"].ask(way, f"anthropic:{model}", clients["openai"].question())
    assert upstream.log.of(model)[-1].headers["anthropic-version"] == "2023-06-01"
    assert seen >= "2023-06-01"


@STREAMED
def test_a_free_text_tool_is_offered_to_anthropic_as_a_function(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client = clients["openai"]
    model = messages_answer(upstream, way, {"type": "text", "text": "No need."})
    tool = {"type": "custom", "custom": {"name": "patch", "description": "Applies a patch."}}
    client.ask(way, f"anthropic:{model}", client.question() | {"tools": [tool]})
    [sent] = upstream.log.of(model)[-1].json["tools"]
    assert (sent["name"], sent["input_schema"]["required"]) == ("patch", ["input"])


@STREAMED
def test_a_free_text_tool_gets_its_text(clients: dict[str, Client], way: Way, upstream: FaultUpstream) -> None:
    client = clients["openai"]
    call = {"type": "tool_use", "id": "toolu_1", "name": "patch", "input": {"input": "*** Begin\n+a"}}
    model = messages_answer(upstream, way, call, stop_reason="tool_use")
    tool = {"type": "custom", "custom": {"name": "patch"}}
    asked = {"model": f"anthropic:{model}", **client.question(), "tools": [tool], "stream": way.streams}
    with client.sync.chat.completions.with_streaming_response.create(**asked) as raw:
        body = raw.http_response.read().decode().replace('": ', '":')
    assert '"custom":{"name":"patch"' in body
    assert r'"input":"*** Begin\n+a"' in body


@STREAMED
@pytest.mark.parametrize("there", ["openai", "anthropic", "gemini"])
def test_a_free_text_tool_of_responses_is_offered_to_everybody(
    clients: dict[str, Client], there: str, way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients["openai-responses"], story("answer")
    tool = {"type": "custom", "name": "patch", "description": "Applies a patch."}
    answer = client.ask(way, f"{there}:{model}", client.question(tools=1) | {"tools": [tool]})
    sent = upstream.log.of(model)[-1].json
    assert "patch" in json.dumps(sent["tools"])
    assert answer.dropped == set()


@STREAMED
def test_a_free_text_tool_of_responses_gets_its_text(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client = clients["openai-responses"]
    call = {"type": "tool_use", "id": "toolu_1", "name": "patch", "input": {"input": "*** Begin\n+a"}}
    model = messages_answer(upstream, way, call, stop_reason="tool_use")
    question = client.question() | {"tools": [{"type": "custom", "name": "patch"}]}
    [item] = client.ask(way, f"anthropic:{model}", question).native.output
    assert (item.type, item.call_id, item.input) == ("custom_tool_call", "toolu_1", "*** Begin\n+a")


@STREAMED
@pytest.mark.parametrize("field", [{"previous_response_id": "resp_1"}, {"background": True}], ids=" ".join)
@pytest.mark.parametrize("there", ["openai", "anthropic", "gemini"])
def test_state_that_nobody_has_is_refused(
    clients: dict[str, Client], there: str, field: Question, way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients["openai-responses"], story("answer")
    with pytest.raises(client.sdk.BadRequestError, match=next(iter(field))):
        client.ask(way, f"{there}:{model}", client.question(**field))
    assert upstream.log.of(model) == []


@STREAMED
def test_the_functions_of_2023_still_work(clients: dict[str, Client], way: Way, upstream: FaultUpstream) -> None:
    client = clients["openai"]
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Bern"}}
    told = messages_answer(upstream, way, call, stop_reason="tool_use")
    function = client.question(tools=1)["tools"][0]["function"]
    first = client.ask(way, f"anthropic:{told}", client.question(functions=[function]))
    assert first.calls[0].arguments == {"city": "Bern"}
    [tool] = upstream.log.of(told)[-1].json["tools"]
    assert tool["name"] == "get_weather"


@STREAMED
def test_a_null_where_the_sdk_types_allow_one_is_no_error(
    clients: dict[str, Client], backend: str, way: Way, upstream: FaultUpstream
) -> None:
    client = clients["openai"]
    nothing = {"temperature": None, "stop": None, "max_tokens": None, "seed": None, "logit_bias": None, "n": None}
    answer = client.ask(way, f"{backend}:{story('answer')}", client.question(**nothing))
    assert (answer.text, answer.dropped) == (GREETING, set())


@STREAMED
def test_a_prefilled_answer_goes_on(client: Client, backend: str, way: Way, upstream: FaultUpstream) -> None:
    model = story("answer")
    client.ask(way, f"{backend}:{model}", client.going_on(client.question("Count."), ("assistant", "One, two,")))
    assert seen.turns(backend, upstream.log.of(model)[-1].json)[-1] == ("assistant", "One, two,")


def test_a_large_image_and_a_large_answer_pass(client: Client, backend: str, upstream: FaultUpstream) -> None:
    image = client.image("image/png", "A" * 2_000_000)
    answer = client.ask(WHOLE, f"{backend}:{story('image')}", client.question(media=(image,)))
    assert answer.text == "1 image(s): image/png (1500000 bytes)"
    streamed = client.ask(EVENTS, f"{backend}:{story('huge_line', mib=1)}", client.question())
    assert streamed.text == "y" * (1 << 20)


@STREAMED
def test_arguments_that_are_no_json_reach_the_client(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    """Nothing that the model wrote is lost, though Messages has objects only."""
    broken = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "[1, 2]"}}
    model = chat_answer(upstream, WHOLE, "tool_calls", tool_calls=[broken])
    answer = clients["anthropic"].ask(WHOLE, f"openai:{model}", clients["anthropic"].question(tools=1))
    assert json.dumps([1, 2]) in json.dumps(answer.calls[0].arguments)
