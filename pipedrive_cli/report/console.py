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
from pipedrive_cli.model import FILE_PROBLEMS, Kind, Outcome
from pipedrive_cli.report import wording
from pipedrive_cli.report.summary import EXAMPLES, Example, ProblemGroup, Summary, mismatch, worst_first
from pipedrive_cli.report.terminal import (
    MESSAGE_LIMIT,
    advice_lines,
    console_for,
    indented,
    is_terminal,
    joined_words,
    line_count,
    safe,
    section_lines,
    show,
)

EXAMPLES_SHOWN = 3
IN_FULL = 10  # problems; of the others each has a line
LONG = 40  # lines of a report after which the headline has scrolled away, where no terminal says how many it shows

STYLES: dict[Outcome | None, str] = {
    Outcome.DELIVERED: "green",
    Outcome.UNCHANGED: "green",
    Outcome.REJECTED: "red",
    Outcome.FAILED: "red",
    Outcome.PENDING: "yellow",
    None: "yellow",
}
_IN_REJECTS = frozenset({Outcome.REJECTED, Outcome.FAILED})
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
    unlooked: str | None = None,
) -> None:
    """The final report, on stdout unless `file` is given.

    `rejects` is the rejects file if one was written, `resume_in` the seconds to wait before the next run, `examples`
    the number of examples of each problem (five are known at most), `scene` where it happened, `passed_over` the number
    of files that earlier runs had read. `every_endpoint` shows the cost of each endpoint. `advice` are further steps.
    `unlooked` is what the number of delivered events leaves out of account.
    """
    console = console_for(file or sys.stdout)
    headline = wording.headline(summary, scene=scene, passed_over=passed_over)
    style = _HEADLINE_STYLES[summary.status]
    parts: list[RenderableType] = [safe(headline, style, limit=MESSAGE_LIMIT)]
    if wrong := mismatch(summary):
        parts.append(safe(wrong, "bold red", limit=MESSAGE_LIMIT))
    parts += section_lines("Events", _events(summary, scene, unlooked))
    parts += section_lines("Records", _records(summary))
    parts += section_lines("Cost", _cost(summary, scene), _endpoints(summary) if every_endpoint else None)
    problems, skipped = wording.split_skipped(summary.problems)
    rest = None if rejects is None else f"in {rejects}"
    parts += section_lines("Problems, worst first", *problem_lines(problems, examples, rest=rest))
    parts += section_lines("Skipped", *(safe(wording.skipped(group), limit=MESSAGE_LIMIT) for group in skipped))
    parts += section_lines("Traits that are in no mapping", *trait_lines(summary.dropped_traits))
    steps = [*wording.next_steps(summary, rejects=rejects, resume_in=resume_in, scene=scene), *advice]
    parts += section_lines("What to do next", *(safe(f"• {step}", limit=MESSAGE_LIMIT) for step in steps))
    if line_count(console, parts) > (console.height if is_terminal(console.file) else LONG):
        parts += [Text(""), parts[0]]
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
    what = "the config; nothing was sent" if error.code == "config" else "the case; none was run"
    parts.append(joined_words(Text("Error: ", "bold red"), Text(f"{count} in {what}.")))
    if error.code == "config" and any(problem.path or problem.line for problem in error.problems):
        parts += advice_lines("`pipedrive-cli check SOURCE` finds what else there is, before a run.")
    show(console_for(file or sys.stderr), parts)


def show_note(text: str, *, file: TextIO | None = None) -> None:
    """Shows one message for people, on stderr unless `file` is given."""
    show(console_for(file or sys.stderr), [safe(text, limit=MESSAGE_LIMIT)])


def _events(summary: Summary, scene: wording.Scene, unlooked: str | None) -> RenderableType | None:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for outcome, number in summary.events.by_outcome().items():
        if number:
            aside = f"; {unlooked}" if unlooked is not None and outcome is Outcome.DELIVERED else ""
            meaning = wording.meaning(outcome, scene) + aside
            table.add_row(f"{number:,}", Text(outcome.value, STYLES.get(outcome, "")), meaning)
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


def problem_lines(
    problems: Iterable[ProblemGroup], examples: int = EXAMPLES_SHOWN, *, rest: str | None = None
) -> Iterator[RenderableType]:
    """The problems, worst first: the first with hints and some examples, the others with a line each.

    So has what is only noticed, and is of the kind that was told just before, with the same hint.
    Whoever asked for all examples gets all in full. `rest` says where the events are that are no example.
    """
    ordered = worst_first(problems)
    # One that alone has a line would save none.
    in_full = len(ordered) if examples >= EXAMPLES or len(ordered) == IN_FULL + 1 else IN_FULL
    told = None
    for place, problem in enumerate(ordered):
        told, before = (problem.code, problem.hint), told
        again = told == before and problem.outcome is None and examples < EXAMPLES
        if 0 < place <= in_full and not again:
            yield Text(" ")  # Rich gives an empty text no line
        if place == in_full:
            more = f"{wording.count(len(ordered) - in_full, 'more kind', 'more kinds')} of problem"
            yield Text(f"{more}; --verbose shows what to do about each:", style="dim")
        head = joined_words(
            Text(wording.problem_label(problem), STYLES.get(problem.outcome, "")),
            Text(f" {problem.count:,} × " if problem.count else " "),
            safe(problem.message, "bold", limit=MESSAGE_LIMIT),
            safe(f" ({problem.code})", "dim"),
        )
        if place >= in_full or again:
            first = [wording.place_words(each) for each in problem.examples[:1]]
            yield indented(joined_words(head, *(safe(f"  {words}", "cyan") for words in first)), 2)
            continue
        yield head
        if problem.hint:
            yield indented(safe(problem.hint, limit=MESSAGE_LIMIT))
        shown = [example for example in problem.examples[:examples] if _says_more(example, problem)]
        for example in shown:
            yield indented(_example(example, problem))
        left = problem.count - min(examples, len(problem.examples))
        if left and shown:
            where = f" {rest}" if rest and problem.outcome in _IN_REJECTS else ""
            yield indented(safe(f"… and {left:,} more{where}", "dim", limit=MESSAGE_LIMIT))


def _says_more(example: Example, problem: ProblemGroup) -> bool:
    """Whether an example has anything that the problem's own words do not have."""
    return problem.code not in FILE_PROBLEMS or example.line is not None or (example.file or "") not in problem.message


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
    if example.message is not None and example.message not in problem.message:
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
