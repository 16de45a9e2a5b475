"""Durations and moments are read as people mean them, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedrive_cli.config import duration, moment_or_age

NOON = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z in microseconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("5m", 300.0),
        ("2h", 7_200.0),
        ("1d", 86_400.0),
        ("2w", 1_209_600.0),
        ("500ms", 0.5),
        ("1.5 H", 5_400.0),
        (" 90 ", 90.0),
        ("0", 0.0),
        (7, 7.0),
        (0.25, 0.25),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    """A number with a unit is that many seconds; without one it means seconds."""
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5s", "5 parsecs", "1h30m", "٣s", "1e3", "nan", "inf", "9" * 400])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Neither words nor negative, endless or half-understood times pass."""
    with pytest.raises(ValueError, match="duration"):
        duration(text)


@pytest.mark.parametrize("number", [-1, float("nan"), float("inf"), True])
def test_numbers_that_are_no_duration_are_refused(number: float) -> None:
    """Negative and endless numbers, and booleans, are no seconds."""
    with pytest.raises(ValueError, match="duration"):
        duration(number)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T12:00:00", NOON),
        ("2026-03-01T14:00:00+02:00", NOON),
        (" 2026-03-01 12:00 ", NOON),
        ("2026-03-01T12:00:00.000001Z", NOON + 1),
        ("2026-03-01", NOON - 12 * 3_600_000_000),
        ("1969-12-31T23:59:59Z", -1_000_000),
        ("24h", NOON - 86_400_000_000),
        ("0s", NOON),
    ],
)
def test_moments_and_ages(text: str, moment: int) -> None:
    """ISO 8601 without an offset is UTC; an age counts back from now."""
    assert moment_or_age(text, NOON) == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "1772366400", "20260301", "24", "-24h", "2026-03-01T25:00"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """A bare number could be a Unix time or an age: it is refused rather than guessed."""
    with pytest.raises(ValueError, match="moment"):
        moment_or_age(text, NOON)


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(-(10**15), 10**16), st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_the_same_in_every_offset(microseconds: int, minutes: int) -> None:
    """Writing the same instant with any offset gives the same microseconds."""
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    elsewhere = utc.astimezone(timezone(timedelta(minutes=minutes)))
    assert moment_or_age(elsewhere.isoformat(), 0) == microseconds


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but ValueError comes out of text that is neither."""
    for read in (duration, lambda said: moment_or_age(said, NOON)):
        try:
            read(text)
        except ValueError as error:
            assert "must be" in str(error)
