"""Fields that Pipedrive refuses of every record, learnt from its refusals; and the account that may explain them. Pure.

A refusal of one value is that event's. The same refusal of one field again and again, where no value was ever taken, is
the field's: then it is left out, and nobody pays a second request for each record. A value that is new is tried all the
same, until as many different values were refused. What makes a record (its name, its contacts, its links, its prices)
is never given up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Protocol

import msgspec

from pipedrive_cli.model import Kind, Value

LEARNT_AFTER = 10  # equal refusals in a row: fewer may be chance where many values are bad
NEVER_GIVEN_UP = frozenset({"name", "title", "code", "emails", "phones", "organization", "person", "value"})


class _Refusals(msgspec.Struct):
    """The equal refusals of one field so far: what Pipedrive said, how often, and of which values."""

    words: str
    count: int = 0
    values: set[str] = msgspec.field(default_factory=set)


class RefusedFields:
    """What was refused and taken in one run, by kind and address."""

    def __init__(self) -> None:
        self.refusals: dict[tuple[Kind, str], _Refusals] = {}
        self._taken: defaultdict[Kind, set[str]] = defaultdict(set)

    def note_refusal(self, kind: Kind, address: str, value: Value, words: str) -> bool:
        """A value for this field was refused. Returns whether the field is given up with that."""
        place = (kind, address)
        if address in NEVER_GIVEN_UP or address.startswith("prices.") or address in self._taken[kind]:
            return False
        refusals = self.refusals.get(place)
        if refusals is None or refusals.words != words:
            refusals = self.refusals[place] = _Refusals(words)
        refusals.count += 1
        if len(refusals.values) < LEARNT_AFTER:
            refusals.values.add(repr(value))
        return refusals.count == LEARNT_AFTER

    def note_success(self, kind: Kind, addresses: Collection[str]) -> None:
        """Values for these fields were taken."""
        self._taken[kind].update(addresses)
        if self.refusals:
            for address in addresses:
                self.refusals.pop((kind, address), None)

    def given_up(self, kind: Kind, address: str, value: Value) -> bool:
        """Whether this value is not to be sent."""
        refusals = self.refusals.get((kind, address))
        if refusals is None or refusals.count < LEARNT_AFTER:
            return False
        return len(refusals.values) >= LEARNT_AFTER or repr(value) in refusals.values


class AccountWatch(Protocol):
    """Who can tell whether a refusal comes from a change of the account."""

    async def learn_kind(self, kind: Kind) -> None:
        """Learns the fields of a kind that no event of this run is about, for a record of it is looked at or made.

        Raises StopRun where the config does not fit them.
        """

    async def changed_fields(self, kind: Kind) -> frozenset[str]:
        """The addresses whose field, options or currency are others than when the run's events were read.

        Reads the account anew, unless that was done a short while ago. Raises StopRun where the config does not fit it
        any more.
        """

    def give_up_field(self, kind: Kind, address: str, words: str) -> None:
        """Tells that Pipedrive refuses this field of every record."""
