"""Calls of the client's tools on their way to the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from proxy_core.domain.content import ToolKind
from proxy_core.domain.stream import ToolCallDelta
from proxy_core.formats import wire_json
from proxy_core.formats.fields import Json, stated
from proxy_core.formats.openai_responses.fields import note, own_fields
from proxy_core.formats.openai_responses.item_writer import Events, Item


class CallItem(Item):
    """A call of a function. `names` are its name and, if it has one, its namespace."""

    prefix = "fc"
    kind: ClassVar[str] = "function_call"
    #: The field for what the model wrote, and what stands there when it wrote nothing.
    field: ClassVar[str] = "arguments"
    nothing: ClassVar[str] = "{}"

    def __init__(self, events: Events, index: int, identifier: str | None, call_id: str, about: Json) -> None:
        super().__init__(events, index, identifier)
        self._call_id = call_id
        self._about = about
        self._pieces: list[str] = []

    def write(self, piece: str) -> bytes:
        """The next piece of what the model wrote; nothing once that is done."""
        if not piece or self.final is not None:
            return b""
        self._pieces.append(piece)
        return self._write("delta", delta=piece)

    def end(self) -> bytes:
        data = b"" if self._pieces else self.write(self.nothing)
        return data + self._write("done", **self._whole())

    def _whole(self) -> Json:
        return {"name": self._about["name"], self.field: self._written()}

    def _write(self, what: str, **fields: object) -> bytes:
        return self.events.write(f"response.{self.kind}_{self.field}.{what}", **self.place, **fields)

    def _written(self) -> str:
        return "".join(self._pieces)

    def is_whole(self) -> bool:
        """JSON that is complete cannot go on."""
        if not self._pieces or not self._pieces[-1].rstrip().endswith("}"):
            return False
        try:
            wire_json.loads(self._written())
        except ValueError:
            return False
        return True

    def item(self, status: str) -> Json:
        head = {"id": self.id, "type": self.kind, "status": status, "call_id": self._call_id}
        return {**head, **self._about, self.field: self._written()}


class CustomCallItem(CallItem):
    """A call whose input is free text, which nobody can see the end of."""

    prefix = "ctc"
    kind = "custom_tool_call"
    field = "input"
    nothing = ""

    def _whole(self) -> Json:
        return {self.field: self._written()}

    def is_whole(self) -> bool:
        return False


CALL_ITEMS: dict[ToolKind, type[CallItem]] = {"function": CallItem, "custom": CustomCallItem}


def about_call(delta: ToolCallDelta, native_names: Mapping[str, tuple[str, str]]) -> Json:
    """The name of a call as the client knows it, and what only the Responses API says of it."""
    extras, name = delta.extras, delta.name or ""
    namespace, native = native_names.get(name, (None, name))
    names = {"name": note(extras, "name") or native, "namespace": note(extras, "namespace") or namespace}
    return {**stated({**names, "caller": (note(extras, "item") or {}).get("caller")}), **own_fields(extras)}
