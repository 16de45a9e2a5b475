"""Organizations that are there already without a group id, and are known by their names. Without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.bearer import borne_key
from pipedrive_cli.delivery.effects import (
    Cached,
    DeliverySettings,
    Fetch,
    Find,
    Snapshot,
    SubPlan,
    Target,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.model import Complaint, Rank, Values
from pipedrive_cli.text_forms import caseless_form

RECOGNISED: Final = Complaint("recognised_by_name", "an organization of that name was there, and was taken over")


def adopt_by_name(
    job: Job, target: Target, changes: Sequence[PendingChange], settings: DeliverySettings
) -> SubPlan[None]:
    """Instead of creating an organization, adopts the only one of its name that has no group id.

    If the config does not ask for that, what is known of the account is told, and costs no request.
    """
    namer = _namer(changes)
    if namer is None:
        return
    name, asked = caseless_form(namer.change.fields["name"]), settings.match_organizations
    ids: tuple[int, ...] = yield Find(job.kind, name=name, unasked=not asked)
    if not asked and ids:
        target.notices.append((namer.event, Complaint("organization_name_there", _there(ids))))
    elif len(ids) > 1:
        target.notices.append((namer.event, ambiguous(ids)))
    elif ids and (found := (yield from _free(job, ids[0], settings))) is not None:
        snapshot, values = found
        target.id, target.state, target.found = ids[0], with_key(state_of(snapshot), None), True
        target.values, target.age = values, snapshot.age
        target.notices.append((namer.event, RECOGNISED))


def _free(job: Job, record: int, settings: DeliverySettings) -> SubPlan[tuple[Snapshot, Values] | None]:
    """The organization's values, if it is still there and bears no group id."""
    snapshot: Snapshot = yield Cached(job.kind, record, None)
    if snapshot.state is not None and snapshot.state.key is not None:
        return None  # another job has just taken it; or it is ours, and somebody emptied its group id
    values = snapshot.values if snapshot.shown else (yield Fetch(job.kind, record))
    if values is None or borne_key(job.kind, values, settings) is not None:
        return None
    return snapshot, values


def ambiguous(ids: Sequence[int]) -> Complaint:
    """Several organizations bear the name, so that none is taken."""
    return Complaint("organization_ambiguous", f"{len(ids)} organizations have this name: {_listed(ids)}")


def _there(ids: Sequence[int]) -> str:
    which = f"organization {ids[0]} has" if len(ids) == 1 else f"organizations {_listed(ids)} have"
    return f"{which} this name and no group id; another one was made"


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:5])) + (" and more" if len(ids) > 5 else "")


def _namer(changes: Sequence[PendingChange]) -> PendingChange | None:
    """The change with the newest name that an event of the organization gives it, else with one said in passing."""
    for rank in (Rank.OWN, Rank.CONTEXT):
        for pending in reversed(changes):  # in the order of time
            name = pending.change.fields.get("name")
            if pending.change.rank is rank and isinstance(name, str) and name.strip():
                return pending
    return None
