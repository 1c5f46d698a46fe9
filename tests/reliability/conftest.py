"""A provider and a proxy in front of it, shared by the tests of one file."""

from collections.abc import Iterator

import pytest

from tests.fault_upstream import FaultUpstream, upstream_in_thread
from tests.reliability.talk import backends_at
from tests.support.proxy import RunningProxy, running_proxy


@pytest.fixture(scope="module")
def upstream() -> Iterator[FaultUpstream]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    with running_proxy({"backends": backends_at(upstream)}) as running:
        yield running
