"""The model process, seen from the event loop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["ModelProcess", "ModelSettings", "default_threads", "model_process"]

#: Longer lines than this do not occur; asyncio's own limit of 64 KiB could be met by an error that quotes a schema.
_LINE_LIMIT = 16 * 1024 * 1024
_COMPLAINTS_KEPT = 8
#: How long the process may take to end by itself, in seconds.
_PATIENCE = 0.5
#: What llama.cpp puts before a message: `0.00.010.059 E `.
_LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] ")


def default_threads() -> int:
    """One less than the cores this process may use.

    With a thread on each, llama.cpp's threads wait for one another in busy loops as soon as anything else runs: on two
    cores, 100 tokens/s became 4 under load, where a single thread kept its 50.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How the model is loaded. Sizes are in tokens; a `context_size` of 0 is the model's own."""

    model_path: Path
    context_size: int = 4096
    threads: int | None = None
    parallel: int = 1
    batch_size: int = 64

    def to_json(self) -> dict[str, Any]:
        """The first message to the model process."""
        return {**asdict(self), "model_path": str(self.model_path), "threads": self.threads or default_threads()}


class ModelProcess:
    """A running model process. Iterate over it for its messages; the end of the iteration is the end of the process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._complaints: deque[str] = deque(maxlen=_COMPLAINTS_KEPT)
        self._listener = asyncio.create_task(self._listen(), name="standard error of the model process")

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: dict[str, Any]) -> None:
        """Ask for something; never blocks, and says nothing when the process is gone."""
        if not self._stdin.is_closing():
            self._stdin.write(json.dumps(message).encode() + b"\n")

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        async for line in self._stdout:
            message = json.loads(line)
            if "failed" in message:
                self._complaints.appendleft(message["failed"])
            else:
                yield message

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        if self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """End it: kindly, then not."""
        self._stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self.kill()
        await self.last_words()

    async def last_words(self) -> str:
        """How it ended and what it complained of last; waits for the end."""
        status = await self._process.wait()
        await self._listener
        return "; ".join([*dict.fromkeys(self._complaints), f"exit status {status}"])

    async def _listen(self) -> None:
        async for line in self._stderr:
            self._complaints.append(_LOG_PREFIX.sub("", line.decode(errors="replace").strip()))


@asynccontextmanager
async def model_process(settings: ModelSettings) -> AsyncIterator[ModelProcess]:
    """A model process that loads at once, and is gone when the block is left; raises `OSError` if it cannot start."""
    # Safe path (-P): no module of the working directory stands in for one of ours. A session of its own: signals from
    # the terminal are the proxy's to handle.
    process = ModelProcess(
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "llm_proxy_local.worker"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=_LINE_LIMIT,
            start_new_session=True,
        )
    )
    try:
        process.send(settings.to_json())
        yield process
    finally:
        await asyncio.shield(asyncio.ensure_future(process.stop()))
