"""What tests of several directories share."""

import pytest

from tests.support.wheels import Pip


@pytest.fixture(scope="session")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Pip:
    """An installer of wheels; making it takes some seconds."""
    return Pip(tmp_path_factory.mktemp("pip"))
