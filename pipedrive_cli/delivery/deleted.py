"""A record that was deleted in Pipedrive, or merged into another one: what it leaves, and what is told. Without I/O."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipedrive_cli.delivery.effects import (
    Cached,
    DeliverySettings,
    Find,
    Forget,
    Snapshot,
    SubPlan,
    Target,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import PendingChange, only_again
from pipedrive_cli.delivery.organizations import adopt
from pipedrive_cli.delivery.outcomes import left_as_it_is, skip_deleted
from pipedrive_cli.delivery.precedence import RecordState, blank, comparable
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.model import Complaint, Value, Values


def handle_deleted(
    job: Job, target: Target, changes: Sequence[PendingChange], settings: DeliverySettings
) -> SubPlan[bool]:
    """The record is gone: forgets it, and looks once by its key. If that finds none, the record is to be created again,
    unless there is one that is nobody's and has its email or name.

    It then gets what we had written before, so that a late event is not all that it has. Returns whether to go on.
    """
    assert target.id is not None  # noqa: S101 - only a record that was there can be lost
    recreated_state = left_by(target.state, target.values, settings.rules.country)
    yield Forget(job.kind, target.id, job.key, recreated_state)
    found = (yield Find(job.kind, key=job.key)) if job.key is not None else ()
    if found:
        snapshot: Snapshot = yield Cached(job.kind, found[0])
        target.id, target.values, target.age = found[0], snapshot.values, snapshot.age
        target.state = with_key(state_of(snapshot), job.key)
        return True
    if only_again(changes):
        yield left_as_it_is(job, target, changes)
        return False
    if settings.deleted == "skip":
        yield skip_deleted(job, target, changes)
        return False
    target.id, target.values, target.age = None, None, 0.0
    target.state, target.was_deleted = recreated_state, True
    yield from adopt(job, target, changes, settings)
    return True


def left_by(state: RecordState, values: Values | None, country: str | None) -> RecordState:
    """What a record that is gone leaves: all that we had written. `values` are those that were last seen."""
    returned = _contacts_to_return(state, values, country)
    carried_over = {a: msgspec.structs.replace(h, seen=None) for a, h in state.fields.items() if not blank(h.sent)}
    return RecordState(
        inputs=state.inputs,
        carried_over=state.carried_over | carried_over,
        carried_contacts={
            name: [*state.carried_contacts.get(name, ()), *returned.get(name, ())]
            for name in state.carried_contacts.keys() | returned.keys()
        },
    )


def _contacts_to_return(
    state: RecordState, values: Values | None, country: str | None
) -> dict[str, list[dict[str, Value]]]:
    """The emails and phones that a deleted record had when it was last seen, else when we last settled one of them.

    Each as it was written, never in the form for comparing: that is no number to be called.
    """
    if values is None:
        return dict(state.contacts)
    returned: dict[str, list[dict[str, Value]]] = {}
    for name in ("emails", "phones"):
        written = {comparable(name, str(item.get("value")), country): item for item in state.contacts.get(name, ())}
        shown = [item for item in values.get(name) or () if not blank(item.get("value"))]
        returned[name] = [written.get(comparable(name, str(item["value"]), country), item) for item in shown]
    return returned


def note_made_anew(job: Job, target: Target, changes: Sequence[PendingChange]) -> None:
    """Notices that the target was created in place of one that somebody deleted."""
    told = changes[0].event if changes else target.told
    target.was_deleted = False
    if told is None:
        return
    called = job.key if job.key is not None else job.name
    words = (
        f"somebody had deleted the record of {called!r} or merged it into another one; it was made anew, as record "
        f"{target.id} in {job.kind}"
    )
    target.notices.append((told, Complaint("made_anew", words, value=called)))
