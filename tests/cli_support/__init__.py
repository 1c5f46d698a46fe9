"""What the tests of the command line use: the command in a directory of its own, and made-up plugins."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

COMMAND = [sys.executable, "-m", "proxy_core.cli"]

#: The last line of what `serve` prints when it is ready.
_END_OF_BANNER = "print(answer"


@dataclass
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Running:
    """A proxy that is ready, with what it has printed so far."""

    process: subprocess.Popen[str]
    banner: str
    log: Path

    @property
    def url(self) -> str:
        return self.banner.split(" is ready at ", 1)[1].split()[0]

    @property
    def curl(self) -> str:
        return next(line.strip() for line in self.banner.splitlines() if line.strip().startswith("curl "))

    @property
    def snippet(self) -> str:
        """The Python code."""
        return "\n".join(line.strip() for line in self.banner.split("or in Python:", 1)[1].splitlines())

    @property
    def err(self) -> str:
        return self.log.read_text()

    def stop(self, sign: signal.Signals = signal.SIGINT) -> int:
        """Signal the whole group, as a terminal does with Ctrl-C; the exit code."""
        os.killpg(self.process.pid, sign)
        return self.process.wait(15)


@dataclass
class Shell:
    """Runs `llm-proxy` in an empty directory, without any key in the environment."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        kept.pop("LLM_PROXY_CONFIG", None)
        self.environment = {**kept, "NO_COLOR": "1", "NO_PROXY": "*", "LLM_PROXY_KEY": "key-of-a-client"}

    def write(self, text: str, name: str = "llm-proxy.yaml") -> None:
        (self.directory / name).write_text(text)

    def run(self, *words: str, within: float = 30) -> Outcome:
        done = subprocess.run(
            [*COMMAND, *words], cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=within
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def serving(self, *words: str, end: str = _END_OF_BANNER) -> Iterator[Running]:
        """`llm-proxy serve` on a free port, from when it says that it is ready."""
        log = self.directory / "stderr.log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [*COMMAND, "serve", "--port", "0", *words],
                cwd=self.directory,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        try:
            yield Running(process, _read_until(end, process, log), log)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=10)

    def install(self, name: str, code: str, **groups: str) -> None:
        """A distribution with one module; `groups` are entry points: `llm_proxy_backends="x = module:provide"`."""
        site = self.directory / "site"
        metadata = site / f"{name.replace('-', '_')}-1.2.3.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{name.replace('-', '_')}.py").write_text(code)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
        (metadata / "entry_points.txt").write_text("".join(f"[{group}]\n{entry}\n" for group, entry in groups.items()))
        inherited = os.environ.get("PYTHONPATH", "")
        self.environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), inherited]))


def _read_until(end: str, process: subprocess.Popen[str], log: Path, within: float = 20) -> str:
    assert process.stdout is not None
    deadline, text = time.monotonic() + within, ""
    while end not in text:
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        data = os.read(process.stdout.fileno(), 65536).decode() if ready else ""
        assert data, f"no banner, but:\n{text}\n{log.read_text()}"
        text += data
    return text


def ask(curl: str, environment: dict[str, str]) -> tuple[int, str]:
    """Do what a line for curl says, as a shell and curl would: status and body."""
    words = shlex.split(_expanded(curl, environment))
    assert words[0] == "curl"
    pairs = list(zip(words[2::2], words[3::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in pairs if option == "-H")
    body = next((value.encode() for option, value in pairs if option == "-d"), None)
    return fetch(words[1], headers, body)


def _expanded(line: str, environment: dict[str, str]) -> str:
    return line.replace("$LLM_PROXY_KEY", environment["LLM_PROXY_KEY"])


def fetch(url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> tuple[int, str]:
    """Status and body."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, headers or {}), timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
