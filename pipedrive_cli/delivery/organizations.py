"""Organizations that are there already without a group id, and are known by their names. Without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pipedrive_cli.delivery.adoption import INSTEAD, adopt_by_email, read_if_free, take_over, told_of
from pipedrive_cli.delivery.claims import namer_of
from pipedrive_cli.delivery.effects import Claim, DeliverySettings, Find, ResolveLink, SubPlan, Target
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.model import Complaint, RecordName
from pipedrive_cli.text_forms import caseless_form

RECOGNISED: Final = Complaint("recognised_by_name", "an organization of that name was there, and was taken over")


def adopt(job: Job, target: Target, changes: Sequence[PendingChange], settings: DeliverySettings) -> SubPlan[None]:
    """Instead of creating a record, adopts one that is nobody's: a person by email, an organization by name."""
    if job.kind == "persons" and settings.match_email:
        yield from adopt_by_email(job, target, changes, settings)
    elif job.kind == "organizations" and job.key is not None:
        yield from adopt_by_name(job, target, changes, settings)


def adopt_by_name(
    job: Job, target: Target, changes: Sequence[PendingChange], settings: DeliverySettings
) -> SubPlan[None]:
    """Instead of creating an organization, adopts the only one of its name that has no group id.

    If the config does not ask for that, what is known of the account is told, and costs no request.
    """
    namer, left = namer_of(changes), target.state.carried_over.get("name")
    told = told_of(target, changes) if namer is None else namer.event
    called = namer.change.fields["name"] if namer is not None else None if left is None else left.sent
    if not isinstance(called, str) or told is None:
        return
    name, asked, gone = caseless_form(called), settings.match_organizations, target.was_deleted
    # A person's company may be named so: that one is found or made first, and then is among those of the name.
    yield ResolveLink(RecordName(job.kind, None, None, name))
    ids: tuple[int, ...] = yield Find(job.kind, name=name, unasked=not asked)
    if not asked and ids:
        target.notices.append((told, Complaint("organization_name_there", _there(ids))))
    elif len(ids) > 1:
        target.notices.append((told, ambiguous(ids)))
    elif ids:
        free = yield from read_if_free(job, ids[0], settings)
        if free is not None and (yield Claim(job, changes, ids[0], frozenset({name}))):
            take_over(target, free)
            words = INSTEAD.format(job.key, "organization", target.id, "has its name")
            target.notices.append((told, msgspec.structs.replace(RECOGNISED, message=words) if gone else RECOGNISED))


def ambiguous(ids: Sequence[int]) -> Complaint:
    """Several organizations bear the name, so that none is taken."""
    return Complaint("organization_ambiguous", f"{len(ids)} organizations have this name: {_listed(ids)}")


def _there(ids: Sequence[int]) -> str:
    which = f"organization {ids[0]} has" if len(ids) == 1 else f"organizations {_listed(ids)} have"
    return f"{which} this name and no group id; another one was made"


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:5])) + (" and more" if len(ids) > 5 else "")
