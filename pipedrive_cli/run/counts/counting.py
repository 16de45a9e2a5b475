"""A preview of which only the numbers are wanted: records are counted by name, and plans driven where that does not do.

Where nobody was asked, a record that no earlier event has named is created whatever the events say, and all of them
count as delivered: to count it takes no look at what it is to hold. Only when a later window names it again its values
matter; then they are unpacked and weighed by the plan that a run would follow (`records`). What cannot be told by
names (merges, products without a code) goes the whole way of any preview, and so does every record that it touches,
with all that waits for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import msgspec

from pipedrive_cli.delivery.backlog import Joining
from pipedrive_cli.delivery.book import Book
from pipedrive_cli.delivery.cases import PRECEDENCE, Case
from pipedrive_cli.delivery.gathering import Part
from pipedrive_cli.delivery.window import in_order
from pipedrive_cli.events.chunks import Chunk, chunks
from pipedrive_cli.events.event import Place
from pipedrive_cli.events.source import Source
from pipedrive_cli.outcomes import HANDLED, Complaint, Outcome
from pipedrive_cli.pipedrive.catalog import Call, create, update
from pipedrive_cli.run.counts.brief import (
    APART,
    BY_ID,
    CASE,
    FILTERED,
    INITIALS,
    KIND_OF,
    LEAD,
    REFUSED,
    SILENT,
    Batch,
    Brief,
    change,
    decode_batch,
    kinds_in,
    transformed,
    who,
)
from pipedrive_cli.run.counts.elsewhere import made
from pipedrive_cli.run.counts.plain import Plain
from pipedrive_cli.run.counts.records import Known, Records, Remembered, part_of, unpacked
from pipedrive_cli.run.counts.window import Window, batched, case_of, row_of
from pipedrive_cli.run.preview_backlog import LeanBacklog
from pipedrive_cli.run.preview_plans import Foresight
from pipedrive_cli.transform.changes import NOTHING, Kind, Transformed

STEP: Final = 500  # entries after which a run looks whether its window is full


class NotByNameError(Exception):
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
    _seen: set[bytes] = field(default_factory=set)  # events that are handled
    _open: dict[bytes, Case] = field(default_factory=dict)  # of earlier windows, that wait for the rest of the input
    _late: list[tuple[Case, Brief, str]] = field(default_factory=list)  # those with each of their copies and its file
    _former: set[str] = field(default_factory=set)  # names that an alias has made another name of somebody
    _aliased: dict[str, set[str]] = field(default_factory=dict)  # name -> those that an alias has joined with it
    _copies: int = 0  # events of this window that are copies
    _now: Window = field(default_factory=Window)

    def __post_init__(self) -> None:
        self.records = Records(self.foresight, self.memory)

    # -- reading

    async def through(self, sources: Iterable[Source], make: Callable[[Chunk], bytes], processes: int) -> None:
        """Counts all sources to their end; `make` makes batches of chunks, in so many processes of their own.

        Raises `NotByNameError`; then nothing of it counts.
        """
        tally = self.book.tally
        done = 0
        for chunk, packed in made(chain.from_iterable(map(chunks, sources)), make, processes):
            batch = decode_batch(packed)
            tally.file, tally.bytes_read = chunk.name, done + chunk.bytes_read
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
        step = min(STEP, self.window)
        briefs, start = batch.briefs, 0
        while start < len(briefs):
            end = min(len(briefs), start + step - self._entry % step)
            await self._take(file, briefs[start:end], batch)
            self._entry += end - start
            start = end
            if len(self._now.rows) + self._copies >= self.window and (
                self._entry % step == 0 or (last and start == len(briefs))
            ):
                await self._window_over()
        if last:
            self._entry = 0

    async def _take(self, file: str, briefs: Sequence[Brief], batch: Batch) -> None:
        if not self._now.rows:
            self.records.window_over()
        await self._prepare(briefs)
        now, seen = self._now, self._seen
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
            if digest in seen or digest in first or marks & REFUSED or digest in self._open:
                self._take_odd(file, brief, batch)
                continue
            row = len(rows)
            rows.append(brief)
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
            if brief.kinds & ~self._prepared and brief.digest not in self._seen:
                await self.prepare(kinds_in(brief.kinds & ~self._prepared))
                self._prepared |= brief.kinds

    def _take_odd(self, file: str, brief: Brief, batch: Batch) -> None:
        """A copy of an event that was there before, or a line that is no event."""
        if brief.digest in self._seen:
            self._ended(Outcome.DUPLICATE, 1)
        elif brief.marks & REFUSED:
            self._end_told(batch.told[brief.told - 1], lambda: case_of(brief, file))
        else:
            self._now.twins.append((brief, file))
            self._copies += 1

    def _take_told(self, row: int, brief: Brief, batch: Batch) -> None:
        """An event that there is something to tell of, or that names will not do for."""
        complaints = batch.told[brief.told - 1] if brief.told else ()
        if brief.marks & BY_ID:
            raise NotByNameError
        if brief.marks & APART:
            self._take_apart(row, brief, complaints)
        elif brief.marks & CASE:
            self._now.case(row).take(complaints)
        elif brief.parts:
            self._tell(complaints, lambda: case_of(brief, self._now.file_of(row)))
        else:
            self._end_told(complaints, lambda: case_of(brief, self._now.file_of(row)))

    def _take_apart(self, row: int, brief: Brief, complaints: Sequence[Complaint]) -> None:
        case = self._now.case(row)
        case.take(complaints)
        alias = who(brief).alias
        if alias is None:
            self._now.whole.append(row)
            self._now.first[brief.digest] = row
            return
        refusal = self.backlog.refusal(alias)
        if refusal is not None:
            case.refuse(refusal)
            self.book.end(case)
            del self._now.cases[row]
            return
        self.backlog.link(alias)
        previous, current = f"p{alias.previous.key}", f"p{alias.current.key}"
        self._former.add(previous)
        self._aliased.setdefault(previous, set()).add(current)
        self._aliased.setdefault(current, set()).add(previous)
        case.open = 1
        self._now.joinings.append(Joining(alias, case))
        self._now.first[brief.digest] = row

    def _tell(self, complaints: Iterable[Complaint], make: Callable[[], Case]) -> None:
        """Problems of one event; `make` makes it somebody to tell of, which is only done for examples."""
        for complaint in complaints:
            example = None if self.book.knows_enough(complaint) else make()
            self.book.problem(complaint, example, complaint.outcome)

    def _end_told(self, complaints: Sequence[Complaint], make: Callable[[], Case]) -> None:
        """An event ends with what it was complained of."""
        self._tell(complaints, make)
        outcome = min((c.outcome for c in complaints if c.outcome is not None), key=PRECEDENCE.index)
        self._ended(outcome, 1)

    # -- what takes plans

    def _set_apart(self, met: set[str]) -> list[Joining]:
        """Puts into the backlog what plans must be driven for, in the order of reading; returns the other aliases."""
        now = self._now
        apart = self._names_apart(met)
        if not apart and not now.whole:
            return now.joinings
        self.records.abroad |= apart
        parts: list[tuple[int, msgspec.Raw | None]] = [(row, None) for row in now.whole]
        for name in apart:
            parts += batched(now.waiting.pop(name, ()))
            for row in now.leads.pop(name, ()):
                brief = now.rows[row]
                parts += [(row, part) for part in brief.parts[0 if brief.marks & SILENT else 1 :]]
        parts.sort(key=row_of)
        joined = []
        for joining in now.joinings:
            if f"p{joining.previous}" in apart:
                self.backlog.join(joining)
            else:
                joined.append(joining)
        for row, part in parts:
            case = self._now.case(row)
            if part is not None:
                case.open -= 1  # the backlog counts it
                self.backlog.add(Transformed((unpacked(part),)), case)
                continue
            case.open = 0
            brief = now.rows[row]
            refusal = self.backlog.add(transformed(brief, who(brief)), case)
            if refusal is not None:
                case.refuse(refusal)
            if not case.open:
                self.book.end(case)
        return joined

    def _names_apart(self, met: set[str]) -> set[str]:
        """The names of all records that plans must be driven for."""
        now = self._now
        found = {INITIALS[kind] + key for kind, key in self.backlog.waiting_keys()}
        found |= met
        found |= {name for name in self.records.abroad & now.waiting.keys() if not self.records.take_back(name)}
        for row in now.whole:
            brief = now.rows[row]
            found.update(brief.names)
        apart: set[str] = set()
        while found:  # what is linked to a record that may not come about, and all names of one person, go together
            name = found.pop()
            apart.add(name)
            linked: set[str] = set()
            if name[0] == "o":
                for row in now.waiting.get(name, ())[::2]:
                    linked.update(now.rows[row].names)
            found |= (linked | self._aliased.get(name, set())) - apart
        return apart

    def _met(self) -> set[str]:
        """The names that aliases join with somebody whom earlier windows know, or who is not there yet."""
        waiting, found = self._now.waiting, set[str]()
        for joining in self._now.joinings:
            previous = f"p{joining.previous}"
            names = self._all_names(previous)
            if previous not in waiting or not self.records.none_of(names):
                found.add(previous)
        return found

    def _all_names(self, name: str) -> set[str]:
        """All that aliases have joined with this name, directly or not."""
        names, found = set[str](), {name}
        while found:
            name = found.pop()
            names.add(name)
            found |= self._aliased.get(name, set()) - names
        return names

    def _join_names(self) -> None:
        """What waits under former ids waits for the person that they name now, and ranks below what that one says."""
        now = self._now
        for name in self._former & now.waiting.keys():
            root = f"p{self.backlog.canonical(name[1:])}"
            if root == name:
                continue  # its alias was refused
            entries: list[tuple[int, Any]] = list(batched(now.waiting.get(root, ())))
            for row, packed in batched(now.waiting.pop(name)):
                part = change(packed)
                depth = self.backlog.depth(part.record.key, part.time)
                entries.append((row, Part(part, depth, row)))
            entries.sort(key=row_of)
            now.waiting[root] = [item for entry in entries for item in entry]
            if name in now.leads:
                now.leads[root] = [*now.leads.get(root, ()), *now.leads.pop(name)]

    # -- counting

    async def _window_over(self) -> None:
        """Counts what the window's events come to."""
        now = self._now
        met = self._met()
        self._join_names()
        joined = self._set_apart(met)
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
                self._end_parts(entries[::2], Outcome.DELIVERED)
        for (initial, action), n in Counter(actions).items():
            self._recorded(KIND_OF[initial], action, n)
        self._count_leads()
        for joining in joined:
            joining.case.end_part(Outcome.DELIVERED)
            self._end(joining.case)
        await self._deliver_apart()
        self._end_rows()
        self.memory.window_over()
        self._now = Window()
        self._copies = 0

    def _weigh(self, name: str, entries: list[Any], found: Plain | Known) -> str:
        """What the window's parts change in a record that is there: it is updated or unchanged."""
        if not entries:
            return "unchanged"  # named in passing
        rows = entries[::2]
        written = self.records.take(found, name, rows, entries[1::2])
        if written is not None:
            self._weighed(rows, written)
            return "updated" if True in written else "unchanged"
        parts = [part_of(part, row) for row, part in batched(entries)]
        save = self.records.bring(name, parts, self.records.as_plans_know(name, found))
        quiet = self._now.quiet
        for part, outcome in save.parts:
            if outcome is Outcome.UNCHANGED:
                quiet[part.case] = quiet.get(part.case, 0) + 1
        if self._now.cases:
            for part, outcome in save.parts:
                self._end_parts((part.case,), outcome)
        return save.action or "unchanged"

    def _weighed(self, rows: Sequence[int], written: Sequence[bool]) -> None:
        """A record that took no plan: which of its parts, in these rows, are written."""
        quiet = self._now.quiet
        for row, is_written in zip(rows, written, strict=True):
            if not is_written:
                quiet[row] = quiet.get(row, 0) + 1
        if self._now.cases:
            for row, is_written in zip(rows, written, strict=True):
                self._end_parts((row,), Outcome.DELIVERED if is_written else Outcome.UNCHANGED)

    def _count_leads(self) -> None:
        total = 0
        for rows in self._now.leads.values():
            total += len(rows)
            if self._now.cases:
                self._end_parts(rows, Outcome.DELIVERED, lead=True)
        self._recorded("leads", "created", total)

    def _end_parts(self, rows: Iterable[int], outcome: Outcome, *, lead: bool = False) -> None:
        cases = self._now.cases
        for row in rows:
            case = cases.get(row)
            if case is None:
                continue
            if lead and self._now.rows[row].marks & SILENT:
                case.open -= 1  # the person that it only names
            if case.end_part(outcome):
                self._end(case)

    def _end(self, case: Case) -> None:
        if case.complaints:
            self.book.end(case)
        else:
            self._ended(case.outcome, 1)

    def _ended(self, outcome: Outcome, n: int) -> None:
        if n:
            self.book.tally.outcomes[outcome] += n
            self.book.count("outcome", outcome.value, n)

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

    def _end_rows(self) -> None:
        """The outcomes of events that are no more than a number, and of the copies of all."""
        now = self._now
        quiet = sum(
            1
            for row, n in now.quiet.items()
            if row not in now.cases and not now.rows[row].marks & LEAD and n == len(now.rows[row].parts)
        )
        told = sum(1 for row in now.first.values() if row in now.cases)
        self._ended(Outcome.UNCHANGED, quiet)
        self._ended(Outcome.DELIVERED, len(now.first) - told - quiet)
        open_before = self._open
        self._open = {digest: case for digest, case in self._open.items() if case.open}
        self._seen.update(now.first)
        for digest, row in now.first.items() if now.cases else ():
            case = now.cases.get(row)
            if case is not None and (case.open or case.outcome not in HANDLED):
                self._seen.discard(digest)
                if case.open:
                    self._open[digest] = case
        for digest, case in open_before.items():
            if not case.open and case.outcome in HANDLED:
                self._seen.add(digest)
        self._end_copies(now, open_before)

    def _end_copies(self, now: Window, open_before: Mapping[bytes, Case]) -> None:
        late, self._late = self._late, []
        for first, brief, file in late:
            self._end_copy(first, brief, file)
        for brief, file in now.twins:
            row = now.first.get(brief.digest)
            original = open_before.get(brief.digest) if row is None else now.cases.get(row)
            if original is None:
                self._ended(Outcome.DUPLICATE, 1)
            else:
                self._end_copy(original, brief, file)

    def _end_copy(self, first: Case, brief: Brief, file: str) -> None:
        if first.open:
            self._late.append((first, brief, file))
        elif first.outcome in HANDLED or first.outcome is Outcome.SKIPPED:
            self._ended(Outcome.DUPLICATE, 1)
        else:
            copy = case_of(brief, file)
            copy.become_copy(first)
            self.book.end(copy)

    async def _input_over(self) -> None:
        """Waiting for the rest of the input is no use any more."""
        await self._window_over()
        self.foresight.input_over()
        while len(self.backlog):
            await self._window_over()
