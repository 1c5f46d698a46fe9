"""What can be configured: the models of `llm-proxy.yaml`, and reading, checking and showing it.

Knows no vendor: what a backend takes beside `type` and `enabled` is its connector's `options_model`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretBytes,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from proxy_core.config_file import (
    ConfigSource,
    KeyPath,
    Problem,
    interpolate,
    read_config_file,
    suggestion,
    validated,
)
from proxy_core.errors import ConfigurationError
from proxy_core.redaction import declared_secrets, is_secret_name, masked_value

__all__ = [
    "AppConfig",
    "AuthConfig",
    "BackendConfig",
    "BackendOptions",
    "ConfigSource",
    "IdentityConfig",
    "LoggingConfig",
    "PluginsConfig",
    "ServerConfig",
    "TimeoutConfig",
    "load_config",
    "masked",
    "validate_options",
]

#: Looked for when nothing else is named.
DEFAULT_PATH = Path("llm-proxy.yaml")

BACKEND_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_MIB = 1024 * 1024


def _checked_backend_name(name: str) -> str:
    if not re.fullmatch(BACKEND_NAME.strip("^$"), name):
        raise ValueError('a backend name has letters, digits, ".", "_" and "-", and begins with a letter or digit')
    return name


def _checked_alias(alias: str, info: ValidationInfo) -> str:
    """An alias that reads as `backend:model` would hide that model, or be hidden by it."""
    first = re.split("[:/]", alias, maxsplit=1)[0]
    if first != alias and first in info.data.get("backends", {}):
        raise ValueError(f'reads as a model of backend "{first}"; choose another name')
    return alias


def _checked_key(key: SecretStr) -> SecretStr:
    if not key.get_secret_value():
        raise ValueError("is empty; a key needs at least one character")
    return key


def _checked_base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its text may hold a password
        valid = False
    if not valid or re.search(r"\s", url):
        raise ValueError("should be a URL that begins with http:// or https://")
    return url


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class _Section(BaseModel):
    """A part of the file. Nothing in it is guessed or ignored, and its secrets are not in its repr."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        str_strip_whitespace=True,
        defer_build=True,  # 20 ms of import
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, data: Any) -> Any:
        """A key with nothing after it, as when all below it is commented out."""
        if not isinstance(data, dict):
            return {} if data is None else data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, masked_value(value, is_secret_name(name or ""), tail=0)


class ServerConfig(_Section):
    """Where we listen, and what we accept."""

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8765, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, description="How many processes serve.")
    allow_unauthenticated: bool = Field(
        False, description="Serve an address that other machines can reach although `auth.keys` is empty."
    )
    max_body_bytes: int = Field(32 * _MIB, gt=0, description="The largest request body.")
    max_header_bytes: int = Field(64 * 1024, gt=0, description="The largest request head, all headers together.")
    max_headers: int = Field(200, gt=0, description="The largest number of request headers.")
    max_json_depth: int = Field(128, gt=0, description="How deep the JSON of a request may be nested.")
    keep_alive_seconds: float = Field(
        15.0, gt=0, description="After so much silence in a stream, send the client an SSE comment."
    )
    shutdown_grace_seconds: float = Field(
        30.0, ge=0, description="How long running requests may go on after the order to stop."
    )


class TimeoutConfig(_Section):
    """How long an upstream may take, in seconds."""

    connect: float = Field(5.0, gt=0, description="To open a connection.")
    first_byte: float = Field(600.0, gt=0, description="From the request to the first byte of the answer.")
    idle: float = Field(300.0, gt=0, description="Between two pieces of an answer.")
    total: float | None = Field(None, gt=0, description="For the whole answer; no limit when not given.")
    initialize: float = Field(10.0, gt=0, description="For a backend to get ready when the server starts.")


class AuthConfig(_Section):
    """Who may use the proxy."""

    keys: list[Annotated[SecretStr, AfterValidator(_checked_key)]] = Field(
        default_factory=list,
        description="Keys of clients, sent as `Authorization: Bearer …`, `x-api-key`, `x-goog-api-key` or `?key=`. "
        "Without any, nobody needs one.",
    )


class BackendConfig(_Section):
    """One backend. Beside these, it takes the options of its connector."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        default_factory=str,
        description="The connector that serves it; the backend's own name when not given.",
    )
    enabled: bool = Field(
        True,
        description="Whether it is used. The environment variables of a disabled backend need not be set.",
    )
    strict_translation: bool = Field(
        False,
        description="Refuse a request, naming the fields, when the upstream's format cannot carry all of it.",
    )

    @property
    def options(self) -> dict[str, Any]:
        """The connector's options as they stand in the file, variables replaced."""
        return dict(self.model_extra or {})


class BackendOptions(_Section):
    """The options most connectors have. A connector's `options_model` may build on it."""

    model_config = ConfigDict(defer_build=False)  # a connector's mistake shows when its module is imported

    api_key: SecretStr | None = Field(None, description="The key sent upstream.")
    api_base_url: Annotated[str, AfterValidator(_checked_base_url)] | None = Field(
        None, description="The address of the API, with or without its version segment."
    )
    models: list[str] = Field(default_factory=list, description="The models to offer, instead of asking the upstream.")
    extra_headers: dict[str, str] = Field(
        default_factory=dict, description="Headers added to every request upstream.", repr=False
    )
    loop_guard: bool = Field(
        True,
        description="Send the header by which a proxy notices that it calls itself; some gateways reject it.",
    )


class PluginsConfig(_Section):
    """Which plugins may run."""

    allow: list[str] | None = Field(
        None,
        description="Names of the distributions or entry points that may be imported; all when not given.",
    )


class LoggingConfig(_Section):
    """What is logged, and how it looks."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="The least important message that is logged."
    )
    format: Annotated[Literal["auto", "json", "console"], BeforeValidator(_lower)] = Field(
        "auto", description="`auto` is `console` on a terminal and `json` elsewhere."
    )


class IdentityConfig(_Section):
    """What we call ourselves upstream."""

    title: str | None = Field(
        None, description="The name of the application, for upstreams that list callers; else the client's own goes on."
    )
    url: str | None = Field(
        None, description="The address of the application, for the same purpose; else the client's own goes on."
    )
    user_agent: str | None = Field(None, description="The `User-Agent` header; `llm-proxy/<version>` when not given.")

    @property
    def effective_user_agent(self) -> str:
        """The configured `User-Agent`, or our name and version."""
        if self.user_agent is not None:
            return self.user_agent
        import proxy_core

        return f"llm-proxy/{proxy_core.__version__}"


class AppConfig(_Section):
    """The whole of `llm-proxy.yaml`. Everything in it may be left out."""

    server: ServerConfig = Field(default_factory=ServerConfig, description="Where we listen, what we accept.")
    timeouts: TimeoutConfig = Field(
        default_factory=TimeoutConfig, description="How long an upstream may take, in seconds."
    )
    auth: AuthConfig = Field(default_factory=AuthConfig, description="Who may use the proxy.")
    backends: dict[Annotated[str, AfterValidator(_checked_backend_name)], BackendConfig] = Field(
        default_factory=dict,
        description="Where requests can go: a name, and how to reach what it stands for.",
    )
    models: dict[Annotated[str, AfterValidator(_checked_alias)], Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Other names for models: an alias, and the model string it stands for.",
    )
    default_backend: str | None = Field(
        None, description="The backend that gets the models which no other backend lists."
    )
    plugins: PluginsConfig = Field(default_factory=PluginsConfig, description="Which plugins may run.")
    logging: LoggingConfig = Field(default_factory=LoggingConfig, description="What is logged, how it looks.")
    identity: IdentityConfig = Field(default_factory=IdentityConfig, description="What we call ourselves upstream.")
    _source: ConfigSource = PrivateAttr(default_factory=ConfigSource)

    def model_post_init(self, context: Any, /) -> None:
        """Keep the places of the file, which come as the validation context."""
        if isinstance(context, ConfigSource):
            self._source = context

    @property
    def source(self) -> ConfigSource:
        """The file this came from; one without path and lines when there was none."""
        return self._source

    def where(self, *keys: str | int) -> str:
        """The place of a key, to begin an error message with: `llm-proxy.yaml:7: backends.mine.api_key`."""
        return self._source.where(*keys)

    @field_validator("backends")
    @classmethod
    def _types_default_to_names(cls, backends: dict[str, BackendConfig]) -> dict[str, BackendConfig]:
        return {
            name: backend if backend.type else backend.model_copy(update={"type": name})
            for name, backend in backends.items()
        }

    @field_validator("default_backend")
    @classmethod
    def _default_backend_is_usable(cls, name: str | None, info: ValidationInfo) -> str | None:
        backends: dict[str, BackendConfig] = info.data.get("backends", {})
        if name is None or not backends:  # without any, those whose key is in the environment are used
            return name
        if name not in backends:
            raise ValueError(f'no backend is called "{name}"' + suggestion(name, backends))
        if not backends[name].enabled:
            raise ValueError(f'backend "{name}" is not enabled')
        return name


def load_config(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> AppConfig:
    """The configuration: from `path`, from `$LLM_PROXY_CONFIG`, from `./llm-proxy.yaml`, or the defaults.

    `env` is the environment, `os.environ` when not given. Raises `ConfigurationError` with everything that is
    wrong, a line each, with file, line and key path.
    """
    env = os.environ if env is None else env
    file = _config_path(path, env)
    if file is None:
        return AppConfig()
    document = read_config_file(file)
    unset: list[Problem] = []
    values = interpolate(document.values, env, unset)
    problems = document.problems + [one for one in unset if not _in_disabled_backend(one.keys, values)]
    config, invalid = validated(AppConfig, values, context=document.source)
    known = {problem.keys for problem in problems}
    problems += [problem for problem in invalid if problem.keys not in known]
    if config is None or problems:
        raise document.source.error(problems)
    return config


def _config_path(path: str | Path | None, env: Mapping[str, str]) -> Path | None:
    named = path or env.get("LLM_PROXY_CONFIG")
    if not named:
        return DEFAULT_PATH if DEFAULT_PATH.exists() else None
    file = Path(named).expanduser()
    if not file.exists():
        origin = "" if path else " (named by LLM_PROXY_CONFIG)"
        raise ConfigurationError(f"{file}: there is no such configuration file{origin}")
    return file


def _in_disabled_backend(keys: KeyPath, values: dict[str, Any]) -> bool:
    """Whether a key is of no account; only `enabled` itself always is."""
    if len(keys) < 3 or keys[0] != "backends" or keys[2] == "enabled":
        return False
    backend = values["backends"][keys[1]]
    enabled = backend.get("enabled") if isinstance(backend, dict) else None
    return str(enabled).strip().lower() in {"false", "no", "off", "0", "n", "f"}


def validate_options(
    backend_name: str,
    raw_options: Mapping[str, Any],
    options_model: type[BaseModel] | None,
    source: ConfigSource,
) -> dict[str, Any]:
    """The keyword arguments for a backend's `initialize`.

    Checked by the connector's `options_model`, defaults filled in, secrets as plain text, without what is None; exactly
    `raw_options` when the connector has no model. Raises `ConfigurationError` that points into the file.
    """
    if options_model is None:
        return dict(raw_options)
    options, problems = validated(
        options_model, dict(raw_options), prefix=("backends", backend_name), siblings=BackendConfig.model_fields
    )
    if options is None:
        raise source.error(problems)
    return {name: _revealed(value) for name, value in options if value is not None}


def _revealed(value: Any) -> Any:
    if isinstance(value, SecretStr | SecretBytes):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _revealed(item) for key, item in value.items()}
    return [_revealed(item) for item in value] if isinstance(value, list) else value


def masked(config: AppConfig, connectors: Mapping[str, type[BaseModel] | None] | None = None) -> dict[str, Any]:
    """The whole configuration as plain values that may be shown: defaults filled in, secrets masked.

    In a backend's options a value is secret when its name says so (key, token, password, …), or when the
    `options_model` in `connectors`, by `backend_type`, declares it as a secret.
    """
    sections = config.model_dump(exclude={"backends"})
    shown = {name: masked_value(value, secret=False) for name, value in sections.items()}
    shown["models"] = dict(config.models)  # an alias may be called anything
    shown["backends"] = {
        name: _masked_backend(backend, (connectors or {}).get(backend.type))
        for name, backend in config.backends.items()
    }
    return shown


def _masked_backend(backend: BackendConfig, options_model: type[BaseModel] | None) -> dict[str, Any]:
    declared = declared_secrets(options_model)
    return {
        name: masked_value(value, name in declared or is_secret_name(name))
        for name, value in backend.model_dump().items()
    }
