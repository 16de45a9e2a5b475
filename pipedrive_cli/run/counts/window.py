"""The events of one window of a count: batches as they came, and what they say last, by address and record.

Most records are never looked at one by one. What is to be (`draw`) leaves the columns and waits by its name.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, NamedTuple

import msgspec

from pipedrive_cli.delivery.backlog import Joining
from pipedrive_cli.delivery.cases import Case, Origin
from pipedrive_cli.events.event import Place
from pipedrive_cli.run.counts.batch import (
    Batch,
    Leads,
    Odd,
    Shape,
    Stretch,
    Who,
    change,
    decode_lead,
    decode_who,
    encode,
    unpacked,
)
from pipedrive_cli.transform.changes import Change


class Waiting(NamedTuple):
    """One part that waits for a record: values as its shape says.

    Where an alias has brought it here, `former` is the name that its event used, and `depth` as plans have it.
    """

    row: int
    time: int | None
    shape: Shape
    values: Sequence[Any]
    former: str | None = None
    depth: int = 0

    def change(self, name: str) -> Change:
        """What it asks for; `name` is its record's."""
        return change(self.former or name, self.time, self.shape, self.values)


@dataclass(slots=True)
class Page:
    """A batch, or some of its entries, as it is taken into a window; `first` is the row there of its first row.

    `line` is how many lines stand before those that the batch has counted.
    """

    file: str
    line: int
    batch: Batch
    shapes: Sequence[Shape]
    first: int = 0
    _who: list[Who] | None = None

    def case(self, row: int) -> Case:
        """The event in this row of the page as somebody to tell of."""
        if self._who is None:
            self._who = decode_who(self.batch.who)
        return self.case_of(self._who[row], self.batch.times[row])

    def case_of(self, who: Who, time: int | None) -> Case:
        """An event of the page as somebody to tell of."""
        place = Place(self.file, self.line + who.line, who.index)
        return Case(b"", Origin(who.message_id, place, who.user, time))

    def lead(self, row: int) -> Change:
        """The lead that the event in this row asks for."""
        leads = self.batch.leads
        return decode_lead(leads.changes[bisect_left(leads.rows, row)])

    @property
    def places(self) -> Sequence[int]:
        """The places of the rows among the entries."""
        batch = self.batch
        return range(batch.entries) if len(batch.digests) == batch.entries else batch.places

    def entries(self, start: int, end: int) -> Page:
        """The page with these of its entries alone."""
        batch = self.batch
        places = self.places
        rows = range(bisect_left(places, start), bisect_left(places, end))
        odd = [each for each in batch.odd if each.row < 0 and start <= each.place < end]
        kept = self.rows(rows, odd).batch
        kept.entries = end - start
        kept.filtered = kept.entries - len(rows) - len(odd)
        kept.places = [places[row] - start for row in rows]
        for each in kept.odd:
            each.place -= start
        return Page(self.file, self.line, kept, self.shapes)

    def rows(self, rows: Sequence[int], odd: Iterable[Odd]) -> Page:
        """The page with these of its rows alone, and these entries that have no row."""
        batch = self.batch
        now = {row: place for place, row in enumerate(rows)}
        who, leads = decode_who(batch.who), batch.leads
        kept = [row in now for row in leads.rows]
        return Page(
            self.file,
            self.line,
            msgspec.structs.replace(
                batch,
                places=[self.places[row] for row in rows],
                digests=[batch.digests[row] for row in rows],
                times=[batch.times[row] for row in rows],
                kinds=[batch.kinds[row] for row in rows],
                parts=[batch.parts[row] for row in rows],
                who=encode([who[row] for row in rows]),
                stretches=[each for each in (_only(stretch, now) for stretch in batch.stretches) if each.rows],
                leads=Leads(
                    [*compress(leads.names, kept)],
                    [now[row] for row in compress(leads.rows, kept)],
                    [*compress(leads.alone, kept)],
                    [*compress(leads.changes, kept)],
                ),
                odd=sorted(
                    [
                        *(msgspec.structs.replace(each) for each in odd),
                        *(msgspec.structs.replace(each, row=now[each.row]) for each in batch.odd if each.row in now),
                    ],
                    key=_place_of,
                ),
                dropped=[(now[row], place) for row, place in batch.dropped if row in now],
            ),
            self.shapes,
        )


def _place_of(odd: Odd) -> int:
    return odd.place


def _only(stretch: Stretch, now: dict[int, int]) -> Stretch:
    kept = [row in now for row in stretch.rows]
    return Stretch(
        stretch.shape,
        [*compress(stretch.names, kept)],
        [now[row] for row in compress(stretch.rows, kept)],
        [*compress(stretch.values, kept)],
    )


class Twin(NamedTuple):
    """A copy of an event that waits, or waited: its digest, and where it stands."""

    digest: bytes
    page: Page
    row: int


@dataclass(slots=True)
class Window:
    """The events of one window, by rows. What is `drawn` is no part of `latest`, `rows_at` and `oldest`."""

    pages: list[Page] = field(default_factory=list)
    times: list[int | None] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)  # by row
    asked: int = 0  # the sum of `parts`
    first: dict[bytes, int] = field(default_factory=dict)  # digest -> row
    twins: list[Twin] = field(default_factory=list)
    cases: dict[int, Case] = field(default_factory=dict)  # of rows that are more than a number
    whole: list[tuple[int, Odd]] = field(default_factory=list)  # rows that names will not do for
    said: list[tuple[int, Odd]] = field(default_factory=list)  # aliases that say something of their persons besides
    joinings: list[Joining] = field(default_factory=list)  # aliases, in the order of reading
    names: set[str] = field(default_factory=set)  # of all records that are named
    slow: set[str] = field(default_factory=set)  # of those that must be looked at one by one
    # By shape and name the values that came last, packed (a list: see `Group.take`), and their rows.
    latest: dict[Shape, dict[str, bytes | list[Any]]] = field(default_factory=lambda: defaultdict(dict))
    rows_at: dict[Shape, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    oldest: dict[str, dict[str, tuple[int, int, Any]]] = field(default_factory=lambda: defaultdict(dict))
    merged: dict[str, dict[str, Any]] = field(default_factory=dict)  # by name, of those told in several shapes
    written: dict[str, set[int]] = field(default_factory=dict)  # the rows that change records that were there
    met: set[tuple[str, str]] = field(default_factory=set)  # names of those that get their first emails, or phones
    loud: set[int] = field(default_factory=set)  # rows of which something is written
    drawn: set[str] = field(default_factory=set)
    waiting: dict[str, list[Waiting]] = field(default_factory=dict)  # of those drawn, in the order of reading
    leads: dict[str, list[int]] = field(default_factory=dict)  # the same: rows of leads by their person's name
    leads_apart: set[int] = field(default_factory=set)  # rows of leads that plans are driven for

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.times)

    def case(self, row: int) -> Case:
        """The event in this row as somebody who may wait, with as much open as it has parts."""
        case = self.cases.get(row)
        if case is None:
            page = self.page(row)
            case = self.cases[row] = page.case(row - page.first)
            case.open = self.parts[row]
        return case

    def page(self, row: int) -> Page:
        """The page that this row stands on."""
        return self.pages[bisect_right(self.pages, row, key=_first_of) - 1]

    def alone(self, row: int) -> bool:
        """Whether the event in this row asks for a lead, and says nothing else."""
        page = self.page(row)
        leads = page.batch.leads
        place = bisect_left(leads.rows, row - page.first)
        return leads.rows[place : place + 1] == [row - page.first] and leads.alone[place]

    def lead(self, row: int) -> Change:
        """The lead that this row asks for."""
        page = self.page(row)
        return page.lead(row - page.first)

    def lead_rows(self) -> list[int]:
        """The rows of all leads that no plans are driven for."""
        rows = [page.first + row for page in self.pages for row in page.batch.leads.rows]
        return [row for row in rows if row not in self.leads_apart] if self.leads_apart else rows

    def draw(self, names: Collection[str]) -> None:
        """Lets what these records are told wait by their names, each by itself.

        Rows tell the order. Within one nobody knows it; so no record stands twice in a row (`brief` sees to that).
        """
        wanted = self.names.intersection(names) - self.drawn
        if not wanted:
            return
        self.drawn |= wanted
        for name in wanted:
            self.waiting[name] = []
        for page in self.pages:
            for stretch in page.batch.stretches:
                if not wanted.isdisjoint(stretch.names):
                    self._draw(wanted, page, stretch)
            leads = page.batch.leads
            for name, row in zip(leads.names, leads.rows, strict=True):
                if name in wanted:
                    self.leads.setdefault(name, []).append(page.first + row)
        for name in wanted:
            self.waiting[name].sort(key=row_of)
        tables: list[dict[str, Any]] = [*self.latest.values(), *self.oldest.values()]
        for table in (*tables, *self.rows_at.values()):
            for name in wanted:
                table.pop(name, None)

    def _draw(self, wanted: set[str], page: Page, stretch: Stretch) -> None:
        shape = page.shapes[stretch.shape]
        for name, row, values in zip(stretch.names, stretch.rows, stretch.values, strict=True):
            if name in wanted:
                at = page.first + row
                self.waiting[name].append(Waiting(at, self.times[at], shape, unpacked(values)))

    def named_in(self, rows: set[int]) -> set[str]:
        """The names of all records that these rows are about."""
        found: set[str] = set()
        for page in self.pages:
            columns: list[Stretch | Leads] = [*page.batch.stretches, page.batch.leads]
            for told in columns:
                found.update(compress(told.names, [page.first + row in rows for row in told.rows]))
        return found


def _first_of(page: Page) -> int:
    return page.first


def row_of(entry: Waiting | tuple[int, Any]) -> int:
    """The row that something belongs to."""
    return entry[0]
