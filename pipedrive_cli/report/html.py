"""The report as one HTML file for a browser, without any outside resource. Knows neither the journal nor the terminal.

Everything that comes from outside goes through `markup`, which escapes it. Should one place ever be forgotten, the
page's own security policy still runs no script but ours: it names ours by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from importlib import resources
from pathlib import Path

from pipedrive_cli import __version__
from pipedrive_cli.report import charts, wording
from pipedrive_cli.report.course import Moment
from pipedrive_cli.report.markup import SENTENCE, code, folded, items, prose, section, table, text
from pipedrive_cli.report.occasion import Occasion
from pipedrive_cli.report.problem_table import problem_table
from pipedrive_cli.report.summary import RecordCounts, Summary, mismatch

__all__ = ["Moment", "Occasion", "render"]

_RECORD_COLUMNS = ("created", "updated", "unchanged", "merged")
_ENDPOINTS = 6  # the frequent ones; the others are for those who want to know
_TRAITS = 50  # of one kind of record
_SCENES: dict[wording.Scene, str] = {
    "account": "",
    "sandbox": "In the embedded sandbox: nothing of this is in Pipedrive.",
    "foretold": "Foretold by a rehearsal in a Pipedrive of our own: nothing was sent.",
}


def render(
    summary: Summary,
    occasion: Occasion | None = None,
    *,
    rejects: Path | None = None,
    resume_in: float | None = None,
) -> str:
    """The whole page. `occasion` adds where and when, and pictures of the run over time where it has two moments.

    `rejects` is the file of rejected events if one was asked for, `resume_in` the seconds after the run's end when the
    day's budget is back.
    """
    told = occasion or Occasion()
    style, script = _resource("page.css"), _resource("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    body = "\n".join(
        [
            _header(summary, told),
            "<main>",
            _next(summary, told, rejects, resume_in),
            _events(summary, told),
            problem_table(wording.apart(summary.problems)[0]),
            _records(summary),
            _cost(summary, told),
            _skipped(summary),
            _dropped(summary),
            "</main>",
            f"<footer>Written by pipedrive-cli {__version__}. This file asks nobody for anything; it holds examples "
            "from your events, so keep it as you keep those.</footer>",
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(_title(summary, told))}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _title(summary: Summary, occasion: Occasion) -> str:
    kind = {"account": "run", "sandbox": "sandbox run", "foretold": "rehearsal"}[occasion.scene]
    return f"pipedrive-cli: {kind} {summary.run}"


def _header(summary: Summary, occasion: Occasion) -> str:
    scene = _SCENES[occasion.scene]
    wrong = mismatch(summary)
    lines = [
        f'<p class="scene">{scene}</p>' if scene else "",
        f'<h1 class="{summary.status}">{text(_headline(summary, occasion), SENTENCE)}</h1>',
        *(f"<p>{prose(remark)}</p>" for remark in occasion.remarks),
        f'<p class="bug">{text(wrong, SENTENCE)}</p>' if wrong else "",
        f'<dl class="facts">{"".join(_facts(summary, occasion))}</dl>',
    ]
    return f"<header>\n{''.join(lines)}\n</header>"


def _headline(summary: Summary, occasion: Occasion) -> str:
    return wording.headline(summary, scene=occasion.scene, passed_over=occasion.passed_over)


def _facts(summary: Summary, occasion: Occasion) -> Iterator[str]:
    started = occasion.started
    if started is not None:
        shown = f'<time datetime="{started:%Y-%m-%dT%H:%M:%SZ}">{started:%Y-%m-%d %H:%M:%S} UTC</time>'
        yield _fact("Started", shown)
    if occasion.company:
        yield _fact("Company", f"<bdi>{text(occasion.company)}</bdi>")
    if occasion.command:
        yield _fact("Command", code(f"pipedrive-cli {occasion.command}"))
    yield _fact("Run", code(summary.run))
    yield _fact("Exit code", f"{summary.exit_code}")


def _fact(name: str, value: str) -> str:
    return f"<div><dt>{name}</dt> <dd>{value}</dd></div> "


def _next(summary: Summary, occasion: Occasion, rejects: Path | None, resume_in: float | None) -> str:
    steps = wording.next_steps(summary, rejects=rejects, scene=occasion.scene)
    if resume_in is not None and occasion.started is not None:
        back = occasion.started + timedelta(seconds=summary.seconds + resume_in)
        steps = [f"Come back after {back:%Y-%m-%d %H:%M} UTC.", *steps]
    return section("What to do next", items(prose(step) for step in steps))


def _events(summary: Summary, occasion: Occasion) -> str:
    counts = summary.events.by_outcome()
    read = summary.events.read
    filtered = f"<p>{summary.filtered:,} more were left out by an option.</p>" if summary.filtered else ""
    if not read:
        return section("Events", filtered or "<p>None were read.</p>")
    rows = [
        (
            f'{charts.swatch(outcome.value)}{outcome.value}<span class="meaning">'
            f"{wording.meaning(outcome, occasion.scene)}</span>",
            f"{count:,}",
            _percent(count, read),
        )
        for outcome, count in counts.items()
        if count
    ]
    bar = charts.stacked_bar([(outcome.value, count) for outcome, count in counts.items()], "Events by outcome")
    over_time = charts.outcomes_over_time(occasion.moments) if _went_on(occasion) else ""
    return section("Events", bar + table(("Outcome", "Events", "Share"), rows) + filtered + over_time)


def _percent(count: int, whole: int) -> str:
    share = 100 * count / whole
    if share < 0.1:
        return "&lt; 0.1 %"
    return "&gt; 99.9 %" if share > 99.9 and count < whole else f"{share:.1f} %"


def _records(summary: Summary) -> str:
    kinds = [(kind, _parts(counts)) for kind, counts in summary.records.by_kind().items()]
    most = max(sum(number for _, number in parts) for _, parts in kinds)
    return section(
        "Records",
        "".join(
            f'<div class="kind"><h3>{kind}</h3>{charts.stacked_bar(parts, kind, whole=most)}'
            f"{charts.legend(parts)}</div>"
            for kind, parts in kinds
            if any(number for _, number in parts)
        ),
    )


def _parts(counts: RecordCounts) -> list[tuple[str, int]]:
    return [(column, int(getattr(counts, column))) for column in _RECORD_COLUMNS]


def _cost(summary: Summary, occasion: Occasion) -> str:
    requests, tokens = summary.requests, summary.tokens
    would = "would be " if occasion.scene == "foretold" else ""
    left = ""
    if tokens.left_today is not None and occasion.scene == "account":
        left = f", {tokens.left_today:,} left today"
    repeated = f", {requests.retried:,} of them repetitions" if requests.retried else ""
    said = (
        f"<p>{wording.count(requests.total, 'request')}{repeated}; "
        f"{wording.count(tokens.spent, 'API token')} {would}spent{left}.</p>"
    )
    pictures = ""
    if _went_on(occasion):
        drawn = charts.requests_over_time(occasion.moments) + charts.tokens_over_time(occasion.moments)
        pictures = f'<div class="pair">{drawn}</div>'
    ranked = sorted(requests.by_endpoint.items(), key=lambda item: (-item[1], item[0]))
    rows = [(code(name), f"{count:,}") for name, count in ranked]
    heads = ("Request", "How often")
    others = folded(wording.count(len(rows) - _ENDPOINTS, "other kind", "other kinds"), table(heads, rows[_ENDPOINTS:]))
    return section("Cost", said + pictures + table(heads, rows[:_ENDPOINTS]) + others)


def _went_on(occasion: Occasion) -> bool:
    """Whether there is a time to draw."""
    moments = occasion.moments
    return len(moments) > 1 and moments[-1].at > 0


def _skipped(summary: Summary) -> str:
    return section("Skipped", items(prose(wording.skipped(group)) for group in wording.apart(summary.problems)[1]))


def _dropped(summary: Summary) -> str:
    content = ""
    for kind, traits in summary.dropped_traits.items():
        shown, others = wording.top_traits(traits, _TRAITS)
        rows = [(code(name), f"{count:,}") for name, count in shown]
        more = f"<p>And {wording.count(others, 'other')}.</p>" if others else ""
        content += f"<div>{table((f'Trait of {kind}', 'Events'), rows)}{more}</div>"
    return section("Traits that are in no mapping", f'<div class="pair">{content}</div>' if content else "")


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
