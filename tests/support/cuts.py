"""Cutting streams to pieces."""

from collections.abc import Iterator
from typing import AnyStr


def pieces_of(stream: AnyStr, size: int) -> list[AnyStr]:
    """The stream in pieces of `size`."""
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def in_two(stream: AnyStr, most: int = 10_000) -> Iterator[tuple[AnyStr, AnyStr]]:
    """The stream cut in two, once at every place; in a long one at `most` places, evenly."""
    for at in range(0, len(stream) + 1, 1 + len(stream) // most):
        yield stream[:at], stream[at:]
