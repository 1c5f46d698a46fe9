"""Embeddings (`embedContent` and `batchEmbedContents`), both ways. https://ai.google.dev/api/embeddings (2026-11)"""

from __future__ import annotations

from typing import Final

from proxy_core.domain.embedding import EmbeddingInput, EmbeddingRequest, EmbeddingResponse
from proxy_core.domain.response import Usage
from proxy_core.errors import BackendError
from proxy_core.formats import losses
from proxy_core.formats.fields import Json, as_dict, count, invalid, leftover, missing, stated
from proxy_core.formats.gemini.count import resource_name
from proxy_core.formats.gemini.fields import FORMAT, Fields, camel_keys, note, own_fields
from proxy_core.formats.vectors import read_vector

_SETTINGS: Final[dict[str, type]] = {"outputDimensionality": int, "taskType": str, "title": str}
_KNOWN: Final = frozenset({"embedding", "embeddings", "usageMetadata"})


def decode_embedding_request(body: Json) -> EmbeddingRequest:
    """A client's request, without its model, of either form; raises `InvalidRequestError` naming the field that is
    wrong. The texts of a batch may differ in their titles and tasks, but not in the length of their vectors."""
    fields = Fields(body)
    single = fields.rest.get("requests") is None
    entries = [fields] if single else fields.each("requests")
    if not entries:
        raise missing("requests")
    inputs: list[EmbeddingInput] = [_text(entry) for entry in entries]
    each = [_settings(entry) for entry in entries]
    _check_same_length(each)
    fields.rest = leftover(each[0], frozenset(_SETTINGS))
    return EmbeddingRequest(
        model="",
        inputs=inputs,
        dimensions=each[0].get("outputDimensionality"),
        task=each[0].get("taskType"),
        title=each[0].get("title"),
        source_format=FORMAT,
        extras=fields.extras(single=single or None, each=each if _differ(each) else None),
    )


def _text(entry: Fields) -> str:
    """The text of the content to embed."""
    value = entry.rest.get("content")
    if isinstance(value, str):
        entry.rest["content"] = {"parts": [{"text": value}]}
    content = entry.inner("content")
    return "".join(_part_text(part) for part in content.each("parts"))


def _part_text(part: Fields) -> str:
    text = part.take("text", str)
    if text is None:
        raise invalid(
            f"{part.path}: only texts can be embedded through the proxy's translation", "unsupported_value", part.path
        )
    return text


def _settings(entry: Fields) -> Json:
    """All but the content. The enterprise API has it in `embedContentConfig`."""
    entry.rest.pop("model", None)  # the address has it
    if entry.rest.get("embedContentConfig") is not None:
        config = entry.inner("embedContentConfig")
        entry.rest = config.rest | entry.rest
    return stated({name: entry.take(name, kind) for name, kind in _SETTINGS.items()} | entry.rest)


def _check_same_length(each: list[Json]) -> None:
    if len({settings.get("outputDimensionality") for settings in each}) > 1:
        path = "requests[].outputDimensionality"
        raise invalid(f"{path}: all requests of a batch must ask for the same", "invalid_value", path)


def _differ(each: list[Json]) -> bool:
    return any(settings != each[0] for settings in each)


def encode_embedding_request(request: EmbeddingRequest) -> Json:
    """The body of `batchEmbedContents`, whatever the client's form; raises `InvalidRequestError` for tokens."""
    request.drop(*losses.of_foreign(request.extras, FORMAT))
    if request.user:
        request.drop("user")
    model = resource_name(request.model)
    return {
        "requests": [
            {"model": model, "content": _content(given, number), **settings}
            for number, (given, settings) in enumerate(zip(request.inputs, _each(request), strict=True))
        ]
    }


def _each(request: EmbeddingRequest) -> list[Json]:
    """The settings of each text: a client's own, where they differ."""
    length = stated({"outputDimensionality": request.dimensions})
    given: list[Json] = note(request.extras, "each") or []
    if len(given) == len(request.inputs):
        return [{**settings, **length} for settings in given]
    asked = stated({"taskType": request.task, "title": request.title})
    return [{**own_fields(request.extras), **asked, **length}] * len(request.inputs)


def _content(given: EmbeddingInput, number: int) -> Json:
    if isinstance(given, str):
        return {"parts": [{"text": given}]}
    path = f"input[{number}]"
    raise invalid(f"{path}: Gemini embeds texts, not arrays of tokens; send the text itself", "unsupported_value", path)


def decode_embeddings(body: Json) -> EmbeddingResponse:
    """An upstream's vectors, of either form; raises `BackendError` when there are none."""
    fields = camel_keys(body)
    rows = fields.get("embeddings")
    if rows is None and "embedding" in fields:
        rows = [fields["embedding"]]
    if not isinstance(rows, list):
        raise BackendError("the upstream's answer has neither embeddings nor embedding")
    own = leftover(fields, _KNOWN)
    return EmbeddingResponse(
        vectors=[read_vector(as_dict(row).get("values")) for row in rows],
        usage=_usage(camel_keys(as_dict(fields.get("usageMetadata")))),
        extras={FORMAT: own} if own else {},
    )


def _usage(raw: Json) -> Usage | None:
    tokens = count(raw.get("promptTokenCount"))
    tokens = count(raw.get("totalTokenCount")) if tokens is None else tokens
    return None if tokens is None else Usage(input_tokens=tokens, output_tokens=0)


def encode_embeddings(response: EmbeddingResponse, request: EmbeddingRequest, model: str) -> Json:
    """The vectors for the client, in the form of its request; the model is named nowhere."""
    rows = [{"values": vector} for vector in response.vectors]
    body: Json = {"embedding": rows[0]} if note(request.extras, "single") and rows else {"embeddings": rows}
    tokens = response.usage.input_tokens if response.usage is not None else None
    if tokens is not None:
        body["usageMetadata"] = {"promptTokenCount": tokens, "totalTokenCount": tokens}
    return own_fields(response.extras) | body
