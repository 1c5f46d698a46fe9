"""The list of models, in each SDK's own types."""

import pytest
from anthropic.types import ModelInfo
from openai.types import Model
from pydantic import TypeAdapter

from tests.e2e.answers import Client

TYPES = {"openai": TypeAdapter(Model), "anthropic": TypeAdapter(ModelInfo)}
LISTED = [f"{backend}:fault-{size}" for backend in ("anthropic", "openai") for size in ("small", "large")]


def test_all_models_are_listed(client: Client) -> None:
    models = list(client.sync.models.list())
    live = [model.id for model in models if "dead" not in model.id]
    assert live == ["the-alias", *LISTED]
    for model in models:
        TYPES[client.format].validate_python(model.to_dict())


@pytest.mark.parametrize("name", LISTED)
def test_one_model_is_described(client: Client, name: str) -> None:
    model = client.sync.models.retrieve(name)
    assert TYPES[client.format].validate_python(model.to_dict()).id == name


def test_an_alias_is_described(client: Client) -> None:
    assert client.sync.models.retrieve("the-alias").id == "the-alias"


@pytest.mark.parametrize("name", ["fault-smal", "openai:none", "nobody:fault-small", "the-alia"])
def test_a_model_that_is_not_there_is_not_found(client: Client, name: str) -> None:
    with pytest.raises(client.sdk.NotFoundError):
        client.sync.models.retrieve(name)
