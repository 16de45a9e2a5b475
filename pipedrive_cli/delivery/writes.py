"""Sends the writes of plans so that nothing is made twice: journaled before they leave, looked for when in doubt.

A write without an answer is looked for, later than any lag, before anything is sent again (`Doubts`): a create among
the records changed since the attempt, by its record key; a lead by its origin_id; a merge by reading the loser.
What cannot be found out is not guessed: `Failure` is raised, and the write stays in doubt. Nothing here knows plans or
the outcomes of events: a write ends with what Pipedrive showed, or with the error that says why not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.desk import Written
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.effects import Refusal, Write, name_key
from pipedrive_cli.delivery.journal import GroupCommits, Journal, OpenWrite
from pipedrive_cli.delivery.journal.commits import Record
from pipedrive_cli.delivery.listing import SKEW
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.retry import Doubt, Failure, KindStops
from pipedrive_cli.delivery.sender import Sender
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import JsonObject, Kind, ProblemCode, Values
from pipedrive_cli.pipedrive.bodies import values_of

OLD = 86_400.0  # seconds after which a lead may well have been archived by somebody


@dataclass(slots=True)
class Doubts:
    """Finds out what became of writes. `settle`: seconds after an attempt until its effect is surely visible."""

    directory: Directory
    settle: float
    _looked: dict[Kind, tuple[float, float]] = field(default_factory=dict)  # kind -> loop time, since (server time)
    _locks: dict[Kind, asyncio.Lock] = field(default_factory=dict)

    async def find(self, write: Write, sent_at: float, attempted: float) -> Values | None:
        """The values (with `id`) of what `write` did, None when it did nothing.

        `sent_at` is Pipedrive's clock before the attempt, in seconds since 1970; `attempted` the loop's after it.
        """
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, attempted + self.settle - loop.time()))
        if write.action == "merge" and write.picture is not None:
            return await self._merged(write.picture())
        async with self._locks.setdefault(write.kind, asyncio.Lock()):
            since = self._looked.get(write.kind)
            # One look serves all that were in doubt before it began.
            if since is None or since[0] < attempted + self.settle or since[1] > sent_at:
                started = loop.time()
                await self._look(write.kind, sent_at, old=False)
                self._looked[write.kind] = (started, sent_at)
        return self._seen(write.kind, write.key)

    async def settle_writes(self, commits: GroupCommits, writes: Sequence[OpenWrite], now: float) -> None:
        """Settles writes that were left open. `now` is Pipedrive's clock. Raises Failure when that cannot be done."""
        newest = max((write.sent_at for write in writes), default=0.0)
        await asyncio.sleep(max(0.0, min(self.settle, newest + self.settle - now)))
        for kind in dict.fromkeys(write.kind for write in writes if write.verb == "create"):
            oldest = min(write.sent_at for write in writes if write.kind == kind and write.verb == "create")
            await self._look(kind, oldest, old=now - oldest > OLD)
        for write in writes:
            if write.verb == "merge":
                done = await self._merged(write.picture) is not None
            else:
                done = self._seen(write.kind, write.key) is not None
            await commits.record(self._settling(write, done=done))

    def _settling(self, write: OpenWrite, *, done: bool) -> Record:
        found = self._seen(write.kind, write.key) if write.verb == "create" and done else None

        def record(journal: Journal) -> None:
            if not done:
                journal.move_write(write.number, "absent")
                return
            state = msgspec.msgpack.decode(write.picture["state"], type=RecordState)
            if found is not None and write.key is not None:
                journal.save_record(write.kind, found["id"], [write.key], state)
            elif write.verb == "merge":
                loser, survivor = write.picture["loser"], write.picture["survivor"]
                journal.merge_records(write.kind, loser, survivor)
                journal.save_record(write.kind, survivor, write.picture["keys"], state)
            journal.move_write(write.number, "done")

        return record

    async def _look(self, kind: Kind, since: float, *, old: bool) -> None:
        moment = datetime.fromtimestamp(since, UTC)
        if kind == "leads":
            await self.directory.leads.read(updated_since=moment - SKEW, archived=old)
        else:
            await self.directory.changed_since(kind, moment)

    def _seen(self, kind: Kind, key: str | None) -> Values | None:
        if key is None:
            return None
        row = self.directory.by_key(kind, key)
        return None if row is None else {**row.values, "id": row.id}

    async def _merged(self, picture: JsonObject) -> Values | None:
        """The survivor, if the loser is gone."""
        if await self.directory.fetch("persons", picture["loser"]) is not None:
            return None
        survivor = await self.directory.fetch("persons", picture["survivor"])
        return None if survivor is None else {**survivor, "id": picture["survivor"]}


SAME_REFUSALS = 20  # in a row: then it is not the records' fault
DOUBTS_PER_WRITE = 3  # times that a write is looked for and sent again


class _Refused(NamedTuple):
    """A refusal, the last record that got it, and how many records in a row got it."""

    code: ProblemCode
    message: str
    record: int | str | None
    times: int = 1


@dataclass(slots=True)
class Writes:
    """Sends the writes of one run. `server_time` is Pipedrive's clock as last heard, in seconds since 1970."""

    sender: Sender
    directory: Directory
    commits: GroupCommits
    doubts: Doubts
    run: int  # the run's number in the journal
    server_time: Callable[[], float]
    _refused: dict[Kind, _Refused] = field(default_factory=dict)  # since the kind's last success
    _absent: dict[Kind, tuple[float, set[str]]] = field(default_factory=dict)  # writes judged not done: since, keys
    _doubtful: set[int] = field(default_factory=set)  # writes of this run whose fate could not be found out

    async def send(self, write: Write, written: Written) -> Values:
        """Sends a write; one that cannot be repeated is journaled before it leaves, and looked for when in doubt."""
        if write.key is None and write.job.name is not None:
            # A product without a code is looked for by its name.
            write = msgspec.structs.replace(write, key=name_key(write.job.name))
        for _ in range(DOUBTS_PER_WRITE):
            sent_at = self.server_time()
            if not write.call.endpoint.repeatable:
                written.number = await self._begin(write, sent_at)
            try:
                answer = await self.sender.send(write.call)
            except (Refusal, KindStops, Failure, StopRun) as trouble:
                await self._move(written, "refused")  # refused, or it never left
                if isinstance(trouble, Refusal):
                    self._count_refusal(write, trouble)
                raise
            except Doubt as doubt:
                attempted = asyncio.get_running_loop().time()
                await self._move(written, "doubt", ended=False)
                try:
                    found = await self.doubts.find(write, sent_at, attempted)
                except (Refusal, KindStops, Failure, StopRun):
                    if written.number is not None:
                        self._doubtful.add(written.number)
                    raise
                if found is not None:
                    return found
                await self._move(written, "absent")
                self._remember_absent(write, sent_at)
                if (refused := doubt.refused) is not None:
                    raise Refusal(refused.code, refused.message, refused.fields) from doubt
                continue
            self._refused.pop(write.kind, None)
            return self._shown(write, answer.data, written)
        raise Failure("in_doubt", f"{write.call.label} was answered so that nobody can tell whether it was done")

    def _count_refusal(self, write: Write, refusal: Refusal) -> None:
        """The same refusal of many records in a row is about their kind, not about each of them."""
        if refusal.gone or refusal.fields:
            return
        this = _Refused(refusal.code, refusal.message, write.key if write.call.id is None else write.call.id)
        last = self._refused.get(write.kind)
        if last is not None and (last.code, last.message) == (this.code, this.message):
            # However many events one record has, it is one record that is refused.
            this = this._replace(times=last.times + (this.record is None or this.record != last.record))
        self._refused[write.kind] = this
        if this.times >= SAME_REFUSALS:
            raise KindStops(write.kind, refusal.code, refusal.message)

    def _remember_absent(self, write: Write, sent_at: float) -> None:
        if write.action == "create" and write.key is not None:
            since, keys = self._absent.get(write.kind, (sent_at, set()))
            self._absent[write.kind] = (min(since, sent_at), keys | {write.key})

    async def look_once_more(self) -> None:
        """At the end of a run: warns of creates that seemed not done, were sent again, and came late after all."""
        for kind, (since, keys) in self._absent.items():
            if kind != "leads":
                await self.directory.changed_since(kind, datetime.fromtimestamp(since, UTC))
                for key in keys:
                    self.directory.warn_of_twins(kind, key)
        self._absent = {}

    def _shown(self, write: Write, data: object, written: Written) -> Values:
        if not isinstance(data, Mapping) or data.get("id") is None:
            return {}
        if write.kind != "leads" and write.action != "merge":
            written.shown = self.directory.shown(write.kind, data)
        return {**values_of(write.kind, data), "id": data["id"]}

    async def _begin(self, write: Write, sent_at: float) -> int:
        numbers: list[int] = []
        target = None if write.call.id is None else str(write.call.id)

        def record(journal: Journal) -> None:
            numbers.append(
                journal.begin_write(
                    self.run,
                    write.action,
                    write.kind,
                    key=write.key,
                    target=target,
                    picture=None if write.picture is None else write.picture(),
                    sent_at=sent_at,
                )
            )

        await self.commits.record(record)
        return numbers[0]

    async def _move(self, written: Written, to: str, *, ended: bool = True) -> None:
        if (number := written.number) is not None:
            written.number = None if ended else number
            await self.commits.record(lambda journal: journal.move_write(number, to))

    async def settle_earlier(self, job: Job) -> None:
        """Settles what an earlier job of this record left in doubt, before anything else is sent for the record."""
        if not self._doubtful:
            return
        keys = {job.key, *job.keys, None if job.name is None else name_key(job.name)}
        writes = [
            write
            for write in self.commits.journal.open_writes()
            if write.number in self._doubtful and write.kind == job.kind and write.key in keys
        ]
        if writes:
            await self.doubts.settle_writes(self.commits, writes, self.server_time())
            self._doubtful.difference_update(write.number for write in writes)
