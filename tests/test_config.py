"""Reading, checking, showing and describing `llm-proxy.yaml`."""

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from proxy_core.config import (
    AppConfig,
    BackendOptions,
    ConfigSource,
    IdentityConfig,
    load_config,
    masked,
    validate_options,
)
from proxy_core.config_schema import json_schema
from proxy_core.errors import ConfigurationError

Write = Callable[[str], Path]
UNSET = "environment variable UNSET is not set; set it, or give a default: ${UNSET:-default}"


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Relative paths keep the expected messages short, and no `llm-proxy.yaml` of ours is found by chance."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write() -> Write:
    def write_file(text: str) -> Path:
        path = Path("llm-proxy.yaml")
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def message(text: str, env: dict[str, str] | None = None) -> str:
    """What a person sees who starts with this file."""
    Path("llm-proxy.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_config(env=env or {})
    assert caught.value.__context__ is None, "pydantic's and YAML's own words may hold secrets"
    return caught.value.message


def options_message(
    text: str, options_model: type[BaseModel] = BackendOptions, env: dict[str, str] | None = None
) -> str:
    Path("llm-proxy.yaml").write_text(text, encoding="utf-8")
    config = load_config(env=env or {})
    [(name, backend)] = config.backends.items()
    with pytest.raises(ConfigurationError) as caught:
        validate_options(name, backend.options, options_model, config.source)
    assert caught.value.__context__ is None
    return caught.value.message


# --- where the file is looked for


def test_defaults_without_a_file() -> None:
    config = load_config(env={})
    assert config.server.host == "127.0.0.1"
    assert config.timeouts.connect == 5.0
    assert config.auth.keys == []
    assert config.source.path is None
    assert config.where("backends", "groq") == "backends.groq"


def test_file_in_the_working_directory_is_found(write: Write) -> None:
    write("server: {port: 1}")
    assert load_config(env={}).server.port == 1


def test_environment_names_a_file_before_the_working_directory(write: Write) -> None:
    write("server: {port: 1}")
    Path("named.yaml").write_text("server: {port: 2}")
    assert load_config(env={"LLM_PROXY_CONFIG": "named.yaml"}).server.port == 2


def test_explicit_path_wins_over_the_environment(write: Write) -> None:
    path = write("server: {port: 1}")
    assert load_config(path, env={"LLM_PROXY_CONFIG": "missing.yaml"}).server.port == 1


def test_environment_is_the_process_environment_by_default(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("server: {port: 1}")
    monkeypatch.setenv("LLM_PROXY_CONFIG", "llm-proxy.yaml")
    monkeypatch.setenv("PORT_OF_THIS_TEST", "7")
    write("server: {port: '${PORT_OF_THIS_TEST}'}")
    assert load_config().server.port == 7


def test_missing_explicit_file_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config("absent.yaml", env={})
    assert caught.value.message == "absent.yaml: there is no such configuration file"


def test_missing_file_of_the_environment_names_the_variable() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(env={"LLM_PROXY_CONFIG": "absent.yaml"})
    assert caught.value.message == ("absent.yaml: there is no such configuration file (named by LLM_PROXY_CONFIG)")


def test_directory_in_place_of_a_file() -> None:
    Path("conf").mkdir()
    with pytest.raises(ConfigurationError, match=r"^conf: cannot be read: "):
        load_config("conf", env={})


# --- YAML


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n", "\ufeff", "server:\nbackends:\nmodels:\n"])
def test_empty_file_or_section_means_defaults(write: Write, text: str) -> None:
    write(text)
    assert load_config(env={}).model_dump() == AppConfig().model_dump()


def test_backend_without_options(write: Write) -> None:
    write("backends:\n  local:\n  groq: {type: openai-compatible}\n")
    backends = load_config(env={}).backends
    assert (backends["local"].type, backends["local"].enabled, backends["local"].options) == ("local", True, {})
    assert backends["groq"].type == "openai-compatible"


def test_yes_and_on_are_true_and_dates_stay_text(write: Write) -> None:
    write("server: {allow_unauthenticated: on}\nbackends: {azure: {enabled: no, api_version: 2024-06-01}}\n")
    config = load_config(env={})
    assert config.server.allow_unauthenticated is True
    assert config.backends["azure"].enabled is False
    assert config.backends["azure"].options == {"api_version": "2024-06-01"}


def test_anchors_and_merges(write: Write) -> None:
    write(
        "backends:\n"
        "  a: &a {type: openai, api_key: one, models: [m]}\n"
        "  b: {<<: *a, api_key: two}\n"
        "  c: *a\n"
        "  d: {<<: *a, api_key: three}\n"
    )
    backends = load_config(env={}).backends
    assert backends["b"].options == {"api_key": "two", "models": ["m"]}
    assert backends["c"].options == backends["a"].options


def test_top_level_that_is_no_mapping() -> None:
    expected = "llm-proxy.yaml:2: the file should be a mapping (lines of `key: value`), not "
    assert message("# backends\n- openai\n") == expected + "a list"
    assert message("# backends\nopenai\n") == expected + "a single value"


def test_tab_is_a_syntax_error_with_its_line() -> None:
    assert message("server:\n\tport: 1\n") == (
        "llm-proxy.yaml:2: found character '\\t' that cannot start any token; indent with spaces, not tabs"
    )


def test_other_syntax_errors_have_their_line() -> None:
    assert message("server:\n  port: 1\n host: x\n").startswith("llm-proxy.yaml:3: expected <block end>")
    assert message("server: {}\n---\nserver: {}\n").startswith("llm-proxy.yaml:2: but found another document")
    assert message("server: {}\nbackends: \x07\n") == ("llm-proxy.yaml:2: special characters are not allowed")
    assert message("backends: {a: {api_key: ${KEY}}}") == (
        "llm-proxy.yaml:1: expected ',' or '}', but got '{'; inside {…} or […], put quotes around \"${NAME}\""
    )


def test_file_that_is_not_utf8(tmp_path: Path) -> None:
    Path("llm-proxy.yaml").write_bytes("# gr\u00fc\u00dfe".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"^llm-proxy\.yaml: is not UTF-8 text; save it as UTF-8$"):
        load_config(env={})


@pytest.mark.parametrize("sign", ["*", "!", "!x!", "&a &", "%", "@"])
def test_syntax_errors_do_not_show_a_key_that_looks_like_yaml(sign: str) -> None:
    text = message(f"backends:\n  openai:\n    api_key: {sign}canary\n    x: [\n")
    assert "canary" not in text
    assert text.startswith("llm-proxy.yaml:")


def test_duplicate_key_names_both_lines() -> None:
    assert message("backends:\n  openai:\n    api_key: a\n  local: {}\n  openai:\n    api_key: b\n") == (
        "llm-proxy.yaml:5: backends.openai: given twice; the first is on line 2"
    )


def test_key_that_is_no_text() -> None:
    assert message("backends:\n  on: {}\n") == (
        'llm-proxy.yaml:2: backends: a key should be text; put quotes around it: "on"'
    )
    assert message("models: {[a, b]: x}") == "llm-proxy.yaml:1: models: a key should be text"


def test_odd_yaml_is_an_error_in_its_place() -> None:
    assert message("models:\n  a: !canary b\n") == (
        "llm-proxy.yaml:2: models.a: cannot be read; put quotes around the value"
    )
    assert message("models: &m\n  a: *m\n") == "llm-proxy.yaml:1: models.a: an anchor cannot contain itself"
    assert message("server:\n  <<: 1\n") == ("llm-proxy.yaml:2: server: `<<` takes a mapping or a list of mappings")


# --- ${ENV}


def test_variables_and_defaults(write: Write) -> None:
    write(
        "server:\n  port: ${PORT}\n  host: ${HOST:-0.0.0.0}\n  workers: ${WORKERS:-2}\n"
        "identity:\n  title: ${APP}-${STAGE:-dev}\n  url: '$${APP} $APP'\n"
        "auth:\n  keys: ['${KEY}']\n"
    )
    config = load_config(env={"PORT": "99", "WORKERS": "", "APP": "chat", "KEY": "k: {not yaml}"})
    assert (config.server.port, config.server.host, config.server.workers) == (99, "0.0.0.0", 2)
    assert (config.identity.title, config.identity.url) == ("chat-dev", "${APP} $APP")
    assert config.auth.keys[0].get_secret_value() == "k: {not yaml}"


def test_variable_that_is_not_set() -> None:
    assert message("backends:\n  openai:\n    api_key: ${OPENAI_API_KEY}\n") == (
        "llm-proxy.yaml:3: backends.openai.api_key: environment variable OPENAI_API_KEY is not set; "
        "set it, or give a default: ${OPENAI_API_KEY:-default}"
    )


def test_unset_variable_is_the_only_complaint_about_its_value() -> None:
    assert message("server:\n  port: ${PORT}\n") == (
        "llm-proxy.yaml:2: server.port: environment variable PORT is not set; "
        "set it, or give a default: ${PORT:-default}"
    )


@pytest.mark.parametrize("text", ["${A-b}", "${}", "${A", "${canary key}", "${A:-${B}}"])
def test_malformed_variable(text: str) -> None:
    assert message(f"auth:\n  keys:\n    - ok\n    - '{text}'\n") == (
        "llm-proxy.yaml:4: auth.keys[1]: malformed variable; write ${NAME} or ${NAME:-default}, and $${ for a plain ${"
    )


@pytest.mark.parametrize("enabled", ["false", "off", "${SWITCH:-no}"])
def test_disabled_backend_needs_no_variables(write: Write, enabled: str) -> None:
    write(f"backends:\n  openai:\n    enabled: {enabled}\n    api_key: ${{OPENAI_API_KEY}}\n")
    assert load_config(env={}).backends["openai"].enabled is False


def test_switch_of_a_backend_must_be_set() -> None:
    text = message("backends:\n  openai:\n    enabled: ${SWITCH}\n    api_key: ${KEY}\n")
    assert [line.split(":")[1] for line in text.splitlines()] == ["3", "4"]


# --- checking


def test_typo_at_the_top_level() -> None:
    assert message("server: {}\nbackend: {}\n") == (
        'llm-proxy.yaml:2: backend: unknown option; did you mean "backends"?'
    )


def test_typo_in_a_section() -> None:
    assert message("server:\n  prot: 1\n") == 'llm-proxy.yaml:2: server.prot: unknown option; did you mean "port"?'


def test_unknown_option_without_a_near_one_lists_what_there_is() -> None:
    assert message("plugins:\n  forbid: [x]\n") == (
        "llm-proxy.yaml:2: plugins.forbid: unknown option; known here: allow"
    )


def test_wrong_types_are_told_without_the_value() -> None:
    text = message(
        "server:\n  port: canary\n  workers: 1.5\n  allow_unauthenticated: canary\n"
        "timeouts:\n  idle: canary\n  connect: 0\n"
        "auth:\n  keys: canary\n"
        "identity: canary\n"
        "logging:\n  level: canary\n"
        "backends:\n  openai: canary\n"
        "plugins:\n  allow: [1]\n"
    )
    assert text.splitlines() == [
        "llm-proxy.yaml:2: server.port: should be a whole number",
        "llm-proxy.yaml:3: server.workers: should be a whole number",
        "llm-proxy.yaml:4: server.allow_unauthenticated: should be true or false",
        "llm-proxy.yaml:6: timeouts.idle: should be a number",
        "llm-proxy.yaml:7: timeouts.connect: should be greater than 0",
        "llm-proxy.yaml:9: auth.keys: should be a list",
        "llm-proxy.yaml:10: identity: should be a mapping (lines of `key: value`)",
        "llm-proxy.yaml:12: logging.level: should be 'debug', 'info', 'warning' or 'error'",
        "llm-proxy.yaml:14: backends.openai: should be a mapping (lines of `key: value`)",
        "llm-proxy.yaml:16: plugins.allow[0]: should be text; put quotes around a number",
    ]


def test_several_errors_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = message("models: {}\nmodels: {}\nsevrer: {}\nauth:\n  keys: ['']\nbackends:\n  a: {api_key: '${UNSET}'}\n")
    assert text.splitlines() == [
        "llm-proxy.yaml:2: models: given twice; the first is on line 1",
        'llm-proxy.yaml:3: sevrer: unknown option; did you mean "server"?',
        "llm-proxy.yaml:5: auth.keys[0]: is empty; a key needs at least one character",
        f"llm-proxy.yaml:7: backends.a.api_key: {UNSET}",
    ]


def test_unknown_default_backend() -> None:
    assert message("backends:\n  openai: {}\n  local: {}\ndefault_backend: opnai\n") == (
        'llm-proxy.yaml:4: default_backend: no backend is called "opnai"; did you mean "openai"?'
    )


def test_disabled_default_backend() -> None:
    assert message("backends: {a: {enabled: false}}\ndefault_backend: a\n") == (
        'llm-proxy.yaml:2: default_backend: backend "a" is not enabled'
    )


def test_default_backend_may_be_one_that_the_environment_enables(write: Write) -> None:
    write("default_backend: local")
    assert load_config(env={}).default_backend == "local"


@pytest.mark.parametrize("name", ["a:b", "a/b", "-a", "a b", '""'])
def test_backend_name_that_a_model_string_could_not_hold(name: str) -> None:
    assert message(f"backends:\n  {name}: {{}}\n").endswith(
        ': a backend name has letters, digits, ".", "_" and "-", and begins with a letter or digit'
    )


def test_alias_that_reads_as_a_model_of_a_backend() -> None:
    assert message('backends: {openai: {}}\nmodels:\n  fast: openai:x\n  "openai/gpt-4.1": y\n') == (
        'llm-proxy.yaml:4: models."openai/gpt-4.1": reads as a model of backend "openai"; choose another name'
    )


def test_alias_with_a_colon_that_names_no_backend(write: Write) -> None:
    write('backends: {openai: {}}\nmodels: {"llama3:8b": openai:x, openai: openai:y}\n')
    assert load_config(env={}).models == {"llama3:8b": "openai:x", "openai": "openai:y"}


def test_levels_and_formats_may_be_upper_case(write: Write) -> None:
    write("logging: {level: INFO, format: JSON}")
    logging = load_config(env={}).logging
    assert (logging.level, logging.format) == ("info", "json")


def test_where_points_to_the_key_or_the_nearest_around_it(write: Write) -> None:
    write("backends:\n  openai:\n    api_key: x\n")
    config = load_config(env={})
    assert config.where("backends", "openai", "api_key") == "llm-proxy.yaml:3: backends.openai.api_key"
    assert config.where("backends", "openai", "type") == "llm-proxy.yaml:2: backends.openai.type"
    assert config.where("server") == "llm-proxy.yaml: server"
    assert AppConfig().where() == "configuration"


def test_config_made_in_code_is_checked_too() -> None:
    config = AppConfig.model_validate({"backends": {"a": {"api_key": "x"}}, "default_backend": "a"})
    assert config.backends["a"].type == "a"
    with pytest.raises(ValidationError, match='no backend is called "b"') as caught:
        AppConfig.model_validate({"backends": {"a": {"api_key": "canary"}}, "default_backend": "b"})
    assert "canary" not in str(caught.value)


def test_user_agent_is_what_is_configured() -> None:
    assert IdentityConfig(user_agent="mine/1").effective_user_agent == "mine/1"


def test_user_agent_is_our_name_and_version_by_default() -> None:
    try:
        version = metadata.version("llm-proxy-core")
    except metadata.PackageNotFoundError:
        pytest.skip("runs from the source tree: there is no version")
    assert IdentityConfig().effective_user_agent == f"llm-proxy/{version}"


# --- options of a backend


class Tuning(BaseModel):
    model_config = {"extra": "forbid"}

    temperature: float = 1.0


class Options(BackendOptions):
    region: str
    tunings: dict[str, Tuning] | None = None
    tokens: list[SecretStr] | None = None
    wait: float | bool = 1.0


def test_options_become_keyword_arguments_with_plain_secrets(write: Write) -> None:
    write(
        "backends:\n  a:\n    api_key: ' sk-1\n\n'\n    region: eu\n    models:\n    tokens: [t]\n"
        "    extra_headers: {x-a: b}\n    tunings: {fast: {temperature: 2}}\n"
    )
    config = load_config(env={})
    assert validate_options("a", config.backends["a"].options, Options, config.source) == {
        "api_key": "sk-1",
        "region": "eu",
        "tokens": ["t"],
        "extra_headers": {"x-a": "b"},
        "tunings": {"fast": Tuning(temperature=2.0)},
        "models": [],
        "loop_guard": True,
        "wait": 1.0,
    }


def test_connector_without_a_model_gets_its_options_as_they_are() -> None:
    raw = {"api_key": "x", "nothing": None, "deep": {"a": [1]}}
    assert validate_options("a", raw, None, ConfigSource()) == raw


def test_typo_in_a_backend_option() -> None:
    assert options_message("backends:\n  openai:\n    api_key: canary\n    api_bas_url: http://x\n") == (
        'llm-proxy.yaml:4: backends.openai.api_bas_url: unknown option; did you mean "api_base_url"?'
    )


def test_typo_in_a_key_that_every_backend_has() -> None:
    assert options_message("backends:\n  openai:\n    enabeld: false\n") == (
        'llm-proxy.yaml:3: backends.openai.enabeld: unknown option; did you mean "enabled"?'
    )


def test_wrong_options_deep_inside_and_missing_ones() -> None:
    text = options_message(
        "backends:\n  a:\n    tunings:\n      fast:\n        temprature: 1\n    wait: canary\n", Options
    )
    assert text.splitlines() == [
        "llm-proxy.yaml:2: backends.a.region: is required",
        'llm-proxy.yaml:5: backends.a.tunings.fast.temprature: unknown option; did you mean "temperature"?',
        "llm-proxy.yaml:6: backends.a.wait: should be a number",
        "llm-proxy.yaml:6: backends.a.wait: should be true or false",
    ]


@pytest.mark.parametrize(
    "url", ["api.openai.com/v1", "ftp://x", "http://", "http://a b", "http://[canary", "http://x:canary"]
)
def test_base_url_is_checked_and_not_repeated(url: str) -> None:
    assert options_message(f"backends:\n  a:\n    api_base_url: '{url}'\n") == (
        "llm-proxy.yaml:3: backends.a.api_base_url: should be a URL that begins with http:// or https://"
    )


def test_options_of_a_backend_that_is_in_no_file() -> None:
    with pytest.raises(ConfigurationError) as caught:
        validate_options("openai", {"models": "gpt"}, BackendOptions, ConfigSource())
    assert caught.value.message == "backends.openai.models: should be a list"


# --- showing


CANARIES = """
auth:
  keys: [canary-of-a-client]
backends:
  openai:
    api_key: canary-0123456789
    api_base_url: https://user:canary@canary@host/v1?api_key=canary&v=1
    extra_headers: {Authorization: Bearer canary, X-Api-Key: canary, x-team: blue, x-plain: Bearer canary}
    credentials: {project: canary, scopes: [canary]}
    accounts: [{password: 12345678, name: a}]
    pat: canary
    max_tokens: 5
  token-factory: {type: local, threads: 2}
models: {key-model: "openai:gpt"}
"""


class PatOptions(BackendOptions):
    pat: SecretStr | None = None


def test_masked_config_has_no_secret(write: Write) -> None:
    write(CANARIES)
    shown = masked(load_config(env={}), {"openai": PatOptions})
    assert shown["auth"] == {"keys": ["****ient"]}
    assert shown["models"] == {"key-model": "openai:gpt"}
    assert shown["server"]["port"] == AppConfig().server.port
    assert shown["backends"] == {
        "openai": {
            "type": "openai",
            "enabled": True,
            "strict_translation": False,
            "api_key": "****6789",
            "api_base_url": "https://****@host/v1?api_key=****&v=1",
            "extra_headers": {
                "Authorization": "****nary",
                "X-Api-Key": "****",
                "x-team": "blue",
                "x-plain": "Bearer ****",
            },
            "credentials": {"project": "****", "scopes": ["****"]},
            "accounts": [{"password": "****", "name": "a"}],
            "pat": "****",
            "max_tokens": 5,
        },
        "token-factory": {"type": "local", "enabled": True, "strict_translation": False, "threads": 2},
    }


def test_reprs_have_no_secret(write: Write) -> None:
    write(CANARIES.replace("    pat: canary\n", ""))
    config = load_config(env={})
    options = BackendOptions.model_validate(
        {"api_key": "canary", "extra_headers": {"x": "canary"}, "api_base_url": "http://a:canary@b"}
    )
    for text in (repr(config), str(config), repr(config.backends["openai"]), repr(options), repr(config.source)):
        assert "canary" not in text
        assert "2345678" not in text


# --- describing


def test_every_setting_is_described() -> None:
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    undescribed = [
        f"{section['title']}.{name}"
        for section in sections
        for name, setting in section["properties"].items()
        if "description" not in setting and "$ref" not in setting  # pydantic leaves out a section's own words
    ]
    assert undescribed == []


def test_schema_ties_options_to_type_and_name() -> None:
    schema = json_schema({"openai": Options, "bare": None})
    definitions = schema["$defs"]
    assert set(definitions["openai"]["properties"]) >= {"type", "enabled", "api_key", "region"}
    assert definitions["openai.Tuning"]["properties"].keys() == {"temperature"}
    assert definitions["BackendConfig"]["allOf"][0]["then"] == {"$ref": "#/$defs/openai"}
    assert schema["properties"]["backends"]["properties"].keys() == {"openai"}
    assert "bare" not in definitions


def test_schema_accepts_and_refuses_what_the_loader_does(write: Write) -> None:
    schema = json_schema({"openai": Options, "bare": None})
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    accepted: list[dict[str, Any]] = [
        {},
        {"server": {"port": 1}, "logging": {"level": "${LEVEL}"}},
        {"server": {"port": "${PORT}", "allow_unauthenticated": "${X:-no}"}, "auth": None},
        {"backends": {"openai": {"region": "eu", "tunings": {"a": {"temperature": 1}}}}},
        {"backends": {"mine": {"type": "openai", "region": "eu", "enabled": False}}},
        {"backends": {"openai": {"type": "bare", "anything": [1]}, "bare": None, "unheard-of": {"x": 1}}},
    ]
    assert [good for good in accepted if not validator.is_valid(good)] == []
    refused: list[dict[str, Any]] = [
        {"sevrer": {}},
        {"server": {"port": "many"}},
        {"server": {"port": 70000}},
        {"logging": {"level": "loud"}},
        {"backends": {"a:b": {}}},
        {"backends": {"openai": {"region": "eu", "api_bas_url": "x"}}},
        {"backends": {"openai": {}}},
        {"backends": {"mine": {"type": "openai", "region": "eu", "oops": 1}}},
    ]
    assert [bad for bad in refused if validator.is_valid(bad)] == []


def test_import_leaves_yaml_alone() -> None:
    code = "import sys, proxy_core.config; sys.exit('yaml' in sys.modules)"
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
