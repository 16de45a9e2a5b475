"""The events of one window of a count: each in its row, and by name what waits for each record."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipedrive_cli.delivery.backlog import Joining
from pipedrive_cli.delivery.cases import Case, Origin
from pipedrive_cli.events.event import Place
from pipedrive_cli.run.counts.brief import LEAD, SILENT, Brief, who


@dataclass(slots=True)
class Window:
    """The events of one window: `rows` by their place in it, and what waits for each record by its name."""

    rows: list[Brief] = field(default_factory=list)
    files: list[tuple[int, str]] = field(default_factory=list)  # from which row on they stand in which file
    waiting: dict[str, list[Any]] = field(default_factory=dict)  # name -> row, part, row, part, ...
    leads: dict[str, list[int]] = field(default_factory=dict)  # name of the person -> rows
    cases: dict[int, Case] = field(default_factory=dict)  # of rows that are more than a number
    first: dict[bytes, int] = field(default_factory=dict)  # digest -> row
    whole: list[int] = field(default_factory=list)  # rows that names will not do for
    joinings: list[Joining] = field(default_factory=list)  # aliases, in the order of reading
    twins: list[tuple[Brief, str]] = field(default_factory=list)  # copies, and their files
    quiet: dict[int, int] = field(default_factory=dict)  # row -> how many of its parts change nothing
    parts: int = 0  # of all rows

    def wait(self, row: int, brief: Brief) -> None:
        """What this event asks for waits for its records."""
        waiting, names, parts = self.waiting, brief.names, brief.parts
        if brief.marks & LEAD:
            name = names[0]
            if name in self.leads:
                self.leads[name].append(row)
            else:
                self.leads[name] = [row]
                if name not in waiting:
                    waiting[name] = []
            if brief.marks & SILENT:
                return
        for name, part in zip(names, parts, strict=False):  # a lead has a part more than names
            if name in waiting:
                waiting[name] += (row, part)
            else:
                waiting[name] = [row, part]

    def case(self, row: int) -> Case:
        """The event in this row as somebody who may wait, with as much open as it has parts."""
        case = self.cases.get(row)
        if case is None:
            case = self.cases[row] = case_of(self.rows[row], self.file_of(row))
            case.open = len(self.rows[row].parts)
        return case

    def file_of(self, row: int) -> str:
        """The file that this row comes from."""
        return self.files[bisect_right(self.files, row, key=row_of) - 1][1]


def case_of(brief: Brief, file: str) -> Case:
    """An event as somebody to tell of."""
    of = who(brief)
    return Case(b"", Origin(of.message_id, Place(file, of.line, of.index), of.user, of.time))


def row_of(entry: tuple[int, Any]) -> int:
    """The row that something belongs to."""
    return entry[0]


def batched(entries: Sequence[Any]) -> Iterable[tuple[int, msgspec.Raw]]:
    """Rows and parts, which stand in one list by turns."""
    return zip(entries[::2], entries[1::2], strict=True)
