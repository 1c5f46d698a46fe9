"""How much the model shall think, both ways.

====================================  ================================================================
the domain                            `reasoning`
====================================  ================================================================
off                                   `effort: none`
an effort                             `effort` of the same name
a budget                              `effort` by the table of `proxy_core.formats.openai.effort`
on, without more                      `effort: medium`
adaptive, without more                no effort: the model's default
visible                               `summary` (a client's `concise` or `detailed` goes back as it came)
not visible                           no summary (Codex may say `none`)
visible, or not said (other clients)  `summary: auto`, unless thinking is off
====================================  ================================================================

A summary is all that OpenAI shows of its models' thinking, and only on demand; other providers show theirs unasked, so
their clients get the summary unless they said that they want none.
https://platform.openai.com/docs/guides/reasoning (2026-11)
"""

from __future__ import annotations

import re
from typing import Any, cast, get_args

from proxy_core.domain.request import Effort, ReasoningSettings
from proxy_core.formats import losses
from proxy_core.formats.fields import stated
from proxy_core.formats.openai.effort import effort_for_budget
from proxy_core.formats.openai_responses.fields import FORMAT, Fields, note, own_fields
from proxy_core.formats.openai_responses.target import Target

_EFFORTS: frozenset[str] = frozenset(get_args(Effort))
_CANNOT_THINK = re.compile(r"^(ft:)?(gpt-3|gpt-4|chatgpt-)|-chat-latest")
_SUMMARIES = ("summary", "generate_summary")


def decode_reasoning_settings(fields: Fields) -> ReasoningSettings | None:
    """The client's `reasoning`; None where it says nothing."""
    if fields.rest.get("reasoning") is None:
        return None
    inner = Fields(fields.take("reasoning", dict) or {}, fields.at("reasoning"))
    effort = inner.take("effort", str)
    summaries = stated({name: inner.take(name, str) for name in _SUMMARIES})
    settings = ReasoningSettings(visible=set(summaries.values()) != {"none"} if summaries else None)
    if effort == "none":
        settings.mode = "off"
    elif effort in _EFFORTS:
        settings.mode, settings.effort = "on", cast("Effort", effort)
    elif effort is not None:
        settings.mode, inner.rest["effort"] = "on", effort
    settings.extras = inner.extras(summaries=summaries or None)
    return None if settings == ReasoningSettings() else settings


def encode_reasoning_settings(target: Target) -> dict[str, Any]:
    """`reasoning`, where the client said anything of it."""
    settings = target.request.reasoning
    if settings is None:
        return {}
    target.request.drop(*(f"reasoning.{field}" for field in losses.of_foreign(settings.extras, FORMAT)))
    own = own_fields(settings.extras)
    fields = stated({"effort": _effort(settings)}) | _summary(settings, target) | own
    return {"reasoning": fields} if fields else {}


def thinks_unasked(model: str) -> bool:
    """Whether a model thinks when nothing is said of it: all do that OpenAI has made since its reasoning models came.
    https://platform.openai.com/docs/models (2026-11)"""
    return _CANNOT_THINK.search(model) is None


def is_off(settings: ReasoningSettings | None) -> bool:
    """Whether nothing was said of thinking, or that there shall be none."""
    return settings is None or settings.mode == "off" or settings.effort == "none"


def _effort(settings: ReasoningSettings) -> str | None:
    if is_off(settings):
        return "none"
    if settings.effort is not None:
        return settings.effort
    if settings.budget_tokens is not None:
        return effort_for_budget(settings.budget_tokens)
    return "medium" if settings.mode == "on" else None


def _summary(settings: ReasoningSettings, target: Target) -> dict[str, Any]:
    spelled: dict[str, Any] = note(settings.extras, "summaries") or {}
    if spelled or target.same_format:
        return spelled
    return {} if is_off(settings) or settings.visible is False else {"summary": "auto"}
