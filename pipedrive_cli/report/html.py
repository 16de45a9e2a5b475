"""Renders the report as one HTML file without any outside resource. Knows neither the journal nor the terminal.

The page's looks are in `templates/`. In every value that a template shows, hidden characters are made visible and HTML
is escaped automatically. As a second defence the page's security policy runs only our own script, named by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from functools import cache
from pathlib import Path

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipedrive_cli.report import charts, wording
from pipedrive_cli.report.run_context import RunContext
from pipedrive_cli.report.safe_text import visible_text
from pipedrive_cli.report.summary import Summary, mismatch
from pipedrive_cli.version import __version__

_SENTENCE = 2_000  # characters of any text; values are cut at the limit of `visible_text`
_TRAITS = 50  # of one kind of record
_CODE = re.compile("`([^`]+)`")


def render_page(
    summary: Summary, context: RunContext | None = None, *, rejects: Path | None = None, resume_in: float | None = None
) -> str:
    """The whole page. `context` adds place and time of the run, and with two moments or more pictures of its timeline.

    `rejects` is the rejects file if one was asked for; `resume_in` is the number of seconds after the run's end at
    which the day's budget is back.
    """
    context = context or RunContext()
    steps = wording.next_steps(summary, rejects=rejects, scene=context.scene)
    if resume_in is not None and context.started is not None:
        back = context.started + timedelta(seconds=summary.seconds + resume_in)
        steps = [f"Come back after {back:%Y-%m-%d %H:%M} UTC.", *steps]
    problems, skipped = wording.split_skipped(summary.problems)
    outcomes = charts.bar((outcome.value, number) for outcome, number in summary.events.by_outcome().items())
    read, endpoints = summary.events.read, summary.requests.by_endpoint
    page = _environment().get_template("page.html")
    return page.render(
        summary=summary,
        context=context,
        bug=mismatch(summary),
        steps=steps,
        outcomes=outcomes,
        shares=[(part.name, part.number, _share(part.number, read)) for part in outcomes if read],
        problems=problems,
        rejects=None if rejects is None else str(rejects),
        records=_records(summary),
        endpoints=wording.top_traits(endpoints, len(endpoints))[0],
        skipped=[wording.skipped(group) for group in skipped],
        traits={kind: wording.top_traits(traits, _TRAITS) for kind, traits in summary.dropped_traits.items() if traits},
        pictures=_pictures(context),
    )


def _records(summary: Summary) -> dict[str, list[charts.Part]]:
    """Bars in one scale, for the kinds that have records."""
    kinds = {kind: msgspec.structs.asdict(counts) for kind, counts in summary.records.by_kind().items()}
    most = max(sum(counts.values()) for counts in kinds.values())
    return {kind: charts.bar(counts.items(), most) for kind, counts in kinds.items() if any(counts.values())}


def _pictures(context: RunContext) -> dict[str, charts.Picture | None]:
    """The pictures of the timeline; none for a run without any length."""
    moments = context.moments
    if len(moments) < 2 or not moments[-1].at:
        return {}
    return {
        "outcomes": charts.outcomes_over_time(moments),
        "requests": charts.requests_over_time(moments),
        "tokens": charts.tokens_over_time(moments),
    }


def _share(number: int, whole: int) -> str:
    share = 100 * number / whole
    if share < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if share > 99.9 and number < whole else f"{share:.1f} %"


@cache
def _environment() -> Environment:
    loader = PackageLoader("pipedrive_cli.report")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "digest": _digest,
        "grouped": "{:,}".format,
        "percent": "{:.2f}%".format,
        "plain": visible_text,
        "split_at_code": _split_at_code,
    }
    for name, file in (("style", "page.css"), ("script", "page.js")):
        content, _, _ = loader.get_source(environment, file)
        environment.globals[name] = Markup(content)  # noqa: S704 - comes with the package; nothing else is shown as it is
    environment.globals |= {"wording": wording, "version": __version__}
    return environment


def _visible(value: object) -> object:
    """Makes hidden characters visible in a value of a template, before it is escaped. Markup stays unchanged."""
    return visible_text(value, _SENTENCE) if isinstance(value, str) and not isinstance(value, Markup) else value


def _split_at_code(sentence: str) -> list[str]:
    """The parts of a sentence; every second one was between backticks. Cut first, so that no cut splits a pair."""
    return _CODE.split(visible_text(sentence, _SENTENCE))


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
