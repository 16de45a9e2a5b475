"""Reads durations and moments as people write them. Pure: `now` is passed in."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
DURATION = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?P<unit>ms|s|m|h|d|w)?", re.ASCII | re.IGNORECASE)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def duration(text: str | float) -> float:
    """Seconds from `30s`, `5m`, `2h`, `1d`, `1w`, `500ms`, or from a plain number, which means seconds.

    Raises ValueError for anything else, and for negative or infinite durations.
    """
    if isinstance(text, str):
        match = DURATION.fullmatch(text.strip())
        if match is None:
            raise ValueError("must be a duration such as 30s, 5m, 2h or 500ms")
        return float(match["number"]) * SECONDS[(match["unit"] or "s").lower()]
    if isinstance(text, bool) or not isinstance(text, int | float) or not math.isfinite(text) or text < 0:
        raise ValueError("must be a duration such as 30s, 5m, 2h or 500ms")
    return float(text)


def moment_or_age(text: str, now: int) -> int:
    """A moment from ISO 8601 or from an age: `24h` is the moment 24 hours before `now`.

    `now` and the result are microseconds since 1970 UTC. A moment without an offset is UTC; a date means its first
    instant. A plain number is refused, because it could be a Unix time. Raises ValueError.
    """
    text = text.strip()
    match = DURATION.fullmatch(text)
    if match is not None and match["unit"]:
        return now - round(duration(text) * 1_000_000)
    try:
        # fromisoformat reads 20260301 as a date, but refuses 2026: one missing digit should not change the meaning.
        moment = datetime.fromisoformat(text) if "-" in text else None
        if moment is not None:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            return (moment - EPOCH) // MICROSECOND
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a moment such as 2026-03-01T12:00:00Z or an age such as 24h")
