"""Times, as protobuf's JSON has them. https://protobuf.dev/reference/protobuf/google.protobuf/#timestamp (2026-11)"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def unix_time(value: Any) -> int | None:
    """The seconds of `2026-11-27T23:19:00.123456Z`; None for anything else."""
    try:
        return int(datetime.fromisoformat(value).timestamp())
    except (TypeError, ValueError, OverflowError):
        return None


def timestamp(seconds: int) -> str | None:
    """The time that many seconds after the epoch."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return None
