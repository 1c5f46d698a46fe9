"""From a model string to a backend."""

from dataclasses import dataclass, field

import pytest

from proxy_core.errors import ModelNotFoundError
from proxy_core.routing import Router, Target


@dataclass
class Source:
    """A backend, as far as routing looks at it."""

    name: str
    models: list[str] = field(default_factory=list)


def router(default: str | None = None, aliases: dict[str, str] | None = None, **listed: list[str]) -> Router:
    """A router over backends that list these models."""
    backends = {name: Source(name, models) for name, models in listed.items()}
    return Router(backends, aliases or {}, default)


def three(default: str | None = None) -> Router:
    aliases = {"fast": "one:small", "bare": "unique", "gone": "nowhere:x", "a/b": "two:big", "loop": "loop"}
    return router(default, aliases, one=["small", "shared"], two=["big", "shared", "unique"], three=[])


@pytest.mark.parametrize(
    ("model", "backend", "name"),
    [
        ("one:small", "one", "small"),
        ("one:unlisted", "one", "unlisted"),
        ("one:small:latest", "one", "small:latest"),
        ("one:vendor/small", "one", "vendor/small"),
        ("one/small", "one", "small"),
        ("one/vendor/small:free", "one", "vendor/small:free"),
        ("unique", "two", "unique"),
        ("fast", "one", "small"),
        ("bare", "two", "unique"),
        ("a/b", "two", "big"),
    ],
)
def test_a_model_string_leads_to_one_backend(model: str, backend: str, name: str) -> None:
    assert three().resolve(model) == Target(backend, name)


@pytest.mark.parametrize("model", ["llama3:8b", "vendor/model", "vendor/model:free", "unheard-of", "loop", ":x", "/x"])
def test_what_nobody_lists_goes_to_the_default_backend_as_it_is(model: str) -> None:
    assert three(default="three").resolve(model) == Target("three", model)


def test_an_alias_is_looked_up_before_all_else() -> None:
    aliases = {"one:small": "two:big", "unique": "one:other"}
    routes = router(None, aliases, one=["small"], two=["unique"])
    assert routes.resolve("one:small") == Target("two", "big")
    assert routes.resolve("unique") == Target("one", "other")


def test_an_alias_is_no_chain() -> None:
    routes = router("one", {"first": "second", "second": "two:x"}, one=[], two=[])
    assert routes.resolve("first") == Target("one", "second")


def test_a_backend_name_with_a_separator_in_its_models_is_not_mistaken() -> None:
    routes = router(None, None, one=["one:8b", "org/one"], two=["one-8b"])
    assert routes.resolve("org/one") == Target("one", "org/one")
    assert routes.resolve("one:8b") == Target("one", "8b")


def test_a_model_of_several_backends_must_be_asked_for_by_backend() -> None:
    with pytest.raises(ModelNotFoundError, match="ask for one of one:shared, two:shared") as refusal:
        three().resolve("shared")
    assert refusal.value.status_code == 404


def test_of_several_backends_the_default_one_is_taken() -> None:
    assert three(default="two").resolve("shared") == Target("two", "shared")


def test_of_several_backends_a_default_that_does_not_list_the_model_is_not_taken() -> None:
    with pytest.raises(ModelNotFoundError):
        three(default="three").resolve("shared")


@pytest.mark.parametrize(
    ("model", "suggested"),
    [
        ("smal", "one:small"),
        ("one;small", "one:small"),
        ("uniqe", "two:unique"),
        ("fsat", "fast"),
        ("tow:big", "two:big"),
    ],
)
def test_a_model_that_is_not_there_is_answered_with_near_names(model: str, suggested: str) -> None:
    with pytest.raises(ModelNotFoundError, match=f"there is no model '{model}'; did you mean .*{suggested}") as refusal:
        three().resolve(model)
    assert refusal.value.details == {"param": "model"}


@pytest.mark.parametrize("model", ["qqqqqqqq", "", "zzzz:q", ":"])
def test_without_near_names_the_way_to_the_list_is_told(model: str) -> None:
    with pytest.raises(ModelNotFoundError, match="`llm-proxy models` lists what there is"):
        router(one=["small"]).resolve(model)


def test_a_suggestion_can_be_asked_for() -> None:
    routes = three()
    with pytest.raises(ModelNotFoundError) as refusal:
        routes.resolve("smalll")
    assert routes.resolve(refusal.value.message.rpartition("did you mean ")[2].rstrip("?").split(", ")[0])


def test_an_alias_to_nowhere_is_not_found_by_its_own_name() -> None:
    with pytest.raises(ModelNotFoundError, match="there is no model 'gone'"):
        three().resolve("gone")


def test_names_are_aliases_first_and_then_models_by_backend() -> None:
    assert router(None, {"fast": "one:small"}, one=["small"], two=["big"]).names() == ["fast", "one:small", "two:big"]


def test_models_that_a_backend_lists_later_are_found() -> None:
    source = Source("one")
    routes = Router({"one": source, "two": Source("two")}, {}, None)
    with pytest.raises(ModelNotFoundError):
        routes.resolve("late")
    source.models.append("late")
    assert routes.resolve("late") == Target("one", "late")


def test_a_mistyped_backend_is_named_even_when_it_lists_nothing() -> None:
    with pytest.raises(ModelNotFoundError, match=r"did you mean openai:gpt-5\?"):
        router(openai=[], other=[]).resolve("opnai:gpt-5")
