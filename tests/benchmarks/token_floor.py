"""What a replay of a workload must cost at least, found without our code: every record once, and once per window
in which it changes. Knows the events of `workload.py` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

WRITE, LEAD, MERGE, READ = 5, 10, 40, 1
# Four field lists, currencies, labels, who we are; then one page of each kind, of leads, and of archived ones.
ASKING = 4 * 10 + 20 + 10 + 2
LISTING = 3 * 10 + 20 + 40


@dataclass
class Person:
    """What stands in Pipedrive (`there`), and what the events say by now."""

    values: dict[str, Any] = field(default_factory=dict)
    contacts: set[str] = field(default_factory=set)
    there: tuple[dict[str, Any], set[str]] | None = None
    merges: int = 0
    rekeyed: bool = False

    @property
    def changed(self) -> bool:
        return self.there is None or self.rekeyed or self.there != (self.values, self.contacts)


@dataclass
class Floor:
    """Tokens by what they are for."""

    created: int = 0
    updated: int = 0
    merged: int = 0
    leads: int = 0

    @property
    def tokens(self) -> int:
        writes = (self.created + self.updated) * WRITE
        return writes + self.merged * (MERGE + 2 * READ) + self.leads * LEAD + ASKING + LISTING


def floor(events: Iterable[dict[str, Any]], window: int) -> Floor:
    """The least that these events cost in an empty account, read `window` at a time."""
    found, persons, others = Floor(), dict[str, Person](), set[str]()
    stream = iter(events)
    while batch := list(islice(stream, window)):
        touched: set[str] = set()
        for event in batch:
            user = event["userId"]
            for other in _others(event):
                found.created += other not in others
                others.add(other)
            if event["type"] == "alias":
                _join(persons, event["previousId"], user)
                touched.add(user)
            elif event["type"] in ("identify", "group") or _is_lead(event):
                _say(persons.setdefault(user, Person()), event)
                touched.add(user)
                found.leads += _is_lead(event)
        for user in touched:
            person = persons.get(user)
            if person is None:
                continue  # it became somebody else in this very window
            found.merged += person.merges
            if person.there is None:
                found.created += 1
            elif person.changed:
                found.updated += 1
            person.there, person.merges, person.rekeyed = (dict(person.values), set(person.contacts)), 0, False
    return found


def _is_lead(event: dict[str, Any]) -> bool:
    return event["type"] == "track" and event["event"] not in ("Product Viewed", "Order Completed")


def _others(event: dict[str, Any]) -> Iterator[str]:
    if event["type"] == "group":
        yield event["groupId"]
    elif event["type"] == "track" and not _is_lead(event):
        properties = event["properties"]
        for product in properties.get("products", [properties]):
            yield product["product_id"]


def _say(person: Person, event: dict[str, Any]) -> None:
    if event["type"] == "identify":
        traits = event["traits"]
        person.values |= {name: traits[name] for name in ("name", "role", "plan")}
        person.contacts |= {traits["email"], traits["phone"]}
    elif event["type"] == "group":
        person.values["organization"] = event["groupId"]


def _join(persons: dict[str, Person], previous: str, current: str) -> None:
    gone = persons.pop(previous, None)
    if gone is None:
        return
    stays = persons.get(current)
    if stays is None:
        gone.rekeyed = gone.there is not None
        persons[current] = gone
        return
    stays.values = gone.values | stays.values
    stays.contacts |= gone.contacts
    both = stays.there is not None and gone.there is not None
    if stays.there is None and gone.there is not None:
        stays.there, stays.rekeyed = gone.there, True
    stays.merges += gone.merges + both
