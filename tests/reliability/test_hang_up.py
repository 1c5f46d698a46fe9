"""If you hang up, the provider stops: the upstream's socket closes at most 50 ms (p99) after the client's."""

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil
import pytest

from tests.fault_upstream import FaultUpstream, story
from tests.fault_upstream.log import Exchange
from tests.reliability.talk import ROUTES, Caller, ask, question
from tests.support.proxy import RunningProxy

SAMPLES = 2  # of each phase for each route
P99_SECONDS = 0.050
CANCELS = 2000


class Phase(NamedTuple):
    """A moment at which a client hangs up: what the upstream does, and how one knows that the moment has come."""

    story: Callable[[], str]
    stream: bool = True
    reads: bytes = b""
    upstream: Callable[[Exchange], object] = lambda exchange: True
    receive_buffer: int | None = None


def begun(exchange: Exchange) -> object:
    return exchange.t_first_byte


def flooding(exchange: Exchange) -> object:
    """More has been written than any buffer between us takes, so the upstream waits for a client that does not read."""
    if exchange.events_written < 40:
        return False
    written = exchange.events_written
    time.sleep(0.01)
    return exchange.events_written == written


PHASES = {
    "before headers": Phase(lambda: story("silent")),
    "before the first token": Phase(lambda: story("headers_then_silent"), upstream=begun),
    "after one event": Phase(lambda: story("one_event_then_idle"), upstream=begun),
    "mid-stream": Phase(lambda: story("tick", n=1000, ms=5), reads=b"tick 3"),
    "not streamed, before headers": Phase(lambda: story("silent"), stream=False),
    "not streamed, mid-body": Phase(lambda: story("answer", end="idle"), stream=False, upstream=begun),
    "not reading": Phase(
        lambda: story("flood", n=500, size=65_536), upstream=flooding, receive_buffer=4096, reads=b"xxx"
    ),
}


def seconds_until_upstream_closes(
    proxy: RunningProxy, upstream: FaultUpstream, phase: Phase, client: str, backend: str
) -> float:
    """Ask, wait for the moment, hang up: how long the upstream's socket outlived the client's."""
    model = phase.story()
    caller = Caller(proxy, phase.receive_buffer)
    caller.send(question(client, f"{backend}:{model}", phase.stream))
    caller.read_until(phase.reads)
    upstream.log.until_sync(model, phase.upstream)
    left = time.monotonic()
    caller.hang_up()
    exchange = upstream.log.until_sync(model, lambda seen: seen.t_closed_by_peer)
    assert exchange.t_closed_by_peer is not None
    return exchange.t_closed_by_peer - left


def delays_of(proxy: RunningProxy, upstream: FaultUpstream, phase: Phase) -> list[float]:
    return sorted(
        seconds_until_upstream_closes(proxy, upstream, phase, client, backend)
        for client, backend in ROUTES
        for _ in range(SAMPLES)
    )


@pytest.mark.parametrize("phase", PHASES)
def test_the_upstream_stops_when_the_client_hangs_up(proxy, upstream, phase, capsys):
    for _ in range(3):
        delays = delays_of(proxy, upstream, PHASES[phase])
        median, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
        if p99 <= P99_SECONDS:
            break
    with capsys.disabled():
        sys.stdout.write(f"\n{phase}: p50 {median * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms, of {len(delays)}\n")
    assert median <= P99_SECONDS / 5
    if p99 > P99_SECONDS and machine_is_busy():
        pytest.skip(f"the machine is busy with something else: p99 {p99 * 1000:.0f} ms")
    assert p99 <= P99_SECONDS


def machine_is_busy() -> bool:
    """Whether more is running than there are processors, so that a delay says nothing about us."""
    return os.getloadavg()[0] > (os.cpu_count() or 1)


def test_a_hang_up_is_not_the_backend_s_fault(proxy, upstream):
    for _ in range(20):
        seconds_until_upstream_closes(proxy, upstream, PHASES["before headers"], "openai", "openai")
    ready = proxy.get("/readyz")
    assert ready.status == 200
    assert ready.json["backends"]["openai"] == {"ready": True}
    last = proxy.logged("request")[-1]
    assert (last["outcome"], last["status"], last["level"]) == ("failed", 499, "info")


async def hang_up_somewhere(proxy: RunningProxy, chance: random.Random) -> None:
    """One client of any kind that leaves after a random moment."""
    client, backend = chance.choice(ROUTES)
    phase = PHASES[chance.choice(list(PHASES))]
    request = question(client, f"{backend}:{phase.story()}", phase.stream)
    _, writer = await asyncio.open_connection(proxy.host, proxy.port)
    writer.write(request[: chance.choice([len(request), len(request), chance.randrange(len(request))])])
    await asyncio.sleep(chance.random() * 0.03)
    writer.transport.abort() if chance.random() < 0.5 else writer.close()


def sockets_to(upstream: FaultUpstream, process: psutil.Process) -> int:
    """How many sockets of a process are connected to the upstream, idle or not."""
    return sum(
        bool(connection.raddr) and connection.raddr.port == upstream.port
        for connection in process.net_connections("tcp4")
    )


async def test_two_thousand_hang_ups_leave_nothing_behind(proxy, upstream):
    process = psutil.Process(proxy.pid)
    chance = random.Random(2)
    await ask(proxy, "openai", "openai:" + story("answer"))
    idle, descriptors = sockets_to(upstream, process), process.num_fds()
    for _ in range(CANCELS // 50):
        await asyncio.gather(*(hang_up_somewhere(proxy, chance) for _ in range(50)))
    await settled(lambda: sockets_to(upstream, process) <= idle and process.num_fds() <= descriptors)
    assert all(exchange.over for exchange in tuple(upstream.log))
    assert (await ask(proxy, "anthropic", "anthropic:" + story("answer"))).status == 200
    assert not [line for line in proxy.log if line.get("level") in ("error", "critical")]


async def settled(happened: Callable[[], bool], within: float = 3) -> None:
    """Wait until it is so."""
    for _ in range(int(within / 0.05)):
        if happened():
            return
        await asyncio.sleep(0.05)
    assert happened()
