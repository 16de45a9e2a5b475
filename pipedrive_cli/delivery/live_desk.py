"""The desk of a run that sends: the account's directory, writes that are made once, and the journal.

Outcomes, ids and field times are one transaction: what the journal does not have has not happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipedrive_cli.delivery.brakes import BrakeCounter
from pipedrive_cli.delivery.desk import Written
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.effects import Commit, DeliverySettings, Find, Forget, RecordId, Refusal, Snapshot, Write
from pipedrive_cli.delivery.journal import GroupCommits, Journal
from pipedrive_cli.delivery.journal.befores import Before, note_before, note_write
from pipedrive_cli.delivery.journal.contents import contents_of
from pipedrive_cli.delivery.journal.rows import Recalled
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.run_log import RunLog
from pipedrive_cli.delivery.sender import Sender
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.delivery.window import KEYED, Window
from pipedrive_cli.delivery.writes import Writes
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import Kind, Value, Values


@dataclass(slots=True)
class LiveDesk:
    """The desk of one run. The run log is written with every transaction."""

    sender: Sender
    directory: Directory
    commits: GroupCommits
    run_log: RunLog
    writes: Writes
    brakes: BrakeCounter = field(default_factory=lambda: BrakeCounter({}))
    _written_at: float = 0.0  # when the newest write was done
    _noted_at: float = 0.0  # what the journal has of that

    def __post_init__(self) -> None:
        self.commits.at_end = self._end_group

    @property
    def stopped(self) -> StopRun | None:
        return self.sender.stopped

    def stop(self, why: StopRun) -> None:
        self.sender.stop(why)

    def equip(
        self, settings: DeliverySettings, addresses: Mapping[Kind, frozenset[str]], names: Mapping[str, str]
    ) -> None:
        self.directory.want(settings.key_address, addresses)
        self.sender.names = names

    async def prepare(self, window: Window) -> None:
        # Before anything is written for these events: after a kill they keep their numbers.
        await self.commits.record(lambda _: None)
        await asyncio.gather(*(self._prepare(kind, window) for kind in KEYED))
        if window.has_leads:
            await self.directory.leads.take_over()

    async def _prepare(self, kind: Kind, window: Window) -> None:
        keys, ids = window.keys(kind), window.ids(kind)
        if keys or ids:
            await self.directory.prepare(kind, keys, ids)

    async def find(self, effect: Find) -> tuple[RecordId, ...]:
        if effect.kind == "leads":
            await self.directory.leads.take_over()
            lead = self.commits.journal.named("leads", effect.key or "")
            return () if lead is None else (lead,)
        return await self.directory.locate(effect)

    def cached(self, kind: Kind, record: RecordId) -> Snapshot:
        return self.directory.cached(kind, record)

    async def fetch(self, kind: Kind, record: RecordId, *, mapped: bool) -> Values | None:
        return await self.directory.fetch(kind, record, mapped=mapped)

    def load_deleted(self, kind: Kind, key: str) -> RecordState | None:
        return self.commits.journal.load_deleted(kind, key)

    async def settle_earlier(self, job: Job) -> None:
        await self.writes.settle_earlier(job)

    async def send(self, write: Write, written: Written) -> Values:
        self.brakes.begin(write.action)  # what a brake keeps back must leave no trace
        try:
            if write.action != "create":
                before = self._before(write)
                await self.commits.record(
                    lambda journal: note_before(journal, self.run_log.run, before, self.writes.doubts.clock.now())
                )
            return await self.writes.send(write, written)
        except Refusal:
            self.brakes.take_back(write.action)
            raise

    def _before(self, write: Write) -> Before:
        """What a write replaces, as far as that is known without a request."""
        body = write.call.body or {}
        record: RecordId = body["merge_with_id"] if write.action == "merge" else write.call.id or 0
        state = self.commits.journal.state(write.kind, record)
        if write.action == "merge":
            return Before(write.kind, record, state, {}, merged=True)
        seen = write.before
        last = self.commits.journal.seen(write.kind, record)
        if seen is None and last is not None:
            seen = last.values
        values: dict[str, Value] = {}
        unknown = []
        for address in write.fields:
            mine = None if state is None else state.fields.get(address)
            if seen is not None:
                values[address] = seen.get(address)
            elif mine is not None:
                values[address] = mine.sent if mine.seen is None else mine.seen
            else:
                unknown.append(address)
        return Before(write.kind, record, state, values, tuple(unknown), updated=None if last is None else last.updated)

    async def commit(self, commit: Commit, written: Written, ended: Sequence[PendingEvent]) -> None:
        run, wrote = self.run_log.run, commit.action is not None and commit.action != "unchanged"
        if wrote:
            self._written_at = self.writes.doubts.clock.written()

        def record(journal: Journal) -> None:
            if commit.merged is not None and isinstance(commit.id, int):
                journal.merge_records(commit.kind, commit.merged, commit.id)
            if written.shown is not None:
                journal.see(commit.kind, [written.shown])
            if commit.id is not None and commit.state is not None:
                journal.save_record(commit.kind, commit.id, commit.keys, commit.state)
                if commit.action == "created":
                    for key in commit.keys:
                        journal.keep_deleted(commit.kind, key, None)
                    journal.note_created(run, commit.kind, commit.id, commit.keys[0] if commit.keys else None)
            for aliases, unknown in ((commit.aliases, False), (commit.unknown_aliases, True)):
                for pending_alias in aliases:
                    previous, current = pending_alias.previous, pending_alias.current
                    if previous is not None and current is not None:
                        journal.add_alias(previous, current, pending_alias.alias.time, run, unknown=unknown)
            # A commit without a record does not settle a write that is in doubt.
            if written.number is not None and commit.id is not None:
                journal.move_write(written.number, "done")
            for event in ended:
                self.run_log.end_event(event)

        # Nobody waits for it: it is durable before the next write leaves, and a kill leaves this write in doubt.
        self.commits.note(record)
        if not wrote:
            await asyncio.sleep(0)  # a row of records that need no request must not hold up everybody else

    async def forget(self, gone: Forget) -> None:
        """Keeps the record's state, for the process may die before the record is created again."""
        self.directory.forget(gone.kind, gone.id)

        def record(journal: Journal) -> None:
            journal.forget_record(gone.kind, gone.id)
            if gone.key is not None:
                journal.keep_deleted(gone.kind, gone.key, gone.state)

        self.commits.note(record)

    def recall(self, digests: Sequence[bytes]) -> Recalled:
        self.commits.flush()
        return self.commits.journal.recall(digests)

    def last_number(self) -> int:
        return self.commits.journal.last_number()

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        return contents_of(self.commits.journal, digests)

    def kinds_in_doubt(self) -> frozenset[Kind]:
        return frozenset(write.kind for write in self.commits.journal.open_writes())

    async def settle_doubts(self) -> None:
        await self.writes.doubts.take_up()

    def window_over(self) -> None:
        self.commits.flush()

    def input_over(self) -> None:
        """Nothing to do: the courier ends what waits."""

    async def look_once_more(self) -> None:
        await self.writes.look_once_more()

    async def end_events(self, events: Sequence[PendingEvent]) -> None:
        def record(_: Journal) -> None:
            for event in events:
                self.run_log.end_event(event)

        await self.commits.record(record, at_once=True)

    def _end_group(self, journal: Journal) -> None:
        """Writes with each transaction what the run has counted since the one before."""
        if self._written_at != self._noted_at:
            note_write(journal, self.run_log.run, self._written_at)
            self._noted_at = self._written_at
        self.run_log.write_to(journal)
