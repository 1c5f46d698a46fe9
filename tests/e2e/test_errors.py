"""Whatever goes wrong raises the SDK's right class, with the upstream's own words."""

from typing import Any

import pytest

from tests.e2e.answers import EVENTS, HELPER, WHOLE, Client, Way
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


@pytest.mark.parametrize("code", CLASSES)
def test_an_error_status_raises_its_class(client: Client, backend: str, way: Way, code: int) -> None:
    with pytest.raises(getattr(client.sdk, CLASSES[code])) as caught:
        client.ask(way, f"{backend}:{story('status', code=code)}", client.question())
    assert caught.value.status_code == code
    error = client.error_of(caught.value)
    assert error.message == FORMATS[backend].error(code)["error"]["message"]
    assert error.message in str(caught.value)


@pytest.mark.parametrize(
    ("code", "chat", "messages"),
    [
        (400, ("invalid_request_error", None), "invalid_request_error"),
        (401, ("invalid_request_error", "invalid_api_key"), "authentication_error"),
        (404, ("invalid_request_error", "model_not_found"), "not_found_error"),
        (429, ("tokens", "rate_limit_exceeded"), "rate_limit_error"),
        (500, ("server_error", None), "api_error"),
        (503, ("server_error", None), "overloaded_error"),
    ],
)
def test_errors_of_chat_upstreams_have_types_that_clients_know(
    client: Client, code: int, chat: Any, messages: str
) -> None:
    with pytest.raises(client.sdk.APIStatusError) as caught:
        client.ask(WHOLE, f"openai:{story('status', code=code)}", client.question())
    error = client.error_of(caught.value)
    assert ((error.type, error.code) == chat) if client.format == "openai" else (error.type == messages)


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


def test_a_client_that_retries_gets_its_answer(client: Client, backend: str, upstream: FaultUpstream) -> None:
    """The retries are the SDK's own: the proxy makes one attempt for each."""
    model = story("status", code=503, retry_after=0, times=1)
    patient = client.sync.with_options(max_retries=2)
    asked = {"model": f"{backend}:{model}", **client.question()}
    (patient.chat.completions if client.format == "openai" else patient.messages).create(**asked)
    assert len(upstream.log.of(model)) == 2


def test_an_unknown_model_is_not_found_but_guessed(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.NotFoundError) as caught:
        client.ask(way, "fault-smal", client.question())
    message = client.error_of(caught.value).message
    assert "there is no model 'fault-smal'" in message
    assert "openai:fault-small" in message


def test_a_model_of_two_backends_names_the_choices(client: Client, way: Way) -> None:
    with pytest.raises(client.sdk.NotFoundError, match="one of anthropic:fault-small, openai:fault-small"):
        client.ask(way, "fault-small", client.question())


@pytest.mark.parametrize("key", ["wrong", None], ids=["wrong", "missing"])
def test_a_wrong_key_of_ours_is_an_authentication_error(
    client: Client, backend: str, way: Way, key: str | None
) -> None:
    authorization = client.sdk.Omit() if key is None else f"Bearer {key}"
    question = client.question(extra_headers={"Authorization": authorization})
    with pytest.raises(client.sdk.AuthenticationError, match="API key") as caught:
        client.ask(way, f"{backend}:{story('answer')}", question)
    kind = {"openai": "invalid_request_error", "anthropic": "authentication_error"}[client.format]
    assert client.error_of(caught.value).type == kind


def test_a_dead_upstream_is_a_server_error_that_names_it(client: Client, backend: str, way: Way) -> None:
    with pytest.raises(client.sdk.InternalServerError, match="no connection") as caught:
        client.ask(way, f"dead-{backend}:gone", client.question())
    assert caught.value.status_code == 503
    assert "http://127.0.0.1:" in client.error_of(caught.value).message


def test_an_upstream_that_leaves_without_a_word_is_a_server_error(client: Client, backend: str, way: Way) -> None:
    with pytest.raises(client.sdk.InternalServerError) as caught:
        client.ask(way, f"{backend}:{story('drop')}", client.question())
    assert caught.value.status_code == 502
    assert client.error_of(caught.value).message


@STREAMED
def test_what_the_upstream_refuses_is_told_in_its_words(clients: dict[str, Client], backend: str, way: Way) -> None:
    """A result for a call that was never made."""
    client = clients["openai"]
    question = client.question()
    question["messages"].append({"role": "tool", "tool_call_id": "call_stranger", "content": "x"})
    with pytest.raises(client.sdk.BadRequestError, match="never given out"):
        client.ask(way, f"{backend}:{story('tools')}", question)


@STREAMED
def test_several_answers_at_once_are_refused_where_there_is_one(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients["openai"], story("answer")
    with pytest.raises(client.sdk.BadRequestError, match="one answer per request") as caught:
        client.ask(way, f"anthropic:{model}", client.question(n=2))
    assert client.error_of(caught.value).type == "invalid_request_error"
    assert upstream.log.of(model) == []


@STREAMED
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": "user"}]}, "content"),
        ({"messages": [{"role": "nobody", "content": "Hi"}]}, "role"),
        ({"messages": []}, "messages"),
        ({"extra_body": {"temperature": "hot"}}, "temperature"),
    ],
    ids=["no list", "no content", "strange role", "empty", "wrong type"],
)
def test_a_request_that_cannot_be_translated_names_the_field(client: Client, way: Way, fields: Any, named: str) -> None:
    """On the lossless lane the upstream judges."""
    other = {"openai": "anthropic", "anthropic": "openai"}[client.format]
    with pytest.raises(client.sdk.BadRequestError, match=named):
        client.ask(way, f"{other}:{story('answer')}", client.question() | fields)


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


def test_errors_carry_the_request_id(client: Client, backend: str, way: Way) -> None:
    question = client.question(extra_headers={"x-request-id": "mine-2"})
    with pytest.raises(client.sdk.APIStatusError) as caught:
        client.ask(way, f"{backend}:{story('status', code=400)}", question)
    assert caught.value.request_id == "mine-2"


def test_nothing_is_there_for_other_addresses(client: Client, proxy: RunningProxy) -> None:
    with pytest.raises(client.sdk.NotFoundError, match="there is nothing at"):
        client.sync.post("/v1/no/such/thing", cast_to=object)
