"""Opaque state: kept for clients that do not bring it back, sealed for those that do, and shown to its issuer alone."""

import json
import time
import tracemalloc
from collections.abc import Iterator
from itertools import count

import pytest

from proxy_core import state_store
from proxy_core.domain.content import Part, ReasoningPart, TextPart, ToolCallPart
from proxy_core.domain.request import DomainRequest, Message
from proxy_core.domain.stream import ReasoningDelta, StreamChunk, TextDelta, ToolCallDelta
from proxy_core.formats import opaque
from proxy_core.state_store import StateStore, StateWatch
from tests.fault_upstream import FaultUpstream, story
from tests.reliability.conversation import RESULT, TURNS
from tests.reliability.talk import PAIRS, SPOKEN, TRANSLATED, Heard, ask, backends_at
from tests.support.proxy import RunningProxy, running_proxy

KEYS = [f"key-of-client-number-{number:03}" for number in range(400)]
FINAL = f"The tool said: {RESULT}."


@pytest.fixture(scope="module")
def proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    with running_proxy({"backends": backends_at(upstream), "auth": {"keys": KEYS}}) as running:
        yield running


#: Calls have the same ids in every story, so that each conversation is another client's.
_clients = count()


@pytest.fixture
def key() -> dict[str, str]:
    return {"x-api-key": KEYS[next(_clients)]}


async def first_turn(
    proxy: RunningProxy, client: str, model: str, key: dict[str, str], stream: bool = False
) -> list[dict[str, object]]:
    """What the assistant said, calling the tool."""
    turns = TURNS[client]
    heard = await ask(proxy, client, model, stream=stream, headers=key, **turns.begin())
    assert heard.status == 200, heard
    return turns.said(heard)


async def second_turn(
    proxy: RunningProxy, client: str, model: str, key: dict[str, str], said: list[dict[str, object]], bare: bool
) -> Heard:
    return await ask(proxy, client, model, headers=key, **TURNS[client].go_on(said, bare=bare))


@pytest.mark.parametrize(("client", "backend"), TRANSLATED)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_brings_nothing_back_may_go_on(proxy, key, client, backend, stream):
    model = f"{backend}:{story('thinking')}"
    said = await first_turn(proxy, client, model, key, stream)
    heard = await second_turn(proxy, client, model, key, said, bare=True)
    assert heard.status == 200, heard
    assert TURNS[client].text(heard.json) == FINAL


@pytest.mark.parametrize(("client", "backend"), TRANSLATED)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_brings_all_back_needs_nobody_s_memory(proxy, key, client, backend, stream):
    model = f"{backend}:{story('thinking')}"
    said = await first_turn(proxy, client, model, key, stream)
    heard = await second_turn(proxy, client, model, {"x-api-key": KEYS[next(_clients)]}, said, bare=False)
    assert heard.status == 200, heard
    assert TURNS[client].text(heard.json) == FINAL


@pytest.mark.parametrize(("client", "backend"), [("openai", "openai"), ("anthropic", "anthropic")])
async def test_nothing_is_put_into_what_is_not_translated(proxy, key, client, backend):
    model = f"{backend}:{story('thinking')}"
    said = await first_turn(proxy, client, model, key)
    heard = await second_turn(proxy, client, model, key, said, bare=True)
    assert (heard.status, heard.json.get("choices")) == (400, None)
    assert "thinking" in heard.error["message"]


@pytest.mark.parametrize(("client", "backend"), TRANSLATED)
async def test_one_client_s_state_is_not_another_s(proxy, key, client, backend):
    model = f"{backend}:{story('thinking')}"
    said = await first_turn(proxy, client, model, key)
    heard = await second_turn(proxy, client, model, {"x-api-key": KEYS[next(_clients)]}, said, bare=True)
    assert heard.status == 400, heard


async def test_one_backend_s_state_is_not_another_s(upstream):
    backends = backends_at(upstream)
    backends["second"] = {**backends["anthropic"], "type": "anthropic"}
    model = story("thinking")
    async with running_proxy({"backends": backends}) as proxy:
        said = await first_turn(proxy, "openai", f"anthropic:{model}", {})
        assert (await second_turn(proxy, "openai", f"second:{model}", {}, said, bare=True)).status == 400
        assert (await second_turn(proxy, "openai", f"anthropic:{model}", {}, said, bare=True)).status == 200


# a conversation that moves


MOVES = [(client, issuer, other) for client, issuer in TRANSLATED for other in SPOKEN if other != issuer]


@pytest.mark.parametrize(("client", "issuer", "other"), MOVES)
async def test_state_is_shown_to_its_issuer_alone(proxy, upstream, key, client, issuer, other):
    said = await first_turn(proxy, client, f"{issuer}:{story('thinking')}", key)
    model = story("answer")
    heard = await second_turn(proxy, client, f"{other}:{model}", key, said, bare=False)
    assert heard.status == 200, heard
    sent = upstream.log.of(model)[0].body
    assert opaque.MARK not in sent
    if (client, other) != ("openai", "openai"):  # whose `reasoning_details` may be of a gateway to all of them
        assert b"signature+must" not in sent
        assert b"RXFRQkNnSVlBaElN" not in sent  # the same, as Gemini spells it
    sealed = opaque.MARK in json.dumps(said).encode()
    assert heard.headers["x-llm-proxy-lane"] == ("passthrough" if client == other and not sealed else "translated")


@pytest.mark.parametrize(
    ("client", "issuer"), [(client, issuer) for client, issuer in TRANSLATED if client != "openai"]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_s_own_provider_gets_no_seal_of_ours(proxy, upstream, key, client, issuer, stream):
    """Where the conversation comes home: the client's own format, but not bytes as they are."""
    said = await first_turn(proxy, client, f"{issuer}:{story('thinking')}", key, stream)
    assert opaque.MARK in json.dumps(said).encode()
    model = story("answer")
    heard = await second_turn(proxy, client, f"{client}:{model}", key, said, bare=False)
    assert heard.status == 200, heard
    assert heard.headers["x-llm-proxy-lane"] == "translated"
    assert "signature" in heard.headers["x-llm-proxy-dropped"].split(",")
    assert opaque.MARK not in upstream.log.of(model)[0].body


#: Chat Completions has a place for everybody's state, and so no seals.
SEALED_PAIRS = [pair for pair in PAIRS if pair[0] != "openai"]


@pytest.mark.parametrize(("client", "backend"), SEALED_PAIRS)
@pytest.mark.parametrize(
    "seal", [opaque.MARK.decode(), opaque.MARK.decode() + "AAAA", opaque.MARK.decode() + "!", "{mark}"]
)
async def test_a_forged_seal_is_no_5xx_and_goes_nowhere(proxy, upstream, client, backend, seal):
    forged = {
        "openai-responses": {"type": "reasoning", "summary": []},
        "anthropic": {"role": "assistant", "content": [{"type": "redacted_thinking"}, {"type": "text", "text": "x"}]},
        "gemini": {"role": "model", "parts": [{"text": "x"}]},
    }[client]
    field = {"openai-responses": "encrypted_content", "anthropic": "data", "gemini": "thoughtSignature"}[client]
    place = {"anthropic": "content", "gemini": "parts"}.get(client)
    value = seal.format(mark=opaque.seal(ReasoningPart(data="x", origin="nobody"), ReasoningPart(text="y")))
    (forged[place][0] if place else forged)[field] = value
    turns, model = TURNS[client], story("answer", lax=1)
    heard = await ask(
        proxy,
        client,
        f"{backend}:{model}",
        headers={"x-api-key": KEYS[0]},
        **{turns.field: [turns.first, forged, turns.first]},
    )
    assert heard.status in (200, 400), heard
    assert not any(opaque.MARK in exchange.body for exchange in upstream.log.of(model))


# the store by itself


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def state(size: int, origin: str = "anthropic") -> list[ReasoningPart]:
    return [ReasoningPart(signature="s" * size, origin=origin)]


def room(entries: int, text: int) -> int:
    """Room for so many entries of one part each, and for so much text in all."""
    return entries * (state_store._ENTRY_BYTES + state_store._PART_BYTES) + text


def kept(store: StateStore, *names: str) -> list[str]:
    return [name for name in names if store.find("", name)]


def test_what_is_kept_is_found_for_a_while():
    clock = Clock()
    store = StateStore(seconds=10, clock=clock)
    store.keep("", "a", state(5))
    clock.now = 9
    store.keep("", "b", state(5))
    clock.now = 10
    assert kept(store, "a", "b", "c") == ["a", "b"]
    clock.now = 10.5
    assert kept(store, "a", "b") == ["b"]
    clock.now = 20
    assert kept(store, "a", "b") == []


def test_what_has_expired_takes_no_room():
    clock = Clock()
    store = StateStore(max_bytes=room(9, 100), seconds=10, clock=clock)
    for number in range(1000):
        clock.now += 20
        store.keep("", str(number), state(5))
    assert len(store._entries) == 1
    assert store._size == store._oldest().size


def test_the_oldest_goes_first_when_there_is_no_room():
    store = StateStore(max_bytes=room(3, 40))
    for name in "abcd":
        store.keep("", name, state(10))
    assert kept(store, *"abcd") == ["b", "c", "d"]
    store.keep("", "b", state(10))
    store.keep("", "e", state(10))
    assert kept(store, *"abcde") == ["b", "d", "e"]


def test_what_is_kept_again_counts_once():
    store = StateStore(max_bytes=room(2, 40))
    for _ in range(100):
        store.keep("", "a", state(30))
    assert kept(store, "a") == ["a"]
    store.keep("", "a", state(2))
    store.keep("", "b", state(30))
    assert kept(store, "a", "b") == ["a", "b"]


def test_what_is_larger_than_all_room_is_not_kept():
    store = StateStore(max_bytes=room(1, 40))
    store.keep("", "a", state(100))
    assert kept(store, "a") == []
    assert (len(store._entries), store._size) == (0, 0)


def test_text_and_data_count_too():
    store = StateStore(max_bytes=room(3, 100))
    store.keep("", "a", [ReasoningPart(text="t" * 40, signature="s", origin="anthropic")])
    store.keep("", "b", [ReasoningPart(data="d" * 40, origin="gemini")])
    store.keep("", "c", [ReasoningPart(data="d" * 40, origin="gemini")])
    assert kept(store, *"abc") == ["b", "c"]


def test_only_state_is_kept():
    store = StateStore()
    store.keep("", "a", [ReasoningPart(text="plain")])
    store.keep("", "b", [ReasoningPart(signature="s")])
    store.keep("", "c", [])
    assert kept(store, *"abc") == []


def test_scopes_are_apart():
    store = StateStore()
    store.keep("one", "a", state(1))
    assert store.find("other", "a") == []
    assert store.find("", "one a") == []


def test_the_bound_is_one_of_memory():
    """However small the entries are: what they weigh in Python counts, not only their text."""
    store = StateStore(max_bytes=1_000_000)
    tracemalloc.start()
    for number in range(100_000):
        store.keep("0" * 64 + " anthropic", f"toolu_{number:020}", state(40))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4_000_000


def request_of(*content: Part) -> DomainRequest:
    return DomainRequest(model="m", messages=[Message(role="assistant", content=list(content))])


def test_state_is_put_before_its_call():
    store = StateStore()
    store.keep("", "a", state(1))
    store.keep("", "b", state(2))
    request = request_of(TextPart(text="x"), ToolCallPart(id="a", name="f"), ToolCallPart(id="b", name="f"))
    store.restore("", request, "anthropic")
    kinds = [
        getattr(part, "signature", None) or part.id if not isinstance(part, TextPart) else "x"
        for part in request.messages[0].content
    ]
    assert kinds == ["x", "s", "a", "ss", "b"]


def test_state_is_put_back_for_its_issuer_alone_and_only_where_there_is_none():
    store = StateStore()
    store.keep("", "a", state(1))
    for origin, given, restored in (
        ("gemini", [], False),
        ("anthropic", [], True),
        ("anthropic", state(9), False),
        ("anthropic", state(9, "gemini"), True),
    ):
        request = request_of(*given, ToolCallPart(id="a", name="f"))
        store.restore("", request, origin)
        assert any(getattr(part, "signature", None) == "s" for part in request.messages[0].content) == restored


def test_long_thinking_takes_linear_time():
    store = StateStore()
    watch = StateWatch(store, "")
    pieces = [StreamChunk(deltas=[ReasoningDelta(text="x" * 64, block=0)])] * (8 * 1024 * 1024 // 64)
    began = time.process_time()
    watch.see(pieces)
    signed = ReasoningDelta(signature="s", origin="anthropic", block=0)
    watch.see([StreamChunk(deltas=[signed, ToolCallDelta(index=0, id="a", name="f")])])
    assert time.process_time() - began < 2
    assert [len(part.text) for part in store.find("", "a")] == [8 * 1024 * 1024]


def test_a_watch_keeps_what_stands_before_each_call_wherever_the_stream_is_cut():
    whole = [
        ReasoningDelta(text="think", block=0),
        ReasoningDelta(text="ing", block=0),
        ReasoningDelta(signature="one", origin="anthropic", block=0),
        TextDelta(text="I look.", block=1),
        ToolCallDelta(index=0, id="a", name="f"),
        ToolCallDelta(index=0, arguments="{}"),
        ReasoningDelta(data="two", origin="gemini", id="b", block=3),
        ToolCallDelta(index=1, id="b", name="f"),
        ToolCallDelta(index=2, id="c", name="f"),
    ]
    for size in (1, 2, len(whole)):
        store = StateStore()
        watch = StateWatch(store, "")
        for at in range(0, len(whole), size):
            watch.see([StreamChunk(deltas=whole[at : at + size])])
        (first,), (second,) = store.find("", "a"), store.find("", "b")
        assert (first.text, first.signature, second.data, second.id) == ("thinking", "one", "two", "b")
        assert store.find("", "c") == []
