"""What may be adopted: a record that is nobody's, such as a person with a new user's email. Without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from pipedrive_cli.delivery.bearer import borne_key
from pipedrive_cli.delivery.effects import (
    Cached,
    Claim,
    DeliverySettings,
    Fetch,
    Find,
    RecordId,
    Snapshot,
    SubPlan,
    Target,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.fold import Difference, PendingChange
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import RecordState, blank, comparable
from pipedrive_cli.delivery.waiting import Job
from pipedrive_cli.model import Complaint, Values
from pipedrive_cli.pipedrive.bodies import contact_rows

RECOGNISED: Final = Complaint("recognised_by_email", "a person with this email was there, and was taken over")
INSTEAD: Final = "the record of {!r} was deleted, or merged into another one; {} {}, which {}, was taken over"


def adopt_by_email(
    job: Job, target: Target, changes: Sequence[PendingChange], settings: DeliverySettings
) -> SubPlan[None]:
    """Instead of creating a person, adopts the only living one that has its email and is nobody's.

    One that was deleted had emails, too. Two persons that have them are left alone: nobody can tell which it is. They
    are noticed.
    """
    emails = dict.fromkeys([contact.value for pending in changes for contact in pending.change.emails])
    for row in target.state.carried_contacts.get("emails", ()):
        emails[str(row["value"])] = None
    matches: set[int] = set()
    for email in emails:
        matches.update((yield Find(job.kind, email=email)))
    if not matches:
        return
    wanted = {comparable("emails", email) for email in emails}
    free: list[Free] = []
    for record in sorted(matches):  # in one order, for each is locked
        found = yield from read_if_free(job, record, settings)
        # A search may still find an email that somebody has removed.
        if found is not None and not wanted.isdisjoint(_emails_of(found.values)):
            free.append(found)
    claims = []
    for found in free:
        claims.append((yield Claim(job, changes, found.id, _emails_of(found.values))))
    if len(free) > 1:
        _note_twins(target, changes, [found.id for found in free], "neither was taken")
    elif any(claims):
        gone = target.was_deleted
        take_over(target, free[0])
        told = next((pending.event for pending in changes if pending.change.emails), told_of(target, changes))
        if told is not None:
            words = INSTEAD.format(job.key, "person", target.id, "has its email")
            target.notices.append((told, msgspec.structs.replace(RECOGNISED, message=words) if gone else RECOGNISED))


class Free(NamedTuple):
    """A record that is nobody's: it bears no key, and no key was ever given to it."""

    id: int
    values: Values
    snapshot: Snapshot


def read_if_free(job: Job, record: int, settings: DeliverySettings) -> SubPlan[Free | None]:
    """The record, if it is still there and nobody's."""
    snapshot: Snapshot = yield Cached(job.kind, record)
    if snapshot.state is not None and snapshot.state.key is not None:
        return None  # another job has just taken it; or it is ours, and somebody emptied its key
    values = snapshot.values if snapshot.shown else (yield Fetch(job.kind, record))
    if values is None or borne_key(job.kind, values, settings) is not None:
        return None
    return Free(record, values, snapshot)


def take_over(target: Target, free: Free) -> None:
    """From here on the job is about this record. What a deleted one leaves fills its blanks: people know better."""
    target.state = with_blanks_filled(with_key(state_of(free.snapshot), None), free.values, target.state)
    target.was_deleted = False
    target.id, target.found = free.id, True
    target.values, target.age = free.values, free.snapshot.age if free.snapshot.shown else 0.0


def with_blanks_filled(state: RecordState, values: Values | None, left: RecordState) -> RecordState:
    """The state of a record with these values, which gets what another one has left where it has nothing."""
    if not (left.carried_over or left.carried_contacts):
        return state
    missing = {a: old for a, old in left.carried_over.items() if blank((values or {}).get(a))}
    return msgspec.structs.replace(state, carried_over=missing, carried_contacts=left.carried_contacts)


def told_of(target: Target, changes: Sequence[PendingChange]) -> PendingEvent | None:
    """The event that is told what became of the target."""
    return changes[0].event if changes else target.told


def find_twins(
    job: Job, target: Target, difference: Difference, changes: Sequence[PendingChange], settings: DeliverySettings
) -> SubPlan[None]:
    """Notices persons that the one who is given emails now would have adopted, had it come with them.

    Its first emails are looked up, as those of a new person are; for more of them, what is known will do.
    """
    if not settings.match_email or job.kind != "persons" or "emails" not in difference.body:
        return
    known = frozenset() if target.values is None else _emails_of(target.values)
    twins: set[RecordId] = set()
    for email in dict.fromkeys(contact.value for pending in changes for contact in pending.change.emails):
        if comparable("emails", email) not in known | set(target.state.added.get("emails", ())):
            twins.update((yield Find(job.kind, email=email, unasked=bool(known or target.state.added.get("emails")))))
    twins.discard(target.id or 0)
    if twins:
        _note_twins(target, changes, sorted(twins, key=str), "they were not merged")


def _note_twins(
    target: Target, changes: Sequence[PendingChange], twins: Sequence[RecordId | None], and_so: str
) -> None:
    """Notices that persons without a user id have an email of the target, too."""
    if changes:
        one = len(twins) == 1
        listed = ", ".join(str(twin) for twin in twins[:10])
        words = f"person{'' if one else 's'} {listed} without a user id {'has' if one else 'have'} the same email"
        bearer = next((pending for pending in changes if pending.change.emails), changes[0])
        target.notices.append((bearer.event, Complaint("twin_by_email", f"{words}; {and_so}", value=listed)))


def _emails_of(values: Values) -> frozenset[str]:
    """A person's emails in the form in which they are compared."""
    return frozenset(comparable("emails", str(item.get("value", ""))) for item in contact_rows(values.get("emails")))
