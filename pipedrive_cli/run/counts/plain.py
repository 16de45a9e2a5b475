"""Records of which nothing but plain things was said: newer values take the place of older ones, in order of time.

That is what nearly all events say of nearly all records, and what plans would make of it is told without driving any.
Whatever is not as plain (an event that comes late, contacts that are new, parts of a name, a value that is the same in
Pipedrive's eyes though it is written differently) is left to the plan: then the functions here say None. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pipedrive_cli.delivery.gathering import Wanted, contact_list
from pipedrive_cli.delivery.naming import derived_name
from pipedrive_cli.delivery.standing import LATEST, NO_TIME, Held, RecordState, Rules, blank, comparable
from pipedrive_cli.transform.changes import Change, Contact, Kind, Rank, RecordName

_PARTS_OF_A_NAME: Final = frozenset({"first_name", "last_name"})
Same = Callable[[Kind, str, Any, Any], bool]


class Plain:
    """What is known of one record: by address the value that an event of this time has set."""

    __slots__ = ("emails", "newest", "oldest", "phones", "times", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.times: dict[str, int] = {}
        self.newest = 0  # no time of an event here is later
        self.emails: tuple[Contact, ...] = ()
        self.phones: tuple[Contact, ...] = ()
        self.oldest: tuple[int, dict[str, Any]] | None = None  # when these were said that the oldest event settles

    def take(self, changes: Sequence[Change], kind: Kind, same: Same) -> list[bool] | None:
        """Takes up changes, all later than those before, in order of time; tells of each whether it is written.

        None: they are not as plain as that, and nothing was taken up.
        """
        written = self._contacts(changes)
        if written is None:
            return None
        winners: dict[str, int] = {}
        for place in range(len(changes) - 1, -1, -1):
            fields = changes[place].fields
            if not winners.keys() >= fields.keys():
                for address in fields:
                    winners.setdefault(address, place)
        if "name" not in self.values and "name" not in winners and (self.emails or any(c.emails for c in changes)):
            return None  # its email may become its name
        values = self.values
        for address, place in winners.items():
            value = changes[place].fields[address]
            if address not in values:
                written[place] = True
            elif (before := values[address]) != value:
                if same(kind, address, value, before):
                    return None
                written[place] = True
        for address, place in winners.items():
            values[address] = changes[place].fields[address]
            self.times[address] = time_of(changes[place])
        for change in changes:
            self.emails, self.phones = self.emails or change.emails, self.phones or change.phones
        self.newest = max(self.newest, *map(time_of, changes))
        return written

    def _contacts(self, changes: Sequence[Change]) -> list[bool] | None:
        """Which of the changes bring the record's contacts, as it has none yet; None where they are not plain."""
        written = [False] * len(changes)
        emails, phones = self.emails, self.phones
        for place, change in enumerate(changes):
            if change.time is None or change.time <= self.newest or change.fallback_name is not None:
                return None
            if not _PARTS_OF_A_NAME.isdisjoint(change.fields):
                return None
            if change.rank is not Rank.OWN:
                if change.fields or change.emails or change.phones or change.oldest:
                    return None
                continue
            if change.oldest and (self.oldest is None or change.oldest.keys() != self.oldest[1].keys()):
                return None
            if change.emails and change.emails != emails:
                if emails:
                    return None
                emails, written[place] = change.emails, True
            if change.phones and change.phones != phones:
                if phones:
                    return None
                phones, written[place] = change.phones, True
        return written

    def state(self, kind: Kind, key: str, rules: Rules, id_of: Callable[[RecordName], int]) -> RecordState:
        """The same as plans know it; `id_of` tells the ids of records that it is linked to."""
        fields = {
            address: Held(0, self.times[address], id_of(value) if isinstance(value, RecordName) else value)
            for address, value in self.values.items()
        }
        inputs = {}
        if "name" not in fields:
            fallback, _ = derived_name(kind, RecordState(), Wanted(), rules, key)
            if fallback is not None:
                fields["name"] = Held(fallback.rank, fallback.time, fallback.value)
        elif kind == "persons":
            inputs["name"] = Held(0, fields["name"].time, fields["name"].sent)
        if self.oldest is not None:
            fields |= {address: Held(0, LATEST - self.oldest[0], value) for address, value in self.oldest[1].items()}
        added = {
            name: sorted({comparable(name, contact.value) for contact in contacts})
            for name, contacts in (("emails", self.emails), ("phones", self.phones))
            if contacts
        }
        return RecordState(fields=fields, inputs=inputs, added=added, key=key)

    def shown(self, state: RecordState) -> dict[str, Any]:
        """What the record shows, by address; `state` is its own."""
        values = {address: held.sent for address, held in state.fields.items()}
        for name, contacts in (("emails", self.emails), ("phones", self.phones)):
            if contacts:
                values[name] = contact_list(contacts)
        return values


def begun(changes: Sequence[Change], kind: Kind, same: Same) -> Plain | None:
    """The record that these changes have created, in order of time; None where that is not plain."""
    plain = Plain()
    for change in changes:
        if change.time is None:
            return None
        if change.oldest and change.rank is Rank.OWN:
            if plain.oldest is None:
                plain.oldest = (change.time, dict(change.oldest))
            elif change.time == plain.oldest[0]:
                return None
    return None if plain.take(changes, kind, same) is None else plain


def taken(
    state: RecordState,
    shown: dict[str, Any],
    changes: Sequence[Change],
    kind: Kind,
    same: Same,
    id_of: Callable[[RecordName], int],
) -> list[bool] | None:
    """As `Plain.take`, for a record as plans know it, where newer values only take the place of what it shows.

    `state` and `shown` are brought up to date, unless it takes a plan.
    """
    newest = max((held.time for held in state.fields.values() if held.time < LATEST // 2), default=NO_TIME)
    if kind == "persons" and ("name" not in state.inputs or not _PARTS_OF_A_NAME.isdisjoint(state.inputs)):
        return None
    now: dict[str, tuple[int, int, Any]] = {}  # address -> place, time, value
    for place, change in enumerate(changes):
        if not _newer(change, newest, state):
            return None
        for address, value in change.fields.items():
            now[address] = place, time_of(change), id_of(value) if isinstance(value, RecordName) else value
    written = [False] * len(changes)
    for address, (place, _, value) in now.items():
        held = state.fields.get(address)
        if held is None and blank(shown.get(address)):
            written[place] = True
        elif held is None or held.rank > 0 or shown.get(address) != held.sent:
            return None
        elif value != held.sent:
            if same(kind, address, value, held.sent):
                return None
            written[place] = True
    for address, (_, time, value) in now.items():
        state.fields[address] = Held(0, time, value)
        shown[address] = value
        if address == "name" and kind == "persons":
            state.inputs["name"] = Held(0, time, value)
    return written


def _newer(change: Change, newest: int, state: RecordState) -> bool:
    """Whether a change is later than all that the record holds, and says nothing but what can be compared at once."""
    if change.time is None or change.time <= newest or change.fallback_name is not None or change.oldest:
        return False
    if change.rank is not Rank.OWN:
        return not (change.fields or change.emails or change.phones)
    if not _PARTS_OF_A_NAME.isdisjoint(change.fields):
        return False
    return all(
        comparable(name, contact.value) in state.added.get(name, ())
        for name, contacts in (("emails", change.emails), ("phones", change.phones))
        for contact in contacts
    )


def time_of(change: Change) -> int:
    """When its event happened."""
    return NO_TIME if change.time is None else change.time
