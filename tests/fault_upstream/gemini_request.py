"""Reading a Gemini request, in camelCase or snake_case, and refusing what Google refuses, in its words."""

import base64
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tests.fault_upstream.reply import THOUGHT, RefusedError

CALL_ID_PREFIX = "gemini_"
"""Calls have no ids on the wire; the n-th call of a turn counts as `gemini_fault_n`."""

BAD_KEY = "API key not valid. Please pass a valid API key."
NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity)."
    " Please use API Key or other form of API consumer identity to call this API."
)
REQUEST_FIELDS = (
    *("model", "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig"),
    *("cachedContent", "serviceTier", "store"),
)
GENERATION_FIELDS = (
    *("responseJsonSchema", "candidateCount", "enableAffectiveDialog", "frequencyPenalty", "logprobs", "topK", "topP"),
    *("maxOutputTokens", "mediaResolution", "presencePenalty", "responseLogprobs", "responseMimeType", "seed"),
    *("responseModalities", "responseSchema", "responseFormat", "speechConfig", "stopSequences", "temperature"),
    *("thinkingConfig", "enableEnhancedCivicAnswers", "imageConfig", "translationConfig", "audioTranscriptionConfig"),
)
SCHEMA_FIELDS = (
    *("additionalProperties", "anyOf", "default", "description", "enum", "example", "format", "items", "maxItems"),
    *("maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "nullable"),
    *("pattern", "properties", "propertyOrdering", "required", "title", "type"),
)
UNEQUAL_TURNS = (
    "Please ensure that the number of function response parts is equal to the number of function call parts"
    " of the function call turn."
)
STRAY_CALL_TURN = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)


@lru_cache
def _snake(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()


def field(node: dict[str, Any], name: str) -> Any:
    """The value of a field in either spelling, or None."""
    return node.get(name, node.get(_snake(name)))


def listed(node: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects in a repeated field; a single one counts as a list."""
    found = field(node, name) or []
    return found if isinstance(found, list) else [found]


def _contents(request: dict[str, Any]) -> list[dict[str, Any]]:
    return listed(request, "contents")


def _inner(content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """What the content's parts have in the field `name`."""
    return [found for part in listed(content, "parts") if (found := field(part, name)) is not None]


def _declarations(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (each for tool in listed(request, "tools") for each in listed(tool, "functionDeclarations"))


def offered_tool(request: dict[str, Any]) -> str | None:
    """The name of the first function in the request."""
    return next((each["name"] for each in _declarations(request)), None)


def tool_results(request: dict[str, Any]) -> dict[str, str]:
    """Tool results by call id: of the calls one turn before, by id where there is one, else by name in order."""
    found: dict[str, str] = {}
    for before, turn in pairwise([{}, *_contents(request)]):
        waiting = dict(enumerate(_inner(before, "functionCall")))
        for response in _inner(turn, "functionResponse"):
            found[_call_id(waiting, response)] = _plain(response.get("response"))
    return found


def _call_id(waiting: dict[int, dict[str, Any]], response: dict[str, Any]) -> str:
    """Take the call that this is the response to."""
    key = "id" if response.get("id") and any(call.get("id") for call in waiting.values()) else "name"
    matching = (number for number, call in waiting.items() if call.get(key) == response.get(key))
    number = next(matching, None)
    waiting.pop(number, None)  # type: ignore[arg-type]  # nobody has the number None
    return str(response.get(key)) if number is None else f"{CALL_ID_PREFIX}fault_{number}"


def _plain(response: Any) -> str:
    """The result, if it stands alone under one of the usual keys, else the whole object."""
    values = [response[key] for key in ("result", "output", "content", "error") if key in (response or {})]
    return str(values[0] if len(values) == 1 and len(response) == 1 else response)


def thoughts(request: dict[str, Any]) -> list[tuple[str, str]]:
    """The signature of every function call that came back with one; nobody needs to send the text back."""
    parts = [part for content in _contents(request) for part in listed(content, "parts")]
    signed = (field(part, "thoughtSignature") for part in parts if field(part, "functionCall"))
    return [(THOUGHT, _decoded(signature).decode("utf-8", "replace")) for signature in signed if signature]


def images(request: dict[str, Any]) -> list[str]:
    """The URL of every image, inline ones as `data:` URLs, those in tool results included."""
    holders = [*_contents(request)]
    holders += [response for content in _contents(request) for response in _inner(content, "functionResponse")]
    inline = [blob for holder in holders for blob in _inner(holder, "inlineData")]
    urls = [f"data:{field(blob, 'mimeType')};base64,{_standard(blob['data'])}" for blob in inline]
    return urls + [field(file, "fileUri") for holder in holders for file in _inner(holder, "fileData")]


def _standard(data: str) -> str:
    """Base64 in the standard alphabet, padded; Google takes the other one too."""
    data = data.translate(str.maketrans("-_", "+/")).rstrip("=")
    return data + "=" * (-len(data) % 4)


def _decoded(data: str) -> bytes:
    return base64.b64decode(_standard(data), validate=True)


def check(headers: dict[str, str], request: dict[str, Any]) -> None:
    """Refuse a request without a key, with the key `invalid`, with unknown fields, or whose turns do not match."""
    key = headers.get("x-goog-api-key")
    if not key:
        raise RefusedError(NO_KEY, 403)
    if key == "invalid":
        raise RefusedError(BAD_KEY)
    for refusal in _refusals(request):
        raise RefusedError(refusal)


def _refusals(request: dict[str, Any]) -> Iterator[str]:
    yield from _unknown(request, REQUEST_FIELDS)
    yield from _unknown(field(request, "generationConfig") or {}, GENERATION_FIELDS, "generation_config")
    for number, declared in enumerate(_declarations(request)):
        at = f"tools[0].function_declarations[{number}].parameters"
        yield from _unknown_in_schema(field(declared, "parameters"), at)
    before: dict[str, Any] = {}
    for number, turn in enumerate(_contents(request)):
        yield from _wrong_turn(number, turn)
        yield from _wrong_order(before, turn)
        before = turn


def _unknown(node: dict[str, Any], known: tuple[str, ...], at: str = "") -> Iterator[str]:
    names = {*known, *map(_snake, known)}
    where = f" at '{at}'" if at else ""
    for name in node:
        if name not in names:
            yield f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'


def _unknown_in_schema(schema: Any, at: str) -> Iterator[str]:
    """What is JSON Schema, but not in Google's subset of OpenAPI's."""
    if not isinstance(schema, dict):
        return
    yield from _unknown(schema, SCHEMA_FIELDS, at)
    for number, inner in enumerate((field(schema, "properties") or {}).values()):
        yield from _unknown_in_schema(inner, f"{at}.properties[{number}].value")
    for number, inner in enumerate(field(schema, "anyOf") or []):
        yield from _unknown_in_schema(inner, f"{at}.any_of[{number}]")
    yield from _unknown_in_schema(schema.get("items"), f"{at}.items")


def _wrong_turn(number: int, turn: dict[str, Any]) -> Iterator[str]:
    if turn.get("role", "user") not in {"user", "model", "function"}:
        yield "Please use a valid role: user, model."
    if not listed(turn, "parts"):
        yield f"* GenerateContentRequest.contents[{number}].parts: contents.parts must not be empty.\n"
    for at, part in enumerate(listed(turn, "parts")):
        if not _is_base64(field(part, "thoughtSignature") or ""):
            place = f"contents[{number}].parts[{at}].thought_signature"
            yield f"Invalid value at '{place}' (TYPE_BYTES), Base64 decoding failed"


def _is_base64(data: str) -> bool:
    try:
        return bool(_decoded(data)) or not data
    except ValueError:
        return False


def _wrong_order(before: dict[str, Any], turn: dict[str, Any]) -> Iterator[str]:
    calls, responses = _inner(before, "functionCall"), _inner(turn, "functionResponse")
    if len(calls) != len(responses):
        yield UNEQUAL_TURNS
    if _inner(turn, "functionCall") and (not before or before.get("role") == "model"):
        yield STRAY_CALL_TURN
