"""The courier drives the plan of each job. A desk carries out the effects that the plan yields.

One job is one record. One worker delivers it from beginning to end; several jobs are under way at once. A job that
links to another record (a person to its organization, a lead to its person) waits for that record's job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import msgspec

from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.claims import Claims
from pipedrive_cli.delivery.crew import Crew
from pipedrive_cli.delivery.desk import Desk, Written
from pipedrive_cli.delivery.effects import (
    Cached,
    CheckLink,
    Claim,
    Commit,
    DeliverySettings,
    Effect,
    Fetch,
    Find,
    Forget,
    IsVisitor,
    LoadDeleted,
    RecordId,
    Refusal,
    ResolveLink,
    Snapshot,
    SubPlan,
    Wait,
    Write,
)
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.leads import deliver_lead
from pipedrive_cli.delivery.links import check_link
from pipedrive_cli.delivery.outcomes import end_all, waits_for_input
from pipedrive_cli.delivery.pending_event import WORST_FIRST, EventRecord, PendingEvent
from pipedrive_cli.delivery.precedence import PrecedenceRules, RecordState
from pipedrive_cli.delivery.record_plan import deliver_record
from pipedrive_cli.delivery.refused_fields import AccountWatch
from pipedrive_cli.delivery.retry import Failure, KindStops
from pipedrive_cli.delivery.run_log import RunLog
from pipedrive_cli.delivery.visitors import Visitors
from pipedrive_cli.delivery.waiting import UNDER_WAY, Group, Job, PendingAlias
from pipedrive_cli.delivery.window import Window
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import HANDLED, Complaint, Kind, Outcome, Values

LONGEST_HOLD = 120.0  # seconds one job waits for another one that has the same record
LEFT_AT_ONCE = 2_000  # jobs of a stopped run that one commit leaves pending

JobEnd: TypeAlias = RecordId | Outcome | None  # how a job ended: its record, or why there is none; None: it waits


class _Delivery(msgspec.Struct, eq=False):
    """One job under way: which of its changes have ended or wait, and which records it has locked."""

    job: Job
    written: Written | None = None
    ended: list[Commit | Wait] = []
    waits: bool = False
    locks: dict[tuple[Kind, RecordId], asyncio.Lock] | None = None

    def left(self) -> tuple[list[PendingChange], list[PendingAlias]]:
        """The changes and aliases that are still open. Only a job that fails needs them."""
        changes: set[tuple[int, int]] = set()
        pending_aliases: set[int] = set()
        for end in self.ended:
            if isinstance(end, Commit):
                changes.update(_identity(pending) for pending, _ in end.changes)
                pending_aliases.update(id(pending_alias) for pending_alias, _ in end.pending_aliases)
            else:
                changes.update(map(_identity, end.changes))
                pending_aliases.update(map(id, end.pending_aliases))
        return (
            [pending for pending in self.job.changes if _identity(pending) not in changes],
            [pending_alias for pending_alias in self.job.pending_aliases if id(pending_alias) not in pending_aliases],
        )

    def worst(self) -> Outcome | None:
        """The weightiest outcome of its changes so far."""
        outcomes = [outcome for end in self.ended if isinstance(end, Commit) for _, outcome in end.changes]
        return min(outcomes, key=WORST_FIRST.index, default=None)

    def unlock(self, kind: Kind, record: RecordId) -> None:
        """Unlocks a record that is not this job's after all."""
        if self.locks is not None and (lock := self.locks.pop((kind, record), None)) is not None:
            lock.release()

    def release(self) -> None:
        """Unlocks the records of this job."""
        if self.locks is not None:
            for lock in self.locks.values():
                lock.release()
            self.locks = None


@dataclass(slots=True)
class Courier:
    """Delivers jobs at a desk. `backlog` takes back what must wait for the rest of the input."""

    desk: Desk
    run_log: RunLog
    backlog: Backlog
    settings: DeliverySettings = field(default_factory=lambda: DeliverySettings(PrecedenceRules(), {}))
    input_over: bool = False
    input_cut: bool = False  # the input was not read to its end: what waits for the rest of it is pending
    kinds_stopped: dict[Kind, KindStops] = field(default_factory=dict)
    crew: Crew = field(default_factory=Crew)
    account: AccountWatch | None = None  # None: nobody can tell whether the account has changed
    visitors: Visitors = field(default_factory=Visitors)
    _window: Window | None = None  # that is being delivered
    _awaited: dict[Group, asyncio.Future[JobEnd]] = field(default_factory=dict)  # jobs that others wait for
    _checked: dict[tuple[Kind, RecordId], asyncio.Future[JobEnd]] = field(default_factory=dict)  # records linked to
    _locks: dict[tuple[Kind, RecordId], asyncio.Lock] = field(default_factory=dict)  # of the records of this window
    _claims: Claims = field(default_factory=Claims)  # on records found by email or by name, in this window
    _under_way: dict[Group, Job] = field(default_factory=dict)  # that workers have taken
    _answers: dict[type, Callable[[Any, _Delivery], Awaitable[object]]] = field(init=False)  # by the effect's type

    async def deliver(self, window: Window, workers: int) -> None:
        """Delivers all records of a window."""
        self._window = window
        self._locks, self._claims = {}, Claims()

        async def next_job() -> bool:
            if self.desk.stopped is not None or (taken := window.take_next()) is None:
                return False
            job, group = taken
            if group is None:
                await self._bring(job)
            else:
                self._under_way[group] = job
                self._end(group, await self._bring(job))
            self.run_log.live_figures.backlog_records -= 1
            return True

        try:
            await self.crew.work(min(workers, len(window)), next_job)
        except* StopRun as stops:
            raise stops.exceptions[0] from None  # the journal cannot be written: nothing more may be sent
        await self._give_up_rest(window)
        self._window = None

    async def _give_up_rest(self, window: Window) -> None:
        """The run has stopped: records that no worker has begun are pending. Quickly: somebody pressed Ctrl-C."""
        while rest := min(len(window), LEFT_AT_ONCE):
            ended: list[PendingEvent] = []
            for _ in range(rest):
                waiting, group = window.drop_next()
                if group is not None:
                    self._end(group, Outcome.PENDING)
                ended += [event for event in waiting if event.end_change(Outcome.PENDING)]
            await self.desk.end_events(ended)
            self.run_log.live_figures.backlog_records -= rest

    def _end(self, group: Group, found: JobEnd) -> None:
        """Notes how a record's job ended, and wakes the jobs that link to the record."""
        group.end = found
        self._under_way.pop(group, None)
        if (awaited := self._awaited.pop(group, None)) is not None and not awaited.done():
            awaited.set_result(found)

    async def _end_of(self, group: Group) -> JobEnd:
        """How a job will have ended that is under way."""
        if (end := self._awaited.get(group)) is None:
            end = self._awaited[group] = asyncio.get_running_loop().create_future()
        async with self.crew.aside():  # the job may be in doubt for long
            return await asyncio.shield(end)

    async def _bring(self, job: Job) -> JobEnd:
        """Drives one job's plan. Whatever happens, every change of the job has an outcome or waits afterwards."""
        delivery = _Delivery(job)
        try:
            if (stops := self.kinds_stopped.get(job.kind)) is not None:
                raise stops
            await self.desk.settle_earlier(job)
            plan = deliver_lead(job, self.settings) if job.kind == "leads" else deliver_record(job, self.settings)
            found = await self._drive(plan, delivery)
        except Refusal as refusal:
            await self._give_up(delivery, Outcome.REJECTED, refusal)
            return Outcome.REJECTED
        except Failure as failure:
            await self._give_up(delivery, Outcome.FAILED, failure)
            return Outcome.FAILED
        except KindStops as stops:
            self.kinds_stopped.setdefault(stops.kind, stops)
            await self._give_up(delivery, Outcome.PENDING, stops)
            return Outcome.PENDING
        except StopRun as stop:
            self.desk.stop(stop)  # the journal may work again the next moment, but it has missed something
            await self._give_up(delivery, Outcome.PENDING)
            return Outcome.PENDING
        finally:
            if delivery.locks is not None:
                delivery.release()
        if found is None and not delivery.waits:
            return delivery.worst() or Outcome.REJECTED
        return found

    async def _lock(self, delivery: _Delivery, kind: Kind, record: RecordId) -> None:
        """Locks a record for one job, whatever leads other jobs to it: a key, Pipedrive's id, a name or an email.

        The record's values are asked for under the lock, so that the second job sees what the first has written.

        A record of another kind (a lead's person) is only read: a lock on it would keep out the record's own job.
        """
        if kind != delivery.job.kind:
            return
        if delivery.locks is None:
            delivery.locks = {}
        if (kind, record) in delivery.locks:
            return
        if (lock := self._locks.get((kind, record))) is None:
            lock = self._locks[kind, record] = asyncio.Lock()
            await lock.acquire()  # nobody else knows it yet
        else:
            try:
                async with asyncio.timeout(LONGEST_HOLD):
                    await lock.acquire()
            except TimeoutError:
                raise Failure("record_busy", f"record {record} in {kind} was busy for too long") from None
        delivery.locks[kind, record] = lock

    async def _drive(self, plan: SubPlan[JobEnd], delivery: _Delivery) -> JobEnd:
        answers, send, throw = self._answers, plan.send, plan.throw
        go_on: Callable[[Any], Effect] = send
        answer: object = None
        while True:
            try:
                effect = go_on(answer)
            except StopIteration as end:
                found: JobEnd = end.value
                return found
            try:
                answer, go_on = await answers[type(effect)](effect, delivery), send
            except Refusal as refusal:
                answer, go_on = refusal, throw

    def __post_init__(self) -> None:
        # What the desk is asked, and below it what only the courier knows: of other jobs, and the rest of the input.
        self._answers = {
            Find: self._find,
            Cached: self._cached,
            Fetch: self._fetch,
            Write: self._send,
            Commit: self._save,
            Forget: self._forget,
            LoadDeleted: self._load_deleted,
            Claim: self._may_adopt,
            ResolveLink: self._resolve_link,
            CheckLink: self._check_link,
            IsVisitor: self._is_visitor,
            Wait: self._wait,
        }

    def _find(self, find: Find, delivery: _Delivery) -> Awaitable[tuple[RecordId, ...]]:
        if find.denied is not None:
            delivery.unlock(find.kind, find.denied)
        return self.desk.find(find) if find.key is not None else self._find_nobodys(find, delivery.job)

    async def _cached(self, cached: Cached, delivery: _Delivery) -> Snapshot:
        await self._lock(delivery, cached.kind, cached.id)
        return self.desk.cached(cached.kind, cached.id)

    async def _fetch(self, fetch: Fetch, delivery: _Delivery) -> Values | None:
        await self._lock(delivery, fetch.kind, fetch.id)
        return await self.desk.fetch(fetch.kind, fetch.id, mapped=fetch.mapped)

    def _forget(self, gone: Forget, _: _Delivery) -> Awaitable[None]:
        return self.desk.forget(gone)

    async def _load_deleted(self, deleted: LoadDeleted, _: _Delivery) -> RecordState | None:
        return self.desk.load_deleted(deleted.kind, deleted.key)

    async def _is_visitor(self, visitor: IsVisitor, _: _Delivery) -> bool:
        return visitor.key in self.visitors

    async def _send(self, write: Write, delivery: _Delivery) -> Values:
        written = delivery.written = Written()
        try:
            shown = await self.desk.send(write, written)
        except Refusal as refusal:
            if not refusal.gone and write.action != "merge":
                await self._look_for_cause(write, refusal)
            raise
        self.settings.refused_fields.note_success(write.kind, write.fields)
        return shown

    async def _look_for_cause(self, write: Write, refusal: Refusal) -> None:
        """A refused value may be nobody's fault: the account may have changed, or the field cannot be written at all.

        Raises Failure where the account has changed: the event waits for a run that knows the account as it is.
        """
        kind, names = write.kind, self.settings.names
        changed = frozenset[str]() if self.account is None else await self.account.changed_fields(kind)
        if stale := [address for address in refusal.fields or write.fields if address in changed]:
            fields = ", ".join(names.get(address, address) for address in stale)
            raise Failure("account_changed", f"{fields} has changed in Pipedrive while the run was under way")
        for address in refusal.fields:
            if address == self.settings.key_address.get(kind):
                continue
            given_up = self.settings.refused_fields.note_refusal(
                kind, address, write.fields.get(address), refusal.message
            )
            if given_up and self.account is not None:
                self.account.give_up_field(kind, address, refusal.message)

    async def _may_adopt(self, claim: Claim, _: _Delivery) -> bool:
        """Whether nobody else of this window is to have the record, with an older event."""
        age, kind = self._claims.note(claim), claim.job.kind
        if age is None:
            return False
        if not self._claims.knows(kind) and self._window is not None:
            taken = ((group, job.changes) for group, job in self._under_way.items() if job.kind == kind)
            self._claims.learn(kind, [*taken, *self._window.waiting(kind)])
        for group in self._claims.older(claim, age):
            if self._under_way.get(group) is not claim.job and await self._needs_record(group):
                return False
        return True

    async def _find_nobodys(self, find: Find, job: Job) -> tuple[RecordId, ...]:
        """Records found by name or email, without those that the input gives to another key, by Pipedrive's id."""
        ids = await self.desk.find(find)
        return ids and tuple(record for record in ids if not self._is_given_to_others(job, find.kind, record))

    def _is_given_to_others(self, job: Job, kind: Kind, record: RecordId) -> bool:
        group = None if self._window is None else self._window.group((kind, "id", cast(int, record)))
        if group is None or not job.nodes.isdisjoint(group.nodes):
            return False
        return any(node[1] == "key" for node in group.nodes)

    async def _needs_record(self, group: Group) -> bool:
        """Whether nothing in Pipedrive is known yet by the names of this group."""
        if any(node[1] == "id" for node in group.nodes):
            return False
        for key in sorted(self.backlog.keys_of(group)):
            deleted = self.desk.load_deleted(group.kind, key) is not None
            if deleted or await self.desk.find(Find(group.kind, key=key)):
                return False
        return True

    async def _check_link(self, link: CheckLink, _: _Delivery) -> JobEnd:
        """Looks at a record that others link to, once for all of them; where it was deleted it is made again, once."""
        name, place = link.name, (link.name.kind, link.id)
        checked = self._checked.get(place)
        if checked is not None and checked.done() and not link.doubted:
            return checked.result()
        if self.account is not None:
            await self.account.learn_kind(name.kind)
            checked = self._checked.get(place)
        if checked is not None and link.doubted and checked.done() and not checked.cancelled():
            # Whoever was refused first has it made again; for the others it is not the same record any more.
            checked = checked if checked.exception() is None and checked.result() != link.id else None
        if checked is not None:
            return await asyncio.shield(checked)
        checked = self._checked[place] = asyncio.get_running_loop().create_future()
        try:
            found = await self._drive_check(link)
        except asyncio.CancelledError:
            checked.cancel()
            raise
        except BaseException as trouble:
            checked.set_exception(trouble)
            checked.exception()  # perhaps nobody else asks: asyncio would then complain
            raise
        checked.set_result(found)
        return found

    async def _drive_check(self, link: CheckLink) -> JobEnd:
        name, persons = link.name, link.name.kind == "persons"
        key = self.backlog.canonical(name.key) if persons and name.key is not None else name.key
        job = Job(name.kind, key, [] if key is None else [key], [], name.name, [], [])
        job.canonical = self.backlog.canonical if persons else job.canonical
        delivery = _Delivery(job)
        try:
            return await self._drive(
                check_link(job, link.id, link.event, self.settings, doubted=link.doubted), delivery
            )
        finally:
            delivery.release()

    async def _resolve_link(self, link: ResolveLink, _: _Delivery) -> JobEnd:
        """The record that a link names: its own job delivers it, or it is there already."""
        name = link.name
        if self._window is not None and (group := self._window.group(self.backlog.node_of(name))) is not None:
            end: JobEnd = group.end if group.end is not UNDER_WAY else await self._end_of(group)
            return end
        if name.key is not None:
            key = self.backlog.canonical(name.key) if name.kind == "persons" else name.key
            ids = await self.desk.find(Find(name.kind, key=key))
            return ids[0] if ids else None
        return name.pipedrive_id

    def _save(self, commit: Commit, delivery: _Delivery) -> Awaitable[None]:
        written, delivery.written = delivery.written or Written(), None
        ended = self._ended(commit, delivery)
        if commit.action is not None:
            self.run_log.record(commit.kind, commit.action)
        for pending_alias in commit.refused_aliases:
            if pending_alias.previous is not None:
                self.backlog.unlink(pending_alias.previous)
        return self.desk.commit(commit, written, ended)

    def _ended(self, commit: Commit, delivery: _Delivery) -> list[PendingEvent]:
        """Notes the outcomes of changes and aliases. Returns the events that have ended with them."""
        for event, complaint in commit.complaints:
            event.complain(complaint)
        delivery.ended.append(commit)
        if self.run_log.results is not None:
            _note_records(commit, merged=any(isinstance(end, Commit) and end.merged for end in delivery.ended))
        ended = [pending.event for pending, outcome in commit.changes if pending.event.end_change(outcome)]
        for pending_alias, outcome in commit.pending_aliases:
            if pending_alias.event.end_change(outcome):
                ended.append(pending_alias.event)
        return ended

    async def _wait(self, wait: Wait, delivery: _Delivery) -> bool:
        """Whether waiting is no use any more. What waits for input that is not read is pending."""
        if self.input_over and not self.input_cut:
            return True
        if self.input_over:
            complaint = waits_for_input()
            commit = end_all(wait.job.kind, wait.changes, wait.pending_aliases, Outcome.PENDING, complaint)
            await self._save(commit, delivery)
            return False
        delivery.waits = True
        delivery.ended.append(wait)
        self.backlog.put_back(wait.changes, wait.pending_aliases)
        return False

    async def _give_up(
        self, delivery: _Delivery, outcome: Outcome, why: Refusal | Failure | KindStops | None = None
    ) -> None:
        """Ends what is still open of a job with one outcome."""
        changes, pending_aliases = delivery.left()
        complaint = None if why is None else Complaint(why.code, why.message, outcome=outcome)
        await self._save(end_all(delivery.job.kind, changes, pending_aliases, outcome, complaint), delivery)


def _note_records(commit: Commit, *, merged: bool) -> None:
    """Notes for results at which record the changes and aliases of a commit have arrived. `merged`: its job merged."""
    if commit.id is None:
        return
    action = commit.action or "updated"
    ended = [(pending.event, outcome, action) for pending, outcome in commit.changes]
    for pending_alias, outcome in commit.pending_aliases:
        ended.append((pending_alias.event, outcome, "merged" if merged else action))
    for event, outcome, done in ended:
        if outcome in HANDLED:
            arrived = EventRecord(commit.kind, commit.id, "unchanged" if outcome is Outcome.UNCHANGED else done)
            event.records = (*event.records, arrived)


def _identity(pending: PendingChange) -> tuple[int, int]:
    """What identifies a change of an event, whatever depth it has."""
    return (id(pending.event), id(pending.change))
