"""A domain request to the body of `POST /v1/responses`.

What the Responses API lacks is recorded with `request.drop`. Fields of a request that a Responses client wrote are
passed on as they are, for the upstream to judge. For clients of other formats:

* `store` is false: nobody would ever ask for what OpenAI keeps, and the conversation is in the request.
* Encrypted reasoning is asked for where the model may think, so that the client can give it back, and where the history
  holds some. Models that cannot think refuse the question ("Encrypted content is not supported with this model",
  https://github.com/pydantic/pydantic-ai/issues/2865, 2025-09): `thinks_unasked` knows them.
* A limit below 16 tokens is raised to that: OpenAI refuses less ("integer below minimum value. Expected a value >= 16",
  https://github.com/vectorize-io/hindsight/issues/58, 2025-12).

https://platform.openai.com/docs/api-reference/responses/create (2026-11)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

from proxy_core.domain.request import DomainRequest
from proxy_core.formats import losses
from proxy_core.formats.fields import invalid, stated
from proxy_core.formats.kin import with_shared
from proxy_core.formats.openai_responses.fields import FORMAT, note
from proxy_core.formats.openai_responses.input_encode import encode_conversation
from proxy_core.formats.openai_responses.reasoning import encode_reasoning_settings, is_off, thinks_unasked
from proxy_core.formats.openai_responses.reasoning_items import is_own_state
from proxy_core.formats.openai_responses.request import LOGPROBS, TEXT_FIELD
from proxy_core.formats.openai_responses.target import Target
from proxy_core.formats.openai_responses.tool_choice import encode_tool_choice
from proxy_core.formats.openai_responses.tools import encode_tools
from proxy_core.formats.strict_schema import strictness

MIN_TOKENS: Final = 16
ENCRYPTED_REASONING: Final = "reasoning.encrypted_content"

_MAX_USER = 64
#: A schema must have a name, of these characters and at most 64 of them.
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: No loss where they are empty or zero.
_UNKNOWN = ("stop", "presence_penalty", "frequency_penalty", "logit_bias")
#: A loss whatever their value.
_UNKNOWN_NUMBERS = ("seed", "top_k")
_SENT_AS_THEY_ARE = ("temperature", "top_p", "top_logprobs")


def encode_request(request: DomainRequest) -> dict[str, Any]:
    """The body for an upstream; raises `InvalidRequestError` for what cannot be done in one request."""
    if request.n is not None and request.n > 1:
        word = losses.client_word("n", request.source_format)
        message = f"{word}: the Responses API gives one answer per request; send n requests instead"
        raise invalid(message, "unsupported_parameter", word)
    _record_losses(request)
    target = Target.of(with_shared(request, FORMAT))
    body: dict[str, Any] = {"model": request.model, **encode_conversation(target)}
    for writer in _WRITERS:
        body.update(writer(target))
    return body


def _record_losses(request: DomainRequest) -> None:
    request.drop(*(name for name in _UNKNOWN if getattr(request, name)))
    request.drop(*(name for name in _UNKNOWN_NUMBERS if getattr(request, name) is not None))


def _kept(target: Target) -> dict[str, Any]:
    """Fields that only the Responses API has, but those of `text`."""
    own = target.own(target.request.extras) | (note(target.request.extras, "kept") or {})
    return {name: value for name, value in own.items() if not name.startswith(TEXT_FIELD)}


def _limit(target: Target) -> dict[str, Any]:
    limit = target.request.max_tokens
    if limit is not None and limit < MIN_TOKENS and not target.same_format:
        target.request.drop("max_tokens")
        limit = MIN_TOKENS
    return stated({"max_output_tokens": limit})


def _scalars(target: Target) -> dict[str, Any]:
    return stated({name: getattr(target.request, name) for name in _SENT_AS_THEY_ARE})


def _stream(target: Target) -> dict[str, Any]:
    return {"stream": True} if target.request.stream else {}


def _store(target: Target) -> dict[str, Any]:
    return {} if target.same_format else {"store": False}


def _include(target: Target) -> dict[str, Any]:
    """What the client asks for, and what it takes to get that."""
    wanted: list[Any] = [*(note(target.request.extras, "kept") or {}).get("include", [])]
    if target.request.logprobs and LOGPROBS not in wanted:
        wanted.append(LOGPROBS)
    if not target.same_format and _needs_state(target.request) and ENCRYPTED_REASONING not in wanted:
        wanted.append(ENCRYPTED_REASONING)
    return {"include": wanted} if wanted else {}


def _needs_state(request: DomainRequest) -> bool:
    settings, parts = request.reasoning, (part for message in request.messages for part in message.content)
    thinks = thinks_unasked(request.model) if settings is None else not is_off(settings)
    return thinks or any(is_own_state(part) for part in parts)


def _text(target: Target) -> dict[str, Any]:
    own = target.own(target.request.extras) | (note(target.request.extras, "kept") or {})
    text = {name.removeprefix(TEXT_FIELD): value for name, value in own.items() if name.startswith(TEXT_FIELD)}
    text |= _format(target)
    return {"text": text} if text else {}


def _format(target: Target) -> dict[str, Any]:
    wanted = target.request.response_format
    if wanted is None:
        return {}
    if wanted.type != "json_schema":
        return {"format": {"type": wanted.type}}
    schema = {
        "type": "json_schema",
        "name": _schema_name(wanted.name),
        "description": wanted.description,
        "schema": {"type": "object"} if wanted.schema is None and not target.same_format else wanted.schema,
        "strict": wanted.strict if target.same_format else strictness(wanted),
    }
    return {"format": stated(schema)}


def _schema_name(name: str | None) -> str:
    return name if name and _SCHEMA_NAME.fullmatch(name) else "response"


def _user(target: Target) -> dict[str, Any]:
    """The client's user, hashed when it is longer than OpenAI takes, in the field the client chose."""
    user = target.request.user
    if user and len(user) > _MAX_USER and not target.same_format:
        user = hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()
    field = note(target.request.extras, "user_field") or "user"
    return stated({field: user, "metadata": target.request.metadata or None})


_WRITERS: tuple[Callable[[Target], dict[str, Any]], ...] = (
    _kept,
    encode_tools,
    encode_tool_choice,
    _limit,
    _scalars,
    encode_reasoning_settings,
    _text,
    _include,
    _store,
    _stream,
    _user,
)
