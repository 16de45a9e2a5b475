"""A preview of which only the numbers are wanted: records are counted by name, and plans driven where that does not do.

Where nobody was asked, a record that no earlier event has named is created whatever the events say, and all of them
count as delivered: to count it takes no look at what it is to hold. Only when a later window names it again its values
matter. Those of most records are weighed by thousands (`table`); those that are not as plain as that are drawn out of
the window, and weighed one by one by the plan that a run would follow (`records`). What cannot be told by names
(merges, products without a code) goes the whole way of any preview, and so does every record that it touches, with all
that waits for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, compress
from typing import Any

import msgspec

from pipedrive_cli.delivery.book import Book
from pipedrive_cli.delivery.window import in_order
from pipedrive_cli.events.chunks import Chunk, chunks
from pipedrive_cli.events.event import Place
from pipedrive_cli.events.source import Source
from pipedrive_cli.outcomes import Complaint, Outcome
from pipedrive_cli.pipedrive.catalog import Call, create, update
from pipedrive_cli.run.counts.apart import Apart
from pipedrive_cli.run.counts.batch import (
    APART,
    BY_ID,
    CASE,
    KIND_OF,
    SILENT,
    Batch,
    Shape,
    Stretch,
    decode_batch,
    kinds_in,
)
from pipedrive_cli.run.counts.elsewhere import made
from pipedrive_cli.run.counts.endings import Endings
from pipedrive_cli.run.counts.records import Records, Remembered, part_of
from pipedrive_cli.run.counts.window import Page, Twin, Waiting, Window
from pipedrive_cli.run.intake import BATCH, full
from pipedrive_cli.run.preview_backlog import LeanBacklog
from pipedrive_cli.run.preview_plans import Foresight
from pipedrive_cli.transform.changes import NOTHING, Kind


class NotByName(Exception):
    """An event names a record by Pipedrive's own id: whose names meet there is for plans to tell."""


@dataclass(slots=True)
class Counting:
    """Counts what batches come to.

    `window` is the number of events read ahead; `prepare` is awaited with kinds of record that were not met before,
    `meet` told which kinds a window is about, and whether it has leads. `foresight` drives the plans of what cannot be
    counted, and remembers by `memory`. `typed` tells whether two ways to write a value can mean the same there.
    """

    window: int
    book: Book
    backlog: LeanBacklog
    foresight: Foresight
    memory: Remembered
    count: Callable[[Call, int], None]
    prepare: Callable[[frozenset[Kind]], Awaitable[None]]
    meet: Callable[..., None]
    typed: Callable[[Kind, str], bool]
    left: list[tuple[Place, Complaint]] = field(default_factory=list)
    dropped: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    complete: bool = False  # the whole input was read
    records: Records = field(init=False)
    _prepared: int = 0
    _shapes: dict[tuple[Any, ...], Shape] = field(default_factory=dict)
    _entry: int = 0  # entries of the present source so far
    _endings: Endings = field(init=False)
    _apart: Apart = field(init=False)
    _now: Window = field(default_factory=Window)

    def __post_init__(self) -> None:
        self.records = Records(self.foresight, self.memory)
        self._endings = Endings(self.book)
        self._apart = Apart(self.book, self.backlog, self.records)

    # -- reading

    async def through(self, sources: Iterable[Source], make: Callable[[Chunk], bytes], processes: int) -> None:
        """Counts all sources to their end; `make` makes batches of chunks, in so many processes of their own.

        Raises `NotByName`; then nothing of it counts.
        """
        tally = self.book.tally
        done = lines = 0
        for chunk, packed in made(chain.from_iterable(map(chunks, sources)), make, processes):
            batch = decode_batch(packed)
            tally.file, tally.bytes_read = chunk.name, done + chunk.bytes_read
            await asyncio.sleep(0)  # a Ctrl-C is heard here
            before = lines if chunk.first_line is None else 0
            await self._take_batch(chunk.name, before, batch, last=chunk.last)
            lines = before + batch.lines
            if batch.left is not None:
                line, reason = batch.left
                self.left.append((Place(chunk.name, before + line), reason))
                if reason.code == "source_unreachable":
                    break  # the next one would make us wait as long, and for nothing
            if chunk.last:
                done += chunk.bytes_read
        else:
            self.complete = True
        await self._input_over()

    async def _take_batch(self, file: str, line: int, batch: Batch, *, last: bool) -> None:
        """Takes up the next batch of a source, after so many lines. `last`: the source ends with it."""
        step = min(BATCH, self.window)
        page = Page(file, line, batch, [self._known_shape(shape) for shape in batch.shapes])
        start = 0
        while start < batch.entries:
            now = self._now
            if full(self.window, now.rows + len(now.twins) + batch.entries, now.asked + sum(batch.parts)):
                end = min(batch.entries, start + step - self._entry % step)  # the window may end before the batch does
            else:
                end = batch.entries
            await self._take(page if end - start == batch.entries else page.entries(start, end))
            self._entry += end - start
            start = end
            if self._entry % step == 0:
                await self._window_over_if_full()
        if last:
            await self._window_over_if_full()
            self._entry = 0

    async def _window_over_if_full(self) -> None:
        now = self._now
        if full(self.window, now.rows + len(now.twins), now.asked):
            await self._window_over()

    def _known_shape(self, shape: Shape) -> Shape:
        """The shape that we keep of all that are like this one."""
        return self._shapes.setdefault(msgspec.structs.astuple(shape), shape)

    async def _take(self, page: Page) -> None:
        batch = page.batch
        await self._prepare(batch)
        self.book.tally.events_read += batch.entries - batch.filtered
        self.book.tally.filtered += batch.filtered
        self._take_rows(page)

    def _take_rows(self, page: Page) -> None:
        """Takes up a page, and first leaves out copies of events that were there before."""
        now, digests = self._now, page.batch.digests
        alone = len(set(digests)) == len(digests)
        if alone and all(
            known.isdisjoint(digests) for known in (self._endings.handled, now.first.keys(), self._endings.open.keys())
        ):
            self._take_new(page)
            return
        kept, end = self._without_copies(page)
        self._take_new(page.rows(kept, [odd for odd in page.batch.odd if odd.row < 0 and odd.place < end]))
        if end < page.batch.entries:
            self._take_rows(page.entries(end, page.batch.entries))

    def _without_copies(self, page: Page) -> tuple[list[int], int]:
        """The page's rows that are no copies, as far as that is known, and the place of the entry where that ends."""
        now, handled, open_ = self._now, self._endings.handled, self._endings.open
        marks = {odd.row: odd.marks for odd in page.batch.odd}
        kept: list[int] = []
        seen: dict[bytes, int] = {}
        copies = 0
        for row, digest in enumerate(page.batch.digests):
            if digest in handled:
                copies += 1
            elif digest in now.first or digest in open_:
                now.twins.append(Twin(digest, page, row))
            elif digest in seen:
                if marks.get(seen[digest], 0) & APART:
                    self._endings.count(Outcome.DUPLICATE, copies)
                    return kept, page.places[row]  # the first one is not taken up for certain
                now.twins.append(Twin(digest, page, row))
            else:
                kept.append(row)
                if not marks.get(row, 0) & SILENT:
                    seen[digest] = row
        self._endings.count(Outcome.DUPLICATE, copies)
        return kept, page.batch.entries

    def _take_new(self, page: Page) -> None:
        """Takes up a page of events that were not there before."""
        now, batch = self._now, page.batch
        page.first = first = now.rows
        now.pages.append(page)
        now.times += batch.times
        now.parts += batch.parts
        now.asked += sum(batch.parts)
        elsewhere = self._take_odd(page) if batch.odd else set[int]()
        rows = range(first, now.rows)
        if elsewhere:
            now.first.update(
                (digest, row) for digest, row in zip(batch.digests, rows, strict=True) if row not in elsewhere
            )
        else:
            now.first.update(zip(batch.digests, rows, strict=True))
        for place, times in Counter(place for _, place in batch.dropped).items():
            for dropped in batch.drops[place - 1]:
                self.dropped[dropped] += times
        self.records.table.in_order(batch.times)
        for stretch in batch.stretches:
            shape = page.shapes[stretch.shape]
            if (shape.emails or shape.phones) and self.records.replaces_contacts:
                now.slow.update(stretch.names)
            self.records.table.take(now, stretch, shape, first)
        now.names.update(batch.leads.names)
        now.loud.update(map(first.__add__, batch.leads.rows))

    async def _prepare(self, batch: Batch) -> None:
        kinds = 0
        for each in set(batch.kinds):
            kinds |= each
        if not kinds & ~self._prepared:
            return
        for each, digest in zip(batch.kinds, batch.digests, strict=True):
            if each & ~self._prepared and digest not in self._endings.handled:
                await self.prepare(kinds_in(each & ~self._prepared))
                self._prepared |= each

    def _take_odd(self, page: Page) -> set[int]:
        """Takes up what columns do not tell; returns the rows whose events this settles, or puts apart."""
        elsewhere: set[int] = set()
        for odd in page.batch.odd:
            complaints = page.batch.told[odd.told - 1] if odd.told else ()
            if odd.row < 0:
                if odd.digest in self._endings.handled:
                    self._endings.count(Outcome.DUPLICATE, 1)
                elif odd.who is not None:
                    self._endings.end_told(complaints, partial(page.case_of, odd.who, None))
                continue
            row = page.first + odd.row
            if odd.marks & BY_ID:
                raise NotByName
            if odd.marks & APART:
                elsewhere.add(row)
                self._apart.take(self._now, row, odd, page.batch.digests[odd.row], complaints)
            elif odd.marks & CASE:
                self._now.case(row).take(complaints)
            elif odd.marks & SILENT:
                elsewhere.add(row)
                self._endings.end_told(complaints, partial(page.case, odd.row))
            else:
                self._endings.tell(complaints, partial(page.case, odd.row))
        return elsewhere

    # -- counting

    async def _window_over(self) -> None:
        """Counts what the window's events come to."""
        now, records = self._now, self.records
        joined = self._apart.set_apart(now)
        created = records.new_among(now.names)
        self.meet({KIND_OF[initial] for initial in {name[0] for name in now.names}}, leads=bool(now.lead_rows()))
        now.draw(now.slow)
        now.draw(records.found)
        now.draw(records.table.weigh(now, created, records.same, self.typed))
        self._count_plain(created - now.drawn)
        actions = Counter((name[0], self._count_drawn(name, entries)) for name, entries in now.waiting.items())
        for (initial, action), n in actions.items():
            self._recorded(KIND_OF[initial], action, n)
        self._count_leads()
        for joining in joined:
            joining.case.end_part(Outcome.DELIVERED)
            self._endings.end(joining.case)
        await self._deliver_apart()
        self._endings.end_rows(now)
        self.memory.window_over()
        self._now = Window()

    def _count_plain(self, created: set[str]) -> None:
        """Counts all records that are not looked at one by one."""
        now, table = self._now, self.records.table
        written = table.settle(now, created)
        named = now.names - now.drawn
        updated = Counter(map(_initial_of, written))
        for initial, n in Counter(map(_initial_of, named)).items():
            new = sum(1 for name in created if name[0] == initial)
            self._recorded(KIND_OF[initial], "created", new)
            self._recorded(KIND_OF[initial], "updated", updated[initial])
            self._recorded(KIND_OF[initial], "unchanged", n - new - updated[initial])
        for rows in written.values():
            now.loud |= rows
        for page in now.pages:
            for stretch in page.batch.stretches:
                at = map(page.first.__add__, stretch.rows)
                now.loud.update(compress(at, map(created.__contains__, stretch.names)))
                if now.cases:
                    self._end_plain_parts(page, stretch, created, written)

    def _end_plain_parts(
        self, page: Page, stretch: Stretch, created: Container[str], written: Mapping[str, Container[int]]
    ) -> None:
        """Ends what a stretch says of plain records for those events that are more than a number."""
        now = self._now
        rows = [*map(page.first.__add__, stretch.rows)]
        for name, row in compress(zip(stretch.names, rows, strict=True), map(now.cases.__contains__, rows)):
            if name not in now.drawn:
                loud = name in created or row in written.get(name, ())
                self._endings.end_parts(now, (row,), Outcome.DELIVERED if loud else Outcome.UNCHANGED)

    def _count_drawn(self, name: str, entries: list[Waiting]) -> str:
        """What the window's parts make of one record: it is created, updated or unchanged."""
        now, records = self._now, self.records
        found = records.known(name)
        if found is None:
            records.create(name, entries)
            rows = [entry.row for entry in entries]
            now.loud.update(rows)
            self._endings.end_parts(now, rows, Outcome.DELIVERED)
            return "created"
        if not entries:
            return "unchanged"  # named in passing
        ends = records.take(found, name, entries)
        if ends is not None:
            action = "updated" if any(outcome is Outcome.DELIVERED for _, outcome in ends) else "unchanged"
        else:
            save = records.bring(name, [part_of(name, each) for each in entries], records.as_plans_know(name, found))
            action = save.action or "unchanged"
            ends = [(part.case, outcome) for part, outcome in save.parts]
        for row, outcome in ends:
            if outcome is not Outcome.UNCHANGED:
                now.loud.add(row)
            if now.cases:
                self._endings.end_parts(now, (row,), outcome)
        records.put_back(name)
        return action

    def _count_leads(self) -> None:
        now = self._now
        rows = now.lead_rows()
        if now.cases:
            self._endings.end_parts(now, rows, Outcome.DELIVERED, lead=True)
        self._recorded("leads", "created", len(rows))

    def _recorded(self, kind: Kind, action: str, n: int) -> None:
        if not n:
            return
        self.book.records(kind, action, n)
        if action == "created":
            self.count(create(kind, NOTHING), n)
        elif action == "updated":
            self.count(update(kind, 0, NOTHING), n)

    async def _deliver_apart(self) -> None:
        jobs, leads = self.backlog.take()
        self.backlog.window_over()
        if not jobs and not leads:
            return
        self.foresight.next_window()
        await self.foresight.known.prepare(jobs, leads=bool(leads))
        await self.foresight.deliver(in_order(jobs))
        await self.foresight.deliver_leads(leads)

    async def _input_over(self) -> None:
        """Waiting for the rest of the input is no use any more."""
        await self._window_over()
        self.foresight.input_over()
        while len(self.backlog):
            await self._window_over()


def _initial_of(name: str) -> str:
    return name[0]
