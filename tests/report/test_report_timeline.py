"""Moments of a run: few enough for any length, none of them wrong, and small in the journal."""

from __future__ import annotations

import itertools
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.model import Outcome
from pipedrive_cli.report.timeline import Moment, Timeline, packed, unpacked


def watched(seconds: list[float], most: int = 20) -> Timeline:
    """A run that began at 100.0 and was looked at so many seconds later; it sends one request at each look."""
    live_figures = LiveFigures(requests_allowed=80)
    course = Timeline(100.0, most=most, interval=0.5)
    for at in seconds:
        live_figures.requests["GET x"] += 1
        live_figures.outcomes[Outcome.DELIVERED] += 2
        course.add_moment(100.0 + at, live_figures)
    course.add_end(100.0 + max(seconds, default=0.0), live_figures)
    return course


@given(st.lists(st.floats(0, 1e6), max_size=400).map(sorted), st.integers(2, 30))
def test_a_run_of_any_length_has_few_moments_in_order(seconds: list[float], most: int) -> None:
    """Never more than asked for, each later than the one before, and the last has the run's own figures."""
    moments = watched(seconds, most).moments
    assert 1 <= len(moments) <= most
    assert all(a.at < b.at for a, b in itertools.pairwise(moments))
    assert moments[-1].requests == len(seconds)
    assert moments[-1].at == pytest.approx(max(seconds, default=0.0), abs=0.001)
    assert [moment.requests for moment in moments] == sorted(moment.requests for moment in moments)


@pytest.mark.parametrize("apart", [0.01, 0.4, 1.0, 7.0])
def test_a_long_run_is_looked_at_less_and_less_often(apart: float) -> None:
    """The moments that are left lie evenly over the whole of it, however often there was something to look at."""
    moments = watched([apart * number for number in range(5_000)]).moments
    assert 10 <= len(moments) <= 20
    gaps = [b.at - a.at for a, b in itertools.pairwise(moments)][:-1]  # the last one is the run's end
    assert max(gaps) <= 2.5 * min(gaps)
    assert moments[0].at == 0.0


def test_a_moment_says_what_the_tally_said_then() -> None:
    """What comes later changes nothing."""
    live_figures = LiveFigures(requests_allowed=80, tokens_spent=7, tokens_left_today=93, slowed_down=2)
    live_figures.outcomes[Outcome.REJECTED] = 3
    course = Timeline(5.0)
    course.add_moment(5.0, live_figures)
    live_figures.outcomes[Outcome.REJECTED] = 4
    assert course.moments == (Moment(0.0, {Outcome.REJECTED: 3}, 0, 7, 93, 80, 2),)


def test_what_the_journal_keeps_comes_back() -> None:
    """And it is small: a run of any length costs a few kilobytes."""
    moments = watched([float(second) for second in range(10_000)], most=240).moments
    assert unpacked(packed(moments)) == moments
    assert len(packed(moments)) < 4_000


@pytest.mark.parametrize(
    "content",
    [None, b"", b"no course", zlib.compress(b"no moments"), zlib.compress(msgspec.msgpack.encode([[-1, "x"]]))],
)
def test_a_damaged_course_is_none(content: bytes | None) -> None:
    """The report is shown without pictures."""
    assert unpacked(content) == ()


def test_a_course_that_unpacks_to_much_too_much_is_none() -> None:
    """A damaged journal does not fill the memory."""
    assert unpacked(zlib.compress(msgspec.msgpack.encode(["x" * 50_000_000]))) == ()
