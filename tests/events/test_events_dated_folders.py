"""Which folders `--since` leaves out: only those that surely hold nothing of that time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.events.dated_folders import first_day, is_before, is_file_before

MARCH_10 = date(2026, 3, 10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("rudder-logs/src/2026-03-09", True),
        ("rudder-logs/src/2026-03-10", False),
        ("backup/rudder-logs/src/2026-03-09/more", True),
        ("rudder-logs/src/03-09-2026", True),
        ("rudder-logs/src/03-10-2026", False),
        ("rudder-logs/src/13-09-2026", False),
        ("rudder-logs/src/2026-02-30", False),
        ("rudder-logs/2026-03-09", False),
        ("rudder-logs/src/deep/2026-03-09", False),
        ("src/gw/03-09-2026/17", True),
        ("src/gw/2026-03-09", True),
        ("segment-logs/src/1773014400000", True),  # 9 March, in milliseconds
        ("segment-logs/src/1773014400", True),
        ("segment-logs/src/1773100800000", False),  # 10 March
        ("segment-logs/src/1773014400001", False),
        ("segment-logs/src/1773014401", False),
        ("exports/2026-03-09", False),
        ("exports/03-09-2026", False),
        ("exports/20260309", False),
        ("exports/٢٠٢٦-٠٣-٠٩", False),
        ("", False),
    ],
)
def test_a_folder_is_left_out_by_a_day_that_the_layouts_write(path: str, left_out: bool) -> None:
    """A name that could mean something else decides nothing."""
    assert is_before(MARCH_10, path.split("/")) is left_out


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("rudder-logs/src/2026-03-09/anything.json", True),
        ("rudder-logs/src/2026-03-10/anything.json", False),
        ("exports/2026-03-09/1773046800.src.0b1f.json.gz", True),
        ("exports/2026-03-09/1773111600.src.0b1f.json.gz", True),  # a server that is not in UTC
        (
            "exports/2026-03-09/1773900000.src.0b1f.json.gz",
            False,
        ),  # of the 19th: the folder's name means something else
        ("exports/2026-03-09/events.json", False),
        ("exports/2026-03-10/1773133200.src.0b1f.json.gz", False),
        ("1773046800.src.0b1f.json.gz", False),
        ("events.json", False),
    ],
)
def test_a_file_in_a_folder_of_ones_own_is_left_out_if_its_own_name_bears_the_day_out(
    path: str, left_out: bool
) -> None:
    """RudderStack's files keep their seconds when they are copied; a month's events under its first day do not."""
    assert is_file_before(MARCH_10, path.split("/")) is left_out


days = st.dates(date(2002, 1, 1), date(2200, 12, 31))
zones = st.integers(-14, 12).map(lambda hours: timezone(timedelta(hours=hours)))
moments = st.integers(1_010_000_000_000_000, 7_000_000_000_000_000).map(lambda micros: EPOCH + micros * MICROSECOND)
layouts = st.sampled_from(["rudder", "american", "gateway", "segment", "copied"])


def path_of(layout: str, uploaded: datetime) -> list[str]:
    """Where a server whose clock shows `uploaded` puts a file."""
    day, file = f"{uploaded:%Y-%m-%d}", f"{int(uploaded.timestamp()):010}.src.0b1f.json.gz"
    if layout == "segment":
        midnight = uploaded.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return ["segment-logs", "src", str(int(midnight.timestamp()) * 1000), "a.gz"]
    return {
        "rudder": ["rudder-logs", "src", day, file],
        "american": ["x", "rudder-logs", "src", f"{uploaded:%m-%d-%Y}", file],
        "gateway": ["src", "gw", f"{uploaded:%m-%d-%Y}", "17", "inst", file],
        "copied": ["exports", day, file],
    }[layout]


@given(
    moments,
    st.timedeltas(timedelta(0), timedelta(days=400)),
    zones,
    layouts,
    st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_no_folder_is_left_out_that_holds_an_event_of_the_time_asked_for(
    happened: datetime, late: timedelta, zone: timezone, layout: str, before: timedelta
) -> None:
    """Whatever the layout, the server's time zone, and however late the event was uploaded."""
    path = path_of(layout, (happened + late).astimezone(zone))
    since = (happened - before - EPOCH) // MICROSECOND
    assert not is_file_before(first_day(since), path)
    assert not is_before(first_day(since), path[:-1])


@given(moments, zones, layouts)
def test_a_folder_of_three_days_before_is_left_out(uploaded: datetime, zone: timezone, layout: str) -> None:
    """So the last day of years of exports costs the listing of three folders."""
    path = path_of(layout, uploaded.astimezone(zone))
    since = (uploaded + timedelta(days=3) - EPOCH) // MICROSECOND
    assert is_file_before(first_day(since), path)


@given(days, st.lists(st.text() | st.sampled_from(["rudder-logs", "gw", "2026-03-09", "1773014400"]), max_size=5))
def test_what_is_left_out_with_its_folder_is_left_out_by_itself(first: date, parts: list[str]) -> None:
    """Pruning before the listing and after it agree, and any name at all can be asked for."""
    if is_before(first, parts):
        assert is_before(first, [*parts, "inner"])
        assert is_file_before(first, [*parts, "a.json"])


@given(st.integers())
def test_any_moment_has_a_first_day(since: int) -> None:
    """Times outside the calendar leave out everything or nothing."""
    assert date.min <= first_day(since) <= date.max
