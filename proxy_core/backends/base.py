"""LLMBackend: the contract between the gateway and a connector."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from proxy_core.domain.embedding import EmbeddingRequest, EmbeddingResponse, TokenCount
from proxy_core.domain.envelopes import ProcessedResponse, ResponseEnvelope, StreamingResponseEnvelope
from proxy_core.domain.request import ChatMessage, DomainRequest
from proxy_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from proxy_core.config import AppConfig
    from proxy_core.formats.base import Framing, Operation
    from proxy_core.upstream.headers import Identity


class ResponseProcessor(Protocol):
    """Looks at, and may replace, each piece of a backend's streams before it goes to the client."""

    def __call__(self, response: ProcessedResponse) -> ProcessedResponse: ...


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A client's request as it came: the bytes, and what was read from them without decoding the rest.

    `headers` have lower-case names and hold no credentials. `path` is the address as its format lists it, `{model}` and
    all; `query` has the parameters that may go upstream. `framing` is how the client wants a stream cut. `client` tells
    clients with different keys apart, and is no key.
    """

    format: str
    body: bytes
    model: str
    stream: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    operation: Operation = "chat"
    path: str = ""
    client: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    framing: Framing = "sse"


class LLMBackend(abc.ABC):
    """One configured upstream.

    The host builds it with `(client, config, translation_service)`, then awaits `initialize` with the backend's options
    from the config file as keyword arguments. Every method may raise any error of `proxy_core.errors`; httpx's errors
    are understood too, and become the right status for the client.
    """

    #: The name of the connector, as in its entry point and in `type:` in the config file.
    backend_type: str
    #: The format the upstream speaks, where it is one of the wire formats.
    wire_format: ClassVar[str | None] = None
    #: A stream that ends without a chunk marked `terminal` is reported as cut. Set to False for upstreams that end
    #: their streams without a word.
    terminal_required: bool = True
    #: Formats in which this backend takes a client's bytes as they are; see `passthrough`.
    passthrough_formats: frozenset[str] = frozenset()
    #: Whether `chat_completions` looks at `processed_messages`; when False it gets an empty list.
    wants_processed_messages: ClassVar[bool] = True
    #: Why the backend is not at its best (its models could not be listed, say); shown by `doctor` and `/readyz`.
    problem: str | None = None

    def __init__(self, config: AppConfig, response_processor: ResponseProcessor | None = None) -> None:
        self.config = config
        self.response_processor = response_processor

    @abc.abstractmethod
    async def initialize(self, **kwargs: Any) -> None:
        """Get ready: called with the backend's options (`api_key`, `api_base_url`, …) before any request, and again,
        maybe while requests are under way, as long as there is a `problem`.

        Raise `ConfigurationError` for what only the operator can mend: it stops the start. After any other error the
        backend stays unavailable and is initialized again when it is next asked for.
        """

    @abc.abstractmethod
    async def chat_completions(
        self,
        request_data: DomainRequest,
        processed_messages: Sequence[ChatMessage],
        effective_model: str,
        identity: Identity | None = None,
        **kwargs: Any,
    ) -> ResponseEnvelope | StreamingResponseEnvelope:
        """Answer a request; with `request_data.stream`, in pieces.

        `processed_messages` are the request's messages in the shape of Chat Completions, and `effective_model` is the
        model's name as the upstream knows it. `identity` gives the headers to introduce ourselves with. More keyword
        arguments may be added; accept and ignore those you do not know.
        """

    async def count_tokens(
        self, request_data: DomainRequest, effective_model: str, identity: Identity | None = None, **kwargs: Any
    ) -> TokenCount | None:
        """How many tokens a request is; None where the upstream cannot tell, and the host is to estimate."""
        return None

    async def embed(
        self, request_data: EmbeddingRequest, effective_model: str, identity: Identity | None = None, **kwargs: Any
    ) -> EmbeddingResponse:
        """A vector for each input."""
        raise InvalidRequestError(f"backends of type {self.backend_type!r} have no embeddings", "unsupported_operation")

    def takes_bytes(self, request: WireRequest) -> bool:
        """Whether `passthrough` answers this request."""
        return request.operation == "chat" and request.format in self.passthrough_formats

    async def passthrough(
        self, request: WireRequest, effective_model: str, identity: Identity
    ) -> ResponseEnvelope | StreamingResponseEnvelope:
        """Answer a request in one of `passthrough_formats` with the upstream's own bytes as content."""
        raise NotImplementedError(f"{type(self).__name__} declares passthrough_formats but has no passthrough()")

    def get_available_models(self) -> list[str]:
        """The models this backend serves, by the upstream's names; must not block."""
        return []

    async def close(self) -> None:
        """Let go of whatever `initialize` acquired. The HTTP client is not yours to close."""
