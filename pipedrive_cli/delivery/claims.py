"""Who of a window may adopt a person that was found by email. Pure.

Two users of one window may have the email of one person who is nobody's yet. Whichever job comes first must not
decide: the person is for whoever has the oldest event with one of the person's emails, among those that need a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from pipedrive_cli.delivery.backlog import UNDER_WAY, Group
from pipedrive_cli.delivery.effects import Claim, RecordId
from pipedrive_cli.delivery.fold import PendingChange, time_of
from pipedrive_cli.delivery.precedence import comparable

Age: TypeAlias = tuple[int, int]  # an event's time and number: the smaller one is older


class _Bearer(NamedTuple):
    """A group of the window that has an event with some email: the oldest such event's age."""

    group: Group
    age: Age


@dataclass(slots=True)
class Claims:
    """The claims of one window. `waiting` gives its groups of persons and their changes, once, when they are needed."""

    _noted: dict[RecordId, Age] = field(default_factory=dict)  # the oldest claim of jobs that have found the person
    _bearers: dict[str, list[_Bearer]] | None = None  # by email

    def note(self, claim: Claim) -> Age | None:
        """Notes a claim. Returns its age, or None where an older one was noted before."""
        age = min(_ages(claim.job.changes, claim.emails))
        noted = self._noted.get(claim.id)
        if noted is not None and noted < age:
            return None
        self._noted[claim.id] = age
        return age

    @property
    def known(self) -> bool:
        """Whether the window's emails are known."""
        return self._bearers is not None

    def learn(self, groups: Iterable[tuple[Group, Sequence[PendingChange]]]) -> None:
        """Learns which groups have which emails."""
        self._bearers = {}
        for group, changes in groups:
            oldest: dict[str, Age] = {}
            for pending in changes:
                for contact in pending.change.emails:
                    form, age = comparable("emails", contact.value), _age(pending)
                    oldest[form] = min(age, oldest.get(form, age))
            for form, age in oldest.items():
                self._bearers.setdefault(form, []).append(_Bearer(group, age))

    def older(self, emails: Iterable[str], age: Age) -> Iterator[Group]:
        """The groups, not delivered yet, that have an event with one of these emails that is older than `age`."""
        for email in sorted(emails):
            for bearer in (self._bearers or {}).get(email, ()):
                if bearer.age < age and bearer.group.end is UNDER_WAY:
                    yield bearer.group


def _ages(changes: Iterable[PendingChange], emails: frozenset[str]) -> Iterator[Age]:
    for pending in changes:
        if any(comparable("emails", contact.value) in emails for contact in pending.change.emails):
            yield _age(pending)


def _age(pending: PendingChange) -> Age:
    return (time_of(pending.change), pending.event.number)
