"""A preview of which only the numbers are wanted: records are counted by name, and plans driven where that does not do.

Where nobody was asked, a record that no earlier event has named is created whatever the events say, and all of them
count as delivered: to count it takes no look at what it is to hold. Only when a later window names it again its values
matter; then they are unpacked and weighed by the plan that a run would follow (`records`). What cannot be told by
names (merges, products without a code) goes the whole way of any preview, and so does every record that it touches,
with all that waits for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pipedrive_cli.delivery.book import Book
from pipedrive_cli.delivery.window import in_order
from pipedrive_cli.events.chunks import Chunk, chunks
from pipedrive_cli.events.event import Place
from pipedrive_cli.events.source import Source
from pipedrive_cli.outcomes import Complaint, Outcome
from pipedrive_cli.pipedrive.catalog import Call, create, update
from pipedrive_cli.run.counts.apart import Apart
from pipedrive_cli.run.counts.brief import (
    APART,
    BY_ID,
    CASE,
    FILTERED,
    KIND_OF,
    REFUSED,
    Batch,
    Brief,
    decode_batch,
    kinds_in,
)
from pipedrive_cli.run.counts.elsewhere import made
from pipedrive_cli.run.counts.endings import Endings
from pipedrive_cli.run.counts.plain import Plain
from pipedrive_cli.run.counts.records import Known, Records, Remembered, part_of
from pipedrive_cli.run.counts.window import Window, batched, case_of
from pipedrive_cli.run.intake import BATCH, full
from pipedrive_cli.run.preview_backlog import LeanBacklog
from pipedrive_cli.run.preview_plans import Foresight
from pipedrive_cli.transform.changes import NOTHING, Kind


class NotByName(Exception):
    """An event names a record by Pipedrive's own id: whose names meet there is for plans to tell."""


@dataclass(slots=True)
class Counting:
    """Counts what batches of briefs come to.

    `window` is the number of events read ahead; `prepare` is awaited with kinds of record that were not met before,
    `meet` told which kinds a window is about, and whether it has leads. `foresight` drives the plans of what cannot be
    counted, and remembers by `memory`.
    """

    window: int
    book: Book
    backlog: LeanBacklog
    foresight: Foresight
    memory: Remembered
    count: Callable[[Call, int], None]
    prepare: Callable[[frozenset[Kind]], Awaitable[None]]
    meet: Callable[..., None]
    left: list[tuple[Place, Complaint]] = field(default_factory=list)
    dropped: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    complete: bool = False  # the whole input was read
    records: Records = field(init=False)
    _prepared: int = 0
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
        done = 0
        for chunk, packed in made(chain.from_iterable(map(chunks, sources)), make, processes):
            batch = decode_batch(packed)
            tally.file, tally.bytes_read = chunk.name, done + chunk.bytes_read
            await asyncio.sleep(0)  # a Ctrl-C is heard here
            await self._take_batch(chunk.name, batch, last=chunk.last)
            if batch.left is not None:
                line, reason = batch.left
                self.left.append((Place(chunk.name, line), reason))
                if reason.code == "source_unreachable":
                    break  # the next one would make us wait as long, and for nothing
            if chunk.last:
                done += chunk.bytes_read
        else:
            self.complete = True
        await self._input_over()

    async def _take_batch(self, file: str, batch: Batch, *, last: bool) -> None:
        """Takes up the next batch of a source. `last`: the source ends with it."""
        step = min(BATCH, self.window)
        briefs, start = batch.briefs, 0
        while start < len(briefs):
            end = min(len(briefs), start + step - self._entry % step)
            await self._take(file, briefs[start:end], batch)
            self._entry += end - start
            start = end
            now = self._now
            if (self._entry % step == 0 or (last and start == len(briefs))) and full(
                self.window, len(now.rows) + len(now.twins), now.parts
            ):
                await self._window_over()
        if last:
            self._entry = 0

    async def _take(self, file: str, briefs: Sequence[Brief], batch: Batch) -> None:
        if not self._now.rows:
            self.records.window_over()
        await self._prepare(briefs)
        now, handled, waiting = self._now, self._endings.handled, self._endings.open
        rows, first, wait = now.rows, now.first, now.wait
        if not now.files or now.files[-1][1] != file:
            now.files.append((len(rows), file))
        read = 0
        drops: list[int] = []
        for brief in briefs:
            marks, digest = brief.marks, brief.digest
            if marks & FILTERED:
                continue
            read += 1
            if digest in handled or digest in first or marks & REFUSED or digest in waiting:
                self._take_odd(file, brief, batch)
                continue
            row = len(rows)
            rows.append(brief)
            now.parts += len(brief.parts)
            if brief.dropped:
                drops.append(brief.dropped)
            if brief.told or marks & (APART | BY_ID):
                self._take_told(row, brief, batch)
                if not brief.parts or marks & APART:
                    continue
            first[digest] = row
            wait(row, brief)
        self.book.tally.events_read += read
        self.book.tally.filtered += len(briefs) - read
        for place_of, times in Counter(drops).items():
            for dropped in batch.dropped[place_of - 1]:
                self.dropped[dropped] += times

    async def _prepare(self, briefs: Sequence[Brief]) -> None:
        kinds = 0
        for brief in briefs:
            kinds |= brief.kinds
        if not kinds & ~self._prepared:
            return
        for brief in briefs:
            if brief.kinds & ~self._prepared and brief.digest not in self._endings.handled:
                await self.prepare(kinds_in(brief.kinds & ~self._prepared))
                self._prepared |= brief.kinds

    def _take_odd(self, file: str, brief: Brief, batch: Batch) -> None:
        """A copy of an event that was there before, or a line that is no event."""
        if brief.digest in self._endings.handled:
            self._endings.count(Outcome.DUPLICATE, 1)
        elif brief.marks & REFUSED:
            self._endings.end_told(batch.told[brief.told - 1], lambda: case_of(brief, file))
        else:
            self._now.twins.append((brief, file))

    def _take_told(self, row: int, brief: Brief, batch: Batch) -> None:
        """An event that there is something to tell of, or that names will not do for."""
        complaints = batch.told[brief.told - 1] if brief.told else ()
        if brief.marks & BY_ID:
            raise NotByName
        if brief.marks & APART:
            self._apart.take(self._now, row, brief, complaints)
        elif brief.marks & CASE:
            self._now.case(row).take(complaints)
        elif brief.parts:
            self._endings.tell(complaints, lambda: case_of(brief, self._now.file_of(row)))
        else:
            self._endings.end_told(complaints, lambda: case_of(brief, self._now.file_of(row)))

    # -- counting

    async def _window_over(self) -> None:
        """Counts what the window's events come to."""
        now = self._now
        joined = self._apart.set_apart(now)
        known = {name: found for name in now.waiting if (found := self.records.known(name)) is not None}
        self.meet({KIND_OF[initial] for initial in {name[0] for name in now.waiting}}, leads=bool(now.leads))
        cases = now.cases
        actions: list[tuple[str, str]] = []
        for name, entries in now.waiting.items():
            if name in known:
                actions.append((name[0], self._weigh(name, entries, known[name])))
                continue
            actions.append((name[0], "created"))
            self.records.create(name, entries[1::2])
            if cases:
                self._endings.end_parts(now, entries[::2], Outcome.DELIVERED)
        for (initial, action), n in Counter(actions).items():
            self._recorded(KIND_OF[initial], action, n)
        self._count_leads()
        for joining in joined:
            joining.case.end_part(Outcome.DELIVERED)
            self._endings.end(joining.case)
        await self._deliver_apart()
        self._endings.end_rows(now)
        self.memory.window_over()
        self._now = Window()

    def _weigh(self, name: str, entries: list[Any], found: Plain | Known) -> str:
        """What the window's parts change in a record that is there: it is updated or unchanged."""
        if not entries:
            return "unchanged"  # named in passing
        rows = entries[::2]
        written = self.records.take(found, name, rows, entries[1::2])
        if written is not None:
            action = "updated" if True in written else "unchanged"
            outcomes = [Outcome.DELIVERED if each else Outcome.UNCHANGED for each in written]
            ends = list(zip(rows, outcomes, strict=True))
        else:
            parts = [part_of(part, row) for row, part in batched(entries)]
            save = self.records.bring(name, parts, self.records.as_plans_know(name, found))
            action = save.action or "unchanged"
            ends = [(part.case, outcome) for part, outcome in save.parts]
        now = self._now
        for row, outcome in ends:
            if outcome is Outcome.UNCHANGED:
                now.quiet[row] = now.quiet.get(row, 0) + 1
            if now.cases:
                self._endings.end_parts(now, (row,), outcome)
        return action

    def _count_leads(self) -> None:
        total = 0
        for rows in self._now.leads.values():
            total += len(rows)
            if self._now.cases:
                self._endings.end_parts(self._now, rows, Outcome.DELIVERED, lead=True)
        self._recorded("leads", "created", total)

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
