"""A call on its way to a Gemini client, who gets it whole: its arguments are an object, not text."""

from __future__ import annotations

from typing import Final

from proxy_core.domain.content import ToolCallPart
from proxy_core.domain.stream import ToolCallDelta
from proxy_core.formats import wire_json
from proxy_core.formats.fields import Json, stated
from proxy_core.formats.free_text import arguments_object
from proxy_core.formats.gemini.fields import own_fields
from proxy_core.formats.gemini.ids import is_minted

_CLOSING: Final = ("}", "]")


class OpenCall:
    """A call whose arguments are still coming. `signature` is the state that goes back with it."""

    def __init__(self, delta: ToolCallDelta, signature: str | None) -> None:
        self._delta = delta
        self._signature = signature
        self._pieces = [delta.arguments]
        self._checked = 0
        self._complete = False

    def feed(self, piece: str) -> None:
        self._pieces.append(piece)

    def close(self) -> None:
        """Nothing more will come."""
        self._complete = True

    def is_complete(self) -> bool:
        """Whether the arguments so far are a whole JSON object; free text may always go on."""
        if self._complete or self._delta.kind == "custom" or self._checked == len(self._pieces):
            return self._complete
        self._checked = len(self._pieces)
        text = "".join(self._pieces)
        self._complete = text.rstrip().endswith(_CLOSING) and _is_json(text)
        return self._complete

    def part(self) -> Json:
        """The part. An id that we have minted ourselves is none to Gemini's clients."""
        delta, arguments = self._delta, "".join(self._pieces)
        part = ToolCallPart(id=delta.id or "", name=delta.name or "", arguments=arguments, kind=delta.kind)
        identifier = None if not delta.id or is_minted(delta.id) else delta.id
        call = stated({"id": identifier, "name": part.name, "args": arguments_object(part)})
        return stated({"functionCall": call, "thoughtSignature": self._signature}) | own_fields(delta.extras)


def _is_json(text: str) -> bool:
    try:
        wire_json.loads(text)
    except ValueError:
        return False
    return True
