"""Writes whose answer never came: look, later than any lag, before anything is sent again.

A create is found among the records changed since the attempt, by its record key; a lead by its origin_id; a merge by
asking for the loser. What cannot be found out is not guessed: `Failure` is raised, and the write stays in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipedrive_cli.delivery.asks import Write
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.journal import GroupCommits, Journal, OpenWrite
from pipedrive_cli.delivery.listing import SKEW
from pipedrive_cli.delivery.standing import RecordState
from pipedrive_cli.transform.changes import Kind

OLD = 86_400.0  # seconds after which a lead may well have been archived by somebody


@dataclass(slots=True)
class Doubts:
    """Finds out what became of writes. `settle`: seconds after an attempt from when its effect is surely to be seen."""

    directory: Directory
    settle: float
    _looked: dict[Kind, tuple[float, float]] = field(default_factory=dict)  # kind -> loop time, since (server time)
    _locks: dict[Kind, asyncio.Lock] = field(default_factory=dict)

    async def find(self, write: Write, sent_at: float, attempted: float) -> Mapping[str, Any] | None:
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
        """Settles what was left open. `now` is Pipedrive's clock. Raises Failure when that cannot be done."""
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

    def _settling(self, write: OpenWrite, *, done: bool) -> Any:
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

    def _seen(self, kind: Kind, key: str | None) -> Mapping[str, Any] | None:
        if key is None:
            return None
        row = self.directory.by_key(kind, key)
        return None if row is None else {**row.values, "id": row.id}

    async def _merged(self, picture: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The survivor, if the loser is gone."""
        if await self.directory.look("persons", picture["loser"]) is not None:
            return None
        survivor = await self.directory.look("persons", picture["survivor"])
        return None if survivor is None else {**survivor, "id": picture["survivor"]}
