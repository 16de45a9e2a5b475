"""The plan that brings one record's folded changes into Pipedrive: look, decide, write. Without I/O.

A plan is a generator. It yields effects (`effects`) and is sent their answers; the courier drives it, and the desk
decides where answers come from. Where Pipedrive refuses the record, `Refusal` is thrown into the plan. Every other
trouble ends the plan from outside, and its open changes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.effects import (
    Cached,
    Commit,
    DeliverySettings,
    Fetch,
    Find,
    Forget,
    Plan,
    Refusal,
    ResolveLink,
    Snapshot,
    SubPlan,
    Target,
    Wait,
    Write,
    name_key,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import (
    Candidates,
    Difference,
    PendingChange,
    collect_candidates,
    compute_difference,
    needs_look,
    settled_state,
    without,
)
from pipedrive_cli.delivery.outcomes import (
    blame,
    depends_on,
    inputs_of,
    outcomes_of,
    refused_addresses,
    reject_all,
    skip_deleted,
)
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import FieldState, RecordState, blank, is_placeholder_price
from pipedrive_cli.model import Complaint, JsonObject, Outcome, RecordName, Value, Values
from pipedrive_cli.pipedrive.bodies import body_of, price_row
from pipedrive_cli.pipedrive.catalog import create, update

REPLACED_WHOLE = frozenset({"emails", "phones"})  # and prices


def upsert(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    settings: DeliverySettings,
    links: Values | None = None,
    mend: Callable[[], SubPlan[bool]] | None = None,
) -> Plan:
    """Writes what `changes` ask of the record `target`, as one write where Pipedrive accepts it.

    If Pipedrive refuses a field by name, its next best value is sent, or none, and the rest is written. After a refusal
    without names each event is written alone, oldest first, so that only the guilty one is rejected. `links` are ids of
    records to link a new one to. `mend` is tried once after a refusal, and returns whether it has changed anything.
    """
    complaints: list[tuple[PendingEvent, Complaint]] = []
    refused: dict[int, Outcome] = {}  # id(change) -> outcome of changes that lost a value
    without: set[tuple[int, str]] = set()  # values that were refused: id(change), address
    dropped: set[str] = set()  # refused addresses that no event asked for
    lost_once = False
    while True:
        candidates = collect_candidates(job.kind, changes, settings.rules, without)
        if "organization" in candidates.fields:
            yield from _resolve_link(job, candidates, refused, complaints)
        if target.id is not None and not (yield from _read(job, target, changes, candidates, settings, dropped)):
            return None
        difference = _difference_of(job, target, changes, candidates, settings, dropped)
        if target.id is None and (yield from _end_missing(job, target, changes, difference, complaints)):
            return None
        if target.id is not None and not difference.body:
            yield _commit(job, target, difference, None, "unchanged", changes, refused, complaints)
            return target.id
        try:
            action, shown = yield from _send(job, target, candidates, difference, links or {})
        except Refusal as refusal:
            if refusal.gone and target.id is not None and not lost_once:
                lost_once = True
                if not (yield from handle_deleted(job, target, changes, settings)):
                    return None
                continue
            if mend is not None and (yield from mend()):
                mend = None
                continue
            named = refused_addresses(refusal.fields, difference, settings.key_address.get(job.kind))
            if named:
                for address in named:
                    blame(address, difference, refusal, settings, refused, complaints)
                    asked = difference.asked_by.get(address, ())
                    without.update((id(pending), value) for pending in asked for value in inputs_of(job.kind, address))
                    dropped.update(() if asked else (address,))
                continue
            if len({id(pending.event) for pending in changes}) > 1:
                return (yield from _write_one_by_one(job, target, changes, settings))
            yield reject_all(job, target, changes, refusal.code, refusal.message, complaints)
            return target.id
        yield _commit(job, target, difference, shown, action, changes, refused, complaints)
        return target.id


def _read(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    candidates: Candidates,
    settings: DeliverySettings,
    dropped: set[str],
) -> SubPlan[bool]:
    """Reads the record where its present values decide. False: it is gone, and is not to be created again."""
    assert target.id is not None  # noqa: S101 - only a record that is there can be read
    if target.values is None and target.found:
        # A record that we never wrote: reading it costs a fifth of writing what it holds already.
        if not _difference_of(job, target, changes, candidates, settings, dropped).body:
            return True
    elif not needs_look(job.kind, target.state, candidates, settings.rules, _known_as(job)):
        return True
    elif target.values is not None:
        # A listing's values are good enough to see that nothing is to be written, however long a run takes.
        old = target.age > settings.look_after
        body = _difference_of(job, target, changes, candidates, settings, dropped).body if old else ()
        if not any(address in REPLACED_WHOLE or address.startswith("prices.") for address in body):
            return True
    values = yield Fetch(job.kind, target.id, mapped=True)
    if values is None:
        return (yield from handle_deleted(job, target, changes, settings))
    note_values(target, values, settings.key_address.get(job.kind))
    return True


def _difference_of(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    candidates: Candidates,
    settings: DeliverySettings,
    dropped: set[str],
) -> Difference:
    """What to write, with the record key where the record does not bear it yet."""
    if settings.keep_products and job.kind == "products" and target.id is not None and target.found:
        return Difference()
    seen = target.values if target.id is not None else {}
    difference = compute_difference(job.kind, target.state, seen, candidates, settings.rules, key=_known_as(job))
    difference = without(difference, dropped) if dropped else difference
    address = settings.key_address.get(job.kind)
    if address is not None and job.key is not None and target.state.key != job.key:
        difference.body[address] = job.key
        named = (pending for pending in changes if pending.change.record.key == job.key)
        difference.asked_by[address] = () if target.unsaved_aliases else tuple(named)
    return difference


def _known_as(job: Job) -> str | None:
    """What the record is called when nothing better is known."""
    return job.key if job.key is not None else job.name


def _resolve_link(
    job: Job, candidates: Candidates, refused: dict[int, Outcome], complaints: list[tuple[PendingEvent, Complaint]]
) -> SubPlan[None]:
    """Puts Pipedrive's id where a person's organization is named. If the link fails, only the link is left out."""
    link = candidates.fields["organization"]
    if not isinstance(link.value, RecordName):
        return
    found = yield ResolveLink(link.value)
    if isinstance(found, int):
        candidates.fields["organization"] = link._replace(value=found)
        return
    del candidates.fields["organization"]
    outcome = found if isinstance(found, Outcome) else Outcome.PENDING
    for pending in link.changes:
        refused[id(pending)] = outcome
        complaints.append((pending.event, depends_on(outcome, "its organization")))


def _end_missing(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    difference: Difference,
    complaints: list[tuple[PendingEvent, Complaint]],
) -> SubPlan[bool]:
    """Whether the record must not or cannot be created. Then its changes have ended, or wait."""
    if not target.was_deleted and not any(pending.change.may_create for pending in changes):
        if (yield Wait(job, tuple(changes), tuple(target.unsaved_aliases))):
            nobody = "nobody in Pipedrive or in the input bears this user id"
            yield reject_all(job, target, changes, "person_not_found", nobody, complaints)
        return True
    if job.kind != "leads" and "name" not in difference.body:
        nameless = f"a new record in {job.kind} needs a name, and the event has none"
        yield reject_all(job, target, changes, "missing_name", nameless, complaints)
        return True
    return False


def _send(
    job: Job, target: Target, candidates: Candidates, difference: Difference, links: Values
) -> SubPlan[tuple[Literal["created", "updated"], Values | None]]:
    fields = dict(difference.body)
    if job.kind == "products":
        _whole_prices(target, fields, {*target.state.fields, *difference.settled})
    if target.id is None:
        fields = {**candidates.on_creation, **fields, **links}
        call = create(job.kind, body_of(job.kind, fields))
        before = target.state

        def picture() -> JsonObject:
            """For a crash before the answer: which values are ours, and how old they are."""
            state = settled_state(before, difference, None, created=True)
            return {"state": msgspec.msgpack.encode(with_key(state, job.key))}

        shown = yield Write(call, job.kind, "create", job, key=job.key, fields=fields, picture=picture)
        target.id = shown["id"]
        return "created", shown
    call = update(job.kind, target.id, body_of(job.kind, fields))
    shown = yield Write(call, job.kind, "update", job, key=job.key, fields=fields, before=target.values)
    # A success that shows no record leaves open what the record has now, which is not that it has nothing.
    return "updated", shown or None


def _whole_prices(target: Target, fields: dict[str, Value], given: set[str]) -> None:
    """Adds to `fields` every price row that the record has, since a write replaces them all.

       Each row keeps the cost and the notes that people gave it.
    No zero is sent that no event has given.
    """
    if target.values is None or not any(address.startswith("prices.") for address in fields):
        return
    for address, row in target.values.items():
        if not address.startswith("prices."):
            continue
        if (new := fields.get(address)) is not None:
            fields[address] = {**price_row(row), **new}
            continue
        if is_placeholder_price(address, row) and address not in given:
            continue
        fields[address] = price_row(row)


def _commit(
    job: Job,
    target: Target,
    difference: Difference,
    shown: Values | None,
    action: Literal["created", "updated", "unchanged"],
    changes: Sequence[PendingChange],
    refused: Mapping[int, Outcome],
    complaints: Sequence[tuple[PendingEvent, Complaint]],
) -> Commit:
    """The commit of the record as it is now. Brings `target` up to date for what follows."""
    target.state = settled_state(target.state, difference, shown, created=action == "created")
    if action != "unchanged":
        target.values, target.age = shown, 0.0
        target.state.key = job.key if job.key is not None else target.state.key
    saved_aliases, target.unsaved_aliases = tuple(target.unsaved_aliases), []
    named = job.key if job.key is not None else (name_key(job.name) if job.name is not None else None)
    keys = target.former_keys if named is None else [named, *target.former_keys]
    partial = None if action == "created" else difference  # a creation delivers every change
    quiet = action == "unchanged" and not target.merged
    alias_outcome = Outcome.UNCHANGED if quiet else Outcome.DELIVERED
    return Commit(
        job.kind,
        target.id,
        keys=tuple(sorted(set(keys))),
        state=target.state,
        action=action,
        aliases=saved_aliases,
        changes=outcomes_of(changes, partial, refused, unchanged=action == "unchanged"),
        pending_aliases=tuple((pending_alias, alias_outcome) for pending_alias in saved_aliases),
        complaints=tuple(complaints),
    )


def _write_one_by_one(job: Job, target: Target, changes: Sequence[PendingChange], settings: DeliverySettings) -> Plan:
    """One write per event, oldest first, each with its own outcome."""
    by_event: dict[int, list[PendingChange]] = {}
    for pending in changes:
        by_event.setdefault(id(pending.event), []).append(pending)
    # One guilty event must not reject the aliases: they are committed after the others' values.
    aside, target.unsaved_aliases = target.unsaved_aliases, []
    for own in by_event.values():
        yield from upsert(job, target, own, settings)
    target.unsaved_aliases = aside
    if aside and target.id is not None:
        target.merged = True  # what the aliases ask for has been written with the others' values
        yield from upsert(job, target, (), settings)
    elif aside:
        yield reject_all(job, target, (), "depends_on", "every event of the previous id was rejected")
    return target.id


def handle_deleted(
    job: Job, target: Target, changes: Sequence[PendingChange], settings: DeliverySettings
) -> SubPlan[bool]:
    """The record is gone: forgets it, and looks once by its key. If that finds none, the record is to be created again.

    It then gets what we had written before, so that a late event is not all that it has. Returns whether to go on.
    """
    assert target.id is not None  # noqa: S101 - only a record that was there can be lost
    carried_over = {a: FieldState(h.rank, h.time, h.sent) for a, h in target.state.fields.items() if not blank(h.sent)}
    contacts = {name: [{"value": form} for form in forms] for name, forms in target.state.added.items()}
    if target.values is not None:
        contacts = {name: list(target.values.get(name) or ()) for name in ("emails", "phones")}
    recreated_state = RecordState(
        inputs=target.state.inputs,
        carried_over=target.state.carried_over | carried_over,
        carried_contacts=target.state.carried_contacts | contacts,
    )
    yield Forget(job.kind, target.id, job.key, recreated_state)
    found = (yield Find(job.kind, key=job.key)) if job.key is not None else ()
    if found:
        snapshot: Snapshot = yield Cached(job.kind, found[0], job.key)
        target.id, target.values, target.age = found[0], snapshot.values, snapshot.age
        target.state = with_key(state_of(snapshot), job.key)
        return True
    if settings.deleted == "skip":
        yield skip_deleted(job, target, changes)
        return False
    target.id, target.values, target.age = None, None, 0.0
    target.state, target.was_deleted = recreated_state, True
    return True


def note_values(target: Target, values: Values, key_address: str | None) -> None:
    """Notes what the record has just shown: its values, and the record key that it bears."""
    target.values, target.age = values, 0.0
    if key_address is not None:
        borne = values.get(key_address)
        target.state = with_key(target.state, None if blank(borne) else str(borne))
