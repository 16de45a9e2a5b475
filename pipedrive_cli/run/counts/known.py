"""Records as plans know them, and what of that newer values simply take the place of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pipedrive_cli.delivery.gathering import contact_list, time_of
from pipedrive_cli.delivery.standing import LATEST, NO_TIME, Held, RecordState, blank, comparable
from pipedrive_cli.run.counts.batch import LINK, PARTS_OF_A_NAME, contacts_of
from pipedrive_cli.run.counts.plain import CONTACTS, Same
from pipedrive_cli.transform.changes import Change, Kind, Rank, RecordName


class Accepted:
    """Emails or phones that a record has or had: to be told any of these is no news. Equal to any list of them."""

    def __init__(self, field_name: str, forms: Collection[str]) -> None:
        self._field, self._forms = field_name, frozenset(forms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and all(comparable(self._field, each[0]) in self._forms for each in other)

    __hash__ = None  # type: ignore[assignment]  # equal to many that are not equal to each other


@dataclass(slots=True)
class Known:
    """A record as plans would have made it."""

    state: RecordState
    values: dict[str, Any]

    @property
    def newest(self) -> int:
        """No time of an event that it holds is later."""
        return max((held.time for held in self.state.fields.values() if held.time < LATEST // 2), default=NO_TIME)

    def take(
        self, changes: Sequence[Change], kind: Kind, same: Same, id_of: Callable[[RecordName], int]
    ) -> list[bool] | None:
        """As `Plain.take`, where newer values only take the place of what the record shows."""
        state, shown, newest = self.state, self.values, self.newest
        if kind == "persons" and ("name" not in state.inputs or not PARTS_OF_A_NAME.isdisjoint(state.inputs)):
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
            self._set(address, value, time)
        return written

    def _set(self, address: str, value: Any, time: int) -> None:
        self.state.fields[address] = Held(0, time, value)
        self.values[address] = value
        if address == "name" and "name" in self.state.inputs:
            self.state.inputs["name"] = Held(0, time, value)

    def by_key(self, kind: Kind, key_of: Callable[[int], str | None]) -> dict[str, Any] | None:
        """What it shows, as the table has it; None where more than a newer value may be needed to take its place."""
        state, shown = self.state, self.values
        if state.owed or state.owed_contacts or not PARTS_OF_A_NAME.isdisjoint(state.inputs):
            return None
        if kind == "persons" and "name" not in state.inputs:
            return None
        found: dict[str, Any] = {}
        for address, held in state.fields.items():
            if held.time > LATEST // 2:
                continue
            if held.rank > 0 or shown.get(address) != held.sent:
                return None
            found[address] = key_of(held.sent) if address == LINK else held.sent
            if found[address] is None:
                return None
        for name in CONTACTS:
            if forms := state.added.get(name):
                found[name] = Accepted(name, forms)
            elif shown.get(name):
                return None
        return found

    def update(self, key: str, value: Any, time: int, id_of: Callable[[str], int]) -> None:
        """Takes a value that the table has taken in the meantime."""
        if key in CONTACTS:
            contacts = contacts_of(value)
            self.state.added[key] = sorted({comparable(key, contact.value) for contact in contacts})
            self.values[key] = contact_list(contacts)
        else:
            self._set(key, id_of(value) if key == LINK else value, time)


def _newer(change: Change, newest: int, state: RecordState) -> bool:
    """Whether a change is later than all that the record holds, and says nothing but what can be compared at once."""
    if change.time is None or change.time <= newest or change.fallback_name is not None or change.oldest:
        return False
    if change.rank is not Rank.OWN:
        return not (change.fields or change.emails or change.phones)
    if not PARTS_OF_A_NAME.isdisjoint(change.fields):
        return False
    return all(
        comparable(name, contact.value) in state.added.get(name, ())
        for name, contacts in (("emails", change.emails), ("phones", change.phones))
        for contact in contacts
    )
