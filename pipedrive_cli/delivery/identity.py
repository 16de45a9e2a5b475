"""Which record a job is about. Without I/O.

The keys and ids of a job are looked up, checked against each other, and changed by its aliases (`Resolution`); a merge
is the only write of this step. After this the job has one
target, a record that exists or none yet, and `upsert` writes there what the job's changes ask for.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import msgspec

from pipedrive_cli.delivery.adoption import with_blanks_filled
from pipedrive_cli.delivery.aliases import Aliases, Step
from pipedrive_cli.delivery.bearer import borne_key, rekeyed
from pipedrive_cli.delivery.deleted import left_by
from pipedrive_cli.delivery.effects import (
    Cached,
    Commit,
    DeliverySettings,
    Fetch,
    Find,
    IsVisitor,
    RecordId,
    Refusal,
    Snapshot,
    SubPlan,
    Target,
    Wait,
    Write,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.outcomes import in_one, reject_aliases, skip_visitors
from pipedrive_cli.delivery.precedence import NO_TIME, UNKNOWN_STATE, RecordState, merged_state, under_former_id
from pipedrive_cli.delivery.waiting import Job, PendingAlias
from pipedrive_cli.model import Complaint, Outcome, ProblemCode, RecordName, Value, Values
from pipedrive_cli.pipedrive.catalog import merge

UNKNOWN = "nobody in Pipedrive or in the input bears the previous id"
_NO_ALIASES = Aliases({})


class Resolution(msgspec.Struct, eq=False):
    """Which record the keys of one job name: as look-ups find it, and as aliases change it."""

    job: Job
    settings: DeliverySettings
    found: dict[str, int | None] = {}
    by_id: int | None = None
    states: dict[int, RecordState] = {}
    values: dict[int, tuple[Values, float]] = {}
    unsaved: list[PendingAlias] = []
    refused_aliases: list[PendingAlias] = []
    merged: bool = False
    ambiguous: tuple[int, ...] = ()  # organizations of the job's name, where several have it
    _settled: Aliases = _NO_ALIASES  # those that earlier windows or runs have settled
    _survivors: dict[int, int] = {}  # merged here: loser -> survivor
    _carriers: set[str] | None = None  # ids whose changes wait in this job, or those of a former id of theirs
    _ended: list[Commit] = []  # aliases that ask for nothing more

    def find_key(self, key: str) -> SubPlan[int | None]:
        """The id of the living record with this key; the oldest, should there be several."""
        if key not in self.found:
            ids = yield Find(self.job.kind, key=key)
            self.found[key] = ids[0] if ids else None
        return self._living(self.found[key])

    def _living(self, record: int | None) -> int | None:
        """The record itself, or the one that it was merged into."""
        while record is not None and (survivor := self._survivors.get(record)) is not None:
            self._survivors[record] = self._survivors.get(survivor, survivor)  # the next one has half as far to go
            record = survivor
        return record

    def settle_ids(self, changes: list[PendingChange]) -> SubPlan[list[PendingChange]]:
        """Checks records named by Pipedrive's id: it wins, and is joined to the key. Returns the remaining changes."""
        refusals: dict[int | None, Complaint] = {}
        for named in self.job.ids:
            refusal = yield from self._check_id(named)
            if refusal is None:
                self.by_id = named
            else:
                refusals[named] = refusal
        if not refusals:
            return changes
        guilty = [pending for pending in changes if pending.change.record.pipedrive_id in refusals]
        yield Commit(
            self.job.kind,
            None,
            changes=tuple((pending, Outcome.REJECTED) for pending in guilty),
            complaints=tuple((p.event, refusals[p.change.record.pipedrive_id]) for p in guilty),
        )
        return [pending for pending in changes if pending.change.record.pipedrive_id not in refusals]

    def _check_id(self, named: int) -> SubPlan[Complaint | None]:
        if self.by_id is not None:
            return _conflict(f"the input names it {self.by_id} elsewhere")
        snapshot: Snapshot = yield Cached(self.job.kind, named)
        values = snapshot.values if snapshot.shown else (yield Fetch(self.job.kind, named))
        if values is None:
            return Complaint(
                "unknown_pipedrive_id",
                f"Pipedrive has no living record with the id {named} in {self.job.kind}",
                field="context.externalId",
                value=str(named),
                outcome=Outcome.REJECTED,
            )
        bears = borne_key(self.job.kind, values, self.settings)
        key = self.job.key
        if key is not None and bears is not None and bears not in {key, *self.job.keys}:
            return _conflict(f"record {named} bears the id {bears}, not {key}")
        if named in self.job.contested and bears is None:
            return _conflict(f"the input names record {named} by another id than {key}, too")
        if key is not None and bears != key and (other := (yield from self._bearer(key))) not in {None, named}:
            return _conflict(f"{key} is record {other}, not {named}")
        if key is not None:
            self.found[key] = named
        self.values[named] = (values, snapshot.age if snapshot.shown else 0.0)
        if bears is not None and key is None:
            self.job.key = bears
        return None

    def _bearer(self, key: str) -> SubPlan[int | None]:
        """The record that is known by `key`, if it is there and was not given another key."""
        record = yield from self.find_key(key)
        if record is None:
            return None
        snapshot: Snapshot = yield Cached(self.job.kind, record)
        values = snapshot.values if snapshot.shown else (yield Fetch(self.job.kind, record))
        borne = borne_key(self.job.kind, values, self.settings)
        return record if values is not None and (borne is None or self.job.is_named(borne)) else None

    def settle_aliases(self) -> SubPlan[None]:
        """Carries out the aliases: two persons that exist are merged, one alone gets the new id."""
        own = {pending_alias.previous for pending_alias in self.job.pending_aliases}
        self._settled = Aliases({key: step for key, step in self.job.steps.items() if key not in own})
        waiting = _in_order(self.job.pending_aliases)
        while waiting:
            unknown = []
            for pending_alias in waiting:
                if not (yield from self._settle_alias(pending_alias)):
                    unknown.append(pending_alias)
            if len(unknown) == len(waiting):
                break
            waiting = unknown  # a settled alias may have given another alias's previous id a record
        if waiting and (yield Wait(self.job, (), tuple(waiting))):
            strangers: list[PendingAlias] = []
            visitors: list[PendingAlias] = []
            for pending_alias in waiting:
                key = pending_alias.previous
                (visitors if key is not None and (yield IsVisitor(key)) else strangers).append(pending_alias)
            self._ended += [skip_visitors(visitors), reject_aliases(strangers, "alias_unknown", UNKNOWN)]
        if self._ended:
            yield in_one(self._ended)

    def _settle_alias(self, pending_alias: PendingAlias) -> SubPlan[bool]:
        """Carries an alias out, or refuses it. False: its previous person is not known yet."""
        previous = yield from self._find(pending_alias.alias.previous)
        current = yield from self._find(pending_alias.alias.current)
        if previous is None:
            if not self._flows(pending_alias):
                return False
            self.unsaved.append(pending_alias)
        elif current is None:
            yield from self._rekey(pending_alias, previous)
        elif previous == current:
            yield from self._already_one(pending_alias, current)
        else:
            try:
                yield from self._merge(pending_alias, previous, current)
            except Refusal as refusal:
                self._refuse(pending_alias, refusal.code, refusal.message)
        return True

    def _refuse(self, pending_alias: PendingAlias, code: ProblemCode, message: str) -> None:
        self.refused_aliases.append(pending_alias)
        self._ended.append(reject_aliases([pending_alias], code, message))

    def _find(self, name: RecordName) -> SubPlan[int | None]:
        if name.pipedrive_id is not None:
            return name.pipedrive_id
        assert name.key is not None  # noqa: S101 - the transform refuses an alias without ids
        return (yield from self.find_key(self._settled.canonical(name.key)))

    def _flows(self, pending_alias: PendingAlias) -> bool:
        """Whether changes of the previous id wait in this job: they become changes of the current person."""
        if pending_alias.previous is None:
            return False
        if self._carriers is None:
            self._carriers = set()
            for key in {pending.change.record.key for pending in self.job.changes}:
                self._carriers.update(_path(self.job, key, self._carriers))
        return pending_alias.previous in self._carriers

    def _under_former_id(self, state: RecordState, pending_alias: PendingAlias) -> RecordState:
        """The state with its values lowered by this alias, and by the settled aliases that lead on from it."""
        state = under_former_id(state, pending_alias.alias.time, self.settings.rules)
        for _, time in self._settled_after(pending_alias):
            state = under_former_id(state, time, self.settings.rules)
        return state

    def _settled_after(self, pending_alias: PendingAlias) -> Iterable[Step]:
        """The settled aliases that lead on from this one, in order."""
        return () if pending_alias.current is None else self._settled.steps_from((pending_alias.current,)).values()

    def _rekey(self, pending_alias: PendingAlias, previous: int) -> SubPlan[None]:
        """Only the previous person exists: it gets the current user id."""
        state = yield from self._state(previous)
        self.states[previous] = self._under_former_id(state, pending_alias)
        if pending_alias.current is not None:
            self.found[pending_alias.current] = previous
        for key, _ in self._settled_after(pending_alias):
            self.found[key] = previous
        self.unsaved.append(pending_alias)

    def _already_one(self, pending_alias: PendingAlias, record: int) -> SubPlan[None]:
        """Both ids name one record already, by an earlier merge or because it was given two keys."""
        state = yield from self._state(record)
        if state.carried_over or state.carried_contacts:
            self.unsaved.append(pending_alias)
            return
        same = Complaint("alias_same", "both ids name the same person already", outcome=Outcome.SKIPPED)
        self._ended.append(
            Commit(
                self.job.kind,
                record,
                aliases=(pending_alias,),
                pending_aliases=((pending_alias, Outcome.SKIPPED),),
                complaints=((pending_alias.event, same),),
            )
        )

    def _merge(self, pending_alias: PendingAlias, loser: int, survivor: int) -> SubPlan[None]:
        """Both persons exist: the current one survives, and gets what it lacked. This cannot be undone."""
        going = yield Fetch(self.job.kind, loser)
        staying = yield Fetch(self.job.kind, survivor)
        previous, current = pending_alias.previous, pending_alias.current
        alias = pending_alias.alias
        moved = yield from self._follow_key(alias.previous, current, loser, going)
        moved = (yield from self._follow_key(alias.current, previous, survivor, staying)) or moved
        if moved:
            yield from self._settle_alias(pending_alias)
            return
        if going is None or staying is None:
            yield from self._settle_gone(pending_alias, loser, going, survivor, staying)
            return
        if self.settings.alias == "rekey":
            raise Refusal("alias_both_exist", "both persons exist, and `identity.alias: rekey` merges nobody")
        former = self._under_former_id((yield from self._state(loser)), pending_alias)
        left = _without_key(going, former, self.settings)
        state = merged_state((yield from self._state(survivor)), former, staying, left, self.settings.rules)
        keys = tuple(key for key in (pending_alias.previous, pending_alias.current) if key is not None)
        write = Write(
            merge(loser, survivor),
            self.job.kind,
            "merge",
            self.job,
            key=pending_alias.current,
            before=going,
            picture=lambda: {
                "loser": loser,
                "survivor": survivor,
                "keys": keys,
                "state": msgspec.msgpack.encode(state),
            },
        )
        try:
            yield write
        except Refusal:  # perhaps one of them has just been deleted
            going, staying = (yield Fetch(self.job.kind, loser)), (yield Fetch(self.job.kind, survivor))
            if going is not None and staying is not None:
                raise
            yield from self._settle_gone(pending_alias, loser, going, survivor, staying)
            return
        yield Commit(
            self.job.kind,
            survivor,
            keys=keys,
            state=state,
            action="merged",
            merged=loser,
        )
        self.states[survivor] = state
        self.values.pop(survivor, None)
        self._survivors[loser] = survivor
        self.by_id = self._living(self.by_id)
        self.unsaved.append(pending_alias)
        self.merged = True

    def _settle_gone(
        self, pending_alias: PendingAlias, loser: int, going: Values | None, survivor: int, staying: Values | None
    ) -> SubPlan[None]:
        """Somebody deleted one of the two, or merged it into another: whoever bears its id now is meant.

        Where nobody does, the one that is left has both ids. The values of a current person who is gone fill its
        blanks. Raises `Refusal` where an alias names somebody who is gone by Pipedrive's id.
        """
        names, moved = pending_alias.alias, False
        for name, record, values in ((names.previous, loser, going), (names.current, survivor, staying)):
            if values is not None:
                continue
            if name.key is None or name.pipedrive_id is not None:
                raise Refusal("alias_gone", f"person {record} was deleted in Pipedrive, or merged into another one")
            if found := (yield Find(self.job.kind, key=name.key, denied=record)):
                self.found[self._settled.canonical(name.key)], moved = found[0], True
        if moved:
            yield from self._settle_alias(pending_alias)
        elif staying is not None:
            if pending_alias.previous is not None:
                self.found[self._settled.canonical(pending_alias.previous)] = survivor
            self.unsaved.append(pending_alias)
        else:
            left = left_by((yield from self._state(survivor)), None, self.settings.rules.country)
            yield from self._rekey(pending_alias, loser)
            state = self.states[loser]
            if going is None:
                fields = {address: old for address, old in state.fields.items() if address not in left.carried_over}
                state = msgspec.structs.replace(state, fields=fields)
            self.states[loser] = with_blanks_filled(state, going, left)
            self.values.pop(loser, None)

    def _follow_key(self, name: RecordName, other: str | None, record: int, values: Values | None) -> SubPlan[bool]:
        """Before a merge: whether `record` bears another key than its `name`, which then names somebody else.

        Raises `Refusal` where nobody bears that key now, or where the alias names the record by Pipedrive's id, too.
        `other` is the key of the other person of the alias.
        """
        key = name.key
        borne = borne_key(self.job.kind, values, self.settings)
        if key is None or borne is None or (borne != other and self.job.is_named(borne)):
            return False
        if name.pipedrive_id is not None:
            raise Refusal("identity_conflict", f"record {record} bears the id {borne}, not {key}")
        found = yield Find(self.job.kind, key=key, denied=record)
        if not found:
            raise Refusal("identity_conflict", rekeyed(key, record, borne))
        self.found[key] = found[0]
        return True

    def _state(self, record: int) -> SubPlan[RecordState]:
        if record not in self.states:
            snapshot: Snapshot = yield Cached(self.job.kind, record)
            self.states[record] = state_of(snapshot)
            if snapshot.values is not None:
                self.values.setdefault(record, (snapshot.values, snapshot.age))
        return self.states[record]

    def find_target(self) -> SubPlan[Target]:
        """The record that the job's changes go to."""
        record: RecordId | None = self.by_id
        if self.job.key is not None and record is None:
            record = yield from self.find_key(self.job.key)
        elif record is None and self.job.name is not None:
            ids = yield Find(self.job.kind, name=self.job.name)
            record = ids[0] if ids else None
            self.ambiguous = ids if len(ids) > 1 and self.job.kind == "organizations" else ()
        if not isinstance(record, int):
            return Target(None, UNKNOWN_STATE, unsaved_aliases=self.unsaved)
        state = yield from self._state(record)
        values, age = self.values.get(record, (None, 0.0))
        former = [key for key in self.job.keys if key != self.job.key]
        if values is not None and self.settings.key_address.get(self.job.kind) is not None:
            state = with_key(state, borne_key(self.job.kind, values, self.settings))
        elif state.key is None and not self.unsaved:
            state = with_key(state, self.job.key)  # it was found by its key
        return Target(
            record,
            state,
            values,
            age,
            found=not state.fields and not state.inputs,
            unsaved_aliases=self.unsaved,
            merged=self.merged,
            former_keys=[key for key in former if self._living(self.found.get(key)) == record],
        )


def _path(job: Job, key: str | None, known: Container[str] = ()) -> list[str]:
    """This id and those that it leads to, up to the first one of `known`."""
    path = []
    while key is not None and key not in known:
        path.append(key)
        key = job.steps[key][0] if key in job.steps else None
    return path


def _in_order(pending_aliases: Sequence[PendingAlias]) -> list[PendingAlias]:
    """A chain's oldest alias first, so that values of its first id pass every alias of the chain; else by time."""
    waiting = {alias.previous: (alias.current or "", None) for alias in pending_aliases if alias.previous is not None}
    ahead = Aliases(waiting)

    def place(pending_alias: PendingAlias) -> tuple[int, int]:
        time = pending_alias.alias.time
        return (-ahead.hops(pending_alias.current), NO_TIME if time is None else time)

    return sorted(pending_aliases, key=place)


def _conflict(why: str) -> Complaint:
    return Complaint("identity_conflict", why, field="context.externalId", outcome=Outcome.REJECTED)


def _without_key(values: Values, state: RecordState, settings: DeliverySettings) -> dict[str, Value]:
    """What a merged record leaves to its survivor: whatever an event could set, but not its record key."""
    key = settings.key_address.get("persons")
    left = {"emails", "phones", "organization", "name", "visible_to", "label_ids", *state.fields}
    return {
        address: value
        for address, value in values.items()
        if address != key and (address.startswith("custom_fields.") or address in left)
    }
