"""A tool call on its way to the client."""

from __future__ import annotations

from proxy_core.domain.content import ToolKind
from proxy_core.formats import wire_json


class OpenCall:
    """The arguments of one streamed call, and whether they are complete. Free text goes out as `{"input": "..."}`."""

    def __init__(self, kind: ToolKind) -> None:
        self._is_text = kind == "custom"
        self._pieces: list[str] = []
        self._checked = 0
        self._complete = False

    def feed(self, piece: str) -> str:
        """The JSON to send for the next piece."""
        if not piece:
            return ""
        self._pieces.append(piece)
        if not self._is_text:
            return piece
        escaped = wire_json.dumps(piece).decode()[1:-1]
        return escaped if len(self._pieces) > 1 else '{"input":"' + escaped

    def end(self) -> str:
        """The JSON that the block still lacks when it closes."""
        if not self._is_text:
            return ""
        return '"}' if self._pieces else '{"input":""}'

    def is_complete(self) -> bool:
        """Whether the arguments so far are a whole JSON value (free text may always end)."""
        if self._is_text or self._complete or self._checked == len(self._pieces):
            return self._is_text or self._complete
        self._checked = len(self._pieces)
        if self._pieces[-1].rstrip().endswith(("}", "]")):
            self._complete = _is_json("".join(self._pieces))
        return self._complete


def _is_json(text: str) -> bool:
    try:
        wire_json.loads(text)
    except ValueError:
        return False
    return True
