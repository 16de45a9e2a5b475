"""The arithmetic of the pictures: rates that add up, axes with round numbers, tables of a few rows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.report.axes import (
    LEAST_SHARE,
    ROWS,
    WINDOW,
    bins,
    budgets,
    chosen_ticks,
    clock_label,
    compact,
    shares,
    ticks,
    time_ticks,
)
from pipedrive_cli.report.timeline import Moment

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
    """They lie side by side from the start to the end; paces of two seconds and more add up to the whole."""
    moments = moments_of(steps)
    parts = bins(moments, most)
    assert len(parts) <= most
    assert parts[0].start == 0.0
    assert all(a.end == b.start for a, b in pairwise(parts))
    assert parts[-1].end == pytest.approx(moments[-1].at)
    assert sum(part.slowed for part in parts) == moments[-1].slowed
    if parts[0].end >= WINDOW:
        sent = sum(part.pace * (part.end - part.start) / WINDOW for part in parts)
        assert sent == pytest.approx(moments[-1].requests, abs=1e-3)


def test_the_pace_does_not_pass_a_limit_that_was_kept() -> None:
    """Twenty requests at once and then none for two seconds are twenty in two seconds, wherever parts begin and end.

    A part of a long run may hold one burst more than its length has room for: no other average could tell.
    """
    for bursts in (1, 3, 30, 300):
        moments = [Moment(0.0)]
        for burst in range(bursts):
            at = burst * 2.05
            moments += [Moment(at + 0.01, requests=20 * (burst + 1)), Moment(at + 2.04, requests=20 * (burst + 1))]
        parts = bins(moments)
        length = parts[0].end
        extra = 20 * WINDOW / length if length > WINDOW else 0
        assert 19 < max(part.pace for part in parts) <= 20 + extra + 1e-6


def test_a_night_without_requests_is_flat() -> None:
    """A run that waits for the next day's budget shows two blocks of work, not a slope between them."""
    counts = ((0.0, 0), (3600.0, 3600), (86_400.0, 3601), (90_000.0, 7201))
    paces = [part.pace for part in bins([Moment(at, requests=requests) for at, requests in counts])]
    assert paces[0] == pytest.approx(2.0)
    assert paces[-1] == pytest.approx(2.0)
    assert max(paces[5:-5]) < 0.01


def test_what_the_day_allowed_is_a_step_a_day() -> None:
    """Requests under way make no spikes; the next day comes on top; a spent day takes nothing back."""
    said = [(0, None), (10, 100), (40, 75), (30, 80), (108, 0), (110, 100), (150, 63), (210, 0)]
    moments = [Moment(float(at), tokens_spent=spent, tokens_left_today=left) for at, (spent, left) in enumerate(said)]
    assert budgets(moments) == [(1.0, 110.0), (2.0, 110.0), (3.0, 110.0), (5.0, 210.0), (6.0, 210.0)]


@given(RUNS)
def test_a_table_has_a_few_rows_from_the_first_to_the_last(steps: list[tuple[float, int, int]]) -> None:
    """In order, none of them twice."""
    moments = moments_of(steps)
    rows = chosen_ticks(moments)
    assert len(rows) <= ROWS
    assert (rows[0], rows[-1]) == (moments[0], moments[-1])
    assert all(a.at < b.at for a, b in pairwise(rows))


@given(st.floats(0, 1e12))
def test_an_axis_reaches_its_highest_value_in_a_few_steps(highest: float) -> None:
    """From 0, at equal distances, not far beyond what is to be shown."""
    steps = ticks(highest, whole=False)
    assert steps[0] == 0
    assert steps[-1] >= highest * (1 - 1e-6)
    assert 2 <= len(steps) <= 6
    assert steps[-1] <= max(1.0, highest * 2)


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
    assert [clock_label(at) for at in time_ticks(length)] == expected


@given(st.lists(st.integers(1, 10**15), min_size=1, max_size=7), st.integers(1, 1000))
def test_every_part_of_a_bar_can_be_seen(numbers: list[int], more: int) -> None:
    """One rejected event among a million is; the bar is no wider than its place, or than its share of the widest."""
    widths = shares(numbers)
    assert min(widths) >= LEAST_SHARE * (1 - 1e-9)
    assert sum(widths) == pytest.approx(100)
    of_a_longer_one = shares(numbers, sum(numbers) * more)
    assert min(of_a_longer_one) >= LEAST_SHARE * (1 - 1e-9)
    assert sum(of_a_longer_one) == pytest.approx(max(100 / more, LEAST_SHARE * len(numbers)))


def test_an_axis_has_its_numbers_short_and_alike() -> None:
    """Huge numbers take no more room than small ones."""
    assert [compact(n, 20_000) for n in ticks(20_000)] == ["0", "5k", "10k", "15k", "20k"]
    assert [compact(n, 2.5e6) for n in (0, 5e5, 2.5e6)] == ["0", "0.5M", "2.5M"]
    assert [compact(n, 4e9) for n in (1e9, 4e9)] == ["1B", "4B"]
    assert [compact(n, 5) for n in (2.5, 5.0)] == ["2.5", "5"]
