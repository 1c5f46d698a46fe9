"""Plain answers: text, usage, finish reason, model, system prompts, ids; every way of every pairing."""

import asyncio
import json
from itertools import permutations
from typing import Any

import pytest

from tests.e2e import seen
from tests.e2e.answers import EVENTS, KEY, WAYS, WHOLE, Client, Counts, Way
from tests.e2e.pairs import FORMATS
from tests.fault_upstream import GREETING, FaultUpstream, story
from tests.support.proxy import RunningProxy

STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)


def test_text_arrives_as_the_upstream_said_it(client: Client, backend: str, way: Way) -> None:
    answer = client.ask(way, f"{backend}:{story('answer')}", client.question())
    assert (answer.text, answer.finish, answer.calls, answer.thinking) == (GREETING, "stop", [], "")
    assert answer.usage == Counts(21, 9)
    assert answer.lane == ("passthrough" if client.format == backend else "translated")
    assert answer.dropped == set()


@STREAMED
def test_all_of_unicode_survives_both_directions(
    client: Client, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    text = 'emoji 👩\u200d🚀 — "quotes" \\ \u2028 \x85 עברית ' + "e\u0301"
    model = story("answer", text=text)
    assert client.ask(way, f"{backend}:{model}", client.question(text)).text == text
    assert seen.turns(backend, upstream.log.of(model)[-1].json) == [("user", text)]


@pytest.mark.parametrize("name", ["answer", "tick", "tools~n=2", "thinking", "answer~finish=length", "answer~text="])
def test_every_way_collects_the_same_answer(client: Client, backend: str, name: str) -> None:
    """The SDKs' own objects, but for what is minted anew."""
    model, question = f"{backend}:{story(name, ids=1)}", client.question(tools=1)
    whole, *others = [_stripped(client.essence(client.ask(way, model, question))) for way in WAYS]
    for other in others:
        assert other == whole


def _stripped(value: Any) -> Any:
    """Without nulls, numbers of list entries, spaces in JSON, what the SDKs add, and tags that they repeat."""
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _stripped(item) for key, item in value.items() if key not in ("index", "format")}
    if "arguments" in kept:
        kept["arguments"] = json.loads(kept["arguments"])
    return {key: item for key, item in kept.items() if item not in (None, [], "", {}) and not key.startswith("parsed")}


@STREAMED
def test_an_answer_cut_by_its_limit_says_so(client: Client, backend: str, way: Way) -> None:
    answer = client.ask(way, f"{backend}:{story('answer', finish='length')}", client.question())
    assert (answer.text, answer.finish) == (GREETING, "length")


def test_usage_counts_mean_the_same_in_each_format(client: Client, backend: str, way: Way) -> None:
    """Only Anthropic's format does not tell how much of the output was reasoning."""
    model = story("answer", prompt=100, cached=40, output=30, reasoning=12)
    answer = client.ask(way, f"{backend}:{model}", client.question())
    assert answer.usage == Counts(100, 30, cached=40, reasoning=0 if backend == "anthropic" else 12)


@STREAMED
def test_anthropic_clients_see_cached_input_apart(clients: dict[str, Client], backend: str, way: Way) -> None:
    client = clients["anthropic"]
    model = story("answer", prompt=100, cached=40, output=30)
    usage = client.ask(way, f"{backend}:{model}", client.question()).native.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (60, 40, 30)


@STREAMED
def test_gemini_clients_see_reasoning_apart(clients: dict[str, Client], backend: str, way: Way) -> None:
    client = clients["gemini"]
    model = story("answer", output=30, reasoning=12)
    usage = client.ask(way, f"{backend}:{model}", client.question()).native.usage_metadata
    apart = (30, None) if backend == "anthropic" else (18, 12)
    assert (usage.candidates_token_count, usage.thoughts_token_count) == apart


def test_chat_clients_get_streamed_usage_only_on_request(
    clients: dict[str, Client], backend: str, proxy: RunningProxy
) -> None:
    client = clients["openai"]
    question = client.question(stream_options={"include_usage": False})
    request_id = f"usage-{backend}"
    answer = client.ask(
        EVENTS, f"{backend}:{story('answer')}", {**question, "extra_headers": {"x-request-id": request_id}}
    )
    assert answer.usage is None
    logged = proxy.wait_logged("request", request_id=request_id)
    if backend != client.format:  # on the lossless lane the upstream was not asked for any
        assert (logged["input_tokens"], logged["output_tokens"]) == (21, 9)


@STREAMED
def test_a_translated_answer_names_the_model_that_was_asked_for(client: Client, backend: str, way: Way) -> None:
    """The lossless lane hands on the upstream's bytes, and with them its name for the model."""
    model = story("answer")
    answer = client.ask(way, f"{backend}:{model}", client.question())
    assert answer.model == (model if client.format == backend else f"{backend}:{model}")


def test_an_alias_reaches_its_model(client: Client, way: Way) -> None:
    answer = client.ask(way, "the-alias", client.question())
    assert answer.text == "from the alias"


@STREAMED
def test_system_prompts_go_where_each_format_has_them(
    client: Client, backend: str, way: Way, upstream: FaultUpstream
) -> None:
    model = story("answer")
    client.ask(way, f"{backend}:{model}", client.question("Hi", system="Be brief — très."))
    sent = upstream.log.of(model)[-1].json
    assert seen.turns(backend, sent) == [("system", "Be brief — très."), ("user", "Hi")]


@STREAMED
def test_developer_and_system_messages_both_reach_anthropic(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    model, client = story("answer"), clients["openai"]
    question = client.question("Hi", system="First.")
    question["messages"].insert(1, {"role": "developer", "content": [{"type": "text", "text": "Second."}]})
    client.ask(way, f"anthropic:{model}", question)
    sent = upstream.log.of(model)[-1].json
    assert [block["text"] for block in sent["system"]] == ["First.", "Second."]


def test_several_turns_arrive_in_order(client: Client, backend: str, upstream: FaultUpstream) -> None:
    model = story("answer")
    question = client.going_on(client.question("One"), ("assistant", "Two"), ("user", "Three"))
    client.ask(WHOLE, f"{backend}:{model}", question)
    sent = upstream.log.of(model)[-1].json
    assert seen.turns(backend, sent) == [("user", "One"), ("assistant", "Two"), ("user", "Three")]


@STREAMED
def test_a_conversation_goes_on_at_another_upstream(client: Client, way: Way, upstream: FaultUpstream) -> None:
    """With the answer as the client holds it: its empty fields are no loss."""
    question = client.question("One")
    for here, there in permutations(FORMATS, 2):
        answer = client.ask(way, f"{here}:{story('answer', text='Two')}", question)
        model, later = story("answer"), client.going_on(client.next_turn(question, answer, {}), ("user", "Three"))
        assert client.ask(way, f"{there}:{model}", later).dropped == set(), (here, there)
        said = seen.turns(there, upstream.log.of(model)[-1].json)
        assert said == [("user", "One"), ("assistant", "Two"), ("user", "Three")], (here, there)


def test_the_same_format_reaches_the_upstream_untouched(clients: dict[str, Client], upstream: FaultUpstream) -> None:
    """All but the model's name: fields that nobody knows, their order, and numbers as they were written."""
    for name, client in clients.items():
        model = story("answer", lax=1)
        extra = {"unheard_of": {"b": 1, "a": [1.0, 1e3, None]}}
        client.ask(WHOLE, f"{name}:{model}", client.question("Hé", extra_body=extra))
        sent = upstream.log.of(model)[-1]
        assert sent.json["unheard_of"] == extra["unheard_of"]
        assert list(sent.json["unheard_of"]) == ["b", "a"]


@STREAMED
def test_max_tokens_arrives_and_has_a_default_where_it_must(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client = clients["openai"]
    for fields, expected in (({}, 16_384), ({"max_completion_tokens": 50}, 50), ({"max_tokens": 60}, 60)):
        model = story("answer")
        client.ask(way, f"anthropic:{model}", client.question(**fields))
        assert upstream.log.of(model)[-1].json["max_tokens"] == expected


@STREAMED
def test_the_limit_of_tokens_keeps_its_meaning(client: Client, backend: str, way: Way, upstream: FaultUpstream) -> None:
    model = story("answer")
    client.ask(way, f"{backend}:{model}", client.question(limit=60))
    assert seen.limit(backend, upstream.log.of(model)[-1].json) == 60


@STREAMED
def test_request_ids_come_back_to_the_client(client: Client, backend: str, way: Way) -> None:
    question = client.question(extra_headers={"x-request-id": "mine-1"})
    assert client.ask(way, f"{backend}:{story('answer')}", question).headers["x-request-id"] == "mine-1"
    minted = [client.ask(way, f"{backend}:{story('answer')}", client.question()) for _ in range(2)]
    first, second = (answer.headers["x-request-id"] for answer in minted)
    assert first.startswith("req_")
    assert first != second


def test_the_sdk_finds_the_request_id_where_its_provider_puts_it(clients: dict[str, Client], backend: str) -> None:
    """Google's SDK looks for none."""
    for client in (client for name, client in clients.items() if name != "gemini"):
        native = client.ask(WHOLE, f"{backend}:{story('answer')}", client.question()).native
        assert native._request_id.startswith("req_")
        with pytest.raises(client.sdk.APIStatusError) as caught:
            client.ask(WHOLE, f"{backend}:{story('status', code=400)}", client.question())
        assert caught.value.request_id.startswith("req_")


def test_the_clients_key_stays_here_and_the_upstream_gets_its_own(
    client: Client, backend: str, upstream: FaultUpstream
) -> None:
    model = story("answer")
    client.ask(WHOLE, f"{backend}:{model}", client.question())
    exchange = upstream.log.of(model)[-1]
    assert KEY not in f"{exchange.path} {exchange.headers}"
    name, value = {
        "openai": ("authorization", "Bearer sk-upstream"),
        "openai-responses": ("authorization", "Bearer sk-upstream"),
        "anthropic": ("x-api-key", "sk-upstream"),
        "gemini": ("x-goog-api-key", "sk-upstream"),
    }[backend]
    assert exchange.headers[name] == value


@pytest.mark.parametrize("way", [Way("whole", True), Way("events", True)], ids=str)
def test_many_answers_at_once_do_not_mix(
    clients: dict[str, Client], backend: str, runner: asyncio.Runner, way: Way
) -> None:
    async def ask(client: Client, text: str) -> str:
        answer = await client.ask_async(way, f"{backend}:{story('answer', text=text)}", client.question())
        return answer.text

    async def ask_all() -> list[str]:
        return await asyncio.gather(*(ask(client, text) for text in texts for client in clients.values()))

    texts = [f"answer number {number} of many" for number in range(15)]
    assert runner.run(ask_all()) == [text for text in texts for _ in clients]
