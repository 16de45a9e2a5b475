"""The plan of a record that others link to, and that no change is about. Without I/O."""

from __future__ import annotations

from pipedrive_cli.delivery.bearer import follow_key
from pipedrive_cli.delivery.deleted import handle_deleted
from pipedrive_cli.delivery.effects import (
    Cached,
    DeliverySettings,
    Fetch,
    RecordId,
    Snapshot,
    SubPlan,
    Target,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.upsert import upsert
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.model import Outcome


def check_link(
    job: Job, record: RecordId, event: PendingEvent | None, settings: DeliverySettings, *, doubted: bool
) -> SubPlan[RecordId | Outcome | None]:
    """The plan of a record that others link to, and that no change is about: see `effects.CheckLink`.

    One that somebody deleted is made again, with what we had written.
    """
    snapshot: Snapshot = yield Cached(job.kind, record)
    if job.key is None:
        job.key = state_of(snapshot).key
    target = Target(record, with_key(state_of(snapshot), job.key), snapshot.values, told=event)
    if doubted or not snapshot.shown:
        values = yield Fetch(job.kind, record, mapped=not doubted)
        if values is None:
            if not (yield from handle_deleted(job, target, (), settings)):
                return Outcome.SKIPPED
            if target.id is not None and not target.found:  # it was found by its key
                return target.id
            return (yield from upsert(job, target, (), settings))
        target.values, target.age = values, 0.0
    if not (yield from follow_key(job, target, (), settings)):
        return Outcome.REJECTED
    return target.id
