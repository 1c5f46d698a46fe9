"""A client's request to the domain: everything but the conversation and the tools, which have modules of their own.

https://platform.openai.com/docs/api-reference/responses/create (2026-11)
"""

from __future__ import annotations

from typing import Any, Final

from proxy_core.domain.base import Extras
from proxy_core.domain.content import NativePart, TextPart
from proxy_core.domain.request import DomainRequest, Message, ResponseFormat
from proxy_core.formats.fields import missing, stated, take_harmless
from proxy_core.formats.openai_responses.fields import FORMAT, Fields, note
from proxy_core.formats.openai_responses.input_items import decode_input
from proxy_core.formats.openai_responses.names import FlatNames
from proxy_core.formats.openai_responses.reasoning import decode_reasoning_settings
from proxy_core.formats.openai_responses.tool_choice import decode_tool_choice, spelled_choice
from proxy_core.formats.openai_responses.tools import decode_tools

#: What to ask for in `include` to get log probabilities.
LOGPROBS: Final = "message.output_text.logprobs"
#: Fields of `text` are kept under these names.
TEXT_FIELD: Final = "text."

#: State that OpenAI keeps for its clients.
_STORED = ("previous_response_id", "conversation", "background", "prompt")
_REFERENCE: Final = "item_reference"
#: Items without which the conversation is another: one that OpenAI holds, and all that came before, encrypted.
_ESSENTIAL: Final = frozenset({_REFERENCE, "compaction"})
#: What may stand for `input`.
_INSTEAD_OF_INPUT = ("previous_response_id", "conversation", "prompt")
#: Values that ask for nothing another provider would not do; all values, where none are listed: `include` asks for
#: details of an answer, and encrypted reasoning is carried in any case.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "background": (False,),
    "include": (),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "stream_options": (),
    "text.verbosity": ("medium",),
    "truncation": ("disabled",),
}
#: What a `Response` repeats of the request.
_ECHOED = (
    "background",
    "conversation",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
)
_FORMATS = ("text", "json_object")


def decode_request(body: dict[str, Any], *, needs_input: bool = True) -> DomainRequest:
    """A client's request. Raises `InvalidRequestError` naming the field that is wrong; what is unknown is kept."""
    fields, names = Fields(body), FlatNames(body.get("tools"))
    request = DomainRequest(
        model=fields.need("model", str),
        messages=[*_decode_instructions(fields), *decode_input(fields, names)],
        tools=decode_tools(fields, names),
        tool_choice=decode_tool_choice(fields, names),
        parallel_tool_calls=fields.take("parallel_tool_calls", bool),
        max_tokens=fields.take("max_output_tokens", int),
        temperature=fields.take("temperature", float),
        top_p=fields.take("top_p", float),
        reasoning=decode_reasoning_settings(fields),
        response_format=_decode_text(fields),
        stream=fields.take("stream", bool) or False,
        include_usage=True,
        metadata=fields.take("metadata", dict),
        source_format=FORMAT,
    )
    request.native_only = _native_only(fields, request.messages)
    if needs_input and not _has_input(request) and not any(fields.rest.get(name) for name in _INSTEAD_OF_INPUT):
        raise missing("input")
    _decode_logprobs(fields, request)
    request.extras = _decode_rest(fields, request, body)
    return request


def _decode_rest(fields: Fields, request: DomainRequest, body: dict[str, Any]) -> Extras:
    """The user, and what the domain has no field for."""
    request.user, user_field = _decode_user(fields)
    return fields.extras(
        kept=take_harmless(fields, _HARMLESS) or None,
        choice=spelled_choice(body, request.tool_choice),
        user_field=user_field,
        echo={name: body[name] for name in _ECHOED if body.get(name) is not None} or None,
    )


def echo_of(request: DomainRequest) -> dict[str, Any]:
    """What a `Response` repeats of its request, in the client's own words; nothing for clients of other formats."""
    return note(request.extras, "echo") or {}


def _decode_instructions(fields: Fields) -> list[Message]:
    text = fields.take("instructions", str)
    if not text:
        return []
    return [Message(role="system", content=[TextPart(text=text)], extras={FORMAT: {"_instructions": True}})]


def _has_input(request: DomainRequest) -> bool:
    return any(not note(message.extras, "instructions") for message in request.messages)


def _native_only(fields: Fields, messages: list[Message]) -> list[str]:
    names = [name for name in _STORED if fields.rest.get(name)]
    natives = (part for message in messages for part in message.content if isinstance(part, NativePart))
    kinds = {part.data.get("type") or _REFERENCE for part in natives}
    return [*names, *sorted(kinds & _ESSENTIAL)]


def _decode_logprobs(fields: Fields, request: DomainRequest) -> None:
    """`top_logprobs` counts only where log probabilities are asked for; elsewhere it is none of anybody's business."""
    asked, top = LOGPROBS in _include(fields), fields.take("top_logprobs", int)
    request.logprobs = asked or None
    if asked:
        request.top_logprobs = top
    elif top is not None:
        fields.rest["top_logprobs"] = top


def _include(fields: Fields) -> list[Any]:
    wanted: list[Any] = fields.take("include", list) or []
    if wanted:
        fields.rest["include"] = wanted
    return wanted


def _decode_user(fields: Fields) -> tuple[str | None, str | None]:
    """The user, and the field it came in, where that is not `user`."""
    user = fields.take("user", str)
    if user is not None:
        return user, None
    identifier = fields.take("safety_identifier", str)
    return identifier, "safety_identifier" if identifier is not None else None


def _decode_text(fields: Fields) -> ResponseFormat | None:
    """The output's form. What else `text` says is kept, as is a form of a kind unknown to us."""
    if fields.rest.get("text") is None:
        return None
    text = fields.inner("text")
    form = _decode_format(text)
    fields.rest.update((TEXT_FIELD + name, value) for name, value in stated(text.rest).items())
    return form


def _decode_format(text: Fields) -> ResponseFormat | None:
    if text.rest.get("format") is None:
        return None
    form = Fields(text.rest["format"], text.at("format"))
    kind = form.need("type", str)
    if kind != "json_schema" and kind not in _FORMATS:
        return None
    text.rest.pop("format")
    return _decode_schema(form) if kind == "json_schema" else ResponseFormat(type=kind)  # type: ignore[arg-type]  # checked against `_FORMATS`


def _decode_schema(form: Fields) -> ResponseFormat:
    return ResponseFormat(
        type="json_schema",
        name=form.need("name", str),
        description=form.take("description", str),
        schema=form.take("schema", dict),
        strict=form.take("strict", bool),
    )
