"""One upstream and one proxy for the whole directory."""

import os
from collections.abc import Iterator

import pytest

from tests.downstream.answers import KEY
from tests.fault_upstream import FaultUpstream, upstream_in_thread
from tests.support.proxy import RunningProxy, running_proxy

collect_ignore_glob = [] if "DOWNSTREAM_JAVASCRIPT" in os.environ else ["test_*.py"]  # the clients are nox's to install


@pytest.fixture(scope="session")
def upstream() -> Iterator[FaultUpstream]:
    """A scripted provider that speaks all formats."""
    with upstream_in_thread() as running:
        yield running


@pytest.fixture(scope="session")
def proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    """A proxy with a backend of each format."""
    urls = {
        "openai": upstream.openai_url,
        "openai-responses": upstream.responses_url,
        "anthropic": upstream.anthropic_url,
        "gemini": upstream.gemini_url,
    }
    backends = {name: {"api_key": "sk-upstream", "api_base_url": url} for name, url in urls.items()}
    with running_proxy({"auth": {"keys": [KEY]}, "backends": backends}) as running:
        yield running
