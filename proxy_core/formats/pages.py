"""What to tell of an error that came as a web page, or as plain text."""

from __future__ import annotations

import html
import re

_LONGEST_BODY = 20_000
_LONGEST_TEXT = 1000
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_INVISIBLE = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)


def visible_text(body: str) -> str:
    """The title of a page, or else its visible part, within bounds; a text as it is."""
    text = body[:_LONGEST_BODY]
    if text.lstrip().startswith("<"):
        title = _TITLE.search(text)
        text = html.unescape(title[1] if title else _INVISIBLE.sub(" ", text))
    return " ".join(text.split())[:_LONGEST_TEXT]
