"""Records of which nothing but plain things was said: newer values take the place of older ones, in order of time.

That is what nearly all events say of nearly all records, and what plans would make of it is told without driving any.
Whatever is not as plain (an event that comes late, contacts that are new, parts of a name, a value that is the same in
Pipedrive's eyes though it is written differently) is left to the plan: then what is here says None. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pipedrive_cli.delivery.gathering import Wanted, contact_list
from pipedrive_cli.delivery.naming import derived_name
from pipedrive_cli.delivery.standing import LATEST, Held, RecordState, Rules, comparable
from pipedrive_cli.run.counts.batch import LINK, Shape, contacts_of
from pipedrive_cli.run.counts.window import Waiting
from pipedrive_cli.transform.changes import Kind, RecordName

CONTACTS: Final = frozenset({"emails", "phones"})
Same = Callable[[Kind, str, Any, Any], bool]


class Plain:
    """What is known of one record: by address the value that an event of this time has set, as columns keep it."""

    __slots__ = ("contacts", "newest", "oldest", "times", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.times: dict[str, int] = {}
        self.newest = 0  # no time of an event here is later
        self.contacts: dict[str, Any] = {}  # emails and phones
        self.oldest: tuple[int, dict[str, Any]] | None = None  # when these were said that the oldest event settles

    def take(self, said: Sequence[Waiting], kind: Kind, same: Same) -> list[bool] | None:
        """Takes up parts, all later than those before, in order of time; tells of each whether it is written.

        None: they are not as plain as that, and nothing was taken up.
        """
        written = [False] * len(said)
        contacts = self.contacts
        new: dict[str, tuple[int, Any]] = {}  # address -> place, value
        for place, (_, time, shape, part, former, _) in enumerate(said):
            if former is not None or not self._goes_on(time, shape):
                return None
            for key, value in zip(shape.keys, part, strict=False):
                if key not in CONTACTS:
                    new[key] = (place, value)
                elif key not in contacts:
                    contacts = contacts | {key: value}
                    written[place] = True
                elif contacts[key] != value:
                    return None
        known = self.values
        if "name" not in known and "name" not in new and "emails" in contacts:
            return None  # its email may become its name
        for address, (place, value) in new.items():
            if address not in known:
                written[place] = True
            elif (before := known[address]) != value:
                if same(kind, address, value, before):
                    return None
                written[place] = True
        for address, (place, value) in new.items():
            known[address], self.times[address] = value, said[place].time or 0
        self.contacts = contacts
        self.newest = said[-1].time or 0
        return written

    def _goes_on(self, time: int | None, shape: Shape) -> bool:
        """Whether a part is later than all that is known, and plain."""
        if time is None or time <= self.newest or not shape.plain:
            return False
        return not shape.oldest or (self.oldest is not None and shape.oldest == (*self.oldest[1],))

    def state(self, kind: Kind, key: str, rules: Rules, id_of: Callable[[RecordName], int]) -> RecordState:
        """The same as plans know it; `id_of` tells the ids of records that it is linked to."""
        fields = {address: Held(0, self.times[address], value) for address, value in self.values.items()}
        if LINK in fields:
            fields[LINK].sent = id_of(RecordName("organizations", fields[LINK].sent))
        inputs = {}
        if "name" not in fields:
            fallback, _ = derived_name(kind, RecordState(), Wanted(), rules, key)
            if fallback is not None:
                fields["name"] = Held(fallback.rank, fallback.time, fallback.value)
        elif kind == "persons":
            inputs["name"] = Held(0, fields["name"].time, fields["name"].sent)
        if self.oldest is not None:
            time, settled = self.oldest
            fields |= {address: Held(0, LATEST - time, value) for address, value in settled.items()}
        added = {
            name: sorted({comparable(name, contact.value) for contact in contacts_of(listed)})
            for name, listed in self.contacts.items()
        }
        return RecordState(fields=fields, inputs=inputs, added=added, key=key)

    def shown(self, state: RecordState) -> dict[str, Any]:
        """What the record shows, by address; `state` is its own."""
        values = {address: held.sent for address, held in state.fields.items()}
        for name, kept in self.contacts.items():
            values[name] = contact_list(contacts_of(kept))
        return values


def begun(said: Sequence[Waiting], kind: Kind, same: Same) -> Plain | None:
    """The record that these parts have created, in order of time; None where that is not plain."""
    plain = Plain()
    for _, time, shape, part, former, _ in said:
        if time is None or former is not None:
            return None
        if shape.oldest and shape.plain:
            if plain.oldest is None:
                settled = part[len(shape.keys) :]
                plain.oldest = (time, dict(zip(shape.oldest, settled, strict=False)))
            elif time == plain.oldest[0]:
                return None
    return None if plain.take(said, kind, same) is None else plain
