"""The desk of a preview: writes are noted and counted, not sent, and their results are kept in memory.

A look-up finds what the preview itself would have written so far, then what a view of the account has. That view asks
nobody (`NoAccount`) or sends GETs alone (`online_account`). Nothing here can send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.desk import Written
from pipedrive_cli.delivery.effects import (
    Commit,
    DeliverySettings,
    Find,
    Forget,
    RecordId,
    Refusal,
    Snapshot,
    Write,
    name_key,
)
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.contents import contents_of
from pipedrive_cli.delivery.journal.rows import Recalled, SeenRecord
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import RecordState, blank
from pipedrive_cli.delivery.run_log import RunLog
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.delivery.window import KEYED, Window
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import HANDLED, Kind, Values
from pipedrive_cli.pipedrive.catalog import (
    Call,
    currencies,
    get,
    lead_labels,
    list_fields,
    list_leads,
    listing,
    me,
)
from pipedrive_cli.run.preview_rows import Labels, RequestLog, label, planned_request

CONTENTS_KEPT = 100_000  # events: copies that differ are noticed among so many
_CONTACTS = frozenset({"emails", "phones"})


class AccountRecords(Protocol):
    """The records of an account, as a preview needs them. `certain`: what is not found is certainly not there."""

    @property
    def certain(self) -> bool: ...

    def equip(self, settings: DeliverySettings, addresses: Mapping[Kind, frozenset[str]]) -> None:
        """The mapping is compiled: `addresses` are those it writes."""

    async def prepare(self, window: Window) -> None:
        """Looks up the records of a window, many at a time."""

    async def find(self, effect: Find) -> tuple[RecordId, ...]: ...

    def cached(self, kind: Kind, record: RecordId) -> Snapshot: ...

    async def fetch(self, kind: Kind, record: RecordId, *, mapped: bool) -> Values | None: ...

    def load_deleted(self, kind: Kind, key: str) -> RecordState | None: ...

    def last_seen(self, kind: Kind, record: RecordId) -> Values | None:
        """What the record showed when this preview, or an earlier run, last saw it."""

    def recall(self, digests: Sequence[bytes]) -> Recalled:
        """Which of these events an earlier run has handled, and the numbers of others that it has read."""

    def last_number(self) -> int:
        """The number of the event that earlier runs have numbered last."""

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        """Checksums of what these events said, of those of which it is known."""

    def input_over(self) -> None:
        """The input is over: nothing more comes that a record could wait for."""


class _Made(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A record as this preview would have left it; `values` None: not read."""

    state: RecordState
    values: Values | None


@dataclass(slots=True)
class PaperDesk:
    """The desk of one preview. `log` gets each request, in the order of sending."""

    records: AccountRecords
    labels: Labels
    log: RequestLog
    run_log: RunLog
    stopped: StopRun | None = None
    thorough: bool = True  # a record that nobody has seen in this run is looked at before it is updated
    _settings: DeliverySettings | None = None  # once the mapping is compiled
    _ids: dict[tuple[Kind, str], RecordId] = field(default_factory=dict)
    _made: dict[tuple[Kind, RecordId], _Made] = field(default_factory=dict)
    _gone: dict[tuple[Kind, RecordId], RecordId | None] = field(default_factory=dict)  # -> the survivor of a merge
    _lost: dict[tuple[Kind, str], RecordState | None] = field(default_factory=dict)  # None: it is there again
    _handled: dict[bytes, int] = field(default_factory=dict)  # events -> checksums of what the first of them said

    def stop(self, why: StopRun) -> None:
        self.stopped = self.stopped or why

    def equip(
        self, settings: DeliverySettings, addresses: Mapping[Kind, frozenset[str]], names: Mapping[str, str]
    ) -> None:
        self.log.names.update(names)
        self._settings = settings
        self.records.equip(settings, addresses)

    async def prepare(self, window: Window) -> None:
        await self.records.prepare(window)

    def recall(self, digests: Sequence[bytes]) -> Recalled:
        handled, numbers = self.records.recall(digests)
        return Recalled((self._handled.keys() & digests) | handled, numbers)

    def last_number(self) -> int:
        return self.records.last_number()

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        own = {key: content for key in digests if (content := self._handled.get(key))}
        return self.records.contents(digests) | own

    async def find(self, effect: Find) -> tuple[RecordId, ...]:
        key = effect.key if effect.key is not None else name_key(effect.name) if effect.email is None else None
        own = None if key is None else self._ids.get((effect.kind, key))
        if own is not None and own != effect.denied:
            ids: tuple[RecordId, ...] = (own,)
        else:
            ids = await self.records.find(effect)
            if ids and effect.key is None:
                ids = self._nobodys(effect.kind, ids)
        if self._gone and ids:
            found, ids = ids, self._living(effect.kind, ids)
            if not ids and effect.denied is None:  # the journal still has the record that is gone
                again = msgspec.structs.replace(effect, denied=found[0])
                ids = await self.records.find(again)
                ids = self._living(effect.kind, ids if effect.key is not None else self._nobodys(effect.kind, ids))
        if ids and effect.email is None:
            self.labels.learn(effect.kind, ids, label(effect.kind, effect.key, effect.name))
        return ids

    def _nobodys(self, kind: Kind, ids: Sequence[RecordId]) -> tuple[RecordId, ...]:
        """What an account finds by name or email, without the records that this preview has given a key."""
        made = ((record, self._made.get((kind, record))) for record in ids)
        return tuple(record for record, each in made if each is None or each.state.key is None)

    def _living(self, kind: Kind, ids: Sequence[RecordId]) -> tuple[RecordId, ...]:
        """The records that are left: the survivor in place of a merged one, and no deleted ones."""
        found: dict[RecordId, None] = {}
        for each in ids:
            record: RecordId | None = each
            while record is not None and (kind, record) in self._gone:
                record = self._gone[kind, record]
            if record is not None:
                found[record] = None
        return tuple(found)

    def cached(self, kind: Kind, record: RecordId) -> Snapshot:
        made = self._made.get((kind, record))
        if made is not None and (made.values is not None or _unborn(record)):
            return Snapshot(made.state, made.values, shown=made.values is not None)
        if _unborn(record):
            return Snapshot()
        known = self.records.cached(kind, record)
        return known if made is None else Snapshot(made.state, known.values, known.age, known.updated, known.shown)

    async def fetch(self, kind: Kind, record: RecordId, *, mapped: bool) -> Values | None:
        values = self._values(kind, record)
        if values is None and not _unborn(record):
            return await self.records.fetch(kind, record, mapped=mapped)
        self.log.look(self.labels.put(get(kind, record), kind)[0])
        return values or {}

    def load_deleted(self, kind: Kind, key: str) -> RecordState | None:
        return self._lost[kind, key] if (kind, key) in self._lost else self.records.load_deleted(kind, key)

    async def settle_earlier(self, job: Job) -> None:
        """Nothing is sent, so nothing is in doubt."""

    async def send(self, write: Write, written: Written) -> Values:
        job: Job = write.job
        record, before = write.call.id, write.before
        if record is not None and self.thorough and self.records.certain:
            await self._confirm(write.kind, record)
        if before is None and record is not None:
            before = self._last_seen(write.kind, record)
        self.log.count(write.call)
        if self.log.show is not None or self.log.plan is not None:
            certain = self.records.certain
            request = planned_request(write, job, before, self.labels, self._settings, certain=certain)
            for take in (self.log.show, self.log.plan):
                if take is not None:
                    take(request)
        if write.action == "merge":
            written.shown = self._merged(write)
            return {}
        if record is None:
            words = label(job.kind, job.key, job.name)
            record = f"{{{words}}}" if job.kind == "leads" else self.labels.mint(job.kind, words)
        # What Pipedrive would answer: the record as it was, with what was sent.
        shown = {**(before or {}), **write.fields, "id": record}
        if before is not None or write.action == "create":
            written.shown = SeenRecord(record, None, None, shown)
        return shown

    async def _confirm(self, kind: Kind, record: RecordId) -> None:
        """Raises Refusal where an account that is asked would answer that the record is gone.

        No list of what has changed tells of a deletion. A run learns it from the answer to its write.
        """
        if self._values(kind, record) is not None or self.records.cached(kind, record).shown:
            return
        if await self.records.fetch(kind, record, mapped=True) is None:
            raise Refusal("gone", "the record is not in Pipedrive any more", gone=True)

    def _merged(self, write: Write) -> SeenRecord | None:
        """The survivor of a merge as Pipedrive documents it: what it lacked comes from the other one.

        What becomes of emails and phones is not documented: they count as lost, and are shown as written again.
        """
        survivor: RecordId = (write.call.body or {})["merge_with_id"]
        staying = self.cached(write.kind, survivor).values
        if staying is None or write.before is None:
            return None
        gained = {a: v for a, v in write.before.items() if blank(staying.get(a)) and a not in _CONTACTS}
        return SeenRecord(survivor, None, None, {**staying, **gained})

    def _values(self, kind: Kind, record: RecordId) -> Values | None:
        made = self._made.get((kind, record))
        return None if made is None else made.values

    def _last_seen(self, kind: Kind, record: RecordId) -> Values | None:
        values = self._values(kind, record)
        return self.records.last_seen(kind, record) if values is None else values

    async def commit(self, commit: Commit, written: Written, ended: Sequence[PendingEvent]) -> None:
        self._end(ended)
        if commit.id is None:
            return
        if commit.merged is not None:
            self._gone[commit.kind, commit.merged] = commit.id
            self._made.pop((commit.kind, commit.merged), None)
        if commit.kind == "leads" and ended and ended[0].outcome in HANDLED:
            return  # nothing is read of it again: its event is remembered as handled
        for key in commit.keys:
            self._ids[commit.kind, key] = commit.id
            if commit.action == "created" and (commit.kind, key) in self._lost:
                self._lost[commit.kind, key] = None
        if commit.state is not None:
            values = self._values(commit.kind, commit.id) if written.shown is None else written.shown.values
            self._made[commit.kind, commit.id] = _Made(commit.state, values)

    async def forget(self, gone: Forget) -> None:
        self._made.pop((gone.kind, gone.id), None)
        self._gone[gone.kind, gone.id] = None
        if gone.key is not None:
            self._ids.pop((gone.kind, gone.key), None)
            self._lost[gone.kind, gone.key] = gone.state

    async def end_events(self, events: Sequence[PendingEvent]) -> None:
        self._end(events)

    def _end(self, events: Sequence[PendingEvent]) -> None:
        handled = self._handled
        for event in events:
            if event.digest and event.outcome in HANDLED:
                handled[event.digest] = event.content if len(handled) < CONTENTS_KEPT else 0
            self.run_log.end_event(event)

    def kinds_in_doubt(self) -> frozenset[Kind]:
        return frozenset()

    async def settle_doubts(self) -> None:
        """Only what was sent can be in doubt."""

    def window_over(self) -> None:
        self.labels.forget()

    def input_over(self) -> None:
        self.records.input_over()

    async def look_once_more(self) -> None:
        """Nothing was sent that could be late."""


def _unborn(record: RecordId) -> bool:
    """Whether this preview itself would have created the record."""
    return isinstance(record, int) and record < 0


@dataclass(slots=True)
class NoAccount:
    """The view of an account that nobody asks. `log` gets the requests that a run would begin with.

    `journal` is a copy of the journal of earlier runs, if there is one. A person that events wait for until the input's
    end (the previous person of an alias, a person that is not to be created) is taken to be there: else nothing would
    be sent.
    """

    journal: Journal | None
    labels: Labels
    log: RequestLog
    account: None = None
    certain: bool = False
    _noted: set[str] = field(default_factory=set)
    _over: bool = False

    # -- the account

    async def learn(self, kinds: frozenset[Kind], *, labels: bool) -> None:
        """Notes the requests that a run would send."""
        self._note_once(me())
        for kind in sorted(kinds):
            self._note_once(list_fields(kind))
        if kinds & {"leads", "products"}:
            self._note_once(currencies())
        if labels:
            self._note_once(lead_labels())

    async def learn_users(self) -> None:
        """Which fields hold users is not known either."""

    async def renew(self, kinds: frozenset[Kind]) -> bool:
        del kinds  # nothing was known of them
        return False

    async def reread(self, kind: Kind) -> None:
        """Nobody refuses anything here."""

    def forget(self) -> None:
        """Nothing is kept."""

    def pin(self, config: Config) -> None:
        """Nobody knows which keys its names stand for."""

    # -- its records

    def equip(self, settings: DeliverySettings, addresses: Mapping[Kind, frozenset[str]]) -> None:
        """Nothing is read here."""

    async def prepare(self, window: Window) -> None:
        for kind in KEYED:
            if window.has_keys(kind):
                self._note_once(listing(kind))
        if window.has_leads:
            self._note_once(list_leads())
            self._note_once(list_leads(archived=True))

    async def find(self, effect: Find) -> tuple[RecordId, ...]:
        key = effect.key if effect.key is not None else name_key(effect.name) if effect.email is None else None
        if key is None:
            return ()
        own = None if self.journal is None else self.journal.named(effect.kind, key)
        if own is not None and own != effect.denied:
            return (own,)
        if self._over and effect.kind == "persons" and effect.key is not None:
            return (self.labels.mint("persons", label("persons", effect.key)),)
        return ()

    def cached(self, kind: Kind, record: RecordId) -> Snapshot:
        return Snapshot(None if self.journal is None else self.journal.state(kind, record))

    async def fetch(self, kind: Kind, record: RecordId, *, mapped: bool) -> Values:
        del mapped  # nothing is read
        self.log.look(get(kind, record))
        return {}

    def load_deleted(self, kind: Kind, key: str) -> RecordState | None:
        del kind, key
        return None

    def last_seen(self, kind: Kind, record: RecordId) -> Values | None:
        seen = None if self.journal is None else self.journal.seen(kind, record)
        return None if seen is None else seen.values

    def recall(self, digests: Sequence[bytes]) -> Recalled:
        return Recalled(set(), {}) if self.journal is None else self.journal.recall(digests)

    def last_number(self) -> int:
        return 0 if self.journal is None else self.journal.last_number()

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        return {} if self.journal is None else contents_of(self.journal, digests)

    def input_over(self) -> None:
        self._over = True

    def _note_once(self, call: Call) -> None:
        if call.target not in self._noted:
            self._noted.add(call.target)
            self.log.look(call)
