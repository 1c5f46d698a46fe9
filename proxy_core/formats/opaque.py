"""Other providers' opaque state in the hands of a client that has a place only for its own provider's.

Signed and encrypted reasoning must come back to its issuer unchanged. A client of another format holds it sealed, in
the field where that format keeps opaque state of its own (`signature`, `encrypted_content`, `thoughtSignature`), and
brings it back as its SDK does with any. A seal is base64, since some SDKs decode the field; it begins with `MARK`, by
which a request that carries any is recognised, and kept off the lossless lane: no provider sees another's state.

Nothing is forged: what is sealed is what the issuer sent, and only the issuer gets it back.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from proxy_core.domain.content import ReasoningPart
from proxy_core.domain.stream import ReasoningDelta

_HEAD = b"llm-proxy:1:"  # 12 bytes: in base64 a beginning of its own
MARK = base64.b64encode(_HEAD)
_MARK_TEXT = MARK.decode()

_URL_SAFE = re.compile("[-_]")
_FIELDS = ("text", "signature", "data", "origin", "id")


class _Sealed(msgspec.Struct, omit_defaults=True, array_like=True):
    """`_FIELDS` of one part, in that order."""

    text: str = ""
    signature: str | None = None
    data: str | None = None
    origin: str | None = None
    id: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[_Sealed]).decode


def is_opaque(part: ReasoningPart | ReasoningDelta) -> bool:
    """Whether it carries state that its issuer wants back."""
    return part.origin is not None and (part.signature is not None or part.data is not None)


def seal(*parts: ReasoningPart | ReasoningDelta, with_text: bool = False) -> str:
    """The state of these parts as one base64 text. The text of the thinking goes in only where the client would not
    give it back beside the seal."""
    sealed = [
        _Sealed(part.text if with_text else "", part.signature, part.data, part.origin, part.id) for part in parts
    ]
    return base64.b64encode(_HEAD + _encode(sealed)).decode()


def is_sealed(value: Any) -> bool:
    """Whether a field's value is a seal of ours."""
    return isinstance(value, str) and value.startswith(_MARK_TEXT)


def unseal(value: str) -> list[ReasoningPart]:
    """The parts in a seal, in either alphabet of base64; none where somebody has tampered with it."""
    try:
        altchars = b"-_" if _URL_SAFE.search(value) else None
        sealed = _decode(base64.b64decode(value, altchars, validate=True)[len(_HEAD) :])
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        return []
    return [ReasoningPart(**{name: getattr(each, name) for name in _FIELDS}) for each in sealed]


def foreign(parts: Iterable[ReasoningPart], own: str) -> list[ReasoningPart]:
    """Those with state that a format other than `own` issued."""
    return [part for part in parts if is_opaque(part) and part.origin != own]
