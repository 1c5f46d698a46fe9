"""Images and documents on their way in."""

import base64
from typing import Any

import pytest

from tests.e2e.answers import EVENTS, WHOLE, Client, Way
from tests.fault_upstream import FaultUpstream, story

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(59)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(40)).decode()
LINK = "https://example.com/cat.png?size=2&x=ü"

STREAMED = pytest.mark.parametrize("way", [WHOLE, EVENTS], ids=str)


def test_images_are_seen_by_the_upstream(client: Client, backend: str, way: Way) -> None:
    media = (client.image("image/png", PNG), client.linked_image(LINK))
    answer = client.ask(way, f"{backend}:{story('image')}", client.question("What is this?", media=media))
    assert answer.text == f"2 image(s): image/png (67 bytes), {LINK}"
    assert answer.dropped == set()


@STREAMED
def test_images_are_spelled_as_the_upstream_wants_them(
    client: Client, clients: dict[str, Client], backend: str, way: Way, upstream: FaultUpstream
) -> None:
    model, native = story("image"), clients[backend]
    media = (client.image("image/jpeg", PNG), client.linked_image(LINK))
    client.ask(way, f"{backend}:{model}", client.question("Look:", media=media))
    [message] = upstream.log.of(model)[-1].json["messages"]
    text, *images = message["content"]
    assert text == {"type": "text", "text": "Look:"}
    assert images == [native.image("image/jpeg", PNG), native.linked_image(LINK)]


@STREAMED
def test_documents_keep_their_name_and_bytes(
    client: Client, clients: dict[str, Client], backend: str, way: Way, upstream: FaultUpstream
) -> None:
    model = story("answer")
    media = (client.document("report.pdf", PDF),)
    answer = client.ask(way, f"{backend}:{model}", client.question("Sum up:", media=media))
    [message] = upstream.log.of(model)[-1].json["messages"]
    assert message["content"][1] == clients[backend].document("report.pdf", PDF)
    assert answer.dropped == set()


@STREAMED
def test_text_documents_become_text_for_chat(clients: dict[str, Client], way: Way, upstream: FaultUpstream) -> None:
    model, client = story("answer"), clients["anthropic"]
    source = {"type": "text", "media_type": "text/plain", "data": "The sky is blue."}
    document = {"type": "document", "title": "Facts", "source": source}
    client.ask(way, f"openai:{model}", client.question("Colour?", media=(document,)))
    [message] = upstream.log.of(model)[-1].json["messages"]
    assert "The sky is blue." in message["content"][1]["text"]


@STREAMED
def test_an_image_in_a_tool_result_moves_to_the_next_message(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    """Chat Completions has no place for it in the result."""
    client, told = clients["anthropic"], story("tools")
    question = client.question(tools=1)
    first = client.ask(way, f"openai:{told}", question)
    second = client.next_turn(question, first, {first.calls[0].id: ""})
    result: Any = second["messages"][-1]["content"][0]
    result["content"] = [{"type": "text", "text": "A photo."}, client.image("image/png", PNG)]
    model = story("image")
    answer = client.ask(way, f"openai:{model}", second)
    assert answer.text == "1 image(s): image/png (67 bytes)"
    assert answer.dropped == {"tool_result.media"}
    *_, tool, user = upstream.log.of(model)[-1].json["messages"]
    assert (tool["role"], tool["content"], user["role"]) == ("tool", "A photo.", "user")


@STREAMED
def test_audio_for_anthropic_is_refused_in_plain_words(
    clients: dict[str, Client], way: Way, upstream: FaultUpstream
) -> None:
    client, model = clients["openai"], story("answer")
    sound = {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}
    with pytest.raises(client.sdk.BadRequestError, match="audio") as caught:
        client.ask(way, f"anthropic:{model}", client.question(media=(sound,)))
    assert client.error_of(caught.value).type == "invalid_request_error"
    assert upstream.log.of(model) == []
