"""The lossless lane: a client's own format goes upstream, and comes back, as the bytes it is.

Requests are peeked at (`model` and `stream`; the rest is skipped, not decoded) and only the model's bytes are replaced.
Streams are cut at blank lines only, and only events that can end the stream or report usage are decoded.
"""

from __future__ import annotations

import re

import msgspec

from proxy_core.domain.response import ErrorInfo, Usage
from proxy_core.errors import BackendError, InvalidRequestError
from proxy_core.formats import wire_json
from proxy_core.formats.base import WireFormat
from proxy_core.formats.choices import Choices
from proxy_core.formats.sse import BLANK_LINE, Event, WholeEvents, parse_event

_BOM = b"\xef\xbb\xbf"
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_STRING_VALUE = rb"\s*:\s*(" + _STRING + rb")"
# In a JSON text, a quote that no backslash precedes and a letter or a backslash follows opens a string: so whatever
# these match is a key and its value, and none stands inside a string.
_MODEL_FIELD = re.compile(rb'"(?<!\\")model"' + _STRING_VALUE, re.DOTALL)
#: Begins every letter of `model`, should one be spelled as an escape.
_ESCAPED_LETTER = b"\\u006"
_SPELLED_MODEL_FIELD = re.compile(
    rb'"(?<!\\")(?:m|\\u006[dD])(?:o|\\u006[fF])(?:d|\\u0064)(?:e|\\u0065)(?:l|\\u006[cC])"' + _STRING_VALUE, re.DOTALL
)


class Peek(msgspec.Struct):
    """What routing needs of a request body."""

    model: str
    stream: bool | None = None


_peek = msgspec.json.Decoder(Peek).decode


def peek(body: bytes) -> Peek:
    """`model` and `stream` of a JSON body; raises `InvalidRequestError` when it is no JSON object with a model."""
    try:
        return _peek(body.removeprefix(_BOM))
    except msgspec.ValidationError as error:
        raise _bad_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _peek_leniently(body)


def _peek_leniently(body: bytes) -> Peek:
    """The way of bodies with lone surrogates and the like, which strict decoders refuse and providers may take."""
    try:
        return msgspec.convert(wire_json.loads(body), Peek)
    except msgspec.ValidationError as error:
        raise _bad_field(str(error)) from None
    except ValueError as error:
        raise InvalidRequestError(f"the request body is not valid JSON: {error}", code="invalid_json") from None


def _bad_field(reason: str) -> InvalidRequestError:
    field = next((name for name in ("model", "stream") if f"`{name}`" in reason or f"$.{name}" in reason), None)
    if field is None:
        return InvalidRequestError("the request body must be a JSON object", code="invalid_json")
    code = "missing_required_parameter" if "missing" in reason else "invalid_type"
    return InvalidRequestError(f"{field}: {reason[0].lower()}{reason[1:]}", code=code, details={"param": field})


def replace_model(body: bytes, model: str, new_model: str) -> bytes:
    """The same bytes with the top-level model name replaced; `model` is what `peek` found."""
    if model == new_model:
        return body
    spans = _top_level_models(body)
    if not spans:
        raise InvalidRequestError("the request body has no model", code="missing_required_parameter")
    return _splice(body, spans, wire_json.dumps(new_model))


def _splice(body: bytes, spans: list[tuple[int, int]], value: bytes) -> bytes:
    pieces, end = [], 0
    for start, stop in spans:
        pieces += [body[end:start], value]
        end = stop
    return b"".join([*pieces, body[end:]])


def _top_level_models(body: bytes) -> list[tuple[int, int]]:
    """Where the string values of a top-level `model` stand: every one of them, should the key be repeated. Agents have
    tools with an argument of that name, so what is nested counts brackets, in C, and is no token walk."""
    pattern = _SPELLED_MODEL_FIELD if _ESCAPED_LETTER in body else _MODEL_FIELD
    fields = list(pattern.finditer(body))
    if len(fields) == 1:
        return [fields[0].span(1)]
    spans, depth, end = [], 0, 0
    for field in fields:
        depth += wire_json.levels(body[end : field.start()])
        if depth == 1:
            spans.append(field.span(1))
        end = field.end()
    return spans


class LosslessStream:
    """Passes on an upstream's stream in the client's own format, byte for byte, and notices how it ends."""

    def __init__(self, wire_format: WireFormat) -> None:
        self._format = wire_format
        self._events = WholeEvents()
        self._choices = Choices()
        self.usage: Usage | None = None
        self.error: ErrorInfo | None = None
        self.terminal = False
        #: Whether the upstream may end the stream here, in a format without an event that does.
        self.may_end = False
        #: What was passed on last.
        self.last = b""

    def feed(self, data: bytes) -> bytes:
        """The whole events so far, as they came; what follows the end of the stream is discarded."""
        whole = self._observe(self._events.feed(data))
        self.last = whole or self.last
        return whole

    def flush(self) -> bytes:
        """The last event of a stream that ended without its blank line, completed; a torn event is discarded."""
        tail = self._events.flush()
        if not tail.strip(b"\r\n"):
            return tail
        try:
            self.note(parse_event(tail.removeprefix(_BOM)))
        except BackendError:
            self.may_end = False  # not in the middle of an event
            return b""
        return tail + b"\n\n" if self.terminal or self.may_end or self.error else b""

    def has_ended(self) -> bool:
        """Whether nothing more belongs to the stream."""
        return self.terminal or (self.error is not None and self._format.error_is_last)

    def _observe(self, whole: bytes) -> bytes:
        if self.has_ended():
            return b""
        position = 0
        while (marked := self.next_mark(whole, position)) >= 0:
            start, position = _event_around(whole, marked, position)
            self.note(parse_event(whole[start:position].removeprefix(_BOM)))
            if self.has_ended():
                return _whole_line_end(whole[:position])
        return whole

    def next_mark(self, data: bytes, start: int = 0) -> int:
        """Where the next mark stands; -1 when there is none. A handful of `find`s, whatever the number of events."""
        first = -1
        for mark in self._format.stream_marks:
            found = data.find(mark, start) if first < 0 else data.find(mark, start, first)
            if found >= 0:
                first = found
        return first

    def note(self, event: Event) -> None:
        """Take notice of what an event says of the stream."""
        chunk = self._format.decode_event(event)
        if chunk is None:
            return
        if chunk.usage is not None:
            self.usage = chunk.usage if self.usage is None else self.usage.merge(chunk.usage)
        self.error = self.error or chunk.error
        self.terminal = self.terminal or chunk.terminal
        self._choices.note(chunk)
        self.may_end = self._choices.all_ended()


def _event_around(whole: bytes, marked: int, earliest: int) -> tuple[int, int]:
    """Begin and end of the event that a mark stands in, blank line included."""
    if b"\r" not in whole:
        start = whole.rfind(b"\n\n", earliest, marked)
        return (earliest if start < 0 else start + 2), whole.find(b"\n\n", marked) + 2
    ends = [match.end() for match in BLANK_LINE.finditer(whole, earliest)]
    end = next(end for end in ends if end > marked)
    return max((earliest, *(other for other in ends if other <= marked))), end


def _whole_line_end(data: bytes) -> bytes:
    """The network may cut between the CR and the LF of the very last line end."""
    return data + b"\n" if data.endswith(b"\r\n\r") else data
