"""What a client is asked, and what it then tells, in no client's words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from typing import Any, NamedTuple

KEY = "the-key-of-the-clients"
"""The proxy's only key."""

PROMPT = "Weather?"
WAYS = ("whole", "streamed")


class Asked(NamedTuple):
    """A question: `plain`, with a tool (`tools`), or with a tool and thinking switched on (`thinking`).

    `stateful` is `thinking` by a client that leaves the conversation with the server, if it does so unless told not to.
    """

    origin: str
    model: str
    question: str = "plain"
    way: str = "whole"

    @property
    def offers_tool(self) -> bool:
        return self.question != "plain"

    @property
    def thinks(self) -> bool:
        return self.question == "thinking"

    @property
    def streams(self) -> bool:
        return self.way == "streamed"


class Answer(NamedTuple):
    """The end of a conversation; `calls` are the arguments that its tool was called with, `input` and `output` tokens.

    `thinking` is that of all turns.
    """

    text: str
    thinking: str
    calls: list[Any]
    input: int
    output: int


class FailedError(Exception):
    """The client raised an error of the class `kind`."""

    def __init__(self, kind: str, status: int | None, says: str) -> None:
        super().__init__(f"{kind} {status}: {says}")
        self.kind, self.status, self.says = kind, status, says


class Client(NamedTuple):
    """A client with its tool loop: how to ask it, the format it speaks, and its class for a rate limit.

    `hides_thinking`: it has no place for the text. `excused`: what fails through no fault of the proxy, as patterns of
    `QUESTION WAY BACKEND`.
    """

    name: str
    format: str
    rate_limit: str
    ask: Callable[[Asked], Answer]
    hides_thinking: bool = False
    excused: tuple[str, ...] = ()

    def can(self, question: str, way: str, backend: str) -> bool:
        """Whether this is to be expected of the client."""
        return not any(fnmatch(f"{question} {way} {backend}", pattern) for pattern in self.excused)

    def __str__(self) -> str:
        return self.name


NO_SIGNATURES = ("thinking * openai",)
"""No client of Chat Completions sends its provider's signatures back: `reasoning_details` is OpenRouter's extension."""


def weather(calls: list[Any]) -> Callable[..., str]:
    """The one tool, for frameworks that read signature and docstring; it notes its arguments in `calls`."""

    def get_weather(city: str, unit: str, days: list[int]) -> str:
        """The weather of a city."""
        calls.append({"city": city, "unit": unit, "days": days})
        return f"21 °C in {city}"

    return get_weather


@contextmanager
def failures_told() -> Iterator[None]:
    """Raise any error of a client as `FailedError`."""
    try:
        yield
    except Exception as error:
        status = getattr(error, "status_code", None)
        raise FailedError(type(error).__name__, status, str(error)) from error
