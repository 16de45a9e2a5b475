"""Reads times as SDKs write them, as microseconds since 1970 UTC. Pure; reads no clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = 253_402_300_800_000_000  # the year 10,000: datetime ends before it
_UNIX_DIGITS: Final = 9  # fewer digits are a date without dashes (20260301), not seconds


def read_time(value: Any) -> int | None:
    """The moment that `value` names, in microseconds since 1970 UTC, or None where it names none.

    ISO 8601 with `T` or a space, with any offset or none (UTC), in any precision (cut to microseconds);
    or seconds, milliseconds, microseconds or nanoseconds since 1970, as a number or as digits, told apart by size.
    A moment before 1970 counts as none: no event is that old, and Go writes the year 1 for a time that was never set.
    """
    if isinstance(value, str):
        return _read_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _read_number(value)
    return None


def _read_text(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _read_other_text(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return micros if 0 <= micros < _LATEST else None


def _read_other_text(text: str) -> int | None:
    """Reads texts that `datetime.fromisoformat` refuses: digits, outer blanks, `UTC` or `GMT`, lower case."""
    if len(text) > 64 or not text.isascii():
        return None
    plain = text.strip().upper()
    whole, _, fraction = plain.partition(".")
    if whole.isdigit() and (fraction.isdigit() or not fraction):
        return _read_number(float(plain)) if len(whole) >= _UNIX_DIGITS else None
    plain = plain.removesuffix("UTC").removesuffix("GMT").rstrip()
    return _read_text(plain) if plain != text else None


def _read_number(number: float) -> int | None:
    if not 0 <= number < 1e21:  # also refuses NaN
        return None
    if number < 1e11:
        micros = number * 1_000_000
    elif number < 1e14:
        micros = number * 1000
    elif number < 1e17:
        micros = number
    else:
        micros = number // 1000
    return round(micros) if micros < _LATEST else None
