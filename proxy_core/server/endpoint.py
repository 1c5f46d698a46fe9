"""The chat endpoint: one request of one client format, streamed or not.

The one owner of `receive()`: while an answer is made, a watcher waits for the client to leave, and cancels the work the
moment it does, whatever it is waiting for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from proxy_core.backends.base import WireRequest
from proxy_core.config import ServerConfig
from proxy_core.errors import ClientDisconnectedError, LLMProxyError
from proxy_core.formats import lossless, wire_json
from proxy_core.formats.base import RenderOptions, StreamEncoder, WireFormat
from proxy_core.formats.free_text import unwrap_calls
from proxy_core.gateway import Answer, Exchange, Gateway
from proxy_core.server.auth import KEY_HEADERS
from proxy_core.server.limits import check_depth, check_model, read_body
from proxy_core.server.responses import error_info, raw_headers, send_error, send_json
from proxy_core.server.streaming import ClientStream, RawHeaders
from proxy_core.stream_answer import StreamAnswer

_EVENT_STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_PRIVATE_HEADERS = frozenset({*KEY_HEADERS, "cookie", "proxy-authorization"})


class ChatEndpoint:
    """An ASGI application that answers chat requests in one wire format."""

    def __init__(self, wire_format: WireFormat, gateway: Callable[[], Gateway], limits: ServerConfig) -> None:
        self._format = wire_format
        self._gateway = gateway
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[str, str] = scope["llm_proxy.headers"]
        body = await read_body(receive, headers, self._limits)
        await check_depth(body, self._limits)
        peeked = lossless.peek(body)
        check_model(peeked.model)
        request = WireRequest(self._format.name, body, peeked.model, bool(peeked.stream), _without_credentials(headers))
        exchange = self._gateway().exchange(request, scope["llm_proxy.request_id"])
        await _Call(exchange, request, self._format, send, self._limits).run(receive)


def _without_credentials(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _PRIVATE_HEADERS}


class _Call:
    """One request being answered."""

    def __init__(
        self, exchange: Exchange, request: WireRequest, wire_format: WireFormat, send: Send, limits: ServerConfig
    ) -> None:
        self._exchange = exchange
        self._request = request
        self._format = wire_format
        self._send = send
        self._limits = limits
        self._answer: StreamAnswer | None = None
        self._done = False
        self._left = False

    async def run(self, receive: Receive) -> None:
        """Answer, be it with an error; not at all when the client has left."""
        work = asyncio.current_task()
        assert work is not None
        watcher = asyncio.create_task(self._watch(receive, work))
        error: LLMProxyError | None = None
        try:
            error = await (self._stream() if self._request.stream else self._whole())
        except LLMProxyError as failure:
            error = failure
            self._done = True
            await send_error(self._send, failure, self._format, self._options(), [])
        except Exception as failure:
            error = LLMProxyError(f"internal error ({type(failure).__name__})")
            raise
        except asyncio.CancelledError:
            error = ClientDisconnectedError("the client left")
            if not self._left:
                raise
            work.uncancel()
        finally:
            self._done = True
            if error is not None:  # after a whole response the server ends the watcher's wait by itself
                watcher.cancel()
            await self._exchange.end(error)
            if error is not None:  # its traceback holds this frame, and the frame all that the request was
                error.__traceback__ = error.__cause__ = error.__context__ = None

    async def _watch(self, receive: Receive, work: asyncio.Task[None]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not self._done:
            self._left = True
            work.cancel()

    async def _whole(self) -> None:
        answer = await self._exchange.send()
        assert isinstance(answer, Answer)
        content = answer.content
        if not isinstance(content, bytes):
            unwrap_calls(content, self._exchange.free_text_tools)
            body = self._format.encode_response(content, self._options())
            self._exchange.drop(content.dropped)
            content = wire_json.dumps(body)
        headers = self._headers(answer)
        self._done = True
        await send_json(self._send, answer.status_code, content, headers)

    async def _stream(self) -> LLMProxyError | None:
        """Stream the answer; returns the error that the client was told inside the stream, if any."""
        client = ClientStream(self._send, self._stream_headers, self._limits.keep_alive_seconds)
        try:
            await self._relay(client)
        except LLMProxyError as error:
            if not client.started:
                raise
            await client.write(self._encoder().fail(error_info(error)), last=True)
            return error
        finally:
            client.close()
        return None

    async def _relay(self, client: ClientStream) -> None:
        answer = await self._exchange.send()
        assert isinstance(answer, StreamAnswer)
        self._answer = answer
        encoder = self._encoder()
        try:
            await self._pass_on(answer, encoder, client)
        finally:
            self._exchange.drop(encoder.dropped)

    async def _pass_on(self, answer: StreamAnswer, encoder: StreamEncoder, client: ClientStream) -> None:
        async for piece in answer:
            data = piece if isinstance(piece, bytes) else b"".join([encoder.encode(chunk) for chunk in piece])
            if answer.finished:
                self._done = True
            if data or answer.finished:
                await client.write(data, last=answer.finished)
        await client.write(b"", last=True)

    def _encoder(self) -> StreamEncoder:
        return self._format.stream_encoder(self._options())

    def _options(self) -> RenderOptions:
        exchange = self._exchange
        asked = exchange.context
        return RenderOptions(asked.model, exchange.include_usage, asked.request_id, exchange.free_text_tools)

    def _stream_headers(self) -> RawHeaders:
        return [*_EVENT_STREAM, *(self._headers(self._answer) if self._answer else ())]

    def _headers(self, answer: Answer | StreamAnswer) -> RawHeaders:
        lane = (b"x-llm-proxy-lane", self._exchange.lane.encode())
        dropped = self._exchange.dropped
        report = [(b"x-llm-proxy-dropped", ",".join(dropped).encode("latin-1", "replace"))] if dropped else []
        return [lane, *report, *raw_headers(answer.headers)]
