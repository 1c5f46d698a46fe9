"""The words of Gemini's enums, which some servers send as their numbers, and its clients know as words alone.

The numbers are those of the Gemini API; Vertex AI has others for some of the words, but sends words.
https://github.com/googleapis/googleapis/tree/master/google/ai/generativelanguage/v1beta (2026-11)
"""

from __future__ import annotations

from typing import Any, Final

from proxy_core.formats.fields import text_or_none

Names = tuple[str, ...]

FINISH_REASONS: Final[Names] = (
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "IMAGE_RECITATION",
    "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE",
)
BLOCK_REASONS: Final[Names] = (
    "BLOCKED_REASON_UNSPECIFIED",
    "SAFETY",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "IMAGE_SAFETY",
)
#: Of the fields that are handed on to Gemini's clients as they are.
_FIELDS: Final[dict[str, Names]] = {
    "category": (
        "HARM_CATEGORY_UNSPECIFIED",
        "HARM_CATEGORY_DEROGATORY",
        "HARM_CATEGORY_TOXICITY",
        "HARM_CATEGORY_VIOLENCE",
        "HARM_CATEGORY_SEXUAL",
        "HARM_CATEGORY_MEDICAL",
        "HARM_CATEGORY_DANGEROUS",
        "HARM_CATEGORY_HARASSMENT",
        "HARM_CATEGORY_HATE_SPEECH",
        "HARM_CATEGORY_SEXUALLY_EXPLICIT",
        "HARM_CATEGORY_DANGEROUS_CONTENT",
        "HARM_CATEGORY_CIVIC_INTEGRITY",
    ),
    "language": ("LANGUAGE_UNSPECIFIED", "PYTHON"),
    "modality": ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"),
    "outcome": ("OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"),
    "probability": ("HARM_PROBABILITY_UNSPECIFIED", "NEGLIGIBLE", "LOW", "MEDIUM", "HIGH"),
}
_DEPTH: Final = 4


def word_of(value: Any, names: Names) -> str | None:
    """The word in upper case, from one in any case or a number; a number not known here is its own."""
    if isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else str(value)
    word = text_or_none(value)
    return None if word is None else word.upper()


def in_words(value: Any, depth: int = _DEPTH) -> Any:
    """The value with words for numbers, wherever a field of these names stands within a few levels."""
    if isinstance(value, list) and depth:
        return [in_words(item, depth - 1) for item in value]
    if not isinstance(value, dict) or not depth:
        return value
    return {name: _field(name, field, depth - 1) for name, field in value.items()}


def _field(name: str, value: Any, depth: int) -> Any:
    known = _FIELDS.get(name)
    return in_words(value, depth) if known is None or type(value) is not int else word_of(value, known)
