"""Ids of function calls that Gemini gave none: everybody else needs one, and Gemini must not see it.

Most answers have calls without ids, and results are matched by name and order.
https://ai.google.dev/api/caching#FunctionCall (2026-11)
"""

from __future__ import annotations

import uuid
from typing import Final, NamedTuple

_PREFIX: Final = "call_minted_"


def minted_id() -> str:
    """An id for a call in an answer: 32 characters that every format takes."""
    return _PREFIX + uuid.uuid4().hex[:20]


def position_id(content: int, part: int) -> str:
    """The id for a call in a client's history: the same in every turn of a conversation."""
    return f"{_PREFIX}{content}_{part}"


def is_minted(identifier: str) -> bool:
    """Whether an id is one of these, and left out on the way to Gemini."""
    return identifier.startswith(_PREFIX)


class _Call(NamedTuple):
    id: str
    name: str
    given: bool


class OpenCalls:
    """The calls of a client's history that have no result yet."""

    def __init__(self) -> None:
        self._open: list[_Call] = []

    def called(self, name: str, given: str | None, position: tuple[int, int]) -> str:
        """The id of a call: the client's, or one by its position."""
        identifier = given or position_id(*position)
        self._open.append(_Call(identifier, name, given is not None))
        return identifier

    def answered(self, name: str, given: str | None, position: tuple[int, int]) -> str:
        """The id of the call that a result answers: the one it gives or, where that is no call's, that of the earliest
        call of the name without a result."""
        call = self._find(name, given)
        if call is None:
            return given or position_id(*position)
        self._open.remove(call)
        return call.id

    def _find(self, name: str, given: str | None) -> _Call | None:
        by_id = (call for call in self._open if call.id == given)
        by_name = (call for call in self._open if call.name == name and not (given and call.given))
        return next(by_id, None) or next(by_name, None)
