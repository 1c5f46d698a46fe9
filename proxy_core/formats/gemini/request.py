"""A client's `generateContent` body to the domain. The model and whether to stream are in its address.

https://ai.google.dev/api/generate-content (2026-11)
"""

from __future__ import annotations

from typing import Any, Final

from proxy_core.domain.base import Extras
from proxy_core.domain.request import DomainRequest, ResponseFormat
from proxy_core.formats.fields import Json, wrong_type
from proxy_core.formats.gemini.contents import decode_contents
from proxy_core.formats.gemini.fields import FORMAT, Fields
from proxy_core.formats.gemini.schema import json_schema
from proxy_core.formats.gemini.thinking import decode_thinking
from proxy_core.formats.gemini.tools import decode_tool_choice, decode_tools

#: Fields of `generationConfig` that say what the domain's say, and their types.
SETTINGS: Final[dict[str, tuple[str, type]]] = {
    "temperature": ("temperature", float),
    "topP": ("top_p", float),
    "topK": ("top_k", int),
    "candidateCount": ("n", int),
    "maxOutputTokens": ("max_tokens", int),
    "seed": ("seed", int),
    "presencePenalty": ("presence_penalty", float),
    "frequencyPenalty": ("frequency_penalty", float),
    "responseLogprobs": ("logprobs", bool),
    "logprobs": ("top_logprobs", int),
}
#: What begins the names, in `extras`, of what only Gemini has in `generationConfig`.
CONFIG_PREFIX: Final = "generationConfig."

#: Where a schema for the answer may stand, and whether it is JSON Schema.
_SCHEMAS: Final = {"responseJsonSchema": True, "_responseJsonSchema": True, "responseSchema": False}
_JSON: Final = "application/json"


def decode_request(body: Json) -> DomainRequest:
    """The request, without its model; raises `InvalidRequestError` naming the field that is wrong."""
    fields = Fields(body)
    fields.rest.pop("model", None)  # the address has it
    config = fields.inner("generationConfig") if fields.rest.get("generationConfig") is not None else Fields({})
    settings: dict[str, Any] = {name: config.take(key, kind) for key, (name, kind) in SETTINGS.items()}
    choice, calling = decode_tool_choice(fields)
    response_format, spelled = _take_response_format(config)
    return DomainRequest(
        model="",
        messages=decode_contents(fields),
        tools=decode_tools(fields),
        tool_choice=choice,
        stop=_stop(config),
        reasoning=decode_thinking(config),
        response_format=response_format,
        metadata=fields.take("labels", dict),
        include_usage=True,
        source_format=FORMAT,
        native_only=["cachedContent"] if fields.rest.get("cachedContent") else [],
        extras=_extras(fields, config, calling=calling, format=spelled),
        **settings,
    )


def _extras(fields: Fields, config: Fields, **notes: Any) -> Extras:
    """What is left over, also of `generationConfig`: its fields stand among the others, to be reported one by one."""
    fields.rest |= {CONFIG_PREFIX + key: value for key, value in config.rest.items()}
    return fields.extras(**notes)


def _stop(config: Fields) -> list[str]:
    words: list[Any] = config.take("stopSequences", list) or []
    for number, word in enumerate(words):
        if not isinstance(word, str):
            raise wrong_type(f"{config.at('stopSequences')}[{number}]", "a string", word)
    return words


def _take_response_format(config: Fields) -> tuple[ResponseFormat | None, Json | None]:
    """The format of the answer, and the fields that spell it, which are taken. One that is neither text nor JSON
    (`text/x.enum`) is left over."""
    spelled = {key: config.rest[key] for key in ("responseMimeType", *_SCHEMAS) if config.rest.get(key) is not None}
    found = response_format_of(spelled, config)
    if found is None:
        return None, None
    for key in spelled:
        del config.rest[key]
    return found, spelled


def response_format_of(spelled: Json, config: Fields) -> ResponseFormat | None:
    """The format that these fields spell."""
    fields = Fields(spelled, config.path)
    kind = (fields.take("responseMimeType", str) or "").lower()
    key = next((key for key in _SCHEMAS if key in spelled), None)
    if key is None:
        return _PLAIN.get(kind)
    schema = fields.need(key, dict)
    if kind not in ("", _JSON):
        return None
    return ResponseFormat(type="json_schema", schema=schema if _SCHEMAS[key] else json_schema(schema))


_PLAIN: Final[dict[str, ResponseFormat]] = {
    _JSON: ResponseFormat(type="json_object"),
    "text/plain": ResponseFormat(type="text"),
}
