"""What stands before every address: request id, limits, loop guard, keys; and the last resort for errors."""

from __future__ import annotations

import os
import re

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proxy_core.config import AppConfig
from proxy_core.errors import ClientDisconnectedError, InvalidRequestError, LLMProxyError, LoopDetectedError
from proxy_core.formats.base import RenderOptions
from proxy_core.server.auth import OPEN_PATHS, KeyCheck, LoopbackCheck, OpenCheck, with_key_of_query
from proxy_core.server.limits import CONTROL_CHARACTER, check_headers
from proxy_core.server.protocols import REQUEST_ID_HEADER, Protocols
from proxy_core.server.responses import send_error
from proxy_core.server.streaming import RawHeaders
from proxy_core.upstream.headers import LOOP_GUARD_HEADER

log = structlog.get_logger("llm_proxy.server")

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


def access_check(config: AppConfig) -> KeyCheck | LoopbackCheck | OpenCheck:
    """Who is let in, by configuration."""
    if config.auth.keys:
        return KeyCheck(key.get_secret_value() for key in config.auth.keys)
    return OpenCheck() if config.server.allow_unauthenticated else LoopbackCheck()


class Guard:
    """An ASGI wrapper: admits a request or answers it with an error in the client's format.

    Leaves `llm_proxy.headers`, `llm_proxy.client` and `llm_proxy.request_id` in the scope; every response carries the
    request id.
    """

    def __init__(self, app: ASGIApp, config: AppConfig, protocols: Protocols) -> None:
        self._app = app
        self._limits = config.server
        self._access = access_check(config)
        self._protocols = protocols

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Admission(self, scope).run(receive, send)

    async def admit(self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        """Check a request and hand it on; raises `LLMProxyError`."""
        if LOOP_GUARD_HEADER in headers:
            raise LoopDetectedError("this request has already passed through a proxy of this kind: it goes in circles")
        if CONTROL_CHARACTER.search(scope["path"]):
            raise InvalidRequestError("the path contains a control character", "bad_path")
        scope["llm_proxy.admitted"] = self._admits(scope, headers)
        scope["llm_proxy.headers"] = headers
        await self._app(scope, receive, send)

    def _admits(self, scope: Scope, headers: dict[str, str]) -> bool:
        """True, or an error; False for strangers at an open address."""
        peer = scope.get("client")
        try:
            scope["llm_proxy.client"] = self._access.check(headers, peer[0] if peer else None)
        except LLMProxyError:
            if scope["path"] not in OPEN_PATHS:
                raise
            return False
        return True

    async def refuse(
        self, scope: Scope, headers: dict[str, str], request_id: str, error: LLMProxyError, send: Send
    ) -> None:
        """Answer with an error in the client's format."""
        wire_format = self._protocols.format_of(scope["path"], headers)
        await send_error(send, error, wire_format, RenderOptions("", request_id=request_id), [])

    def request_id_headers(self, scope: Scope, headers: dict[str, str], request_id: str) -> RawHeaders:
        """The request's id, in every header where the client may look for it."""
        value = request_id.encode()
        names = self._protocols.request_id_headers[self._protocols.format_of(scope["path"], headers).name]
        return [(name, value) for name in names]

    def headers_of(self, scope: Scope) -> dict[str, str]:
        """The request's headers, within limits, and its key wherever that was."""
        return with_key_of_query(check_headers(scope["headers"], self._limits), scope.get("query_string", b""))


class _Admission:
    """One request at the guard."""

    def __init__(self, guard: Guard, scope: Scope) -> None:
        self._guard = guard
        self._scope = scope
        self._headers: dict[str, str] = {}
        self._request_id = ""
        self._started = False

    async def run(self, receive: Receive, send: Send) -> None:
        tagged = self._tagged(send)
        try:
            await self._enter(receive, tagged)
        except ClientDisconnectedError:
            return
        except LLMProxyError as error:
            await self._refuse(error, tagged)
        except Exception as error:
            log.exception("internal error", request_id=self._request_id, path=self._scope["path"])
            if self._started:
                raise
            await self._refuse(LLMProxyError(f"internal error ({type(error).__name__})"), tagged)

    async def _enter(self, receive: Receive, send: Send) -> None:
        self._request_id = f"req_{os.urandom(12).hex()}"
        self._headers = self._guard.headers_of(self._scope)
        given = self._headers.get(REQUEST_ID_HEADER, "")
        if _REQUEST_ID.fullmatch(given):
            self._request_id = given
        self._scope["llm_proxy.request_id"] = self._request_id
        await self._guard.admit(self._scope, self._headers, receive, send)

    async def _refuse(self, error: LLMProxyError, send: Send) -> None:
        await self._guard.refuse(self._scope, self._headers, self._request_id, error, send)

    def _tagged(self, send: Send) -> Send:
        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._started = True
                tags = self._guard.request_id_headers(self._scope, self._headers, self._request_id)
                message["headers"] = [*message["headers"], *tags]
            await send(message)

        return tagged
