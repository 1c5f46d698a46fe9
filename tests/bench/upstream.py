"""A provider that costs next to nothing: every answer is rendered before the first request comes.

    json              a small answer that is not streamed
    one_write         a stream of 100 text events, in one write
    many_writes       the same, each event in a write of its own
    paced             the same, 5 ms apart

The model name chooses, for Gemini the one in the path; whatever stands before its last `:` is ignored. Run as
`python -m tests.bench.upstream`.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from typing import Final, cast

from tests.fault_upstream.formats import FORMATS
from tests.fault_upstream.http1 import LAST_CHUNK, chunk, response
from tests.fault_upstream.reply import Reply, Text
from tests.fault_upstream.sse import Spelling

EVENTS: Final = 100
PAUSE: Final = 0.005
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
MODEL: Final = re.compile(rb'"model"\s*:\s*"(?:[^"]*:)?([^":]*)"')
PATH: Final = re.compile(
    rb"POST [^ ]*?/(messages|responses|chat/completions|models/(?:[^ ]*(?::|%3[Aa]))?([^: /]*):\w+)"
)
SPOKEN: Final = {b"messages": "anthropic", b"responses": "openai-responses", b"chat/completions": "openai"}
LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def rendered(format_name: str) -> dict[bytes, list[bytes]]:
    """The writes of each answer in one format."""
    spoken = FORMATS[format_name]
    text = tuple(f"word{number:03d} " for number in range(EVENTS))
    reply = Reply("bench", (Text(text),), include_usage=True)
    small = json.dumps(spoken.body(Reply("bench", (Text(text[:40]),)))).encode()
    frames = [chunk(frame) for frame in Spelling().frames(spoken.events(reply))]
    frames = [STREAM_HEAD + frames[0], *frames[1:-1], frames[-1] + LAST_CHUNK]
    return {
        b"json": [response(small)],
        b"one_write": [b"".join(frames)],
        b"many_writes": frames,
        b"paced": frames,
    }


def asked(request: bytes, head_end: int) -> tuple[str, bytes]:
    """The format by the path, and the name of the answer."""
    path = PATH.match(request)
    if path is None or path[2] is not None:
        return ("gemini", path[2]) if path else ("openai", b"json")
    model = MODEL.search(request, head_end)
    return SPOKEN[path[1]], model[1] if model else b"json"


class Provider(asyncio.Protocol):
    """One connection; answers each request as soon as its body is there."""

    def __init__(self, answers: dict[str, dict[bytes, list[bytes]]]) -> None:
        self._answers, self._inbox, self._missing = answers, b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        head_end = self._inbox.find(b"\r\n\r\n")
        length = LENGTH.search(self._inbox, 0, head_end)
        if head_end >= 0 and len(self._inbox) >= head_end + 4 + (int(length[1]) if length else 0):
            request, self._inbox = self._inbox, b""
            self._answer(request, head_end)

    def _answer(self, request: bytes, head_end: int) -> None:
        format_name, name = asked(request, head_end)
        spoken = self._answers[format_name]
        writes = spoken.get(name, spoken[b"json"])
        self._write_paced(iter(writes).__next__) if name == b"paced" else self._write_all(writes)

    def _write_all(self, writes: list[bytes]) -> None:
        for piece in writes:
            self._transport.write(piece)

    def _write_paced(self, next_piece: Callable[[], bytes]) -> None:
        if self._transport.is_closing():
            return
        try:
            self._transport.write(next_piece())
        except StopIteration:
            return
        asyncio.get_running_loop().call_later(PAUSE, self._write_paced, next_piece)


async def _serve() -> None:
    answers = {name: rendered(name) for name in FORMATS}
    server = await asyncio.get_running_loop().create_server(lambda: Provider(answers), "127.0.0.1", 0, backlog=512)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve())
