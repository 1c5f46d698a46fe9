"""Whole answers, both ways. https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse (2026-11)"""

from __future__ import annotations

import uuid

from proxy_core.domain.response import Choice, DomainResponse, Usage
from proxy_core.domain.stream import as_chunk
from proxy_core.formats.base import RenderOptions
from proxy_core.formats.fields import Json, stated
from proxy_core.formats.gemini.candidate import own_of, read_candidates, read_identity, says_nothing
from proxy_core.formats.gemini.candidate_writer import CandidateWriter
from proxy_core.formats.gemini.citations import Found
from proxy_core.formats.gemini.clock import timestamp, unix_time
from proxy_core.formats.gemini.errors import decode_error, encode_error
from proxy_core.formats.gemini.fields import FORMAT, camel_keys, own_fields
from proxy_core.formats.gemini.segments import attach
from proxy_core.formats.gemini.usage import read_usage, write_usage
from proxy_core.formats.partial_arguments import join_calls


def decode_response(body: Json) -> DomainResponse:
    """An upstream's answer. One without candidates, whose prompt was not blocked, has failed."""
    payload = camel_keys(body)
    if payload.get("error") or says_nothing(payload):
        return DomainResponse(error=decode_error(payload, None))
    identity, model = read_identity(payload)
    own = own_of(payload)
    choices = [_choice(choice, citations) for choice, citations in read_candidates(payload)]
    return DomainResponse(
        id=identity,
        model=model,
        created=unix_time(payload.get("createTime")),
        choices=choices or [Choice(finish_reason="error")],
        usage=read_usage(payload.get("usageMetadata")),
        extras={FORMAT: own} if own else {},
    )


def _choice(choice: Choice, citations: list[Found]) -> Choice:
    choice.content = join_calls(choice.content)
    attach(citations, choice.content)
    return choice


def encode_response(response: DomainResponse, options: RenderOptions) -> Json:
    """The body for a Gemini client: always valid, also when a provider gave nothing. The SDK's types forbid fields that
    are not Gemini's, so nothing else is in it."""
    if response.error is not None:
        return encode_error(response.error)
    written = [_written(choice, response) for choice in response.choices or [Choice()]]
    return {
        **own_fields(response.extras),
        **ends(written),
        **tail(response.usage),
        **identity(response.id, response.created, options.model),
    }


def _written(choice: Choice, response: DomainResponse) -> tuple[CandidateWriter, list[Json]]:
    writer = CandidateWriter(choice.index, response.drop)
    chunk = as_chunk(DomainResponse(choices=[choice]))
    parts = [part for delta in chunk.deltas for part in writer.write(delta)]
    writer.note_finish(chunk.finish[0])
    return writer, [*parts, *writer.rest()]


def ends(written: list[tuple[CandidateWriter, list[Json]]]) -> Json:
    """The candidates with these parts, and their ends; or what became of a prompt that was blocked."""
    candidates = [writer.candidate(parts) for writer, parts in written if writer.feedback() is None]
    feedback = [found for writer, _ in written if (found := writer.feedback()) is not None]
    fields: Json = {"candidates": candidates} if candidates else {}
    return {**fields, "promptFeedback": feedback[0]} if feedback else fields


def identity(identifier: str | None, created: int | None, model: str) -> Json:
    """What is the same in all events of an answer."""
    fields = {
        "modelVersion": model,
        "responseId": identifier or minted_answer_id(),
        "createTime": None if created is None else timestamp(created),
    }
    return stated(fields)


def tail(usage: Usage | None) -> Json:
    """The counts, where they are known."""
    return {} if usage is None else {"usageMetadata": write_usage(usage)}


def minted_answer_id() -> str:
    """An id for an answer whose provider gave none."""
    return uuid.uuid4().hex
