"""What a client understood, and the ways to ask."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

KEY = "the-key-of-the-clients"
ANOTHER_KEY = "the-key-of-somebody-else"
"""For whom the proxy remembers nothing."""


class Way(NamedTuple):
    """How an SDK is used: `whole`, `events` (`stream=True`, collected with the SDK's accumulator), or `helper`."""

    shape: str
    is_async: bool = False

    @property
    def streams(self) -> bool:
        return self.shape != "whole"

    def __str__(self) -> str:
        return f"async-{self.shape}" if self.is_async else self.shape


WHOLE, EVENTS, HELPER = Way("whole"), Way("events"), Way("helper")
WAYS = [Way(shape, is_async) for shape in ("whole", "events", "helper") for is_async in (False, True)]


class Call(NamedTuple):
    """A tool call, its arguments parsed."""

    id: str
    name: str
    arguments: Any


class Counts(NamedTuple):
    """Tokens; `input` includes the cached ones, `output` the reasoning ones."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Answer:
    """An answer in no SDK's words; `finish` is `stop`, `tools`, `length` or `refused`; `native` is the SDK's object."""

    text: str
    thinking: str
    calls: list[Call]
    finish: str
    usage: Counts | None
    model: str
    native: Any
    headers: Mapping[str, str]

    @property
    def lane(self) -> str:
        return self.headers["x-llm-proxy-lane"]

    @property
    def dropped(self) -> set[str]:
        return set(filter(None, self.headers.get("x-llm-proxy-dropped", "").split(",")))


Question = dict[str, Any]
"""The keyword arguments of an SDK's call, without the model."""


class Client(Protocol):
    """One SDK, sync and async. Whatever arrives is validated against the SDK's own types on the way."""

    format: str
    sdk: Any
    sync: Any
    asynchronous: Any
    turns: str
    """The argument of the call that holds the conversation."""

    def question(
        self,
        text: str = "Hi",
        system: str | None = None,
        tools: int = 0,
        media: tuple[Any, ...] = (),
        limit: int | None = None,
        **fields: Any,
    ) -> Question:
        """A first turn; `tools` is how many tools to offer, `limit` the tokens that the answer may have.

        `extra_headers` and `extra_body` are what the SDKs of OpenAI and Anthropic call by these names.
        """
        ...

    def image(self, media_type: str, data: str) -> Any:
        """An image for `media`, as base64."""
        ...

    def linked_image(self, url: str) -> Any:
        """An image for `media`, by its address."""
        ...

    def document(self, title: str, data: str) -> Any:
        """A PDF for `media`, as base64."""
        ...

    def going_on(self, question: Question, *said: tuple[str, str]) -> Question:
        """The conversation with more turns of text, each with its role: `user` or `assistant`."""
        ...

    def next_turn(self, question: Question, answer: Answer, results: Mapping[str, str], **fields: Any) -> Question:
        """The conversation with the answer as the client holds it, and the results of its tool calls by id."""
        ...

    def keyed(self, key: str | None) -> Question:
        """The fields of a question that make the SDK send this key in place of its own, or none."""
        ...

    def ask(self, way: Way, model: str, question: Question) -> Answer:
        """The answer; raises what the SDK raises."""
        ...

    async def ask_async(self, way: Way, model: str, question: Question) -> Answer:
        """The same, for a way that is async, on the loop that runs."""
        ...

    def essence(self, answer: Answer) -> Any:
        """The SDK's object as JSON, without what is minted for each answer."""
        ...

    def error_of(self, error: Any) -> Any:
        """The error body, validated: an object with `message` and `type`."""
        ...

    def models(self) -> list[str]:
        """The names that the list of models has, validated."""
        ...

    def model(self, name: str) -> str:
        """The name of one model by its own description, validated."""
        ...

    def post(self, path: str) -> Any:
        """POST an empty object to some other address below the version."""
        ...

    def close(self) -> None: ...
