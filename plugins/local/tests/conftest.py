import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_proxy_local import provide
from llm_proxy_local.backend import LocalBackend
from llm_proxy_local.engine import Engine
from llm_proxy_local.process import ModelSettings
from llm_proxy_local.weights import find_weights
from proxy_core.api import AppConfig, TranslationService


@pytest.fixture(scope="session")
def weights() -> Path:
    path = find_weights()
    assert path is not None, "run `llm-proxy local install` first"
    return path


@pytest.fixture
async def make_engine(weights: Path) -> AsyncIterator[Callable[..., Engine]]:
    engines = []

    def make(queue_size: int = 16, patience: float = 2.0, **settings: Any) -> Engine:
        model = ModelSettings(**{"model_path": weights, "context_size": 2048, **settings})
        engine = Engine(model, queue_size, patience)
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        await engine.close()


@pytest.fixture
async def engine(make_engine: Callable[..., Engine]) -> Engine:
    return make_engine()


@pytest.fixture
async def make_backend() -> AsyncIterator[Callable[..., Any]]:
    backends: list[LocalBackend] = []
    async with httpx.AsyncClient() as client:

        async def make(**options: Any) -> LocalBackend:
            backend = provide().factory(client, AppConfig(), TranslationService())
            assert isinstance(backend, LocalBackend)
            backends.append(backend)
            await backend.initialize(**{"context_size": 2048, **options})
            return backend

        yield make
        for backend in backends:
            await backend.close()


class LoopWatch:
    """The longest time in seconds for which the event loop did nothing else."""

    longest = 0.0

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["LoopWatch"]:
        watcher = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            watcher.cancel()

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.002)
            self.longest = max(self.longest, time.perf_counter() - before - 0.002)


@pytest.fixture
def loop_watch() -> LoopWatch:
    return LoopWatch()


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used (Linux only)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def seconds_until_idle(pid: int) -> float:
    """How long until a process computes no more."""
    started = time.perf_counter()
    while True:
        before, then = cpu_seconds(pid), time.perf_counter() - started
        await asyncio.sleep(0.1)
        if cpu_seconds(pid) - before < 0.02:
            return then


@pytest.fixture
def until_idle() -> Callable[[int], Any]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("measures CPU time through /proc")
    return seconds_until_idle
