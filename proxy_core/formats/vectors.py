"""The vectors of an upstream's embeddings."""

from __future__ import annotations

from typing import Any

from proxy_core.errors import BackendError


def read_vector(value: Any) -> list[float]:
    """The numbers of an array; raises `BackendError` when it is none, or holds anything else."""
    if isinstance(value, list) and all(type(number) in (float, int) for number in value):
        try:
            return [float(number) for number in value]
        except OverflowError:
            raise BackendError("the upstream sent an embedding with a number beyond all floats") from None
    raise BackendError("the upstream sent an embedding that is no array of numbers")
