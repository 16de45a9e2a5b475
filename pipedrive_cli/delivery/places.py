"""Where the keys and ids of one job lead: looked up, checked against each other, and changed by its aliases.

Plans as in `plan`, without I/O. A merge is the only write here; what the job says of its record is brought there by
`homes`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipedrive_cli.delivery.asks import (
    Ask,
    Home,
    Knowledge,
    Locate,
    Look,
    Recall,
    RecordId,
    Refusal,
    Save,
    Terms,
    Wait,
    Write,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.backlog import Job, Joining, Step
from pipedrive_cli.delivery.former import joined, under_former_id
from pipedrive_cli.delivery.gathering import Part
from pipedrive_cli.delivery.standing import NO_TIME, RecordState, blank
from pipedrive_cli.delivery.verdicts import reject_alias
from pipedrive_cli.outcomes import Complaint, Outcome
from pipedrive_cli.pipedrive.catalog import merge
from pipedrive_cli.transform.changes import RecordName

UNKNOWN = "nobody in Pipedrive or in the input bears the previous id"


@dataclass(slots=True)
class Places:
    """Where the keys of one job lead, as they are looked up and as aliases change it."""

    job: Job
    terms: Terms
    found: dict[str, int | None] = field(default_factory=dict)
    by_id: int | None = None
    states: dict[int, RecordState] = field(default_factory=dict)
    values: dict[int, tuple[Any, float]] = field(default_factory=dict)
    unsaved: list[Joining] = field(default_factory=list)
    apart: list[Joining] = field(default_factory=list)  # refused aliases
    merged: bool = False

    def locate(self, key: str) -> Generator[Ask, Any, int | None]:
        """The id of the living record with this key; the oldest, should there be several."""
        if key not in self.found:
            ids = yield Locate(self.job.kind, key=key)
            self.found[key] = ids[0] if ids else None
        return self.found[key]

    def settle_ids(self, parts: list[Part]) -> Generator[Ask, Any, list[Part]]:
        """Records named by Pipedrive's id: the id wins and both names are joined. Returns the parts that remain."""
        for named in self.job.ids:
            refusal = yield from self._check_id(named)
            if refusal is None:
                self.by_id = named
                continue
            guilty = [part for part in parts if part.change.record.pipedrive_id == named]
            parts = [part for part in parts if part.change.record.pipedrive_id != named]
            yield Save(
                self.job.kind,
                None,
                parts=tuple((part, Outcome.REJECTED) for part in guilty),
                complaints=tuple((part.case, refusal) for part in guilty),
            )
        return parts

    def _check_id(self, named: int) -> Generator[Ask, Any, Complaint | None]:
        if self.by_id is not None and self.by_id != named:
            return _conflict(f"the input names it {self.by_id} elsewhere")
        knowledge: Knowledge = yield Recall(self.job.kind, named, self.job.key)
        values = knowledge.values if knowledge.shown else (yield Look(self.job.kind, named))
        if values is None:
            return Complaint(
                "unknown_pipedrive_id",
                f"Pipedrive has no living record with the id {named} in {self.job.kind}",
                field="context.externalId",
                value=str(named),
                outcome=Outcome.REJECTED,
            )
        address = self.terms.key_address.get(self.job.kind)
        bears = None if address is None else values.get(address)
        key = self.job.key
        if key is not None and not blank(bears) and str(bears) not in {key, *self.job.keys}:
            return _conflict(f"record {named} bears the id {bears}, not {key}")
        if named in self.job.contested and blank(bears):
            return _conflict(f"the input names record {named} by another id than {key}, too")
        if key is not None and (other := (yield from self.locate(key))) not in {None, named}:
            return _conflict(f"{key} is record {other}, not {named}")
        if key is not None:
            self.found[key] = named
        self.values[named] = (values, knowledge.age if knowledge.shown else 0.0)
        if not blank(bears) and key is None:
            self.job.key = str(bears)
        return None

    def settle_joinings(self) -> Generator[Ask, Any, None]:
        """Carries out the aliases: two persons that exist are merged, one alone gets the new id."""
        waiting = _in_order(self.job.joinings)
        while waiting:
            unknown = []
            for joining in waiting:
                if not (yield from self._settle_joining(joining)):
                    unknown.append(joining)
            if len(unknown) == len(waiting):
                break
            waiting = unknown  # one that was settled may have given another one's previous id a record
        if waiting and (yield Wait(self.job, (), tuple(waiting))):
            for joining in waiting:
                yield reject_alias(joining, "alias_unknown", UNKNOWN)

    def _settle_joining(self, joining: Joining) -> Generator[Ask, Any, bool]:
        """Whether the previous one was known, so that the alias could be carried out (or refused)."""
        previous = yield from self._find(joining.alias.previous)
        current = yield from self._find(joining.alias.current)
        if previous is None:
            if not self._flows(joining):
                return False
            self.unsaved.append(joining)
        elif current is None:
            yield from self._rekey(joining, previous)
        elif previous == current:
            yield from self._already_one(joining, current)
        elif self.terms.alias == "rekey":
            self.apart.append(joining)
            yield reject_alias(
                joining, "alias_both_exist", "both persons exist, and `identity.alias: rekey` merges nobody"
            )
        else:
            try:
                yield from self._merge(joining, previous, current)
            except Refusal as refusal:
                self.apart.append(joining)
                yield reject_alias(joining, refusal.code, refusal.message)
        return True

    def _find(self, name: RecordName) -> Generator[Ask, Any, int | None]:
        if name.pipedrive_id is not None:
            return name.pipedrive_id
        key = name.key
        assert key is not None  # noqa: S101 - the transform refuses an alias without ids
        settled = _settled(self.job)
        while (step := settled.get(key)) is not None:
            key = step[0]
        return (yield from self.locate(key))

    def _flows(self, joining: Joining) -> bool:
        """Whether the previous one waits in this job: its changes then flow into the current one's."""
        if joining.previous is None:
            return False
        former = former_keys(self.job, joining.previous)
        return any(part.change.record.key in former for part in self.job.parts)

    def _under_former_id(self, state: RecordState, joining: Joining) -> RecordState:
        """The state once this alias, and those settled before that lead on from it, came after its values."""
        state = under_former_id(state, joining.alias.time, self.terms.rules)
        settled, key = _settled(self.job), joining.current
        while key is not None and (step := settled.get(key)) is not None:
            key = step[0]
            state = under_former_id(state, step[1], self.terms.rules)
        return state

    def _rekey(self, joining: Joining, previous: int) -> Generator[Ask, Any, None]:
        """Only the previous one exists: it gets the current user id."""
        state = yield from self._state(previous)
        self.states[previous] = self._under_former_id(state, joining)
        current, settled = joining.current, _settled(self.job)
        while current is not None:
            self.found[current] = previous
            current = settled[current][0] if current in settled else None
        self.unsaved.append(joining)

    def _already_one(self, joining: Joining, record: int) -> Generator[Ask, Any, None]:
        """They are one record already, by an earlier merge or because two keys were given to it."""
        state = yield from self._state(record)
        if state.owed or state.owed_contacts:
            self.unsaved.append(joining)
            return
        same = Complaint("alias_same", "both ids name the same person already", outcome=Outcome.SKIPPED)
        yield Save(
            self.job.kind,
            record,
            aliases=(joining,),
            joinings=((joining, Outcome.SKIPPED),),
            complaints=((joining.case, same),),
        )

    def _merge(self, joining: Joining, loser: int, survivor: int) -> Generator[Ask, Any, None]:
        """Both exist: the current one survives, and gets what it lacked. This cannot be undone."""
        going = yield Look(self.job.kind, loser)
        staying = yield Look(self.job.kind, survivor)
        if going is None or staying is None:
            gone = loser if going is None else survivor
            raise Refusal("alias_gone", f"person {gone} was deleted in Pipedrive while it was to be merged", gone=True)
        former = self._under_former_id((yield from self._state(loser)), joining)
        left = _without_key(going, former, self.terms)
        state = joined((yield from self._state(survivor)), former, staying, left, self.terms.rules)
        keys = tuple(key for key in (joining.previous, joining.current) if key is not None)
        yield Write(
            merge(loser, survivor),
            self.job.kind,
            "merge",
            self.job,
            key=joining.current,
            before=going,
            picture=lambda: {
                "loser": loser,
                "survivor": survivor,
                "keys": keys,
                "state": msgspec.msgpack.encode(state),
            },
        )
        yield Save(
            self.job.kind,
            survivor,
            keys=keys,
            state=state,
            action="merged",
            merged=loser,
        )
        self.states[survivor] = state
        self.values.pop(survivor, None)
        for key, record in self.found.items():
            if record == loser:
                self.found[key] = survivor
        if self.by_id == loser:
            self.by_id = survivor
        self.unsaved.append(joining)
        self.merged = True

    def _state(self, record: int) -> Generator[Ask, Any, RecordState]:
        if record not in self.states:
            knowledge: Knowledge = yield Recall(self.job.kind, record, self.job.key)
            self.states[record] = state_of(knowledge)
            if knowledge.values is not None:
                self.values.setdefault(record, (knowledge.values, knowledge.age))
        return self.states[record]

    def home(self) -> Generator[Ask, Any, Home]:
        """Where the job's changes go."""
        record: RecordId | None = self.by_id
        if self.job.key is not None and record is None:
            record = yield from self.locate(self.job.key)
        elif record is None and self.job.name is not None:
            ids = yield Locate(self.job.kind, name=self.job.name)
            record = ids[0] if ids else None
        former = [key for key in self.job.keys if key != self.job.key]
        if not isinstance(record, int):
            return Home(None, RecordState(), unsaved_joinings=self.unsaved)
        state = yield from self._state(record)
        values, age = self.values.get(record, (None, 0.0))
        address = self.terms.key_address.get(self.job.kind)
        if values is not None and address is not None:
            borne = values.get(address)
            state = with_key(state, None if borne is None else str(borne))
        elif state.key is None and not self.unsaved:
            state = with_key(state, self.job.key)  # it was found by its key
        return Home(
            record,
            state,
            values,
            age,
            found=not state.fields and not state.inputs,
            unsaved_joinings=self.unsaved,
            merged=self.merged,
            former_keys=[key for key in former if self.found.get(key) == record],
        )


def former_keys(job: Job, previous: str) -> set[str]:
    """The previous id of an alias and all former ids behind it."""
    former = {previous}
    for _ in job.steps:
        former |= {key for key, step in job.steps.items() if step[0] in former}
    return former


def _settled(job: Job) -> dict[str, Step]:
    """The aliases that earlier windows or runs have settled, among those that lead on from the job's keys."""
    waiting = {joining.previous for joining in job.joinings}
    return {key: step for key, step in job.steps.items() if key not in waiting}


def _in_order(joinings: Sequence[Joining]) -> list[Joining]:
    """Former ids first, so that what is said under the first id of a chain passes every alias of it; else by time."""
    ahead = {joining.previous: joining.current for joining in joinings if joining.previous is not None}

    def place(joining: Joining) -> tuple[int, int]:
        hops, key = 0, joining.current
        while key is not None and (key := ahead.get(key)) is not None and hops < len(joinings):
            hops += 1
        return (-hops, NO_TIME if joining.alias.time is None else joining.alias.time)

    return sorted(joinings, key=place)


def _conflict(why: str) -> Complaint:
    return Complaint("identity_conflict", why, field="context.externalId", outcome=Outcome.REJECTED)


def _without_key(values: Any, state: RecordState, terms: Terms) -> dict[str, Any]:
    """What a merged record leaves to its survivor: whatever an event could set, but not its record key."""
    key = terms.key_address.get("persons")
    left = {"emails", "phones", "organization", "name", "visible_to", "label_ids", *state.fields}
    return {
        address: value
        for address, value in values.items()
        if address != key and (address.startswith("custom_fields.") or address in left)
    }
