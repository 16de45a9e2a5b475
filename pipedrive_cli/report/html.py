"""The report as one HTML file for a browser, without any outside resource. Knows neither the journal nor the terminal.

Everything that comes from outside goes through `_text`: hidden characters become visible, then HTML is escaped. Should
one place ever be forgotten, the page's own security policy still runs no script but ours: it names ours by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from importlib import resources

from pipedrive_cli.report import charts, wording
from pipedrive_cli.report.charts import Moment
from pipedrive_cli.report.escape import plain
from pipedrive_cli.report.summary import Example, ProblemGroup, Summary, mismatch

__all__ = ["Moment", "render"]

_RECORD_COLUMNS = ("created", "updated", "unchanged", "merged")
_LONG = 2_000  # characters of a sentence; values are cut at `plain`'s own limit


def render(summary: Summary, series: Sequence[Moment] = (), *, scene: wording.Scene = "account") -> str:
    """The whole page. `series`, in the order of time, adds pictures of the run over time where it has two moments."""
    style, script = _resource("page.css"), _resource("page.js")
    policy = f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'"
    body = "\n".join(
        [
            f"<h1>{_text(wording.headline(summary, scene=scene), _LONG)}</h1>",
            f'<p class="faint">Run <code>{_text(summary.run)}</code>, exit code {summary.exit_code}</p>',
            _bug(summary),
            _events(summary, series),
            _problems(summary),
            _records(summary),
            _cost(summary, series),
            _dropped(summary),
            _next(summary, scene),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>pipedrive-cli: run {_text(summary.run)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _events(summary: Summary, series: Sequence[Moment]) -> str:
    counts = [(outcome.value, count) for outcome, count in summary.events.by_outcome().items()]
    filtered = f"<p>{summary.filtered:,} more were left out by an option.</p>" if summary.filtered else ""
    picture = charts.stacked_bar(counts, "Events by outcome") if summary.events.read else ""
    over_time = ""
    if len(series) > 1:
        over_time = f"<figure>{charts.outcomes_over_time(series)}<figcaption>Over the run</figcaption></figure>"
    return _section("Events", picture + _legend(counts) + filtered + over_time)


def _problems(summary: Summary) -> str:
    problems, skipped = wording.apart(summary.problems)
    return (_problem_table(problems) if problems else "") + _skipped(skipped)


def _problem_table(problems: Sequence[ProblemGroup]) -> str:
    rows = "".join(_problem(place, problem) for place, problem in enumerate(problems))
    heads = "".join(
        f'<th scope="col"{kind}><button type="button">{name}</button></th>'
        for name, kind in (("Outcome", ' aria-sort="ascending"'), ("Events", ' class="number"'), ("Problem", ""))
    )
    return _section(
        "Problems, worst first",
        '<p hidden><label for="search">Search: </label><input id="search" type="search"> <span id="found"></span></p>'
        f'<table id="problems"><thead><tr>{heads}<th scope="col">Examples</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>",
    )


def _skipped(groups: Sequence[ProblemGroup]) -> str:
    lines = (f"<li>{_text(wording.skipped(group), _LONG)}</li>" for group in groups)
    return _section("Skipped", f"<ul>{''.join(lines)}</ul>") if groups else ""


def _problem(place: int, problem: ProblemGroup) -> str:
    hint = f"<br>{_text(problem.hint, _LONG)}" if problem.hint else ""
    count = f"{problem.count:,}" if problem.count else ""
    examples = "".join(f"<li>{_example(example, problem)}</li>" for example in problem.examples)
    opened = f"<details><summary>{len(problem.examples)} of {problem.count:,}</summary><ul>{examples}</ul></details>"
    return (
        f'<tr><td data-key="{place}">{wording.share(problem)}</td>'
        f'<td class="number" data-key="{problem.count}">{count}</td>'
        f"<td><strong>{_text(problem.message, _LONG)}</strong> "
        f'<code class="faint">{_text(problem.code)}</code>{hint}</td>'
        f"<td>{opened if examples else ''}</td></tr>"
    )


def _example(example: Example, problem: ProblemGroup) -> str:
    parts = [f"<code>{_text(wording.place(example))}</code>"]
    if example.message_id is not None:
        parts.append(f"message <code>{_text(example.message_id)}</code>")
    if example.user is not None:
        parts.append(f"user <code>{_text(example.user)}</code>")
    if example.field is not None:
        parts.append(f"field <code>{_text(example.field)}</code>")
    if example.value is not None:
        parts.append(f"value <code>{_text(example.value)}</code>")
    if example.message is not None and example.message != problem.message:
        parts.append(_text(example.message, _LONG))
    return ", ".join(parts)


def _records(summary: Summary) -> str:
    rows = []
    for kind, counts in summary.records.by_kind().items():
        parts = [(column, int(getattr(counts, column))) for column in _RECORD_COLUMNS]
        if any(count for _, count in parts):
            bar = charts.stacked_bar(parts, f"{kind} by what became of them", height=12)
            rows.append(f"<h3>{kind}</h3>{bar}{_legend(parts)}")
    return _section("Records", "".join(rows)) if rows else ""


def _cost(summary: Summary, series: Sequence[Moment]) -> str:
    requests, tokens = summary.requests, summary.tokens
    left = "" if tokens.left_today is None else f", {tokens.left_today:,} left today"
    repeated = f", {requests.retried:,} of them repetitions" if requests.retried else ""
    said = f"<p>{wording.count(requests.total, 'request')}{repeated}; {tokens.spent:,} API tokens spent{left}.</p>"
    pictures = ""
    if len(series) > 1:
        pictures = (
            f'<div class="pair"><figure>{charts.requests_over_time(series)}'
            "<figcaption>Requests a second; dashed: the limit</figcaption></figure>"
            f"<figure>{charts.tokens_over_time(series)}"
            "<figcaption>API tokens spent; dashed: what the day allowed</figcaption></figure></div>"
        )
    ranked = sorted(requests.by_endpoint.items(), key=lambda item: (-item[1], item[0]))
    rows = [(name, f"{count:,}") for name, count in ranked]
    return _section("Cost", said + pictures + _table(("Request", "How often"), rows))


def _dropped(summary: Summary) -> str:
    rows = [
        (f"{kind}: {name}", f"{count:,}")
        for kind, traits in summary.dropped_traits.items()
        for name, count in wording.top_traits(traits, 50)[0]
    ]
    return _section("Traits that are in no mapping", _table(("Trait", "Events"), rows)) if rows else ""


def _next(summary: Summary, scene: wording.Scene) -> str:
    steps = wording.next_steps(summary, scene=scene)
    return (
        _section("What to do next", f"<ul>{''.join(f'<li>{_text(step, _LONG)}</li>' for step in steps)}</ul>")
        if steps
        else ""
    )


def _bug(summary: Summary) -> str:
    wrong = mismatch(summary)
    return f'<p class="bug">{_text(wrong, _LONG)}</p>' if wrong else ""


def _table(heads: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f'<tr><td>{_text(name)}</td><td class="number">{number}</td></tr>' for name, number in rows)
    if not lines:
        return ""
    head = f'<thead><tr><th scope="col">{heads[0]}</th><th scope="col" class="number">{heads[1]}</th></tr></thead>'
    return f"<table>{head}<tbody>{lines}</tbody></table>"


def _legend(counts: Iterable[tuple[str, int]]) -> str:
    items = "".join(
        f'<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{name}" width="10" height="10"/></svg>'
        f"{count:,} {name}</li>"
        for name, count in counts
        if count
    )
    return f'<ul class="legend">{items}</ul>' if items else ""


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _text(text: str, limit: int = 200) -> str:
    return html.escape(plain(text, limit))


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
