"""Records as plans know them, and what of that newer values simply take the place of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from pipedrive_cli.delivery.gathering import contact_list
from pipedrive_cli.delivery.standing import LATEST, NO_TIME, Held, RecordState, comparable
from pipedrive_cli.run.counts.batch import LINK, PARTS_OF_A_NAME, contacts_of
from pipedrive_cli.run.counts.plain import CONTACTS
from pipedrive_cli.transform.changes import Kind


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
        state = self.state
        if key in CONTACTS:
            contacts = contacts_of(value)
            state.added[key] = sorted({comparable(key, contact.value) for contact in contacts})
            self.values[key] = contact_list(contacts)
            return
        sent = id_of(value) if key == LINK else value
        self.values[key] = sent
        state.fields[key] = Held(0, time, sent)
        if key == "name" and "name" in state.inputs:
            state.inputs["name"] = Held(0, time, sent)
