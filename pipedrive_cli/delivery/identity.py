"""Which record a job is about, and the whole plan of one job. Without I/O.

The keys and ids of a job are looked up, checked against each other, and changed by its aliases (`Resolution`); a merge
is the only write of that part. A person who would be created may be adopted by email. After this the job has one
target, a record that exists or none yet, and `upsert` brings there what the job's changes ask for.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipedrive_cli.delivery.backlog import Job, PendingAlias, Step, depth
from pipedrive_cli.delivery.effects import (
    Cached,
    Commit,
    DeliverySettings,
    Effect,
    Fetch,
    Find,
    LoadDeleted,
    Plan,
    RecordId,
    Refusal,
    Snapshot,
    Target,
    Wait,
    Write,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.outcomes import reject_alias, skip_deleted
from pipedrive_cli.delivery.precedence import NO_TIME, RecordState, blank, merged_state, under_former_id
from pipedrive_cli.delivery.upsert import handle_deleted, upsert
from pipedrive_cli.model import Complaint, Outcome, RecordName
from pipedrive_cli.pipedrive.catalog import merge

UNKNOWN = "nobody in Pipedrive or in the input bears the previous id"


@dataclass(slots=True)
class Resolution:
    """Where the keys of one job lead, as they are looked up and as aliases change it."""

    job: Job
    terms: DeliverySettings
    found: dict[str, int | None] = field(default_factory=dict)
    by_id: int | None = None
    states: dict[int, RecordState] = field(default_factory=dict)
    values: dict[int, tuple[Any, float]] = field(default_factory=dict)
    unsaved: list[PendingAlias] = field(default_factory=list)
    apart: list[PendingAlias] = field(default_factory=list)  # refused aliases
    merged: bool = False

    def locate(self, key: str) -> Generator[Effect, Any, int | None]:
        """The id of the living record with this key; the oldest, should there be several."""
        if key not in self.found:
            ids = yield Find(self.job.kind, key=key)
            self.found[key] = ids[0] if ids else None
        return self.found[key]

    def settle_ids(self, parts: list[PendingChange]) -> Generator[Effect, Any, list[PendingChange]]:
        """Records named by Pipedrive's id: the id wins and both names are joined. Returns the parts that remain."""
        for named in self.job.ids:
            refusal = yield from self._check_id(named)
            if refusal is None:
                self.by_id = named
                continue
            guilty = [part for part in parts if part.change.record.pipedrive_id == named]
            parts = [part for part in parts if part.change.record.pipedrive_id != named]
            yield Commit(
                self.job.kind,
                None,
                parts=tuple((part, Outcome.REJECTED) for part in guilty),
                complaints=tuple((part.case, refusal) for part in guilty),
            )
        return parts

    def _check_id(self, named: int) -> Generator[Effect, Any, Complaint | None]:
        if self.by_id is not None and self.by_id != named:
            return _conflict(f"the input names it {self.by_id} elsewhere")
        knowledge: Snapshot = yield Cached(self.job.kind, named, self.job.key)
        values = knowledge.values if knowledge.shown else (yield Fetch(self.job.kind, named))
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

    def settle_aliases(self) -> Generator[Effect, Any, None]:
        """Carries out the aliases: two persons that exist are merged, one alone gets the new id."""
        waiting = _in_order(self.job.pending_aliases)
        while waiting:
            unknown = []
            for pending_alias in waiting:
                if not (yield from self._settle_alias(pending_alias)):
                    unknown.append(pending_alias)
            if len(unknown) == len(waiting):
                break
            waiting = unknown  # one that was settled may have given another one's previous id a record
        if waiting and (yield Wait(self.job, (), tuple(waiting))):
            for pending_alias in waiting:
                yield reject_alias(pending_alias, "alias_unknown", UNKNOWN)

    def _settle_alias(self, pending_alias: PendingAlias) -> Generator[Effect, Any, bool]:
        """Whether the previous one was known, so that the alias could be carried out (or refused)."""
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
        elif self.terms.alias == "rekey":
            self.apart.append(pending_alias)
            yield reject_alias(
                pending_alias, "alias_both_exist", "both persons exist, and `identity.alias: rekey` merges nobody"
            )
        else:
            try:
                yield from self._merge(pending_alias, previous, current)
            except Refusal as refusal:
                self.apart.append(pending_alias)
                yield reject_alias(pending_alias, refusal.code, refusal.message)
        return True

    def _find(self, name: RecordName) -> Generator[Effect, Any, int | None]:
        if name.pipedrive_id is not None:
            return name.pipedrive_id
        key = name.key
        assert key is not None  # noqa: S101 - the transform refuses an alias without ids
        settled = _settled(self.job)
        while (step := settled.get(key)) is not None:
            key = step[0]
        return (yield from self.locate(key))

    def _flows(self, pending_alias: PendingAlias) -> bool:
        """Whether the previous one waits in this job: its changes then flow into the current one's."""
        if pending_alias.previous is None:
            return False
        former = former_keys(self.job, pending_alias.previous)
        return any(part.change.record.key in former for part in self.job.parts)

    def _under_former_id(self, state: RecordState, pending_alias: PendingAlias) -> RecordState:
        """The state once this alias, and those settled before that lead on from it, came after its values."""
        state = under_former_id(state, pending_alias.alias.time, self.terms.rules)
        settled, key = _settled(self.job), pending_alias.current
        while key is not None and (step := settled.get(key)) is not None:
            key = step[0]
            state = under_former_id(state, step[1], self.terms.rules)
        return state

    def _rekey(self, pending_alias: PendingAlias, previous: int) -> Generator[Effect, Any, None]:
        """Only the previous one exists: it gets the current user id."""
        state = yield from self._state(previous)
        self.states[previous] = self._under_former_id(state, pending_alias)
        current, settled = pending_alias.current, _settled(self.job)
        while current is not None:
            self.found[current] = previous
            current = settled[current][0] if current in settled else None
        self.unsaved.append(pending_alias)

    def _already_one(self, pending_alias: PendingAlias, record: int) -> Generator[Effect, Any, None]:
        """They are one record already, by an earlier merge or because two keys were given to it."""
        state = yield from self._state(record)
        if state.carried_over or state.carried_contacts:
            self.unsaved.append(pending_alias)
            return
        same = Complaint("alias_same", "both ids name the same person already", outcome=Outcome.SKIPPED)
        yield Commit(
            self.job.kind,
            record,
            aliases=(pending_alias,),
            pending_aliases=((pending_alias, Outcome.SKIPPED),),
            complaints=((pending_alias.case, same),),
        )

    def _merge(self, pending_alias: PendingAlias, loser: int, survivor: int) -> Generator[Effect, Any, None]:
        """Both exist: the current one survives, and gets what it lacked. This cannot be undone."""
        going = yield Fetch(self.job.kind, loser)
        staying = yield Fetch(self.job.kind, survivor)
        if going is None or staying is None:
            gone = loser if going is None else survivor
            raise Refusal("alias_gone", f"person {gone} was deleted in Pipedrive while it was to be merged", gone=True)
        former = self._under_former_id((yield from self._state(loser)), pending_alias)
        left = _without_key(going, former, self.terms)
        state = merged_state((yield from self._state(survivor)), former, staying, left, self.terms.rules)
        keys = tuple(key for key in (pending_alias.previous, pending_alias.current) if key is not None)
        yield Write(
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
        for key, record in self.found.items():
            if record == loser:
                self.found[key] = survivor
        if self.by_id == loser:
            self.by_id = survivor
        self.unsaved.append(pending_alias)
        self.merged = True

    def _state(self, record: int) -> Generator[Effect, Any, RecordState]:
        if record not in self.states:
            knowledge: Snapshot = yield Cached(self.job.kind, record, self.job.key)
            self.states[record] = state_of(knowledge)
            if knowledge.values is not None:
                self.values.setdefault(record, (knowledge.values, knowledge.age))
        return self.states[record]

    def home(self) -> Generator[Effect, Any, Target]:
        """Where the job's changes go."""
        record: RecordId | None = self.by_id
        if self.job.key is not None and record is None:
            record = yield from self.locate(self.job.key)
        elif record is None and self.job.name is not None:
            ids = yield Find(self.job.kind, name=self.job.name)
            record = ids[0] if ids else None
        former = [key for key in self.job.keys if key != self.job.key]
        if not isinstance(record, int):
            return Target(None, RecordState(), unsaved_aliases=self.unsaved)
        state = yield from self._state(record)
        values, age = self.values.get(record, (None, 0.0))
        address = self.terms.key_address.get(self.job.kind)
        if values is not None and address is not None:
            borne = values.get(address)
            state = with_key(state, None if borne is None else str(borne))
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
    waiting = {pending_alias.previous for pending_alias in job.pending_aliases}
    return {key: step for key, step in job.steps.items() if key not in waiting}


def _in_order(pending_aliases: Sequence[PendingAlias]) -> list[PendingAlias]:
    """Former ids first, so that what is said under the first id of a chain passes every alias of it; else by time."""
    ahead = {
        pending_alias.previous: pending_alias.current
        for pending_alias in pending_aliases
        if pending_alias.previous is not None
    }

    def place(pending_alias: PendingAlias) -> tuple[int, int]:
        hops, key = 0, pending_alias.current
        while key is not None and (key := ahead.get(key)) is not None and hops < len(pending_aliases):
            hops += 1
        return (-hops, NO_TIME if pending_alias.alias.time is None else pending_alias.alias.time)

    return sorted(pending_aliases, key=place)


def _conflict(why: str) -> Complaint:
    return Complaint("identity_conflict", why, field="context.externalId", outcome=Outcome.REJECTED)


def _without_key(values: Any, state: RecordState, terms: DeliverySettings) -> dict[str, Any]:
    """What a merged record leaves to its survivor: whatever an event could set, but not its record key."""
    key = terms.key_address.get("persons")
    left = {"emails", "phones", "organization", "name", "visible_to", "label_ids", *state.fields}
    return {
        address: value
        for address, value in values.items()
        if address != key and (address.startswith("custom_fields.") or address in left)
    }


def deliver_record(job: Job, terms: DeliverySettings) -> Plan:
    """The whole conversation about one job. Returns the record's id, or None when it is not there in the end."""
    places = Resolution(job, terms)
    parts = yield from places.settle_ids(list(job.parts))
    yield from places.settle_aliases()
    for pending_alias in places.apart:
        parts = yield from _deliver_apart(places, pending_alias, parts)
    home = yield from places.home()
    carried_over = home.state.carried_over or home.state.carried_contacts
    if not parts and home.id is None:
        for pending_alias in home.unsaved_aliases:  # what was to flow through them is gone: it was rejected
            yield reject_alias(pending_alias, "alias_unknown", UNKNOWN)
        return None
    if not parts and not (home.unsaved_aliases or carried_over):
        return home.id
    anew: RecordState | None = (
        (yield LoadDeleted(job.kind, job.key)) if home.id is None and job.key is not None else None
    )
    if anew is not None and terms.deleted == "skip":
        yield skip_deleted(job, home, parts)
        return None
    if anew is not None:
        home.state, home.was_lost = anew, True
    elif home.id is None and job.kind == "persons" and terms.match_email:
        yield from _adopt(job, home, parts, terms)
    return (yield from upsert(job, home, parts, terms))


def _deliver_apart(
    places: Resolution, pending_alias: PendingAlias, parts: list[PendingChange]
) -> Generator[Effect, Any, list[PendingChange]]:
    """After a refused alias the previous person stays somebody else: what was said of it is brought there.

    Returns the parts that remain for the current one.
    """
    job, previous = places.job, pending_alias.previous
    if previous is None:
        return parts
    former = former_keys(job, previous)
    own = [part for part in parts if part.change.record.key in former]
    also = [other for other in places.unsaved if other.previous in former]
    if own or also:
        places.unsaved = [other for other in places.unsaved if other not in also]
        steps = {key: step for key, step in job.steps.items() if key in former and key != previous}
        lifted = [p._replace(depth=depth(steps, p.change.record.key, p.change.time)) for p in own]
        alone = Job(job.kind, previous, sorted(former), [], None, lifted, also, steps=steps)
        yield from deliver_record(alone, places.terms)
    return [part for part in parts if part.change.record.key not in former]


def recreate(job: Job, record: RecordId, ghost: PendingChange, terms: DeliverySettings) -> Plan:
    """Makes a person anew that somebody deleted, with what we had written into it. `ghost` asks for nothing."""
    knowledge: Snapshot = yield Cached(job.kind, record, job.key)
    home = Target(record, with_key(state_of(knowledge), job.key), knowledge.values)
    if not (yield from handle_deleted(job, home, (ghost,), terms)):
        return None
    return (yield from upsert(job, home, (ghost,), terms))


def _adopt(
    job: Job, home: Target, parts: Sequence[PendingChange], terms: DeliverySettings
) -> Generator[Effect, Any, None]:
    """A person to be created who has exactly one match by email, and that one has no user id, is adopted instead."""
    emails = dict.fromkeys(contact.value for part in parts for contact in part.change.emails)
    matches: set[int] = set()
    for email in emails:
        matches.update((yield Find(job.kind, email=email)))
    if len(matches) != 1:
        return
    record = matches.pop()
    knowledge: Snapshot = yield Cached(job.kind, record, None)
    values = knowledge.values if knowledge.values is not None else (yield Fetch(job.kind, record))
    address = terms.key_address.get(job.kind)
    if values is None or (address is not None and values.get(address) not in {None, ""}):
        return
    home.id, home.state, home.found = record, with_key(state_of(knowledge), None), True
    home.values, home.age = values, knowledge.age
