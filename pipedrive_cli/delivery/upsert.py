"""The plan that brings one record's folded changes into Pipedrive: look, decide, write. Without I/O.

A plan is a generator. It yields effects (`effects`) and is sent their answers; the courier drives it, and the desk
decides where answers come from. Where Pipedrive refuses the record, `Refusal` is thrown into the plan. Every other
trouble ends the plan from outside, and its open changes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias

import msgspec

from pipedrive_cli.delivery.adoption import find_twins
from pipedrive_cli.delivery.bearer import borne_key, follow_key
from pipedrive_cli.delivery.deleted import handle_deleted, note_made_anew
from pipedrive_cli.delivery.effects import (
    CheckLink,
    Commit,
    DeliverySettings,
    Fetch,
    Plan,
    RecordId,
    Refusal,
    ResolveLink,
    SubPlan,
    Target,
    Wait,
    Write,
    name_key,
    with_key,
)
from pipedrive_cli.delivery.fold import (
    Candidates,
    Difference,
    PendingChange,
    collect_candidates,
    compute_difference,
    needs_look,
    only_again,
    settled_state,
    without,
)
from pipedrive_cli.delivery.left_out import LeftOut
from pipedrive_cli.delivery.notices import overwritten, tell_too_late, tell_values
from pipedrive_cli.delivery.outcomes import (
    depends_on,
    end_unknown,
    left_as_it_is,
    outcomes_of,
    reject_all,
)
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import is_placeholder_price
from pipedrive_cli.delivery.waiting import Job, PendingAlias
from pipedrive_cli.model import NOTHING, Complaint, JsonObject, Outcome, RecordName, Value, Values
from pipedrive_cli.pipedrive.bodies import body_back, body_of, price_row
from pipedrive_cli.pipedrive.catalog import create, update

REPLACED_WHOLE = frozenset({"emails", "phones"})  # and prices
_Action: TypeAlias = Literal["created", "updated", "unchanged"]


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
    without names each event is written alone, oldest first, so that only the guilty one is rejected; `left_out` says
    what is tried before. `links` are ids of records to link a new one to. `mend` is tried once after a refusal, and
    returns whether it has changed anything.
    """
    left_out = LeftOut(job.kind, settings, changes[0].event if changes else None)
    left_out.begin(changes)
    attempt, refused, complaints = _Attempt(left_out), left_out.refused, left_out.complaints
    while True:
        candidates = collect_candidates(job.kind, changes, settings.rules, left_out.without)
        if settings.refused_fields.refusals:
            left_out.take_given_up(candidates)
        organization = candidates.fields.get("organization")
        if organization is not None:
            yield from _resolve_link(candidates, refused, complaints)
        decided = (
            _difference_of(job, target, changes, candidates, settings, left_out.dropped)
            if target.id is None
            else (yield from _decide(job, target, changes, candidates, settings, attempt))
        )
        if decided is None:
            return None
        difference = decided
        if target.id is None and (none := _reason_for_none(job, target, changes, candidates, difference, complaints)):
            yield from _make_none(none, job, target, changes, settings, complaints)
            return None
        if "organization" in difference.body:
            attempt.organization = None if organization is None else organization.values["organization"]
            difference = yield from _check_organization(difference, changes, attempt)
        action: _Action = "created" if target.id is None else "updated" if difference.body else "unchanged"
        if action == "updated" and target.id != attempt.twins_of:
            attempt.twins_of = target.id
            yield from find_twins(job, target, difference, changes, settings)
        there = action != "created"
        replaced = overwritten(target, difference, job.kind, settings) if there else ()
        told = tell_values(target, difference, candidates, changes, replaced, settings) if there else []
        shown: Values = NOTHING
        try:
            if action != "unchanged":
                shown = yield _write_of(job, target, candidates, difference, left_out, links or NOTHING, replaced)
                left_out.taken()
        except Refusal as refusal:
            again = yield from _after_refusal(job, target, changes, settings, difference, refusal, attempt, mend)
            if again:
                continue
            return target.id if again is not None else None
        borne = borne_key(job.kind, shown, settings) if action == "updated" else None
        if borne is not None and not job.is_named(borne):
            yield from _take_back(job, target, difference, shown)
            continue
        yield _commit(job, target, difference, shown, action, changes, refused, [*complaints, *told])
        return target.id


class _Attempt(msgspec.Struct, eq=False):
    """What the attempts to write one record have met so far."""

    left_out: LeftOut
    organization: RecordName | int | None = None  # the one that is linked to, as its event names it
    twins_of: RecordId | None = None  # the record whose twins were looked for
    gone: bool = False  # the record was found to be gone once
    mended: bool = False  # `mend` has changed something
    doubted: bool = False  # the organization was looked at again, after a refusal


def _after_refusal(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    settings: DeliverySettings,
    difference: Difference,
    refusal: Refusal,
    attempt: _Attempt,
    mend: Callable[[], SubPlan[bool]] | None,
) -> SubPlan[bool | None]:
    """Does what can be done about a refusal. Returns whether to try again; None: there is no record to be had."""
    if refusal.gone and target.id is not None and not attempt.gone:
        attempt.gone = True
        return True if (yield from handle_deleted(job, target, changes, settings)) else None
    if mend is not None and not attempt.mended and (yield from mend()):
        attempt.mended = True
        return True
    if "organization" in difference.body and not attempt.doubted:
        attempt.doubted = True
        link = _organization_link(difference, changes, attempt, doubted=True)
        if (yield link) != link.id:
            return True
    if attempt.left_out.take(refusal, difference, attempt.left_out.given(target)):
        return True
    if len({id(pending.event) for pending in changes}) > 1:
        yield from _write_one_by_one(job, target, changes, settings)
    else:
        yield reject_all(job, target, changes, refusal.code, refusal.message, attempt.left_out.complaints)
    return False


def _organization_link(
    difference: Difference, changes: Sequence[PendingChange], attempt: _Attempt, *, doubted: bool
) -> CheckLink:
    record = difference.body["organization"]
    name = attempt.organization
    if not isinstance(name, RecordName):  # what a merged or deleted person was linked to
        name = RecordName("organizations", None, record)
    asked = difference.asked_by.get("organization") or changes
    return CheckLink(name, record, asked[0].event if asked else None, doubted)


def _check_organization(
    difference: Difference, changes: Sequence[PendingChange], attempt: _Attempt
) -> SubPlan[Difference]:
    """The difference with a link to the organization as it is now; without it where it must not be made again."""
    link = _organization_link(difference, changes, attempt, doubted=False)
    found = yield link
    if found == link.id:
        return difference
    if found is None or isinstance(found, Outcome):
        for pending in difference.asked_by.get("organization", ()):
            attempt.left_out.refused[id(pending)] = found or Outcome.REJECTED
            told = depends_on(found or Outcome.REJECTED, "its organization")
            attempt.left_out.complaints.append((pending.event, told))
        return without(difference, ("organization",))
    settled = difference.settled["organization"]
    difference.body["organization"] = found
    difference.settled["organization"] = msgspec.structs.replace(settled, sent=found, seen=None)
    return difference


def _decide(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    candidates: Candidates,
    settings: DeliverySettings,
    attempt: _Attempt,
) -> SubPlan[Difference | None]:
    """What to write, from the record as it is; reads it where that decides. None: the changes have ended.

    One that was not seen in this run is always read before it is written: somebody may have given it to another user.
    """
    assert target.id is not None  # noqa: S101 - only a record that is there can be read
    compute = partial(_difference_of, job, target, changes, candidates, settings, attempt.left_out.dropped)
    look = needs_look(job.kind, target.state, candidates, settings.rules, job.known_as)
    seen = None if look and target.values is None else compute()
    record = target.id
    if seen is None or _is_to_be_read(target, seen, settings, look=look):
        seen = None
        values = yield Fetch(job.kind, record, mapped=True)
        if values is None:
            if not (yield from handle_deleted(job, target, changes, settings)):
                return None
        else:
            target.values, target.age = values, 0.0
            if settings.key_address.get(job.kind) is not None:
                target.state = with_key(target.state, borne_key(job.kind, values, settings))
    if not (yield from follow_key(job, target, changes, settings, attempt.left_out.complaints)):
        return None
    if (target.values or {}).get("is_archived") is True and only_again(changes):
        yield left_as_it_is(job, target, changes)  # somebody is done with that lead
        return None
    return compute() if seen is None or target.id != record else seen


def _is_to_be_read(target: Target, difference: Difference, settings: DeliverySettings, *, look: bool) -> bool:
    """Whether the record must be read before this is written.

    A listing's values are good enough to see that nothing is to be written, however long a run takes.
    """
    if target.values is None:
        return bool(difference.body)
    if not look or target.age <= settings.look_after:
        return False
    return any(address in REPLACED_WHOLE or address.startswith("prices.") for address in difference.body)


def _difference_of(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    candidates: Candidates,
    settings: DeliverySettings,
    dropped: Collection[str],
) -> Difference:
    """What to write, with the record key where the record does not bear it yet."""
    if settings.keep_products and job.kind == "products" and target.id is not None and target.found:
        return Difference()
    seen = target.values if target.id is not None else {}
    difference = compute_difference(job.kind, target.state, seen, candidates, settings.rules, key=job.known_as)
    difference = without(difference, dropped) if dropped else difference
    address = settings.key_address.get(job.kind)
    if address is not None and job.key is not None and target.state.key != job.key:
        difference.body[address] = job.key
        if target.id is not None and not target.unsaved_aliases:
            difference.asked_by[address] = tuple([p for p in changes if p.change.record.key == job.key])
    return difference


def _resolve_link(
    candidates: Candidates, refused: dict[int, Outcome], complaints: list[tuple[PendingEvent, Complaint]]
) -> SubPlan[None]:
    """Puts Pipedrive's id where a person's organization is named. If the link fails, only the link is left out."""
    link = candidates.fields["organization"]
    named = link.values["organization"]
    if not isinstance(named, RecordName):
        return
    found = yield ResolveLink(named)
    if isinstance(found, int):
        candidates.fields["organization"] = msgspec.structs.replace(link, values={"organization": found})
        return
    del candidates.fields["organization"]
    outcome = found if isinstance(found, Outcome) else Outcome.PENDING
    told = outcome is Outcome.SKIPPED and named.key is None and named.name is not None
    for pending in link.changes:
        refused[id(pending)] = outcome
        if not told:  # the organization's own change has said why
            complaints.append((pending.event, depends_on(outcome, "its organization")))


def _reason_for_none(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    candidates: Candidates,
    difference: Difference,
    complaints: Sequence[tuple[PendingEvent, Complaint]],
) -> Commit | Wait | None:
    """How the changes end, or wait, where the record must not or cannot be created; None where it can."""
    if only_again(changes):
        return left_as_it_is(job, target, changes)
    if not target.was_deleted and not candidates.may_create:
        return Wait(job, tuple(changes), tuple(target.unsaved_aliases))
    if job.kind != "leads" and "name" not in difference.body:
        nameless = f"a new record in {job.kind} needs a name, and the event has none"
        return reject_all(job, target, changes, "missing_name", nameless, complaints)
    return None


def _make_none(
    none: Commit | Wait,
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    settings: DeliverySettings,
    complaints: Sequence[tuple[PendingEvent, Complaint]],
) -> SubPlan[None]:
    if (yield none):  # waiting is no use any more
        yield end_unknown(job, target, changes, settings, complaints)


def _write_of(
    job: Job,
    target: Target,
    candidates: Candidates,
    difference: Difference,
    left_out: LeftOut,
    links: Values,
    replaced: tuple[str, ...],
) -> Write:
    """The creation or the update that brings the record what it lacks."""
    given = left_out.given(target)
    tentative = left_out.may_try_again(difference, given)
    if target.id is None:
        fields = {**given, **candidates.on_creation, **difference.body, **links}
        call = create(job.kind, body_of(job.kind, fields))
        before = target.state

        def picture() -> JsonObject:
            """For a crash before the answer: which values are ours, and how old they are."""
            state = settled_state(before, difference, None, created=True, key=job.key)
            return {"state": msgspec.msgpack.encode(state)}

        return Write(call, job.kind, "create", job, key=job.key, fields=fields, picture=picture, tentative=tentative)
    fields = dict(difference.body)
    if job.kind == "products":
        _whole_prices(target, fields, {*target.state.fields, *difference.settled})
    call = update(job.kind, target.id, body_of(job.kind, fields))
    return Write(
        call,
        job.kind,
        "update",
        job,
        key=job.key,
        fields=fields,
        before=target.values,
        tentative=tentative,
        overwrites=replaced,
    )


def _take_back(job: Job, target: Target, difference: Difference, shown: Values) -> SubPlan[None]:
    """The answer to an update shows another key: the record was given to another user a moment ago.

    It gets back what it had, as far as that is known. What follows is about whoever bears the job's key now.
    """
    assert target.id is not None  # noqa: S101 - it has just been updated
    before, target.values, target.age = target.values, shown, 0.0
    yield Commit(job.kind, target.id)  # whose it is now is known from here on
    if before is None:
        return
    fields = {a: before.get(a) for a in difference.body if not a.startswith("prices.")}
    if len(fields) < len(difference.body):
        fields |= {a: price_row(row) for a, row in before.items() if a.startswith("prices.")}
    if not fields:
        return
    call = update(job.kind, target.id, body_back(job.kind, fields))
    yield Write(call, job.kind, "update", job, key=job.key, fields=fields, before=shown)
    yield Commit(job.kind, target.id)


def _whole_prices(target: Target, fields: dict[str, Value], given: set[str]) -> None:
    """Adds to `fields` every price row that the record has, since a write replaces them all.

    Each row keeps the cost and the notes that people gave it. No zero is sent that no event of those `given` has given.
    """
    if target.values is None or not any(address.startswith("prices.") for address in fields):
        return
    for address, row in target.values.items():
        if not address.startswith("prices."):
            continue
        if (new := fields.get(address)) is not None:
            fields[address] = {**_written_back(row), **new}
            continue
        if is_placeholder_price(address, row) and address not in given:
            continue
        fields[address] = _written_back(row)


def _written_back(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of prices without a cost of 0: Pipedrive puts that itself, which nobody knows before its answer."""
    return {key: value for key, value in price_row(row).items() if key != "cost" or value}


def _commit(
    job: Job,
    target: Target,
    difference: Difference,
    shown: Values,
    action: _Action,
    changes: Sequence[PendingChange],
    refused: Mapping[int, Outcome],
    complaints: Sequence[tuple[PendingEvent, Complaint]],
) -> Commit:
    """The commit of the record as it is now. Brings `target` up to date for what follows."""
    created, unchanged = action == "created", action == "unchanged"
    # A success that shows no record leaves open what the record has now, which is not that it has nothing.
    key = None if unchanged else job.key
    target.state = settled_state(target.state, difference, shown or None, created=created, key=key)
    if not unchanged:
        target.values, target.age = shown or None, 0.0
    if created:
        target.id = shown["id"]
        if target.was_deleted:
            note_made_anew(job, target, changes)
    ended = outcomes_of(changes, None if created else difference, refused, unchanged=unchanged)
    if not created and any(pending.change.mended for pending in changes):
        ended, late = tell_too_late(ended)
        complaints = [*complaints, *late]
    if target.notices:
        complaints = [*complaints, *target.notices]
        target.notices = []
    aliases, target.unsaved_aliases = tuple(target.unsaved_aliases), []
    alias_outcome = Outcome.UNCHANGED if unchanged and not target.merged else Outcome.DELIVERED
    return Commit(
        job.kind,
        target.id,
        keys=_keys_of(job, target, aliases, changes),
        state=target.state,
        action=action,
        aliases=aliases,
        changes=ended,
        pending_aliases=tuple([(alias, alias_outcome) for alias in aliases]) if aliases else (),
        complaints=tuple(complaints),
    )


def _keys_of(
    job: Job, target: Target, aliases: Sequence[PendingAlias], changes: Sequence[PendingChange]
) -> tuple[str, ...]:
    """All keys by which the record is known from here on."""
    named = job.key if job.key is not None else name_key(job.name) if job.name is not None else None
    keys = () if named is None else (named,)
    if not (target.former_keys or aliases or job.steps):
        return keys
    former = {*target.former_keys, *(key for alias in aliases if (key := alias.previous) is not None)}
    if job.steps:  # whoever came late under a former id is known by it from here on
        late = (key for pending in changes if (key := pending.change.record.key) is not None)
        former.update(key for key in late if job.canonical(key) == job.key)
    return tuple(sorted({*former, *keys}))


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
