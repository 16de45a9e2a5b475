"""The whole plan of one job: which record it is about, and what is written there. Without I/O."""

from __future__ import annotations

from pipedrive_cli.delivery.aliases import Aliases, Step
from pipedrive_cli.delivery.effects import DeliverySettings, LoadDeleted, Plan, SubPlan
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.identity import UNKNOWN, Resolution
from pipedrive_cli.delivery.organizations import adopt, ambiguous
from pipedrive_cli.delivery.outcomes import end_all, reject_aliases, skip_deleted
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.upsert import upsert
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.model import Outcome


def deliver_record(job: Job, settings: DeliverySettings) -> Plan:
    """The whole plan of one job. Returns the record's id, or None when there is no record in the end."""
    resolution = Resolution(job, settings)
    changes = job.changes
    if job.ids:
        changes = yield from resolution.settle_ids(changes)
    if job.pending_aliases:
        yield from resolution.settle_aliases()
        if resolution.refused_aliases:
            changes = yield from _deliver_refused(resolution, changes)
    target = yield from resolution.find_target()
    if resolution.ambiguous:
        yield end_all(job.kind, changes, (), Outcome.SKIPPED, ambiguous(resolution.ambiguous))
        return None
    carried_over = target.state.carried_over or target.state.carried_contacts
    if not changes and target.id is None:
        if target.unsaved_aliases:  # the changes of their previous ids were rejected
            yield reject_aliases(target.unsaved_aliases, "alias_unknown", UNKNOWN)
        return None
    if not changes and not (target.unsaved_aliases or carried_over):
        return target.id
    recreated_state: RecordState | None = (
        (yield LoadDeleted(job.kind, job.key)) if target.id is None and job.key is not None else None
    )
    if recreated_state is not None and settings.deleted == "skip":
        yield skip_deleted(job, target, changes)
        return None
    if recreated_state is not None:
        target.state, target.was_deleted = recreated_state, True
    if target.id is None:
        yield from adopt(job, target, changes, settings)
    return (yield from upsert(job, target, changes, settings))


def _deliver_refused(resolution: Resolution, changes: list[PendingChange]) -> SubPlan[list[PendingChange]]:
    """After a refused alias the previous person stays a person of its own, and gets its changes.

    Returns the changes that remain for the current person.
    """
    job = resolution.job
    apart: dict[str, Job] = {}
    for pending_alias in resolution.refused_aliases:
        if (previous := pending_alias.previous) is not None:
            apart[previous] = Job(job.kind, previous, [], [], None, [], [])
    steps = {key: step for key, step in job.steps.items() if key not in apart}
    without = Aliases(steps)  # the aliases that are left

    def owner(key: str | None) -> Job | None:
        return None if key is None else apart.get(without.canonical(key))

    for key in dict.fromkeys([*apart, *job.keys, *steps]):
        if (own := owner(key)) is not None:
            own.keys.append(key)
    own_steps: dict[str, dict[str, Step]] = {key: {} for key in apart}
    for key, step in steps.items():
        if (own := owner(key)) is not None and own.key is not None:
            own_steps[own.key][key] = step
    remaining = []
    for pending in changes:
        change = pending.change
        if (own := owner(change.record.key)) is None:
            remaining.append(pending)
        else:
            depth = without.depth(change.record.key, change.time)
            own.changes.append(PendingChange(change, depth, pending.event))
    unsaved, resolution.unsaved = resolution.unsaved, []
    for other in unsaved:
        own = owner(other.previous)
        (resolution.unsaved if own is None else own.pending_aliases).append(other)
    for previous, own in apart.items():
        if own.changes or own.pending_aliases:
            own.keys.sort()
            own.steps = own_steps[previous]
            yield from deliver_record(own, resolution.settings)
    return remaining
