"""The commonest event of all, a chunk that is nothing but a piece of text, decoded straight into a struct.

Whatever else a chunk has makes the decoder refuse it, and the general way (`stream.py`) reads it. A third of that
way's time.
"""

from __future__ import annotations

import msgspec

from proxy_core.domain.stream import StreamChunk, TextDelta


class _Delta(msgspec.Struct, forbid_unknown_fields=True):
    content: str


class _Choice(msgspec.Struct, forbid_unknown_fields=True):
    delta: _Delta
    index: int = 0
    finish_reason: None = None
    logprobs: None = None


class _Chunk(msgspec.Struct, forbid_unknown_fields=True):
    """`service_tier` and `system_fingerprint` are the same on every chunk; the first one has a role, so the general way
    reads it. `obfuscation` pads events to equal length and means nothing."""

    choices: tuple[_Choice]
    id: str | None = None
    model: str | None = None
    created: int | None = None
    object: str | None = None
    usage: None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    obfuscation: str | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


def decode_text_chunk(data: bytes) -> StreamChunk | None:
    """The chunk, if it is nothing but text; None for any other."""
    try:
        chunk = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    choice = chunk.choices[0]
    return StreamChunk(
        id=chunk.id or None,
        model=chunk.model or None,
        created=chunk.created or None,
        deltas=[TextDelta(text=choice.delta.content, choice=choice.index)],
    )
