"""Images and documents on their way in."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import seen
from tests.e2e.answers import EVENTS, WHOLE, Client, Question, Way
from tests.fault_upstream import FaultUpstream, story

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(59)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(40)).decode()
LINK = "https://example.com/cat.png?size=2&x=ü"

STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)


@STREAMED
def test_images_are_seen_by_the_upstream(client: Client, backend: str, way: Way) -> None:
    media = (client.image("image/png", PNG), client.linked_image(LINK))
    answer = client.ask(way, f"{backend}:{story('image')}", client.question("What is this?", media=media))
    assert answer.text == f"2 image(s): image/png (67 bytes), {LINK}"
    assert answer.dropped == set()


def _media_sent(client: Client, way: Way, backend: str, upstream: FaultUpstream) -> list[Any]:
    """The images of a question, as the upstream gets them."""
    model = story("image")
    media = (client.image("image/jpeg", PNG), client.linked_image(LINK))
    client.ask(way, f"{backend}:{model}", client.question("Look:", media=media))
    sent = upstream.log.of(model)[-1].json
    assert seen.turns(backend, sent) == [("user", "Look:")]
    return [_bare(part) for part in seen.media(backend, sent)]


def _bare(value: Any) -> Any:
    """Without a detail that is the default."""
    if not isinstance(value, dict):
        return value
    return {key: _bare(inner) for key, inner in value.items() if (key, inner) != ("detail", "auto")}


@STREAMED
def test_images_are_spelled_as_the_upstream_wants_them(
    client: Client, clients: dict[str, Client], backend: str, way: Way, upstream: FaultUpstream
) -> None:
    """As its own SDK spells them."""
    assert _media_sent(client, way, backend, upstream) == _media_sent(clients[backend], way, backend, upstream)


@STREAMED
def test_documents_keep_their_name_and_bytes(client: Client, backend: str, way: Way, upstream: FaultUpstream) -> None:
    """Gemini has no place for the name."""
    model = story("answer")
    media = (client.document("report.pdf", PDF),)
    answer = client.ask(way, f"{backend}:{model}", client.question("Sum up:", media=media))
    [document] = seen.media(backend, upstream.log.of(model)[-1].json)
    name, data = DOCUMENTS[backend](document)
    assert data.removeprefix("data:application/pdf;base64,") == PDF
    assert name == "report.pdf" or "gemini" in (client.format, backend)
    assert len(answer.dropped) == (backend == "gemini" != client.format)


DOCUMENTS: dict[str, Callable[[Any], tuple[str, str]]] = {
    "openai": lambda part: (part["file"]["filename"], part["file"]["file_data"]),
    "openai-responses": lambda part: (part["filename"], part["file_data"]),
    "anthropic": lambda part: (part.get("title"), part["source"]["data"]),
    "gemini": lambda part: ("", part["inlineData"]["data"]),
}


@STREAMED
@pytest.mark.parametrize("there", ["openai", "openai-responses", "gemini"])
def test_text_documents_become_text(clients: dict[str, Client], there: str, way: Way, upstream: FaultUpstream) -> None:
    model, client = story("answer"), clients["anthropic"]
    source = {"type": "text", "media_type": "text/plain", "data": "The sky is blue."}
    document = {"type": "document", "title": "Facts", "source": source}
    client.ask(way, f"{there}:{model}", client.question("Colour?", media=(document,)))
    [(_, text)] = seen.turns(there, upstream.log.of(model)[-1].json)
    assert "The sky is blue." in text


def _with_an_image_in_its_result(client: Client, way: Way, backend: str) -> Question:
    """A conversation of Messages that ends in such a result."""
    question = client.question(tools=1)
    first = client.ask(way, f"{backend}:{story('tools')}", question)
    second = client.next_turn(question, first, {first.calls[0].id: ""})
    result: Any = second["messages"][-1]["content"][0]
    result["content"] = [{"type": "text", "text": "A photo."}, client.image("image/png", PNG)]
    return second


@STREAMED
def test_an_image_in_a_tool_result_moves_to_the_next_message(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    """Chat Completions has no place for it in the result."""
    client, model = clients["anthropic"], story("image")
    answer = client.ask(way, f"openai:{model}", _with_an_image_in_its_result(client, way, "openai"))
    assert answer.text == "1 image(s): image/png (67 bytes)"
    assert answer.dropped == {"tool_result.media"}
    *_, tool, user = upstream.log.of(model)[-1].json["messages"]
    assert (tool["role"], tool["content"], user["role"]) == ("tool", "A photo.", "user")


@STREAMED
@pytest.mark.parametrize("there", ["openai-responses", "gemini"])
def test_an_image_in_a_tool_result_is_seen(clients: dict[str, Client], there: str, way: Way) -> None:
    """Responses has a place for it, and Gemini's newer models have."""
    client = clients["anthropic"]
    question = _with_an_image_in_its_result(client, way, there)
    answer = client.ask(way, f"{there}:{story('image')}", question)
    assert answer.text == "1 image(s): image/png (67 bytes)"
    assert answer.dropped <= ({"tool_result.media"} if there == "gemini" else set())


SOUNDS: dict[str, Any] = {
    "openai": {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
    "gemini": {"inline_data": {"mime_type": "audio/wav", "data": PNG}},
}


@STREAMED
@pytest.mark.parametrize("speaker", SOUNDS)
def test_audio_for_anthropic_is_refused_in_plain_words(
    clients: dict[str, Client], speaker: str, way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients[speaker], story("answer")
    with pytest.raises(client.sdk.BadRequestError, match="audio") as caught:
        client.ask(way, f"anthropic:{model}", client.question(media=(SOUNDS[speaker],)))
    assert client.error_of(caught.value).type in ("invalid_request_error", "INVALID_ARGUMENT")
    assert upstream.log.of(model) == []


@STREAMED
def test_audio_is_heard_where_it_can_be(clients: dict[str, Client], way: Way, upstream: FaultUpstream) -> None:
    model, other = story("answer"), story("answer")
    clients["openai"].ask(way, f"gemini:{model}", clients["openai"].question(media=(SOUNDS["openai"],)))
    assert seen.media("gemini", upstream.log.of(model)[-1].json) == [
        {"inlineData": {"mimeType": "audio/wav", "data": PNG}}
    ]
    clients["gemini"].ask(way, f"openai:{other}", clients["gemini"].question(media=(SOUNDS["gemini"],)))
    assert seen.media("openai", upstream.log.of(other)[-1].json) == [SOUNDS["openai"]]
