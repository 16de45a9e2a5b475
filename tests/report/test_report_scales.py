"""The arithmetic of the pictures: rates that add up, axes with round numbers, tables of a few rows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.report.course import Moment
from pipedrive_cli.report.scales import ROWS, bins, chosen, clock, compact, ticks, time_ticks

RUNS = st.lists(st.tuples(st.floats(0.01, 1e5), st.integers(0, 1000), st.integers(0, 3)), min_size=1, max_size=60)


def moments_of(steps: list[tuple[float, int, int]]) -> list[Moment]:
    """Moments from (seconds since the last one, requests, answers that said to slow down)."""
    made = [Moment(0.0)]
    for later, requests, slowed in steps:
        last = made[-1]
        made.append(Moment(last.at + later, requests=last.requests + requests, slowed=last.slowed + slowed))
    return made


@given(RUNS, st.integers(2, 60))
def test_the_parts_of_a_run_hold_all_its_requests(steps: list[tuple[float, int, int]], most: int) -> None:
    """They lie side by side from the start to the end; rate times length, summed up, is what was sent."""
    moments = moments_of(steps)
    parts = bins(moments, most)
    assert len(parts) <= most
    assert parts[0].start == 0.0
    assert all(a.end == b.start for a, b in itertools.pairwise(parts))
    assert parts[-1].end == pytest.approx(moments[-1].at)
    assert sum(part.rate * (part.end - part.start) for part in parts) == pytest.approx(moments[-1].requests, abs=1e-3)
    assert sum(part.slowed for part in parts) == moments[-1].slowed


def test_a_night_without_requests_is_flat() -> None:
    """A run that waits for the next day's budget shows two blocks of work, not a slope between them."""
    moments = [
        Moment(0.0),
        Moment(3600.0, requests=3600),
        Moment(86_400.0, requests=3601),
        Moment(90_000.0, requests=7201),
    ]
    rates = [part.rate for part in bins(moments)]
    assert rates[0] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(1.0)
    assert max(rates[5:-5]) < 0.01


@given(RUNS)
def test_a_table_has_a_few_rows_from_the_first_to_the_last(steps: list[tuple[float, int, int]]) -> None:
    """In order, none of them twice."""
    moments = moments_of(steps)
    rows = chosen(moments)
    assert len(rows) <= ROWS
    assert (rows[0], rows[-1]) == (moments[0], moments[-1])
    assert all(a.at < b.at for a, b in itertools.pairwise(rows))


@given(st.floats(0, 1e12))
def test_an_axis_reaches_its_highest_value_in_a_few_steps(highest: float) -> None:
    """From 0, at equal distances, not far beyond what is to be shown."""
    steps = ticks(highest, whole=False)
    assert steps[0] == 0
    assert steps[-1] >= highest * (1 - 1e-6)
    assert 2 <= len(steps) <= 6
    assert highest < 1e-300 or steps[-1] <= highest * 2


@pytest.mark.parametrize(
    ("highest", "expected"),
    [(0, [0, 1]), (1, [0, 1]), (3, [0, 1, 2, 3]), (7, [0, 2, 4, 6, 8]), (20_000, [0, 5e3, 1e4, 1.5e4, 2e4])],
)
def test_counts_have_whole_steps(highest: float, expected: list[float]) -> None:
    """There is no half event."""
    assert ticks(highest) == expected


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0.2, ["0", "0.05 s", "0.1 s", "0.15 s", "0.2 s"]),
        (405, ["0", "2 min", "4 min", "6 min"]),
        (2e5, ["0", "12 h", "1 d", "1 d 12 h", "2 d"]),
    ],
)
def test_times_are_round(length: float, expected: list[str]) -> None:
    """As people tell them, whatever the length."""
    assert [clock(at) for at in time_ticks(length)] == expected


def test_an_axis_has_its_numbers_short_and_alike() -> None:
    """Huge numbers take no more room than small ones."""
    assert [compact(n, 20_000) for n in ticks(20_000)] == ["0", "5k", "10k", "15k", "20k"]
    assert [compact(n, 2.5e6) for n in (0, 5e5, 2.5e6)] == ["0", "0.5M", "2.5M"]
    assert [compact(n, 4e9) for n in (1e9, 4e9)] == ["1B", "4B"]
    assert [compact(n, 5) for n in (2.5, 5.0)] == ["2.5", "5"]
