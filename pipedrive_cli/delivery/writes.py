"""Sends the writes of plans so that nothing is made twice: journaled before they leave, looked for when in doubt.

A write without an answer is looked for before anything is sent again (`doubts`). What cannot be found out is not
guessed: `Failure` is raised, and the write stays in doubt. Nothing here knows plans or the outcomes of events: a write
ends with what Pipedrive showed, or with the error that says why not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from pipedrive_cli.delivery.desk import Written
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.doubts import GRAIN, Doubts
from pipedrive_cli.delivery.effects import Refusal, Write, name_key
from pipedrive_cli.delivery.journal import Departure, GroupCommits
from pipedrive_cli.delivery.left_out import FORBIDDABLE
from pipedrive_cli.delivery.retry import Doubt, Failure, KindStops
from pipedrive_cli.delivery.run_log import RunLog
from pipedrive_cli.delivery.sender import Sender
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import Complaint, JsonObject, Kind, ProblemCode, Values
from pipedrive_cli.pipedrive.bodies import id_of, values_of

SAME_REFUSALS = 20  # in a row: then it is not the records' fault
SAME_FORBIDDEN = 3  # the same, where Pipedrive says that this user may not
BLOCKED_IN_A_ROW = 5  # records that a firewall dislikes for what they say: then it dislikes this tool
DOUBTS_PER_WRITE = 3  # times that a write is looked for and sent again


class _Refused(NamedTuple):
    """A refusal, the last record that got it, and how many records in a row got it."""

    code: ProblemCode
    message: str
    record: int | str | None
    times: int = 1


class _Resent(NamedTuple):
    """Creations of one kind that were judged not done and sent again: when the first left, and their keys."""

    departure: Departure
    left: float  # loop seconds of the last of them
    keys: frozenset[str]


@dataclass(slots=True)
class Writes:
    """Sends the writes of one run."""

    sender: Sender
    directory: Directory
    commits: GroupCommits
    doubts: Doubts
    run_log: RunLog
    _refused: dict[Kind, _Refused] = field(default_factory=dict)  # since the kind's last success
    _resent: dict[Kind, _Resent] = field(default_factory=dict)
    _blocked: int = 0  # records in a row that a firewall has refused for what they say

    async def send(self, write: Write, written: Written) -> Values:
        """Sends a write; one that cannot be repeated is journaled before it leaves, and looked for when in doubt."""
        if write.key is None and write.job.name is not None:
            # A product without a code is looked for by its name.
            write = msgspec.structs.replace(write, key=name_key(write.job.name))
        for _ in range(DOUBTS_PER_WRITE):
            way = _Way(self, write)
            if not write.call.endpoint.repeatable:
                written.number = await way.begin()
            try:
                answer = await self.sender.send(write.call, way.leaving)
            except (Refusal, KindStops, Failure, StopRun) as trouble:
                self._move(written, "refused")  # refused, or it never left
                if isinstance(trouble, Refusal):
                    self._count_refusal(write, trouble)
                raise
            except Doubt as doubt:
                found = await self._find_out(write, written, way, doubt)
                if found is not None:
                    return found
                continue
            self._refused.pop(write.kind, None)
            self._blocked = 0
            return self._shown(write, answer.data, written)
        raise Failure("in_doubt", f"{write.call.label} was answered so that nobody can tell whether it was done")

    async def _find_out(self, write: Write, written: Written, way: _Way, doubt: Doubt) -> Values | None:
        """What a write in doubt has done; None: nothing, and it may be sent again."""
        if written.number is None:
            # A change may be repeated. What a firewall has refused is not: this look tells whom it shuts out.
            if write.call.id is not None:
                await self.directory.fetch(write.kind, write.call.id)
            raise self._disliked(write)
        self._move(written, "doubt", ended=False)
        number = written.number
        self.doubts.begin(number, way.left)
        if doubt.blocked:
            if (found := await self.doubts.seen(number)) is None:
                raise self._disliked(write)
        else:
            found = await self.doubts.find(number)
        self.doubts.end(number)
        if found is not None:
            return found
        self._move(written, "absent")
        if (refused := doubt.refused) is not None:
            raise Refusal(refused.code, refused.message, refused.fields, forbidden=refused.forbidden) from doubt
        self._remember_resent(write, way)
        return None

    def _disliked(self, write: Write) -> Failure:
        """A firewall's page came in answer, but the look right after it was answered: it is about what was said."""
        self._blocked += 1
        if self._blocked >= BLOCKED_IN_A_ROW:
            self.sender.stop(
                StopRun(
                    f"a firewall on the way to Pipedrive has refused {self._blocked} records in a row (HTTP 403)",
                    code="firewall_content",
                    hint="see whether it lets this tool through at all; run again to continue",
                )
            )
        return Failure(
            "firewall_content",
            f"a firewall refused {write.call.label} with a page (HTTP 403), and let the next request through: "
            "it dislikes something that the record says",
        )

    def _count_refusal(self, write: Write, refusal: Refusal) -> None:
        """The same refusal of many records in a row is about their kind, not about each of them."""
        if refusal.gone or refusal.fields:
            return
        if write.tentative or (refusal.forbidden and any(address in write.fields for address in FORBIDDABLE)):
            return  # it is tried again without the values that may be the reason
        this = _Refused(refusal.code, refusal.message, write.key if write.call.id is None else write.call.id)
        last = self._refused.get(write.kind)
        if last is not None and (last.code, last.message) == (this.code, this.message):
            # However many events one record has, it is one record that is refused.
            this = this._replace(times=last.times + (this.record is None or this.record != last.record))
        self._refused[write.kind] = this
        # Two persons may not be merged by everybody who may write them.
        most = SAME_FORBIDDEN if refusal.forbidden and write.action != "merge" else SAME_REFUSALS
        if this.times >= most:
            raise KindStops(write.kind, refusal.code, refusal.message)

    def _remember_resent(self, write: Write, way: _Way) -> None:
        if write.action == "create" and write.key is not None and way.departure is not None:
            first = self._resent.get(write.kind, _Resent(way.departure, 0.0, frozenset()))
            now = asyncio.get_running_loop().time()
            self._resent[write.kind] = first._replace(left=now, keys=first.keys | {write.key})

    async def look_once_more(self) -> None:
        """At the end of a run: settles what can be settled, and warns of creations that came late after all."""
        await self.doubts.settle_ripe()
        for kind, resent in list(self._resent.items()):
            # As long as it took to believe that they were not there, unless somebody ends the run before.
            with contextlib.suppress(StopRun):
                async with self.doubts.waiting_for_late(kind, resent.left):
                    await self.doubts.look_again(kind, resent.departure)
            for key in sorted(resent.keys):
                self.directory.warn_of_twins(kind, key)
        self._resent = {}

    def _shown(self, write: Write, data: object, written: Written) -> Values:
        shown = id_of(write.kind, data) if write.action != "merge" else None
        if not isinstance(data, Mapping) or (write.action != "merge" and shown is None):
            return {}
        if write.call.id is not None and write.action == "update" and str(shown) != str(write.call.id):
            return {}  # somebody else's record: it shows nothing of this one
        if write.kind == "leads" and write.action == "create":
            self._check_origin_id(write, data)
        values = values_of(write.kind, data)
        if write.kind != "leads" and write.action != "merge":
            written.shown = self.directory.shown(write.kind, data, values)
        return {**values, "id": data.get("id")}

    def _check_origin_id(self, write: Write, data: Mapping[str, object]) -> None:
        """By its origin_id a lead in doubt is found: an account that does not show it is told of, once a run."""
        if self.directory.leads.note_answer(write.key, data.get("origin_id")):
            words = (
                "Pipedrive did not show the origin_id that a new lead was given: leads whose answer is lost cannot be "
                "found by it, and are not sent again"
            )
            self.run_log.problem(Complaint("origin_id_hidden", words))

    def _move(self, written: Written, to: str, *, ended: bool = True) -> None:
        if (number := written.number) is not None:
            written.number = None if ended else number
            self.commits.note(lambda journal: journal.move_write(number, to))

    async def settle_earlier(self, job: Job) -> None:
        """Settles what an earlier job of this record left in doubt, before anything else is sent for the record."""
        if not self.doubts.any_open:
            return
        keys = {job.key, *job.keys, None if job.name is None else name_key(job.name)} - {None}
        for number in self.doubts.concerning(job.kind, keys):
            await self.doubts.settle_one(number)


class _Way:
    """The way of one write: what the journal notes of it, before it leaves and should it leave later than noted."""

    def __init__(self, writes: Writes, write: Write) -> None:
        self._writes = writes
        self._write = write
        self._number: int | None = None
        self.departure: Departure | None = None
        self.left = self._noted = asyncio.get_running_loop().time()

    async def begin(self) -> int:
        """Notes the write. Returns its number in the journal."""
        write, writes = self._write, self._writes
        departure = self.departure = writes.doubts.departure(write.kind)
        picture: JsonObject = {} if write.picture is None else write.picture()
        if write.kind == "leads":
            picture = {**picture, "person": (write.call.body or {}).get("person_id")}
        self._number = await writes.commits.record(
            lambda journal: journal.begin_write(
                writes.run_log.run,
                write.action,
                write.kind,
                key=write.key,
                target=None if write.call.id is None else str(write.call.id),
                picture=picture,
                departure=departure,
            )
        )
        return self._number

    async def leaving(self) -> None:
        """The write leaves: a limit or an earlier attempt may have kept it back for long."""
        now = asyncio.get_running_loop().time()
        late, number = now - self._noted > GRAIN, self._number
        self.left = now
        if late and number is not None:
            self._noted = now
            clock = self._writes.doubts.clock
            sent_at, left_at = clock.now(), clock.ours()
            await self._writes.commits.record(lambda journal: journal.delay_write(number, sent_at, left_at))
