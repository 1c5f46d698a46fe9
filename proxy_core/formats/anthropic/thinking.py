"""How much to think, both ways.

====================================  ===============================================================
domain                                Messages
====================================  ===============================================================
`off`, or effort `none`               `thinking: {type: disabled}`
budget                                `thinking: {type: enabled, budget_tokens}`, at least 1024
`on` or `adaptive` without a budget   `thinking: {type: adaptive}`
effort alone                          `thinking: {type: adaptive}`; as it is where the client speaks Messages
effort `minimal`                      `output_config.effort: low`
other efforts                         `output_config.effort` of the same name
visible, or not                       `thinking.display: summarized`, or `omitted`
====================================  ===============================================================

Which of these a model takes depends on the model (`enabled` is refused by the newest, `adaptive` by the oldest): that
is for the connector to know. https://docs.claude.com/en/docs/build-with-claude/thinking (2026-11)
"""

from __future__ import annotations

from typing import Final, Literal, cast, get_args

from proxy_core.domain.request import DomainRequest, Effort, ReasoningSettings
from proxy_core.formats.anthropic.fields import NAME, count, leftovers, optional, required
from proxy_core.formats.fields import Json

MIN_BUDGET: Final = 1024

_Mode = Literal["off", "on", "adaptive"]
_MODES: dict[str, _Mode] = {
    "adaptive": "adaptive",
    "between_tools": "off",  # "thinking turned off", but for progress reports between tool calls
    "disabled": "off",
    "enabled": "on",
}
_TYPES = {"adaptive": "adaptive", "off": "disabled", "on": "enabled"}
_VISIBLE = {"summarized": True, "omitted": False}
_DISPLAYS = {visible: display for display, visible in _VISIBLE.items()}
_EFFORTS: dict[str, str | None] = {name: name for name in get_args(Effort)} | {"minimal": "low", "none": None}


def decode_reasoning(body: Json) -> ReasoningSettings | None:
    """The settings in `thinking` and `output_config.effort`; None when the client leaves both to the provider."""
    thinking = optional(body, "thinking", dict)
    effort = decode_effort(body)
    if thinking is None:
        return None if effort is None else ReasoningSettings(effort=effort)
    kind = required(thinking, "type", str, "thinking")
    mode = _MODES.get(kind)
    known = {"budget_tokens", "type"} if mode and _TYPES[mode] == kind else {"budget_tokens"}
    visible = _VISIBLE.get(optional(thinking, "display", str, "thinking") or "")
    return ReasoningSettings(
        mode=mode,
        effort=effort,
        budget_tokens=count(thinking, "budget_tokens", "thinking"),
        visible=visible,
        extras=leftovers(thinking, frozenset(known if visible is None else {*known, "display"})),
    )


def decode_effort(body: Json) -> Effort | None:
    """`output_config.effort`, if the domain knows it."""
    config = optional(body, "output_config", dict) or {}
    effort = optional(config, "effort", str, "output_config")
    return cast("Effort", effort) if effort in _EFFORTS else None


def encode_effort(settings: ReasoningSettings | None) -> str | None:
    """The value of `output_config.effort`."""
    return None if settings is None or settings.effort is None else _EFFORTS.get(settings.effort)


def encode_thinking(request: DomainRequest) -> Json | None:
    """The `thinking` field. Thinking cannot go with a forced tool call; the call is what the client counts on, so the
    thinking is dropped. (A client that speaks Messages gets what it asked for, and the upstream's word on it.)"""
    settings = request.reasoning
    if settings is None:
        return None
    own = request.source_format == NAME
    thinking = _thinking(settings, own) | settings.extra(NAME)
    if settings.visible is not None and thinking and thinking.get("type") != "disabled":
        thinking["display"] = _DISPLAYS[settings.visible]
    if not own and _forces_tool(request) and is_thinking(thinking):
        request.drop("reasoning")
        return None
    return thinking or None


def _thinking(settings: ReasoningSettings, own: bool) -> Json:
    budget = settings.budget_tokens
    if settings.mode == "off" or settings.effort == "none":
        return {"type": "disabled"}
    if budget is not None and settings.mode != "adaptive":
        return {"type": "enabled", "budget_tokens": budget if own else max(MIN_BUDGET, budget)}
    if settings.mode is not None or (settings.effort is not None and not own):
        return {"type": "adaptive"}
    return {}


def _forces_tool(request: DomainRequest) -> bool:
    return request.tool_choice is not None and request.tool_choice.mode in ("required", "tool")


def is_thinking(thinking: Json | None) -> bool:
    """Whether this `thinking` field turns thinking on."""
    return thinking is not None and thinking.get("type") in ("adaptive", "enabled")
