"""The base of all domain types: msgspec structs that answer to pydantic's verbs."""

from __future__ import annotations

from typing import Any

import msgspec
from typing_extensions import Self

#: Fields that only one format knows, by format name: `{"openai": {"service_tier": "flex"}}`.
#: A format reads and writes its own key and no other.
Extras = dict[str, dict[str, Any]]


class DomainModel(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A neutral type that every format translates to and from.

    Structs are used rather than pydantic models because they are made once per stream event.
    """

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """Plain dicts and lists, without fields at their default. pydantic's keyword arguments are accepted and ignored."""
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
