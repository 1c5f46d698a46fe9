"""The endpoint of a route: one request of one client format, streamed or not.

The one owner of `receive()`: while an answer is made, a watcher waits for the client to leave, and cancels the work the
moment it does, whatever it is waiting for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from proxy_core.backends.base import WireRequest
from proxy_core.config import ServerConfig
from proxy_core.domain.embedding import EmbeddingRequest, EmbeddingResponse, TokenCount
from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import DomainResponse
from proxy_core.errors import ClientDisconnectedError, LLMProxyError
from proxy_core.formats import lossless, wire_json
from proxy_core.formats.base import Framing, RenderOptions, StreamEncoder
from proxy_core.formats.free_text import unwrap_calls
from proxy_core.gateway import Answer, Content, Exchange, Gateway
from proxy_core.server.auth import KEY_HEADERS
from proxy_core.server.limits import check_depth, check_model, read_body
from proxy_core.server.protocols import Row
from proxy_core.server.responses import JSON, error_info, raw_headers, send_error, send_json
from proxy_core.server.streaming import ClientStream, RawHeaders
from proxy_core.stream_answer import StreamAnswer

_NO_BUFFERS = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
_CONTENT_TYPES: dict[Framing, RawHeaders] = {
    "sse": [(b"content-type", b"text/event-stream; charset=utf-8")],
    "array": [JSON],
}
_PRIVATE_HEADERS = frozenset({*KEY_HEADERS, "cookie", "proxy-authorization"})


class ClientEndpoint:
    """An ASGI application that answers the requests of one route."""

    def __init__(self, row: Row, gateway: Callable[[], Gateway], limits: ServerConfig) -> None:
        self._row = row
        self._gateway = gateway
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive, scope["llm_proxy.headers"], self._limits)
        await check_depth(body, self._limits)
        request = self._request(scope, body)
        check_model(request.model)
        exchange = self._gateway().exchange(request, scope["llm_proxy.request_id"])
        await _Call(exchange, request, self._row, send, self._limits).run(receive)

    def _request(self, scope: Scope, body: bytes) -> WireRequest:
        wire_format, route, *_ = self._row
        if wire_format.model_in_body:
            peeked = lossless.peek(body)
            model, stream = peeked.model, bool(peeked.stream)
        else:
            model, stream = self._row.model_in(scope["path"]), bool(route.stream)
        query = _query(scope)
        return WireRequest(
            wire_format.name,
            body,
            model,
            stream and route.operation == "chat",
            _without_credentials(scope["llm_proxy.headers"]),
            route.operation,
            route.path,
            scope["llm_proxy.client"],
            {name: query[name] for name in wire_format.request_parameters if name in query} if query else {},
            wire_format.framing(query),
        )


def _query(scope: Scope) -> Mapping[str, str]:
    """The parameters of the query; of repeated ones, the last."""
    query: bytes = scope.get("query_string", b"")
    return dict(parse_qsl(query.decode("latin-1"))) if query else {}


def _without_credentials(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _PRIVATE_HEADERS}


class _Call:
    """One request being answered."""

    def __init__(self, exchange: Exchange, request: WireRequest, row: Row, send: Send, limits: ServerConfig) -> None:
        self._exchange = exchange
        self._request = request
        self._format = row.format
        self._send = send
        self._limits = limits
        self._answer: StreamAnswer | None = None
        self._encoder: StreamEncoder | None = None
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
            content = wire_json.dumps(_RENDERERS[type(content)](self, content))
        headers = self._headers(answer)
        self._done = True
        await send_json(self._send, answer.status_code, content, headers)

    def render_chat(self, response: DomainResponse) -> dict[str, Any]:
        """The body of a whole answer."""
        options = self._options()
        unwrap_calls(response, options.free_text_tools)
        body = self._format.encode_response(response, options)
        self._exchange.drop(response.dropped)
        return body

    def render_count(self, count: TokenCount) -> dict[str, Any]:
        """The body that tells a number of tokens."""
        return self._format.encode_token_count(count)

    def render_embeddings(self, response: EmbeddingResponse) -> dict[str, Any]:
        """The body of vectors."""
        asked = self._exchange.asked
        assert isinstance(asked, EmbeddingRequest)
        return self._format.encode_embeddings(response, asked, self._request.model)

    async def _stream(self) -> LLMProxyError | None:
        """Stream the answer; returns the error that the client was told inside the stream, if any."""
        interval, keep_alive = self._limits.keep_alive_seconds, self._format.keep_alive
        client = ClientStream(self._send, self._stream_headers, interval, keep_alive)
        try:
            await self._relay(client)
        except LLMProxyError as error:
            if not client.started:
                raise
            await client.write(self._told(error), last=True)
            return error
        finally:
            client.close()
        return None

    def _told(self, error: LLMProxyError) -> bytes:
        """The error, in the stream that has begun: by our encoder or, in the lossless lane, by the upstream."""
        encoder = self._encoder or self._new_encoder()
        last = self._answer.last if self._answer is not None else None
        return encoder.fail(error_info(error)) if last is None else encoder.interrupt(error_info(error), last)

    async def _relay(self, client: ClientStream) -> None:
        answer = await self._exchange.send()
        assert isinstance(answer, StreamAnswer)
        self._answer = answer
        encoder = self._encoder = self._new_encoder()
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

    def _new_encoder(self) -> StreamEncoder:
        return self._format.stream_encoder(self._options())

    def _options(self) -> RenderOptions:
        context, asked = self._exchange.context, self._exchange.asked
        framing = self._request.framing
        if not isinstance(asked, DomainRequest):
            return RenderOptions(context.model, request_id=context.request_id, framing=framing)
        free_text = frozenset(tool.name for tool in asked.tools if tool.kind == "custom")
        return RenderOptions(context.model, asked.include_usage, context.request_id, free_text, asked, framing)

    def _stream_headers(self) -> RawHeaders:
        content_type = _CONTENT_TYPES[self._request.framing]
        return [*content_type, *_NO_BUFFERS, *(self._headers(self._answer) if self._answer else ())]

    def _headers(self, answer: Answer | StreamAnswer) -> RawHeaders:
        lane = (b"x-llm-proxy-lane", self._exchange.lane.encode())
        dropped = self._exchange.dropped
        report = [(b"x-llm-proxy-dropped", ",".join(dropped).encode("latin-1", "replace"))] if dropped else []
        if self._request.operation == "count_tokens" and isinstance(answer, Answer):
            report.append((b"x-llm-proxy-token-count", b"estimated" if _is_estimate(answer) else b"native"))
        return [lane, *report, *raw_headers(answer.headers)]


def _is_estimate(answer: Answer) -> bool:
    return isinstance(answer.content, TokenCount) and answer.content.estimated


_RENDERERS: dict[type[Content], Callable[[_Call, Any], dict[str, Any]]] = {
    DomainResponse: _Call.render_chat,
    TokenCount: _Call.render_count,
    EmbeddingResponse: _Call.render_embeddings,
}
