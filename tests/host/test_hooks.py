"""Hooks see every request and how it ended; what goes wrong in them is no client's concern."""

import asyncio
import dataclasses
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy_core.api import DomainRequest, PermissionDeniedError, PluginError, RequestContext, hookimpl
from proxy_core.host.hooks import ErrorContext, Hooks, HookSpecs
from tests.fault_upstream import FaultUpstream, story, upstream_in_thread
from tests.host.hook_plugins import BROKEN, hook_wheels
from tests.support.proxy import Got, RunningProxy, running_proxy
from tests.support.wheels import Pip

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


@pytest.fixture(scope="module")
def upstream() -> Iterator[FaultUpstream]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, pip: Pip, upstream: FaultUpstream) -> Iterator[RunningProxy]:
    """A proxy with a hook plugin that works, one that stumbles, and three that cannot be loaded."""
    made, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    pip.install(site, *hook_wheels(made))
    up = {"type": "openai-compatible", "api_key": "sk-up", "api_base_url": upstream.openai_url, "models": ["any"]}
    with running_proxy({"backends": {"up": up, "spare": up}}, env={"PYTHONPATH": str(site)}) as running:
        yield running


def ask(proxy: RunningProxy, path: str, model: str, stream: bool = False, wish: str = "") -> tuple[Got, str]:
    """The answer, and the request's id."""
    body = {"model": model, "max_tokens": 50, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    got = proxy.post(path, body, {"x-wish": wish, "authorization": "Bearer sk-client"})
    return got, got.headers["x-request-id"]


def seen(proxy: RunningProxy, request_id: str, hook: str, within: float = 5) -> dict[str, Any]:
    """What `hook` was told about a request."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        told = [json.loads(line[5:]) for line in tuple(proxy.lines) if line.startswith("SEEN ") and request_id in line]
        if found := [each for each in told if each["hook"] == hook]:
            assert len(found) == 1
            return found[0]
        time.sleep(0.01)
    raise TimeoutError(f"no {hook} for {request_id} in:\n" + "\n".join(proxy.lines))


def hooks_seen(proxy: RunningProxy, request_id: str) -> list[str]:
    """Which hooks were called for a request, in order."""
    lines = [line[5:] for line in tuple(proxy.lines) if line.startswith("SEEN ") and request_id in line]
    return [json.loads(line)["hook"] for line in lines]


# what the hooks of an installed plugin see


@pytest.mark.parametrize(("path", "lane"), [(CHAT, "passthrough"), (MESSAGES, "translated")])
def test_a_whole_answer_is_seen_before_and_after(proxy: RunningProxy, path: str, lane: str) -> None:
    model = story("answer", prompt=21, output=9)
    got, request_id = ask(proxy, path, f"up:{model}")
    assert got.status == 200
    after = seen(proxy, request_id, "after_response")
    assert hooks_seen(proxy, request_id) == ["before_request", "after_response"]
    assert (after["backend"], after["model"], after["lane"], after["status_code"]) == ("up", model, lane, 200)
    assert (after["usage"]["input_tokens"], after["usage"]["output_tokens"]) == (21, 9)
    assert 0 < after["latency"] < 10
    request = after["request"]
    assert request["model"] == f"up:{model}"
    assert request["client_format"] == ("openai" if path == CHAT else "anthropic")
    assert request["stream"] is False
    before = seen(proxy, request_id, "before_request")
    assert {**before, "decode": 0} == {**request, "decode": 0, "hook": "before_request"}


@pytest.mark.parametrize(("path", "lane"), [(CHAT, "passthrough"), (MESSAGES, "translated")])
def test_a_whole_stream_is_seen_to_its_end(proxy: RunningProxy, path: str, lane: str) -> None:
    model = story("answer", output=9)
    got, request_id = ask(proxy, path, f"up:{model}", stream=True)
    assert got.status == 200
    end = seen(proxy, request_id, "on_stream_end")
    assert hooks_seen(proxy, request_id) == ["before_request", "on_stream_end"]
    assert (end["backend"], end["model"], end["lane"], end["outcome"]) == ("up", model, lane, "complete")
    assert end["error"] is None
    assert end["request"]["stream"] is True
    assert 0 < end["time_to_first_token"] <= end["latency"]


def test_a_broken_stream_is_seen_as_interrupted(proxy: RunningProxy) -> None:
    _, request_id = ask(proxy, CHAT, "up:" + story("rst"), stream=True)
    end = seen(proxy, request_id, "on_stream_end")
    assert end["outcome"] == "interrupted"
    assert end["error"].startswith("StreamInterruptedError(")


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_is_seen_with_its_status_and_the_backend(proxy: RunningProxy, stream: bool) -> None:
    model = story("status", code=429)
    got, request_id = ask(proxy, CHAT, f"up:{model}", stream=stream)
    assert got.status == 429
    error = seen(proxy, request_id, "on_error")
    assert hooks_seen(proxy, request_id) == ["before_request", "on_error"]
    assert error["error"].startswith("RateLimitError(")
    assert (error["backend"], error["model"]) == ("up", model)


def test_a_model_that_is_not_there_is_an_error_of_no_backend(proxy: RunningProxy) -> None:
    got, request_id = ask(proxy, CHAT, "nowhere")
    assert got.status == 404
    error = seen(proxy, request_id, "on_error")
    assert (error["backend"], error["model"]) == (None, None)


def hang_up(proxy: RunningProxy, model: str, wait: bool) -> str:
    """Ask for a stream and leave: after its first bytes, or at once; returns the request's id."""
    request_id = story("hang-up").replace("~", "-").replace("=", "-")
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    connection.request("POST", CHAT, json.dumps(body), {"x-request-id": request_id})
    if wait:
        assert connection.getresponse().read(20)
    else:
        seen(proxy, request_id, "before_request")
    connection.close()
    return request_id


def test_a_client_that_leaves_a_stream_is_seen_as_cancelled(proxy: RunningProxy) -> None:
    end = seen(proxy, hang_up(proxy, "up:" + story("tick", n=1000, ms=20), wait=True), "on_stream_end")
    assert end["outcome"] == "cancelled"
    assert end["error"].startswith("ClientDisconnectedError(")


def test_a_client_that_leaves_before_the_answer_is_an_error(proxy: RunningProxy) -> None:
    error = seen(proxy, hang_up(proxy, "up:" + story("silent"), wait=False), "on_error")
    assert error["error"].startswith("ClientDisconnectedError(")


def test_no_hook_sees_a_key(proxy: RunningProxy) -> None:
    _, request_id = ask(proxy, CHAT, "up:" + story("answer"))
    seen(proxy, request_id, "after_response")
    assert not [line for line in proxy.lines if "sk-client" in line or "sk-up" in line]


# what before_request may do


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_before_request_can_refuse_in_the_clients_format(
    proxy: RunningProxy, upstream: FaultUpstream, path: str, stream: bool
) -> None:
    model = story("answer")
    got, request_id = ask(proxy, path, f"up:{model}", stream, wish="refuse")
    assert got.status == 403
    assert got.json["error"]["type"] == "permission_error"
    assert got.json["error"]["message"] == "nobody talks to this model today"
    assert ("code" in got.json["error"]) is (path == CHAT)
    assert (got.json.get("type") == "error") is (path == MESSAGES)
    assert not upstream.log.of(model)
    assert seen(proxy, request_id, "on_error")["error"].startswith("PermissionDeniedError(")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_before_request_can_send_another_request_instead(
    proxy: RunningProxy, upstream: FaultUpstream, path: str, stream: bool
) -> None:
    asked, model = story("answer"), story("answer")
    got, request_id = ask(proxy, path, f"up:{asked}", stream, wish=f"spare:{model}")
    assert got.status == 200
    assert asked in got.body.decode()
    assert not upstream.log.of(asked)
    [exchange] = upstream.log.of(model)
    assert exchange.json["messages"] == [{"role": "user", "content": "Hi, said the hook"}]
    after = seen(proxy, request_id, "on_stream_end" if stream else "after_response")
    assert (after["backend"], after["model"], after["lane"]) == ("spare", model, "translated")


@pytest.mark.parametrize("slip", ["crash", "exit"])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_crash_in_before_request_refuses_the_request_and_no_other(
    proxy: RunningProxy, upstream: FaultUpstream, path: str, slip: str
) -> None:
    model = story("answer")
    got, _ = ask(proxy, path, f"up:{model}", wish=slip)
    assert got.status == 500
    assert "a slip" not in got.body.decode()
    assert not upstream.log.of(model)
    assert proxy.wait_logged("a hook plugin failed", hook="before_request")
    assert ask(proxy, path, "up:" + story("answer"))[0].status == 200


# what the others may not do


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize(
    ("hook", "name", "stream", "status"),
    [
        ("after_response", "answer", False, 200),
        ("on_stream_end", "answer", True, 200),
        ("on_error", "status", False, 500),
        ("on_error", "status", True, 500),
    ],
)
def test_a_failing_hook_harms_neither_the_client_nor_other_hooks(
    proxy: RunningProxy, path: str, hook: str, name: str, stream: bool, status: int
) -> None:
    got, request_id = ask(proxy, path, "up:" + story(name), stream)
    assert got.status == status
    seen(proxy, request_id, hook)
    assert proxy.wait_logged("request", request_id=request_id)
    assert proxy.wait_logged("a hook plugin failed", hook=hook)


@pytest.mark.parametrize("name", BROKEN)
def test_a_hook_plugin_that_cannot_be_loaded_is_named_with_its_reason(proxy: RunningProxy, name: str) -> None:
    described = f"a-{name} (llm-hooks-a-{name} 1.2.3)"
    reason = proxy.get("/readyz").json["plugins"][described]
    assert BROKEN[name][1] in reason
    assert proxy.logged("plugin not loaded", plugin=described, reason=reason)


def test_the_allow_list_holds_for_hook_plugins(tmp_path: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    pip.install(tmp_path / "site", *hook_wheels(tmp_path))
    monkeypatch.syspath_prepend(tmp_path / "site")
    findings = Hooks(lambda *_: None).load_installed(["llm-hooks-stumbler"])
    assert [finding.name for finding in findings if finding.problem is None] == ["stumbler"]
    refused = [finding for finding in findings if finding.name != "stumbler"]
    assert {finding.problem for finding in refused} == {"not on the allow-list (plugins.allow); it was not imported"}


# in this process

CONTEXT = RequestContext("req_1", "openai", "any", False)


class Recorder:
    """Remembers what failed."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, BaseException]] = []
        self.hooks = Hooks(lambda hook, error: self.failures.append((hook, error)))


async def test_the_plugin_that_was_registered_first_has_the_last_word() -> None:
    def replacing(model: str | None) -> object:
        class Plugin:
            @hookimpl
            async def before_request(self, context: RequestContext) -> DomainRequest | None:
                await asyncio.sleep(0)
                return DomainRequest(model=model, messages=[]) if model else None

        return Plugin()

    hooks = Recorder().hooks
    for number, model in enumerate([None, "first", "second"]):
        hooks.register(replacing(model), str(number))
    replacement = await hooks.before_request(CONTEXT)
    assert replacement is not None
    assert replacement.model == "first"


async def test_each_plugin_sees_what_the_one_before_it_made_of_the_request() -> None:
    def adding(word: str) -> object:
        class Plugin:
            @hookimpl
            def before_request(self, context: RequestContext) -> DomainRequest:
                earlier = context.model if context.model == CONTEXT.model else context.request.model
                return DomainRequest(model=f"{earlier}+{word}", messages=[])

        return Plugin()

    hooks = Recorder().hooks
    hooks.register(adding("last"), "registered first")
    hooks.register(adding("first"), "registered last")
    replacement = await hooks.before_request(CONTEXT)
    assert replacement is not None
    assert replacement.model == f"{CONTEXT.model}+first+last"


async def test_without_plugins_nothing_is_replaced() -> None:
    assert await Recorder().hooks.before_request(CONTEXT) is None


async def test_a_refusal_is_passed_on_as_it_is() -> None:
    refusal = PermissionDeniedError("no")

    class Plugin:
        @hookimpl
        async def before_request(self, context: RequestContext) -> None:
            raise refusal

    recorder = Recorder()
    recorder.hooks.register(Plugin(), "plugin")
    with pytest.raises(PermissionDeniedError) as raised:
        await recorder.hooks.before_request(CONTEXT)
    assert raised.value is refusal
    assert not recorder.failures


async def test_a_plugin_with_an_unknown_hook_is_refused_whole_and_alone() -> None:
    class Future:
        @hookimpl
        def on_full_moon(self, context: object) -> None: ...

        @hookimpl
        def on_error(self, context: ErrorContext) -> None:
            raise AssertionError("never called")

    called = []

    class Plain:
        @hookimpl
        def on_error(self) -> None:
            called.append("without arguments")

    recorder = Recorder()
    with pytest.raises(PluginError, match="hook plugin future: unknown hook 'on_full_moon'"):
        recorder.hooks.register(Future(), "future")
    recorder.hooks.register(Plain(), "plain")
    await recorder.hooks.notify("on_error", ErrorContext(CONTEXT, PermissionDeniedError("no"), 0.1))
    assert called == ["without arguments"]
    assert not recorder.failures


async def test_a_plugin_that_cannot_be_called_by_itself_is_refused_alone() -> None:
    @dataclasses.dataclass
    class Unhashable:
        called: list[str]

        @hookimpl
        def on_error(self, context: ErrorContext) -> None:
            self.called.append("by hook")

    hooks = Recorder().hooks
    with pytest.raises(PluginError, match="unhashable"):
        hooks.register(Unhashable([]), "odd")
    hooks.register(object(), "plain")


def test_one_name_is_registered_once() -> None:
    hooks = Recorder().hooks
    hooks.register(object(), "one")
    with pytest.raises(PluginError, match="hook plugin one: "):
        hooks.register(object(), "one")


def test_contexts_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CONTEXT.model = "other"


def test_the_hooks_are_those_of_the_contract() -> None:
    assert {name for name in vars(HookSpecs) if not name.startswith("_")} == {
        "before_request",
        "after_response",
        "on_stream_end",
        "on_error",
    }
