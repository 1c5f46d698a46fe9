"""How much the model shall think, both ways.

==============================  ==================================================
the domain                      `reasoning_effort`
==============================  ==================================================
off                             `none` (see `Dialect.off_effort`)
an effort                       the same word
a budget of up to 4,096 tokens  `low`
a budget of up to 16,384        `medium`
a larger budget                 `high`
on, without more                `medium`
adaptive, without more          nothing: the provider decides
==============================  ==================================================

Compatible servers also take `reasoning` (OpenRouter) and `thinking` (DeepSeek, GLM); a Chat client's own spelling is
sent on as it came. https://platform.openai.com/docs/guides/reasoning,
https://openrouter.ai/docs/guides/best-practices/reasoning-tokens (2026-11)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from proxy_core.domain.request import Effort, ReasoningSettings
from proxy_core.formats import losses
from proxy_core.formats.fields import NOTE
from proxy_core.formats.openai.dialect import Dialect, Target
from proxy_core.formats.openai.fields import FORMAT, Fields, note

_EFFORTS: frozenset[str] = frozenset(get_args(Effort))
#: Thinking budgets (tokens, up to and including) as efforts; anything above is `high`. Providers publish no exact
#: equivalence: 4,096 and 16,384 lie between the budgets that clients ask for by name (4,000 / 10,000 / 31,999).
_EFFORT_BY_BUDGET: tuple[tuple[int, Effort], ...] = ((4_096, "low"), (16_384, "medium"))


def effort_for_budget(budget: int) -> Effort:
    """The `reasoning_effort` that stands for a thinking budget."""
    return next((effort for limit, effort in _EFFORT_BY_BUDGET if budget <= limit), "high")


def decode_effort(fields: Fields) -> ReasoningSettings | None:
    """What the client said of thinking, in whichever field it did."""
    found = {name: read(fields, name) for name, read in _REASONING.items() if fields.rest.get(name) is not None}
    if not found:
        return None
    settings = next(iter(found.values()))
    own = {name: fields.rest.pop(name) for name in found}
    if list(own) != ["reasoning_effort"] or own["reasoning_effort"] not in _EFFORTS:
        settings.extras = {FORMAT: {**settings.extra(FORMAT), f"{NOTE}spelled": own}}
    return settings


def _read_effort(fields: Fields, name: str) -> ReasoningSettings:
    word = Fields(fields.rest, fields.path).need(name, str)
    if word == "none":
        return ReasoningSettings(mode="off")
    effort: Any = word if word in _EFFORTS else None
    return ReasoningSettings(mode="on", effort=effort)


def _read_openrouter(fields: Fields, name: str) -> ReasoningSettings:
    inner = Fields(fields.rest[name], fields.at(name))
    settings = _read_effort(inner, "effort") if inner.rest.get("effort") is not None else ReasoningSettings()
    settings.budget_tokens = inner.take("max_tokens", int)
    excluded = inner.take("exclude", bool)
    settings.visible = None if excluded is None else not excluded
    if inner.take("enabled", bool) is False:
        return ReasoningSettings(mode="off")
    settings.mode = settings.mode or "on"
    settings.extras = inner.extras()
    return settings


def _read_thinking(fields: Fields, name: str) -> ReasoningSettings:
    inner = Fields(fields.rest[name], fields.at(name))
    mode = _THINKING_MODES.get(inner.take("type", str) or "")
    return ReasoningSettings(mode=mode, budget_tokens=inner.take("budget_tokens", int), extras=inner.extras())


_THINKING_MODES: dict[str, Literal["off", "on", "adaptive"]] = {
    "enabled": "on",
    "disabled": "off",
    "adaptive": "adaptive",
    "auto": "adaptive",
}
_REASONING: dict[str, Callable[[Fields, str], ReasoningSettings]] = {
    "reasoning_effort": _read_effort,
    "reasoning": _read_openrouter,
    "thinking": _read_thinking,
}


def encode_effort(target: Target) -> dict[str, Any]:
    """`reasoning_effort`, where it is known what it should be."""
    settings = target.request.reasoning
    if settings is None:
        return {}
    if own := note(settings.extras, "spelled"):
        return {**own}
    target.request.drop(*(f"reasoning.{field}" for field in losses.of_foreign(settings.extras, FORMAT)))
    effort = _effort(settings, target.dialect)
    if effort is None and settings.mode is not None and settings.mode != "adaptive":
        target.request.drop("reasoning")
    return {"reasoning_effort": effort} if effort else {}


def _effort(settings: ReasoningSettings, dialect: Dialect) -> str | None:
    if settings.mode == "off" or settings.effort == "none":
        return dialect.off_effort
    if settings.effort is not None:
        return settings.effort
    if settings.budget_tokens is not None:
        return effort_for_budget(settings.budget_tokens)
    return "medium" if settings.mode == "on" else None
