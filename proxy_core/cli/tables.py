"""Tables for people. rich is imported here and by nobody who does not show a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

#: Wide enough that nothing is folded where there is no terminal to fit into.
_UNBOUNDED = 10_000

_STYLES = {"ok": "green", "ready": "green", "not loaded": "yellow", "starting": "yellow", "not usable": "red"}


def show_table(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Print rows of plain text; words that say how something is are coloured."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console.width = _UNBOUNDED
    table = Table(*headings, box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"  # a model string must be whole to be copied
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())


def show_json(value: Any) -> None:
    """Print for machines."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
