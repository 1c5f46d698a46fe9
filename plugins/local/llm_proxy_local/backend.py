"""The backend that answers from a model in the proxy's own machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from llm_proxy_local.answer import Answer, proxy_errors
from llm_proxy_local.engine import Engine
from llm_proxy_local.options import LocalOptions
from llm_proxy_local.process import ModelSettings
from llm_proxy_local.prompt import llama_body
from llm_proxy_local.weights import find_weights, is_gguf, model_name
from proxy_core.api import (
    AppConfig,
    ChatMessage,
    ConfigurationError,
    DomainRequest,
    Identity,
    LLMBackend,
    ModelNotFoundError,
    ResponseEnvelope,
    ServiceUnavailableError,
    StreamingResponseEnvelope,
    StreamingResponseHandle,
    TranslationService,
)

if TYPE_CHECKING:
    import httpx

__all__ = ["LocalBackend"]


class LocalBackend(LLMBackend):
    """One GGUF model, in a process of its own beside the proxy; no network is used."""

    backend_type = "local"
    wants_processed_messages: ClassVar[bool] = False

    def __init__(self, client: httpx.AsyncClient, config: AppConfig, translation_service: TranslationService) -> None:
        super().__init__(config)
        self._options = LocalOptions()
        self._engine: Engine | None = None
        self._model = ""

    async def initialize(self, **kwargs: Any) -> None:
        """Take the options (see `LocalOptions`) and look for the model; it is loaded later, by its own process.

        Raises `ConfigurationError` when there is no such model.
        """
        self._options = options = LocalOptions(**kwargs)
        path = await asyncio.to_thread(_model_file, options.model_path)
        self._model = options.model_name or model_name(path)
        if self._engine is None:
            self._engine = Engine(_settings(path, options), options.queue_size)
        if options.preload:
            self._engine.warm_up()

    async def chat_completions(
        self,
        request_data: DomainRequest,
        processed_messages: Sequence[ChatMessage],
        effective_model: str,
        identity: Identity | None = None,
        **kwargs: Any,
    ) -> ResponseEnvelope | StreamingResponseEnvelope:
        """Answer in turn.

        Raises `ServiceUnavailableError` when the queue is full, `InvalidRequestError` for what the model cannot do, and
        `ModelNotFoundError` for any model but its own.
        """
        answer = self._begin(request_data, effective_model)
        if request_data.stream:
            return StreamingResponseHandle(iterator=answer.stream(), cancel_callback=answer.cancel)
        response = await answer.whole()
        return ResponseEnvelope(content=response, usage=response.usage)

    def _begin(self, request: DomainRequest, model: str) -> Answer:
        if self._engine is None:
            raise ServiceUnavailableError("the local model is not initialized")
        if model != self._model:
            raise ModelNotFoundError(f"the local backend has the model {self._model!r}, and no {model!r}")
        body = llama_body(request, self._options.default_max_tokens)
        with proxy_errors():
            return Answer(self._engine.submit(body, request.stop), self._model)

    def get_available_models(self) -> list[str]:
        """The one model, by the name of its file."""
        return [self._model] if self._model else []

    async def close(self) -> None:
        """End the model process."""
        if self._engine is not None:
            await self._engine.close()
            self._engine = None


def _settings(path: Path, options: LocalOptions) -> ModelSettings:
    return ModelSettings(path, options.context_size, options.threads, options.parallel, options.batch_size)


def _model_file(configured: Path | None) -> Path:
    """The GGUF file to load; raises `ConfigurationError` with the way out when there is none."""
    if configured is None:
        return _installed_weights()
    path = configured.expanduser().absolute()
    try:
        if is_gguf(path):
            return path
    except OSError as error:
        raise ConfigurationError(
            f"the local model {str(path)!r} cannot be read ({error.strerror}); correct `model_path`, or leave "
            "it out and run `llm-proxy local install` for the small default model",
            "model_missing",
        ) from error
    raise ConfigurationError(f"the local model {str(path)!r} is no GGUF file; correct `model_path`", "model_unusable")


def _installed_weights() -> Path:
    path = find_weights()
    if path is None:
        raise ConfigurationError(
            "the weights of the local model are not installed; run `llm-proxy local install` (about 100 MB), or set "
            "`model_path` to a GGUF file",
            "model_missing",
        )
    return path
