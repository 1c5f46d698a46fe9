"""The Retry-After header, as servers really write it."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

#: Longer waits than a day are taken for junk.
MAX_SECONDS = 86_400.0


def parse_retry_after(value: str | None, now: float | None = None) -> float | None:
    """Seconds to wait: from a number or an HTTP date, within 0 and a day; None for junk. `now` is a Unix time."""
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None:
        seconds = _seconds_until(value, time.time() if now is None else now)
    return bounded(seconds)


def bounded(seconds: float | None) -> float | None:
    """The wait, within 0 and a day; None for none, and for what is no number."""
    return None if seconds is None or seconds != seconds else min(max(seconds, 0.0), MAX_SECONDS)


def _number(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if seconds == seconds else None


def _seconds_until(value: str, now: float) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None
