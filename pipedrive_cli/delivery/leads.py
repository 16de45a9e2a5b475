"""The plan of one lead: its person first, then the lead itself, known by the message id. Never folded. Without I/O.

A lead that was created without a refused value is found by its message id: the mended event then adds the value.
"""

from __future__ import annotations

from pipedrive_cli.delivery.effects import (
    Cached,
    CheckLink,
    Commit,
    DeliverySettings,
    Find,
    Plan,
    RecordId,
    ResolveLink,
    Snapshot,
    SubPlan,
    Target,
    Wait,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import PendingChange, only_again
from pipedrive_cli.delivery.outcomes import depends_on, end_unknown, skip_deleted
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import UNKNOWN_STATE
from pipedrive_cli.delivery.upsert import upsert
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.model import Complaint, Outcome


def lead_job(pending: PendingChange) -> Job:
    """The job of one lead."""
    return Job("leads", pending.change.record.key, [], [], None, [pending], [])


def deliver_lead(job: Job, settings: DeliverySettings) -> Plan:
    """The whole plan of one lead. Returns its id, or None when it could not be created."""
    (pending,) = job.changes
    if only_again(job.changes):  # a refill makes no lead, so it needs no person, who may have gone
        return (yield from upsert(job, (yield from _target(job)), (pending,), settings))
    name = pending.change.person
    person = None if name is None else (yield ResolveLink(name))
    if name is None or person is None:
        if (yield Wait(job, (pending,))):
            yield end_unknown(job, Target(None, UNKNOWN_STATE), (pending,), settings)
        return None
    if isinstance(person, Outcome):
        yield _without_person(pending, person, settings)
        return None
    target = yield from _target(job)
    links = {"person": person}

    def mend() -> SubPlan[bool]:
        """A lead may be refused because its person was deleted just now: then the person is created again."""
        now: RecordId | Outcome | None = yield CheckLink(name, links["person"], pending.event, doubted=True)
        if now is None or isinstance(now, Outcome) or now == links["person"]:
            return False
        links["person"] = now
        return True

    if target.id is None:
        person = yield CheckLink(name, person, pending.event)
        if person is Outcome.SKIPPED:
            yield skip_deleted(job, target, (pending,))
            return None
        if person is None or isinstance(person, Outcome):
            yield _without_person(pending, person or Outcome.REJECTED, settings)
            return None
        links["person"] = person
    return (yield from upsert(job, target, (pending,), settings, links, mend))


def _target(job: Job) -> SubPlan[Target]:
    """The lead, if it is there."""
    found = yield Find("leads", key=job.key)
    if not found:
        return Target(None, UNKNOWN_STATE)
    snapshot: Snapshot = yield Cached("leads", found[0])
    # That it bears its message id is certain: origin_id is given on creation, and cannot be changed.
    return Target(found[0], with_key(state_of(snapshot), job.key), snapshot.values)


def _without_person(pending: PendingChange, end: Outcome, settings: DeliverySettings) -> Commit:
    """The lead's person ended like this, so the lead cannot be made."""
    outcome = end if end in {Outcome.REJECTED, Outcome.SKIPPED} else Outcome.PENDING
    complaints: tuple[tuple[PendingEvent, Complaint], ...] = ()
    if outcome is not Outcome.SKIPPED or not settings.skip_unknown:  # else the person's own change has said why
        complaints = ((pending.event, depends_on(outcome, "the person of this lead")),)
    return Commit("leads", None, changes=((pending, outcome),), complaints=complaints)
