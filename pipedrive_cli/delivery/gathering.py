"""What the waiting changes of one record ask for: the best candidate per address, before anybody looks at the record.

Pure. It ranks what events say by the table in `standing`, and knows nothing of what the record holds.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from pipedrive_cli.delivery.standing import CONTEXT, FALLBACK, LATEST, NO_TIME, Rules
from pipedrive_cli.pipedrive.moments import rfc3339
from pipedrive_cli.transform.changes import Change, Contact, Kind, Rank

NAME_INPUTS = ("name", "first_name", "last_name")
FALLBACK_EMAIL = "fallback_email"
DATED: frozenset[Kind] = frozenset({"persons", "organizations"})  # are sent with an add_time: the oldest event's time


class Part(NamedTuple):
    """One change of one event on its way into a fold. `depth` counts the aliases that came after it."""

    change: Change
    depth: int
    case: Any  # the event it belongs to: opaque here, unique per event


class Candidate(NamedTuple):
    """The best value that the waiting changes have for one address, and the parts that ask for it."""

    rank: int
    time: int
    value: Any
    parts: tuple[Part, ...]


_Best: TypeAlias = tuple[int, int, Any, Part]  # a candidate on its way: rank, time, value, and who asks for it


class Wanted(msgspec.Struct):
    """What the waiting changes ask of a record: best candidate per address, contacts to have, values for a POST."""

    fields: dict[str, Candidate] = {}
    inputs: dict[str, Candidate] = {}
    contacts: dict[str, list[tuple[Contact, Part]]] = {}
    on_creation: dict[str, Any] = {}


def gather(kind: Kind, parts: Sequence[Part], rules: Rules, without: Container[tuple[int, str]] = ()) -> Wanted:
    """The best candidate per address among waiting changes, in the order in which they are given on equal standing.

    `without` names values that Pipedrive refused, as (id of the part, address): the next best one counts.
    """
    wanted = Wanted()
    best: dict[str, _Best] = {}
    inputs: dict[str, _Best] = {} if kind == "persons" else best
    born: Change | None = None  # the oldest that says when the record came into being
    for part in parts:
        change = part.change
        time = NO_TIME if change.time is None else change.time
        rank = (0 if change.rank is Rank.OWN else CONTEXT) - part.depth
        for address, value in change.fields.items():
            if without and (id(part), address) in without:
                continue
            into = inputs if address in NAME_INPUTS else best
            other = into.get(address)
            if other is None or rank > other[0] or (rank == other[0] and time >= other[1]):
                into[address] = (rank, time, value, part)
        if change.oldest:
            oldest_first = NO_TIME if time == NO_TIME else LATEST - time
            for address, value in change.oldest.items():
                if without and (id(part), address) in without:
                    continue
                _keep(best, address, (rank, oldest_first, value, part))
        if change.fallback_name:
            _keep(best, "name", (FALLBACK, time, change.fallback_name, part))
        if change.emails or change.phones:
            _gather_contacts(wanted, best, inputs, part, rank, time, rules, without)
        if kind in DATED and (time != NO_TIME or change.on_creation) and (born is None or time < time_of(born)):
            born = change
    wanted.fields = {address: Candidate(r, t, value, (part,)) for address, (r, t, value, part) in best.items()}
    if inputs is not best:
        wanted.inputs = {address: Candidate(r, t, value, (part,)) for address, (r, t, value, part) in inputs.items()}
    if born is not None:
        wanted.on_creation = dict(born.on_creation) or {"add_time": rfc3339(time_of(born))}
    return wanted


def _keep(into: dict[str, _Best], address: str, new: _Best) -> None:
    """Keeps the better one; on equal standing the later one."""
    other = into.get(address)
    if other is None or new[:2] >= other[:2]:
        into[address] = new


def _gather_contacts(
    wanted: Wanted,
    best: dict[str, _Best],
    inputs: dict[str, _Best],
    part: Part,
    rank: int,
    time: int,
    rules: Rules,
    without: Container[tuple[int, str]],
) -> None:
    for name, contacts in (("emails", part.change.emails), ("phones", part.change.phones)):
        if not contacts or (without and (id(part), name) in without):
            continue
        if name == "emails":
            _keep(inputs, FALLBACK_EMAIL, (rank, time, contacts[0].value, part))
        if rules.contacts == "replace":
            _keep(best, name, (rank, time, contact_list(contacts), part))
        else:
            wanted.contacts.setdefault(name, []).extend([(contact, part) for contact in contacts])


def offer(into: dict[str, Candidate], address: str, candidate: Candidate, *, first: bool = False) -> None:
    """Keeps the better one; on equal standing the later one, or with `first` the one that is there."""
    best = into.get(address)
    if best is None or candidate[:2] > best[:2] or (candidate[:2] == best[:2] and not first):
        into[address] = candidate


def time_of(change: Change) -> int:
    """When its event happened; without a time it is older than all others."""
    return NO_TIME if change.time is None else change.time


def contact_list(contacts: Iterable[Contact]) -> list[dict[str, Any]]:
    """Contacts in the form of API v2, one of each, the first primary unless the event names another."""
    unique = {contact.value.strip().casefold(): contact for contact in reversed(list(contacts))}
    ordered = list(reversed(unique.values()))
    primary = next((c for c in ordered if c.primary), ordered[0] if ordered else None)
    return [contact_item(contact, primary=contact is primary) for contact in ordered]


def contact_item(contact: Contact, *, primary: bool) -> dict[str, Any]:
    """One email or phone in the form of API v2; without a label Pipedrive gives it its own."""
    item: dict[str, Any] = {"value": contact.value, "primary": primary}
    return item | {"label": contact.label} if contact.label else item
