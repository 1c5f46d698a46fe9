"""Measure our proxy against a bare forwarder in one run, and compare with the budgets.

    python tests/bench/run.py [--quick] [--only WORD] [--json FILE]

Exit status 1 when a budget is exceeded and `--strict` is given.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from rich.console import Console
from rich.table import Table

from tests.bench.measure import SPOKEN, TRAFFIC, Result, latency_result, process_results, traffic_result
from tests.bench.subject import forwarder, product, upstream

QUICK = 0.3


def results(only: str, rounds: int, share: float) -> Iterator[Result]:
    """Every measure whose name has `only` in it, as soon as it is known."""
    chosen = [traffic for traffic in TRAFFIC if only in traffic.name]
    with upstream() as upstream_port:
        if any(only in name for name in ("process", "import", "version", "ready", "memory", "distributions")):
            yield from process_results(rounds, upstream_port)
        with forwarder(upstream_port) as yardstick, product(upstream_port) as ours:
            for traffic in chosen:
                yield traffic_result(traffic, ours, yardstick, rounds, share)
            if only in "added latency":
                yield latency_result(ours, yardstick, upstream_port, rounds)


def row(result: Result) -> list[str]:
    """A result as cells."""
    verdict = "[dim]not installed[/]" if result.judged is None else "[red]over[/]" if result.over else "[green]ok[/]"
    figures = (result.ours, result.forwarder, result.ratio)
    cells = ["-" if figure is None else f"{figure:,.{_digits(figure)}f}" for figure in figures]
    sign = "x " if result.is_relative else ""
    return [result.measure, result.unit, *cells, f"≤ {sign}{result.budget:g}", verdict, result.note]


def _digits(figure: float) -> int:
    return 2 if figure < 10 else 1 if figure < 100 else 0


def pair_tables(found: list[Result]) -> Iterator[Table]:
    """What every translation costs: one table for each kind of traffic that goes between all formats."""
    kinds = Counter(each.kind for each in TRAFFIC)
    for kind in (kind for kind, count in kinds.items() if count == len(SPOKEN) ** 2):
        own = {each.pair: each for each in found if each.kind == kind}
        if not own:
            continue
        table = Table("client \\ backend", *SPOKEN, title=f"{kind}: {next(iter(own.values())).unit}, x forwarder")
        for client in SPOKEN:
            table.add_row(client, *(_cell(own.get((client, backend))) for backend in SPOKEN))
        yield table


def _cell(result: Result | None) -> str:
    if result is None or result.ours is None or result.ratio is None:
        return "-"
    figure = f"{result.ours:,.{_digits(result.ours)}f}  x {result.ratio:.2f}"
    return f"[red]{figure}[/]" if result.over else figure


def main() -> int:
    """Run, print, write; the exit status."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 120)
    rounds, share = (3, QUICK) if options.quick else (7, 1.0)
    table = Table("measure", "unit", "ours", "forwarder", "ratio", "budget", "", "note", title="llm-proxy bench")
    found = []
    for result in results(options.only, rounds, share):
        found.append(result)
        table.add_row(*row(result))
        console.print(" ".join(row(result)), style="dim", highlight=False)
    for each in (table, *pair_tables(found)):
        console.print(each)
    if options.json:
        options.json.write_text(json.dumps([{**asdict(each), "over": each.over} for each in found], indent=1))
    return int(options.strict and any(each.over for each in found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and requests")
    parser.add_argument("--only", default="", metavar="WORD", help="only measures with this in their name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--strict", action="store_true", help="fail when a budget is exceeded")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
