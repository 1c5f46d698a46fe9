"""The stories that end in a well-formed answer: each reads the request and says what the reply holds."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from tests.fault_upstream.formats import Format
from tests.fault_upstream.reply import (
    SIGNATURE,
    THOUGHT,
    Part,
    RefusedError,
    Reply,
    Text,
    Thinking,
    ToolUse,
    Usage,
    words,
)
from tests.fault_upstream.story import Story

GREETING = "Hello from the upstream, naïve café ☕ and all."
ARGUMENTS = {"city": "Zürich", "unit": "celsius", "days": [1, 2]}


class Question(NamedTuple):
    """What a story may look at."""

    story: Story
    format: Format
    endpoint: str
    headers: dict[str, str]
    request: dict[str, Any]
    raw: bytes
    path: str


def answer(question: Question) -> tuple[Part, ...]:
    """Plain text: `text`, or a greeting with multi-byte characters."""
    return (Text(words(question.story.text("text", GREETING))),)


def echo(question: Question) -> tuple[Part, ...]:
    """The received body, byte for byte, as text in pieces of 64 characters."""
    text = question.raw.decode("utf-8", "replace")
    return (Text(tuple(text[at : at + 64] for at in range(0, len(text), 64))),)


def tick(question: Question) -> tuple[Part, ...]:
    """`n` events of text (20), numbered."""
    return (Text(tuple(f"tick {number} " for number in range(question.story.number("n", 20)))),)


def flood(question: Question) -> tuple[Part, ...]:
    """`n` events (10,000) of `size` characters (1,000), as fast as the socket takes them."""
    return (Text(("x" * question.story.number("size", 1000),) * question.story.number("n", 10_000)),)


def huge_line(question: Question) -> tuple[Part, ...]:
    """One event of `mib` MiB (2)."""
    return (Text(("y" * (question.story.number("mib", 2) << 20),)),)


def tools(question: Question) -> tuple[Part, ...]:
    """`n` tool calls (1); once their results are there, an answer that quotes them."""
    return _answer_to_results(question) or _tool_calls(question)


def thinking(question: Question) -> tuple[Part, ...]:
    """Signed thinking and a tool call; the second turn must bring both back unchanged."""
    final = _answer_to_results(question)
    if final and (THOUGHT, SIGNATURE) not in question.format.thoughts(question.request):
        raise RefusedError(question.format.lost_thought)
    return final or (Thinking(words(THOUGHT), SIGNATURE), *_tool_calls(question))


def image(question: Question) -> tuple[Part, ...]:
    """How many images came, with media type and size of each."""
    seen = [_describe_image(url) for url in question.format.images(question.request)]
    return (Text(words(f"{len(seen)} image(s): {', '.join(seen)}")),)


STORIES: dict[str, Callable[[Question], tuple[Part, ...]]] = {
    each.__name__: each for each in (answer, echo, tick, flood, huge_line, tools, thinking, image)
}


def reply_to(question: Question) -> Reply:
    """What the story says, with the counts of its pairs `prompt`, `output`, `cached` and `reasoning`.

    What the real API would refuse is refused, unless the story has `lax=1`. `ids=1`: tool calls have ids where they
    are optional.
    """
    story, spoken = question.story, question.format
    if not story.flag("lax"):
        spoken.check(question.headers, question.request)
    parts = STORIES.get(story.name, answer)(question)
    default = "tools" if any(isinstance(part, ToolUse) for part in parts) else "stop"
    counts = {name: story.number(name, value) for name, value in vars(Usage()).items()}
    reply = Reply(story.model, parts, story.text("finish", default), Usage(**counts), call_ids=story.flag("ids"))
    asked = question.request
    return replace(reply, include_usage=spoken.asked_for_usage(asked), signed=spoken.asked_for_signatures(asked))


def _tool_calls(question: Question) -> tuple[Part, ...]:
    name = question.format.offered_tool(question.request) or "get_weather"
    return tuple(ToolUse(call_id, name, ARGUMENTS) for call_id in _call_ids(question))


def _call_ids(question: Question) -> list[str]:
    return [f"{question.format.call_id_prefix}fault_{number}" for number in range(question.story.number("n", 1))]


def _answer_to_results(question: Question) -> tuple[Part, ...]:
    results = question.format.tool_results(question.request)
    if strangers := set(results) - set(_call_ids(question)):
        raise RefusedError(f"tool result for an id that was never given out: {', '.join(sorted(strangers))}")
    return (Text(words(f"The tool said: {'; '.join(results.values())}.")),) if results else ()


def _describe_image(url: str) -> str:
    if not url.startswith("data:"):
        return url
    head, _, data = url.removeprefix("data:").partition(",")
    return f"{head.partition(';')[0]} ({len(base64.b64decode(data))} bytes)"
