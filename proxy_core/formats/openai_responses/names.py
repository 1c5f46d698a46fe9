"""Names of tools in namespaces. Only the Responses API has namespaces, so in the domain, and with every other
provider, `list_customers` of `crm` is the tool `crm__list_customers`.

https://developers.openai.com/api/docs/guides/function-calling#namespaces (2026-11)
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from proxy_core.domain.request import DomainRequest, Tool
from proxy_core.formats.fields import as_text, dicts
from proxy_core.formats.openai_responses.fields import note

#: What OpenAI, Anthropic and Gemini all take for a tool's name.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BAD = re.compile(r"[^A-Za-z0-9_-]")


class FlatNames:
    """The one name for each tool of a request, the same in its tools, its choice and its history."""

    def __init__(self, tools: Any) -> None:
        """`tools` is the field of the client's body, as yet unchecked."""
        plain = [as_text(tool.get("name")) for tool in dicts(tools) if tool.get("type") != "namespace"]
        nested = [pair for tool in dicts(tools) if tool.get("type") == "namespace" for pair in _pairs(tool)]
        self._plain = frozenset(plain)
        self._namespaces = {name: namespace for namespace, name in nested}
        self._ambiguous = self._repeated(nested) if nested else frozenset[str]()

    def _repeated(self, nested: list[tuple[str, str]]) -> frozenset[str]:
        counts = Counter([*self._plain, *("__".join(pair) for pair in set(nested))])
        return frozenset(name for name, times in counts.items() if times > 1)

    def of(self, name: str, namespace: str | None) -> str:
        """The flat name of a tool; a name without a namespace is flat already."""
        if not namespace:
            return name
        joined = f"{namespace}__{name}"
        if _NAME.fullmatch(joined) and joined not in self._ambiguous:
            return joined
        digest = hashlib.sha256(f"{namespace}\n{name}".encode("utf-8", "replace")).hexdigest()[:8]
        return f"{_BAD.sub('_', joined)[:55]}_{digest}"

    def find(self, name: str, namespace: str | None) -> str:
        """The same for a reference that may leave the namespace out."""
        guess = None if name in self._plain else self._namespaces.get(name)
        return self.of(name, namespace or guess)


def _pairs(namespace: dict[str, Any]) -> list[tuple[str, str]]:
    return [(as_text(namespace.get("name")), as_text(tool.get("name"))) for tool in dicts(namespace.get("tools"))]


def native_names(request: DomainRequest) -> Mapping[str, tuple[str, str]]:
    """Namespace and name, as the client has them, by flat name."""
    return {tool.name: native for tool in request.tools if (native := native_name(tool)) is not None}


def native_name(tool: Tool) -> tuple[str, str] | None:
    """Namespace and name of a tool that came in a namespace."""
    namespace = note(tool.extras, "namespace")
    return None if namespace is None else (namespace, note(tool.extras, "name"))
