"""Cutting streams to pieces."""

from collections.abc import Iterator
from typing import AnyStr


def pieces_of(stream: AnyStr, size: int) -> list[AnyStr]:
    """The stream in pieces of `size`."""
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def in_two(stream: AnyStr) -> Iterator[tuple[AnyStr, AnyStr]]:
    """The stream cut in two, once at every place."""
    for at in range(len(stream) + 1):
        yield stream[:at], stream[at:]
