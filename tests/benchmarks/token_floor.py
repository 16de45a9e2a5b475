"""What a replay of a workload must cost at least, found without our code: every record once, and once per window
in which it changes. Knows the events of `workload.py` alone; of two values the later event's counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

Values: TypeAlias = dict[str, tuple[str, Any]]  # by field: when it was said, and what

WRITE, LEAD, MERGE, READ = 5, 10, 40, 1
# Four field lists, currencies, labels, who we are; then one page of each kind, of leads, and of archived ones.
ASKING = 4 * 10 + 20 + 10 + 2
LISTING = 3 * 10 + 20 + 40


@dataclass
class Person:
    """What stands in Pipedrive (`there`), and what the events say by now."""

    values: Values = field(default_factory=dict)
    contacts: set[str] = field(default_factory=set)
    there: tuple[dict[str, Any], set[str]] | None = None
    merges: int = 0
    rekeyed: bool = False

    @property
    def changed(self) -> bool:
        return self.there is None or self.rekeyed or self.there != self.shown()

    def shown(self) -> tuple[dict[str, Any], set[str]]:
        """What Pipedrive shows once it is written."""
        return {name: value for name, (_, value) in self.values.items()}, set(self.contacts)

    def say(self, when: str, **values: Any) -> None:
        for name, value in values.items():
            if name not in self.values or self.values[name][0] <= when:
                self.values[name] = (when, value)


@dataclass
class Floor:
    """Tokens by what they are for."""

    created: int = 0
    updated: int = 0
    merged: int = 0
    leads: int = 0

    @property
    def tokens(self) -> int:
        return self.writes + ASKING + LISTING

    @property
    def writes(self) -> int:
        """Without what is asked and listed."""
        records = (self.created + self.updated) * WRITE
        return records + self.merged * (MERGE + 2 * READ) + self.leads * LEAD


class Books:
    """What Pipedrive holds and the events say, over any number of runs."""

    def __init__(self) -> None:
        self.persons: dict[str, Person] = {}
        self.others: dict[str, Person] = {}  # organizations and products

    def floor(self, events: Iterable[dict[str, Any]], window: int) -> Floor:
        """The least that these events cost from here on, read `window` at a time."""
        found = Floor()
        stream = iter(events)
        while batch := list(islice(stream, window)):
            self._window(batch, found)
        return found

    def _window(self, batch: list[dict[str, Any]], found: Floor) -> None:
        touched: set[str] = set()
        others: set[str] = set()
        for event in batch:
            user = event["userId"]
            for other, values in _others(event):
                others.add(other)
                self.others.setdefault(other, Person()).say(event["timestamp"], **values)
            if event["type"] == "alias":
                _join(self.persons, event["previousId"], user)
                touched.add(user)
            elif event["type"] in ("identify", "group") or _is_lead(event):
                _say(self.persons.setdefault(user, Person()), event)
                touched.add(user)
                found.leads += _is_lead(event)
        for record in (*(self.persons.get(user) for user in touched), *(self.others[other] for other in others)):
            if record is None:
                continue  # it became somebody else in this very window
            found.merged += record.merges
            if record.there is None:
                found.created += 1
            elif record.changed:
                found.updated += 1
            record.there, record.merges, record.rekeyed = record.shown(), 0, False


def floor(events: Iterable[dict[str, Any]], window: int) -> Floor:
    """The least that these events cost in an empty account, read `window` at a time."""
    return Books().floor(events, window)


def _is_lead(event: dict[str, Any]) -> bool:
    return event["type"] == "track" and event["event"] not in ("Product Viewed", "Order Completed")


def _others(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if event["type"] == "group":
        yield event["groupId"], event["traits"]
    elif event["type"] == "track" and not _is_lead(event):
        properties = event["properties"]
        for product in properties.get("products", [properties]):
            price = {f"price in {properties['currency']}": product["price"]} if "price" in product else {}
            unit = {"unit": product["quantity"]} if "quantity" in product else {}
            yield product["product_id"], {"name": product["name"], **price, **unit}


def _say(person: Person, event: dict[str, Any]) -> None:
    if event["type"] == "identify":
        traits = event["traits"]
        person.say(event["timestamp"], **{name: traits[name] for name in ("name", "role", "plan")})
        person.contacts |= {traits["email"], traits["phone"]}
    elif event["type"] == "group":
        person.say(event["timestamp"], organization=event["groupId"])


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
