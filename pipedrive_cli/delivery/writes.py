"""Sends what plans want written, so that nothing is made twice: journaled before it leaves, looked for when in doubt.

It knows no plans and no outcomes of events: a write ends with what Pipedrive showed, or with the error that says why
not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from pipedrive_cli.delivery.asks import Refusal, Write, name_key
from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.desk import Written
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.doubt import Doubts
from pipedrive_cli.delivery.failing import Doubt, Failure, KindStops
from pipedrive_cli.delivery.journal import GroupCommits, Journal
from pipedrive_cli.delivery.sender import Sender
from pipedrive_cli.errors import StopRun
from pipedrive_cli.pipedrive.bodies import values_of
from pipedrive_cli.transform.changes import Kind

SAME_REFUSALS = 20  # in a row: then it is not the records' fault
DOUBTS_PER_WRITE = 3  # times that a write is looked for and sent again


class _Refused(NamedTuple):
    """A refusal, the record that it met last, and of how many records in a row it was the answer."""

    code: str
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

    async def send(self, ask: Write, written: Written) -> Mapping[str, Any]:
        """Sends a write; one that cannot be repeated is journaled before it leaves, and looked for when in doubt."""
        if ask.key is None and ask.job.name is not None:
            # A product without a code is looked for by its name.
            ask = msgspec.structs.replace(ask, key=name_key(ask.job.name))
        for _ in range(DOUBTS_PER_WRITE):
            sent_at = self.server_time()
            if not ask.call.endpoint.repeatable:
                written.number = await self._begin(ask, sent_at)
            try:
                answer = await self.sender.send(ask.call)
            except (Refusal, KindStops, Failure, StopRun) as trouble:
                await self._move(written, "refused")  # turned away, or it never left
                if isinstance(trouble, Refusal):
                    self._count_refusal(ask, trouble)
                raise
            except Doubt as doubt:
                attempted = asyncio.get_running_loop().time()
                await self._move(written, "doubt", ended=False)
                try:
                    found = await self.doubts.find(ask, sent_at, attempted)
                except (Refusal, KindStops, Failure, StopRun):
                    if written.number is not None:
                        self._doubtful.add(written.number)
                    raise
                if found is not None:
                    return found
                await self._move(written, "absent")
                self._remember_absent(ask, sent_at)
                if (refused := doubt.refused) is not None:
                    raise Refusal(refused.code, refused.message, refused.fields) from doubt
                continue
            self._refused.pop(ask.kind, None)
            return self._shown(ask, answer.data, written)
        raise Failure("in_doubt", f"{ask.call.label} was answered so that nobody can tell whether it was done")

    def _count_refusal(self, ask: Write, refusal: Refusal) -> None:
        """The same refusal of many records in a row is about their kind, not about each of them."""
        if refusal.gone or refusal.fields:
            return
        this = _Refused(refusal.code, refusal.message, ask.key if ask.call.id is None else ask.call.id)
        last = self._refused.get(ask.kind)
        if last is not None and (last.code, last.message) == (this.code, this.message):
            # However many events one record has, it is one record that is refused.
            this = this._replace(times=last.times + (this.record is None or this.record != last.record))
        self._refused[ask.kind] = this
        if this.times >= SAME_REFUSALS:
            raise KindStops(ask.kind, refusal.code, refusal.message)

    def _remember_absent(self, ask: Write, sent_at: float) -> None:
        if ask.action == "create" and ask.key is not None:
            since, keys = self._absent.get(ask.kind, (sent_at, set()))
            self._absent[ask.kind] = (min(since, sent_at), keys | {ask.key})

    async def look_once_more(self) -> None:
        """At the end of a run: a create that was judged not done, and was sent again, may have been late after all."""
        for kind, (since, keys) in self._absent.items():
            if kind != "leads":
                await self.directory.changed_since(kind, datetime.fromtimestamp(since, UTC))
                for key in keys:
                    self.directory.warn_of_twins(kind, key)
        self._absent = {}

    def _shown(self, ask: Write, data: Any, written: Written) -> Mapping[str, Any]:
        if not isinstance(data, Mapping) or data.get("id") is None:
            return {}
        if ask.kind != "leads" and ask.action != "merge":
            written.shown = self.directory.shown(ask.kind, data)
        return {**values_of(ask.kind, data), "id": data["id"]}

    async def _begin(self, ask: Write, sent_at: float) -> int:
        numbers: list[int] = []
        target = None if ask.call.id is None else str(ask.call.id)

        def record(journal: Journal) -> None:
            numbers.append(
                journal.begin_write(
                    self.run,
                    ask.action,
                    ask.kind,
                    key=ask.key,
                    target=target,
                    picture=None if ask.picture is None else ask.picture(),
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
        """What an earlier job of this record left in doubt is found out before anything else is sent for it."""
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
