"""Which format a client speaks: one row per path, and marker headers where formats share one."""

from __future__ import annotations

from collections.abc import Mapping

from proxy_core.formats.base import WireFormat
from proxy_core.translation import TranslationService

REQUEST_ID_HEADER = "x-request-id"


class Protocols:
    """Finds the client's format for any request, error answers included."""

    def __init__(self, translation: TranslationService) -> None:
        formats = translation.formats
        self.by_path = {path: wire_format for wire_format in formats for path in wire_format.client_paths}
        self._marked = [(header, wire_format) for wire_format in formats for header in wire_format.marker_headers]
        self._default = formats[0]
        self.request_id_headers = {
            wire_format.name: [name.encode() for name in (REQUEST_ID_HEADER, wire_format.request_id_header) if name]
            for wire_format in formats
        }

    def format_of(self, path: str, headers: Mapping[str, str]) -> WireFormat:
        """By path; else by marker header; else the default."""
        known = self.by_path.get(path)
        if known is not None:
            return known
        return next((wire_format for header, wire_format in self._marked if header in headers), self._default)
