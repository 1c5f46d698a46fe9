"""What messages and answers are made of."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from proxy_core.domain.base import DomainModel, Extras

MediaKind = Literal["image", "audio", "video", "file"]
ToolKind = Literal["function", "custom"]


class Citation(DomainModel):
    """A source of a piece of text. `start` and `end` are character offsets into that text, where known."""

    url: str | None = None
    title: str | None = None
    start: int | None = None
    end: int | None = None
    cited_text: str | None = None
    extras: Extras = {}


class TextPart(DomainModel, tag_field="type", tag="text"):
    text: str
    citations: list[Citation] = []
    extras: Extras = {}


class RefusalPart(DomainModel, tag_field="type", tag="refusal"):
    """The model declines, in its own words."""

    text: str
    extras: Extras = {}


class MediaPart(DomainModel, tag_field="type", tag="media"):
    """An image, sound, video or document: exactly one of `data` (base64), `url` and `file_id` is set.

    `media_type` is a MIME type. `detail` is the resolution hint of Chat Completions (`low`, `high`, `auto`).
    """

    kind: MediaKind
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None
    extras: Extras = {}


class ReasoningPart(DomainModel, tag_field="type", tag="reasoning"):
    """What the model thought before it answered.

    `signature` proves to the issuer that `text` is its own; `data` is reasoning that only the issuer can read
    (redacted or encrypted). Both are opaque, and valid only at the provider whose format is `origin`. `text` may be
    empty beside a signature: such a part is still sent back.

    `id` is the issuer's name for it. Some issuers sign what follows the thinking: that is a part with `data` alone,
    whose `id` is that of the tool call it belongs to, or None where it belongs to the text beside it.
    """

    text: str = ""
    signature: str | None = None
    data: str | None = None
    origin: str | None = None
    id: str | None = None
    extras: Extras = {}


class ToolCallPart(DomainModel, tag_field="type", tag="tool_call"):
    """The model calls a client's tool. `arguments` is JSON text as the model wrote it; free text for kind `custom`."""

    id: str
    name: str
    arguments: str = "{}"
    kind: ToolKind = "function"
    extras: Extras = {}


class ToolResultPart(DomainModel, tag_field="type", tag="tool_result"):
    """What the tool gave back; stands in a message of role `user`."""

    tool_call_id: str
    content: list[TextPart | MediaPart] = []
    is_error: bool = False
    name: str | None = None
    extras: Extras = {}


class NativePart(DomainModel, tag_field="type", tag="native"):
    """A block that only `format` understands (a server tool's call or result): kept whole for that format."""

    format: str
    data: dict[str, Any]


Part: TypeAlias = TextPart | RefusalPart | MediaPart | ReasoningPart | ToolCallPart | ToolResultPart | NativePart
