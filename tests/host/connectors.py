"""Connectors as strangers write them: the good one, and ten that are broken each in its own way."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.wheels import wheel

GROUP = "llm_proxy_backends"

_GOOD = """
from proxy_core.api import BackendPluginDefinition, LLMBackend, PluginCompatibility, ResponseEnvelope

class Backend(LLMBackend):
    backend_type = {name!r}

    def __init__(self, client, config, translation_service):
        super().__init__(config)

    async def initialize(self, **options):
        {initialize}

    async def chat_completions(self, request_data, processed_messages, effective_model, identity=None, **kwargs):
        part = {{"type": "text", "text": effective_model + " says hi"}}
        choice = {{"content": [part], "finish_reason": "stop"}}
        return ResponseEnvelope({{"model": effective_model, "choices": [choice]}})

    def get_available_models(self):
        {models}

def provide():
    return BackendPluginDefinition(
        {backend_name!r}, Backend, {plugin_name!r}, PluginCompatibility({versions}), formats=({formats})
    )
"""


def code(
    name: str,
    initialize: str = "pass",
    models: str = 'return ["only"]',
    versions: str = '"0.1"',
    backend_name: str | None = None,
    formats: str = "",
) -> str:
    """The source of a connector; `initialize` and `models` are bodies of methods, the rest is in its definition."""
    return _GOOD.format(
        name=name,
        initialize=initialize,
        models=models,
        versions=versions,
        backend_name=backend_name or name,
        formats=formats,
        plugin_name=f"llm-proxy-{name}",
    )


def connector(directory: Path, name: str, source: str, distribution: str | None = None) -> Path:
    """The wheel of a connector called `name`."""
    distribution = distribution or f"llm-proxy-{name}"
    return wheel(directory, distribution, source, {GROUP: {name: f"{distribution.replace('-', '_')}:provide"}})


class Broken(NamedTuple):
    """A source that cannot be used, and what a person is told."""

    source: str
    reason: str


BROKEN: Mapping[str, Broken] = {
    "importer": Broken("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    "typo": Broken("def provide(:", "SyntaxError: invalid syntax"),
    "quitter": Broken("raise SystemExit('no licence')", "SystemExit: no licence"),
    "raiser": Broken("def provide():\n    raise KeyError('api')", "KeyError: 'api'"),
    "foreign": Broken("def provide():\n    return {}", "returned a builtins.dict, not a BackendPluginDefinition"),
    "future": Broken(code("future", versions="'99'"), "needs llm-proxy-core 99 or newer; "),
    "past": Broken(code("past", versions="'0.0.1', '0.0.2'"), "works with llm-proxy-core up to 0.0.2; "),
    "nonsense": Broken(code("nonsense", versions="'soon'"), "Invalid version: 'soon'"),
    "renamed": Broken(code("renamed", backend_name="other"), "named 'other', its entry point 'renamed'"),
    "sleeper": Broken("import time\ntime.sleep(30)", "it is not imported after 1 s"),
}
"""Ten, as the requirement has it."""


_NOTHING = "AttributeError: 'Backend' object has no attribute 'nothing'"
SICKLY: Mapping[str, Broken] = {
    "raising": Broken(code("raising", "raise OSError('no route')", "return []"), "OSError: no route"),
    "hanging": Broken(
        code("hanging", "import asyncio; await asyncio.sleep(60)", "return []"), "initialize() took longer than 0.5 s"
    ),
    "listless": Broken(code("listless", models="return self.nothing"), _NOTHING),
}
"""Three that can be loaded, and fail when they are used."""


def broken_wheels(directory: Path) -> list[Path]:
    """All of them."""
    return [connector(directory, name, each.source) for name, each in BROKEN.items()]
