"""The plan of one lead: its person first, then the lead itself, known by the message id. Never folded. Without I/O.

A lead that was made without a refused value is known by its message id, so that the mended event sends what is missing.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.effects import (
    Cached,
    Commit,
    DeliverySettings,
    Effect,
    Fetch,
    Find,
    Plan,
    Recreate,
    ResolveLink,
    Snapshot,
    Target,
    Wait,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import PendingChange
from pipedrive_cli.delivery.outcomes import depends_on, reject_all, skip_deleted
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.upsert import upsert
from pipedrive_cli.model import Outcome


class _PersonDeleted(Exception):
    """The lead's person was deleted in Pipedrive, and is not wanted back."""


def lead_job(part: PendingChange) -> Job:
    """The job of one lead."""
    return Job("leads", part.change.record.key, [], [], None, [part], [])


def deliver_lead(job: Job, terms: DeliverySettings) -> Plan:
    """The whole conversation about one lead. Returns its id, or None when it could not be made."""
    (part,) = job.parts
    person = None if part.change.person is None else (yield ResolveLink(part.change.person))
    if person is None:
        if (yield Wait(job, (part,))):
            nobody = "nobody in Pipedrive or in the input bears this user id"
            yield reject_all(job, Target(None, RecordState()), (part,), "person_not_found", nobody)
        return None
    if isinstance(person, Outcome):
        outcome = person if person in {Outcome.REJECTED, Outcome.SKIPPED} else Outcome.PENDING
        complaint = depends_on(outcome, "the person of this lead")
        yield Commit("leads", None, parts=((part, outcome),), complaints=((part.case, complaint),))
        return None
    found = yield Find("leads", key=job.key)
    home = Target(None, RecordState())
    if found:
        knowledge: Snapshot = yield Cached("leads", found[0])
        # That it bears its message id is certain: origin_id is given on creation, and cannot be changed.
        home = Target(found[0], with_key(state_of(knowledge), job.key), knowledge.values)
    links = {"person": person}

    def mend() -> Generator[Effect, Any, bool]:
        """A lead that is refused may have lost its person: then that one is made anew."""
        if part.change.person is None or (yield Fetch("persons", links["person"])) is not None:
            return False
        revived = yield Recreate(part.change.person, links["person"])
        if revived is None and terms.deleted == "skip":
            raise _PersonDeleted
        if revived is None:
            return False
        links["person"] = revived
        return True

    try:
        return (yield from upsert(job, home, (part,), terms, links, mend))
    except _PersonDeleted:
        yield skip_deleted(job, home, (part,))
        return None
