"""What a connector tells the host about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
    from pydantic import BaseModel

    from proxy_core.backends.base import LLMBackend
    from proxy_core.config import AppConfig
    from proxy_core.formats.base import WireFormat
    from proxy_core.translation import TranslationService

    BackendFactory = Callable[[httpx.AsyncClient, AppConfig, TranslationService], LLMBackend]

#: Grows by one when the connector contract changes in a way that a connector can notice.
PLUGIN_API_VERSION = 1


@dataclass(frozen=True, slots=True)
class PluginCompatibility:
    """The versions of `llm-proxy-core` a connector works with, both ends included, as PEP 440 versions.

    `core_max_version="1"` admits 1.0 and 1.0.post1 but not 1.1; None sets no upper end.
    """

    core_min_version: str
    core_max_version: str | None = None

    def problem(self, core_version: str) -> str | None:
        """Why the connector does not go with this core; None if it does. Raises `ValueError` for no version."""
        from packaging.version import Version

        core = Version(core_version)
        if Version(core.base_version) < Version(Version(self.core_min_version).base_version):
            return f"needs llm-proxy-core {self.core_min_version} or newer; {core_version} is installed"
        if self.core_max_version is not None and Version(core.base_version) > Version(self.core_max_version):
            return f"works with llm-proxy-core up to {self.core_max_version}; {core_version} is installed"
        return None


@dataclass(frozen=True, slots=True)
class BackendCapabilities:
    """What the upstream can do; None means that it depends on the model."""

    streaming: bool | None = True
    tools: bool | None = None
    vision: bool | None = None
    reasoning: bool | None = None
    structured_output: bool | None = None


@dataclass(frozen=True, slots=True)
class BackendPluginDefinition:
    """One connector.

    - `backend_name`: the `backend_type`, and the name of the entry point.
    - `factory`: called with `(client, config, translation_service)`, positionally; no network I/O. Usually the class.
    - `plugin_name`: the distribution, for messages.
    - `options_model`: a pydantic model of the backend's options in the config file; `BackendOptions` or a subclass.
      None takes any options unchecked.
    - `formats`: wire formats the connector brings along.
    - `api_key_env`: the environment variable where this provider's users keep their key.
    - `enabled_by_key`: serve without any configuration when that key is set.
    - `enabled_by_default`: serve without any configuration even though no key is set.
    - `post_build_hook`: called with each backend after it is built, before `initialize`.
    """

    backend_name: str
    factory: BackendFactory
    plugin_name: str
    compatibility: PluginCompatibility
    capabilities: BackendCapabilities = BackendCapabilities()
    options_model: type[BaseModel] | None = None
    formats: tuple[WireFormat, ...] = ()
    docs_url: str | None = None
    api_key_env: str | None = None
    enabled_by_key: bool = True
    enabled_by_default: bool = False
    post_build_hook: Callable[[LLMBackend], None] | None = None

    def key_from(self, env: Mapping[str, str]) -> str | None:
        """The provider's key, if the environment has one."""
        return env.get(self.api_key_env) or None if self.api_key_env else None

    def option_defaults(self, env: Mapping[str, str]) -> dict[str, Any]:
        """Options that the environment supplies where the config file does not."""
        key = self.key_from(env)
        return {"api_key": key} if key else {}
