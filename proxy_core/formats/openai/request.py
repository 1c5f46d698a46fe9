"""Requests, both ways: everything but the messages and tools, which have modules of their own.

https://platform.openai.com/docs/api-reference/chat/create (2026-11)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from proxy_core.domain.request import DomainRequest, ResponseFormat
from proxy_core.formats.fields import take_harmless, wrong_type
from proxy_core.formats.kin import with_shared
from proxy_core.formats.openai.dialect import Dialect, Target
from proxy_core.formats.openai.effort import decode_effort, encode_effort
from proxy_core.formats.openai.fields import FORMAT, Fields, note
from proxy_core.formats.openai.messages import decode_messages, encode_messages
from proxy_core.formats.openai.tools import (
    decode_tool_choice,
    decode_tools,
    encode_tool_choice,
    encode_tools,
)
from proxy_core.formats.strict_schema import strictness

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
#: Values that ask for nothing another provider would not do.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "verbosity": ("medium",),
}
_LIMITS = ("max_completion_tokens", "max_tokens")
_FORMATS = ("text", "json_object")
_MAX_STOP = 4
_MAX_USER = 64


def decode_request(body: dict[str, Any]) -> DomainRequest:
    """A client's request. Raises `InvalidRequestError` naming the field that is wrong; what is unknown is kept."""
    fields = Fields(body)
    scalars: dict[str, Any] = {name: fields.take(name, kind) for name, kind in _SCALARS.items() if name in body}
    request = DomainRequest(
        model=fields.need("model", str),
        messages=decode_messages(fields),
        tools=decode_tools(fields),
        tool_choice=decode_tool_choice(fields),
        stop=_decode_stop(fields),
        stream=fields.take("stream", bool) or False,
        reasoning=decode_effort(fields),
        response_format=_decode_response_format(fields),
        source_format=FORMAT,
        **scalars,
    )
    _check_bias(request.logit_bias)
    request.include_usage = _decode_stream_options(fields)
    request.max_tokens, spelled = _decode_limit(fields)
    request.extras = fields.extras(limit=spelled, kept=take_harmless(fields, _HARMLESS) or None)
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
    request = with_shared(request, FORMAT)
    target = Target(request, dialect)
    body: dict[str, Any] = {"model": request.model, "messages": encode_messages(target)}
    for writer in _WRITERS:
        body.update(writer(target))
    return target.own(request.extras) | (note(request.extras, "kept") or {}) | body


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
        "strict": wanted.strict if target.same_format else strictness(wanted),
    }
    stated = {name: value for name, value in schema.items() if value is not None}
    return {"response_format": {"type": "json_schema", "json_schema": stated}}


def _user(target: Target) -> dict[str, Any]:
    """Anthropic's `metadata.user_id` is the `user` here, hashed when it is longer than OpenAI takes. Other metadata of
    other clients stay behind: OpenAI takes them only for answers that it stores ("The 'metadata' parameter is only
    allowed when 'store' is enabled", https://github.com/looplj/axonhub/issues/1380, 2026-04)."""
    metadata, user = dict(target.request.metadata or {}), target.request.user
    if not target.same_format:
        named = metadata.pop("user_id", None)
        user = user or (named if isinstance(named, str) else None)
        if user and len(user) > _MAX_USER:
            user = hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()
        if metadata:
            target.request.drop("metadata")
            metadata.clear()
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
    encode_effort,
    _response_format,
    _user,
)
