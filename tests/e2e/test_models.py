"""The list of models, in each SDK's own types."""

import pytest

from tests.e2e.answers import Client
from tests.e2e.pairs import FORMATS

LISTED = [f"{backend}:fault-{size}" for backend in sorted(FORMATS) for size in ("small", "large")]


def test_all_models_are_listed(client: Client) -> None:
    live = [name for name in client.models() if "dead" not in name]
    assert live == ["the-alias", *LISTED]


@pytest.mark.parametrize("name", [*LISTED, "the-alias"])
def test_one_model_is_described(client: Client, name: str) -> None:
    assert client.model(name) == name


@pytest.mark.parametrize("name", ["fault-smal", "openai:none", "nobody:fault-small", "the-alia"])
def test_a_model_that_is_not_there_is_not_found(client: Client, name: str) -> None:
    with pytest.raises(client.sdk.NotFoundError):
        client.model(name)
