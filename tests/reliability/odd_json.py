"""JSON and event streams as nobody writes them and everybody must take them, spelled out of a string of bytes.

Hypothesis draws the bytes, each of which decides one thing; so a case costs microseconds, and shrinks.
"""

from collections.abc import Callable
from typing import NamedTuple

MAX_DEPTH = 128

SPACES = ["", "", "", " ", "\n", "\t", " \r\n\t ", "  "]
NUMBERS = [
    *("0", "-0", "1", "1.0", "1e2", "1E+2", "-1.5e-7", "0.10", "1e400", "-1e999", "2e-400", "18446744073709551617"),
    *("-9223372036854775809", "123456789012345678901234567890123456789", "0.1000000000000000055511151231257827"),
]
LITERALS = ["true", "false", "null", "[]", "{}", '""', "[ ]", "{\n}"]
PIECES = [
    *("a", "model", "stream", "é", "☕", "😀", r"\u00e9", r"\u00E9", r"\ud83d\ude00", r"\ud83d", r"\udc00", r"\u0000"),
    *(r"\n", r"\/", "/", r"\"", r"\\", r"\\\"", "{", "}", "[", "]", ":", ",", "data: ", "[DONE]", "\u2028", "\u0085"),
    *(r"\b", "<", "&", "\x7f", "message_stop", "usage", "error", " "),
]
KEYS = [
    *("messages", "temperature", "x_unknown", "metadata", "", "model\\u0020", "Model", "a\\u00e9b", "é", "0", "tools"),
    *("usage", "error", "choices", "content", "id", "type", "max_tokens", "stream_options", "a b", r"\ud800"),
]
MODEL_KEYS = ["model", "model", "model", r"mod\u0065l", r"\u006d\u006F\u0064el"]


class Decisions:
    """The bytes, read from the front; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._bytes = iter(data)

    def below(self, limit: int) -> int:
        return next(self._bytes, 0) % limit

    def of(self, choices: list[str]) -> str:
        return choices[next(self._bytes, 0) % len(choices)]


class JsonText:
    """Writes JSON."""

    def __init__(self, decide: Decisions) -> None:
        self._decide = decide
        self._kinds: list[Callable[[int], str]] = [
            lambda _: decide.of(NUMBERS),
            lambda _: decide.of(LITERALS),
            lambda _: self.string(),
            lambda _: self.string(),
            self._array,
            self._object,
            self._deep,
        ]

    def space(self) -> str:
        return self._decide.of(SPACES)

    def string(self) -> str:
        return '"' + "".join(self._decide.of(PIECES) for _ in range(self._decide.below(6))) + '"'

    def value(self, depth: int) -> str:
        """Any value that goes `depth` levels down at most."""
        kinds = self._kinds if depth > 3 else self._kinds[:4]
        return kinds[self._decide.below(len(kinds))](depth)

    def members(self, fields: list[tuple[str, str]], brackets: str = "{}") -> str:
        """An object of these fields, written with odd spaces."""
        written = [f'{self.space()}"{key}"{self.space()}:{self.space()}{value}{self.space()}' for key, value in fields]
        return brackets[0] + ",".join(written) + brackets[1]

    def fields(self, depth: int) -> list[tuple[str, str]]:
        return [(self._decide.of(KEYS), self.value(depth)) for _ in range(self._decide.below(5))]

    def _object(self, depth: int) -> str:
        fields = self.fields(depth - 1)
        if not self._decide.below(4):
            fields.append(("model", self.string()))
        return self.members(fields)

    def _array(self, depth: int) -> str:
        values = [self.space() + self.value(depth - 1) + self.space() for _ in range(self._decide.below(4))]
        return "[" + ",".join(values) + "]"

    def _deep(self, depth: int) -> str:
        levels = min(depth - 3, 4 + 4 * self._decide.below(32))
        opening = [self._decide.of(["[", '{"a":', "[ "]) for _ in range(levels)]
        closing = ["]" if bracket.startswith("[") else "}" for bracket in reversed(opening)]
        return "".join(opening) + self.value(3) + "".join(closing)


class Body(NamedTuple):
    """A request as the client writes it, and as the upstream must get it."""

    sent: bytes
    expected: bytes


def request_body(data: bytes, model: str, upstream_model: str, stream: bool, model_in_body: bool = True) -> Body:
    """A request with unknown fields, for `model`; upstream it is called `upstream_model`, unless that is of no account
    in a body."""
    decide = Decisions(data)
    text = JsonText(decide)
    placeholder = "\0model\0"
    fields = text.fields(MAX_DEPTH - 1)
    for _ in range(1 + (decide.below(8) == 0)):
        fields.insert(decide.below(len(fields) + 1), (decide.of(MODEL_KEYS), f'"{placeholder}"'))
    if stream or decide.below(2):
        fields.insert(decide.below(len(fields) + 1), ("stream", "true" if stream else decide.of(["false", "null"])))
    bom = "\ufeff" if decide.below(16) == 1 else ""
    written = bom + text.space() + text.members(fields) + text.space()
    names = (model, upstream_model if model_in_body else model)
    return Body(*(written.replace(placeholder, name).encode() for name in names))


def response_body(data: bytes) -> bytes:
    """An answer that is a JSON object, and not much more."""
    text = JsonText(Decisions(data))
    return (text.space() + text.members(text.fields(MAX_DEPTH - 1)) + text.space()).encode()


LINE_ENDS = ["\n", "\n", "\n", "\r\n", "\r"]
FILLERS = [": ping", ":", "event: ping", "id: 7", "retry: 3000", "unknown: field", "data", "data:", "event:"]
PAYLOADS = [  # of any format, in any other too
    *('{"type":"ping"}', '{"choices":[]}', '{"type":"content_block_delta","index":0}', '{"usage":null,"x":1}'),
    *('{"type":"message_start","message":{"usage":{"input_tokens":3}}}', '{"x":"\u2028\u0085"}', "{}"),
    *('{"usage":{"prompt_tokens":1,"completion_tokens":2.0}}', '{"type":"new_in_2030","model":"m"}'),
    *('{"type":"response.output_text.delta","delta":"\u2028 \\u2028"}', '{"usageMetadata":{"promptTokenCount":"3"}}'),
    *('{"type":"response.created","response":{"usage":null,"error":null}}', '{"candidates":[{"content":{}}],"x":"}"}'),
]
TERMINALS = {
    "openai": ["[DONE]"],
    "openai-responses": ['{"type":"response.completed","response":{"usage":{"input_tokens":1}}}'],
    "anthropic": ['{"type":"message_stop"}'],
    "gemini": ['{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"candidatesTokenCount":2}}'],
}


def event_stream(data: bytes, spoken: str) -> list[bytes]:
    """A stream that ends as the format's streams do, cut into writes at any place."""
    decide = Decisions(data)
    text = _json_array(decide) if spoken == "gemini-array" else _events(decide, spoken)
    size = 1 + decide.below(256)
    return [text[at : at + size] for at in range(0, len(text), size)] if decide.below(2) else [text]


def _events(decide: Decisions, spoken: str) -> bytes:
    end = decide.of(LINE_ENDS)
    blocks = ["\ufeff"] if decide.below(16) == 1 else []
    blocks += [_block(decide, end) for _ in range(decide.below(12))]
    last = decide.of(["data: ", "data:"]) + decide.of(TERMINALS[spoken])
    return ("".join(blocks) + last + end + end).encode()


def _json_array(decide: Decisions) -> bytes:
    text = JsonText(decide)
    elements = [_element(decide, text) for _ in range(decide.below(8))]
    separated = [text.space() + element + text.space() for element in (*elements, decide.of(TERMINALS["gemini"]))]
    return (text.space() + "[" + ",".join(separated) + "]" + text.space()).encode()


def _element(decide: Decisions, text: JsonText) -> str:
    return decide.of(PAYLOADS) if decide.below(2) else text.members([("x", text.value(8)), ("}", text.string())])


def _block(decide: Decisions, end: str) -> str:
    lines = [decide.of(FILLERS) for _ in range(decide.below(3))]
    if decide.below(4):
        lines.append("data: " + decide.of(PAYLOADS))
    return "".join(line + end for line in lines or [":"]) + end
