"""Hooks: one event, many plugins (pluggy, entry-point group `llm_proxy_hooks`).

Each hook takes one frozen context object that can grow. Hooks may be plain or `async def`. An exception in
`before_request` stops the request; in the others it is logged, and the client never notices.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, cast

import pluggy

from proxy_core.domain.request import DomainRequest
from proxy_core.domain.response import Usage
from proxy_core.errors import LLMProxyError, PluginError
from proxy_core.formats.base import Operation
from proxy_core.host.discovery import (
    HOOKS_GROUP,
    NOT_ALLOWED,
    Finding,
    distribution_of,
    entry_points_of,
    guarded,
    is_allowed,
    loaded,
)

hookspec = pluggy.HookspecMarker("llm_proxy")
hookimpl = pluggy.HookimplMarker("llm_proxy")

Lane = Literal["passthrough", "translated"]
Outcome = Literal["complete", "interrupted", "cancelled"]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """A request as it came. `model` is what the client asked for; `headers` hold no credentials. `operation` is `chat`,
    `count_tokens` or `embed`; the last has no `request` to look at."""

    request_id: str
    client_format: str
    model: str
    stream: bool
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    decode: Callable[[], DomainRequest] | None = field(default=None, repr=False)
    operation: Operation = "chat"

    @property
    def request(self) -> DomainRequest:
        """The decoded request, a fresh copy each time: return a changed one from `before_request` to replace it."""
        assert self.decode is not None
        return self.decode()


@dataclass(frozen=True, slots=True)
class ResponseContext:
    """An answer that went out whole. `latency` is in seconds; `dropped` names what translation could not carry."""

    request: RequestContext
    backend: str
    model: str
    lane: Lane
    status_code: int
    usage: Usage | None
    latency: float
    dropped: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class StreamEndContext:
    """A stream that has ended, one way or another. Times are in seconds since the request came."""

    request: RequestContext
    backend: str
    model: str
    lane: Lane
    outcome: Outcome
    usage: Usage | None
    latency: float
    time_to_first_token: float | None
    dropped: Sequence[str] = ()
    error: LLMProxyError | None = None


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """A request that was answered with an error, or (`ClientDisconnectedError`) whose client left before an answer.

    `backend` and `model` are None when no backend had been chosen yet; `latency` is in seconds.
    """

    request: RequestContext
    error: LLMProxyError
    latency: float
    backend: str | None = None
    model: str | None = None


class HookSpecs:
    """The hooks there are."""

    @hookspec
    def before_request(self, context: RequestContext) -> DomainRequest | None:
        """Before routing. Raise an `LLMProxyError` to refuse; return a `DomainRequest` to send that instead."""

    @hookspec
    def after_response(self, context: ResponseContext) -> None:
        """After a whole (not streamed) answer has been made ready."""

    @hookspec
    def on_stream_end(self, context: StreamEndContext) -> None:
        """After a stream that had begun ends: complete, interrupted by the upstream, or cancelled by the client."""

    @hookspec
    def on_error(self, context: ErrorContext) -> None:
        """After a request failed before any of its answer went out."""


#: How long an `async` hook that only looks on may take.
WATCHER_SECONDS = 5.0

HOOKS = ("before_request", "after_response", "on_stream_end", "on_error")


class Hooks:
    """The registered hook plugins, and a guarded way to call them."""

    def __init__(self, report: Callable[[str, BaseException], None]) -> None:
        self._report = report
        self._manager = pluggy.PluginManager("llm_proxy")
        self._manager.add_hookspecs(HookSpecs)
        self._callers: dict[str, list[Callable[..., list[Any]]]] = {name: [] for name in HOOKS}

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin: any object with methods marked `@hookimpl`; raises `PluginError` for unknown hooks."""
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
            self._callers = {hook: self._callers_of(hook) for hook in HOOKS}
        except (pluggy.PluginValidationError, ValueError, TypeError) as error:
            self._forget(plugin, name)
            raise PluginError(f"hook plugin {name}: {error}") from error

    def _forget(self, plugin: object, name: str) -> None:
        """Leave nothing of a refused plugin behind: pluggy would hold its unknown hooks against later plugins."""
        if self._manager.get_plugin(name) is plugin:
            self._manager.unregister(name=name)

    def _callers_of(self, hook: str) -> list[Callable[..., list[Any]]]:
        """One call per plugin, last registered first, so that one that fails does not keep the others from theirs."""
        plugins = [impl.plugin for impl in reversed(getattr(self._manager.hook, hook).get_hookimpls())]
        return [self._manager.subset_hook_caller(hook, [p for p in plugins if p is not only]) for only in plugins]

    def load_installed(self, allow: Sequence[str] | None = None) -> list[Finding]:
        """Register what entry points offer; each under its own guard."""
        return [self._load(entry, allow) for entry in entry_points_of(HOOKS_GROUP)]

    def _load(self, entry: Any, allow: Sequence[str] | None) -> Finding:
        distribution, version = distribution_of(entry)
        if not is_allowed(entry, allow):
            problem: str | None = NOT_ALLOWED
        else:
            plugin, problem = loaded(lambda: _instance(entry.load()))
            if problem is None:
                _, problem = guarded(lambda: self.register(plugin, f"{distribution}:{entry.name}"))
        return Finding(entry.name, distribution, version, entry.value, problem=problem)

    async def before_request(self, context: RequestContext) -> DomainRequest | None:
        """The request to send instead, if a plugin gives one. The next plugin sees that one as the request."""
        replacement = None
        try:
            for call in self._callers["before_request"]:
                for result in call(context=context):
                    if (given := await _awaited(result)) is not None:
                        replacement = given
                        context = replace(context, model=given.model, decode=partial(deepcopy, given))
        except LLMProxyError:
            raise
        except (Exception, SystemExit) as error:
            self._report("before_request", error)
            raise PluginError("a plugin failed before the request could be sent", code="plugin_failed") from error
        return cast("DomainRequest | None", replacement)

    async def notify(self, name: str, context: ResponseContext | StreamEndContext | ErrorContext) -> None:
        """Call one of the hooks that only look on."""
        for call in self._callers[name]:
            try:
                for result in call(context=context):
                    if inspect.isawaitable(result):
                        async with asyncio.timeout(WATCHER_SECONDS):
                            await result
            except (Exception, SystemExit) as error:  # noqa: BLE001 - no hook harms a client
                self._report(name, error)


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _instance(loaded: Any) -> object:
    return loaded() if inspect.isclass(loaded) else loaded
