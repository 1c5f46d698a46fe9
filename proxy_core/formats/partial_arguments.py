"""Arguments that come in pieces which are no JSON: values with the paths they belong at.

Vertex AI streams calls so: `{"jsonPath": "$.place.city", "stringValue": "Zür", "willContinue": true}`. A decoder of
single events hands the pieces on, in a note on the call's delta; here they become the call's JSON.
https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling (2026-11)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

import msgspec

from proxy_core.domain.base import Extras
from proxy_core.domain.content import Part, ToolCallPart
from proxy_core.domain.stream import Delta, StreamChunk, ToolCallDelta
from proxy_core.formats import wire_json
from proxy_core.formats.fields import NOTE, Json, as_text
from proxy_core.formats.free_text import arguments_object

_PIECES: Final = NOTE + "pieces"
_MORE: Final = NOTE + "more"
_NOTE: Final = frozenset({_PIECES, _MORE})
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9})\]|\[(['\"])((?:[^\\]|\\.)*?)\3\]")

_Path = list[str | int]


def pieces_note(pieces: list[Json], *, more: bool) -> Json:
    """The fields of `extras` that say: these pieces belong to the call, and more will follow."""
    return {_PIECES: pieces, _MORE: more}


def _noted(extras: Extras) -> Json | None:
    """The fields with a note, where there is one."""
    return next((fields for fields in extras.values() if _PIECES in fields), None)


class _Assembly:
    """The arguments of one call, as far as they have come."""

    def __init__(self, call: ToolCallDelta) -> None:
        self.index, self.id, self.name = call.index, call.id, call.name or ""
        self.followers: list[Delta] = []
        self._value = arguments_object(ToolCallPart(id="", name=self.name, arguments=call.arguments))
        #: A string that is still going on: where it belongs, and its pieces.
        self._path = ""
        self._text: list[str] = []

    def is_continued_by(self, call: ToolCallDelta) -> bool:
        """Some servers repeat the name on every piece, and those who give ids the id."""
        return not call.name or (call.name == self.name and (call.id == self.id or _noted(call.extras) is not None))

    def add(self, pieces: Iterable[Json]) -> None:
        for piece in pieces:
            path, value = as_text(piece.get("jsonPath")), _value_of(piece)
            if path and value is not _NOTHING:
                self._add_value(path, value)

    def _add_value(self, path: str, value: Any) -> None:
        if path != self._path or not isinstance(value, str):
            self._settle()
        if isinstance(value, str):
            self._path = path
            self._text.append(value)
        else:
            _put(self._value, _steps(path), value)

    def _settle(self) -> None:
        if self._text:
            _put(self._value, _steps(self._path), "".join(self._text))
            self._text.clear()

    def arguments(self) -> str:
        self._settle()
        return wire_json.dumps(self._value).decode()


_NOTHING: Final = object()


def _value_of(piece: Json) -> Any:
    number = piece.get("numberValue")
    if isinstance(number, float) and number.is_integer():
        return int(number)
    values = (piece[name] for name in ("stringValue", "numberValue", "boolValue") if piece.get(name) is not None)
    return next(values, None if "nullValue" in piece else _NOTHING)


def _steps(path: str) -> _Path:
    """The names and numbers of a path such as `$.rows[0]['first name']`; what is no path is one name."""
    rest, end = path.removeprefix("$"), 0
    steps: _Path = []
    while step := _STEP.match(rest, end):
        steps.append(int(step[2]) if step[2] else step[1] or step[4])
        end = step.end()
    return steps if end == len(rest) and 0 < len(steps) < wire_json.MAX_DEPTH else [path]


def _put(container: Any, steps: _Path, value: Any) -> None:
    """Set the value at the end of the path; a string that is there already goes on."""
    for step, following in pairwise(steps):
        container = _entered(container, step, list if isinstance(following, int) else dict)
    key = _key(container, steps[-1])
    known = _get(container, key)
    _set(container, key, known + value if isinstance(known, str) and isinstance(value, str) else value)


def _entered(container: Any, step: str | int, kind: type) -> Any:
    key = _key(container, step)
    inner = _get(container, key)
    if not isinstance(inner, kind):
        inner = kind()
        _set(container, key, inner)
    return inner


def _key(container: Any, step: str | int) -> Any:
    """Elements come in order: a number beyond the end means the next."""
    if isinstance(container, list):
        return min(step, len(container)) if isinstance(step, int) else len(container)
    return str(step)


def _get(container: Any, key: Any) -> Any:
    if isinstance(container, list):
        return container[key] if key < len(container) else None
    return container.get(key)


def _set(container: Any, key: Any, value: Any) -> None:
    if isinstance(container, list) and key == len(container):
        container.append(value)
    else:
        container[key] = value


class PartialArguments:
    """Puts the calls of a stream together. A call opens at once; its arguments follow when they are whole, or when the
    answer ends, and all else after them. `waiting` tells that there is such a call."""

    def __init__(self) -> None:
        self._open: dict[int, _Assembly] = {}

    @property
    def waiting(self) -> bool:
        return bool(self._open)

    def apply(self, chunk: StreamChunk) -> StreamChunk:
        """The chunk, or one with arguments in the place of pieces."""
        if not self._open and not any(isinstance(delta, ToolCallDelta) and delta.extras for delta in chunk.deltas):
            return chunk
        deltas = [placed for delta in chunk.deltas for placed in self._place(delta)]
        if chunk.finish or chunk.terminal:
            deltas += [done for choice in list(self._open) for done in self._release(choice)]
        return msgspec.structs.replace(chunk, deltas=deltas)

    def _place(self, delta: Delta) -> Iterable[Delta]:
        if isinstance(delta, ToolCallDelta):
            return self._place_call(delta)
        if delta.choice not in self._open:
            return (delta,)
        self._open[delta.choice].followers.append(delta)
        return ()

    def _place_call(self, delta: ToolCallDelta) -> Iterator[Delta]:
        call, fields = self._open.get(delta.choice), _noted(delta.extras)
        if call is None or not call.is_continued_by(delta):
            yield from self._release(delta.choice)
            if fields is None:
                yield delta
            if fields is None or not delta.name:
                return
            call = self._open[delta.choice] = _Assembly(delta)
            yield msgspec.structs.replace(delta, arguments="", extras=_without_note(delta.extras))
        call.add(fields[_PIECES] if fields else ())
        if fields is None or not fields[_MORE]:
            yield from self._release(delta.choice)

    def _release(self, choice: int) -> Iterator[Delta]:
        call = self._open.pop(choice, None)
        if call is not None:
            yield ToolCallDelta(index=call.index, arguments=call.arguments(), choice=choice)
            yield from call.followers


def _without_note(extras: Extras) -> Extras:
    kept = {name: {key: fields[key] for key in fields.keys() - _NOTE} for name, fields in extras.items()}
    return {name: fields for name, fields in kept.items() if fields}


def join_calls(content: list[Part]) -> list[Part]:
    """The parts of a whole answer, with whole calls."""
    calls = [part for part in content if isinstance(part, ToolCallPart)]
    if not any(_noted(call.extras) for call in calls):
        return content
    joined = PartialArguments().apply(StreamChunk(deltas=[*map(_delta, calls, range(len(calls)))], terminal=True))
    for delta in joined.deltas:
        if isinstance(delta, ToolCallDelta):
            call = calls[delta.index]
            call.arguments = delta.arguments
            call.extras = delta.extras if delta.name else call.extras
    return [part for part in content if not (isinstance(part, ToolCallPart) and _noted(part.extras))]


def _delta(call: ToolCallPart, index: int) -> ToolCallDelta:
    return ToolCallDelta(index=index, id=call.id, name=call.name, arguments=call.arguments, extras=call.extras)
