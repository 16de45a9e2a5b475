"""The arithmetic behind the pictures of a run: rates from counts, round numbers for axes, rows for tables. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from pipedrive_cli.report.timeline import Moment
from pipedrive_cli.report.wording import duration_words

WINDOW = 2.0  # seconds over which Pipedrive counts requests: a finer pace says nothing about its limit
ANOTHER_DAY = 1.2  # no answer corrects the day's budget by that much: a new day has begun
MOST_BINS = 60
LEAST_BINS = 12  # of a run that is over before long
LEAST_SHARE = 0.6  # per cent of a bar's width: two points on a phone
ROWS = 12  # of a table beside a picture

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_TIMES = (
    *(0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600.0 * hours for hours in (1, 2, 3, 6, 12)),
    *(86_400.0 * days for days in (1, 2, 5, 7, 14, 30, 60, 90)),
)


class Bin(NamedTuple):
    """A part of a run, from `start` to `end` in seconds, and how often it was asked to slow down in it.

    `pace` is the number of requests in the two seconds before `end`, which is what Pipedrive limits; of a longer part
    their average.
    """

    start: float
    end: float
    pace: float
    slowed: int


def bins(moments: Sequence[Moment], most: int = MOST_BINS) -> list[Bin]:
    """The run, which must have taken some time, in equal parts: of two seconds, unless these were too many or few."""
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
    """(seconds, tokens that the day allowed since the run's start), from where it is known on.

    What is spent is counted when a request leaves, what is left when its answer comes: between them the sum of both is
    too high, so the lowest one of a day counts. A day that is spent says nothing of what it allowed.
    """
    told: list[tuple[float, float]] = []
    for moment in moments:
        if moment.tokens_left_today:
            allowed = float(moment.tokens_spent + moment.tokens_left_today)
            same_day = bool(told) and allowed < told[-1][1] * ANOTHER_DAY
            told.append((moment.at, min(allowed, told[-1][1]) if same_day else allowed))
    return told


def chosen_ticks(moments: Sequence[Moment], most: int = ROWS) -> list[Moment]:
    """At most so many moments at about equal distances in time, the first and the last among them."""
    whole = moments[-1].at
    picked = {_until(moments, whole * place / (most - 1)).at: None for place in range(most - 1)}
    by_time = {moment.at: moment for moment in moments}
    return [by_time[at] for at in picked if at != whole] + [moments[-1]]


def ticks(highest: float, *, whole: bool = True) -> list[float]:
    """Round numbers from 0 to at least `highest`, three to six of them at equal distances; `whole`: no fractions."""
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
    """Per cent of the width for each number above 0: none so little that it cannot be seen, all together within 100.

    `whole` is what 100 stands for, the sum of the numbers unless it is given.
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
    """A time since the start of the run, more exact than a duration: `0`, `0.15 s`, `3 min 5 s`."""
    if seconds >= 10:
        return duration_words(seconds)
    return f"{seconds:.2f}".rstrip("0").rstrip(".") + (" s" if seconds else "")


def compact(number: float, highest: float) -> str:
    """A number for an axis that goes up to `highest`, all of one axis alike: `950`, `2.5k`, `0.5M`, `3B`."""
    for size, sign in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if highest >= size and number:
            return f"{number / (1e3 if sign == 'k' else size):,.10g}{sign}"
    return f"{number:,.10g}"


def _until(moments: Sequence[Moment], at: float) -> Moment:
    """The last moment that is not later."""
    return next((moment for moment in reversed(moments) if moment.at <= at + 1e-9), moments[0])


def _between(moments: Sequence[Moment], at: float) -> float:
    """Requests sent until then, as if they had left evenly between two moments; before the first, as many as there."""
    before = _until(moments, at)
    after = next((moment for moment in moments if moment.at > at + 1e-9), before)
    if after.at <= before.at:
        return before.requests
    return before.requests + (after.requests - before.requests) * (at - before.at) / (after.at - before.at)
