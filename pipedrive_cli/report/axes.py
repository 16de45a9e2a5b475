"""The arithmetic of a run's pictures: rates from counts, round numbers for axes, rows for tables. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from pipedrive_cli.report.timeline import Moment
from pipedrive_cli.report.wording import duration_words

WINDOW = 2.0  # seconds in which Pipedrive counts requests; a finer pace cannot be compared with the limit
ANOTHER_DAY = 1.2  # if the day's budget grows by this factor, a new day has begun
MOST_BINS = 60
LEAST_BINS = 12  # for short runs
LEAST_SHARE = 0.6  # per cent of a bar's width: two points on a phone
ROWS = 12  # of the table beside a picture

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_TIMES = (
    *(0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600.0 * hours for hours in (1, 2, 3, 6, 12)),
    *(86_400.0 * days for days in (1, 2, 5, 7, 14, 30, 60, 90)),
)


class Bin(NamedTuple):
    """A part of a run, from `start` to `end` in seconds. `slowed`: how often Pipedrive asked to slow down in it.

    `pace` is the number of requests in the two seconds before `end`, which Pipedrive limits; in a longer part the
    average number per two seconds.
    """

    start: float
    end: float
    pace: float
    slowed: int


def bins(moments: Sequence[Moment], most: int = MOST_BINS) -> list[Bin]:
    """The run in equal parts: of two seconds, unless that gives too many or too few. The run must have a length."""
    whole = moments[-1].at
    number = min(most, max(LEAST_BINS, math.ceil(whole / WINDOW)))
    edges = [whole * place / number for place in range(number + 1)]
    span = max(WINDOW, whole / number)
    slowed = [_until(moments, edge).slowed for edge in edges]
    return [
        Bin(
            edges[i],
            edges[i + 1],
            (_between(moments, edges[i + 1]) - _between(moments, edges[i + 1] - span)) * WINDOW / span,
            slowed[i + 1] - slowed[i],
        )
        for i in range(number)
    ]


def budgets(moments: Sequence[Moment]) -> list[tuple[float, float]]:
    """(seconds, tokens that the day allowed since the run's start), for the moments at which that is known.

    Spent tokens are counted when a request leaves, left tokens when its answer comes. Between the two their sum is too
    high, so the lowest sum of a day counts. With no tokens left the sum says nothing.
    """
    known: list[tuple[float, float]] = []
    for moment in moments:
        if moment.tokens_left_today:
            allowed = float(moment.tokens_spent + moment.tokens_left_today)
            same_day = bool(known) and allowed < known[-1][1] * ANOTHER_DAY
            known.append((moment.at, min(allowed, known[-1][1]) if same_day else allowed))
    return known


def chosen_ticks(moments: Sequence[Moment], most: int = ROWS) -> list[Moment]:
    """At most `most` moments at about equal distances in time, including the first and the last."""
    whole = moments[-1].at
    picked = {_until(moments, whole * place / (most - 1)).at: None for place in range(most - 1)}
    by_time = {moment.at: moment for moment in moments}
    return [by_time[at] for at in picked if at != whole] + [moments[-1]]


def ticks(highest: float, *, whole: bool = True) -> list[float]:
    """Three to six round numbers at equal distances, from 0 to at least `highest`; `whole`: no fractions."""
    if highest < 1e-9:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(highest / 4))
    step = next(factor * power for factor in _ROUND if highest <= 4.5 * factor * power)
    if whole:
        step = max(1.0, math.ceil(step))
    return [step * place for place in range(math.ceil(highest / step - 1e-9) + 1)]


def time_ticks(length: float) -> list[float]:
    """Round times from 0 to at most `length` seconds, at most five after the first."""
    step = next((time for time in _TIMES if length / time <= 5), length / 4)
    return [step * place for place in range(math.floor(length / step + 1e-9) + 1)]


def shares(numbers: Sequence[int], whole: int | None = None) -> list[float]:
    """Per cent of the width for each number above 0: each wide enough to be seen, all together at most 100.

    `whole` is the number that 100 stands for, by default the sum of the numbers.
    """
    total = whole or sum(numbers) or 1
    wished = [max(LEAST_SHARE, 100 * number / total) for number in numbers]
    most = max([100.0 * sum(numbers) / total, LEAST_SHARE * len(numbers)], default=0.0)
    spare = sum(wished) - LEAST_SHARE * len(wished)
    if sum(wished) <= most or not spare:
        return wished
    shrunk = (most - LEAST_SHARE * len(wished)) / spare
    return [LEAST_SHARE + (width - LEAST_SHARE) * shrunk for width in wished]


def clock_label(seconds: float) -> str:
    """A time since the start of the run, more exact than `duration_words`: `0`, `0.15 s`, `3 min 5 s`."""
    if seconds >= 10:
        return duration_words(seconds)
    return f"{seconds:.2f}".rstrip("0").rstrip(".") + (" s" if seconds else "")


def compact(number: float, highest: float) -> str:
    """A number for an axis that ends at `highest`, in one unit for the whole axis: `950`, `2.5k`, `0.5M`, `3B`."""
    for size, sign in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if highest >= size and number:
            return f"{number / (1e3 if sign == 'k' else size):,.10g}{sign}"
    return f"{number:,.10g}"


def _until(moments: Sequence[Moment], at: float) -> Moment:
    """The last moment that is not later than `at`."""
    return next((moment for moment in reversed(moments) if moment.at <= at + 1e-9), moments[0])


def _between(moments: Sequence[Moment], at: float) -> float:
    """Requests sent until `at`, interpolated between two moments; before the first moment its number."""
    before = _until(moments, at)
    after = next((moment for moment in moments if moment.at > at + 1e-9), before)
    if after.at <= before.at:
        return before.requests
    return before.requests + (after.requests - before.requests) * (at - before.at) / (after.at - before.at)
