"""A domain request to the body of `generateContent`; the model and whether to stream go into the address.

What Gemini lacks is recorded with `request.drop`. Fields of a request that came as Gemini's are passed on as they are,
for the upstream to judge. Labels are for billing at Google's enterprise API, and refused elsewhere: other clients'
metadata does not become labels.

https://ai.google.dev/api/generate-content (2026-11)
"""

from __future__ import annotations

from typing import Final

from proxy_core.domain.request import DomainRequest
from proxy_core.formats.fields import Json, stated
from proxy_core.formats.gemini.contents_encode import encode_contents
from proxy_core.formats.gemini.fields import Fields, note
from proxy_core.formats.gemini.request import CONFIG_PREFIX, SETTINGS, response_format_of
from proxy_core.formats.gemini.schema_encode import supported_schema
from proxy_core.formats.gemini.target import Target
from proxy_core.formats.gemini.thinking import encode_thinking
from proxy_core.formats.gemini.tools_encode import encode_tool_config, encode_tools

_MAX_STOP: Final = 5
#: Seeds are 32 bits wide here, and 64 at OpenAI.
_SEEDS: Final = range(-(2**31), 2**31)
#: No loss where they are empty.
_UNKNOWN: Final = ("logit_bias", "user")


def encode_request(request: DomainRequest) -> Json:
    """The body to send upstream."""
    target = Target.of(request)
    own = target.own(request.extras)
    config = {name.removeprefix(CONFIG_PREFIX): own.pop(name) for name in list(own) if name.startswith(CONFIG_PREFIX)}
    _record_losses(target)
    body = {
        **own,
        **encode_contents(target),
        "tools": encode_tools(target) or None,
        "toolConfig": encode_tool_config(target),
        "generationConfig": {**config, **_generation_config(target)} or None,
        "labels": request.metadata if target.same_format else None,
    }
    return stated(body)


def _record_losses(target: Target) -> None:
    request = target.request
    request.drop(*(name for name in _UNKNOWN if getattr(request, name)))
    if request.parallel_tool_calls is False and request.tools:
        request.drop("parallel_tool_calls")
    if request.metadata and not target.same_format:
        request.drop("metadata")


def _generation_config(target: Target) -> Json:
    request = target.request
    config = stated({key: getattr(request, name) for key, (name, _) in SETTINGS.items()})
    if config.get("logprobs") is not None and not target.same_format:
        config["responseLogprobs"] = True
    config["seed"] = _seed(target)
    config["stopSequences"] = _stop(target) or None
    config["thinkingConfig"] = encode_thinking(request)
    return stated(config) | _response_format(target)


def _seed(target: Target) -> int | None:
    seed = target.request.seed
    if seed is None or seed in _SEEDS or target.same_format:
        return seed
    target.request.drop("seed")
    return None


def _stop(target: Target) -> list[str]:
    words = target.request.stop
    if len(words) > _MAX_STOP and not target.same_format:
        target.request.drop("stop")
        return words[:_MAX_STOP]
    return words


def _response_format(target: Target) -> Json:
    request, wanted = target.request, target.request.response_format
    if wanted is None:
        return {}
    given = note(request.extras, "format")
    if isinstance(given, dict) and response_format_of(given, Fields({})) == wanted:
        return given
    if wanted.type == "text":
        return {}
    json_mode: Json = {"responseMimeType": "application/json"}
    if wanted.schema is None:
        return json_mode
    described = {"description": wanted.description} if wanted.description else {}
    schema = wanted.schema if target.same_format else supported_schema(wanted.schema)
    return {**json_mode, "responseJsonSchema": {**described, **schema}}
