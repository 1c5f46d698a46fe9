"""Which format a client speaks, and what it wants: a row per route; marker headers where formats share an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from proxy_core.formats.base import ClientRoute, WireFormat
from proxy_core.translation import TranslationService

REQUEST_ID_HEADER = "x-request-id"

_MODEL = "{model}"


class Row(NamedTuple):
    """A route of a format. Where its path has a model, `before` and `after` are what stands around that."""

    format: WireFormat
    route: ClientRoute
    before: str
    after: str

    def model_in(self, path: str) -> str:
        """The model's name in a path of this route."""
        return path[len(self.before) : len(path) - len(self.after)]

    def matches(self, path: str) -> bool:
        return (
            len(path) > len(self.before) + len(self.after)
            and path.startswith(self.before)
            and path.endswith(self.after)
        )


class Protocols:
    """Finds the client's format for any request, error answers included. An address that two formats claim, a dialect
    and the format it inherits from say, is that of the one registered first."""

    def __init__(self, translation: TranslationService) -> None:
        formats = translation.formats
        rows = [_row(wire_format, route) for wire_format in formats for route in wire_format.client_routes]
        self.exact = {row.route.path: row for row in reversed(rows) if not row.after}
        self.with_model = [row for row in rows if row.after]
        self._marked = [(header, wire_format) for wire_format in formats for header in wire_format.marker_headers]
        self._by_version = dict(_own_versions(rows))
        self._default = formats[0]
        self.request_id_headers = {
            wire_format.name: [name.encode() for name in (REQUEST_ID_HEADER, wire_format.request_id_header) if name]
            for wire_format in formats
        }

    def find(self, path: str) -> Row | None:
        """The route of an address, if it is one of a format's."""
        known = self.exact.get(path)
        return known or next((row for row in self.with_model if row.matches(path)), None)

    def format_of(self, path: str, headers: Mapping[str, str]) -> WireFormat:
        """By route; else by a version that one format alone has, or by marker header; else the default."""
        row = self.find(path)
        if row is not None:
            return row.format
        only = self._by_version.get(_version(path))
        if only is not None:
            return only
        return next((wire_format for header, wire_format in self._marked if header in headers), self._default)


def _row(wire_format: WireFormat, route: ClientRoute) -> Row:
    before, _, after = route.path.partition(_MODEL)
    return Row(wire_format, route, before, after)


def _version(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _own_versions(rows: list[Row]) -> Iterator[tuple[str, WireFormat]]:
    """First segments of paths, `v1beta` say, under which only one format has routes."""
    for row in rows:
        version = _version(row.route.path)
        if all(other.format is row.format for other in rows if _version(other.route.path) == version):
            yield version, row.format
