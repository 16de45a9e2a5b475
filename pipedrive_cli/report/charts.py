"""The contents of the HTML report's pictures: shapes, positions and labels. Pure: no markup.

`templates/charts.html` draws them. Positions and widths are per cent of a picture; the points of shapes are on a grid
of 1000 by 1000. No label comes from an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from pipedrive_cli.model import Outcome
from pipedrive_cli.report.axes import (
    ANOTHER_DAY,
    WINDOW,
    Bin,
    bins,
    budgets,
    chosen_ticks,
    clock_label,
    compact,
    shares,
    ticks,
    time_ticks,
)
from pipedrive_cli.report.timeline import ENDLESS, Moment
from pipedrive_cli.report.wording import count, duration_words

BEYOND = 20  # a limit so many times higher than the use is not drawn: it would press the picture flat
_SIDE = 1000


class Part(NamedTuple):
    """A part of a bar, or of a picture's height: its name, its number, where it starts and how long it is."""

    name: str
    number: int
    start: float
    width: float


class Shape(NamedTuple):
    """A polygon in a colour of the style sheet."""

    form: Literal["polygon", "polyline"]
    colour: str
    points: list[tuple[float, float]]


class Tick(NamedTuple):
    """A round number on an axis."""

    place: float
    label: str


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Shapes over the time of a run, with axes and words, and the same numbers as a table.

    `parts` are the numbers of the shapes at the run's end, where they add up; otherwise `key` explains the colours.
    `slowed` are the times at which Pipedrive asked to slow down. `beyond` names a limit that is too high to be drawn.
    """

    name: str
    title: str
    description: str
    high: Sequence[Tick]
    times: Sequence[Tick]
    shapes: Sequence[Shape]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    parts: Sequence[Part] = ()
    slowed: Sequence[Part] = ()
    key: dict[str, str] = {}
    beyond: str = ""


def bar(numbers: Iterable[tuple[str, int]], whole: int | None = None) -> list[Part]:
    """One bar, divided by count; `whole` is the number that the full width stands for, by default the sum."""
    there = [(name, number) for name, number in numbers if number]
    parts: list[Part] = []
    for (name, number), width in zip(there, shares([number for _, number in there], whole), strict=True):
        parts.append(Part(name, number, parts[-1].start + parts[-1].width if parts else 0.0, width))
    return parts


def outcomes_over_time(moments: Sequence[Moment]) -> Picture | None:
    """Events by outcome over time, as stacked areas; None if no event ended."""
    end, last = moments[-1].at, moments[-1].outcomes
    there = [outcome for outcome in Outcome if any(moment.outcomes.get(outcome) for moment in moments)]
    if not there:
        return None
    steps = ticks(max(sum(moment.outcomes.values()) for moment in moments))
    top = steps[-1]
    floor, areas, parts = [0] * len(moments), [], []
    for outcome in there:
        ceiling = [low + moment.outcomes.get(outcome, 0) for low, moment in zip(floor, moments, strict=True)]
        outline = [(moment.at, value) for moment, value in zip(moments, ceiling, strict=True)]
        outline += reversed([(moment.at, value) for moment, value in zip(moments, floor, strict=True)])
        areas.append(Shape("polygon", outcome.value, _points(outline, end, top)))
        number = last.get(outcome, 0)
        parts.append(Part(outcome.value, number, 100 * floor[-1] / top, 100 * number / top))
        floor = ceiling
    description = ", ".join(f"{part.number:,} {part.name}" for part in parts)
    return Picture(
        name="outcomes",
        title="Events by outcome over the run",
        description=f"After {duration_words(end)}: {description}.",
        high=_height_ticks(steps),
        times=_time_ticks(end),
        shapes=areas,
        parts=parts,
        heads=("Time", *(outcome.value for outcome in there)),
        rows=[
            (clock_label(moment.at), *(f"{moment.outcomes.get(outcome, 0):,}" for outcome in there))
            for moment in chosen_ticks(moments)
        ],
    )


def requests_over_time(moments: Sequence[Moment]) -> Picture:
    """Requests in two seconds over time, the known limit, and the times at which Pipedrive asked to slow down."""
    end, spans = moments[-1].at, bins(moments)
    most = max(span.pace for span in spans)
    known = [
        (moment.at, moment.requests_allowed)
        for moment in moments
        if moment.requests_allowed is not None and moment.requests_allowed < ENDLESS
    ]
    shown = [(at, limit) for at, limit in known if limit <= BEYOND * most]
    steps = ticks(max([most, *(limit for _, limit in shown)]))
    slowed = [
        Part("slowed", span.slowed, 100 * span.start / end, 100 * (span.end - span.start) / end)
        for span in spans
        if span.slowed
    ]
    average = (moments[-1].requests - moments[0].requests) / max(end, WINDOW) * WINDOW
    key = {"rate": "requests in 2 seconds"}
    if shown:
        key["limit"] = f"the limit: {shown[-1][1]:,}"
    if slowed:
        key["slowed"] = f"Pipedrive asked to slow down: {count(moments[-1].slowed, 'time')}"
    allowed = f"{known[-1][1]:,.0f}" if known else "unknown"
    return Picture(
        name="requests",
        title="Requests in 2 seconds, and the limit",
        description=f"At most {most:.0f} requests in 2 seconds, {average:.1f} on average.",
        high=_height_ticks(steps),
        times=_time_ticks(end),
        shapes=[*_area(_stairs(spans), end, steps[-1]), *_limit(shown, end, steps[-1])],
        slowed=slowed,
        key=key,
        beyond=f"The limit of {allowed} in 2 seconds is far above this picture." if known and not shown else "",
        heads=("Time", "requests in 2 s", "limit", "slow down"),
        rows=[
            (f"{clock_label(span.start)} – {clock_label(span.end)}", f"{span.pace:.1f}", allowed, f"{span.slowed}")
            for span in bins(moments, most=12)
        ],
    )


def tokens_over_time(moments: Sequence[Moment]) -> Picture:
    """API tokens spent since the start, and the number that the day allowed."""
    end, spent = moments[-1].at, moments[-1].tokens_spent
    known = budgets(moments)
    shown = [(at, limit) for at, limit in known if limit <= BEYOND * max(spent, 1)]
    steps = ticks(max([float(spent), *(limit for _, limit in shown)]))
    points = [(moment.at, float(moment.tokens_spent)) for moment in moments]
    key = {"rate": "API tokens spent"}
    if shown:
        several = shown[-1][1] > shown[0][1] * ANOTHER_DAY
        what = "what each day allowed, on top of the days before" if several else "what the day allowed"
        key["limit"] = f"{what}: {shown[-1][1]:,.0f}"
    return Picture(
        name="tokens",
        title="API tokens spent, and what the day allows",
        description=f"{spent:,} API tokens in {duration_words(end)}.",
        high=_height_ticks(steps),
        times=_time_ticks(end),
        shapes=[*_area(points, end, steps[-1]), *_limit(shown, end, steps[-1])],
        key=key,
        beyond=f"The day allowed {known[-1][1]:,.0f}: far above this picture." if known and not shown else "",
        heads=("Time", "spent", "left today"),
        rows=[
            (
                clock_label(moment.at),
                f"{moment.tokens_spent:,}",
                "unknown" if moment.tokens_left_today is None else f"{moment.tokens_left_today:,}",
            )
            for moment in chosen_ticks(moments)
        ],
    )


def _height_ticks(steps: Sequence[float]) -> list[Tick]:
    return [Tick(100 * step / steps[-1], compact(step, steps[-1])) for step in steps]


def _time_ticks(end: float) -> list[Tick]:
    return [Tick(100 * at / end, clock_label(at)) for at in time_ticks(end)]


def _area(points: Sequence[tuple[float, float]], end: float, top: float) -> list[Shape]:
    outline = [(points[0][0], 0.0), *points, (points[-1][0], 0.0)]
    return [
        Shape("polygon", "rate", _points(outline, end, top)),
        Shape("polyline", "rate-line", _points(points, end, top)),
    ]


def _limit(known: Sequence[tuple[float, float]], end: float, top: float) -> list[Shape]:
    """The limit, in steps, from the first moment at which it was known to the end."""
    if not known:
        return []
    points = [known[0]]
    for at, limit in [*known[1:], (end, known[-1][1])]:
        points += [(at, points[-1][1]), (at, limit)]
    return [Shape("polyline", "limit-line", _points(points, end, top))]


def _stairs(spans: Sequence[Bin]) -> list[tuple[float, float]]:
    return [corner for span in spans for corner in ((span.start, span.pace), (span.end, span.pace))]


def _points(points: Iterable[tuple[float, float]], end: float, top: float) -> list[tuple[float, float]]:
    return [(round(_SIDE * at / end, 1), round(_SIDE - _SIDE * value / top, 1)) for at, value in points]
