"""The engine: a queue before a model process, and answers that can be given up at any time.

Knows nothing of the proxy: it takes the body of a Chat Completions request as llama.cpp understands it, and gives
pieces of text. Belongs to the event loop it is first used in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import Any

from llm_proxy_local.generation import EngineError, Generation, ModelFailedError, QueueFullError
from llm_proxy_local.process import ModelProcess, ModelSettings, model_process

__all__ = ["Engine"]


class Engine:
    """Answers requests with one model, `parallel` at a time, the others in turn.

    The model process is started by the first request (or `warm_up`), and again after it has ended. `patience` is how
    long, in seconds, a generation that was given up may go on before the whole process is ended: a long batch of a
    large model is the one thing in which llama.cpp cannot be interrupted.
    """

    def __init__(self, settings: ModelSettings, queue_size: int = 16, patience: float = 2.0) -> None:
        self.settings = settings
        self._patience = patience
        self._queue_size = queue_size
        self._numbers = count(1)
        self._waiting: deque[Generation] = deque()
        self._running: dict[int, Generation] = {}
        self._process: ModelProcess | None = None
        self._life: asyncio.Task[None] | None = None
        self._ready = False
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The model process, if there is one."""
        return self._process.pid if self._process else None

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many the model process works on."""
        return len(self._running)

    def submit(self, body: dict[str, Any], stop: Sequence[str] = ()) -> Generation:
        """Begin an answer; raises `QueueFullError`, and `ModelFailedError` once closed."""
        if self._closed:
            raise ModelFailedError("the model is shutting down")
        if len(self._running) >= self.settings.parallel and len(self._waiting) >= self._queue_size:
            raise QueueFullError(len(self._waiting))
        generation = Generation(next(self._numbers), _complete(body), stop, self._cancel)
        self._waiting.append(generation)
        self._advance()
        return generation

    def warm_up(self) -> None:
        """Start to load the model, unless it is loaded; returns at once."""
        if self._life is None and not self._closed:
            self._life = asyncio.create_task(self._live(), name="model process")

    async def close(self) -> None:
        """End everything, the model process included; running and waiting generations fail."""
        self._closed = True
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])
        self._fail_all(ModelFailedError("the model is shutting down"))

    def _advance(self) -> None:
        while self._waiting and len(self._running) < self.settings.parallel:
            generation = self._waiting.popleft()
            self._running[generation.number] = generation
            self._ask(generation)

    def _ask(self, generation: Generation) -> None:
        if self._process is None:
            self.warm_up()  # and asks when the process is there
        else:
            self._process.send({"id": generation.number, "body": generation.body})

    def _cancel(self, generation: Generation) -> None:
        if generation.number not in self._running:
            self._waiting = deque(other for other in self._waiting if other is not generation)
        elif self._process is None:
            del self._running[generation.number]
            self._advance()
        else:
            self._process.send({"cancel": generation.number})
            asyncio.get_running_loop().call_later(self._patience, self._insist, generation.number)

    def _insist(self, number: int) -> None:
        """End a process that goes on with a generation nobody waits for, unless that would cut off somebody else's."""
        abandoned = all(generation.ended for generation in self._running.values())
        if number in self._running and abandoned and self._ready and self._process:
            self._process.kill()

    async def _live(self) -> None:
        """The life of one model process."""
        error = ModelFailedError("the model is shutting down")
        try:
            async with model_process(self.settings) as process:
                self._process = process
                for generation in self._running.values():
                    self._ask(generation)
                async for message in process:
                    self._take(message)
                error = ModelFailedError(f"the model process has ended: {await process.last_words()}")
        except OSError as problem:
            error = ModelFailedError(f"the model process could not be started: {problem}")
        finally:
            self._buried(error)

    def _take(self, message: dict[str, Any]) -> None:
        if "chunk" in message:
            self._running[message["id"]].feed(message["chunk"])
        elif "done" in message:
            self._running.pop(message["id"]).fail(ModelFailedError("the model stopped in the middle of its answer"))
            self._advance()
        else:
            self._ready = True

    def _buried(self, error: ModelFailedError) -> None:
        """After the end of a process: who was being answered gets the error; who waits gets another process, unless
        this one could not even load."""
        loaded = self._ready
        self._process, self._life = None, None
        self._ready = False
        if loaded and not self._closed:
            self._fail_running(error)
            self._advance()
        else:
            self._fail_all(error)

    def _fail_running(self, error: EngineError) -> None:
        for generation in self._running.values():
            generation.fail(error)
        self._running.clear()

    def _fail_all(self, error: EngineError) -> None:
        self._fail_running(error)
        while self._waiting:
            self._waiting.popleft().fail(error)


def _complete(body: dict[str, Any]) -> dict[str, Any]:
    """The body with what the engine itself needs: a stream with totals, and reports while the prompt is read."""
    needed = {"stream": True, "return_progress": True, "timings_per_token": True}
    return {**body, **needed, "stream_options": {"include_usage": True}}
