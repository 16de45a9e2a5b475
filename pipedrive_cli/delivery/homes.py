"""The whole plan of one job: which record it is about (`places`), who may be adopted, then what is brought there.

Without I/O. After this a job has one home: a record that exists, or none yet.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from pipedrive_cli.delivery.asks import (
    Ask,
    Home,
    Knowledge,
    Locate,
    Look,
    Lost,
    Plan,
    Recall,
    RecordId,
    Terms,
    state_of,
    with_key,
)
from pipedrive_cli.delivery.backlog import Job, Joining, depth
from pipedrive_cli.delivery.gathering import Part
from pipedrive_cli.delivery.places import UNKNOWN, Places, former_keys
from pipedrive_cli.delivery.plan import bring, lost
from pipedrive_cli.delivery.standing import RecordState
from pipedrive_cli.delivery.verdicts import reject_alias, skip_deleted


def deliver(job: Job, terms: Terms) -> Plan:
    """The whole conversation about one job. Returns the record's id, or None when it is not there in the end."""
    places = Places(job, terms)
    parts = yield from places.settle_ids(list(job.parts))
    yield from places.settle_joinings()
    for joining in places.apart:
        parts = yield from _deliver_apart(places, joining, parts)
    home = yield from places.home()
    owed = home.state.owed or home.state.owed_contacts
    if not parts and home.id is None:
        for joining in home.unsaved_joinings:  # what was to flow through them is gone: it was rejected
            yield reject_alias(joining, "alias_unknown", UNKNOWN)
        return None
    if not parts and not (home.unsaved_joinings or owed):
        return home.id
    anew: RecordState | None = (yield Lost(job.kind, job.key)) if home.id is None and job.key is not None else None
    if anew is not None and terms.deleted == "skip":
        yield skip_deleted(job, home, parts)
        return None
    if anew is not None:
        home.state, home.was_lost = anew, True
    elif home.id is None and job.kind == "persons" and terms.match_email:
        yield from _adopt(job, home, parts, terms)
    return (yield from bring(job, home, parts, terms))


def _deliver_apart(places: Places, joining: Joining, parts: list[Part]) -> Generator[Ask, Any, list[Part]]:
    """After a refused alias the previous person stays somebody else: what was said of it is brought there.

    Returns the parts that remain for the current one.
    """
    job, previous = places.job, joining.previous
    if previous is None:
        return parts
    former = former_keys(job, previous)
    own = [part for part in parts if part.change.record.key in former]
    also = [other for other in places.unsaved if other.previous in former]
    if own or also:
        places.unsaved = [other for other in places.unsaved if other not in also]
        steps = {key: step for key, step in job.steps.items() if key in former and key != previous}
        lifted = [p._replace(depth=depth(steps, p.change.record.key, p.change.time)) for p in own]
        alone = Job(job.kind, previous, sorted(former), [], None, lifted, also, steps=steps)
        yield from deliver(alone, places.terms)
    return [part for part in parts if part.change.record.key not in former]


def revive(job: Job, record: RecordId, ghost: Part, terms: Terms) -> Plan:
    """Makes a person anew that somebody deleted, with what we had written into it. `ghost` asks for nothing."""
    knowledge: Knowledge = yield Recall(job.kind, record, job.key)
    home = Home(record, with_key(state_of(knowledge), job.key), knowledge.values)
    if not (yield from lost(job, home, (ghost,), terms)):
        return None
    return (yield from bring(job, home, (ghost,), terms))


def _adopt(job: Job, home: Home, parts: Sequence[Part], terms: Terms) -> Generator[Ask, Any, None]:
    """A person to be created who has exactly one match by email, and that one has no user id, is adopted instead."""
    emails = dict.fromkeys(contact.value for part in parts for contact in part.change.emails)
    matches: set[int] = set()
    for email in emails:
        matches.update((yield Locate(job.kind, email=email)))
    if len(matches) != 1:
        return
    record = matches.pop()
    knowledge: Knowledge = yield Recall(job.kind, record, None)
    values = knowledge.values if knowledge.values is not None else (yield Look(job.kind, record))
    address = terms.key_address.get(job.kind)
    if values is None or (address is not None and values.get(address) not in {None, ""}):
        return
    home.id, home.state, home.found = record, with_key(state_of(knowledge), None), True
    home.values, home.age = values, knowledge.age
