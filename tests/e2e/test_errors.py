"""Whatever goes wrong raises the SDK's right class, with the upstream's own words."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.answers import EVENTS, HELPER, WHOLE, Client, Question, Way
from tests.e2e.pairs import clients_of
from tests.fault_upstream import FaultUpstream, response, story
from tests.fault_upstream.formats import FORMATS
from tests.support.proxy import RunningProxy

CLASSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "InternalServerError",
    529: "InternalServerError",
}
STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)


@STREAMED
@pytest.mark.parametrize("code", CLASSES)
def test_an_error_status_raises_its_class(client: Client, backend: str, way: Way, code: int) -> None:
    with pytest.raises(getattr(client.sdk, CLASSES[code])) as caught:
        client.ask(way, f"{backend}:{story('status', code=code)}", client.question())
    assert caught.value.status_code == code
    error = client.error_of(caught.value)
    assert error.message == FORMATS[backend].error(code)["error"]["message"]
    assert error.message.splitlines()[0] in str(caught.value)


def test_every_way_raises_the_same(client: Client, backend: str, way: Way) -> None:
    with pytest.raises(client.sdk.BadRequestError) as caught:
        client.ask(way, f"{backend}:{story('status', code=400)}", client.question())
    assert client.error_of(caught.value).message == FORMATS[backend].error(400)["error"]["message"]


TYPES: dict[int, dict[str, Any]] = {
    400: {
        "openai": ("invalid_request_error", None),
        "openai-responses": "invalid_request_error",
        "anthropic": "invalid_request_error",
        "gemini": "INVALID_ARGUMENT",
    },
    401: {
        "openai": ("invalid_request_error", "invalid_api_key"),
        "openai-responses": "invalid_request_error",
        "anthropic": "authentication_error",
        "gemini": "UNAUTHENTICATED",
    },
    404: {
        "openai": ("invalid_request_error", "model_not_found"),
        "openai-responses": "invalid_request_error",
        "anthropic": "not_found_error",
        "gemini": "NOT_FOUND",
    },
    429: {
        "openai": ("tokens", "rate_limit_exceeded"),
        "openai-responses": "rate_limit_error",
        "anthropic": "rate_limit_error",
        "gemini": "RESOURCE_EXHAUSTED",
    },
    500: {
        "openai": ("server_error", None),
        "openai-responses": "server_error",
        "anthropic": "api_error",
        "gemini": "INTERNAL",
    },
    503: {
        "openai": ("server_error", None),
        "openai-responses": "server_error",
        "anthropic": "overloaded_error",
        "gemini": "UNAVAILABLE",
    },
}
"""By status and client; Chat's own errors come as they are, with their code."""


@pytest.mark.parametrize("code", TYPES)
def test_errors_of_chat_upstreams_have_types_that_clients_know(client: Client, code: int) -> None:
    with pytest.raises(client.sdk.APIStatusError) as caught:
        client.ask(WHOLE, f"openai:{story('status', code=code)}", client.question())
    error = client.error_of(caught.value)
    told = (error.type, error.code) if client.format == "openai" else error.type
    assert told == TYPES[code][client.format]


def test_errors_for_gemini_clients_repeat_their_status(clients: dict[str, Client], backend: str) -> None:
    client = clients["gemini"]
    for code in TYPES:
        with pytest.raises(client.sdk.APIStatusError) as caught:
            client.ask(WHOLE, f"{backend}:{story('status', code=code)}", client.question())
        error = client.error_of(caught.value)
        assert (error.code, error.status) == (code, TYPES[code]["gemini"])


@STREAMED
@pytest.mark.parametrize("code", [429, 503, 529])
def test_retry_after_reaches_the_client(client: Client, backend: str, way: Way, code: int) -> None:
    with pytest.raises(client.sdk.APIStatusError) as caught:
        client.ask(way, f"{backend}:{story('status', code=code, retry_after=7)}", client.question())
    assert caught.value.response.headers["retry-after"] == "7"


@STREAMED
def test_a_fraction_of_a_second_is_not_rounded_to_nothing(client: Client, backend: str, way: Way) -> None:
    with pytest.raises(client.sdk.RateLimitError) as caught:
        client.ask(way, f"{backend}:{story('status', code=429, retry_after=0.2)}", client.question())
    assert caught.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("speaker", [name for name in FORMATS if name != "gemini"])
def test_gemini_says_in_its_body_when_to_come_back(clients: dict[str, Client], speaker: str) -> None:
    """Where everybody else has a header."""
    client = clients[speaker]
    with pytest.raises(client.sdk.RateLimitError) as caught:
        client.ask(WHOLE, f"gemini:{story('status', code=429)}", client.question())
    assert caught.value.response.headers["retry-after"] == "2"


@pytest.fixture(scope="module")
def patient_clients(proxy: RunningProxy, runner: asyncio.Runner) -> Iterator[dict[str, Client]]:
    """Clients that ask again."""
    with clients_of(proxy.address, runner, retries=2) as clients:
        yield clients


@pytest.mark.parametrize("speaker", FORMATS)
def test_a_client_that_retries_gets_its_answer(
    patient_clients: dict[str, Client], speaker: str, backend: str, upstream: FaultUpstream
) -> None:
    """The retries are the SDK's own: the proxy makes one attempt for each."""
    client, model = patient_clients[speaker], story("status", code=503, retry_after=0, times=1)
    client.ask(WHOLE, f"{backend}:{model}", client.question())
    assert len(upstream.log.of(model)) == 2


def test_an_unknown_model_is_not_found_but_guessed(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.NotFoundError) as caught:
        client.ask(way, "fault-smal", client.question())
    message = client.error_of(caught.value).message
    assert "there is no model 'fault-smal'" in message
    assert "openai:fault-small" in message


@STREAMED
def test_a_model_of_several_backends_names_the_choices(client: Client, way: Way) -> None:
    choices = ", ".join(f"{backend}:fault-small" for backend in sorted(FORMATS))
    with pytest.raises(client.sdk.NotFoundError, match=f"one of {choices}"):
        client.ask(way, "fault-small", client.question())


@pytest.mark.parametrize("key", ["wrong", None], ids=["wrong", "missing"])
def test_a_wrong_key_of_ours_is_an_authentication_error(client: Client, way: Way, key: str | None) -> None:
    with pytest.raises(client.sdk.AuthenticationError, match="API key") as caught:
        client.ask(way, f"openai:{story('answer')}", client.question(**client.keyed(key)))
    kinds = {"anthropic": "authentication_error", "gemini": "UNAUTHENTICATED"}
    assert client.error_of(caught.value).type == kinds.get(client.format, "invalid_request_error")


@STREAMED
def test_a_dead_upstream_is_a_server_error_that_names_it(client: Client, backend: str, way: Way) -> None:
    with pytest.raises(client.sdk.InternalServerError, match="no connection") as caught:
        client.ask(way, f"dead-{backend}:gone", client.question())
    assert caught.value.status_code == 503
    assert "http://127.0.0.1:" in client.error_of(caught.value).message


@STREAMED
def test_an_upstream_that_leaves_without_a_word_is_a_server_error(client: Client, backend: str, way: Way) -> None:
    with pytest.raises(client.sdk.InternalServerError) as caught:
        client.ask(way, f"{backend}:{story('drop')}", client.question())
    assert caught.value.status_code == 502
    assert client.error_of(caught.value).message


REFUSALS = {
    "openai": "never given out",
    "openai-responses": "No tool call found for function call output",
    "anthropic": "never given out",
    "gemini": "number of function response parts",
}


@STREAMED
def test_what_the_upstream_refuses_is_told_in_its_words(clients: dict[str, Client], backend: str, way: Way) -> None:
    """A result for a call that was never made."""
    client = clients["openai"]
    question = client.question()
    question["messages"].append({"role": "tool", "tool_call_id": "call_stranger", "content": "x"})
    with pytest.raises(client.sdk.BadRequestError, match=REFUSALS[backend]):
        client.ask(way, f"{backend}:{story('tools')}", question)


@STREAMED
@pytest.mark.parametrize("lonely", ["anthropic", "openai-responses"])
@pytest.mark.parametrize(("speaker", "field"), [("openai", "n"), ("gemini", "candidate_count")])
def test_several_answers_at_once_are_refused_where_there_is_one(
    clients: dict[str, Client], speaker: str, field: str, lonely: str, way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients[speaker], story("answer")
    with pytest.raises(client.sdk.BadRequestError, match="one answer per request") as caught:
        client.ask(way, f"{lonely}:{model}", client.question(**{field: 2}))
    assert client.error_of(caught.value).type in ("invalid_request_error", "INVALID_ARGUMENT")
    assert upstream.log.of(model) == []


_BROKEN_MESSAGES: dict[str, tuple[Question, str]] = {
    "no list": ({"messages": "Hi"}, "messages"),
    "no content": ({"messages": [{"role": "user"}]}, "content"),
    "strange role": ({"messages": [{"role": "nobody", "content": "Hi"}]}, "role"),
    "empty": ({"messages": []}, "messages"),
    "wrong type": ({"temperature": "hot"}, "temperature"),
}
BROKEN: dict[str, dict[str, tuple[Question, str]]] = {
    "openai": _BROKEN_MESSAGES,
    "openai-responses": {
        "no list": ({"input": 5}, "input"),
        "no content": ({"input": [{"role": "user"}]}, "content"),
        "strange role": ({"input": [{"role": "nobody", "content": "Hi"}]}, "role"),
        "wrong type": ({"temperature": "hot"}, "temperature"),
    },
    "anthropic": _BROKEN_MESSAGES,
    "gemini": {
        "no list": ({"contents": 5}, "contents"),
        "no parts": ({"contents": [{"role": "user", "parts": 5}]}, "parts"),
        "strange role": ({"contents": [{"role": "nobody", "parts": [{"text": "Hi"}]}]}, "role"),
        "empty": ({"contents": []}, "contents"),
        "wrong type": ({"generationConfig": {"temperature": "hot"}}, "temperature"),
    },
}
"""What to put into a body, and what the error names."""


@STREAMED
@pytest.mark.parametrize(("speaker", "why"), [(name, why) for name, rows in BROKEN.items() for why in rows])
def test_a_request_that_cannot_be_translated_names_the_field(
    clients: dict[str, Client], way: Way, speaker: str, why: str
) -> None:
    """On the lossless lane the upstream judges."""
    client, other = clients[speaker], "openai" if speaker == "anthropic" else "anthropic"
    broken, named = BROKEN[speaker][why]
    with pytest.raises(client.sdk.BadRequestError, match=named):
        client.ask(way, f"{other}:{story('answer')}", client.question(extra_body=broken))


@pytest.mark.parametrize("way", [EVENTS, HELPER, Way("events", True), Way("helper", True)], ids=str)
def test_an_error_as_first_event_is_a_status(client: Client, backend: str, way: Way) -> None:
    with pytest.raises(client.sdk.InternalServerError) as caught:
        client.ask(way, f"{backend}:{story('error_first')}", client.question())
    assert caught.value.status_code in (500, 503, 529)
    assert client.error_of(caught.value).message == FORMATS[backend].error(529)["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "code"), [("rate_limit_error", 429), ("invalid_request_error", 400), ("not_found_error", 404)]
)
def test_the_first_events_error_type_decides_the_status(
    client: Client, kind: str, code: int, upstream: FaultUpstream
) -> None:
    event = b'event: error\ndata: {"type":"error","error":{"type":"%s","message":"So it is."}}\n\n' % kind.encode()
    model = upstream.register(response(event, content_type="text/event-stream"))
    with pytest.raises(getattr(client.sdk, CLASSES[code]), match="So it is"):
        client.ask(EVENTS, f"anthropic:{model}", client.question())


@STREAMED
def test_errors_carry_the_request_id(client: Client, backend: str, way: Way) -> None:
    question = client.question(extra_headers={"x-request-id": "mine-2"})
    with pytest.raises(client.sdk.APIStatusError) as caught:
        client.ask(way, f"{backend}:{story('status', code=400)}", question)
    assert caught.value.request_id == "mine-2"


def test_nothing_is_there_for_other_addresses(client: Client) -> None:
    with pytest.raises(client.sdk.NotFoundError, match="there is nothing at"):
        client.post("/no/such/thing")
