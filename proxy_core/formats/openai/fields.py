"""Reading and keeping the fields of Chat Completions."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from proxy_core.domain.base import Extras
from proxy_core.formats import fields

FORMAT: Final = "openai"


class Fields(fields.Fields):
    """A Chat client's JSON object."""

    __slots__ = ()

    format_name: ClassVar[str] = FORMAT


def own_fields(extras: Extras) -> dict[str, Any]:
    """What `extras` holds for our wire, without the notes."""
    return fields.own_fields(extras, FORMAT)


def note(extras: Extras, name: str) -> Any:
    """A note to ourselves, or None."""
    return fields.note(extras, FORMAT, name)
