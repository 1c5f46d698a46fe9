"""What the four readers share: the shape of a meaning."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

#: The one parameter of an object tool that stands for a free-text tool.
WRAPPED = {"input"}
_ERROR = "Error: "


def stated(meaning: Json) -> Json:
    """Without what is not said: null, empty text and empty lists. False and 0 say something."""
    return {key: value for key, value in meaning.items() if value not in (None, "", []) and value != {}}


class Calls:
    """Numbers calls in the order they appear, whatever their ids."""

    def __init__(self) -> None:
        self._known: list[tuple[str | None, str]] = []
        self._answered: list[int] = []

    def call(self, identifier: str | None, name: str) -> int:
        """The number of a new call."""
        self._known.append((identifier, name))
        return len(self._known)

    def result(self, identifier: str | None, name: str | None = None) -> int:
        """The number of the call that is answered: by id or, without one, the first of its name still unanswered; 0
        where there is none such."""
        waiting = ((number, known) for number, known in enumerate(self._known, 1) if number not in self._answered)
        number = next((number for number, known in waiting if _fits(known, identifier, name)), 0)
        self._answered.append(number)
        return number


def _fits(known: tuple[str | None, str], identifier: str | None, name: str | None) -> bool:
    return known[0] == identifier if identifier is not None else known[1] == name


def call_part(number: int, name: str, arguments: Any, free_text: bool) -> Json:
    """A call: its arguments as an object, or its free text."""
    kind = "input" if free_text else "arguments"
    return {"call": number, "name": name, kind: unwrapped(arguments) if free_text else loaded(arguments)}


def result_part(number: int, text: str, media: list[Json], error: bool = False) -> Json:
    """A result. Formats without a flag for errors say it in the text."""
    part: Json = {"result": number, "text": text.removeprefix(_ERROR)}
    if error or text.startswith(_ERROR):
        part["error"] = True
    return {**part, "media": media} if media else part


def loaded(arguments: Any) -> Any:
    """JSON text as what it says; other text (it was cut off) as it is."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def unwrapped(arguments: Any) -> Any:
    """The free text in the object that had to stand for it."""
    value = loaded(arguments)
    return value["input"] if isinstance(value, dict) and value.keys() == WRAPPED else arguments


def tool(definition: Json, parameters: Any, *, name: str | None = None, free_text: bool = False) -> Json:
    """A tool on offer."""
    known = {"name": name or definition["name"], "description": definition.get("description", "")}
    properties = (parameters or {}).get("properties") or {}
    if free_text or properties.keys() == WRAPPED:
        return {**known, "free_text": True}
    return {**known, "parameters": plain_schema(parameters or {"type": "object", "properties": {}})}


def plain_schema(schema: Any) -> Any:
    """A schema with types as JSON Schema spells them (OpenAPI's are in capitals)."""
    if isinstance(schema, list):
        return [plain_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.lower() if key == "type" and isinstance(value, str) else plain_schema(value)
        for key, value in schema.items()
    }


def free_names(tools: list[Json]) -> set[str]:
    """The names of the free-text tools."""
    return {each["name"] for each in tools if each.get("free_text")}


def data_url(url: str) -> Json:
    """What an address holds: data with its type, or a link."""
    if not url.startswith("data:"):
        return {"url": url}
    head, _, data = url.partition(",")
    return {"type": head.removeprefix("data:").removesuffix(";base64"), "data": data}


def joined(parts: list[Json]) -> list[Json]:
    """Parts of a turn: neighbouring texts in one, empty ones left out."""
    out: list[Json] = []
    for part in parts:
        if "text" in part and "result" not in part and not part["text"]:
            continue
        if out and part.keys() == out[-1].keys() == {"text"}:
            out[-1] = {"text": out[-1]["text"] + part["text"]}
        else:
            out.append(part)
    return out


def merged(turns: list[tuple[str, list[Json]]]) -> list[Json]:
    """Turns: neighbours of one role in one, empty ones left out."""
    out: list[Json] = []
    for role, parts in turns:
        if not joined(parts):
            continue
        if out and out[-1]["role"] == role:
            out[-1]["parts"] = joined(out[-1]["parts"] + parts)
        else:
            out.append({"role": role, "parts": joined(parts)})
    return out


def split_system(turns: list[tuple[str, list[Json]]]) -> Json:
    """`system`, the texts before all turns, and `turns`; a system message amid them stays where it is."""
    start = next((at for at, (role, _) in enumerate(turns) if role != "system"), len(turns))
    texts = [part["text"] for _, parts in turns[:start] for part in parts if part.get("text")]
    return {"system": "\n\n".join(texts), "turns": merged(turns[start:])}
