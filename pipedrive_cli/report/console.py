"""Shows the final report of a run, errors and notes on a terminal.

Decides nothing: figures and sentences come from `wording`, and `terminal` makes event data harmless.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pipedrive_cli.errors import ConfigProblems, PipedriveCliError
from pipedrive_cli.model import Kind, Outcome
from pipedrive_cli.report import wording
from pipedrive_cli.report.summary import Example, ProblemGroup, Summary, mismatch, worst_first
from pipedrive_cli.report.terminal import (
    MESSAGE_LIMIT,
    advice_lines,
    console_for,
    indented,
    joined_words,
    safe,
    section_lines,
    show,
)

EXAMPLES_SHOWN = 3

STYLES: dict[Outcome | None, str] = {
    Outcome.DELIVERED: "green",
    Outcome.UNCHANGED: "green",
    Outcome.REJECTED: "red",
    Outcome.FAILED: "red",
    Outcome.PENDING: "yellow",
    None: "yellow",
}
_HEADLINE_STYLES = {"complete": "bold green", "partial": "bold yellow", "stopped": "bold red"}


def show_summary(
    summary: Summary,
    *,
    file: TextIO | None = None,
    rejects: Path | None = None,
    resume_in: float | None = None,
    examples: int = EXAMPLES_SHOWN,
    scene: wording.Scene = "account",
    passed_over: int = 0,
    every_endpoint: bool = False,
    advice: Sequence[str] = (),
) -> None:
    """The final report, on stdout unless `file` is given.

    `rejects` is the rejects file if one was written, `resume_in` the seconds to wait before the next run, `examples`
    the number of examples of each problem (five are known at most), `scene` where it happened, `passed_over` the number
    of files that earlier runs had read. `every_endpoint` shows the cost of each endpoint. `advice` are further steps.
    """
    console = console_for(file or sys.stdout)
    headline = wording.headline(summary, scene=scene, passed_over=passed_over)
    style = _HEADLINE_STYLES[summary.status]
    parts: list[RenderableType] = [safe(headline, style, limit=MESSAGE_LIMIT)]
    if wrong := mismatch(summary):
        parts.append(safe(wrong, "bold red", limit=MESSAGE_LIMIT))
    parts += section_lines("Events", _events(summary, scene))
    parts += section_lines("Records", _records(summary))
    parts += section_lines("Cost", _cost(summary, scene), _endpoints(summary) if every_endpoint else None)
    problems, skipped = wording.split_skipped(summary.problems)
    parts += section_lines("Problems, worst first", *problem_lines(problems, examples))
    parts += section_lines("Skipped", *(safe(wording.skipped(group), limit=MESSAGE_LIMIT) for group in skipped))
    parts += section_lines("Traits that are in no mapping", *trait_lines(summary.dropped_traits))
    steps = [*wording.next_steps(summary, rejects=rejects, resume_in=resume_in, scene=scene), *advice]
    parts += section_lines("What to do next", *(safe(f"• {step}", limit=MESSAGE_LIMIT) for step in steps))
    show(console, parts)


def show_error(error: PipedriveCliError, *, file: TextIO | None = None) -> None:
    """Shows what went wrong and what to do, on stderr unless `file` is given."""
    if isinstance(error, ConfigProblems):
        show_config_problems(error, file=file)
        return
    message = joined_words(Text("Error: ", "bold red"), safe(error.message, limit=MESSAGE_LIMIT))
    show(console_for(file or sys.stderr), [message, *advice_lines(error.hint)])


def show_config_problems(error: ConfigProblems, *, file: TextIO | None = None) -> None:
    """Shows every mistake of a config, as lines `file:line path: message`, each followed by its hint."""
    parts: list[RenderableType] = []
    for problem in error.problems:
        place = error.file if problem.line is None else f"{error.file}:{problem.line}"
        path = f" {problem.path}" if problem.path else ""
        message = safe(f": {problem.message}", limit=MESSAGE_LIMIT)
        parts.append(joined_words(safe(place, limit=MESSAGE_LIMIT), safe(path, "bold"), message))
        parts += advice_lines(problem.hint)
    count = wording.count(len(error.problems), "problem")
    parts.append(joined_words(Text("Error: ", "bold red"), Text(f"{count} in the config; nothing was sent.")))
    parts += advice_lines("`pipedrive-cli check SOURCE` finds what else there is, before a run.")
    show(console_for(file or sys.stderr), parts)


def show_note(text: str, *, file: TextIO | None = None) -> None:
    """Shows one message for people, on stderr unless `file` is given."""
    show(console_for(file or sys.stderr), [safe(text, limit=MESSAGE_LIMIT)])


def _events(summary: Summary, scene: wording.Scene) -> RenderableType | None:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for outcome, number in summary.events.by_outcome().items():
        if number:
            table.add_row(f"{number:,}", Text(outcome.value, STYLES.get(outcome, "")), wording.meaning(outcome, scene))
    if summary.filtered:
        table.add_row(f"{summary.filtered:,}", Text("filtered"), "left out by an option, not counted as read")
    return table if table.row_count else None


def _records(summary: Summary) -> RenderableType | None:
    columns = ("created", "updated", "unchanged", "merged")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for kind, counts in summary.records.by_kind().items():
        numbers = [getattr(counts, column) for column in columns]
        if any(numbers):
            table.add_row(kind, *(f"{number:,}" if number else "-" for number in numbers))
    return table if table.row_count else None


def _cost(summary: Summary, scene: wording.Scene) -> RenderableType | None:
    requests, tokens = summary.requests, summary.tokens
    if not requests.total and not tokens.spent:
        return None
    repeated = f", {requests.retried:,} of them repetitions" if requests.retried else ""
    asked = f"{wording.count(requests.total, 'request')}{repeated}"
    if scene != "account":
        return Text(f"{asked}; {tokens.spent:,} API tokens {'would be ' if scene == 'foretold' else ''}spent")
    left = "" if tokens.left_today is None else f", {tokens.left_today:,} left today"
    return Text(f"{asked}; {tokens.spent:,} API tokens spent{left}")


def _endpoints(summary: Summary) -> RenderableType | None:
    """Tokens and requests of each endpoint, the most expensive first."""
    requests, tokens = summary.requests.by_endpoint, summary.tokens.by_endpoint
    if not tokens:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("tokens", "requests"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("endpoint", overflow="fold")
    for endpoint in sorted({*requests, *tokens}, key=lambda name: (-tokens.get(name, 0), name)):
        table.add_row(f"{tokens.get(endpoint, 0):,}", f"{requests.get(endpoint, 0):,}", safe(endpoint))
    return table


def problem_lines(problems: Iterable[ProblemGroup], examples: int = EXAMPLES_SHOWN) -> Iterator[RenderableType]:
    """Every problem with its hint and some examples, worst first."""
    for number, problem in enumerate(worst_first(problems)):
        if number:
            yield Text(" ")  # Rich gives an empty text no line
        yield joined_words(
            Text(wording.problem_label(problem), STYLES.get(problem.outcome, "")),
            Text(f" {problem.count:,} × " if problem.count else " "),
            safe(problem.message, "bold", limit=MESSAGE_LIMIT),
            safe(f" ({problem.code})", "dim"),
        )
        if problem.hint:
            yield indented(safe(problem.hint, limit=MESSAGE_LIMIT))
        for example in problem.examples[:examples]:
            yield indented(_example(example, problem))
        more = problem.count - min(examples, len(problem.examples))
        if more and problem.examples[:examples]:
            yield indented(Text(f"… and {more:,} more", style="dim"))


def _example(example: Example, problem: ProblemGroup) -> Text:
    line = joined_words(safe(wording.place_words(example), "cyan"))
    if example.message_id is not None:
        line.append_text(safe(f"  {example.message_id}"))
    if example.user is not None:
        line.append_text(safe(f"  user {example.user}"))
    if example.field is not None:
        line.append_text(safe(f"  {example.field}", "bold"))
    if example.value is not None and example.value not in (example.message or ""):
        line.append_text(safe(f" = {example.value}" if example.field is not None else f"  {example.value}"))
    if example.message is not None and example.message != problem.message:
        line.append_text(safe(f"  {example.message}", "dim", limit=MESSAGE_LIMIT))
    return line


def trait_lines(dropped: Mapping[Kind, dict[str, int]]) -> Iterator[RenderableType]:
    """The most frequent traits that no mapping names, a line for each kind of record."""
    for kind, traits in dropped.items():
        if not traits:
            continue
        top, others = wording.top_traits(traits)
        line = Text(f"{kind}: ")
        line.append_text(Text(", ").join(safe(f"{name} ({number:,})") for name, number in top))
        yield line.append(f" … and {others:,} more" if others else "")
