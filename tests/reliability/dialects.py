"""What clients of each format send, and how they read an answer: a row for each format and framing."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

USER = {"role": "user", "content": "hello"}


class Event(NamedTuple):
    """One event of a stream, as a client reads it."""

    name: str
    data: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


Body = dict[str, Any]


@dataclass(frozen=True)
class Dialect:
    """A format as its clients know it.

    `{model}` in a path stands for the model's name, which is then no field of the body. `why` finds in an event's JSON
    the reason why the model stopped; `failure` finds the error in it. The event whose data is `done`, or whose type is
    in `last`, ends an answer; where there is none of either, that is the event that has the reason. Events of the types
    in `first` announce one.
    """

    format: str
    path: str
    content: Body
    why: Callable[[Body], object]
    failure: Callable[[Body], Any]
    stream_path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    error_kind: str = "type"
    done: str = ""
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    separator: bytes = b"\n\n"
    keep_alive: bytes = b": keep-alive\n\n"

    @property
    def model_in_body(self) -> bool:
        return "{model}" not in self.path

    def path_of(self, model: str, stream: bool = False) -> str:
        """Where this is asked for."""
        path = self.stream_path if stream and self.stream_path else self.path
        return path.replace("{model}", quote(model, safe=":"))

    def body_of(self, model: str, stream: bool = False, **fields: Any) -> bytes:
        """The body that asks for it."""
        named = {"model": model, "stream": stream} if self.model_in_body else {}
        return json.dumps({**named, **self.content, **fields}).encode()

    def says_why(self, event: Event) -> bool:
        """Whether the event tells why the model stopped."""
        return event.data != self.done and bool(self.why(event.json))

    def is_terminal(self, event: Event) -> bool:
        """Whether the event ends a whole answer."""
        if self.done or self.last:
            return event.data == self.done or event.json.get("type") in self.last
        return self.says_why(event)

    def begins(self, event: Event) -> bool:
        """Whether the event announces an answer, and no more."""
        return event.data != self.done and event.json.get("type") in self.first

    def is_error(self, event: Event) -> bool:
        """Whether the event ends a broken answer, and says how it broke."""
        return event.data != self.done and bool((self.failure(event.json) or {}).get("message"))

    def complete_events(self, body: bytes) -> bytes:
        """The body up to the end of its last whole event."""
        end = body.rfind(self.separator)
        return body[: end + len(self.separator)] if end >= 0 else b""


def _chat_why(body: Body) -> object:
    return any(choice.get("finish_reason") for choice in body.get("choices") or ())


def _responses_why(body: Body) -> object:
    return body["type"] in ("response.completed", "response.incomplete")


def _gemini_why(body: Body) -> object:
    return any(candidate.get("finishReason") for candidate in body.get("candidates") or ())


def _responses_failure(body: Body) -> Any:
    """Flat in `error`, or in the response that failed."""
    return body if body["type"] == "error" else (body["type"] == "response.failed" and body["response"]["error"])


def _error(body: Body) -> Any:
    return body.get("error")


CHAT = Dialect(
    "openai", "/v1/chat/completions", {"messages": [USER], "max_tokens": 64}, _chat_why, _error, done="[DONE]"
)
RESPONSES = Dialect(
    "openai-responses",
    "/v1/responses",
    {"input": [USER], "max_output_tokens": 64},
    _responses_why,
    _responses_failure,
    first=("response.created", "response.in_progress"),
    last=("response.completed", "response.incomplete"),
)
MESSAGES = Dialect(
    "anthropic",
    "/v1/messages",
    {"messages": [USER], "max_tokens": 64},
    lambda body: body.get("delta", {}).get("stop_reason"),
    _error,
    headers={"anthropic-version": "2023-06-01"},
    last=("message_stop",),
)
GEMINI_CONTENT: Body = {
    "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
    "generationConfig": {"maxOutputTokens": 64},
}
GEMINI = Dialect(
    "gemini",
    "/v1beta/models/{model}:generateContent",
    GEMINI_CONTENT,
    _gemini_why,
    _error,
    "/v1beta/models/{model}:streamGenerateContent?alt=sse",
    error_kind="status",
    keep_alive=b"\n",
)
GEMINI_ARRAY = Dialect(
    "gemini",
    "/v1beta/models/{model}:generateContent",
    GEMINI_CONTENT,
    _gemini_why,
    _error,
    "/v1beta/models/{model}:streamGenerateContent",
    error_kind="status",
    separator=b"\n}",
    keep_alive=b"\n",
)

DIALECTS = {
    "openai": CHAT,
    "openai-responses": RESPONSES,
    "anthropic": MESSAGES,
    "gemini": GEMINI,
    "gemini-array": GEMINI_ARRAY,
}


def elements(text: str) -> Iterator[str]:
    """The elements of a JSON array of objects, as far as it came; a torn one at the end is left out."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            _, end = decoder.raw_decode(text, at)
        except ValueError:
            return
        yield text[at:end]
        at = text.find("{", end)
