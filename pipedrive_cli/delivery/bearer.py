"""Whether a record still bears the key that it is known by; if not, who bears it now. Without I/O.

The journal remembers which record a key names. People and other tools give records other keys, so that memory is no
proof: the record's own key is the truth.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipedrive_cli.delivery.effects import (
    Cached,
    DeliverySettings,
    Find,
    RecordId,
    Snapshot,
    SubPlan,
    Target,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.outcomes import reject_all
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import blank
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.model import Complaint, Kind, Values


def follow_key(
    job: Job,
    target: Target,
    changes: Sequence[PendingChange],
    settings: DeliverySettings,
    complaints: Sequence[tuple[PendingEvent, Complaint]] = (),
) -> SubPlan[bool]:
    """Sees to it that the target is the record that bears the job's key. Returns whether to go on.

    The record's own key is the truth: one that shows another key was given to another user, by people or by another
    tool. Then whoever bears the job's key now is the target; where nobody does, the changes are rejected. A blank key
    is no other key.
    """
    borne = borne_key(job.kind, target.values, settings)
    if target.id is None or borne is None or job.is_named(borne):
        return True
    denied = target.id
    found = yield Find(job.kind, key=job.key, denied=denied)
    if not found:
        yield reject_all(job, target, changes, "identity_conflict", rekeyed(job.key, denied, borne), complaints)
        return False
    snapshot: Snapshot = yield Cached(job.kind, found[0])
    target.id, target.values, target.age = found[0], snapshot.values, snapshot.age
    target.state, target.found = with_key(state_of(snapshot), job.key), snapshot.state is None
    target.former_keys = []
    return True


def borne_key(kind: Kind, values: Values | None, settings: DeliverySettings) -> str | None:
    """The record key that these values show; None: none, or it is not known."""
    address = settings.key_address.get(kind)
    borne = None if address is None or values is None else values.get(address)
    return None if blank(borne) else str(borne)


def rekeyed(key: str | None, record: RecordId, borne: str) -> str:
    """Says that a record bears another key than the one that it was known by."""
    return f"record {record}, which bore the id {key}, bears {borne} now, and no record bears {key}"
