"""One upstream, one proxy and four SDK clients for the whole directory."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.answers import KEY, WAYS, Client, Way
from tests.e2e.chat_client import ChatClient
from tests.e2e.messages_client import MessagesClient
from tests.fault_upstream import FaultUpstream, story, upstream_in_thread
from tests.support.proxy import RunningProxy, running_proxy


@pytest.fixture(scope="session")
def upstream() -> Iterator[FaultUpstream]:
    """A scripted provider that speaks both formats."""
    with upstream_in_thread() as running:
        yield running


@pytest.fixture(scope="session")
def proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    """A proxy with two backends that live and two that do not."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        backends = {
            "openai": {"api_key": "sk-upstream", "api_base_url": upstream.openai_url},
            "anthropic": {"api_key": "sk-upstream", "api_base_url": upstream.anthropic_url},
            "dead-openai": {"type": "openai", "api_key": "k", "api_base_url": nowhere, "models": ["gone"]},
            "dead-anthropic": {"type": "anthropic", "api_key": "k", "api_base_url": nowhere, "models": ["gone"]},
        }
        aliases = {"the-alias": f"anthropic:{story('answer', text='from the alias')}"}
        with running_proxy({"auth": {"keys": [KEY]}, "backends": backends, "models": aliases}) as running:
            yield running


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of the async clients."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as running:
        yield running


@pytest.fixture(scope="session")
def clients(proxy: RunningProxy, runner: asyncio.Runner) -> Iterator[dict[str, Client]]:
    """The SDKs, by the format they speak."""
    chat, messages = ChatClient(proxy.openai_url, runner), MessagesClient(proxy.address, runner)
    yield {"openai": chat, "anthropic": messages}
    chat.close()
    messages.close()


@pytest.fixture(params=["openai", "anthropic"], ids="{}-sdk".format)
def client(request: pytest.FixtureRequest, clients: dict[str, Client]) -> Client:
    """Each SDK in turn."""
    return clients[request.param]


@pytest.fixture(params=["openai", "anthropic"], ids="to-{}".format)
def backend(request: pytest.FixtureRequest) -> str:
    """Each upstream in turn; the name is its format too."""
    return str(request.param)


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """Each way to ask in turn."""
    return request.param
