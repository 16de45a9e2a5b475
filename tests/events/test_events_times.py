"""When an event happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.timestamps import read_moment, read_time

from .event_lines import MARCH, MARCH_MICROS, NOW, event


@pytest.mark.parametrize(
    ("written", "offset"),
    [
        ("2026-03-01T12:00:00Z", 0),
        ("2026-03-01t12:00:00z", 0),
        ("2026-03-01T12:00:00.123Z", 123_000),
        ("2026-03-01T12:00:00.123456+00:00", 123_456),
        ("2026-03-01T12:00:00.123456789Z", 123_456),
        ("2026-03-01T17:30:00+05:30", 0),
        ("2026-03-01T17:30:00+0530", 0),
        ("2026-03-01T12:00:00", 0),
        ("2026-03-01 12:00:00", 0),
        (" 2026-03-01 12:00:00 UTC ", 0),
        ("Sun Mar  1 12:00:00 2026", 0),
        ("Sun Mar 01 12:00:00 UTC 2026", 0),
        ("2026-03-01 12:00:00 +0000 UTC", 0),
        ("2026-03-01 13:00:00.000000 +0100 CET m=+0.001", 0),
        ("2026-03-01T13:00:00+01:00[Europe/Berlin]", 0),
        ("/Date(1772366400000)/", 0),
        (1772366400, 0),
        (1772366400.25, 250_000),
        (1772366400123, 123_000),
        (1772366400123456, 123_456),
        (1772366400123456789, 123_456),
        ("1772366400", 0),
        ("1772366400123", 123_000),
    ],
)
def test_every_form_that_sdks_write_is_read(written: Any, offset: int) -> None:
    """ISO 8601 in its variants, and numbers since 1970 told apart by their size."""
    assert read_time(written) == MARCH_MICROS + offset


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0000-00-00 00:00:00",
        -62135596800,
        "2026-03-01T12:00:00[Europe/Berlin]",
        "2026-03-01 12:00:00 EST",
        "12",
        True,
        None,
        [],
        {},
        -5,
        1e300,
        float("nan"),
        "9" * 5000,
    ],
)
def test_what_names_no_moment_is_none(written: Any) -> None:
    """Neither words nor impossible dates nor Go's zero time count as a time."""
    assert read_time(written) is None


def test_seconds_of_the_next_decade_are_no_dates_with_an_hour() -> None:
    """Contracts end in the 2030s; that digits such as 1960070400 could be an hour of 1960 is far-fetched."""
    for seconds in (*range(1_900_022_400, 2_000_000_000, 43_200), 2_100_021_501, 2_026_030_112.5):
        assert read_moment(seconds) == datetime.fromtimestamp(seconds, UTC)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - Hypothesis wants naive bounds
def test_iso_text_is_read_to_the_microsecond(moment: datetime) -> None:
    """No float stands between the text and the number."""
    aware = moment.replace(tzinfo=UTC)
    micros = read_time(aware.isoformat())
    assert micros is not None
    assert datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000) == aware


@given(st.text() | st.floats() | st.integers())
def test_no_value_makes_reading_a_time_fail(value: Any) -> None:
    """Any text or number is a time or None."""
    micros = read_time(value)
    assert micros is None or micros >= 0


LATER, LATER_MICROS = "2026-03-01T12:00:01.000Z", MARCH_MICROS + 1_000_000


@pytest.mark.parametrize(
    ("members", "time", "ahead", "unreadable"),
    [
        ({"timestamp": MARCH, "originalTimestamp": LATER}, MARCH_MICROS, False, ()),
        ({"timestamp": ..., "originalTimestamp": MARCH, "receivedAt": LATER}, MARCH_MICROS, False, ()),
        ({"timestamp": ..., "receivedAt": LATER}, LATER_MICROS, False, ()),
        ({"timestamp": ...}, None, False, ()),
        ({"timestamp": LATER, "receivedAt": MARCH}, MARCH_MICROS, True, ()),
        ({"timestamp": "2099-01-01T00:00:00Z"}, NOW, True, ()),
        ({"timestamp": "2099-01-01T00:00:00Z", "receivedAt": "2099-01-01T00:00:00Z"}, NOW, True, ()),
        ({"timestamp": "soon", "originalTimestamp": MARCH}, MARCH_MICROS, False, ("timestamp",)),
        (
            {"timestamp": {}, "originalTimestamp": [], "receivedAt": "x"},
            None,
            False,
            ("timestamp", "originalTimestamp", "receivedAt"),
        ),
        (
            {"timestamp": ..., "originalTimestamp": MARCH, "sentAt": LATER, "receivedAt": "2026-03-01T13:00:00Z"},
            MARCH_MICROS,
            False,
            (),
        ),
    ],
)
def test_an_events_time_comes_from_the_first_field_that_has_one(
    members: dict[str, Any], time: int | None, ahead: bool, unreadable: tuple[str, ...]
) -> None:
    """timestamp, originalTimestamp, receivedAt; never later than receivedAt or now, and what cannot be read is told."""
    found = event(**members)
    assert (found.time, found.clock_ahead, found.unreadable_times) == (time, ahead, unreadable)


@pytest.mark.parametrize(
    "written",
    [
        "15 de março de 2026", "15. März 2026", "15 mars 2026", "Sonntag, 15. März 2026", "domenica 15 marzo 2026",
        "15-Mar-2026", "15/Mar/2026", "2026年3月15日", "15. 3. 2026", "15／03／2026", "15‑03‑2026",
        "15.03.2026 00:00 Uhr",
    ],
)  # fmt: skip
def test_dates_are_read_as_people_write_them_in_other_languages(written: str) -> None:
    """The names of their months, their dashes and wide signs; digits alone where the day comes first."""
    found = read_moment(written, "day first")
    assert found is not None
    assert found.date().isoformat() == "2026-03-15"


@pytest.mark.parametrize("written", ["15.03.26", "15-Mar-26", "15/3/26", "31.02.2026", "15 Brumaire 2026", "3/2026"])
def test_a_date_that_may_be_another_day_is_not_guessed(written: str) -> None:
    """A year of two digits may be of either century."""
    assert read_moment(written, "day first") is None
