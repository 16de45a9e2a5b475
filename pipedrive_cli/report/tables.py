"""Shows the results of the other commands on stdout: past runs, a run's records, custom fields, what `check` found.

Decides nothing, and like `console` treats every text as hostile.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pipedrive_cli.model import Kind
from pipedrive_cli.report.console import EXAMPLES_SHOWN, problem_lines, trait_lines
from pipedrive_cli.report.summary import ProblemGroup
from pipedrive_cli.report.terminal import (
    MESSAGE_LIMIT,
    advice_lines,
    console_for,
    indented,
    is_terminal,
    joined_words,
    safe,
    section_lines,
    show,
)
from pipedrive_cli.report.wording import place_words, skipped, split_skipped

CELL_LIMIT = 1_000  # characters: a list of options may be long
WIDE = 100_000  # columns: Rich folds no line
_STATUS_STYLES = {"complete": "green", "partial": "yellow", "stopped": "red"}


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Shows a table on stdout. No cell is folded, so that keys and links can be copied; the terminal wraps lines."""
    table = _table(columns)
    for row in rows:
        table.add_row(*(safe(cell, limit=CELL_LIMIT) for cell in row))
    _show(table, WIDE)


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Shows a table on stderr, within the terminal's width, to be read before a question."""
    table = _table(columns, right)
    for row in rows:
        table.add_row(*(safe(cell) for cell in row))
    show(console_for(sys.stderr), [table])


def show_runs(rows: Iterable[tuple[str, str, str, int, int, int, int]]) -> None:
    """Shows rows of (run, started in UTC, status, events read and rejected, records created, tokens spent).

    On a terminal that is too narrow for the table each run has lines of its own: its name is there to be copied.
    """
    numbers = ("events", "rejected", "created", "tokens")
    table = _table(("run", "started (UTC)", "status", *numbers), numbers)
    lines: list[RenderableType] = []
    for name, started, status, *counted in rows:
        ended = Text(status, _STATUS_STYLES.get(status, "yellow"))
        figures = [f"{number:,}" for number in counted]
        table.add_row(safe(name), safe(started), ended, *figures)
        told = ", ".join(f"{figure} {what}" for figure, what in zip(figures, numbers, strict=True))
        lines += [safe(name), indented(Text.assemble(ended, f"  {told}"), 2)]
    console = console_for(sys.stdout)
    wanted = console.measure(table, options=console.options.update(max_width=WIDE)).maximum
    if is_terminal(sys.stdout) and wanted > console.width:
        show(console, lines)
    else:
        _show(table, WIDE)


def _show(table: Table, width: int | None) -> None:
    console = console_for(sys.stdout)
    if width is not None:
        console.width = width
    show(console, [table])


def _table(columns: Sequence[str], right: Sequence[str] = ()) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def show_findings(
    sections: Iterable[tuple[str, Sequence[tuple[str, str]]]],
    *,
    obstacles: Sequence[ProblemGroup],
    warnings: Sequence[ProblemGroup],
    problems: Sequence[ProblemGroup],
    dropped: Mapping[Kind, dict[str, int]],
    traits: Sequence[ProblemGroup],
    verdict: str,
    steps: Sequence[str],
    ok: bool,
    examples: int = EXAMPLES_SHOWN,
) -> None:
    """Shows what a check found: sections of (label, text), obstacles, other problems, and the verdict.

    `obstacles` and `warnings` are about lines of the config; `steps` are the next things to do. `dropped` are the
    traits that no mapping names, `traits` those of them with an advice.
    """
    parts: list[RenderableType] = []
    for title, rows in sections:
        parts += section_lines(
            title, _pairs([(safe(what, "dim"), safe(how, limit=MESSAGE_LIMIT)) for what, how in rows])
        )
    parts += section_lines("To be put right first", *_placed(obstacles))
    parts += section_lines("Worth a look", *_placed(warnings))
    wrong, skips = split_skipped(problems)
    parts += section_lines("Problems, worst first", *problem_lines(wrong, examples))
    parts += section_lines("Skipped", *(safe(skipped(group), limit=MESSAGE_LIMIT) for group in skips))
    advised = [_in_one_line(trait) for trait in traits if trait.hint]
    parts += section_lines("Traits that are in no mapping", *trait_lines(dropped), *advised)
    parts += [Text(""), safe(verdict, "bold green" if ok else "bold red", limit=MESSAGE_LIMIT)]
    parts += section_lines("What to do next", *(safe(f"• {step}", limit=MESSAGE_LIMIT) for step in steps))
    show(console_for(sys.stdout), parts[1:])


def _pairs(rows: Sequence[tuple[Text, Text]]) -> RenderableType | None:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for what, how in rows:
        table.add_row(what, how)
    return table if rows else None


def _placed(problems: Iterable[ProblemGroup]) -> Iterator[RenderableType]:
    for problem in problems:
        message = safe(problem.message, "bold", limit=MESSAGE_LIMIT)
        places = [safe(f"{place_words(example)}  ", "cyan", limit=MESSAGE_LIMIT) for example in problem.examples[:1]]
        yield joined_words(*places, message)
        yield from advice_lines(problem.hint)


def _in_one_line(trait: ProblemGroup) -> Text:
    return joined_words(safe(trait.message), safe(f". {trait.hint}", "dim", limit=MESSAGE_LIMIT))
