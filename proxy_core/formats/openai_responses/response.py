"""Whole answers, both ways.

https://platform.openai.com/docs/api-reference/responses/object (2026-11)
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from proxy_core.domain.base import Extras
from proxy_core.domain.content import NativePart
from proxy_core.domain.response import Choice, DomainResponse
from proxy_core.domain.stream import as_chunk
from proxy_core.formats.base import RenderOptions
from proxy_core.formats.fields import NOTE, Json, count, dicts, leftover, text_or_none
from proxy_core.formats.openai_responses.annotations import read_logprobs
from proxy_core.formats.openai_responses.errors import encode_error, read_failure
from proxy_core.formats.openai_responses.fields import FORMAT, note
from proxy_core.formats.openai_responses.finish import read_finish
from proxy_core.formats.openai_responses.output_items import read_output
from proxy_core.formats.openai_responses.stream_encode import ResponsesStreamEncoder
from proxy_core.formats.openai_responses.usage import read_usage

#: The fields of a response that the domain has, or that an error has instead.
RESPONSE_FIELDS: Final = frozenset(
    {
        "id",
        "object",
        "created_at",
        "model",
        "status",
        "error",
        "incomplete_details",
        "native_finish_reason",
        "stop_sequence",
        "output",
        "output_text",
        "usage",
    }
)


def decode_response(body: Json) -> DomainResponse:
    """An upstream's answer; one that failed, or has no output, is an error."""
    output = body.get("output")
    if body.get("error") or body.get("status") == "failed" or not isinstance(output, list):
        return DomainResponse(error=read_failure(body))
    parts = [part for *_, part in read_output(output)]
    finish, own = read_finish(body, parts), leftover(body, RESPONSE_FIELDS)
    choice = Choice(
        content=parts,
        finish_reason=finish.reason,
        native_finish_reason=finish.native,
        stop_sequence=finish.stop_sequence,
        logprobs=read_logprobs(_logprobs(output)),
    )
    return DomainResponse(
        id=text_or_none(body.get("id")),
        model=text_or_none(body.get("model")),
        created=count(body.get("created_at")) or None,
        choices=[choice],
        usage=read_usage(body.get("usage")),
        extras={FORMAT: own} if own else {},
    )


def _logprobs(output: list[Any]) -> list[Json]:
    contents = [entry for item in dicts(output) for entry in dicts(item.get("content"))]
    return [token for entry in contents for token in dicts(entry.get("logprobs"))]


def encode_response(response: DomainResponse, options: RenderOptions) -> Json:
    """The body for the client: the first choice, or the error. It is what ends the stream of the same answer."""
    if response.error is not None:
        return encode_error(response.error)
    if len(response.choices) > 1:
        response.drop("choices")
    choice = msgspec.structs.replace(response.choices[0], index=0) if response.choices else Choice()
    chunk = as_chunk(msgspec.structs.replace(response, choices=[choice]))
    chunk.extras = _with_messages(response.extras, choice)
    encoder = ResponsesStreamEncoder(options, silent=True)
    encoder.encode(chunk)
    response.drop(*encoder.dropped)
    return encoder.response


def _with_messages(extras: Extras, choice: Choice) -> Extras:
    """What is to be known of the message that each part stands in: a stream says it beside the deltas."""
    parts = enumerate(choice.content)
    messages = {at: note(part.extras, "message") for at, part in parts if not isinstance(part, NativePart)}
    return {**extras, FORMAT: {**extras.get(FORMAT, {}), f"{NOTE}messages": messages}}
