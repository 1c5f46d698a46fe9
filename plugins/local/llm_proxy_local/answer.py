"""From the engine's pieces to the proxy's answer, and from its errors to the proxy's."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from llm_proxy_local.generation import (
    EngineError,
    Generation,
    ModelFailedError,
    Piece,
    PromptTooLongError,
    QueueFullError,
    RequestRefusedError,
    Tokens,
)
from proxy_core.api import (
    BackendError,
    Choice,
    DomainResponse,
    Finish,
    FinishReason,
    InvalidRequestError,
    LLMProxyError,
    Part,
    ProcessedResponse,
    ReasoningDelta,
    ReasoningPart,
    ServiceUnavailableError,
    StreamChunk,
    TextDelta,
    TextPart,
    Usage,
)

__all__ = ["Answer", "proxy_errors"]

#: When a client that found the queue full should come back, in seconds.
RETRY_AFTER = 5.0

#: llama.cpp's words for why an answer ended.
_REASONS: dict[str | None, FinishReason] = {"stop": "stop", "length": "length"}


class Answer:
    """One generation on its way to the client."""

    def __init__(self, generation: Generation, model: str) -> None:
        self._generation = generation
        self._head: dict[str, Any] = {"id": uuid.uuid4().hex, "model": model, "created": int(time.time())}

    async def cancel(self) -> None:
        """Stop to generate; returns at once."""
        self._generation.cancel()

    async def stream(self) -> AsyncIterator[ProcessedResponse]:
        """The answer as it is made; leaving it unfinished stops the generation."""
        async with self._pieces() as pieces:
            async for piece in pieces:
                yield ProcessedResponse(self._chunk(piece))

    async def whole(self) -> DomainResponse:
        """The answer once it is complete; stops the generation when nobody waits for it any more."""
        async with self._pieces() as pieces:
            made = [piece async for piece in pieces]
        text = "".join(piece.text for piece in made)
        reasoning = "".join(piece.reasoning for piece in made)
        last = made[-1]
        parts: list[Part] = [ReasoningPart(text=reasoning)] if reasoning else []
        choice = Choice(
            content=[*parts, TextPart(text=text)],
            finish_reason=_REASONS.get(last.finish, "stop"),
            stop_sequence=last.stop_sequence,
        )
        return DomainResponse(**self._head, choices=[choice], usage=_usage(last.tokens))

    @asynccontextmanager
    async def _pieces(self) -> AsyncIterator[Generation]:
        try:
            with proxy_errors():
                yield self._generation
        finally:
            self._generation.cancel()

    def _chunk(self, piece: Piece) -> StreamChunk:
        reasoning = [ReasoningDelta(text=piece.reasoning)] if piece.reasoning else []
        text = [TextDelta(text=piece.text)] if piece.text else []
        finish = []
        if piece.finish:
            finish = [Finish(reason=_REASONS.get(piece.finish, "stop"), stop_sequence=piece.stop_sequence)]
        return StreamChunk(
            **self._head,
            deltas=[*reasoning, *text],
            finish=finish,
            usage=_usage(piece.tokens),
            terminal=bool(finish),
        )


def _usage(tokens: Tokens) -> Usage:
    return Usage(
        input_tokens=tokens.prompt,
        output_tokens=tokens.completion,
        cache_read_tokens=tokens.cached,
    )


@contextmanager
def proxy_errors() -> Iterator[None]:
    """Turns the engine's errors into the proxy's."""
    try:
        yield
    except EngineError as error:
        raise _ERRORS[type(error)](error) from error


def _queue_full(error: Any) -> LLMProxyError:
    return ServiceUnavailableError(
        f"the local model is busy: {error.waiting} requests are waiting already, and its queue takes no more; "
        "try again soon, or raise `queue_size` or `parallel` of the backend",
        "queue_full",
        retry_after=RETRY_AFTER,
    )


def _too_long(error: Any) -> LLMProxyError:
    return InvalidRequestError(
        f"the prompt has {error.tokens} tokens, and the context of the local model holds {error.limit}; "
        "shorten the prompt, or raise `context_size` of the backend",
        "context_length_exceeded",
        details={"type": "invalid_request_error", "param": "messages"},
    )


def _refused(error: Any) -> LLMProxyError:
    return InvalidRequestError(f"the local model cannot work with this request: {error}")


def _failed(error: Any) -> LLMProxyError:
    return BackendError(f"the local model failed: {error}", "local_model_failed")


_ERRORS: dict[type[EngineError], Callable[[Any], LLMProxyError]] = {
    ModelFailedError: _failed,
    PromptTooLongError: _too_long,
    QueueFullError: _queue_full,
    RequestRefusedError: _refused,
}
