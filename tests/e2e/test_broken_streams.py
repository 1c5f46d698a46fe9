"""A cut answer never looks finished: the SDKs raise, wherever it is cut, and however."""

import pytest

from tests.e2e.answers import EVENTS, HELPER, WHOLE, Client, Way
from tests.fault_upstream import GREETING, story
from tests.fault_upstream.formats import FORMATS

WORDS = len(GREETING.split())
EVENT_COUNT = {"openai": WORDS + 4, "openai-responses": WORDS + 8, "anthropic": WORDS + 6, "gemini": WORDS + 1}
"""Of the upstream's greeting: a word in each, what is around them, and last the terminal event."""

ENDS_WITH_THE_BODY = {"gemini"}
"""Where more could come after the finish reason."""

STREAM_WAYS = pytest.mark.parametrize("way", [EVENTS, HELPER, Way("events", True), Way("helper", True)], ids=str)


def _is_told(client: Client, way: Way, backend: str, name: str, **pairs: object) -> str:
    """The error that the SDK raises."""
    with pytest.raises(client.sdk.APIError) as caught:
        client.ask(way, f"{backend}:{story(name, **pairs)}", client.question(tools=1))
    return str(caught.value)


@pytest.mark.parametrize("end", ["eof", "fin", "rst", "error"])
def test_a_stream_cut_at_any_event_raises(client: Client, backend: str, end: str) -> None:
    for after in range(EVENT_COUNT[backend]):
        message = _is_told(client, EVENTS, backend, "answer", end=end, after=after)
        if end == "error":
            assert FORMATS[backend].error(529)["error"]["message"] in message
    last = "eof" if end == "error" or backend in ENDS_WITH_THE_BODY else end
    client.ask(EVENTS, f"{backend}:{story('answer', end=last, after=EVENT_COUNT[backend])}", client.question())


@pytest.mark.parametrize("way", [HELPER, Way("events", True)], ids=str)
@pytest.mark.parametrize("end", ["fin", "error"])
@pytest.mark.parametrize("name", ["tools~n=4", "thinking"])
def test_each_kind_of_answer_raises_when_it_is_cut(client: Client, backend: str, way: Way, end: str, name: str) -> None:
    for after in (0, 1, 4):
        assert _is_told(client, way, backend, name, end=end, after=after)


@STREAM_WAYS
def test_a_cut_within_an_event_raises(client: Client, backend: str, way: Way) -> None:
    _is_told(client, way, backend, "answer", end="fin", after=5, tail=0)


@pytest.mark.parametrize("way", [WHOLE, Way("whole", True)], ids=str)
@pytest.mark.parametrize("end", ["rst", "fin"])
def test_half_a_body_is_a_server_error(client: Client, backend: str, way: Way, end: str) -> None:
    with pytest.raises(client.sdk.InternalServerError) as caught:
        client.ask(way, f"{backend}:{story('answer', end=end)}", client.question())
    assert caught.value.status_code == 502


@pytest.mark.parametrize("way", [WHOLE, Way("whole", True)], ids=str)
def test_half_a_json_document_never_passes_for_an_answer(client: Client, backend: str, way: Way) -> None:
    with pytest.raises(client.sdk.InternalServerError, match="not a JSON object"):
        client.ask(way, f"{backend}:{story('answer', end='eof')}", client.question())


@STREAM_WAYS
def test_an_event_that_is_no_json_never_passes_for_one(client: Client, backend: str, way: Way) -> None:
    kind = (ValueError, client.sdk.APIError) if client.format == backend else client.sdk.APIError
    with pytest.raises(kind):
        client.ask(way, f"{backend}:{story('bad_json')}", client.question())


@STREAM_WAYS
def test_an_end_without_the_terminal_event_is_a_cut(client: Client, backend: str, way: Way) -> None:
    _is_told(client, way, backend, "no_done")
