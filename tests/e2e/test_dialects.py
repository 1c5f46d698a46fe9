"""Streams as real providers spell them collect to the same answer."""

import pytest

from tests.e2e.answers import EVENTS, HELPER, WHOLE, Answer, Client, Counts, Way
from tests.e2e.pairs import FORMATS
from tests.fault_upstream import ARGUMENTS, GREETING, ODDITIES, THOUGHT, story

STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)
STREAM_WAYS = pytest.mark.parametrize("way", [EVENTS, HELPER], ids=str)

SPELLINGS = [
    {"eol": "crlf"},
    {"eol": "cr"},
    {"space": 0},
    {"lines": 1},
    {"comments": 1},
    {"pings": 1},
    {"tail": 0},
    {"burst": 1},
    {"pieces": 7},
    {"pieces": 1},
    {"cut": 45},
    {"gzip": 1},
    {"eol": "crlf", "comments": 1, "pings": 1, "space": 0, "pieces": 3, "tail": 0},
]

STORIES = ["answer", "tools~n=2", "thinking"]

FOREIGN_TO_THE_SDK = {"gemini": {"comments", "space"}}
"""What the SDK itself cannot read where nobody spells it anew: on the lossless lane."""


def _spelled(pairs: dict[str, object]) -> str:
    return "+".join(f"{name}-{value}" for name, value in pairs.items())


@pytest.mark.parametrize("spelling", SPELLINGS, ids=_spelled)
def test_every_spelling_of_a_stream_says_the_same(client: Client, backend: str, spelling: dict[str, object]) -> None:
    if client.format == backend and FOREIGN_TO_THE_SDK.get(backend, set()) & spelling.keys():
        pytest.skip("the client's own SDK cannot read it")
    question = client.question(tools=1)
    for name in STORIES:
        plain = client.ask(WHOLE, f"{backend}:{story(name, ids=1)}", question)
        assert _said(client.ask(EVENTS, f"{backend}:{story(name, ids=1, **spelling)}", question)) == _said(plain)


@STREAMED
def test_a_compressed_answer_is_read(client: Client, backend: str, way: Way) -> None:
    assert client.ask(way, f"{backend}:{story('gzip')}", client.question()).text == GREETING


def _said(answer: Answer) -> tuple[object, ...]:
    return answer.text, answer.thinking, answer.calls, answer.finish, answer.usage


TEXT_ODDITIES = [name for name in ODDITIES if name not in ("error_after_finish", "no_usage") and "tool" not in name]
TOOL_ODDITIES = ["usage_rides", "usage_in_x_groq", "no_finish", *(name for name in ODDITIES if "tool" in name)]


@pytest.fixture(params=[name for name in FORMATS if name != "openai"], ids="{}-sdk".format)
def stranger(request: pytest.FixtureRequest, clients: dict[str, Client]) -> Client:
    """Each SDK that does not speak Chat Completions."""
    return clients[request.param]


@pytest.mark.parametrize("oddity", TEXT_ODDITIES)
def test_odd_dialects_of_chat_give_the_same_text(stranger: Client, oddity: str) -> None:
    answer = stranger.ask(EVENTS, f"openai:{story('answer', odd=oddity)}", stranger.question())
    assert (answer.text, answer.finish, answer.usage) == (GREETING, "stop", Counts(21, 9))


@pytest.mark.parametrize("oddity", TOOL_ODDITIES)
@pytest.mark.parametrize("count", [1, 2])
def test_odd_dialects_of_chat_give_the_same_calls(stranger: Client, oddity: str, count: int) -> None:
    answer = stranger.ask(EVENTS, f"openai:{story('tools', n=count, odd=oddity)}", stranger.question(tools=1))
    assert [(call.name, call.arguments) for call in answer.calls] == [("get_weather", ARGUMENTS)] * count
    assert len({call.id for call in answer.calls}) == count
    assert (answer.finish, answer.usage) == ("tools", Counts(21, 9))


@pytest.mark.parametrize("oddity", ["reasoning_key", "usage_rides", "no_finish"])
def test_odd_dialects_of_chat_give_the_same_thinking(stranger: Client, oddity: str) -> None:
    answer = stranger.ask(EVENTS, f"openai:{story('thinking', odd=oddity)}", stranger.question(tools=1))
    assert (answer.thinking, answer.text, answer.finish) == (THOUGHT, "", "tools")


def test_a_stream_without_usage_is_whole_all_the_same(stranger: Client) -> None:
    answer = stranger.ask(EVENTS, f"openai:{story('answer', odd='no_usage')}", stranger.question())
    assert (answer.text, answer.finish) == (GREETING, "stop")
    assert answer.usage in (None, Counts(0, 0))


@STREAM_WAYS
def test_an_error_after_the_finish_reason_is_an_error(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.APIError, match="late trouble"):
        client.ask(way, f"openai:{story('answer', odd='error_after_finish')}", client.question())


@STREAM_WAYS
@pytest.mark.parametrize("oddity", ["usage_rides", "usage_in_x_groq", "blank_tool_ids"])
def test_the_lossless_lane_leaves_odd_dialects_alone(clients: dict[str, Client], way: Way, oddity: str) -> None:
    """Those that the SDK itself can read."""
    answer = clients["openai"].ask(way, f"openai:{story('answer', odd=oddity)}", clients["openai"].question())
    assert answer.text == GREETING
