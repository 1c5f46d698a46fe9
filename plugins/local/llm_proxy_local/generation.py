"""One answer in the making: the pieces it comes in, and the errors it can end with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llm_proxy_local.stops import StopFinder

__all__ = [
    "EngineError",
    "Generation",
    "ModelFailedError",
    "Piece",
    "PromptTooLongError",
    "QueueFullError",
    "RequestRefusedError",
    "Tokens",
]


class EngineError(Exception):
    """Base: what can go wrong with a generation."""


class QueueFullError(EngineError):
    """All places are taken; `waiting` requests are ahead."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} requests are waiting already")
        self.waiting = waiting


class PromptTooLongError(EngineError):
    """The prompt has `tokens` tokens where `limit` fit."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(f"{tokens} tokens where {limit} fit")
        self.tokens = tokens
        self.limit = limit


class RequestRefusedError(EngineError):
    """llama.cpp cannot work with this request: its messages do not fit the model's template, or a schema is wrong."""


class ModelFailedError(EngineError):
    """The model could not be loaded, or its process ended; the next request starts another."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """How many tokens a call has taken so far. `cached` is the part of `prompt` that need not be computed again."""

    prompt: int
    completion: int
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer. The last one has `finish`: `stop` or `length`.

    `stop_sequence` is the one that was met, where one was. `tokens` are running totals.
    """

    text: str
    tokens: Tokens
    reasoning: str = ""
    finish: str | None = None
    stop_sequence: str | None = None


class Generation:
    """An answer in the making: iterate for its pieces; raises an `EngineError` when it cannot be finished."""

    def __init__(
        self, number: int, body: dict[str, Any], stop: Sequence[str], cancel: Callable[[Generation], None]
    ) -> None:
        self.number = number
        self.body = body
        self.ended = False
        self._cancel = cancel
        self._stops = StopFinder(stop)
        self._pieces: asyncio.Queue[Piece | EngineError | None] = asyncio.Queue()
        self._finish: str | None = None
        self._tokens = Tokens(prompt=0, completion=0)

    def __aiter__(self) -> Generation:
        return self

    async def __anext__(self) -> Piece:
        if self.ended and self._pieces.empty():
            raise StopAsyncIteration
        piece = await self._pieces.get()
        if piece is None:
            raise StopAsyncIteration
        if isinstance(piece, EngineError):
            raise piece
        return piece

    def cancel(self) -> None:
        """Give it up: no more pieces come, its place in the queue is free, llama.cpp stops at the next token. May be
        called at any time and more than once."""
        if not self.ended:
            self.ended = True
            self._pieces.put_nowait(None)  # whoever waits for a piece
            self._cancel(self)

    def fail(self, error: EngineError) -> None:
        """End it with an error, unless it has ended already."""
        if not self.ended:
            self._pieces.put_nowait(error)
            self.ended = True

    def feed(self, chunk: dict[str, Any]) -> None:
        """Take a chunk as llama.cpp made it."""
        if self.ended:
            return
        if "error" in chunk:
            self.fail(_error(chunk["error"]))
            return
        self._tokens = _tokens(chunk) or self._tokens
        if "prompt_progress" in chunk:
            return  # asked for only because llama.cpp can be stopped whenever it reports
        if chunk["choices"]:
            self._feed_choice(chunk["choices"][0])
        else:  # the last one has the totals
            self._end(self._stops.flush())

    def _feed_choice(self, choice: dict[str, Any]) -> None:
        self._finish = choice["finish_reason"] or self._finish
        delta = choice["delta"]
        text = self._stops.feed(delta.get("content") or "")
        if self._stops.found is not None:
            self._finish = "stop"
            self._end(text)
            self._cancel(self)
        elif text or delta.get("reasoning_content"):
            self._pieces.put_nowait(Piece(text, self._tokens, delta.get("reasoning_content") or ""))

    def _end(self, text: str) -> None:
        last = Piece(text, self._tokens, finish=self._finish or "stop", stop_sequence=self._stops.found)
        self._pieces.put_nowait(last)
        self.ended = True


def _tokens(chunk: dict[str, Any]) -> Tokens | None:
    """The running totals in a chunk, if it has them; those in the last one equal its `usage`."""
    timings = chunk.get("timings")
    if timings is None:
        return None
    return Tokens(timings["cache_n"] + timings["prompt_n"], timings["predicted_n"], timings["cache_n"])


def _error(error: dict[str, Any]) -> EngineError:
    if error.get("type") == "exceed_context_size_error":
        return PromptTooLongError(error["n_prompt_tokens"], error["n_ctx"])
    if error.get("code") == 400:
        return RequestRefusedError(error["message"])
    return ModelFailedError(error["message"])
