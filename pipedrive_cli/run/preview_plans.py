"""Drives plans without sending: what they write becomes rows, what they save is remembered as if it had happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pipedrive_cli.delivery.asks import (
    Ask,
    Forget,
    Knowledge,
    Linked,
    Locate,
    Look,
    Lost,
    Plan,
    Recall,
    RecordId,
    Refusal,
    Save,
    Terms,
    Wait,
    Write,
    name_key,
)
from pipedrive_cli.delivery.backlog import Backlog, Job, Joining, Node
from pipedrive_cli.delivery.book import Book
from pipedrive_cli.delivery.cases import Case
from pipedrive_cli.delivery.failing import Failure, KindStops
from pipedrive_cli.delivery.gathering import Part
from pipedrive_cli.delivery.homes import deliver
from pipedrive_cli.delivery.leads import deliver_lead, lead_job
from pipedrive_cli.delivery.verdicts import waits_for_input
from pipedrive_cli.errors import StopRun
from pipedrive_cli.outcomes import Complaint, Outcome
from pipedrive_cli.pipedrive.catalog import Call, create, get
from pipedrive_cli.run.preview_account import Known
from pipedrive_cli.run.preview_memory import Memory
from pipedrive_cli.run.preview_rows import Labels, Requested, label, requested
from pipedrive_cli.transform.changes import NOTHING, Kind, RecordName

Found: TypeAlias = RecordId | Outcome | None


@dataclass(slots=True, eq=False)
class _Course:
    """One job under way: what of it has ended (or waits), and what its last write would make the record show."""

    job: Job
    ended: list[Save | Wait] = field(default_factory=list)
    values: Mapping[str, Any] | None = None
    rejected: bool = False
    waits: bool = False

    def left(self) -> tuple[list[Part], list[Joining]]:
        """What is still open of the job."""
        parts: set[tuple[int, int]] = set()
        joinings: set[int] = set()
        for end in self.ended:
            if isinstance(end, Save):
                parts.update(_token(part) for part, _ in end.parts)
                joinings.update(id(joining) for joining, _ in end.joinings)
            else:
                parts.update(map(_token, end.parts))
                joinings.update(map(id, end.joinings))
        return (
            [part for part in self.job.parts if _token(part) not in parts],
            [joining for joining in self.job.joinings if id(joining) not in joinings],
        )


@dataclass(slots=True)
class Foresight:
    """Brings jobs to the end that they would have. `show` is given every request in the order of sending.

    Jobs are driven one after the other: nothing is waited for but looks, and those are few.
    """

    known: Known
    memory: Memory
    labels: Labels
    book: Book
    backlog: Backlog
    count: Callable[[Call], None]
    show: Callable[[Requested], None] | None
    look: Callable[[Any], None]
    terms: Terms | None = None
    over: bool = False
    cut: bool = False  # the input was not read to its end: what waits for the rest of it would be pending
    stopped: StopRun | None = None
    _ends: dict[Node, Found] = field(default_factory=dict)
    _ended: Counter[Outcome] = field(default_factory=Counter)

    def next_window(self) -> None:
        """What comes from here on is another window."""
        self._ends = {}
        self.labels.forget()

    async def deliver(self, jobs: Iterable[Job]) -> None:
        """Jobs of one window, those first that others are linked to."""
        for job in jobs:
            end = await self._bring(job)
            for node in job.nodes:
                self._ends[node] = end
        self._count_ended()

    async def deliver_leads(self, leads: Iterable[Part]) -> None:
        """The leads of one window, after all other jobs."""
        counted = self.show is None and not self.known.certain and self.memory.journal is None
        for part in leads:
            change, case = part.change, part.case
            # A lead that nobody can know yet is one POST, whatever it says: where no one is to see it, it is counted.
            if counted and change.person is not None and isinstance(await self._linked(change.person), int):
                self.count(create("leads", NOTHING))
                self.book.record("leads", "created")
                if case.end_part(Outcome.DELIVERED):
                    self._end(case)
            else:
                await self._bring(lead_job(part))
        self._count_ended()

    def _count_ended(self) -> None:
        for outcome, n in self._ended.items():
            self.book.tally.outcomes[outcome] += n
            self.book.count("outcome", outcome.value, n)
        self._ended.clear()

    def input_over(self, *, cut: bool = False) -> None:
        """Waiting for the rest of the input is no use any more; `cut`: it was not read to its end."""
        self.over, self.cut = True, cut
        self.known.input_over()

    async def _bring(self, job: Job) -> Found:
        course = _Course(job)
        assert self.terms is not None  # noqa: S101 - there are no jobs before an event was transformed
        try:
            if self.stopped is not None:
                raise self.stopped
            found = await self._drive(
                deliver_lead(job, self.terms) if job.kind == "leads" else deliver(job, self.terms), course
            )
        except Refusal as refusal:
            return self._give_up(course, Outcome.REJECTED, refusal.code, refusal.message)
        except Failure as failure:
            return self._give_up(course, Outcome.FAILED, failure.code, failure.message)
        except KindStops as stops:
            return self._give_up(course, Outcome.PENDING, stops.code, stops.message)
        except StopRun as stop:
            self.stopped = stop
            return self._give_up(course, Outcome.PENDING, stop.code, None)
        if found is None and course.rejected and not course.waits:
            return Outcome.REJECTED
        return found

    async def _drive(self, plan: Plan, course: _Course) -> RecordId | None:
        answer: Any = None
        try:
            while True:
                answer = await self._answer(plan.send(answer), course)
        except StopIteration as end:
            found: RecordId | None = end.value
            return found

    async def _answer(self, ask: Ask, course: _Course) -> Any:
        match ask:
            case Locate():
                return await self._locate(ask)
            case Linked(name):
                return await self._linked(name)
            case Recall(kind, record):
                return self._recall(kind, record)
            case Write():
                return self._write(ask, course)
            case Save():
                return self._save(ask, course)
            case Look():
                return await self._look(ask)
            case Wait():
                return self._wait(ask, course)
            case Lost(kind, key):
                return self.known.lost(kind, key)
            case Forget(kind, record):
                return self.memory.forget(kind, record)

    async def _locate(self, ask: Locate) -> tuple[RecordId, ...]:
        ids: tuple[RecordId, ...]
        key = ask.key if ask.key is not None else name_key(ask.name) if ask.email is None else None
        own = None if key is None else self.memory.find(ask.kind, key)
        ids = (own,) if own is not None else await self.known.locate(ask)
        if ids and ask.email is None:
            self.labels.learn(ask.kind, ids, label(ask.kind, ask.key, ask.name))
        return ids

    async def _linked(self, name: RecordName) -> Found:
        node = self.backlog.node_of(name)
        if node in self._ends:
            return self._ends[node]
        if name.key is None:
            return name.pipedrive_id
        key = self.backlog.canonical(name.key) if name.kind == "persons" else name.key
        ids = await self._locate(Locate(name.kind, key=key))
        return ids[0] if ids else None

    def _recall(self, kind: Kind, record: RecordId) -> Knowledge:
        own = self.memory.recall(kind, record)
        if own is not None and (own.values is not None or _unborn(record)):
            return own
        known = self.known.recall(kind, record)
        return known if own is None else Knowledge(own.state, known.values, known.age, known.updated, known.shown)

    async def _look(self, ask: Look) -> Mapping[str, Any] | None:
        own = self.memory.recall(ask.kind, ask.id)
        if own is None or (own.values is None and not _unborn(ask.id)):
            return await self.known.look(ask.kind, ask.id)
        self.look(self.labels.put(get(ask.kind, ask.id), ask.kind)[0])
        return own.values or {}

    def _write(self, ask: Write, course: _Course) -> Mapping[str, Any]:
        self.count(ask.call)
        job: Job = ask.job
        record = ask.call.id
        before = ask.before
        if before is None and record is not None:
            before = self._last_seen(ask.kind, record)
        if self.show is not None:
            names = self.terms.names if self.terms is not None else {}
            self.show(requested(ask, job, before, self.labels, names, certain=self.known.certain))
        if ask.action == "merge":
            return {}
        if record is None:
            words = label(job.kind, job.key, job.name)
            record = f"{{{words}}}" if job.kind == "leads" else self.labels.mint(job.kind, words)
        # What Pipedrive would answer: the record as it was, with what was sent.
        shown = {**(before or {}), **ask.fields, "id": record}
        course.values = shown if before is not None or ask.action == "create" else None
        return shown

    def _last_seen(self, kind: Kind, record: RecordId) -> Mapping[str, Any] | None:
        """What the record showed when it was last looked at, in this preview or in an earlier run."""
        own = self.memory.recall(kind, record)
        if own is not None and own.values is not None:
            return own.values
        return self.memory.seen_before(kind, record)

    def _save(self, save: Save, course: _Course) -> None:
        for case, complaint in save.complaints:
            case.complain(complaint)
        if save.action is not None:
            self.book.record(save.kind, save.action)
        for joining in save.apart:
            if joining.previous is not None:
                self.backlog.part_ways(joining.previous)
        values, course.values = course.values, None
        self.memory.saved(save, values)
        course.ended.append(save)
        for part, outcome in save.parts:
            course.rejected |= outcome is Outcome.REJECTED
            if part.case.end_part(outcome):
                self._end(part.case)
        for joining, outcome in save.joinings:
            if joining.case.end_part(outcome):
                self._end(joining.case)

    def _end(self, case: Case) -> None:
        if case.complaints:
            self.book.end(case)
        else:  # nothing to tell of it but its number
            self._ended[case.outcome] += 1
            self.memory.ended(case)

    def _wait(self, wait: Wait, course: _Course) -> bool:
        if self.over and not self.cut:
            return True
        if self.over:
            waiting = dict.fromkeys([*(part.case for part in wait.parts), *(j.case for j in wait.joinings)])
            self._save(
                Save(
                    wait.job.kind,
                    None,
                    parts=tuple((part, Outcome.PENDING) for part in wait.parts),
                    joinings=tuple((joining, Outcome.PENDING) for joining in wait.joinings),
                    complaints=tuple((case, waits_for_input()) for case in waiting),
                ),
                course,
            )
            return False
        course.waits = True
        course.ended.append(wait)
        self.backlog.put_back(wait.job, wait.parts, wait.joinings)
        return False

    def _give_up(self, course: _Course, outcome: Outcome, code: str, message: str | None) -> Outcome:
        """Ends what is still open of a job, all with one outcome."""
        parts, joinings = course.left()
        cases = dict.fromkeys([*(p.case for p in parts), *(j.case for j in joinings)])
        complaint = None if message is None else Complaint(code, message, outcome=outcome)
        self._save(
            Save(
                course.job.kind,
                None,
                parts=tuple((part, outcome) for part in parts),
                joinings=tuple((joining, outcome) for joining in joinings),
                complaints=() if complaint is None else tuple((case, complaint) for case in cases),
            ),
            course,
        )
        return outcome


def _token(part: Part) -> tuple[int, int]:
    """What makes a part the same part, whatever depth it is given: its event's change."""
    return (id(part.case), id(part.change))


def _unborn(record: RecordId) -> bool:
    return isinstance(record, int) and record < 0
