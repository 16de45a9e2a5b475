"""Who of a window may adopt a record that was found by email or by name. Pure.

Two users of one window may have the email of one person who is nobody's yet, two groups the name of one organization.
Whichever job comes first must not decide: the record is for whoever has the oldest event with one of its marks (emails,
or the name), among those that need a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from pipedrive_cli.delivery.effects import Claim, RecordId
from pipedrive_cli.delivery.fold import PendingChange, time_of
from pipedrive_cli.delivery.precedence import NO_TIME, comparable
from pipedrive_cli.delivery.waiting import UNDER_WAY, Group
from pipedrive_cli.model import Kind, Rank
from pipedrive_cli.text_forms import caseless_form

Age: TypeAlias = tuple[int, int]  # an event's time and number: the smaller one is older


class _Bearer(NamedTuple):
    """A group of the window that has an event with some mark: the oldest such event's age."""

    group: Group
    age: Age


@dataclass(slots=True)
class Claims:
    """The claims of one window. `learn` gives the groups of a kind and their changes, once, when they are needed."""

    _noted: dict[tuple[Kind, RecordId], Age] = field(default_factory=dict)  # the oldest claim of jobs so far
    _bearers: dict[Kind, dict[str, list[_Bearer]]] = field(default_factory=dict)  # by mark

    def note(self, claim: Claim) -> Age | None:
        """Notes a claim. Returns its age, or None where an older one was noted before."""
        kind = claim.job.kind
        ages = [age for mark, age in _ages(kind, claim.changes).items() if mark in claim.marks]
        age = min(ages, default=(NO_TIME, 0))  # a record that was deleted had the mark before this window
        noted = self._noted.get((kind, claim.id))
        if noted is not None and noted < age:
            return None
        self._noted[kind, claim.id] = age
        return age

    def knows(self, kind: Kind) -> bool:
        """Whether the window's marks of that kind are known."""
        return kind in self._bearers

    def learn(self, kind: Kind, groups: Iterable[tuple[Group, Sequence[PendingChange]]]) -> None:
        """Learns which groups have which marks."""
        bearers = self._bearers[kind] = {}
        for group, changes in groups:
            for mark, age in _ages(kind, changes).items():
                bearers.setdefault(mark, []).append(_Bearer(group, age))

    def older(self, claim: Claim, age: Age) -> Iterator[Group]:
        """The groups, not delivered yet, that have an event with one of the claim's marks that is older than `age`."""
        bearers = self._bearers.get(claim.job.kind, {})
        for mark in sorted(claim.marks):
            for bearer in bearers.get(mark, ()):
                if bearer.age < age and bearer.group.end is UNDER_WAY:
                    yield bearer.group


def _ages(kind: Kind, changes: Sequence[PendingChange]) -> dict[str, Age]:
    """The marks by which these changes may adopt a record, and how old the oldest event with each is."""
    ages: dict[str, Age] = {}
    for mark, pending in _names(changes) if kind == "organizations" else _emails(changes):
        age = _age(pending)
        ages[mark] = min(age, ages.get(mark, age))
    return ages


def _emails(changes: Iterable[PendingChange]) -> Iterator[tuple[str, PendingChange]]:
    for pending in changes:
        for contact in pending.change.emails:
            yield comparable("emails", contact.value), pending


def _names(changes: Sequence[PendingChange]) -> Iterator[tuple[str, PendingChange]]:
    """The events that give an organization the name by which it is looked for."""
    namer = namer_of(changes)
    wanted = None if namer is None else caseless_form(namer.change.fields["name"])
    for pending in changes:
        name = pending.change.fields.get("name")
        if wanted is not None and isinstance(name, str) and caseless_form(name) == wanted:
            yield wanted, pending


def namer_of(changes: Sequence[PendingChange]) -> PendingChange | None:
    """The change with the newest name that an event of the organization gives it, else with one said in passing."""
    found: dict[Rank, PendingChange] = {}
    for pending in changes:
        name, rank = pending.change.fields.get("name"), pending.change.rank
        if isinstance(name, str) and name.strip() and (rank not in found or _age(found[rank]) <= _age(pending)):
            found[rank] = pending
    return found.get(Rank.OWN) or found.get(Rank.CONTEXT)


def _age(pending: PendingChange) -> Age:
    return (time_of(pending.change), pending.event.number)
