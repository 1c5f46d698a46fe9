"""What the upstream shall do, written in the model name.

A proxy may rewrite anything in a request but the model's name, so that is where a test writes its wish:

    answer                        a plain answer
    tick~n=20~ms=10               20 events, 10 ms apart
    tools~end=rst~after=3         a tool call whose connection is reset after three events

The first word names the story (`stories.py`, `deeds.py`), or one of `SHORTHANDS`; the rest are pairs
(`deeds.py` lists them), joined by `~`. A name that is no story (`gpt-4o`) is answered plainly. `story()`
writes such a name and makes it unique, so that tests share an upstream and find their requests in its log.

A Gemini request has it in the path, percent-encoded or not: `/v1beta/models/tick~n=20:generateContent`.
Any other request without a body carries its story as a path segment that begins with `~`: `http://host:port/~status~code=401/v1`.
"""

import uuid
from dataclasses import dataclass
from typing import Self

SHORTHANDS: dict[str, str] = {
    "rst": "answer~end=rst",
    "fin": "answer~end=fin",
    "eof": "answer~end=eof",
    "one_event_then_idle": "answer~end=idle~after=1",
    "error_first": "answer~end=error~after=0",
    "error_mid": "answer~end=error",
    "bad_json": "answer~bad=3",
    "byte_by_byte": "answer~pieces=1",
    "pieces": "answer~pieces=7",
    "cut_at": "answer~cut=40",
    "gzip": "answer~gzip=1",
    "crlf": "answer~eol=crlf",
    "cr": "answer~eol=cr",
    "comments": "answer~comments=1",
    "pings": "answer~pings=1",
    "no_done": "answer~done=0",
}
"""Names for the faults that tests ask for most; pairs written after the name win over its own."""


@dataclass(frozen=True)
class Story:
    """A parsed model name."""

    model: str
    name: str
    pairs: dict[str, str]

    @classmethod
    def parse(cls, model: str) -> Self:
        """Read `name~key=value~…`; any other text is the story of that name without pairs."""
        name, *pairs = model.split("~")
        name, *defaults = SHORTHANDS.get(name, name).split("~")
        return cls(model, name, dict(pair.partition("=")[::2] for pair in (*defaults, *pairs)))

    def text(self, key: str, default: str = "") -> str:
        """The value of `key` as it was written."""
        return self.pairs.get(key, default)

    def number(self, key: str, default: int) -> int:
        """The value of `key` as a whole number."""
        return int(self.pairs.get(key, default))

    def seconds(self, key: str, default: float = 0) -> float:
        """The value of `key`, written in milliseconds, as seconds."""
        return float(self.pairs.get(key, default)) / 1000

    def flag(self, key: str, default: bool = False) -> bool:
        """Whether `key` is written and is not `0`."""
        return self.pairs.get(key, "1" if default else "0") != "0"


def story(name: str, **pairs: object) -> str:
    """Write a model name that tells the upstream what to do, unique unless `id` is given."""
    pairs.setdefault("id", uuid.uuid4().hex[:10])
    return "~".join((name, *(f"{key}={value}" for key, value in pairs.items())))
