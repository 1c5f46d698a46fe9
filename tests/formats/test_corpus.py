"""The corpus: every story between every two formats, whole and streamed, judged by what it means."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from proxy_core.domain.request import DomainRequest
from proxy_core.domain.stream import StreamChunk
from proxy_core.errors import InvalidRequestError
from proxy_core.formats import opaque
from proxy_core.formats.base import RenderOptions, StreamEncoder
from proxy_core.formats.free_text import unwrap_calls
from proxy_core.formats.sse import EventSplitter, parse_event
from proxy_core.translation import TranslationService
from tests.corpus import FORMATS, HERE, Answer, Story, schema, sse, stories
from tests.corpus.collectors import canonical, check_body, check_request, collect, same_shape
from tests.corpus.judge import answer_faults, request_faults
from tests.corpus.readers import READERS

#: The facts about the four formats that some story must tell.
ROWS = frozenset(
    """\
§2 streams: U+2028 and U+0085 are no line ends
§2 streams: UTF-8 cut inside a character
§2 streams: line ends and cuts
§2 streams: error inside a 200
§2 chat: usage chunk without choices
§2 chat: usage rides on a chunk with choices
§2 chat: usage in x_groq
§2 chat: tool deltas without index or type
§2 chat: first index 1
§2 chat: id empty on later deltas
§2 chat: content as a list of parts
§2 chat: reasoning_content
§2 chat: reasoning and reasoning_details
§2 chat: refusal with finish stop
§2 chat: error in a chunk
§2 chat: error after the finish
§2 chat: no [DONE]
§2 chat: no finish reason
§2 chat: Azure's first chunk
§2 responses: ids that change
§2 responses: two message items
§2 responses: completed with empty output
§2 responses: error then failed
§2 responses: encrypted reasoning beside calls
§2 responses: custom tools
§2 responses: namespace tools
§2 responses: reasoning_text without event lines
§2 responses: items added and never done
§2 anthropic: thinking and signature before tool_use
§2 anthropic: redacted_thinking
§2 anthropic: empty thinking with a signature
§2 anthropic: ping between
§2 anthropic: pause_turn
§2 anthropic: tool_use whose only delta is empty
§2 anthropic: tool JSON cut off
§2 anthropic: refusal with empty content
§2 anthropic: system-role messages
§2 anthropic: input excludes cached
§2 gemini: calls without ids
§2 gemini: thoughtSignature on a call
§2 gemini: thoughtSignature on an empty text
§2 gemini: STOP when tools are called
§2 gemini: MAX_TOKENS with no parts
§2 gemini: blocked prompt without candidates
§2 gemini: SAFETY with empty content
§2 gemini: MALFORMED_FUNCTION_CALL
§2 gemini: UNEXPECTED_TOOL_CALL
§2 gemini: partialArgs
§2 gemini: enums as integers
§2 gemini: thoughts outside candidates
§3 signatures
§3 stripped for anybody else
§4 thinking text
§4 block order
§4 tool call id
§4 tool result is an error
§4 media in a tool result
§4 custom (free text) tools
§4 server tools
§4 citations
§4 finish: pause_turn
§4 finish: error-like
§4 refusal
§4 blocked prompt
§4 usage: cached input
§4 usage: reasoning output
§4 n > 1
§4 logprobs
§4 seed, penalties, logit_bias, top_k
§4 stop sequences
§4 max tokens
§4 consecutive turns
§4 empty text
§4 JSON schema of tools
§4 JSON schema of outputs
§4 tool_choice
§4 parallel off
§4 cache_control
§4 previous_response_id, store, background
§4 media
§4 audio, video input
§4 ids constant inside a response""".splitlines()
)

SERVICE = TranslationService()
SPOKEN = [wire_format.name for wire_format in SERVICE.formats if wire_format.name in FORMATS]
STORIES = stories()
MODEL = "the-model-asked-for"
#: What SDKs raise at answers that they did not expect.
SDK_ERRORS = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def named(*cases: Any) -> Any:
    """A parameter set whose id says which story, from which format to which."""
    return pytest.param(*cases, id="-".join(case.name if isinstance(case, Story) else case for case in cases))


each = pytest.mark.parametrize("story", [named(story) for story in STORIES])
each_answer = pytest.mark.parametrize(
    ("story", "upstream"), [named(story, upstream) for story in STORIES for upstream in story.answer]
)


def spoken_answers(wanted: Callable[[Story, Answer], Any]) -> list[tuple[Story, str]]:
    """The answers that are `wanted`, with their formats."""
    told = [(story, name) for story in STORIES for name in story.answer if name in SPOKEN]
    return [(story, name) for story, name in told if wanted(story, story.answer[name])]


def to_clients(wanted: Callable[[Story, Answer], Any]) -> pytest.MarkDecorator:
    """Each of these answers with each format that a client may speak, if clients of it can ask for it."""
    cases = [
        named(story, name, client)
        for story, name in spoken_answers(wanted)
        for client in SPOKEN
        if client not in story.absent
    ]
    return pytest.mark.parametrize(("story", "upstream", "client"), cases)


def is_error(story: Story) -> bool:
    return "error" in story.means["answer"]


def calls_of(story: Story) -> list[dict[str, Any]]:
    """The calls of an answer, if they are whole."""
    return [call for call in story.means["answer"].get("calls", ()) if "cut" not in call]


def has_state(story: Story, answer: Answer) -> bool:
    return any(row.startswith("§3") for row in story.rows) and answer.body is not None


requests = pytest.mark.parametrize(
    ("story", "client", "upstream"),
    [
        named(story, client, upstream)
        for story in STORIES
        for client in story.request
        if client in SPOKEN
        for upstream in SPOKEN
    ],
)


# the stories themselves


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


@each
def test_every_file_fits_the_schema(story: Story) -> None:
    validator().validate(json.loads((HERE / "stories" / f"{story.name}.json").read_text(encoding="utf-8")))


@each
def test_a_format_without_a_request_has_a_reason(story: Story) -> None:
    if story.request:
        assert {*story.request} | {*story.absent} == {*FORMATS}
        assert not {*story.request} & {*story.absent}


def test_the_stories_tell_all_rows() -> None:
    assert {row for story in STORIES for row in story.rows} == ROWS


def whole_is_sound(name: str, answer: Answer) -> bool:
    try:
        check_body(name, answer.body or {})
    except SDK_ERRORS:
        return False
    return True


def stream_is_sound(name: str, answer: Answer) -> bool:
    """Whether the SDK takes the events, and makes the whole answer of them."""
    try:
        collected = collect(name, answer.payloads)
    except SDK_ERRORS:
        return False
    return answer.body is None or canonical(collected) == canonical(same_shape(name, answer.body))


@each_answer
def test_the_sdk_takes_an_answer_unless_it_is_odd(story: Story, upstream: str) -> None:
    answer = story.answer[upstream]
    if answer.body is not None:
        assert whole_is_sound(upstream, answer) == ("body" not in answer.odd)
    if answer.events is not None:
        assert stream_is_sound(upstream, answer) == ("events" not in answer.odd)


@each_answer
def test_an_answer_means_what_its_story_says(story: Story, upstream: str) -> None:
    answer = story.answer[upstream]
    if answer.body is not None and "body" not in answer.odd and "events" not in answer.odd:
        got = READERS[upstream].answer(answer.body)
        assert answer_faults(story.meaning("answer", upstream, upstream), got, upstream) == []


@pytest.mark.parametrize(("story", "client"), [named(story, name) for story in STORIES for name in story.request])
def test_a_request_means_what_its_story_says(story: Story, client: str) -> None:
    got = READERS[client].request(story.request[client])
    assert request_faults(story.meaning("request", client, client), got, client, client, []) == []


# requests


def decoded(story: Story, client: str) -> DomainRequest:
    body = json.loads(json.dumps(story.request[client]))
    request = SERVICE.to_domain_request(body, client)
    request.stream = request.stream or body.get("stream", False)
    return request


@requests
def test_a_request_keeps_its_meaning(story: Story, client: str, upstream: str) -> None:
    word = story.refusal(upstream, client)
    if word is not None:
        assert word in refused(story, client, upstream)
        return
    request = decoded(story, client)
    sent = SERVICE.from_domain_request(request, upstream)
    lost = story.losses("request", upstream, client)
    meaning = story.meaning("request", upstream, client)
    if not SERVICE.format(upstream).model_in_body:
        meaning.pop("stream", None)
    assert request_faults(meaning, READERS[upstream].request(sent), client, upstream, lost) == []
    check_request(upstream, sent)
    assert sorted(request.dropped) == sorted(lost)


def refused(story: Story, client: str, upstream: str) -> str:
    """What the client is told: an error of the encoder, or the fields that only its own format can honour."""
    try:
        request = decoded(story, client)
        SERVICE.from_domain_request(request, upstream)
    except InvalidRequestError as error:
        return f"{error} {error.details}"
    return ", ".join(request.native_only)


# answers


def options(story: Story, client: str) -> RenderOptions:
    request = decoded(story, client) if client in story.request else None
    free = frozenset(tool.name for tool in request.tools if tool.kind == "custom") if request else frozenset[str]()
    return RenderOptions(model=MODEL, free_text_tools=free, request=request)


def blocks(data: bytes, size: int | None = None) -> list[bytes]:
    """The events in these bytes, fed in pieces of `size`."""
    splitter = EventSplitter()
    pieces = [data] if size is None else [data[at : at + size] for at in range(0, len(data), size)]
    return [block for piece in pieces for block in splitter.feed(piece)] + splitter.flush()


def chunks(upstream: str, events: list[bytes]) -> list[StreamChunk]:
    wire_format = SERVICE.format(upstream)
    return [chunk for event in events if (chunk := wire_format.decode_block(event)) is not None]


def streamed(story: Story, upstream: str, client: str) -> tuple[list[dict[str, Any]], StreamEncoder]:
    """The payloads that the client gets, and the encoder that wrote them."""
    encoder = SERVICE.stream_encoder(client, options(story, client))
    sent = blocks(sse(story.answer[upstream].events or []))
    data = b"".join(encoder.encode(chunk) for chunk in chunks(upstream, sent))
    data += encoder.encode(StreamChunk(terminal=True))  # as the host says when the upstream just ends
    events = [parse_event(block).data or b"" for block in blocks(data)]
    return [json.loads(event) for event in events if event != b"[DONE]"], encoder


def whole(story: Story, upstream: str, client: str) -> tuple[dict[str, Any], list[str]]:
    """The body that the client gets, and what was lost on the way."""
    response = SERVICE.to_domain_response(json.loads(json.dumps(story.answer[upstream].body)), upstream)
    rendering = options(story, client)
    if rendering.free_text_tools:
        unwrap_calls(response, rendering.free_text_tools)
    return SERVICE.from_domain_response(response, client, rendering), response.dropped


@to_clients(lambda _, answer: answer.body)
def test_a_whole_answer_keeps_its_meaning(story: Story, upstream: str, client: str) -> None:
    body, dropped = whole(story, upstream, client)
    assert answer_faults(story.meaning("answer", client, upstream), READERS[client].answer(body), client) == []
    assert sorted(dropped) == sorted(story.losses("answer", client, upstream))
    if not is_error(story):
        check_body(client, body)
        assert body.get("model", body.get("modelVersion")) == MODEL


@to_clients(lambda story, answer: answer.events and is_error(story))
def test_a_broken_stream_ends_with_its_error(story: Story, upstream: str, client: str) -> None:
    events, encoder = streamed(story, upstream, client)
    assert story.means["answer"]["error"] in json.dumps(events[-1])
    assert encoder.closed


@to_clients(lambda story, answer: answer.events and not is_error(story))
def test_a_streamed_answer_keeps_its_meaning(story: Story, upstream: str, client: str) -> None:
    events, encoder = streamed(story, upstream, client)
    body = collect(client, events)
    assert answer_faults(story.meaning("answer", client, upstream), READERS[client].answer(body), client) == []
    assert len({identity(event) for event in events} - {(None, None)}) == 1
    assert sorted(encoder.dropped) == sorted(story.losses("answer", client, upstream))


def identity(event: dict[str, Any]) -> tuple[Any, Any]:
    """The answer's id and model, in the events that have them."""
    holder = event.get("response") or event.get("message") or event
    return holder.get("id") or holder.get("responseId"), holder.get("model") or holder.get("modelVersion")


@to_clients(lambda story, answer: answer.body and answer.events and not answer.uneven)
def test_a_stream_collected_is_the_whole_answer(story: Story, upstream: str, client: str) -> None:
    events, _ = streamed(story, upstream, client)
    body, _ = whole(story, upstream, client)
    assert unsealed(canonical(collect(client, events))) == unsealed(canonical(same_shape(client, body)))


def unsealed(value: Any) -> Any:
    """The value with what is in our seals, but for the ids there."""
    if isinstance(value, dict):
        return {key: unsealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unsealed(item) for item in value]
    if not opaque.is_sealed(value):
        return value
    return [(part.text, part.signature, part.data, part.origin) for part in opaque.unseal(value)]


FRAMINGS: list[dict[str, Any]] = [
    {},
    {"line_end": "\r\n", "space": "", "ends_blank": False},
    {"line_end": "\r", "comment": "keep-alive"},
    {"split_data": True},
]


@each_answer
def test_cuts_and_line_ends_change_nothing(story: Story, upstream: str) -> None:
    events = story.answer[upstream].events or []
    for framing, size in itertools.product(FRAMINGS, (1, 7, 64)):
        assert parsed(sse(events, **framing), size) == events


def parsed(data: bytes, size: int) -> list[dict[str, Any]]:
    """The events in these bytes as the corpus spells them, fed in pieces of `size`."""
    found = [event for block in blocks(data, size) if (event := parse_event(block)).data is not None]
    names = [{} if event.name is None else {"event": event.name} for event in found]
    data_of = [event.data.decode() for event in found if event.data is not None]
    values = [text if text == "[DONE]" else json.loads(text) for text in data_of]
    return [{**name, "data": value} for name, value in zip(names, values, strict=True)]


@pytest.mark.parametrize(
    ("story", "upstream"), [named(*case) for case in spoken_answers(lambda _, answer: answer.events)]
)
def test_the_short_way_of_reading_says_what_the_long_one_does(story: Story, upstream: str) -> None:
    """The commonest events are read by a decoder of their own, if their lines are spelled as usual."""
    events = story.answer[upstream].events or []
    usual = chunks(upstream, blocks(sse(events)))
    unusual = chunks(upstream, blocks(sse(events, line_end="\r\n", space="")))
    assert [said(chunk) for chunk in usual] == [said(chunk) for chunk in unusual]


def said(chunk: StreamChunk) -> list[Any]:
    """All that a chunk says but for ids, which may be minted, and facts about the answer."""
    deltas = [{**delta.model_dump(), "id": None, "extras": None} for delta in chunk.deltas]
    usage = chunk.usage and {**chunk.usage.model_dump(), "extras": None}
    return [deltas, chunk.finish, usage, chunk.error, chunk.terminal]


# the same format


SOUND = spoken_answers(lambda story, answer: answer.body and not answer.odd and not is_error(story))


@pytest.mark.parametrize(("story", "upstream"), [named(*case) for case in SOUND])
def test_nothing_is_lost_within_one_format(story: Story, upstream: str) -> None:
    answer = story.answer[upstream]
    response = SERVICE.to_domain_response(json.loads(json.dumps(answer.body)), upstream)
    body = SERVICE.from_domain_response(response, upstream, RenderOptions(model="MODEL"))
    assert missing(canonical(answer.body), canonical(body)) == []


def missing(expected: Any, got: Any, path: str = "") -> list[str]:
    """The fields of `expected` that `got` has not, or says otherwise."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return [gap for key, value in expected.items() for gap in missing(value, got.get(key), f"{path}.{key}")]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        both = enumerate(zip(expected, got, strict=True))
        return [gap for at, (one, other) in both for gap in missing(one, other, f"{path}[{at}]")]
    return [] if expected == got else [path]


# the second turn


@to_clients(lambda story, answer: answer.body and calls_of(story))
def test_calls_come_back_with_their_results(story: Story, upstream: str, client: str) -> None:
    """The client brings the calls back with a result each; to their provider, and to all others, they are the same."""
    calls = calls_of(story)
    shown, _ = whole(story, upstream, client)
    for target in SPOKEN:
        request = SERVICE.to_domain_request(READERS[client].history(shown), client)
        sent = SERVICE.from_domain_request(request, target)
        turns = READERS[target].request(sent)["turns"]
        parts = [part for turn in turns for part in turn["parts"]]
        assert [(part["call"], part["name"], wrapping(part)) for part in parts if "call" in part] == [
            (number, call["name"], wrapping(call)) for number, call in enumerate(calls, 1)
        ]
        assert [part for part in parts if "result" in part] == [
            {"result": number, "text": "ok"} for number, _ in enumerate(calls, 1)
        ]


def wrapping(call: dict[str, Any]) -> Any:
    """The arguments; free text in its wrapping, which nobody can tell without the tools."""
    return {"input": call["input"]} if "input" in call else call["arguments"]


@to_clients(has_state)
def test_state_comes_back_to_its_issuer_through_every_client(story: Story, upstream: str, client: str) -> None:
    given = READERS[upstream].state(READERS[upstream].history(story.answer[upstream].body))
    if not given:
        return  # Chat: there is none of its own
    shown, _ = whole(story, upstream, client)
    request = SERVICE.to_domain_request(READERS[client].history(shown), client)
    sent = SERVICE.from_domain_request(request, upstream)
    assert placed(READERS[upstream].state(sent), client) == placed(given, client)
    for other in {*SPOKEN} - {upstream}:
        again = SERVICE.to_domain_request(READERS[client].history(shown), client)
        assert READERS[other].state(SERVICE.from_domain_request(again, other)) == []
        assert "signature" in again.dropped


def placed(state: list[Any], client: str) -> list[Any]:
    """Where in the text something stands is lost to Chat, whose content is one string."""
    if client != "openai":
        return state
    return [tuple(str(each).replace("empty text", "text") for each in entry) for entry in state if entry]
