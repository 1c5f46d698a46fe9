"""Requests, both ways: everything but the messages and tools, which have modules of their own.

https://platform.openai.com/docs/api-reference/chat/create (2026-11)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, get_args

from proxy_core.domain.request import DomainRequest, Effort, ReasoningSettings, ResponseFormat
from proxy_core.formats.openai.dialect import Dialect, Target, effort_for_budget
from proxy_core.formats.openai.fields import FORMAT, Fields, note, wrong_type
from proxy_core.formats.openai.messages import decode_messages, encode_messages
from proxy_core.formats.openai.tools import (
    decode_tool_choice,
    decode_tools,
    encode_tool_choice,
    encode_tools,
)

_SCALARS: dict[str, type] = {
    "parallel_tool_calls": bool,
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "seed": int,
    "presence_penalty": float,
    "frequency_penalty": float,
    "logit_bias": dict,
    "logprobs": bool,
    "top_logprobs": int,
    "n": int,
    "user": str,
    "metadata": dict,
}
_SENT_AS_THEY_ARE = (
    "temperature",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "n",
)
_LIMITS = ("max_completion_tokens", "max_tokens")
_EFFORTS: frozenset[str] = frozenset(get_args(Effort))
_FORMATS = ("text", "json_object")
_MAX_STOP = 4
_MAX_USER = 64


def decode_request(body: dict[str, Any]) -> DomainRequest:
    """A client's request. Raises `InvalidRequestError` naming the field that is wrong; what is unknown is kept."""
    fields = Fields(body)
    request = DomainRequest(
        model=fields.need("model", str),
        messages=decode_messages(fields),
        tools=decode_tools(fields),
        tool_choice=decode_tool_choice(fields),
        stop=_decode_stop(fields),
        stream=fields.take("stream", bool) or False,
        reasoning=_decode_reasoning(fields),
        response_format=_decode_response_format(fields),
        source_format=FORMAT,
        **{name: fields.take(name, kind) for name, kind in _SCALARS.items()},
    )
    _check_bias(request.logit_bias)
    request.include_usage = _decode_stream_options(fields)
    request.max_tokens, spelled = _decode_limit(fields)
    request.extras = fields.extras(limit=spelled)
    return request


def _check_bias(bias: dict[str, Any] | None) -> None:
    for token, value in (bias or {}).items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(f"logit_bias.{token}", "a number", value)


def _decode_stop(fields: Fields) -> list[str]:
    value, path = fields.rest.pop("stop", None), fields.at("stop")
    words = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(words, list):
        raise wrong_type(path, "a string or an array of strings", value)
    for index, word in enumerate(words):
        if not isinstance(word, str):
            raise wrong_type(f"{path}[{index}]", "a string", word)
    return words


def _decode_limit(fields: Fields) -> tuple[int | None, str | None]:
    """The limit, and how the client spells it."""
    limits = {name: fields.take(name, int) for name in _LIMITS}
    spelled = next((name for name, limit in limits.items() if limit is not None), None)
    return (limits[spelled], spelled) if spelled else (None, None)


def _decode_stream_options(fields: Fields) -> bool:
    if fields.rest.get("stream_options") is None:
        return False
    options = fields.inner("stream_options")
    include_usage = options.take("include_usage", bool) or False
    if options.rest:
        fields.rest["stream_options"] = options.rest
    return include_usage


def _decode_reasoning(fields: Fields) -> ReasoningSettings | None:
    """`reasoning_effort`, or what compatible servers take: `reasoning` (OpenRouter), `thinking` (DeepSeek, GLM)."""
    found = {name: read(fields, name) for name, read in _REASONING.items() if fields.rest.get(name) is not None}
    if not found:
        return None
    settings = next(iter(found.values()))
    own = {name: fields.rest.pop(name) for name in found}
    if list(own) != ["reasoning_effort"] or own["reasoning_effort"] not in _EFFORTS:
        settings.extras = {FORMAT: own}
    return settings


def _read_effort(fields: Fields, name: str) -> ReasoningSettings:
    word = Fields(fields.rest, fields.path).need(name, str)
    if word == "none":
        return ReasoningSettings(mode="off")
    effort: Any = word if word in _EFFORTS else None
    return ReasoningSettings(mode="on", effort=effort)


def _read_openrouter(fields: Fields, name: str) -> ReasoningSettings:
    inner = Fields(fields.rest[name], fields.at(name))
    settings = _read_effort(inner, "effort") if inner.rest.get("effort") is not None else ReasoningSettings()
    settings.budget_tokens = inner.take("max_tokens", int)
    if inner.take("enabled", bool) is False:
        return ReasoningSettings(mode="off")
    settings.mode = settings.mode or "on"
    return settings


def _read_thinking(fields: Fields, name: str) -> ReasoningSettings:
    inner = Fields(fields.rest[name], fields.at(name))
    mode = _THINKING_MODES.get(inner.take("type", str) or "")
    return ReasoningSettings(mode=mode, budget_tokens=inner.take("budget_tokens", int))  # type: ignore[arg-type]  # the table holds modes


_THINKING_MODES = {"enabled": "on", "disabled": "off", "adaptive": "adaptive", "auto": "adaptive"}
_REASONING: dict[str, Callable[[Fields, str], ReasoningSettings]] = {
    "reasoning_effort": _read_effort,
    "reasoning": _read_openrouter,
    "thinking": _read_thinking,
}


def _decode_response_format(fields: Fields) -> ResponseFormat | None:
    """The output's form; a kind unknown to us is left to `extras`."""
    if fields.rest.get("response_format") is None:
        return None
    inner = Fields(fields.rest["response_format"], fields.at("response_format"))
    kind = inner.need("type", str)
    if kind != "json_schema" and kind not in _FORMATS:
        return None
    fields.rest.pop("response_format")
    return _decode_schema(inner.inner(kind)) if kind == "json_schema" else ResponseFormat(type=kind)  # type: ignore[arg-type]  # checked against `_FORMATS`


def _decode_schema(fields: Fields) -> ResponseFormat:
    return ResponseFormat(
        type="json_schema",
        name=fields.need("name", str),
        description=fields.take("description", str),
        schema=fields.take("schema", dict),
        strict=fields.take("strict", bool),
    )


def encode_request(request: DomainRequest, dialect: Dialect) -> dict[str, Any]:
    """The body for an upstream; what it cannot say is recorded with `request.drop`."""
    target = Target(request, dialect)
    body: dict[str, Any] = {"model": request.model, "messages": encode_messages(target)}
    for writer in _WRITERS:
        body.update(writer(target))
    return body | target.own(request.extras)


def _scalars(target: Target) -> dict[str, Any]:
    values = ((name, getattr(target.request, name)) for name in _SENT_AS_THEY_ARE)
    return {name: value for name, value in values if value is not None}


def _limit(target: Target) -> dict[str, Any]:
    if target.request.max_tokens is None:
        return {}
    return {note(target.request.extras, "limit") or target.dialect.max_tokens_field: target.request.max_tokens}


def _top_k(target: Target) -> dict[str, Any]:
    """Not OpenAI's, but many compatible servers take it: a Chat client knows what it asks."""
    if target.request.top_k is None:
        return {}
    if target.same_format:
        return {"top_k": target.request.top_k}
    target.request.drop("top_k")
    return {}


def _stop(target: Target) -> dict[str, Any]:
    words = target.request.stop
    if len(words) > _MAX_STOP and not target.same_format:
        target.request.drop("stop")
        words = words[:_MAX_STOP]
    return {"stop": words} if words else {}


def _stream(target: Target) -> dict[str, Any]:
    """Usage is asked for in any case: somebody counts it even when the client does not."""
    request = target.request
    if not request.stream:
        return {}
    options = request.extra(FORMAT).get("stream_options") or {}
    if target.dialect.stream_usage or request.include_usage:
        options = {**options, "include_usage": True}
    return {"stream": True, "stream_options": options} if options else {"stream": True}


def _reasoning(target: Target) -> dict[str, Any]:
    settings = target.request.reasoning
    if settings is None:
        return {}
    if own := target.own(settings.extras):
        return own
    effort = _effort(settings, target.dialect)
    if effort is None and settings.mode is not None and settings.mode != "adaptive":
        target.request.drop("thinking")
    return {"reasoning_effort": effort} if effort else {}


def _effort(settings: ReasoningSettings, dialect: Dialect) -> str | None:
    if settings.mode == "off" or settings.effort == "none":
        return dialect.off_effort
    if settings.effort is not None:
        return settings.effort
    if settings.budget_tokens is not None:
        return effort_for_budget(settings.budget_tokens)
    return "medium" if settings.mode == "on" else None


def _response_format(target: Target) -> dict[str, Any]:
    wanted = target.request.response_format
    if wanted is None:
        return {}
    if wanted.type != "json_schema":
        return {"response_format": {"type": wanted.type}}
    schema = {
        "name": wanted.name or "response",
        "description": wanted.description,
        "schema": wanted.schema,
        "strict": wanted.strict,
    }
    stated = {name: value for name, value in schema.items() if value is not None}
    return {"response_format": {"type": "json_schema", "json_schema": stated}}


def _user(target: Target) -> dict[str, Any]:
    """Anthropic's `metadata.user_id` is the `user` here, hashed when it is longer than OpenAI takes."""
    metadata, user = dict(target.request.metadata or {}), target.request.user
    if not target.same_format:
        named = metadata.pop("user_id", None)
        user = user or (named if isinstance(named, str) else None)
        if user and len(user) > _MAX_USER:
            user = hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()
    fields = {"user": user, "metadata": metadata or None}
    return {name: value for name, value in fields.items() if value is not None}


_WRITERS: tuple[Callable[[Target], dict[str, Any]], ...] = (
    encode_tools,
    encode_tool_choice,
    _limit,
    _scalars,
    _top_k,
    _stop,
    _stream,
    _reasoning,
    _response_format,
    _user,
)
