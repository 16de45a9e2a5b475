"""The pictures of the HTML report, as SVG. Pure: numbers in, markup out; every label is one of ours, never an event's.

A picture is as wide as its place, and its letters are not: shapes lie in a stretched drawing of 1000 by 1000 points,
text is placed by percentages and sized by the style sheet. Colours are classes of `page.css`, because the page's
security policy allows no inline styles; beside its colour each thing has a sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipedrive_cli.outcomes import Outcome
from pipedrive_cli.report.course import Moment
from pipedrive_cli.report.markup import folded, table
from pipedrive_cli.report.scales import (
    ANOTHER_DAY,
    WINDOW,
    Bin,
    bins,
    budgets,
    chosen,
    clock,
    compact,
    shares,
    ticks,
    time_ticks,
)
from pipedrive_cli.report.wording import count, duration

SIGNS = {
    "delivered": "✓",
    "unchanged": "=",
    "duplicate": "≡",
    "skipped": "–",
    "rejected": "×",
    "failed": "!",
    "pending": "⋯",
    "created": "+",
    "updated": "±",
    "merged": "&amp;",
}
BEYOND = 20  # a limit that is so many times higher than what was used would press the picture flat
ENDLESS = 1_000_000  # requests in 2 s: the sandbox's way to say that there is no limit
_SIDE = 1000
_ROOM = 5.0  # per cent of a picture: enough for a sign


def swatch(name: str) -> str:
    """The colour and the sign of an outcome, or of what became of a record, before its name."""
    return (
        f'<svg class="swatch" aria-hidden="true"><rect class="{name}" width="100%" height="100%"/></svg>'
        f'<span class="sign" aria-hidden="true">{SIGNS.get(name, "")}</span> '
    )


def legend(parts: Iterable[tuple[str, int]]) -> str:
    """What the colours of a picture mean, with the numbers; `parts` are (class, count)."""
    listed = "".join(f"<li>{swatch(name)}{number:,} {name}</li>" for name, number in parts if number)
    return f'<ul class="legend">{listed}</ul>' if listed else ""


def stacked_bar(parts: Sequence[tuple[str, int]], label: str, *, whole: int | None = None) -> str:
    """One horizontal bar, divided by count; `parts` are (class, count), `whole` what the full width stands for."""
    there = [(name, number) for name, number in parts if number]
    pieces, signs, x = [], [], 0.0
    for (name, number), width in zip(there, shares([number for _, number in there], whole), strict=True):
        pieces.append(
            f'<rect class="{name}" x="{x:.2f}%" width="{width:.2f}%" height="100%">'
            f"<title>{number:,} {name}</title></rect>"
        )
        if width >= _ROOM:
            signs.append(f'<text class="on" x="{x + width / 2:.2f}%" y="50%">{SIGNS[name]}</text>')
        x += width
    said = ", ".join(f"{number:,} {name}" for name, number in there)
    return f'<svg class="bar" role="img" aria-label="{label}: {said or "none"}">{"".join(pieces + signs)}</svg>'


def outcomes_over_time(moments: Sequence[Moment]) -> str:
    """Events by outcome from the start to each moment, as areas upon each other; nothing where none had ended."""
    end, last = moments[-1].at, moments[-1].outcomes
    steps = ticks(max(sum(moment.outcomes.values()) for moment in moments))
    there = [outcome for outcome in Outcome if any(moment.outcomes.get(outcome) for moment in moments)]
    if not there:
        return ""
    floor, areas, signs = [0] * len(moments), [], []
    for outcome in there:
        ceiling = [low + moment.outcomes.get(outcome, 0) for low, moment in zip(floor, moments, strict=True)]
        outline = [(moment.at, value) for moment, value in zip(moments, ceiling, strict=True)]
        outline += reversed([(moment.at, value) for moment, value in zip(moments, floor, strict=True)])
        areas.append(f'<polygon class="{outcome.value}" points="{_points(outline, end, steps[-1])}"/>')
        if 100 * (ceiling[-1] - floor[-1]) / steps[-1] >= _ROOM:
            y = 100 - 50 * (ceiling[-1] + floor[-1]) / steps[-1]
            signs.append(f'<text class="on" x="97%" y="{y:.1f}%">{SIGNS[outcome.value]}</text>')
        floor = ceiling
    rows = [
        (clock(moment.at), *(f"{moment.outcomes.get(outcome, 0):,}" for outcome in there)) for moment in chosen(moments)
    ]
    said = ", ".join(f"{last.get(outcome, 0):,} {outcome.value}" for outcome in there)
    return _figure(
        "outcomes",
        "Events by outcome over the run",
        f"After {duration(end)}: {said}.",
        _drawing(areas) + "".join(signs),
        steps,
        end,
        legend((outcome.value, last.get(outcome, 0)) for outcome in there),
        table(("Time", *(outcome.value for outcome in there)), rows),
    )


def requests_over_time(moments: Sequence[Moment]) -> str:
    """Requests in two seconds over the run, the limit as it was known, and where Pipedrive asked to slow down."""
    end, parts = moments[-1].at, bins(moments)
    most = max(part.pace for part in parts)
    known = [
        (moment.at, moment.requests_allowed)
        for moment in moments
        if moment.requests_allowed is not None and moment.requests_allowed < ENDLESS
    ]
    shown = [(at, limit) for at, limit in known if limit <= BEYOND * most]
    steps = ticks(max([most, *(limit for _, limit in shown)]))
    drawn = [_area(_stairs(parts), end, steps[-1]), *_limit(shown, end, steps[-1])]
    slowed = "".join(
        f'<rect class="slowed" x="{100 * part.start / end:.2f}%" width="{100 * (part.end - part.start) / end:.2f}%" '
        'y="0" height="6"/>'
        for part in parts
        if part.slowed
    )
    average = (moments[-1].requests - moments[0].requests) / max(end, WINDOW) * WINDOW
    said = f"At most {most:.0f} requests in 2 seconds, {average:.1f} on average"
    beyond = f" The limit of {known[-1][1]:,} in 2 seconds is far above this picture." if known and not shown else ""
    told = [("rate", "requests in 2 seconds")]
    told += [("limit", f"the limit: {shown[-1][1]:,}")] if shown else []
    told += [("slowed", f"Pipedrive asked to slow down: {count(moments[-1].slowed, 'time')}")] if slowed else []
    allowed = f"{known[-1][1]:,.0f}" if known else "unknown"
    rows = [
        (f"{clock(part.start)} – {clock(part.end)}", f"{part.pace:.1f}", allowed, f"{part.slowed}")
        for part in bins(moments, most=12)
    ]
    return _figure(
        "requests",
        "Requests in 2 seconds, and the limit",
        f"{said}.{beyond}",
        _drawing(drawn) + slowed,
        steps,
        end,
        _key(told) + (f"<p>{beyond.strip()}</p>" if beyond else ""),
        table(("Time", "requests in 2 s", "limit", "slow down"), rows),
    )


def tokens_over_time(moments: Sequence[Moment]) -> str:
    """API tokens spent since the start, and how many the day allowed."""
    end, spent = moments[-1].at, moments[-1].tokens_spent
    known = budgets(moments)
    shown = [(at, limit) for at, limit in known if limit <= BEYOND * max(spent, 1)]
    steps = ticks(max([float(spent), *(limit for _, limit in shown)]))
    points = [(moment.at, float(moment.tokens_spent)) for moment in moments]
    beyond = f" The day allowed {known[-1][1]:,.0f}: far above this picture." if known and not shown else ""
    told = [("rate", "API tokens spent")]
    if shown:
        several = shown[-1][1] > shown[0][1] * ANOTHER_DAY
        what = "what each day allowed, on top of the days before" if several else "what the day allowed"
        told.append(("limit", f"{what}: {shown[-1][1]:,.0f}"))
    rows = [
        (
            clock(moment.at),
            f"{moment.tokens_spent:,}",
            "unknown" if moment.tokens_left_today is None else f"{moment.tokens_left_today:,}",
        )
        for moment in chosen(moments)
    ]
    return _figure(
        "tokens",
        "API tokens spent, and what the day allows",
        f"{spent:,} API tokens in {duration(end)}.{beyond}",
        _drawing([_area(points, end, steps[-1]), *_limit(shown, end, steps[-1])]),
        steps,
        end,
        _key(told) + (f"<p>{beyond.strip()}</p>" if beyond else ""),
        table(("Time", "spent", "left today"), rows),
    )


def _figure(
    name: str,
    title: str,
    said: str,
    drawing: str,
    steps: Sequence[float],
    end: float,
    meanings: str,
    numbers: str,
) -> str:
    """A picture with its axes, its meanings, and its numbers for those who would rather read."""
    high = "".join(f"<span>{compact(step, steps[-1])}</span>" for step in reversed(steps))
    lines = "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{y:.2f}%" y2="{y:.2f}%"/>'
        for y in (100 - 100 * step / steps[-1] for step in steps)
    )
    return (
        f'<figure><figcaption id="{name}-title">{title}</figcaption>'
        f'<div class="plot"><div class="high" aria-hidden="true">{high}</div>'
        f'<svg class="drawing" role="img" aria-labelledby="{name}-title" aria-describedby="{name}-said">'
        f'<desc id="{name}-said">{said}</desc>{lines}{drawing}</svg>'
        f'<svg class="times" aria-hidden="true">{"".join(_times(end))}</svg></div>'
        f"{meanings}{folded(f'{name.capitalize()} in numbers', numbers)}</figure>"
    )


def _times(end: float) -> Iterator[str]:
    for at in time_ticks(end):
        x = 100 * at / end
        anchor = "start" if x < 5 else "end" if x > 90 else "middle"
        yield f'<text x="{x:.2f}%" y="1em" text-anchor="{anchor}">{clock(at)}</text>'


def _drawing(shapes: Iterable[str]) -> str:
    """Shapes on 1000 by 1000 points, stretched over the whole picture."""
    return (
        f'<svg viewBox="0 0 {_SIDE} {_SIDE}" preserveAspectRatio="none" width="100%" height="100%">'
        f"{''.join(shapes)}</svg>"
    )


def _key(told: Iterable[tuple[str, str]]) -> str:
    shapes = {"limit": '<line class="limit-line" x1="0" x2="100%" y1="50%" y2="50%"/>'}
    other = '<rect class="{}" width="100%" height="100%"/>'
    listed = "".join(
        f'<li><svg class="swatch" aria-hidden="true">{shapes.get(name, other.format(name))}</svg>{said}</li>'
        for name, said in told
    )
    return f'<ul class="legend">{listed}</ul>'


def _area(points: Sequence[tuple[float, float]], end: float, top: float) -> str:
    outline = [(points[0][0], 0.0), *points, (points[-1][0], 0.0)]
    return (
        f'<polygon class="rate" points="{_points(outline, end, top)}"/>'
        f'<polyline class="rate-line" points="{_points(points, end, top)}"/>'
    )


def _limit(known: Sequence[tuple[float, float]], end: float, top: float) -> list[str]:
    """The limit from where it was first known to the end; it changes in steps."""
    if not known:
        return []
    points = [known[0]]
    for at, limit in [*known[1:], (end, known[-1][1])]:
        points += [(at, points[-1][1]), (at, limit)]
    return [f'<polyline class="limit-line" points="{_points(points, end, top)}"/>']


def _stairs(parts: Sequence[Bin]) -> list[tuple[float, float]]:
    return [corner for part in parts for corner in ((part.start, part.pace), (part.end, part.pace))]


def _points(points: Iterable[tuple[float, float]], end: float, top: float) -> str:
    return " ".join(f"{_SIDE * at / end:.1f},{_SIDE - _SIDE * value / top:.1f}" for at, value in points)
