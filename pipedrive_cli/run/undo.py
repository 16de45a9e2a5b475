"""Undoes a run: what it created goes, what it updated gets back what it had, as far as nobody has touched it since.

Everything is looked up first and shown before anything is written. Each record is one transaction of the journal when
it is done, so that an undo that was killed goes on where it stopped. Leads go first, then persons, organizations and
products: what links goes before what is linked to.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.brakes import BrakeCounter, Done
from pipedrive_cli.delivery.effects import DeliverySettings, Refusal
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.befores import (
    Before,
    before_of,
    befores,
    forget_aliases,
    forget_before,
    forget_outcomes,
    later_befores,
    replace_before,
)
from pipedrive_cli.delivery.retry import Doubt
from pipedrive_cli.delivery.undoing import KeptRecord, Undone, state_given_back, undo_creation, undo_update
from pipedrive_cli.model import KINDS, Kind, Values
from pipedrive_cli.pipedrive.bodies import body_back, id_of, values_of
from pipedrive_cli.pipedrive.catalog import delete, get, list_leads, list_others, listing, update
from pipedrive_cli.pipedrive.reading_lists import Send, read_pages
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.settings import delivery_settings
from pipedrive_cli.transform.transform import compile_mapping

ORDER: tuple[Kind, ...] = ("leads", "persons", "organizations", "products")
AT_ONCE = 100  # records that one list shows by their ids
SKEW = timedelta(minutes=2)  # between the moments of Pipedrive's own clocks
_LINKS: Mapping[str, Kind] = {"person_id": "persons", "org_id": "organizations", "lead_id": "leads"}
OTHERS = ("deals", "activities", "notes")


@dataclass(slots=True)
class UndoPlan:
    """What undoing a run comes to, before anything is written."""

    run: int
    name: str
    todo: list[Undone] = field(default_factory=list)
    kept: list[KeptRecord] = field(default_factory=list)
    merges: int = 0

    @property
    def deleted(self) -> dict[Kind, int]:
        return dict(Counter(each.kind for each in self.todo if each.delete))

    @property
    def restored(self) -> dict[Kind, int]:
        return dict(Counter(each.kind for each in self.todo if each.body))


@dataclass(slots=True)
class Undoing:
    """Undoes one run. `ended` is when the run's last write was answered, at the latest; it and `began` are UTC."""

    config: Config
    journal: Journal
    account: AccountKnowledge
    send: Send
    run: int
    name: str
    began: datetime
    ended: datetime
    kinds: frozenset[Kind] = frozenset(KINDS)
    _settings: DeliverySettings | None = None
    _hangs: dict[Kind, set[int | str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    _deals: bool = False  # deals were changed since: products may stand in them

    async def plan(self) -> UndoPlan:
        """Looks at all that the run wrote. Raises as `Sender.send` does."""
        made = [(kind, record) for kind, record, _ in self.journal.created(self.run) if kind in self.kinds]
        changed = [before for before in befores(self.journal, self.run) if before.kind in self.kinds]
        wanted: dict[Kind, list[int | str]] = {kind: [] for kind in ORDER}
        for kind, record in [*made, *((each.kind, each.id) for each in changed)]:
            wanted[kind].append(record)
        await self.account.learn(frozenset(kind for kind in ORDER if wanted[kind]), labels=False)
        self._settings = delivery_settings(
            self.config, compile_mapping(self.config, self.account.account), self.account.account
        )
        if made:
            await self._look_at_others()
        plan = UndoPlan(self.run, self.name, merges=sum(each.merged for each in changed))
        for kind in ORDER:
            shown = {} if not wanted[kind] else await self._shown(kind, wanted[kind])
            found = [self._creation(kind, record, shown.get(record)) for of, record in made if of == kind]
            found += [self._update(before, shown.get(before.id)) for before in changed if before.kind == kind]
            for undone in found:
                plan.kept += undone.kept
                if undone.delete or undone.body or undone.settled or undone.handed_on:
                    plan.todo.append(undone)
        return plan

    async def carry_out(self, plan: UndoPlan, brakes: BrakeCounter, note: Callable[[KeptRecord], None]) -> None:
        """Writes what the plan says. Raises StopRun where a brake or the budget stops it: run it again to go on."""
        counts: dict[Done, int] = {"deleted": sum(plan.deleted.values()), "updated": sum(plan.restored.values())}
        if (too_many := brakes.stop_before(counts)) is not None:
            raise too_many
        for undone in plan.todo:
            try:
                if undone.delete:
                    await self.send(delete(undone.kind, undone.id))
                elif undone.body:
                    await self.send(update(undone.kind, undone.id, body_back(undone.kind, undone.body)))
            except Doubt as blocked:  # a firewall's page: nothing was written, and nobody knows more
                note(KeptRecord(undone.kind, undone.id, "refused", str(blocked)))
                continue
            except Refusal as refused:
                if not refused.gone:
                    note(KeptRecord(undone.kind, undone.id, "refused", refused.message))
                    continue
            with self.journal.transaction():
                self._record(undone)
        with self.journal.transaction():
            forget_outcomes(self.journal, self.run)
            forget_aliases(self.journal, self.run)

    def _record(self, undone: Undone) -> None:
        """What the journal knows of the record afterwards; in a transaction."""
        before = before_of(self.journal, self.run, undone.kind, undone.id)
        if undone.delete:
            self.journal.forget_record(undone.kind, undone.id)
        elif before is not None:
            self._hand_on(undone)
            state = self.journal.state(undone.kind, undone.id)
            given = state_given_back(state, before.state, (*undone.body, *undone.settled))
            if given is None:
                self.journal.forget_record(undone.kind, undone.id)
            else:
                self.journal.save_record(undone.kind, undone.id, (), given)
        forget_before(self.journal, self.run, undone.kind, undone.id)

    def _hand_on(self, undone: Undone) -> None:
        """Each value before goes to the next run that has replaced this run's."""
        waiting = dict(undone.handed_on)
        for number, then in later_befores(self.journal, self.run, undone.kind, undone.id):
            given = {address: waiting.pop(address) for address in then.values if address in waiting}
            if given:
                replace_before(self.journal, number, msgspec.structs.replace(then, values={**then.values, **given}))

    # -- what is there

    def _creation(self, kind: Kind, record: int | str, shown: Values | None) -> Undone:
        assert self._settings is not None  # noqa: S101 - made before anything is looked at
        updated = None if shown is None else _moment(shown.get("update_time"))
        hangs = record in self._hangs[kind] or (kind == "products" and self._deals)
        return undo_creation(
            kind,
            record,
            shown,
            self.journal.state(kind, record),
            self._settings.rules,
            changed=updated is None or updated > self.ended + SKEW,
            later=bool(later_befores(self.journal, self.run, kind, record)),
            hangs=hangs,
        )

    def _update(self, before: Before, shown: Values | None) -> Undone:
        assert self._settings is not None  # noqa: S101 - as above
        state = self.journal.state(before.kind, before.id)
        if before.merged:
            undone = Undone(before.kind, before.id)
            undone.kept.append(KeptRecord(before.kind, before.id, "merged"))
            return undone
        later: dict[str, bool] = {}
        for _, then in later_befores(self.journal, self.run, before.kind, before.id):
            for address in (*then.values, *then.unknown):
                later.setdefault(address, address in then.values)
        return undo_update(
            before.kind, before.id, shown, state, before.values, before.unknown, self._settings.rules, later=later
        )

    async def _shown(self, kind: Kind, wanted: Sequence[int | str]) -> dict[int | str, Values]:
        """The records as they are now, by id; what is gone is missing."""
        if kind == "leads":
            return await self._leads(set(wanted))
        found: dict[int | str, Values] = {}
        ids = [record for record in dict.fromkeys(wanted) if isinstance(record, int)]
        for start in range(0, len(ids), AT_ONCE):
            answer = await self.send(listing(kind, ids=ids[start : start + AT_ONCE]))
            self._take(kind, answer.rows or (), found)
        return found

    async def _leads(self, wanted: set[int | str]) -> dict[int | str, Values]:
        """The leads, newest first, down to the run's beginning; those that are not listed are read one by one."""
        found: dict[int | str, Values] = {}
        async for rows in read_pages(self.send, partial(list_leads, newest_first=True)):
            self._take("leads", rows, found)
            oldest = _moment(rows[-1].get("add_time")) if rows else None
            if oldest is None or oldest < self.began - SKEW:
                break
        for record in wanted - found.keys():
            with contextlib.suppress(Refusal):  # it is gone
                answer = await self.send(get("leads", record))
                self._take("leads", [answer.data] if isinstance(answer.data, Mapping) else [], found)
        return found

    def _take(self, kind: Kind, rows: Iterable[Mapping[str, object]], found: dict[int | str, Values]) -> None:
        for row in rows:
            record = id_of(kind, row)
            if record is not None and row.get("is_deleted") is not True:
                values = values_of(kind, row)
                if row.get("is_archived"):
                    values["update_time"] = "9999-01-01T00:00:00Z"  # somebody has archived it: it is touched
                found[record] = values

    async def _look_at_others(self) -> None:
        """What people have hung on records since the run began: listed, not asked for one by one."""
        for what in OTHERS:
            async for rows in read_pages(self.send, partial(list_others, what, self.began - SKEW)):
                self._deals = self._deals or (what == "deals" and bool(rows))
                for link, kind in _LINKS.items():
                    self._hangs[kind].update(linked for row in rows if (linked := _linked(row.get(link))) is not None)


def _linked(value: object) -> int | str | None:
    """The id of a linked record; v1 shows some as an object."""
    shown = value.get("value") if isinstance(value, Mapping) else value
    return shown if isinstance(shown, int | str) else None


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "T"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
