"""The pictures of the HTML report, as SVG. Pure: numbers in, markup out; every label is one of ours, never an event's.

Colours and strokes are classes of `page.css`, because the page's security policy allows no inline styles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import msgspec

from pipedrive_cli.outcomes import Outcome
from pipedrive_cli.report.wording import duration

WIDTH, HEIGHT = 600, 200
_LEFT, _BOTTOM, _TOP = 60, 22, 12


class Moment(msgspec.Struct, frozen=True):
    """One look at a run under way: `at` is seconds since its start, the counts are those from its start to then.

    `requests_allowed` is Pipedrive's limit in requests a second, None while it is unknown.
    """

    at: float
    outcomes: dict[Outcome, int] = {}
    requests: int = 0
    tokens_spent: int = 0
    tokens_left_today: int | None = None
    requests_allowed: float | None = None


def stacked_bar(parts: Sequence[tuple[str, int]], label: str, *, height: int = 22) -> str:
    """One horizontal bar, divided by count; `parts` are (class, count)."""
    whole = sum(count for _, count in parts) or 1
    pieces, x = [], 0.0
    for name, count in parts:
        width = WIDTH * count / whole
        if count:
            pieces.append(
                f'<rect class="{name}" x="{x:.2f}" y="0" width="{max(width, 1):.2f}" height="{height}">'
                f"<title>{count:,} {name}</title></rect>"
            )
        x += width
    return _svg("".join(pieces), label, height)


def outcomes_over_time(series: Sequence[Moment]) -> str:
    """Events by outcome from the start to each moment, as areas upon each other."""
    top = max(sum(moment.outcomes.values()) for moment in series)
    x, y = _scales(series, top)
    floor = [0] * len(series)
    areas = []
    for outcome in Outcome:
        ceiling = [low + moment.outcomes.get(outcome, 0) for low, moment in zip(floor, series, strict=True)]
        if ceiling != floor:
            above = [(x(moment.at), y(value)) for moment, value in zip(series, ceiling, strict=True)]
            below = [(x(moment.at), y(value)) for moment, value in zip(series, floor, strict=True)]
            areas.append(f'<polygon class="{outcome.value}" points="{_points([*above, *reversed(below)])}"/>')
        floor = ceiling
    return _svg("".join(areas) + _axes(series, top), "Events by outcome over the run")


def requests_over_time(series: Sequence[Moment]) -> str:
    """Requests a second between two moments, and the limit as it was known."""
    steps = [(a, b) for a, b in pairwise(series) if b.at > a.at]
    rates = [(b.at, (b.requests - a.requests) / (b.at - a.at)) for a, b in steps]
    limits = [(moment.at, moment.requests_allowed) for moment in series if moment.requests_allowed is not None]
    top = max([value for _, value in [*rates, *limits]], default=0.0)
    return _lines(series, rates, limits, top, "Requests a second over the run, and the limit")


def tokens_over_time(series: Sequence[Moment]) -> str:
    """API tokens spent since the start, and how many the day allowed."""
    spent = [(moment.at, float(moment.tokens_spent)) for moment in series]
    limits = [
        (moment.at, float(moment.tokens_spent + moment.tokens_left_today))
        for moment in series
        if moment.tokens_left_today is not None
    ]
    top = max(value for _, value in [*spent, *limits])
    return _lines(series, spent, limits, top, "API tokens spent over the run, and the day's limit")


def _lines(
    series: Sequence[Moment],
    drawn: Sequence[tuple[float, float]],
    limits: Sequence[tuple[float, float]],
    top: float,
    label: str,
) -> str:
    x, y = _scales(series, top)
    lines = "".join(
        f'<polyline class="{name}" points="{_points([(x(at), y(value)) for at, value in points])}"/>'
        for name, points in (("limit", limits), ("drawn", drawn))
        if points
    )
    return _svg(lines + _axes(series, top), label)


def _scales(series: Sequence[Moment], top: float) -> tuple[Callable[[float], float], Callable[[float], float]]:
    start, end = series[0].at, series[-1].at
    length, high = (end - start) or 1.0, top or 1.0
    return (
        lambda at: _LEFT + (WIDTH - _LEFT) * (at - start) / length,
        lambda value: HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * value / high,
    )


def _axes(series: Sequence[Moment], top: float) -> str:
    floor = HEIGHT - _BOTTOM
    return (
        f'<line class="axis" x1="{_LEFT}" y1="{floor}" x2="{WIDTH}" y2="{floor}"/>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 4}" text-anchor="end">{top:,.0f}</text>'
        f'<text x="{_LEFT - 6}" y="{floor}" text-anchor="end">0</text>'
        f'<text x="{_LEFT}" y="{HEIGHT - 6}">start</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 6}" text-anchor="end">{duration(series[-1].at)}</text>'
    )


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _svg(content: str, label: str, height: int = HEIGHT) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{content}</svg>'
