"""From a model string to a backend and its model.

In order: an alias; `backend:model`; `backend/model`; a model that exactly one backend lists; the default backend.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from proxy_core.errors import ModelNotFoundError


class ModelSource(Protocol):
    """A backend, as far as routing looks at it."""

    name: str

    @property
    def models(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Target:
    """The backend that is to answer, and the model's name there."""

    backend: str
    model: str


class Router:
    """Resolves model strings; raises `ModelNotFoundError` with near names for those it cannot."""

    def __init__(
        self, backends: Mapping[str, ModelSource], aliases: Mapping[str, str], default_backend: str | None
    ) -> None:
        self._backends = backends
        self._aliases = aliases
        self._default = default_backend

    def resolve(self, model: str) -> Target:
        wanted = self._aliases.get(model, model)
        target = self._explicit(wanted, ":") or self._explicit(wanted, "/") or self._listed(wanted)
        if target is None and self._default is not None:
            target = Target(self._default, wanted)
        if target is None:
            raise self._not_found(model)
        return target

    def _explicit(self, model: str, separator: str) -> Target | None:
        backend, found, name = model.partition(separator)
        return Target(backend, name) if found and name and backend in self._backends else None

    def _listed(self, model: str) -> Target | None:
        listing = [backend.name for backend in self._backends.values() if model in backend.models]
        if len(listing) > 1 and self._default not in listing:
            choices = ", ".join(f"{name}:{model}" for name in listing)
            raise ModelNotFoundError(f"model {model!r} is served by several backends; ask for one of {choices}")
        if not listing:
            return None
        return Target(self._default if self._default in listing else listing[0], model)

    def names(self) -> list[str]:
        """Every model string there is to offer: aliases first, then `backend:model`."""
        qualified = [f"{backend.name}:{model}" for backend in self._backends.values() for model in backend.models]
        return [*self._aliases, *qualified]

    def _not_found(self, model: str) -> ModelNotFoundError:
        near = self._near(model)
        hint = f"did you mean {', '.join(near)}?" if near else "`llm-proxy models` lists what there is"
        return ModelNotFoundError(f"there is no model {model!r}; {hint}", details={"param": "model"})

    def _near(self, model: str) -> list[str]:
        """Model strings like this one; without any, the same model of a backend whose name is like the one given."""
        names = self.names()
        bare = {name.partition(":")[2]: name for name in names}
        listed = difflib.get_close_matches(model, [*names, *bare], n=3, cutoff=0.5)
        if listed:
            return list(dict.fromkeys(bare.get(name, name) for name in listed))
        backend, separator, rest = model.partition(":")
        return [f"{near}:{rest}" for near in difflib.get_close_matches(backend, self._backends, n=1) if separator]
