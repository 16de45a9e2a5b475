"""What is left out of a write because Pipedrive has refused it, or may have. Pure.

A refusal that names a value is about that value. One that names none may be about a value that not every user may set,
or about one that the config gives to every record: the write is tried again without these, one after the other, before
its event is rejected. What the config gives, and Pipedrive refuses, costs no event: it is left out from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pipedrive_cli.delivery.effects import DeliverySettings, Refusal
from pipedrive_cli.delivery.fold import Difference, PendingChange
from pipedrive_cli.delivery.outcomes import blame, inputs_of, refused_addresses
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.model import Complaint, Kind, Outcome

FORBIDDABLE = ("visible_to", "owner_id")  # values that not every user may set: Pipedrive answers 403 to them


class LeftOut(msgspec.Struct, eq=False):
    """What is left out of the write of one record. `refused` and `complaints` are told whose values it costs."""

    kind: Kind
    settings: DeliverySettings
    refused: dict[int, Outcome]  # id(change) -> outcome
    complaints: list[tuple[PendingEvent, Complaint]]
    without: set[tuple[int, str]] = msgspec.field(default_factory=set)  # values of changes: id(change), address
    dropped: set[str] = msgspec.field(default_factory=set)  # addresses that no event asked for
    trials: list[tuple[str, ...]] | None = None  # what to try without, one after the other; None: not thought of yet
    suspects: tuple[str, ...] = ()  # what it is tried without at present
    first: tuple[Difference, Refusal] | None = None  # what was refused with all of it

    def begin(self, changes: Sequence[PendingChange]) -> None:
        """Leaves out what the config gives and Pipedrive has refused in this run."""
        constants = self.settings.constants.get(self.kind, {})
        refused = {address for kind, address in self.settings.refused_constants if kind == self.kind}
        self.without.update(
            (id(pending), address)
            for address in refused & constants.keys()
            for pending in changes
            if pending.change.fields.get(address) == constants[address].value
        )

    def take(self, refusal: Refusal, difference: Difference) -> bool:
        """Leaves out what a refusal is about. Returns whether that is anything: then it is tried again."""
        named = refused_addresses(refusal.fields, difference, self.settings.key_address.get(self.kind))
        if named:
            for address in named:
                self._blame(address, difference, refusal)
            self._leave_out(named, difference)
            return True
        if self.trials is None:
            self.first = difference, refusal
            doubtful = self._doubtful(refusal, difference)
            self.trials = [(address,) for address in doubtful]
            if len(doubtful) > 1:
                self.trials.append(tuple(doubtful))
        self._put_back()
        if not self.trials:
            return False
        self.suspects = self.trials.pop(0)
        self._leave_out(self.suspects, difference if self.first is None else self.first[0])
        return True

    def may_try_again(self, difference: Difference) -> bool:
        """Whether it is tried again should it be refused, without a value of the config's."""
        constants = self.settings.constants.get(self.kind, {})
        return self.trials != [] and any(address in difference.body for address in constants)

    def taken(self) -> None:
        """The write was taken: what it was tried without was the reason of the refusal."""
        if self.first is not None:
            for address in self.suspects:
                self._blame(address, *self.first)
        self.suspects = ()

    def _doubtful(self, refusal: Refusal, difference: Difference) -> list[str]:
        """The values that may be the reason of a refusal that names none."""
        constants = self.settings.constants.get(self.kind, {})
        ours = [a for a, constant in constants.items() if difference.body.get(a) == constant.value]
        forbidden = FORBIDDABLE if refusal.forbidden else ()
        return list(dict.fromkeys([*(a for a in forbidden if a in difference.body), *ours]))

    def _leave_out(self, addresses: Iterable[str], difference: Difference) -> None:
        for address in addresses:
            asked = difference.asked_by.get(address, ())
            self.without.update((id(pending), value) for pending in asked for value in inputs_of(self.kind, address))
            self.dropped.update(() if asked else (address,))

    def _put_back(self) -> None:
        """It was refused without the suspects, too: they are innocent."""
        if self.first is not None:
            for address in self.suspects:
                asked = self.first[0].asked_by.get(address, ())
                self.without.difference_update((id(p), value) for p in asked for value in inputs_of(self.kind, address))
                self.dropped.discard(address)
        self.suspects = ()

    def _blame(self, address: str, difference: Difference, refusal: Refusal) -> None:
        blame(self.kind, address, difference, refusal, self.settings, self.refused, self.complaints)
