"""A streamed answer on its way back: put together, watched for its end, and closed in all cases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog

from proxy_core.domain.envelopes import ProcessedResponse, StreamingResponseEnvelope, StreamingResponseHandle
from proxy_core.domain.response import ErrorInfo, Usage
from proxy_core.domain.stream import StreamChunk
from proxy_core.errors import BackendError, LLMProxyError, StreamInterruptedError
from proxy_core.failures import as_proxy_error, error_from_info, is_failure, without_secrets
from proxy_core.formats.choices import Choices
from proxy_core.formats.lossless import LosslessStream
from proxy_core.formats.slices import SliceAssembler
from proxy_core.host.registry import ConfiguredBackend
from proxy_core.redaction import redacted
from proxy_core.state_store import StateWatch
from proxy_core.translation import TranslationService

log = structlog.get_logger("llm_proxy.gateway")

#: How long an upstream may take to finish a body whose terminal event has come, so that its connection can be reused.
DRAIN_SECONDS = 0.25
#: How long a connector may take to let go of a stream.
CLOSE_SECONDS = 1.0


class StreamAnswer:
    """An async iterable of what came together: the client's own bytes (lossless lane) or a list of chunks.

    Iterating raises `LLMProxyError`: the upstream's own error while nothing has been handed out yet, and
    `StreamInterruptedError` when the stream ends without its terminal event. Whoever iterates must call `aclose`.
    """

    def __init__(
        self,
        envelope: StreamingResponseEnvelope,
        headers: Mapping[str, str],
        configured: ConfiguredBackend,
        lossless: LosslessStream | None,
        translation: TranslationService,
    ) -> None:
        self.headers = headers
        self.usage: Usage | None = None
        self.error: LLMProxyError | None = None
        self.finished = False
        self.began_at: float | None = None
        self._envelope = envelope
        self._iterator = aiter(envelope)
        self._exhausted = False
        self._name = configured.name
        self._secrets = configured.secrets
        self._terminal_required = configured.backend.terminal_required
        self._processor = configured.backend.response_processor
        self._lossless = lossless
        self._choices = Choices()
        #: Sees each list of chunks before it is handed out.
        self.watch: StateWatch | None = None
        self._assemblers: dict[str, SliceAssembler] = {}
        self._translation = translation

    @property
    def began(self) -> bool:
        """Whether anything has been handed out."""
        return self.began_at is not None

    @property
    def last(self) -> bytes | None:
        """The upstream's own bytes that were handed out last; None where it was none of them."""
        return self._lossless.last if self._lossless is not None and self.began else None

    async def __aiter__(self) -> AsyncIterator[bytes | list[StreamChunk]]:
        try:
            async for item in self._iterator:
                if piece := self._take(item if self._processor is None else self._processor(item)):
                    if self.began_at is None:
                        self.began_at = time.perf_counter()
                    yield piece
                if self.finished:
                    return
            self._exhausted = True
            if piece := self._last():
                self.began_at = self.began_at or time.perf_counter()
                yield piece
        except BaseException as error:
            if not is_failure(error):
                raise
            raise self._broken(error) from None

    def _broken(self, error: BaseException) -> LLMProxyError:
        known = as_proxy_error(error, self._name, self._secrets)
        if self.began and not isinstance(known, StreamInterruptedError):
            known = StreamInterruptedError(f"the stream broke off: {known.message}", details=known.details)
        self.error = known
        return known

    def _take(self, item: ProcessedResponse) -> bytes | list[StreamChunk]:
        content = item.content
        if item.usage is not None:
            self._count(Usage.model_validate(item.usage))
        if self._lossless is not None and isinstance(content, bytes):
            return self._observed(self._lossless, self._lossless.feed(content))
        return self._seen(self._checked(self._assembled(content)))

    def _seen(self, chunks: list[StreamChunk]) -> list[StreamChunk]:
        if self.watch is not None:
            self.watch.see(chunks)
        return chunks

    def _observed(self, lossless: LosslessStream, whole: bytes) -> bytes:
        self.usage = lossless.usage
        if lossless.error is not None and self.error is None:
            self._failed(lossless.error)
        self.finished = lossless.has_ended()
        return whole

    def _assembled(self, content: Any) -> list[StreamChunk]:
        pieces = content if isinstance(content, list) else [content]
        chunks: list[StreamChunk] = []
        for piece in pieces:
            if type(piece) is StreamChunk and piece.slice is None:
                chunks.append(piece)
            else:
                chunks += self._assemble(piece)
        return chunks

    def _assemble(self, piece: Any) -> list[StreamChunk]:
        if isinstance(piece, dict):
            piece = StreamChunk.model_validate(piece)
        if not isinstance(piece, StreamChunk):
            raise BackendError(
                f"backend {self._name!r} put a {type(piece).__name__} into its stream; "
                "pass what it reads through translation_service.to_domain_stream_chunk",
                code="connector_failed",
            )
        return [piece] if piece.slice is None else self._assembler(piece.slice.format).feed(piece)

    def _assembler(self, format_name: str) -> SliceAssembler:
        if format_name not in self._assemblers:
            self._assemblers[format_name] = SliceAssembler(self._translation.format(format_name))
        return self._assemblers[format_name]

    def _checked(self, chunks: list[StreamChunk]) -> list[StreamChunk]:
        """The chunks up to the one that ends the stream."""
        for position, chunk in enumerate(chunks, start=1):
            if chunk.usage is not None:
                self._count(chunk.usage)
            if chunk.error is not None:
                self._failed(chunk.error)
            if chunk.terminal or chunk.error is not None:
                self.finished = True
                return chunks[:position]
            if chunk.may_be_last or (chunk.deltas and chunk.deltas[-1].choice):
                self._choices.note(chunk)
        return chunks

    def _count(self, usage: Usage) -> None:
        self.usage = usage if self.usage is None else self.usage.merge(usage)

    def _failed(self, info: ErrorInfo) -> None:
        told = self._envelope.status_code
        status = told if told >= 400 else info.status or 502
        error = without_secrets(error_from_info(info, status, self.headers), self._secrets)
        if not self.began:
            raise error
        self.error = StreamInterruptedError(error.message, error.code, details=error.details)

    def _last(self) -> bytes | list[StreamChunk]:
        """What the end of the upstream's body completes; raises `StreamInterruptedError` when that is not the end."""
        if self._lossless is not None:
            tail = self._observed(self._lossless, self._lossless.flush())
            self._check_finished(self._lossless.may_end)
            self.finished = True
            return tail
        chunks = [chunk for assembler in self._assemblers.values() for chunk in assembler.flush()]
        last = self._seen(self._checked(chunks))
        self._check_finished(self._choices.all_ended())
        return last if self.finished else [*last, StreamChunk(terminal=True)]

    def _check_finished(self, may_end: bool) -> None:
        if not (self.finished or may_end or self.error) and self._terminal_required:
            raise StreamInterruptedError(f"backend {self._name!r} closed the stream before the answer was complete")

    async def aclose(self) -> None:
        """Let go of the upstream: wait a moment for the rest of a finished stream, close any other at once. A second
        cancellation does not interrupt this."""
        if self._exhausted:
            return
        self._exhausted = True
        await asyncio.shield(asyncio.ensure_future(self._close()))

    async def _close(self) -> None:
        try:
            if self.finished and self.error is None and await self._drained():
                return
            async with asyncio.timeout(CLOSE_SECONDS):
                if self._envelope.cancel_callback is not None:
                    await self._envelope.cancel_callback()
                if (close := getattr(self._iterator, "aclose", None)) is not None:
                    await close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is logged
            reason = redacted(f"{type(error).__name__}: {error}", self._secrets)
            log.warning("a stream could not be closed", backend=self._name, reason=reason)

    async def _drained(self) -> bool:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for _ in self._iterator:
                    pass
        except Exception:  # noqa: BLE001 - the answer is whole; its connection is closed, not reused
            return False
        return True


def single_piece(chunk: StreamChunk, headers: Mapping[str, str]) -> StreamingResponseEnvelope:
    """A stream of one chunk, for backends that answer a stream request in one piece."""

    async def once() -> AsyncIterator[ProcessedResponse]:
        yield ProcessedResponse(chunk)

    return StreamingResponseHandle(once(), headers=headers)
