"""How a story is carried out on the wire: the answer with its faults, and the stories that are no answer.

Pairs that any answer takes:

    wait=MS       before the first byte           ms=MS       between events
    after=K       events before the end (3)       end=…       rst, fin, eof, idle, error: instead of the rest
    bad=K         event K is broken JSON          done=0      without the terminal event
    cut=N         two writes, cut at byte N       pieces=N    writes (and chunks) of N bytes
    burst=1       all events in one write         gzip=1      Content-Encoding: gzip
    odd=A+B       see `oddities.py`               times=N     for the first N requests; then plain answers
    fails=A+B     `status` at these endpoints only (`count`, `embeddings`, …); the others answer

`end` in an answer that is not streamed comes after half of the body (`eof`, `error`: short, but well framed).
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tests.fault_upstream import embeddings as vectors
from tests.fault_upstream.formats import Format, is_array, is_streamed
from tests.fault_upstream.json_array import JsonArray
from tests.fault_upstream.oddities import made_odd
from tests.fault_upstream.reply import Event, RefusedError, Reply
from tests.fault_upstream.sse import Spelling
from tests.fault_upstream.stories import Question, reply_to
from tests.fault_upstream.story import Story
from tests.fault_upstream.wire import Wire

BROKEN_JSON = '{"broken": tru'
AFTER = 3
"""How many events come before an `end` that does not say it."""


@dataclass(frozen=True)
class Scene:
    """A request on stage: what is asked, and the wire to answer on."""

    question: Question
    wire: Wire

    @property
    def story(self) -> Story:
        return self.question.story

    @property
    def format(self) -> Format:
        return self.question.format

    @property
    def is_array(self) -> bool:
        return is_array(self.question.path)

    @cached_property
    def writing(self) -> Spelling | JsonArray:
        """How events become bytes."""
        return JsonArray(not self.story.text("end")) if self.is_array else Spelling.of(self.story)


Deed = Callable[[Scene], Awaitable[None]]


async def answer(scene: Scene) -> None:
    """The reply that the story writes, streamed if the request says so."""
    try:
        reply = reply_to(scene.question)
    except RefusedError as refusal:
        await send_error(scene, refusal.status, refusal.message)
    else:
        streamed = is_streamed(scene.question.path, scene.question.request)
        await (_stream(scene, reply) if streamed else _whole(scene, reply))


async def models(scene: Scene) -> None:
    """The model list: the names in the pair `models`, joined by `+`."""
    names = scene.story.text("models", "fault-small+fault-large").split("+")
    await _send_json(scene, _json(scene.format.models(names)))


async def count(scene: Scene) -> None:
    """The token count."""
    await _send_json(scene, _json(scene.format.counted(scene.story.number("prompt", 21))))


async def embeddings(scene: Scene) -> None:
    """OpenAI's vectors."""
    await _send_json(scene, _json(vectors.openai(scene.question.request)))


async def embed_content(scene: Scene) -> None:
    """Gemini's vector."""
    await _send_json(scene, _json(vectors.gemini(scene.question.request)))


async def embed_contents(scene: Scene) -> None:
    """Gemini's vectors."""
    await _send_json(scene, _json(vectors.gemini_batch(scene.question.request)))


async def probe(scene: Scene) -> None:
    """The bare 200 that Claude Code looks for on start."""
    await scene.wire.head(200, {"content-length": "0"})


async def unknown(scene: Scene) -> None:
    """A path that no provider has."""
    await send_error(scene, 404)


async def silent(scene: Scene) -> None:
    """Take the request and never answer."""
    await scene.wire.idle()


async def headers_then_silent(scene: Scene) -> None:
    """Answer 200 with the headers of a stream and nothing after."""
    await scene.wire.head(200, _stream_headers(scene))
    await scene.wire.idle()


async def drop(scene: Scene) -> None:
    """Leave without a byte (`end=fin`, or `rst`); `reused=1`: only on a connection that carried a request."""
    spared = scene.story.flag("reused") and not scene.wire.carried
    await (answer(scene) if spared else ENDS[scene.story.text("end", "fin")](scene))


async def status(scene: Scene) -> None:
    """An error status `code` (500) with the provider's own body, and Retry-After where one is usual.

    `retry_after` is sent as it is written; `-` leaves the header out. `says` is the message.
    """
    await send_error(scene, scene.story.number("code", 500), scene.story.text("says") or None)


async def send_error(scene: Scene, code: int, message: str | None = None) -> None:
    """An error response in the request's format."""
    retry_after = scene.story.text("retry_after", "2" if code in scene.format.retry_statuses else "-")
    extra = {} if retry_after == "-" else {"retry-after": retry_after}
    body = scene.format.error(code, message)
    await _send_json(scene, _json([body] if scene.is_array else body), code, extra)


async def _rst(scene: Scene) -> None:
    await scene.wire.rst()


async def _fin(scene: Scene) -> None:
    await scene.wire.fin()


async def _eof(scene: Scene) -> None:
    await scene.wire.last_chunk()


async def _idle(scene: Scene) -> None:
    await scene.wire.idle()


async def _error(scene: Scene) -> None:
    event = scene.format.error_event(scene.story.number("code", 529), scene.story.number("after", AFTER))
    await scene.wire.chunk(scene.writing.frame(event))
    await scene.wire.last_chunk()


ENDPOINTS: dict[str, Deed] = {
    "chat": answer,
    **{each.__name__: each for each in (models, count, embeddings, embed_content, embed_contents, probe, unknown)},
}
DEEDS: dict[str, Deed] = {each.__name__: each for each in (silent, headers_then_silent, drop, status)}
ENDS: dict[str, Deed] = {"rst": _rst, "fin": _fin, "eof": _eof, "idle": _idle, "error": _error}


async def play(scene: Scene) -> None:
    """Carry out the story."""
    await asyncio.sleep(scene.story.seconds("wait"))
    endpoint = scene.question.endpoint
    name = "status" if endpoint in scene.story.text("fails").split("+") else scene.story.name
    await DEEDS.get(name, ENDPOINTS[endpoint])(scene)


async def _whole(scene: Scene, reply: Reply) -> None:
    body = _json(scene.format.body(reply))
    end = scene.story.text("end")
    if end in {"rst", "fin", "idle"}:
        await scene.wire.head(200, {**_json_headers(scene), "content-length": str(len(body))})
        await scene.wire.send(body[: len(body) // 2])
        await ENDS[end](scene)
    else:
        await _send_json(scene, body[: len(body) // 2] if end else body)


async def _send_json(scene: Scene, body: bytes, code: int = 200, extra: dict[str, str] | None = None) -> None:
    encoding = {}
    if scene.story.flag("gzip"):
        body, encoding = gzip.compress(body), {"content-encoding": "gzip"}
    length = {"content-length": str(len(body))}
    await scene.wire.head(code, {**_json_headers(scene), **(extra or {}), **encoding, **length})
    for piece in _recut(scene.story, body):
        await scene.wire.send(piece)
        await asyncio.sleep(_gap(scene.story))


async def _stream(scene: Scene, reply: Reply) -> None:
    story = scene.story
    frames = scene.writing.frames(_events(scene, reply))
    frames = _squeezed(frames) if story.flag("gzip") else frames
    writes = _recut(story, b"".join(frames)) if _is_recut(story) else frames
    await scene.wire.head(200, _stream_headers(scene))
    for write in writes:
        await scene.wire.event(write)
        await asyncio.sleep(_gap(story))
    await ENDS[story.text("end", "eof")](scene)


def _events(scene: Scene, reply: Reply) -> list[Event]:
    """The events that will be sent before the end."""
    story = scene.story
    events = made_odd(scene.format.events(reply), story.text("odd"))
    if not story.flag("done", default=True):
        events.pop()
    if bad := story.number("bad", 0):
        events[bad] = (events[bad][0], BROKEN_JSON)
    return events[: story.number("after", AFTER)] if story.text("end") else events


def _is_recut(story: Story) -> bool:
    return any(story.text(key) for key in ("cut", "pieces", "burst"))


def _recut(story: Story, body: bytes) -> list[bytes]:
    if cut := story.number("cut", 0):
        return [body[:cut], body[cut:]]
    size = story.number("pieces", 0) or len(body)
    return [body[at : at + size] for at in range(0, len(body), size)]


def _gap(story: Story) -> float:
    return story.seconds("ms", 5 if story.text("cut") else 0)


def _squeezed(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Each frame in one common gzip stream, flushed so that it can be read at once; then the end of that stream."""
    squeeze = zlib.compressobj(wbits=31)
    for frame in frames:
        yield squeeze.compress(frame) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    yield squeeze.flush()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _json_headers(scene: Scene) -> dict[str, str]:
    return {"content-type": "application/json", **scene.format.headers()}


def _stream_headers(scene: Scene) -> dict[str, str]:
    encoding = {"content-encoding": "gzip"} if scene.story.flag("gzip") else {}
    return {
        "content-type": "application/json" if scene.is_array else "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "transfer-encoding": "chunked",
        **encoding,
        **scene.format.headers(),
    }
