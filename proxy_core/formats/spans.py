"""Where in a text a source is used, when only the words that it is used for are known.

Offsets that come with a stream may be in another unit than characters, of a text that no single event has: then the
citation has the words alone, and the encoder, which has written the text, finds them.
"""

from __future__ import annotations

from proxy_core.domain.content import Citation


def span_in(citation: Citation, text: str) -> tuple[int, int]:
    """Begin and end in the text, in characters: as the citation says, or where its words stand, or all of the text."""
    if citation.start is not None or citation.end is not None:
        return citation.start or 0, len(text) if citation.end is None else citation.end
    found = text.find(citation.cited_text) if citation.cited_text else -1
    return (0, len(text)) if found < 0 else (found, found + len(citation.cited_text or ""))
