"""The intake: entries of the sources become pending events in the backlog, or end at once (bad, duplicate, skipped).

Reads ahead by at most one window: so many events, or fewer where they ask for many changes each. What an event's
transformation needs of the account is fetched when the first such event comes, so that a file of products alone demands
nothing of persons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import msgspec

from pipedrive_cli.delivery.backlog import Backlog, LaidTransformed
from pipedrive_cli.delivery.desk import Desk
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.delivery.run_log import RunLog
from pipedrive_cli.errors import StopRun
from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.identity import OTHER_CONTENT, digest
from pipedrive_cli.events.parts import processes_for
from pipedrive_cli.events.people import People, people_of
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source
from pipedrive_cli.model import KINDS, Complaint, Event, Kind, Outcome, Place, Transformed
from pipedrive_cli.run.batches import Batch, Batches, batches_of
from pipedrive_cli.run.left_files import UNREACHABLE, LeftFile, left_file, stop_of
from pipedrive_cli.run.mapping import RunMapping
from pipedrive_cli.run.options import Filters, passes
from pipedrive_cli.run.reading_list import Passing, sources_to_read
from pipedrive_cli.run.refill import HandledOtherwise, other_mapping
from pipedrive_cli.transform.consent import DENIED
from pipedrive_cli.transform.packing import PackedTransformed
from pipedrive_cli.transform.suppression import SUPPRESSED
from pipedrive_cli.transform.transform import kinds_of

if TYPE_CHECKING:
    from pipedrive_cli.run.part_reader import ReadEvent
    from pipedrive_cli.run.shared_reading import SharedInput  # a small input needs none
    from pipedrive_cli.run.spool import Spool
    from pipedrive_cli.run.suppression import SuppressedPeople

_NO_KINDS: frozenset[Kind] = frozenset()
CHANGES_AN_EVENT = 10  # changes; few events ask for more. A window that is cut costs more writes
UNWRITTEN = 50_000  # outcomes that wait for a transaction, before they get one of their own
_FEW = 100  # events under way, among which it costs nothing to look for those that have ended
COMPARED = 1_000  # events of a file that were handled before and are held against what they said then


def full(window: int, events: int, changes: int) -> bool:
    """Whether a window of at most `window` events is full with those that wait, and the changes they ask for."""
    return events >= window or changes >= CHANGES_AN_EVENT * window


@dataclass(slots=True)
class Intake:
    """Reads events into the backlog. `mapping` transforms them, and is prepared for their kinds first.

    `now` is the time in microseconds since 1970 UTC. `spool` None: bodies are not kept. `processes` is how many
    processes beside this one read the sources. `suppressed` None: nobody is.
    """

    sources: Sequence[Source]
    filters: Filters
    window: int
    mapping: RunMapping
    now: Callable[[], int]
    spool: Spool | None = None
    limit: int | None = None
    otherwise: HandledOtherwise | None = None  # which known events were handled under another mapping
    files: Passing | None = None  # which files are known; None: all are read
    read: Callable[[Source], Reading] = read_source
    processes: Callable[[Sequence[Source]], int] = processes_for
    suppressed: SuppressedPeople | None = None
    finished: list[str] = field(default_factory=list)  # names of sources that were read to their end
    complete: bool = False  # the whole input was read
    waiting: int = 0  # events of the present window
    changes: int = 0  # the changes that they ask for
    left: list[LeftFile] = field(default_factory=list)  # files that were not read to their end
    dropped: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    _under_way: dict[bytes, PendingEvent] = field(default_factory=dict)
    _copies: list[tuple[PendingEvent, PendingEvent]] = field(default_factory=list)
    _sweep_at: int = 0  # events under way, and copies of them, at which those that have ended are let go
    _counted: int = 0
    _compared: int = 0  # known events of the present file of which it was asked what they said
    _shared: SharedInput | None = None

    @property
    def _run_log(self) -> RunLog:
        return self.mapping.run_log

    @property
    def _backlog(self) -> Backlog:
        return self.mapping.courier.backlog

    @property
    def _desk(self) -> Desk:
        return self.mapping.courier.desk

    async def windows(self) -> AsyncIterator[None]:
        """Yields whenever the backlog should be delivered: it is full, the input ends, or a pipe falls silent."""
        try:
            async for _ in self._windows():
                yield
        finally:
            self._release()  # the last window; and where the run ends early, everything read has an outcome
            if self._shared is not None:
                self._shared.close()

    async def _windows(self) -> AsyncIterator[None]:
        figures = self._run_log.live_figures
        for reading in self._readings():
            source = reading.source
            self._compared = taken = 0
            figures.file = source.name
            figures.files_begun += 1
            pipe = source.size is None
            async for batch in self._batches_of(reading):
                figures.bytes_read += reading.bytes_read - taken
                taken = reading.bytes_read
                if figures.on_read is not None:
                    figures.on_read()
                enough = await self._add_batch(batch, reading)
                if self._run_log.unwritten >= UNWRITTEN:
                    await self._desk.end_events(())  # millions of bad lines fill no window, and must not fill memory
                if enough or self._desk.stopped is not None:
                    return
                silent = pipe and not batch and self.waiting > 0
                if silent or full(self.window, self.waiting, self.changes):
                    self._release()
                    yield
                    self._next_window()
                    if self._desk.stopped is not None:
                        return
            left = left_file(reading, lambda source: self.files is not None and self.files.seen_torn(source))
            if left is not None:
                self.left.append(left)
                if left.why.code == UNREACHABLE:
                    return  # the next one would make us wait as long, and for nothing
            elif reading.complete:
                self.finished.append(source.name)
        self.complete = True

    def _readings(self) -> Iterator[Batches]:
        sources = sources_to_read(self.sources, self.files, self._run_log.live_figures)
        # With a filter or a limit most events are left out: they are read here, one by one.
        number = 0 if self.filters or self.limit is not None else self.processes(self.sources)
        if not number:
            yield from map(self.read, sources)
            return
        from pipedrive_cli.run.shared_reading import SharedInput  # noqa: PLC0415 - a small input needs none of it

        bodies, people = self.spool is not None, self.suppressed is not None
        self._shared = SharedInput(sources, number, self.mapping, self.now, bodies=bodies, people=people)
        yield from self._shared.readings()

    async def _batches_of(self, reading: Batches) -> AsyncIterator[Batch]:
        """Entries in batches, none larger than the window has room for; an empty one when a pipe is silent."""
        async for batch in batches_of(reading):
            if not batch:
                yield batch
            while batch:
                room = max(1, self.window - self.waiting)
                yield batch[:room]
                batch = batch[room:]  # noqa: PLW2901 - what is left of it

    def unread(self) -> StopRun | None:
        """Why a run ends early whose sources could not be read to their end, though they are there."""
        return stop_of(self.left)

    def _next_window(self) -> None:
        self.waiting = self.changes = 0
        # What waits for the rest of the input is still under way: a copy of it must not be sent beside it. There may
        # be many, and many small windows: all are looked at when there may be twice as many.
        if len(self._under_way) + len(self._copies) >= self._sweep_at:
            self.end_copies()
            self._under_way = {key: pending for key, pending in self._under_way.items() if pending.open}
            self._sweep_at = max(_FEW, 2 * (len(self._under_way) + len(self._copies)))

    def end_copies(self) -> None:
        """Ends the copies of events that were under way when the copies came, once their originals have ended."""
        waiting = [pair for pair in self._copies if pair[1].open]
        for copy, first in self._copies:
            if first.open:
                continue
            copy.become_copy(first)
            self._run_log.end_event(copy)
        self._copies = waiting

    async def _add_batch(self, batch: Batch, reading: Batches) -> bool:
        """Reads a batch into the backlog. Returns whether --limit is reached."""
        if batch and not isinstance(batch[0], Entry):
            self._add_read_events(cast("Sequence[ReadEvent]", batch), reading)
            return False
        return await self._add_entries(cast(Sequence[Entry], batch), reading)

    def _add_read_events(self, rows: Sequence[ReadEvent], reading: Batches) -> None:
        """Adds what another process has read, of an input without filters or limit."""
        known, numbers = self._desk.recall([row.digest for row in rows if row.digest])
        reading.whole = 2 * len(known) <= len(rows)
        contents = self._contents([row.digest for row in rows if row.digest in known])
        file, run_log = reading.source.name, self._run_log
        run_log.live_figures.events_read += len(rows)
        for row in rows:
            place = Place(file, row.line, row.index)
            if row.digest in known:
                run_log.end_known_event(place, row.message_id)
                self._compare(row.content, contents.get(row.digest, 0), row.message_id, place)
                continue
            if row.people is not None and self.suppresses(row.people):
                self._end_silently(row.digest, place, SUPPRESSED)
                continue
            if row.refusal is not None and row.refusal.code == DENIED.code:
                self._end_silently(row.digest, place, DENIED)
                continue
            if row.transformed is None:
                run_log.number(row.digest, numbers)
                self._refuse(row.digest, row.message_id, place, row.body, row.refusal, row.people, cut=row.cut)
                continue
            pending = self._pending_event(row.digest, EventOrigin(row.message_id, place, row.user, row.time), row.body)
            pending.content = row.content
            pending.number, pending.visitor = run_log.number(row.digest, numbers), row.visitor
            self.waiting += 1
            if row.people is not None:
                self._hold(pending, row.people, row.transformed)
            elif self._is_no_copy(pending):
                self._settle(pending, row.transformed)

    async def _add_entries(self, batch: Sequence[Entry], reading: Batches) -> bool:  # noqa: PLR0912 - a call for each event is dear
        digests = [b"" if entry.identity is None else digest(entry.identity) for entry in batch]
        known, numbers = self._desk.recall([d for d in digests if d])
        reading.whole = 2 * len(known) <= len(batch)  # of what is known no more is decoded than its identity
        contents = self._contents([d for d in digests if d in known])
        now = self.now()
        run_log, filters, filtered = self._run_log, self.filters, bool(self.filters)
        live_figures, asks = run_log.live_figures, self.mapping.asks
        # First all are decoded, then all are transformed: a processor is faster at one thing done many times.
        otherwise = {} if self.otherwise is None else self.otherwise.lines([key for key in digests if key in known])
        events = [
            None if key in known and not filtered and key not in otherwise and key not in contents else entry.event(now)
            for entry, key in zip(batch, digests, strict=True)
        ]
        for entry, key, event in zip(batch, digests, events, strict=True):
            kinds = (
                kinds_of(event) & otherwise[key].keys() if key in otherwise and isinstance(event, Event) else _NO_KINDS
            )
            again = bool(kinds) and self._refills
            if key in known and not again:
                self._end_known(entry, event, other_mapping(otherwise[key], kinds) if kinds else ())
                if key in contents and isinstance(event, Event) and self._may_be_told(event):
                    self._compare(entry.content_of(event), contents[key], event.identity, entry.place)
                continue
            assert event is not None  # noqa: S101 - only what is known was not decoded
            if isinstance(event, Complaint):
                if filtered:
                    live_figures.filtered += 1
                    continue
                if self._limit_reached():
                    return True
                live_figures.events_read += 1
                self._add_refused(entry, key, event, numbers)
                continue
            if filtered and not passes(event, filters):
                live_figures.filtered += 1
                continue
            if self._limit_reached():
                return True
            people = None if self.suppressed is None else people_of(event)
            if (asks or people is not None) and (no := self._said_no(entry, event, people)) is not None:
                live_figures.events_read += 1
                self._end_silently(key, entry.place, no)
                continue
            if len(self.mapping.kinds) < len(KINDS) and (kinds := kinds_of(event) - self.mapping.kinds):
                await self.mapping.prepare(kinds)
            live_figures.events_read += 1  # from here on it has an outcome, whatever happens
            pending = self._pending_of(entry, key, event)
            pending.again, pending.number = again, run_log.number(key, numbers)
            self.waiting += 1
            if people is None and not self._is_no_copy(pending):
                continue
            transformed = self.mapping.transform(event)
            if transformed.complaints and transformed.misfit and await self._renewed(event, pending):
                transformed = self.mapping.transform(event)
            pending.visitor = None if transformed.changes else event.anonymous_id
            if people is None:
                self._settle(pending, transformed)
            else:
                self._hold(pending, people, transformed)
        return False

    def _add_refused(self, entry: Entry, key: bytes, why: Complaint, numbers: Mapping[bytes, int]) -> None:
        people = None if self.suppressed is None else entry.people()
        if (no := self._said_no(entry, why, people)) is not None:
            self._end_silently(key, entry.place, no)
            return
        body = None if self.spool is None else entry.body() if key else entry.raw
        self._run_log.number(key, numbers)
        told = self.mapping.told(why)
        self._refuse(key, entry.identity or "", entry.place, body, told, people, cut=entry.cut)

    @property
    def _refills(self) -> bool:
        return self.otherwise is not None and self.otherwise.refill

    def _end_known(self, entry: Entry, event: Event | Complaint | None, notices: Sequence[Complaint]) -> None:
        """Ends an event that was handled before; `notices` say what it knows nothing of."""
        if self.filters and not (isinstance(event, Event) and passes(event, self.filters)):
            self._run_log.live_figures.filtered += 1
            return
        self._run_log.live_figures.events_read += 1
        if notices:
            told = PendingEvent(b"", EventOrigin(entry.identity or "", entry.place))
            for notice in notices:
                self._run_log.problem(notice, told)
            if self.files is not None:
                self.files.has_old_events(entry.place.file)
        self._run_log.end_known_event(entry.place, entry.identity or "")

    def _limit_reached(self) -> bool:
        if self.limit is not None and self._counted >= self.limit:
            return True
        self._counted += 1
        return False

    def _is_no_copy(self, pending: PendingEvent) -> bool:
        """Whether no copy of this event is under way."""
        first = self._under_way.get(pending.digest)
        if first is not None and first.open:
            self._copies.append((pending, first))
            self._compare(pending.content, first.content, pending.message_id, pending.place)
            return False
        return True

    def _contents(self, known: Sequence[bytes]) -> Mapping[bytes, int]:
        """What events said that were handled before: of the first of each file. All ids of an exporter are alike."""
        # Where there is a list of people who are not to be sent, nothing is told of what may be theirs.
        chosen = known[: max(0, COMPARED - self._compared)] if self.suppressed is None else ()
        self._compared += len(chosen)
        return self._desk.contents(chosen) if chosen else {}

    def _may_be_told(self, event: Event) -> bool:
        return passes(event, self.filters) and not self.mapping.denies(event.consent)

    def _compare(self, content: int, before: int, message_id: str, place: Place) -> None:
        """Notices a copy that says something else than the event before it. It is taken for a copy all the same."""
        if content and before and content != before:
            self._run_log.problem(OTHER_CONTENT, PendingEvent(b"", EventOrigin(message_id, place)))

    # -- people who are not to be sent

    def _said_no(self, entry: Entry, event: Event | Complaint, people: People | None) -> Complaint | None:
        """Why nothing may be done for an event of these people and nothing kept of it, or None."""
        if people is not None and self.suppresses(people):
            return SUPPRESSED
        if isinstance(event, Complaint):
            return DENIED if entry.identity is not None and self.mapping.denies(entry.consent()) else None
        return DENIED if self.mapping.denies(event.consent) else None

    def suppresses(self, people: People | None) -> bool:
        """Whether an event of these people is suppressed, whatever else the window tells."""
        return people is not None and self.suppressed is not None and self.suppressed.suppression.add(people)

    def _hold(self, pending: PendingEvent, people: People, transformed: Transformed | PackedTransformed) -> None:
        """Keeps what an event asks for until its window was read."""
        self.changes += len(transformed.changes)
        if self.suppressed is not None:
            self.suppressed.hold(pending, people, self._backlog.lay(transformed))

    def _release(self) -> None:
        """Ends the held events that are suppressed, and goes on with the others, in the order of the input."""
        for each, suppressed in () if self.suppressed is None else self.suppressed.judged():
            pending = each.pending
            if suppressed:
                self._end_silently(pending.digest, pending.place, SUPPRESSED)
            elif each.asked is None:
                self._end_refused(pending, each.why)
            elif self._is_no_copy(pending):
                self._settle(pending, each.asked)

    def _settle(self, pending: PendingEvent, transformed: Transformed | PackedTransformed | LaidTransformed) -> None:
        """Puts what an event asks for into the backlog, or ends the event."""
        if pending.again:
            pending.add(Outcome.UNCHANGED)  # it was handled, whatever it brings now
            if transformed.alias is not None:  # two persons are one already
                transformed = msgspec.structs.replace(transformed, alias=None)
        if not isinstance(transformed, LaidTransformed):  # that was counted when it was held back
            self.changes += len(transformed.changes)
        for dropped in transformed.dropped:
            self.dropped[dropped] += 1
        if transformed.complaints:
            pending.add_complaints(transformed.complaints)
        refusal = self.mapping.courier.backlog.add(transformed, pending)
        if refusal is not None:
            pending.refuse(refusal)
        if pending.open == 0:
            self._run_log.end_event(pending)
            if pending.visitor is not None and pending.outcome is Outcome.SKIPPED and self.mapping.skips_visitors:
                self.mapping.courier.visitors.add(pending.visitor)
        else:
            self._under_way[pending.digest] = pending

    async def _renewed(self, event: Event, pending: PendingEvent) -> bool:
        """Whether the account has changed since it was kept. Where the run ends here, the event is pending."""
        try:
            return await self.mapping.renew(event)
        except Exception:
            pending.add(Outcome.PENDING)
            self._run_log.end_event(pending)
            raise

    def _pending_of(self, entry: Entry, key: bytes, event: Event) -> PendingEvent:
        origin = EventOrigin(event.identity, entry.place, event.user_id or event.anonymous_id, event.time)
        pending = self._pending_event(key, origin, None if self.spool is None else entry.body())
        pending.content = entry.content_of(event)
        return pending

    def _pending_event(self, key: bytes, origin: EventOrigin, body: bytes | None) -> PendingEvent:
        spool = self.spool
        if spool is None or body is None:
            return PendingEvent(key, origin)
        return PendingEvent(key, spool.add_origin(msgspec.structs.replace(origin, body=spool.add(body))), spool)

    def _end_silently(self, key: bytes, place: Place, why: Complaint) -> None:
        """Ends an event of somebody who said no: nothing is kept of it but its place, and what was kept goes."""
        self._run_log.drop_kept(key)
        pending = PendingEvent(b"", EventOrigin("", place))
        pending.refuse(why)
        self._run_log.end_event(pending)

    def _refuse(
        self,
        key: bytes,
        identity: str,
        place: Place,
        body: bytes | None,
        why: Complaint | None,
        people: People | None,
        *,
        cut: bool,
    ) -> None:
        """Rejects an event that cannot be used; who is suppressed may show later in its window."""
        at = None if self.spool is None or body is None else self.spool.add(body)
        pending = PendingEvent(key, EventOrigin(identity, place, body=at, cut=cut))
        if people is not None and self.suppressed is not None:
            self.waiting += 1  # millions of bad lines must not fill memory
            self.suppressed.hold(pending, people, None, why)
            return
        self._end_refused(pending, why)
        if self.spool is not None and at is not None:
            self.spool.drop_from(at)

    def _end_refused(self, pending: PendingEvent, why: Complaint | None) -> None:
        pending.refuse(why or Complaint("bad_json", "the line holds no event"))
        self._run_log.end_event(pending)
