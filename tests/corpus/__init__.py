"""Stories told in all four wire formats, as data: `stories/*.json`, described in README.md. Nothing here imports the
proxy."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

HERE = Path(__file__).parent
FORMATS = ("openai", "openai-responses", "anthropic", "gemini")

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What an upstream answers: whole, streamed, or both. `odd` tells why its own SDK would not take the `body`, or the
    `events`; `uneven`, why the two do not say it the same way."""

    body: Json | None = None
    events: list[Json] | None = None
    odd: dict[str, str] = field(default_factory=dict)
    uneven: str | None = None

    @property
    def payloads(self) -> list[Json]:
        """The JSON of the events."""
        return [event["data"] for event in self.events or () if event["data"] != "[DONE]"]


@dataclass(frozen=True)
class Story:
    """One file of the corpus."""

    name: str
    about: str
    rows: list[str]
    means: dict[str, Json]
    request: dict[str, Json] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    answer: dict[str, Answer] = field(default_factory=dict)
    means_by: dict[str, dict[str, Json]] = field(default_factory=dict)
    may_lose: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuse: dict[str, Any] = field(default_factory=dict)

    def meaning(self, side: str, target: str, source: str) -> Json:
        """What a request of `source`, or an answer of it, shall mean in the format `target`."""
        changed = {} if source == target else self.means_by.get(side, {}).get(target, {})
        return {**self.means.get(side, {}), **changed}

    def losses(self, side: str, target: str, source: str) -> list[str]:
        """The names that translating from `source` to `target` has to report: none within one format."""
        return [] if source == target else _for_source(self.may_lose.get(side, {}).get(target), source) or []

    def refusal(self, target: str, client: str) -> str | None:
        """The word that the refusal of a request must have in it; None where the request is to be served."""
        return None if target == client else _for_source(self.refuse.get(target), client)


def _for_source(value: Any, source: str) -> Any:
    return value.get(source) if isinstance(value, dict) else value


def stories() -> list[Story]:
    """All stories, by name."""
    return [load(path) for path in sorted((HERE / "stories").glob("*.json"))]


def load(path: Path) -> Story:
    """The story in one file."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["answer"] = {name: Answer(**answer) for name, answer in fields.get("answer", {}).items()}
    return Story(name=path.stem, **fields)


def schema() -> Json:
    """The JSON Schema that every file satisfies."""
    loaded: Json = json.loads((HERE / "schema.json").read_text(encoding="utf-8"))
    return loaded


def sse(
    events: Iterable[Json],
    *,
    line_end: str = "\n",
    space: str = " ",
    ends_blank: bool = True,
    comment: str | None = None,
    split_data: bool = False,
) -> bytes:
    """Events as a provider sends them: UTF-8, and nothing escaped that JSON lets stand.

    The options are what providers do otherwise: other line ends, no space after the colon, no blank line after the last
    event, comments between events, and data in several lines.
    """
    head = "" if comment is None else f": {comment}{line_end}{line_end}"
    blocks = [head + line_end.join(_lines(event, space, split_data)) for event in events]
    text = "".join(f"{block}{line_end}{line_end}" for block in blocks)
    return (text if ends_blank else text.removesuffix(line_end + line_end)).encode()


def _lines(event: Json, space: str, split_data: bool) -> list[str]:
    data = event["data"]
    lines = [f"event:{space}{event['event']}"] if "event" in event else []
    if isinstance(data, str):
        return [*lines, f"data:{space}{data}"]
    separators, indent = ((",", ": "), 1) if split_data else ((",", ":"), None)
    text = json.dumps(data, ensure_ascii=False, separators=separators, indent=indent)
    return [*lines, *(f"data:{space}{line}" for line in text.split("\n"))]
