"""Backends are built from the configuration, get ready each in its own time, and fail each for itself."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from proxy_core.api import (
    AppConfig,
    BackendOptions,
    BackendPluginDefinition,
    ChatMessage,
    ConfigurationError,
    DomainRequest,
    Identity,
    LLMBackend,
    PluginCompatibility,
    ResponseEnvelope,
    ServiceUnavailableError,
    TranslationService,
    WireFormat,
)
from proxy_core.formats.openai import OpenAIFormat
from proxy_core.host import registry
from proxy_core.host.discovery import Finding
from proxy_core.host.registry import ConfiguredBackend, Registry, build_registry, enabled_backends
from proxy_core.upstream.client import Engine, UpstreamClient


class Acme(LLMBackend):
    """A connector that gets ready at once, and remembers how it was treated."""

    backend_type = "acme"

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.options: list[dict[str, Any]] = []
        self.closed = False
        super().__init__(arguments[1])

    async def initialize(self, **kwargs: Any) -> None:
        self.options.append(kwargs)

    async def chat_completions(
        self,
        request_data: DomainRequest,
        processed_messages: Sequence[ChatMessage],
        effective_model: str,
        identity: Identity | None = None,
        **kwargs: Any,
    ) -> ResponseEnvelope:
        raise NotImplementedError

    def get_available_models(self) -> list[str]:
        return ["small", "large"]

    async def close(self) -> None:
        self.closed = True


class Failing(Acme):
    """Fails to get ready with `error`, once."""

    error: ClassVar[BaseException]

    async def initialize(self, **kwargs: Any) -> None:
        await super().initialize(**kwargs)
        if len(self.options) == 1:
            raise self.error


def failing(raised: BaseException) -> type[Failing]:
    return type("Failing", (Failing,), {"error": raised})


class Hanging(Acme):
    """Never gets ready."""

    async def initialize(self, **kwargs: Any) -> None:
        await asyncio.Event().wait()


class Deaf(Acme):
    """Never gets ready, and does not let itself be cancelled until `released`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.released = asyncio.Event()

    async def initialize(self, **kwargs: Any) -> None:
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                continue


def finding(name: str = "acme", factory: Callable[..., Any] = Acme, **fields: Any) -> Finding:
    definition = BackendPluginDefinition(name, factory, f"llm-proxy-{name}", PluginCompatibility("0.1"), **fields)
    return Finding(name, f"llm-proxy-{name}", "1.0", "module:provide", definition)


def build(
    findings: list[Finding], config: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None
) -> Registry:
    app_config = AppConfig.model_validate(config or {"backends": {"acme": {}}})
    return build_registry(app_config, findings, Engine(app_config.timeouts), TranslationService(), env or {})


def only(factory: Callable[..., Any], initialize: float = 5) -> ConfiguredBackend:
    """The one backend of a registry, made by `factory`."""
    config = {"backends": {"acme": {}}, "timeouts": {"initialize": initialize}}
    return build([finding(factory=factory)], config).backends["acme"]


async def started(factory: Callable[..., Any], initialize: float = 5) -> ConfiguredBackend:
    """`only`, after the start."""
    backend = only(factory, initialize)
    await Registry({"acme": backend}).start()
    return backend


# building


def test_the_factory_gets_client_config_and_translation_service_and_nothing_else() -> None:
    backend = only(Acme).backend
    assert isinstance(backend, Acme)
    client, config, translation = backend.arguments
    assert isinstance(client, UpstreamClient)
    assert isinstance(config, AppConfig)
    assert isinstance(translation, TranslationService)


def test_each_backend_of_one_connector_is_an_object_of_its_own_with_its_own_client() -> None:
    backends = build([finding()], {"backends": {"one": {"type": "acme"}, "two": {"type": "acme"}}}).backends
    one, two = (backends[name].backend for name in ("one", "two"))
    assert isinstance(one, Acme)
    assert isinstance(two, Acme)
    assert one.arguments[0] is not two.arguments[0]


def test_the_post_build_hook_sees_each_backend() -> None:
    seen: list[LLMBackend] = []
    built = build([finding(post_build_hook=seen.append)]).backends["acme"].backend
    assert seen == [built]


@pytest.mark.parametrize("fault", ["factory", "post_build_hook"])
def test_a_connector_that_cannot_be_built_stops_the_start_and_is_named(fault: str) -> None:
    def fail(*_: object) -> None:
        raise SystemExit("no licence")

    with pytest.raises(ConfigurationError, match=r"connector llm-proxy-acme: .* failed: SystemExit: no licence"):
        build([finding(**{fault: fail})])


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        (
            [finding("other")],
            r"no connector of type 'acme' is installed \(installed: other\); .*pip install llm-proxy-acme",
        ),
        ([], r"no connector of type 'acme' is installed \(installed: none\)"),
        (
            [Finding("acme", "acme-dist", "2.0", "x:y", problem="ImportError: no")],
            r"the connector 'acme' cannot be used: acme \(acme-dist 2.0\): ImportError: no",
        ),
    ],
    ids=["another", "none", "broken"],
)
def test_a_configured_backend_without_its_connector_stops_the_start(findings: list[Finding], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build(findings)


class Bell(OpenAIFormat):
    name = "bell"


def test_the_formats_that_connectors_bring_are_registered_once_each() -> None:
    translation, config = TranslationService(), AppConfig.model_validate({"backends": {"acme": {}}})
    bell: WireFormat = Bell()
    findings = [finding(formats=(bell,)), finding("acme-too", formats=(bell,))]
    build_registry(config, findings, Engine(config.timeouts), translation, {})
    assert translation.format("bell") is bell


# which are enabled

KEYED = finding("keyed", api_key_env="KEYED_API_KEY")
KEYLESS = finding("keyless", enabled_by_default=True)
SILENT = finding("silent")


@pytest.mark.parametrize(
    ("backends", "env", "enabled"),
    [
        ({}, {"KEYED_API_KEY": "k"}, ["keyed"]),
        ({}, {}, ["keyless"]),
        ({}, {"KEYED_API_KEY": ""}, ["keyless"]),
        ({"silent": {}}, {"KEYED_API_KEY": "k"}, ["silent"]),
        ({"silent": {}, "keyed": {"enabled": False}}, {"KEYED_API_KEY": "k"}, ["silent"]),
        ({"keyed": {"enabled": False}}, {"KEYED_API_KEY": "k"}, []),
    ],
)
def test_without_configuration_keys_in_the_environment_decide(
    backends: dict[str, Any], env: dict[str, str], enabled: list[str]
) -> None:
    definitions = {found.name: found.definition for found in (KEYED, KEYLESS, SILENT) if found.definition}
    config = AppConfig.model_validate({"backends": backends})
    assert list(enabled_backends(config, definitions, env)) == enabled


# options


class Options(BackendOptions):
    depth: int = 3


async def test_initialize_gets_the_options_of_the_file_over_those_of_the_environment() -> None:
    config = {"backends": {"acme": {"api_base_url": "http://host", "depth": "7"}}}
    found = finding(options_model=Options, api_key_env="ACME_API_KEY")
    running = build([found], config, {"ACME_API_KEY": "from-env"})
    await running.start()
    backend = running.backends["acme"].backend
    assert isinstance(backend, Acme)
    defaults = {"models": [], "extra_headers": {}, "loop_guard": True}
    assert backend.options == [{"api_key": "from-env", "api_base_url": "http://host", "depth": 7, **defaults}]
    assert not isinstance(backend.options[0]["api_key"], SecretStr)

    config["backends"]["acme"]["api_key"] = "from-file"
    running = build([found], config, {"ACME_API_KEY": "from-env"})
    await running.start()
    backend = running.backends["acme"].backend
    assert isinstance(backend, Acme)
    assert backend.options[0]["api_key"] == "from-file"


async def test_a_connector_without_options_model_gets_the_options_as_they_are() -> None:
    options = {"anything": ["goes", {"here": 1}], "api_key": "k"}
    running = build([finding()], {"backends": {"acme": options}})
    await running.start()
    assert running.backends["acme"].backend.options == [options]


def test_a_mistyped_option_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="dept"):
        build([finding(options_model=Options)], {"backends": {"acme": {"dept": 7}}})


# getting ready


async def test_a_backend_that_got_ready_is_ready_and_has_no_problem() -> None:
    backend = await started(Acme)
    assert backend.ready
    assert backend.problem is None
    assert backend.models == ["small", "large"]


FAILURES = {
    "plain": (RuntimeError("no luck"), "RuntimeError: no luck"),
    "ours": (ServiceUnavailableError("it is off"), "it is off"),
    "exit": (SystemExit(3), "SystemExit: 3"),
    "own timeout": (TimeoutError("the provider took its time"), "TimeoutError: the provider took its time"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_leaves_the_backend_unavailable_with_its_reason(failure: str) -> None:
    raised, reason = FAILURES[failure]
    backend = await started(failing(raised))
    assert not backend.ready
    assert backend.problem == reason
    with pytest.raises(ServiceUnavailableError, match=f"backend 'acme' is not available: {reason}") as refusal:
        await backend.ensure_ready()
    assert refusal.value.status_code == 503
    assert refusal.value.retry_after == 10


async def test_a_failed_backend_is_left_alone_for_a_while_and_then_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "RETRY_SECONDS", 0.1)
    backend = await started(failing(RuntimeError("no luck")))
    with pytest.raises(ServiceUnavailableError):
        await backend.ensure_ready()
    await asyncio.sleep(0.11)
    await backend.ensure_ready()
    assert backend.ready
    assert backend.problem is None
    assert len(backend.backend.options) == 2


async def test_requests_that_come_together_make_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "RETRY_SECONDS", 0.0)
    backend = await started(failing(RuntimeError("no luck")))
    await asyncio.gather(*(backend.ensure_ready() for _ in range(20)))
    assert len(backend.backend.options) == 2


async def test_a_request_that_is_given_up_does_not_stop_the_attempt_it_waited_for() -> None:
    backend = only(Hanging)
    attempt = backend.start()
    waiting = asyncio.create_task(backend.ensure_ready())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not attempt.done()
    await backend.stop()


async def test_initialize_has_a_time_budget() -> None:
    backend = await started(Hanging, initialize=0.05)
    assert not backend.ready
    assert backend.problem == "initialize() took longer than 0.05 s"


async def test_a_slow_backend_does_not_hold_up_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "START_PATIENCE_SECONDS", 0.05)
    running = build([finding(), finding("slow", Hanging)], {"backends": {"acme": {}, "slow": {}}})
    async with asyncio.timeout(1):
        await running.start()
    assert running.backends["acme"].ready
    assert not running.backends["slow"].ready
    async with asyncio.timeout(1):
        await running.stop()


async def test_a_backend_that_ignores_its_cancellation_does_not_hang_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "START_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(registry, "GRACE_SECONDS", 0.05)
    backend = await started(Deaf, initialize=0.05)
    async with asyncio.timeout(1):
        with pytest.raises(ServiceUnavailableError, match=r"goes on after more than 0\.05 s"):
            await backend.ensure_ready()
    backend.backend.released.set()
    await asyncio.sleep(0.01)
    await backend.stop()


async def test_what_only_the_operator_can_mend_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="no api_key"):
        await started(failing(ConfigurationError("no api_key")))


async def test_what_only_the_operator_can_mend_is_told_even_when_it_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(Acme):
        async def initialize(self, **kwargs: Any) -> None:
            await asyncio.sleep(0.05)
            raise ConfigurationError("no api_key")

    monkeypatch.setattr(registry, "START_PATIENCE_SECONDS", 0.0)
    backend = await started(Late)
    with pytest.raises(ServiceUnavailableError, match="no api_key"):
        await backend.ensure_ready()
    assert backend.problem == "no api_key"


async def test_a_backend_may_be_ready_and_yet_have_a_problem() -> None:
    class Limping(Acme):
        async def initialize(self, **kwargs: Any) -> None:
            self.problem = "cannot list models: no connection"

    backend = await started(Limping)
    assert backend.ready
    assert backend.problem == "cannot list models: no connection"
    await backend.ensure_ready()


async def test_refresh_tries_again_what_went_wrong_when_it_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "RETRY_SECONDS", 0.05)
    backend = await started(failing(RuntimeError("no luck")))
    backend.refresh()
    assert len(backend.backend.options) == 1
    await asyncio.sleep(0.06)
    backend.refresh()
    await asyncio.sleep(0.01)
    assert backend.ready
    backend.refresh()
    assert len(backend.backend.options) == 2


# listing models


LISTINGS: dict[str, tuple[Callable[[], Any], str]] = {
    "raises": (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
    "none": (lambda: None, "TypeError: 'NoneType' object is not iterable"),
    "strangers": (lambda: ["small", {"id": "large"}], "TypeError: get_available_models() lists {'id': 'large'}"),
}


@pytest.mark.parametrize("listing", LISTINGS)
async def test_a_connector_that_fails_at_listing_lists_nothing_and_says_why(listing: str) -> None:
    listed, reason = LISTINGS[listing]
    backend = await started(type("Odd", (Acme,), {"get_available_models": lambda self: listed()}))
    assert backend.ready
    assert backend.models == []
    assert backend.problem is not None
    assert backend.problem.startswith(reason)


def test_a_backend_that_is_not_ready_may_not_know_its_models() -> None:
    backend = only(type("Odd", (Acme,), {"get_available_models": lambda self: 1 / 0}))
    assert backend.models == []
    assert backend.problem is None


# stopping


async def test_stop_closes_every_backend_even_when_one_cannot_be_closed() -> None:
    class Stuck(Acme):
        async def close(self) -> None:
            raise RuntimeError("stuck")

    running = build([finding(), finding("stuck", Stuck)], {"backends": {"stuck": {}, "acme": {}}})
    await running.start()
    await running.stop()
    assert running.backends["acme"].backend.closed
