"""What the commands beside a run show on stdout: past runs, the records of one, custom fields, what `check` found.

Decides nothing, and like `console` takes every text for hostile.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pipedrive_cli.report.paper import console_for, is_terminal, safe, show

CELL_LIMIT = 1_000  # characters: a list of options may be long
WIDE = 1_000_000  # columns of a file or pipe: who cuts lines there looks for whole words
_STATUS_STYLES = {"complete": "green", "partial": "yellow", "stopped": "red"}


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str] = frozenset()) -> None:
    """A table on stdout; `right` names the columns that hold numbers. Long cells are folded, on a terminal alone."""
    table = _table(columns, right)
    for row in rows:
        table.add_row(*(safe(cell, limit=CELL_LIMIT) for cell in row))
    _show(table)


def show_runs(rows: Iterable[tuple[str, str, str, int, int, int]]) -> None:
    """Rows of (run, started, status, events read, records created, tokens spent), newest first."""
    columns = ("run", "started", "status", "events", "created", "tokens")
    table = _table(columns, frozenset({"events", "created", "tokens"}))
    for name, started, status, *numbers in rows:
        cells: list[RenderableType] = [safe(name), safe(started), Text(status, _STATUS_STYLES.get(status, "yellow"))]
        table.add_row(*cells, *(f"{number:,}" for number in numbers))
    _show(table)


def _show(table: Table) -> None:
    console = console_for(sys.stdout)
    if not is_terminal(sys.stdout):
        console.width = WIDE
    show(console, [table])


def _table(columns: Sequence[str], right: frozenset[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table
