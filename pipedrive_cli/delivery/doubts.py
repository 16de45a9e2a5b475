"""Finds out what became of writes whose answer never came.

Presence is believed at once. Absence is believed only when the write's patience (the timeout that it was sent with, at
least `LEAST_PATIENCE`) and then `settle` have passed since it left, be that in this run or in one that was killed.
Meanwhile only the record in doubt stands still, and what hangs on it.

The look needs no clock of its own. Persons, organizations and products are listed newest first, down to the highest id
that was known before the write left, and compared by key. Leads are listed newest first, archived ones too, and
compared by the origin_id; whose account does not show those, is never sent a lead in doubt again. A merge shows in
that its loser is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from pipedrive_cli.delivery.crew import Crew
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.journal import Departure, GroupCommits, Journal, OpenWrite
from pipedrive_cli.delivery.journal.commits import Record
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.retry import Failure
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.sender import ServerClock
from pipedrive_cli.model import JsonObject, Kind, Values
from pipedrive_cli.pipedrive.catalog import SKEW

LEAST_PATIENCE = 30.0  # seconds: a short timeout makes no server faster
GRAIN = 5.0  # seconds by which a write may leave later than was noted: limits keep it back


@dataclass(slots=True)
class _Doubt:
    """A write in doubt. From `ripe` (loop seconds) on its absence is believed."""

    write: OpenWrite
    ripe: float


@dataclass(slots=True)
class _Look:
    """A look at the newest records of a kind: when it began (loop seconds), and how far down it went."""

    began: float
    floor: float
    since: float
    whole: bool


@dataclass(slots=True)
class Doubts:
    """The writes of which nobody knows whether they were done. `pause` sleeps, and raises StopRun once the run stops.

    `timeout` is what writes are sent with; `settle` how long what was done may be invisible. Both in seconds.
    """

    directory: Directory
    commits: GroupCommits
    clock: ServerClock
    crew: Crew
    live_figures: LiveFigures
    pause: Callable[[float], Awaitable[None]]
    timeout: float
    settle: float
    _open: dict[int, _Doubt] = field(default_factory=dict)
    _looks: dict[Kind, _Look] = field(default_factory=dict)
    _turns: dict[Kind, asyncio.Lock] = field(default_factory=dict)

    @property
    def any_open(self) -> bool:
        """Whether any write is in doubt."""
        return bool(self._open)

    # -- what is noted of a write

    def departure(self, kind: Kind) -> Departure:
        """What to note of a write that leaves now."""
        floor = 0 if kind == "leads" else self.commits.journal.highest_id(kind)
        now, ours = self.clock.now(), self.clock.ours()
        since = min(now, ours, self.clock.shown) - SKEW.total_seconds()  # a clock may be wrong: the oldest of the times
        return Departure(now, ours, self._patience, floor, since)

    def begin(self, number: int, left: float) -> None:
        """A write of this run is in doubt; `left`: when it left, in loop seconds."""
        (write,) = (each for each in self.commits.journal.open_writes() if each.number == number)
        now = asyncio.get_running_loop().time()
        self._open[number] = _Doubt(write, self._rounded(max(now, left + self._patience) + self.settle))

    async def take_up(self) -> None:
        """Takes up what earlier runs have left in doubt: settles what can be told at once, and remembers the rest."""
        now = asyncio.get_running_loop().time()
        for write in self.commits.journal.open_writes():
            self._open[write.number] = _Doubt(write, now + self._left_to_wait(write.departure))
        await self.settle_ripe()

    def concerning(self, kind: Kind, keys: Iterable[str | None]) -> list[int]:
        """The writes in doubt (their numbers) that are about a record of one of these keys."""
        named = set(keys)
        return [
            number
            for number, doubt in self._open.items()
            if doubt.write.kind == kind and (doubt.write.key in named or not named.isdisjoint(_keys(doubt.write)))
        ]

    def end(self, number: int) -> None:
        """The write is in doubt no longer."""
        self._open.pop(number, None)

    # -- finding out

    async def find(self, number: int) -> Values | None:
        """The values (with `id`) of what a write did, or None when it did nothing.

        Waits as long as that cannot be told. Raises Failure where Pipedrive cannot be asked, or would not show it.
        """
        doubt, loop = self._open[number], asyncio.get_running_loop()
        step = max(self.settle, 1.0)
        async with self.crew.aside():
            with self._waiting(doubt):
                while (now := loop.time()) < doubt.ripe:
                    rest = doubt.ripe - now
                    await self.pause(step if rest >= 2 * step else rest)
                    woken, step = loop.time(), 2 * step
                    if woken < doubt.ripe:
                        found = await self.seen(number, woken - self.settle / 2)
                        if found is not None:
                            return found
                return await self._surely(doubt)

    async def settle_one(self, number: int) -> None:
        """Finds out what became of a write, and records it."""
        found = await self.find(number)
        await self._settled(number, found)

    async def settle_ripe(self) -> None:
        """Settles what can be told by now. The rest waits until its record's turn comes, or for another run."""
        for number in list(self._open):
            with contextlib.suppress(Failure):
                await self._settle_if_told(number)

    async def seen(self, number: int, since: float | None = None) -> Values | None:
        """What the write did, if the newest records show it now. One look since `since` (loop seconds) serves all."""
        doubt = self._open[number]
        if doubt.write.verb == "merge":
            return await self._merged(doubt.write.picture)
        now = asyncio.get_running_loop().time()
        await self._look(doubt, now if since is None else since, whole=False)
        return self._values(doubt.write)

    async def look_again(self, kind: Kind, departure: Departure) -> None:
        """Lists all that was made since this departure."""
        await self._list(kind, departure.floor or 0, -math.inf if departure.since is None else departure.since, True)

    async def _settle_if_told(self, number: int) -> None:
        doubt = self._open[number]
        if asyncio.get_running_loop().time() >= doubt.ripe:
            await self._settled(number, await self._surely(doubt))
        elif (found := await self.seen(number, -math.inf)) is not None:
            await self._settled(number, found)

    async def _surely(self, doubt: _Doubt) -> Values | None:
        write = doubt.write
        if write.verb == "merge":
            return await self._merged(write.picture)
        await self._look(doubt, doubt.ripe, whole=True)
        found = self._values(write)
        if found is None and write.kind == "leads":
            self.directory.leads.must_show(write.key, write.picture.get("person"))
        return found

    async def _look(self, doubt: _Doubt, since: float, *, whole: bool) -> None:
        """Looks at the newest records, unless somebody has done so since then. One look serves all doubts of a kind."""
        kind = doubt.write.kind
        async with self._turns.setdefault(kind, asyncio.Lock()):
            floor, oldest = _reach([doubt.write])
            last = self._looks.get(kind)
            if last is not None and last.began >= since:
                if last.whole and last.floor <= floor and last.since <= oldest:
                    return
                if not whole:
                    return
            began = asyncio.get_running_loop().time()
            reach = _reach(each.write for each in self._open.values() if each.write.kind == kind)
            floor, oldest = min(floor, reach[0]), min(oldest, reach[1])
            await self._list(kind, floor, oldest, whole)
            self._looks[kind] = _Look(began, floor, oldest, whole)

    async def _list(self, kind: Kind, floor: float, since: float, whole: bool) -> None:
        if kind == "leads":
            await self.directory.leads.newest(since, whole=whole)
        else:
            await self.directory.newest(kind, floor, whole=whole)

    def _values(self, write: OpenWrite) -> Values | None:
        """The record of the write's key, as far as it has been seen."""
        row = None if write.key is None else self.directory.by_key(write.kind, write.key)
        return None if row is None else {**row.values, "id": row.id}

    async def _merged(self, picture: JsonObject) -> Values | None:
        """The survivor, if the loser is gone."""
        if await self.directory.fetch("persons", picture["loser"]) is not None:
            return None
        survivor = await self.directory.fetch("persons", picture["survivor"])
        return None if survivor is None else {**survivor, "id": picture["survivor"]}

    @contextlib.asynccontextmanager
    async def waiting_for_late(self, kind: Kind, left: float) -> AsyncIterator[None]:
        """Waits until a write that left then (loop seconds) would be believed absent; the screen says for what."""
        due = left + self._patience + self.settle
        self.live_figures.in_doubt[-1] = (f"{kind} that were sent again", due)
        try:
            await self.pause(max(0.0, due - asyncio.get_running_loop().time()))
            yield
        finally:
            self.live_figures.in_doubt.pop(-1, None)

    # -- recording it

    async def _settled(self, number: int, found: Values | None) -> None:
        self.commits.note(_settling(self._open[number].write, found))
        self.end(number)

    # -- waiting

    @property
    def _patience(self) -> float:
        return max(self.timeout, LEAST_PATIENCE)

    def _left_to_wait(self, departure: Departure) -> float:
        """Seconds until the absence of an earlier run's write is believed: by the clock that says the least has passed.

        A clock that was set back or ahead since then costs the whole wait at most, and at least never too little.
        """
        patience = (self._patience if departure.patience is None else departure.patience) + self.settle + GRAIN
        passed = self.clock.now() - departure.sent_at
        if departure.left_at is not None:
            passed = min(passed, self.clock.ours() - departure.left_at)
        return min(patience, max(0.0, patience - passed))

    def _rounded(self, moment: float) -> float:
        """A moment a little later, so that one look serves many."""
        step = max(self.settle, 1.0)
        return math.ceil(moment / step) * step

    @contextlib.contextmanager
    def _waiting(self, doubt: _Doubt) -> Iterator[None]:
        """Tells the screen what is waited for."""
        number, write = doubt.write.number, doubt.write
        self.live_figures.in_doubt[number] = (f"{write.kind} {write.key or write.target or ''}".strip(), doubt.ripe)
        try:
            yield
        finally:
            self.live_figures.in_doubt.pop(number, None)


def _keys(write: OpenWrite) -> frozenset[str]:
    keys = write.picture.get("keys") if isinstance(write.picture, Mapping) else None
    return frozenset(keys or ())


def _reach(writes: Iterable[OpenWrite]) -> tuple[float, float]:
    """How far down a look must go for all of these: the lowest id, and the oldest time."""
    departures = [write.departure for write in writes]
    floor = min((departure.floor or 0 for departure in departures), default=0)
    return floor, min((-math.inf if d.since is None else d.since for d in departures), default=-math.inf)


def _settling(write: OpenWrite, found: Values | None) -> Record[None]:
    """Records what became of a write."""

    def record(journal: Journal) -> None:
        if found is None:
            journal.move_write(write.number, "absent")
            return
        state = msgspec.msgpack.decode(write.picture["state"], type=RecordState)
        if write.verb == "merge":
            loser, survivor = write.picture["loser"], write.picture["survivor"]
            journal.merge_records(write.kind, loser, survivor)
            journal.save_record(write.kind, survivor, write.picture["keys"], state)
        elif write.key is not None:
            journal.save_record(write.kind, found["id"], [write.key], state)
            journal.note_created(write.run, write.kind, found["id"], write.key)
        journal.move_write(write.number, "done")

    return record
