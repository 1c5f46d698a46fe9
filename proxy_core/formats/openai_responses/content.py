"""Content parts of a client's request.

https://platform.openai.com/docs/api-reference/responses/create#responses_create-input (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_core.domain.content import MediaPart, NativePart, Part, RefusalPart, TextPart
from proxy_core.formats import wire_json
from proxy_core.formats.fields import dicts, missing, text_or_none, wrong_type
from proxy_core.formats.openai.content import media_from_url
from proxy_core.formats.openai_responses.annotations import read_annotation
from proxy_core.formats.openai_responses.fields import FORMAT, Fields

_AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}


def decode_content(fields: Fields, name: str = "content") -> list[Part]:
    """The parts in a field: a string, or a list of parts."""
    value, path = fields.rest.pop(name, None), fields.at(name)
    if value is None:
        raise missing(path)
    if isinstance(value, str):
        return [TextPart(text=value)]
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array of content parts", value)
    return [_decode_part(part, f"{path}[{index}]") for index, part in enumerate(value)]


def _decode_part(value: Any, path: str) -> Part:
    """One part. One of a type unknown to us is kept whole, inside what is left of it: as an item of the conversation
    it would stand outside its message."""
    fields = Fields(value, path)
    kind = fields.need("type", str)
    reader = _READERS.get(kind)
    return reader(fields) if reader else NativePart(format=FORMAT, data={"type": kind, CONTENT: value})


#: The key of a whole content part in the data of a `NativePart`.
CONTENT = "content_part"


def _input_text(fields: Fields) -> Part:
    return TextPart(text=fields.need("text", str), extras=fields.extras())


def _output_text(fields: Fields) -> Part:
    """What the model said. Log probabilities are facts about it: nobody takes them back, and they are no loss."""
    text, logprobs = fields.need("text", str), fields.take("logprobs", list)
    citations = [read_annotation(annotation) for annotation in dicts(fields.take("annotations", list))]
    return TextPart(text=text, citations=citations, extras=fields.extras(logprobs=logprobs or None))


def _refusal(fields: Fields) -> Part:
    return RefusalPart(text=fields.need("refusal", str), extras=fields.extras())


def _image(fields: Fields) -> Part:
    url, file_id = _url(fields), text_or_none(fields.take("file_id", str))
    if url is None and file_id is None:
        raise missing(fields.at("image_url"))
    part = MediaPart(kind="image", file_id=file_id) if url is None else media_from_url(url, "image")
    part.detail = fields.take("detail", str)
    part.extras = fields.extras()
    return part


def _url(fields: Fields) -> str | None:
    """The image's URL; in an object, as Chat Completions has it, it is taken too."""
    if isinstance(fields.rest.get("image_url"), dict):
        return fields.inner("image_url").need("url", str)
    return text_or_none(fields.take("image_url", str))


def _file(fields: Fields) -> Part:
    data, url = (text_or_none(fields.take(name, str)) for name in ("file_data", "file_url"))
    part = _file_data(data) if data is not None else MediaPart(kind="file", url=url)
    part.file_id = text_or_none(fields.take("file_id", str))
    if not (part.data or part.url or part.file_id):
        raise missing(fields.at("file_data"))
    part.filename = fields.take("filename", str)
    part.detail = fields.take("detail", str)
    part.extras = fields.extras()
    return part


def _file_data(data: str) -> MediaPart:
    """A `data:` URL, or bare base64."""
    return media_from_url(data, "file") if data.startswith("data:") else MediaPart(kind="file", data=data)


def _audio(fields: Fields) -> Part:
    inner = fields.inner("input_audio")
    data, name = inner.need("data", str), inner.need("format", str)
    media_type = _AUDIO_TYPES.get(name, f"audio/{name}")
    return MediaPart(kind="audio", media_type=media_type, data=data, extras=fields.extras())


_READERS: dict[str, Callable[[Fields], Part]] = {
    "input_text": _input_text,
    "output_text": _output_text,
    "text": _input_text,  # Chat's word, which some clients send here too
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}


def decode_output(fields: Fields) -> list[TextPart | MediaPart]:
    """What a tool gave back."""
    return [_result_part(part) for part in decode_content(fields, "output")]


def _result_part(part: Part) -> TextPart | MediaPart:
    """A part that is neither text nor media is text to others, and the same part again for us."""
    if isinstance(part, TextPart | MediaPart):
        return part
    if isinstance(part, NativePart):
        whole = part.data[CONTENT]
        return TextPart(text=wire_json.dumps(whole).decode(), extras={FORMAT: {"_whole": whole}})
    return TextPart(text=part.text if isinstance(part, RefusalPart) else "")
