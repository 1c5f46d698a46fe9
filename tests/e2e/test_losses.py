"""What a format cannot say is left out, and told in `x-llm-proxy-dropped`; all else arrives."""

import pytest

from tests.e2e import seen
from tests.e2e.answers import EVENTS, WHOLE, Client, Question, Way
from tests.fault_upstream import FaultUpstream, story

STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)


PENALTIES = {"presence_penalty": 0.5, "frequency_penalty": 0.25}
NOTHING: Question = {"presence_penalty": 0, "logprobs": False, "logit_bias": {}}
LOSSES: dict[str, list[tuple[Question, set[str]]]] = {
    "anthropic": [
        ({"seed": 7}, {"seed"}),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs", "top_logprobs"}),
        (PENALTIES, set(PENALTIES)),
        ({"logit_bias": {"5": 10}}, {"logit_bias"}),
        ({"store": True}, {"store"}),
        ({"extra_body": {"made_up": 1}}, {"made_up"}),
        (NOTHING, set()),
    ],
    "openai-responses": [
        ({"seed": 7}, {"seed"}),
        (PENALTIES, set(PENALTIES)),
        ({"logit_bias": {"5": 10}}, {"logit_bias"}),
        ({"stop": ["END"]}, {"stop"}),
        ({"extra_body": {"made_up": 1}}, {"made_up"}),
        (NOTHING, set()),
    ],
    "gemini": [
        ({"seed": 7}, set()),
        (PENALTIES, set()),
        ({"logit_bias": {"5": 10}}, {"logit_bias"}),
        ({"extra_body": {"made_up": 1}}, {"made_up"}),
        (NOTHING, set()),
    ],
}


@STREAMED
@pytest.mark.parametrize(
    ("there", "fields", "dropped"),
    [(there, *row) for there, rows in LOSSES.items() for row in rows],
    ids=lambda value: value if isinstance(value, str) else "+".join(value) if isinstance(value, dict) else "",
)
def test_what_others_lack_of_chat_is_dropped_and_told(
    clients: dict[str, Client], way: Way, there: str, fields: Question, dropped: set[str], upstream: FaultUpstream
) -> None:
    client, model = clients["openai"], story("answer")
    assert client.ask(way, f"{there}:{model}", client.question(**fields)).dropped == dropped
    sent = upstream.log.of(model)[-1].json
    assert not dropped & sent.keys()


@STREAMED
def test_what_chat_lacks_of_messages_is_dropped_and_told(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients["anthropic"], story("answer")
    cached = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    question = client.question(extra_body={"top_k": 5}) | {"system": [cached]}
    assert client.ask(way, f"openai:{model}", question).dropped == {"top_k", "cache_control"}
    sent = upstream.log.of(model)[-1].json
    assert "top_k" not in sent
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}


@STREAMED
def test_what_chat_lacks_of_gemini_is_dropped_and_told(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients["gemini"], story("answer")
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    question = client.question(top_k=5, safety_settings=safety)
    assert client.ask(way, f"openai:{model}", question).dropped == {"topK", "safetySettings"}
    assert upstream.log.of(model)[-1].json.keys() <= {"model", "messages", "stream", "stream_options"}


SERVER_TOOLS = {
    "openai-responses": {"type": "web_search"},
    "anthropic": {"type": "web_search_20250305", "name": "web_search"},
    "gemini": {"google_search": {}},
}


@STREAMED
@pytest.mark.parametrize("speaker", SERVER_TOOLS)
def test_a_server_tool_is_left_out_and_told(
    clients: dict[str, Client], speaker: str, way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients[speaker], story("tools")
    offered = client.question(tools=1)
    tools = (offered.get("config") or offered)["tools"]
    tools.append(SERVER_TOOLS[speaker])
    answer = client.ask(way, f"openai:{model}", offered)
    assert any("search" in name.lower() for name in answer.dropped)
    assert [name for name, _ in seen.tools("openai", upstream.log.of(model)[-1].json)] == ["get_weather"]


@STREAMED
def test_the_same_format_loses_nothing(client: Client, way: Way, upstream: FaultUpstream) -> None:
    model = story("answer", lax=1)
    extra = {"top_k": 5, "seed": 7, "logprobs": True, "made_up": {"a": None}}
    assert client.ask(way, f"{client.format}:{model}", client.question(extra_body=extra)).dropped == set()
    sent = upstream.log.of(model)[-1].json
    assert {name: sent[name] for name in extra} == extra


STOPS = ["END", "STOP"]
STOP_WORDS = {"openai": "stop", "anthropic": "stop_sequences", "gemini": "stopSequences"}
"""Responses has no stop sequences."""


@STREAMED
@pytest.mark.parametrize("sampling", [{"temperature": 0.25}, {"top_p": 0.5}], ids=["temperature", "top_p"])
def test_sampling_keeps_its_meaning(
    client: Client, backend: str, way: Way, sampling: Question, upstream: FaultUpstream
) -> None:
    model, word = story("answer"), STOP_WORDS.get(client.format)
    asked = {**sampling, word: STOPS} if word else sampling
    fields = {"extra_body": {"generationConfig": _camel(asked)} if client.format == "gemini" else asked}
    answer = client.ask(way, f"{backend}:{model}", client.question(**fields))
    stopped = {"stop": STOPS} if word and backend in STOP_WORDS else {}
    assert seen.sampling(backend, upstream.log.of(model)[-1].json) == {**sampling, **stopped}
    assert answer.dropped == ({word} if word and not stopped else set())


def _camel(fields: Question) -> Question:
    return {{"top_p": "topP"}.get(name, name): value for name, value in fields.items()}


@STREAMED
def test_what_anthropic_takes_not_together_is_told(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients["openai"], story("answer")
    question = client.question(temperature=0.25, top_p=0.5)
    assert client.ask(way, f"anthropic:{model}", question).dropped == {"top_p"}
    assert upstream.log.of(model)[-1].json["temperature"] == 0.25


USERS: dict[str, Question] = {
    "openai": {"user": "u-1"},
    "openai-responses": {"user": "u-1"},
    "anthropic": {"metadata": {"user_id": "u-1"}},
}
"""Gemini has no such name."""


@STREAMED
@pytest.mark.parametrize("speaker", USERS)
def test_the_user_keeps_its_name(
    clients: dict[str, Client], speaker: str, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients[speaker], story("answer")
    answer = client.ask(way, f"{backend}:{model}", client.question(**USERS[speaker]))
    sent, expected = upstream.log.of(model)[-1].json, USERS.get(backend, {})
    assert {name: sent[name] for name in expected} == expected
    assert len(answer.dropped) == (backend == "gemini")


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, Question] = {
    "openai": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "response", "schema": SCHEMA, "strict": True},
        }
    },
    "openai-responses": {
        "extra_body": {
            "text": {"format": {"type": "json_schema", "name": "response", "schema": SCHEMA, "strict": True}}
        }
    },
    "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "gemini": {"response_mime_type": "application/json", "response_json_schema": SCHEMA},
}


@STREAMED
def test_a_schema_for_the_answer_keeps_its_meaning(
    client: Client, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    model = story("answer")
    answer = client.ask(way, f"{backend}:{model}", client.question(**SCHEMAS[client.format]))
    assert seen.schema(backend, upstream.log.of(model)[-1].json) == SCHEMA
    assert answer.dropped == set()
