"""A process under measurement: started, waited for, and asked what it has used."""

import contextlib
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
START_LIMIT = 30.0
LINUX = platform.system() == "Linux"


@dataclass
class Subject:
    """A running server with its own port."""

    name: str
    port: int
    process: psutil.Process
    ready_after: float = field(default=0.0)

    def cpu(self) -> float:
        """Seconds of CPU that the process and its children have used so far."""
        return sum(_cpu_of(each) for each in self._family())

    def memory(self) -> float:
        """Resident megabytes of the process and its children."""
        return float(sum(each.memory_info().rss for each in self._family())) / 1e6

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def _cpu_of(process: psutil.Process) -> float:
    """The process's CPU clock in nanosecond steps where there is one; psutil's has steps of 10 ms."""
    if LINUX:
        return time.clock_gettime((~process.pid) << 3 | 2)
    times = process.cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def upstream() -> Iterator[int]:
    """The benchmark's provider; its port."""
    command = [sys.executable, "-m", "tests.bench.upstream"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextlib.contextmanager
def forwarder(upstream_port: int) -> Iterator[Subject]:
    """The yardstick."""
    port = free_port()
    with _running(
        "forwarder", [sys.executable, "-m", "tests.bench.forwarder", str(upstream_port), str(port)], port
    ) as it:
        yield it


@contextlib.contextmanager
def product(upstream_port: int) -> Iterator[Subject | None]:
    """`llm-proxy serve` with one worker and its defaults; None where it is not installed."""
    command = product_command()
    if command is None:
        yield None
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "llm-proxy.yaml")
        config.write_text(CONFIG.format(port=upstream_port))
        arguments = ["serve", "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        with _running("ours", [*command, *arguments], port, {"HOME": folder}) as subject:
            yield subject


CONFIG = """
backends:
  openai: {{api_key: k, api_base_url: "http://127.0.0.1:{port}/v1"}}
  openai-responses: {{type: openai-responses, api_key: k, api_base_url: "http://127.0.0.1:{port}/v1"}}
  anthropic: {{api_key: k, api_base_url: "http://127.0.0.1:{port}"}}
  gemini: {{type: gemini, api_key: k, api_base_url: "http://127.0.0.1:{port}/v1beta"}}
"""


def product_command() -> list[str] | None:
    """The `llm-proxy` script beside this interpreter, if it is there."""
    script = Path(sys.executable).with_name("llm-proxy")
    return [str(script)] if script.exists() else None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _running(name: str, command: list[str], port: int, extra: Mapping[str, str] | None = None) -> Iterator[Subject]:
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(extra or {})}, stdout=output, stderr=output)
        try:
            subject = Subject(name, port, psutil.Process(process.pid))
            subject.ready_after = _wait_ready(process, port, began)
            yield subject
        except BaseException:
            output.seek(0)
            sys.stderr.write(output.read()[-4000:].decode("utf-8", "replace"))
            raise
        finally:
            process.terminate()
            process.wait(START_LIMIT)


def _wait_ready(process: subprocess.Popen[bytes], port: int, began: float) -> float:
    while (elapsed := time.perf_counter() - began) < START_LIMIT and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
            return time.perf_counter() - began
        time.sleep(0.005)
    raise RuntimeError(f"no 200 from /readyz on port {port} after {elapsed:.1f} s; its output follows")
