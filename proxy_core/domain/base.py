"""The base of all domain types: msgspec structs that answer to pydantic's verbs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Self

import msgspec

#: Names of what was dropped go into a comma-separated header, and clients make some of them up.
MOST_DROPPED = 64
_LONGEST_NAME = 64
_UNSAFE = re.compile(r"[^!-+\--~]")

#: Fields that only one format knows, by format name: `{"<format>": {"service_tier": "flex"}}`.
#: A format reads and writes its own key and no other.
Extras = dict[str, dict[str, Any]]


class DomainModel(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A neutral type that every format translates to and from.

    Structs are used rather than pydantic models because they are made once per stream event.
    """

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """Plain dicts and lists, without fields at their default; pydantic's keyword arguments are ignored."""
        dumped: dict[str, Any] = msgspec.to_builtins(self)
        return dumped

    @classmethod
    def model_validate(cls, data: Any) -> Self:
        """The object back from what `model_dump` returned; raises `msgspec.ValidationError` (a `ValueError`)."""
        return data if isinstance(data, cls) else msgspec.convert(data, cls)

    def extra(self, format_name: str) -> dict[str, Any]:
        """What `format_name` alone knows about this object; empty when there is nothing."""
        extras: Extras = getattr(self, "extras", {})
        return extras.get(format_name, {})


class Lossy(DomainModel, kw_only=True):
    """What may lose something when another format spells it. `dropped` collects what; `proxy_core.formats.losses` lists
    the names."""

    dropped: list[str] = []

    def drop(self, *names: str) -> None:
        """Record that the target cannot carry these; see `record_dropped`."""
        record_dropped(self.dropped, names)


def record_dropped(dropped: list[str], names: Iterable[str]) -> None:
    """Add names to `dropped`, each once and in a spelling that may stand in a header. Names that begin with `_` are
    notes of a format to itself in its `extras`, and not reported."""
    for name in names:
        token = _UNSAFE.sub("_", name[:_LONGEST_NAME])
        if name[:1] != "_" and token not in dropped and len(dropped) < MOST_DROPPED:
            dropped.append(token)
