"""Drives plans at a desk: the desk answers what they ask, sends what they write and remembers what they save.

One job is one record, delivered by one worker from beginning to end; several jobs are under way at once. A job that
needs another one's record (a person its organization, a lead its person) waits for that job, which was taken up before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from pipedrive_cli.delivery.backlog import UNDER_WAY, Backlog, Group, Job, PendingAlias
from pipedrive_cli.delivery.desk import Desk, Written
from pipedrive_cli.delivery.effects import (
    Cached,
    Commit,
    DeliverySettings,
    Effect,
    Fetch,
    Find,
    Forget,
    LoadDeleted,
    Plan,
    RecordId,
    Recreate,
    Refusal,
    ResolveLink,
    Wait,
    Write,
)
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.identity import deliver_record, recreate
from pipedrive_cli.delivery.leads import deliver_lead
from pipedrive_cli.delivery.outcomes import waits_for_input
from pipedrive_cli.delivery.pending_event import PRECEDENCE, EventOrigin, PendingEvent
from pipedrive_cli.delivery.precedence import PrecedenceRules
from pipedrive_cli.delivery.retry import Failure, KindStops
from pipedrive_cli.delivery.run_log import RunLog
from pipedrive_cli.delivery.window import Window
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import Change, Complaint, Kind, Outcome, Place, Rank, RecordName

LONGEST_HOLD = 120.0  # seconds one job waits for another one that has the same record
LEFT_AT_ONCE = 2_000  # jobs of a stopped run that one commit leaves pending

Found: TypeAlias = RecordId | Outcome | None  # a job's end: its record, why there is none, or None: it still waits


class _Course(msgspec.Struct, eq=False):
    """One job under way: what of it has ended (or waits), and the records that it holds."""

    job: Job
    written: Written = msgspec.field(default_factory=Written)
    ended: list[Commit | Wait] = []
    worst: Outcome | None = None
    waits: bool = False
    held: dict[tuple[Kind, RecordId], asyncio.Lock] | None = None

    def left(self) -> tuple[list[PendingChange], list[PendingAlias]]:
        """What is still open of the job. Only trouble asks for it."""
        parts: set[tuple[int, int]] = set()
        pending_aliases: set[int] = set()
        for end in self.ended:
            if isinstance(end, Commit):
                parts.update(_token(part) for part, _ in end.parts)
                pending_aliases.update(id(pending_alias) for pending_alias, _ in end.pending_aliases)
            else:
                parts.update(map(_token, end.parts))
                pending_aliases.update(map(id, end.pending_aliases))
        return (
            [part for part in self.job.parts if _token(part) not in parts],
            [pending_alias for pending_alias in self.job.pending_aliases if id(pending_alias) not in pending_aliases],
        )

    def release(self) -> None:
        """Lets other jobs have the records that this one had."""
        if self.held is not None:
            for lock in self.held.values():
                lock.release()
            self.held = None


@dataclass(slots=True)
class Courier:
    """Delivers jobs, one course each, at a desk. `backlog` takes back what has to wait for the rest of the input."""

    desk: Desk
    run_log: RunLog
    backlog: Backlog
    terms: DeliverySettings = field(default_factory=lambda: DeliverySettings(PrecedenceRules(), {}))
    input_over: bool = False
    input_cut: bool = False  # the input was not read to its end: what waits for the rest of it is pending
    kinds_stopped: dict[Kind, KindStops] = field(default_factory=dict)
    _window: Window | None = None  # what is under way
    _awaited: dict[Group, asyncio.Future[Found]] = field(default_factory=dict)  # ends that others wait for
    _revivals: dict[RecordId, asyncio.Future[RecordId | None]] = field(default_factory=dict)
    _locks: dict[tuple[Kind, RecordId], asyncio.Lock] = field(default_factory=dict)  # of the records of this window

    async def deliver(self, window: Window, workers: int) -> None:
        """Brings everything in a window to its end."""
        self._window = window
        self._locks = {}

        async def work() -> None:
            while self.desk.stopped is None and (taken := window.take_next()) is not None:
                job, group = taken
                self._end(group, await self._bring(job))
                self.run_log.live_figures.backlog_records -= 1

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(workers, len(window))):
                    group.create_task(work())
        except* StopRun as stops:
            raise stops.exceptions[0] from None  # the journal cannot be written: nothing more may be sent
        await self._leave(window)
        self._window = None

    async def _leave(self, window: Window) -> None:
        """The run has stopped: what nobody has taken up is pending. Whoever pressed Ctrl-C is waiting."""
        while rest := min(len(window), LEFT_AT_ONCE):
            ended: list[PendingEvent] = []
            for _ in range(rest):
                waiting, group = window.leave()
                self._end(group, Outcome.PENDING)
                ended += [case for case in waiting if case.end_part(Outcome.PENDING)]
            await self.desk.end_events(ended)
            self.run_log.live_figures.backlog_records -= rest

    def _end(self, group: Group | None, found: Found) -> None:
        """A record has been brought, or why it has not: whoever is linked to it is told."""
        if group is not None:
            group.end = found
            if (awaited := self._awaited.pop(group, None)) is not None and not awaited.done():
                awaited.set_result(found)

    async def _end_of(self, group: Group) -> Found:
        if group.end is not UNDER_WAY:
            found: Found = group.end
            return found
        if (end := self._awaited.get(group)) is None:
            end = self._awaited[group] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(end)

    async def _bring(self, job: Job) -> Found:
        """Drives one job's plan. Whatever happens, every part of the job has an outcome (or waits) afterwards."""
        course = _Course(job)
        try:
            if self.desk.stopped is not None:
                raise self.desk.stopped
            if (stops := self.kinds_stopped.get(job.kind)) is not None:
                raise stops
            await self.desk.settle_earlier(job)
            plan = deliver_lead(job, self.terms) if job.kind == "leads" else deliver_record(job, self.terms)
            found = await self._drive(plan, course)
        except Refusal as refusal:
            await self._give_up(course, Outcome.REJECTED, refusal)
            return Outcome.REJECTED
        except Failure as failure:
            await self._give_up(course, Outcome.FAILED, failure)
            return Outcome.FAILED
        except KindStops as stops:
            self.kinds_stopped.setdefault(stops.kind, stops)
            await self._give_up(course, Outcome.PENDING, stops)
            return Outcome.PENDING
        except StopRun as stop:
            self.desk.stop(stop)  # the journal may be written again the next moment, but has missed something
            await self._give_up(course, Outcome.PENDING)
            return Outcome.PENDING
        finally:
            course.release()
        if found is None and not course.waits:
            return course.worst or Outcome.REJECTED
        return found

    async def _hold(self, course: _Course, kind: Kind, record: RecordId) -> None:
        """One job at a time has a record, whatever led two jobs to it: a key, Pipedrive's id, a name or an email.

        What is known of the record is asked for once it is held: so the second job sees what the first has written.

        Records of another kind (a lead's person) are only looked at: whoever held them would keep out their own job.
        """
        if kind != course.job.kind:
            return
        if course.held is None:
            course.held = {}
        if (kind, record) in course.held:
            return
        lock = self._locks.setdefault((kind, record), asyncio.Lock())
        try:
            async with asyncio.timeout(LONGEST_HOLD):
                await lock.acquire()
        except TimeoutError:
            raise Failure("record_busy", f"record {record} in {kind} was busy for too long") from None
        course.held[kind, record] = lock

    async def _drive(self, plan: Plan, course: _Course) -> RecordId | None:
        answer: Any = None
        refusal: Refusal | None = None
        while True:
            try:
                ask = plan.throw(refusal) if refusal is not None else plan.send(answer)
            except StopIteration as end:
                found: RecordId | None = end.value
                return found
            answer, refusal = None, None
            try:
                answer = await self._answer(ask, course)
            except Refusal as refused:
                refusal = refused

    async def _answer(self, ask: Effect, course: _Course) -> Any:
        match ask:
            case Find():
                return await self.desk.find(ask)
            case Cached(kind, record):
                await self._hold(course, kind, record)
                return self.desk.recall(kind, record)
            case Fetch(kind, record, mapped):
                await self._hold(course, kind, record)
                return await self.desk.look(kind, record, mapped=mapped)
            case Write():
                return await self.desk.send(ask, course.written)
            case Commit():
                return await self._save(ask, course)
            case ResolveLink(name):
                return await self._linked(name)
            case Forget():
                return await self.desk.forget(ask)
            case LoadDeleted(kind, key):
                return self.desk.lost(kind, key)
            case Wait():
                return await self._wait(ask, course)
            case Recreate(name, record):
                return await self._revive(name, record)

    async def _revive(self, name: RecordName, record: RecordId) -> RecordId | None:
        """Makes a deleted person anew, once for all the leads that miss it."""
        if (under_way := self._revivals.get(record)) is None:
            key = None if name.key is None else self.backlog.canonical(name.key)
            job = Job("persons", key, [] if key is None else [key], [], None, [], [])
            ghost_case = PendingEvent(b"", EventOrigin("", Place("", 0)), open=2)  # asks for nothing, and so never ends
            ghost = PendingChange(Change(RecordName("persons", key), None, rank=Rank.CONTEXT), 0, ghost_case)
            plan = recreate(job, record, ghost, self.terms)
            under_way = asyncio.ensure_future(self._revived(plan, _Course(job)))
            self._revivals[record] = under_way
        return await asyncio.shield(under_way)

    async def _revived(self, plan: Plan, course: _Course) -> RecordId | None:
        try:
            return await self._drive(plan, course)
        finally:
            course.release()

    async def _linked(self, name: RecordName) -> Found:
        """The record that a link names: brought by a job of its own, or there already."""
        node = self.backlog.node_of(name)
        if self._window is not None and (group := self._window.group(node)) is not None:
            return await self._end_of(group)
        if name.key is not None:
            key = self.backlog.canonical(name.key) if name.kind == "persons" else name.key
            ids = await self.desk.find(Find(name.kind, key=key))
            return ids[0] if ids else None
        return name.pipedrive_id

    async def _save(self, save: Commit, course: _Course) -> None:
        written, course.written = course.written, Written()
        ended = self._ended(save, course)
        if save.action is not None:
            self.run_log.record(save.kind, save.action)
        for pending_alias in save.apart:
            if pending_alias.previous is not None:
                self.backlog.part_ways(pending_alias.previous)
        await self.desk.save(save, written, ended)

    def _ended(self, save: Commit, course: _Course) -> list[PendingEvent]:
        """Notes the outcomes of parts; returns the events that have thereby ended."""
        for case, complaint in save.complaints:
            case.complain(complaint)
        course.ended.append(save)
        ended: list[PendingEvent] = []
        for part, outcome in save.parts:
            if course.worst is not outcome:
                course.worst = outcome if course.worst is None else min(course.worst, outcome, key=PRECEDENCE.index)
            if part.case.end_part(outcome):
                ended.append(part.case)
        for pending_alias, outcome in save.pending_aliases:
            if pending_alias.case.end_part(outcome):
                ended.append(pending_alias.case)
        return ended

    async def _wait(self, wait: Wait, course: _Course) -> bool:
        """Whether waiting is no use any more. What waits for input that is never read is pending, and that alone."""
        if self.input_over and not self.input_cut:
            return True
        if self.input_over:
            parts = tuple((part, Outcome.PENDING) for part in wait.parts)
            pending_aliases = tuple((pending_alias, Outcome.PENDING) for pending_alias in wait.pending_aliases)
            complaint = waits_for_input()
            waiting = dict.fromkeys([*(part.case for part in wait.parts), *(j.case for j in wait.pending_aliases)])
            complaints = tuple((case, complaint) for case in waiting)
            await self._save(
                Commit(wait.job.kind, None, parts=parts, pending_aliases=pending_aliases, complaints=complaints), course
            )
            return False
        course.waits = True
        course.ended.append(wait)
        self.backlog.put_back(wait.job, wait.parts, wait.pending_aliases)
        return False

    async def _give_up(
        self, course: _Course, outcome: Outcome, why: Refusal | Failure | KindStops | None = None
    ) -> None:
        """Ends what is still open of a job, all with one outcome."""
        parts, pending_aliases = course.left()
        complaint = None if why is None else Complaint(why.code, why.message, outcome=outcome)
        cases = dict.fromkeys([*(p.case for p in parts), *(j.case for j in pending_aliases)])
        await self._save(
            Commit(
                course.job.kind,
                None,
                parts=tuple((part, outcome) for part in parts),
                pending_aliases=tuple((pending_alias, outcome) for pending_alias in pending_aliases),
                complaints=() if complaint is None else tuple((case, complaint) for case in cases),
            ),
            course,
        )


def _token(part: PendingChange) -> tuple[int, int]:
    """What makes a part the same part, whatever depth it is given: its event's change."""
    return (id(part.case), id(part.change))
