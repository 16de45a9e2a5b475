"""Undoes a run: what it created goes, what it updated gets back what it had, as far as nobody has touched it since.

Everything is looked up first and shown before anything is written. Each record is one transaction of the journal when
it is done, so that an undo that was killed goes on where it stopped. Leads go first, then persons, organizations and
products: what links goes before what is linked to.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.brakes import BrakeCounter, Done
from pipedrive_cli.delivery.effects import DeliverySettings, Refusal
from pipedrive_cli.delivery.journal import GroupCommits, Journal
from pipedrive_cli.delivery.journal.befores import (
    KEPT_DAYS,
    Before,
    before_of,
    befores,
    changed_at,
    end_under_way,
    events_of,
    forget_aliases,
    forget_before,
    forget_name,
    forget_outcomes,
    later_befores,
    later_numbers,
    note_given_back,
    note_under_way,
    note_undone,
    refilled_by,
    replace_before,
    undone_at,
    written_between,
)
from pipedrive_cli.delivery.retry import Doubt, Failure, KindStops
from pipedrive_cli.delivery.undoing import (
    KeptRecord,
    KeptWhy,
    Undone,
    state_given_back,
    states_in,
    undo_creation,
    undo_update,
)
from pipedrive_cli.errors import StopRun
from pipedrive_cli.model import KINDS, Kind, Values
from pipedrive_cli.pipedrive.bodies import body_back
from pipedrive_cli.pipedrive.catalog import SKEW, delete, update
from pipedrive_cli.pipedrive.reading_lists import Send
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.connection import asking, connected, whose_key
from pipedrive_cli.run.journal_file import locked
from pipedrive_cli.run.past import Past
from pipedrive_cli.run.settings import brake_limits, day_budget, delivery_settings
from pipedrive_cli.run.undo_look import UndoLook
from pipedrive_cli.run.undo_plan import UndoOptions, UndoPlan, UndoResult
from pipedrive_cli.timestamps import shown_moment
from pipedrive_cli.transform.transform import compile_mapping

ORDER: tuple[Kind, ...] = ("leads", "persons", "organizations", "products")
NOT_SHOWN = "Pipedrive does not show what is to be undone"
SETTLE = "its answer was lost; the next `replay` or `retry` finds it, and then this can be undone again"
MEND = "mend the permissions of the API token's user"
WORKERS = 8  # writes under way at once
PART = 500  # records between two looks at the clock
LOOK_AFTER = 120.0  # seconds after which records are looked at again before they are written
TICK = timedelta(seconds=2)  # within which Pipedrive's times of two records may differ that one run wrote


async def undo_past_run(
    config: Config, path: Path, options: UndoOptions, agree: Callable[[UndoPlan], bool], result: UndoResult
) -> None:
    """Undoes a run of the journal at `path` once `agree` has seen the plan, into `result`.

    What stops it while it writes is in `result`. Raises UserMistake, StateHeld, ConfigProblems, and StopRun where it
    could not even begin.
    """
    run = options.run
    with locked(path), contextlib.closing(Journal.open(path)) as journal, journal.in_use():
        async with connected(
            config, day=day_budget(config), max_tokens=options.max_tokens, live_figures=result.figures
        ) as connection:
            account = await whose_key(connection)
            journal.must_be_of(account.company_id or 0, account.company_name)
            now = connection.clock.now()
            knowledge = AccountKnowledge(account, journal, connection.send, now)
            job = Undoing(config, journal, knowledge, connection.send, run, now, options.kinds, result)
            result.plan = await job.plan()
            if result.plan.empty or options.dry_run or not agree(result.plan):
                return
            brakes = BrakeCounter(brake_limits(config, options.brakes), look=f"runs undo {run.name} --dry-run")
            await job.carry_out(result.plan, brakes)


@dataclass(slots=True)
class Undoing:
    """Undoes one run. `now` is Pipedrive's time in seconds since 1970."""

    config: Config
    journal: Journal
    account: AccountKnowledge
    send: Send
    run: Past
    now: float
    kinds: frozenset[Kind] = frozenset(KINDS)
    result: UndoResult = field(default_factory=UndoResult)
    _began: datetime = field(init=False)  # Pipedrive's time of the run's first write at the earliest
    _ended: datetime = field(init=False)  # and of its last one at the latest
    _look: UndoLook = field(init=False)
    _settings: DeliverySettings | None = None
    _later: frozenset[int] = frozenset()  # numbers of events that later runs have handled
    _made: frozenset[tuple[Kind, int | str]] = frozenset()  # what the run created
    _looked: dict[Kind, float] = field(default_factory=dict)  # loop time of the last look at a kind

    def __post_init__(self) -> None:
        span = written_between(self.journal, self.run.number)
        if span is not None:
            self._began, ended = (datetime.fromtimestamp(each, UTC) for each in span)
            self._ended = ended + TICK
        else:  # an older version's run: what this machine's clock said has to do
            self._began = datetime.fromisoformat(self.run.started).astimezone(UTC)
            self._ended = self._began + timedelta(seconds=self.run.summary.seconds) + SKEW
        self._look = UndoLook(self.send, self._began - SKEW)

    async def plan(self) -> UndoPlan:
        """Looks at all that the run wrote. Raises StopRun where that cannot be seen."""
        with asking(NOT_SHOWN, code="look_up_failed", hint=f"nothing was undone; {MEND}, then run again"):
            return await self._plan()

    async def _plan(self) -> UndoPlan:
        number = self.run.number
        made = [(kind, record) for kind, record, _ in self.journal.created(number) if kind in self.kinds]
        replaced = befores(self.journal, number)
        changed = [before for before in replaced if before.kind in self.kinds]
        plan = UndoPlan(
            merges=sum(each.merged for each in changed),
            undone=undone_at(self.journal, number),
            events=events_of(self.journal, number),
            refilled=refilled_by(self.journal, number),
        )
        if plan.undone is None and not replaced:
            plan.forgotten = self._forgotten()
        plan.kept += [
            KeptRecord(write.kind, write.key or "?", "in_doubt", message=SETTLE)
            for write in self.journal.open_writes()
            if write.run == number and write.kind in self.kinds
        ]
        if not made and not changed:
            return plan
        wanted: dict[Kind, list[int | str]] = {kind: [] for kind in ORDER}
        for kind, record in [*made, *((each.kind, each.id) for each in changed)]:
            wanted[kind].append(record)
        await self.account.learn(frozenset(kind for kind in ORDER if wanted[kind]), labels=False)
        self._settings = delivery_settings(
            self.config, compile_mapping(self.config, self.account.account), self.account.account
        )
        states = (self.journal.state(kind, record) for kind in ORDER for record in wanted[kind])
        numbers = {each.number for state in states if state is not None for each in states_in(state)}
        self._later = later_numbers(self.journal, number, numbers - {0})
        self._made = frozenset(made)
        made_of = {kind: sorted((record for of, record in made if of == kind), key=str) for kind in ORDER}
        if made:
            await self._look.at_others()
        for kind in ORDER:
            shown = await self._look.at_linking(kind, frozenset(of for of, _ in made))
            await self._look.at(kind, wanted[kind], shown)
            found = [self._creation(kind, record, shown.get(record)) for record in made_of[kind]]
            found += [self._update(before, shown.get(before.id)) for before in changed if before.kind == kind]
            for undone in found:
                plan.kept += undone.kept
            plan.todo += [undone for undone in found if undone.any]
            self._look.note_links(shown, found)
            self._looked[kind] = asyncio.get_running_loop().time()
        return plan

    def _forgotten(self) -> int:
        """How many records the run updated, where what they held before was kept by no version, or not for so long."""
        updated = sum(counts.updated for counts in self.run.summary.records.by_kind().values())
        old = self.now - self._began.timestamp() > KEPT_DAYS * 86_400
        return updated if old or written_between(self.journal, self.run.number) is None else 0

    async def carry_out(self, plan: UndoPlan, brakes: BrakeCounter) -> None:
        """Writes what the plan says, into `result`. What stops it early is there too: run it again to go on."""
        counts: dict[Done, int] = {"deleted": sum(plan.deleted.values()), "updated": sum(plan.restored.values())}
        if (too_many := brakes.stop_before(counts)) is not None:
            self.result.stopped = too_many
            return
        commits = GroupCommits(self.journal)
        run, now = self.run.number, f"{datetime.fromtimestamp(self.now, UTC):%Y-%m-%dT%H:%M:%SZ}"
        try:
            with self.journal.transaction():
                note_undone(self.journal, run, now)
                # Before the first record goes: an undo that ends half-way must leave no event that counts as handled.
                forget_outcomes(self.journal, run)
                note_under_way(self.journal, run, self.kinds)
            for kind in ORDER:
                todo = [each for each in plan.todo if each.kind == kind]
                for start in range(0, len(todo), PART):
                    await self._undo_all(await self._as_they_are(kind, todo[start : start + PART]), commits)
            if self.result.stopped is None:
                with self.journal.transaction():
                    forget_aliases(self.journal, run)
                self.result.complete = True
            if not any(kept.why == "in_doubt" for kept in self.result.refused):
                with self.journal.transaction():
                    end_under_way(self.journal, run)
        except StopRun as stop:  # the journal, or a look
            self.result.stopped = stop

    async def catch_up(self) -> None:
        """Notes what this undo had done when it was cut off. Nothing is written to Pipedrive. Raises StopRun."""
        plan = await self.plan()
        with self.journal.transaction():
            for undone in plan.todo:
                undone.delete, undone.refused, undone.body = undone.gone, undone.body, {}
                if undone.gone or undone.settled:
                    self._record(undone)
            end_under_way(self.journal, self.run.number)

    async def _as_they_are(self, kind: Kind, part: list[Undone]) -> list[Undone]:
        """What is to be done with these records now: looked at again where the last look is too old.

        People go on working while somebody is asked, or while thousands of records are undone; and what could not be
        undone may hang on these. Raises StopRun.
        """
        now = asyncio.get_running_loop().time()
        if not part or self.result.stopped is not None or now - self._looked.get(kind, -LOOK_AFTER) < LOOK_AFTER:
            return part
        with asking(NOT_SHOWN, code="look_up_failed", hint=f"{MEND}, then run again to go on"):
            if any((kind, each.id) in self._made for each in part):
                await self._look.at_others()
                for linking in ORDER[: ORDER.index(kind)]:
                    self._look.note_links(await self._look.at_linking(linking, frozenset({kind})))
            shown = await self._look.at(kind, [each.id for each in part], {})
        found = [self._now(each, shown.get(each.id)) for each in part]
        known = frozenset(self.result.plan.kept)
        self.result.refused += [kept for undone in found for kept in undone.kept if kept not in known]
        self._looked[kind] = now
        return [undone for undone in found if undone.any]

    def _now(self, undone: Undone, shown: Values | None) -> Undone:
        if (undone.kind, undone.id) in self._made:
            return self._creation(undone.kind, undone.id, shown)
        before = before_of(self.journal, self.run.number, undone.kind, undone.id)
        return undone if before is None else self._update(before, shown)

    async def _undo_all(self, part: Sequence[Undone], commits: GroupCommits) -> None:
        todo = iter(part)

        async def work() -> None:
            for undone in todo:
                if self.result.stopped is None:
                    await self._undo(undone, commits)

        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(work())

    async def _undo(self, undone: Undone, commits: GroupCommits) -> None:
        """One record: in Pipedrive, then in the journal."""
        kind, record = undone.kind, undone.id
        try:
            if undone.delete:
                await self.send(delete(kind, record))
            else:
                await self._give(undone)
        except Refusal as refused:
            if not (refused.gone and undone.delete):
                self._keep(undone, "not_seen" if refused.gone else "refused", refused.message)
                return
        except Doubt as blocked:  # a firewall's page: nothing was written, and nobody knows more
            self._keep(undone, "refused", str(blocked))
            return
        except Failure as failure:
            self._keep(undone, "in_doubt", f"{failure.message}; run again")
            return
        except KindStops as stop:
            why = f"Pipedrive takes no change of {stop.kind}: {stop.message}"
            self.result.stopped = self.result.stopped or StopRun(
                why, code="kind_refused", hint=f"{MEND}, then run again to go on"
            )
            return
        except StopRun as stop:
            self.result.stopped = self.result.stopped or stop
            return
        try:
            await commits.record(lambda _: self._record(undone))
        except StopRun as stop:
            self.result.stopped = self.result.stopped or stop
            return
        if undone.delete:
            self.result.deleted[kind] += 1
        elif undone.body:
            self.result.restored[kind] += 1

    async def _give(self, undone: Undone) -> None:
        """Gives a record back what it had. A value that Pipedrive refuses by name is kept, and the others are sent."""
        kind = undone.kind
        while undone.body:
            call = update(kind, undone.id, body_back(kind, {**undone.beside, **undone.body}))
            try:
                answer = await self.send(call)
            except Refusal as refused:
                named = [address for address in refused.fields if address in undone.body]
                if refused.gone or not named:
                    raise
                for address in named:
                    undone.refused[address] = undone.body.pop(address)
                    self._keep(undone, "refused", refused.message, address)
            else:
                shown = answer.data.get("update_time")
                undone.written_at = shown if isinstance(shown, str) else None
                return

    def _keep(self, undone: Undone, why: KeptWhy, message: str, address: str | None = None) -> None:
        """Pipedrive did not do it. What this record is linked to may have to stay too."""
        self.result.refused.append(KeptRecord(undone.kind, undone.id, why, address, message))
        self._looked = {kind: at for kind, at in self._looked.items() if kind == undone.kind}

    def _record(self, undone: Undone) -> None:
        """What the journal knows of the record afterwards; in a transaction."""
        run = self.run.number
        before = before_of(self.journal, run, undone.kind, undone.id)
        if undone.delete:
            self.journal.forget_record(undone.kind, undone.id)
        elif before is not None:
            self._hand_on(undone, before)
            self._give_back(undone, before)
            if undone.refused:  # the next undo tries these again
                left = {address: before.values[address] for address in undone.refused}
                replace_before(self.journal, run, msgspec.structs.replace(before, values=left, unknown=()))
                return
        forget_before(self.journal, run, undone.kind, undone.id)

    def _give_back(self, undone: Undone, before: Before) -> None:
        """The state and the names that the record had before the run."""
        assert self._settings is not None  # noqa: S101 - made before anything is looked at
        journal, kind, record = self.journal, undone.kind, undone.id
        addresses = (*undone.body, *undone.settled)
        rekeyed = self._settings.key_address[kind] in addresses
        state = journal.state(kind, record)
        given = state_given_back(state, before.state, addresses, rekeyed=rekeyed)
        if undone.untouched and undone.written_at is not None and before.updated is not None:
            then = changed_at(journal, kind, record, before.updated)
            note_given_back(journal, kind, record, undone.written_at, then)
        journal.unsee(kind, [record])  # as it was last seen it is no more
        if given is None:
            journal.forget_record(kind, record)
            return
        if rekeyed and state is not None and state.key is not None and state.key != given.key:
            forget_name(journal, kind, state.key, record)
        journal.save_record(kind, record, (given.key,) if rekeyed and given.key is not None else (), given)

    def _hand_on(self, undone: Undone, before: Before) -> None:
        """Each value before goes to the next run that has replaced this run's, and the state with it."""
        waiting = dict(undone.handed_on)
        for number, then in later_befores(self.journal, self.run.number, undone.kind, undone.id):
            given = {address: waiting.pop(address) for address in then.values if address in waiting}
            if given:
                state = state_given_back(then.state, before.state, tuple(given))
                handed = msgspec.structs.replace(then, values={**then.values, **given}, state=state)
                replace_before(self.journal, number, handed)

    # -- what is there

    def _creation(self, kind: Kind, record: int | str, shown: Values | None) -> Undone:
        assert self._settings is not None  # noqa: S101 - made before anything is looked at
        updated = self._changed_at(kind, record, shown)
        state = self.journal.state(kind, record)
        said_later = state is not None and any(each.number in self._later for each in states_in(state))
        return undo_creation(
            kind,
            record,
            shown,
            state,
            self._settings.rules,
            changed=updated is None or updated > self._ended,
            later=said_later or bool(later_befores(self.journal, self.run.number, kind, record)),
            hangs=self._look.hangs(kind, record),
        )

    def _changed_at(self, kind: Kind, record: int | str, shown: Values | None) -> datetime | None:
        """When it was changed last, save by an undo of a later run."""
        text = None if shown is None else shown.get("update_time")
        return shown_moment(changed_at(self.journal, kind, record, text)) if isinstance(text, str) else None

    def _update(self, before: Before, shown: Values | None) -> Undone:
        assert self._settings is not None  # noqa: S101 - as above
        state = self.journal.state(before.kind, before.id)
        if before.merged:
            undone = Undone(before.kind, before.id)
            undone.kept.append(KeptRecord(before.kind, before.id, "merged"))
            return undone
        later: dict[str, bool] = {}
        for _, then in later_befores(self.journal, self.run.number, before.kind, before.id):
            for address in (*then.values, *then.unknown):
                later.setdefault(address, address in then.values)
        if state is not None:  # a later run found the value there: it is that run's too
            for address, mine in state.fields.items():
                if mine.number in self._later:
                    later.setdefault(address, False)
        undone = undo_update(
            before.kind,
            before.id,
            shown,
            state,
            before.state,
            before.values,
            before.unknown,
            self._settings.rules,
            later=later,
        )
        changed = self._changed_at(before.kind, before.id, shown)
        undone.untouched = changed is not None and changed <= self._ended
        return undone
