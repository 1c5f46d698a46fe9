"""What Chat Completions and Responses share beyond the domain: OpenAI's own settings, spelled a little differently.

https://platform.openai.com/docs/guides/migrate-to-responses (2026-11)
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from proxy_core.domain.base import Extras
from proxy_core.domain.request import DomainRequest, Tool
from proxy_core.formats.fields import NOTE

CHAT: Final = "openai"
RESPONSES: Final = "openai-responses"

#: Chat's names, and those of Responses as that format keeps them.
_SHARED: dict[str, str] = {
    "prompt_cache_key": "prompt_cache_key",
    "prompt_cache_options": "prompt_cache_options",
    "prompt_cache_retention": "prompt_cache_retention",
    "safety_identifier": "safety_identifier",
    "service_tier": "service_tier",
    "verbosity": "text.verbosity",
}
_NAMES: dict[str, dict[str, str]] = {RESPONSES: _SHARED, CHAT: {theirs: ours for ours, theirs in _SHARED.items()}}
_KIN = {CHAT: RESPONSES, RESPONSES: CHAT}
_INNER = f"{NOTE}inner"


def with_shared(request: DomainRequest, own: str) -> DomainRequest:
    """The request, with what the format's kin alone knew of it, and `own` knows as well, where `own` looks for it. One
    and the same report belongs to both."""
    kin = _KIN[own]
    if request.source_format != kin:
        return request
    return msgspec.structs.replace(
        request,
        extras=_adopted(request.extras, own, kin) if kin in request.extras else request.extras,
        tools=[_FORMATS[own](tool) if tool.kind == "custom" and kin in tool.extras else tool for tool in request.tools],
    )


def _adopted(extras: Extras, own: str, kin: str) -> Extras:
    names = _NAMES[own]
    shared = {names[name]: value for name, value in extras[kin].items() if name in names}
    rest = {name: value for name, value in extras[kin].items() if name not in names}
    return {**extras, kin: rest, own: {**extras.get(own, {}), **shared}}


def _as_chat(tool: Tool) -> Tool:
    """The grammar of a free-text tool: an object of its own here, three fields there."""
    theirs = dict(tool.extras[RESPONSES])
    form = theirs.pop("format", None)
    if not isinstance(form, dict):
        return tool
    if form.get("type") == "grammar":
        form = {"type": "grammar", "grammar": {name: value for name, value in form.items() if name != "type"}}
    return _with_extras(tool, {RESPONSES: theirs, CHAT: {_INNER: {"format": form}}})


def _as_responses(tool: Tool) -> Tool:
    inner: Any = tool.extras[CHAT].get(_INNER)
    form = inner.get("format") if isinstance(inner, dict) else None
    if not isinstance(form, dict):
        return tool
    if isinstance(form.get("grammar"), dict):
        form = {"type": form.get("type"), **form["grammar"]}
    rest = {name: value for name, value in tool.extras[CHAT].items() if name != _INNER}
    return _with_extras(tool, {CHAT: rest, RESPONSES: {"format": form}})


def _with_extras(tool: Tool, extras: Extras) -> Tool:
    return msgspec.structs.replace(tool, extras={**tool.extras, **extras})


_FORMATS = {CHAT: _as_chat, RESPONSES: _as_responses}
