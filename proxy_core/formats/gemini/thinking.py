"""How much to think, both ways.

===========================  ==========================================
domain                       `thinkingConfig`
===========================  ==========================================
`off`, or effort `none`      `thinkingBudget: 0`
a budget                     `thinkingBudget`, at most 24,576
effort `minimal` and `low`   `thinkingBudget: 1024`
effort `medium`              `thinkingBudget: 8192`
higher efforts               `thinkingBudget: 24576`
`adaptive`, without more     `thinkingBudget: -1`
`on`, without more           no budget
===========================  ==========================================

`includeThoughts` goes with all of them but the first, unless the client does not want to see the thinking.

Budgets rather than `thinkingLevel`, since Gemini 2.5 knows no levels and Gemini 3 takes budgets still; both in one
request are refused. The budgets are those that Google's own endpoint for OpenAI clients gives to the efforts, and every
thinking model takes them: 24,576 is the most that Flash allows. (Zero is refused by models that always think.) What a
Gemini client asks for goes on as it is.
https://ai.google.dev/gemini-api/docs/thinking, https://ai.google.dev/gemini-api/docs/openai#thinking (2026-11)
"""

from __future__ import annotations

from typing import Final, Literal, cast

from proxy_core.domain.request import DomainRequest, Effort, ReasoningSettings
from proxy_core.formats import losses
from proxy_core.formats.fields import Json, stated
from proxy_core.formats.gemini.enums import word_of
from proxy_core.formats.gemini.fields import FORMAT, Fields, note, own_fields

MAX_BUDGET: Final = 24_576

_BUDGETS: Final[dict[str, int]] = {
    "none": 0,
    "minimal": 1_024,
    "low": 1_024,
    "medium": 8_192,
    "high": MAX_BUDGET,
    "xhigh": MAX_BUDGET,
    "max": MAX_BUDGET,
}
#: In the order of their numbers in the protobuf.
_LEVELS: Final[dict[str, Effort | None]] = {
    "THINKING_LEVEL_UNSPECIFIED": None,
    "LOW": "low",
    "MEDIUM": "medium",
    "HIGH": "high",
    "MINIMAL": "minimal",
    "XHIGH": "xhigh",
}


def decode_thinking(config: Fields) -> ReasoningSettings | None:
    """The settings in `generationConfig.thinkingConfig`."""
    if config.rest.get("thinkingConfig") is None:
        return None
    fields = config.inner("thinkingConfig")
    given = dict(fields.rest)
    budget, visible = fields.take("thinkingBudget", int), fields.take("includeThoughts", bool)
    effort = _take_level(fields)
    return ReasoningSettings(
        mode=_mode(budget),
        effort=effort,
        budget_tokens=budget if budget is not None and budget > 0 else None,
        visible=visible,
        extras=fields.extras(given=given),
    )


def _mode(budget: int | None) -> Literal["off", "on", "adaptive"] | None:
    if budget is None:
        return None
    return "off" if budget == 0 else "on" if budget > 0 else "adaptive"


def _take_level(fields: Fields) -> Effort | None:
    """The level; one that the domain does not know is left over."""
    word = word_of(fields.rest.get("thinkingLevel"), tuple(_LEVELS))
    if word not in _LEVELS:
        return None
    del fields.rest["thinkingLevel"]
    return _LEVELS[word]


def encode_thinking(request: DomainRequest) -> Json | None:
    """The `thinkingConfig`, or None where the client leaves it to the provider."""
    settings = request.reasoning
    if settings is None:
        return None
    if (given := _as_given(settings)) is not None:
        return given
    request.drop(*(f"reasoning.{field}" for field in losses.of_foreign(settings.extras, FORMAT)))
    budget = _budget(settings, request)
    config = stated({"thinkingBudget": budget, "includeThoughts": _include(settings, budget)})
    return {**own_fields(settings.extras), **config} or None


def _as_given(settings: ReasoningSettings) -> Json | None:
    """A Gemini client's own words, unless the settings have been changed since."""
    given = note(settings.extras, "given")
    if not isinstance(given, dict):
        return None
    again = decode_thinking(Fields({"thinkingConfig": given}))
    return cast("Json", given) if again == settings else None


def _budget(settings: ReasoningSettings, request: DomainRequest) -> int | None:
    if settings.mode == "off":
        return 0
    if settings.budget_tokens is not None and settings.effort != "none":
        return _within(settings.budget_tokens, request)
    if settings.effort is not None:
        return _BUDGETS[settings.effort]
    return -1 if settings.mode == "adaptive" else None


def _within(budget: int, request: DomainRequest) -> int:
    """A larger one is refused by all models but Pro."""
    if budget <= MAX_BUDGET or request.source_format == FORMAT:
        return budget
    request.drop("reasoning")
    return MAX_BUDGET


def _include(settings: ReasoningSettings, budget: int | None) -> bool | None:
    """Whether to ask for the thoughts: by default, where the client asks for thinking at all."""
    if budget == 0:
        return None
    asked = bool(settings.mode or settings.effort or budget)
    return (asked if settings.visible is None else settings.visible) or None
