"""One upstream, one proxy and eight SDK clients for the whole directory."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.answers import ANOTHER_KEY, KEY, WAYS, Client, Way
from tests.e2e.pairs import FORMATS, backends_at, clients_of
from tests.fault_upstream import FaultUpstream, story, upstream_in_thread
from tests.support.proxy import RunningProxy, running_proxy


@pytest.fixture(scope="session")
def upstream() -> Iterator[FaultUpstream]:
    """A scripted provider that speaks all formats."""
    with upstream_in_thread() as running:
        yield running


@pytest.fixture(scope="session")
def proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    """A proxy with a backend of each format that lives, and one that does not."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        nowhere = {
            "api_key": "k",
            "api_base_url": f"http://127.0.0.1:{closed.getsockname()[1]}",
            "models": ["gone"],
        }
        dead = {f"dead-{name}": {"type": name, **nowhere} for name in FORMATS}
        aliases = {"the-alias": f"anthropic:{story('answer', text='from the alias')}"}
        config = {
            "auth": {"keys": [KEY, ANOTHER_KEY]},
            "backends": {**backends_at(upstream), **dead},
            "models": aliases,
        }
        with running_proxy(config) as running:
            yield running


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of the async clients."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as running:
        yield running


@pytest.fixture(scope="session")
def clients(proxy: RunningProxy, runner: asyncio.Runner) -> Iterator[dict[str, Client]]:
    """The SDKs, by the format they speak."""
    with clients_of(proxy.address, runner) as clients:
        yield clients


@pytest.fixture(params=FORMATS, ids="{}-sdk".format)
def client(request: pytest.FixtureRequest, clients: dict[str, Client]) -> Client:
    """Each SDK in turn."""
    return clients[request.param]


@pytest.fixture(params=FORMATS, ids="to-{}".format)
def backend(request: pytest.FixtureRequest) -> str:
    """Each upstream in turn; the name is its format too."""
    return str(request.param)


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """Each way to ask in turn."""
    return request.param
