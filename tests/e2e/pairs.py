"""Every SDK as a client of one proxy, and every format as a backend of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.answers import Client
from tests.e2e.chat_client import ChatClient
from tests.e2e.gemini_client import GeminiClient
from tests.e2e.messages_client import MessagesClient
from tests.e2e.responses_client import ResponsesClient
from tests.fault_upstream import FaultUpstream

KINDS = {kind.format: kind for kind in (ChatClient, ResponsesClient, MessagesClient, GeminiClient)}
FORMATS = list(KINDS)


def backends_at(upstream: FaultUpstream) -> dict[str, Any]:
    """The configuration of one backend for each format, all of them the same upstream."""
    urls = {
        "openai": upstream.openai_url,
        "openai-responses": upstream.responses_url,
        "anthropic": upstream.anthropic_url,
        "gemini": upstream.gemini_url,
    }
    return {name: {"api_key": "sk-upstream", "api_base_url": url} for name, url in urls.items()}


@contextmanager
def clients_of(address: str, runner: asyncio.Runner, retries: int = 0) -> Iterator[dict[str, Client]]:
    """The SDKs by the format they speak; each asks up to `retries` times more where it may."""
    clients: dict[str, Client] = {name: kind(address, runner, retries) for name, kind in KINDS.items()}
    try:
        yield clients
    finally:
        for client in clients.values():
            client.close()
