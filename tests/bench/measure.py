"""What is measured, how, and against which budget."""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

from tests.bench import bodies, load
from tests.bench.load import Call
from tests.bench.subject import ROOT, Subject, forwarder, product, product_command
from tests.bench.upstream import EVENTS

Body = Callable[..., Call]
CORE = "llm-proxy-core"
SPOKEN = ("openai", "openai-responses", "anthropic", "gemini")
"""The formats on either side, in the order of the tables."""
ENDS = {
    "openai": b"[DONE]",
    "openai-responses": b"response.completed",
    "anthropic": b"message_stop",
    "gemini": b'"finishReason"',
}
"""What the end of a whole stream has in it."""


@dataclass(frozen=True)
class Result:
    """One row of the report; a missing figure is None."""

    measure: str
    unit: str
    ours: float | None
    forwarder: float | None
    budget: float
    ratio: float | None = None
    note: str = ""
    kind: str = ""
    pair: tuple[str, str] | None = None

    @property
    def judged(self) -> float | None:
        """What the budget limits: the ratio where there is a yardstick, else the figure itself."""
        return self.ratio if self.is_relative else self.ours

    @property
    def is_relative(self) -> bool:
        return self.unit in {"µs/request", "µs/event", "µs added"}

    @property
    def over(self) -> bool:
        return self.judged is not None and self.judged > self.budget


@dataclass(frozen=True)
class Traffic:
    """One kind of traffic whose CPU is measured on both sides.

    `client` and `backend` are formats; they differ where our product translates. The forwarder always gets the
    client's format through, which is the least that anybody could do with that request.
    """

    name: str
    kind: str
    client: str
    backend: str
    story: str
    budget: float
    body: Body = bodies.small
    count: int = 1500
    concurrency: int = 8

    @property
    def streams(self) -> bool:
        return self.story != "json"

    @property
    def cell(self) -> tuple[str, tuple[str, str]]:
        """The table of all pairs that this belongs to, and its place there."""
        return self.kind, (self.client, self.backend)

    @property
    def unit(self) -> str:
        return "µs/event" if self.streams else "µs/request"

    def call(self) -> Call:
        """The request for our product; the forwarder's upstream ignores the backend's name."""
        return self.body(self.client, f"{self.backend}:{self.story}", stream=self.streams)


def _pairs(
    name: str, story: str, same: float, translated: float, spoken: tuple[str, ...] = SPOKEN, **fields: int
) -> list[Traffic]:
    """Every format through unchanged, then every translation."""
    same_first = sorted(((client, backend) for client in spoken for backend in spoken), key=lambda pair: len({*pair}))
    return [
        Traffic(
            f"{name}, {client}" + ("" if client == backend else f" → {backend}"),
            name,
            client,
            backend,
            story,
            same if client == backend else translated,
            **fields,  # type: ignore[arg-type]  # count and concurrency only
        )
        for client, backend in same_first
    ]


TRAFFIC = [
    *_pairs("json", "json", 1.5, 2.5),
    Traffic("100 KB agent, anthropic", "100 KB agent", "anthropic", "anthropic", "json", 1.0, bodies.agent, 500),
    Traffic("100 KB agent, openai", "100 KB agent", "openai", "openai", "json", 1.0, bodies.agent, 500),
    *_pairs("burst in one write", "one_write", 1.3, 2.0, ("openai", "anthropic"), count=500),
    *_pairs("burst in 100 writes", "many_writes", 1.3, 2.0, count=400),
    *_pairs("paced 5 ms", "paced", 1.3, 2.0, count=40, concurrency=20),
]


def cpu_per_unit(subject: Subject, traffic: Traffic, count: int) -> float:
    """Microseconds of the process's CPU per request or per event."""
    call = traffic.call()
    before = subject.cpu()
    asyncio.run(load.run(subject.port, call, count, traffic.concurrency))
    return (subject.cpu() - before) / count / (EVENTS if traffic.streams else 1) * 1e6


def traffic_result(traffic: Traffic, ours: Subject | None, yardstick: Subject, rounds: int, share: float) -> Result:
    """Alternate between the two, and report medians: of the figures, and of the ratios within each round."""
    subjects = [yardstick] if ours is None else [yardstick, ours]
    count = max(traffic.concurrency, int(traffic.count * share))
    for subject in subjects:
        _looks_right(asyncio.run(load.answer_of(subject.port, traffic.call())), traffic)
        cpu_per_unit(subject, traffic, max(traffic.concurrency, count // 5))
    figures: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects if number % 2 else reversed(subjects):
            figures[subject.name].append(cpu_per_unit(subject, traffic, count))
    base, own = figures["forwarder"], figures.get("ours", [])
    ratios = [mine / theirs for mine, theirs in zip(own, base, strict=False)]
    median = statistics.median
    note = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else ""
    ratio = median(ratios) if ratios else None
    ours_median = median(own) if own else None
    return Result(traffic.name, traffic.unit, ours_median, median(base), traffic.budget, ratio, note, *traffic.cell)


def _looks_right(body: bytes, traffic: Traffic) -> None:
    """Refuse to measure an answer that is not the whole one."""
    words = len(set(re.findall(rb"word\d{3}", body)))
    expected = EVENTS if traffic.streams else 40
    if words != expected or (traffic.streams and ENDS[traffic.client] not in body):
        raise AssertionError(f"{traffic.name}: {words} of {expected} words in {body[-300:]!r}")


def latency_result(ours: Subject | None, yardstick: Subject, upstream_port: int, rounds: int) -> Result:
    """What a hop adds to the median of requests made one at a time, in many short turns, since clocks drift."""
    call = bodies.small("openai", "openai:json", stream=False)
    ports = {"direct": upstream_port, "forwarder": yardstick.port} | ({"ours": ours.port} if ours else {})
    medians: dict[str, list[float]] = {name: [] for name in ports}
    for number in range(-2, rounds * 4):
        for name, port in ports.items():
            taken = asyncio.run(load.latencies(port, call, 100))
            if number >= 0:  # the turns before are for warming up
                medians[name].append(statistics.median(taken) * 1e6)
    direct = statistics.median(medians["direct"])
    base = statistics.median(medians["forwarder"]) - direct
    own = statistics.median(medians["ours"]) - direct if ours else None
    ratio = own / base if own is not None else None
    return Result("added latency, p50", "µs added", own, base, 1.3, ratio, f"direct {direct:.0f} µs")


def process_results(rounds: int, upstream_port: int) -> Iterator[Result]:
    """Start-up, memory and the number of installed distributions."""
    yield _timed("import proxy_core.api", [sys.executable, "-c", "import proxy_core.api"], 0.3, rounds)
    yield _timed("llm-proxy --version", [*(product_command() or ["llm-proxy"]), "--version"], 0.2, rounds)
    starts = [_start(upstream_port) for _ in range(rounds)]
    yield _from_starts("ready after start", "s", 1.2, [(own[0], base[0]) for own, base in starts])
    yield _from_starts("idle memory", "MB", 75, [(own[1], base[1]) for own, base in starts])
    closure = distribution_closure(CORE)
    yield Result("installed distributions", "", float(len(closure)) if closure else None, None, 40)


def _timed(name: str, command: list[str], budget: float, rounds: int) -> Result:
    bare = _median_seconds([sys.executable, "-c", "pass"], rounds)
    taken = _median_seconds(command, rounds) if product_command() else None
    return Result(name, "s", taken, None, budget, note=f"python alone {bare:.3f} s")


def _median_seconds(command: list[str], rounds: int) -> float:
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=os.environ, timeout=60)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def _start(upstream_port: int) -> tuple[tuple[float, float] | tuple[None, None], tuple[float, float]]:
    """Seconds until ready and idle megabytes, ours and the forwarder's, each started alone."""
    with forwarder(upstream_port) as yardstick:
        time.sleep(0.3)
        base = (yardstick.ready_after, yardstick.memory())
    with product(upstream_port) as ours:
        if ours is None:
            return (None, None), base
        time.sleep(0.3)
        return (ours.ready_after, ours.memory()), base


def _from_starts(name: str, unit: str, budget: float, pairs: list[tuple[float | None, float]]) -> Result:
    own = [mine for mine, _ in pairs if mine is not None]
    base = statistics.median(theirs for _, theirs in pairs)
    return Result(name, unit, statistics.median(own) if own else None, base, budget)


def distribution_closure(name: str) -> set[str]:
    """The distribution and all that it needs here, extras aside; empty where it is not installed."""
    found: set[str] = set()
    waiting = [Requirement(name)]
    while waiting:
        requirement = waiting.pop()
        key = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if key in found:
            continue
        try:
            needed = metadata.requires(requirement.name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(key)
        environments = [{"extra": extra} for extra in ("", *requirement.extras)]
        waiting += [each for each in map(Requirement, needed) if _applies(each, environments)]
    return found


def _applies(requirement: Requirement, environments: list[dict[str, str]]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate(environment) for environment in environments)
