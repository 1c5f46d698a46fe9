"""What a connector says of itself, and which cores it goes with."""

import dataclasses

import pytest

from proxy_core.api import BackendPluginDefinition, PluginCompatibility
from proxy_core.host.discovery import core_version


def definition(**fields: object) -> BackendPluginDefinition:
    required = {
        "backend_name": "acme",
        "factory": lambda client, config, translation_service: None,
        "plugin_name": "llm-proxy-acme",
        "compatibility": PluginCompatibility("0.1"),
    }
    return BackendPluginDefinition(**{**required, **fields})


@pytest.mark.parametrize(
    ("least", "most", "core"),
    [
        ("0.1", None, "0.1.0"),
        ("0.1", None, "99.0"),
        ("0.1", None, "0.1.0rc1"),
        ("0.1", None, "0.1.dev5+g1234"),
        ("0.9", None, "0.10"),
        ("0.1rc1", None, "0.1a2"),
        ("0.1", "1", "1"),
        ("0.1", "1", "1.0.0"),
        ("0.1", "1", "1.0.post1"),
        ("0.1", "1", "1.0+local"),
        ("1.2.3", "1.2.3", "1.2.3"),
    ],
)
def test_a_core_within_the_range_is_no_problem(least: str, most: str | None, core: str) -> None:
    assert PluginCompatibility(least, most).problem(core) is None


@pytest.mark.parametrize(("least", "core"), [("0.2", "0.1"), ("0.10", "0.9"), ("2", "1.99.99"), ("0.2", "0.1.post9")])
def test_a_core_that_is_too_old_is_named_with_what_is_needed(least: str, core: str) -> None:
    assert PluginCompatibility(least).problem(core) == f"needs llm-proxy-core {least} or newer; {core} is installed"


@pytest.mark.parametrize(("most", "core"), [("1", "1.0.1"), ("1", "1.1"), ("0.9", "0.10"), ("1.2", "2.0rc1")])
def test_a_core_that_is_too_new_is_named_with_what_is_known_to_work(most: str, core: str) -> None:
    assert (
        PluginCompatibility("0.1", most).problem(core) == f"works with llm-proxy-core up to {most}; {core} is installed"
    )


@pytest.mark.parametrize("versions", [("soon", None), ("", None), ("0.1", "1.x"), ("0.1", "")])
def test_a_version_that_is_none_is_a_value_error(versions: tuple[str, str | None]) -> None:
    with pytest.raises(ValueError, match="Invalid version"):
        PluginCompatibility(*versions).problem("0.1")


def test_the_installed_core_goes_with_a_connector_for_this_version() -> None:
    assert PluginCompatibility("0.1", core_version()).problem(core_version()) is None


def test_four_fields_are_enough() -> None:
    plain = definition()
    assert plain.options_model is None
    assert plain.formats == ()
    assert plain.capabilities.streaming is True
    assert plain.enabled_by_default is False
    assert plain.post_build_hook is None


def test_a_definition_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        definition().backend_name = "other"


@pytest.mark.parametrize(
    ("variable", "env", "key"),
    [
        ("ACME_API_KEY", {"ACME_API_KEY": "k"}, "k"),
        ("ACME_API_KEY", {"ACME_API_KEY": ""}, None),
        ("ACME_API_KEY", {"OTHER": "k"}, None),
        (None, {"ACME_API_KEY": "k"}, None),
    ],
)
def test_the_key_comes_from_the_variable_that_the_connector_names(
    variable: str | None, env: dict[str, str], key: str | None
) -> None:
    acme = definition(api_key_env=variable)
    assert acme.key_from(env) == key
    assert acme.option_defaults(env) == ({"api_key": key} if key else {})
