"""What is left out of a write because Pipedrive has refused it, or may have. Pure.

A refusal that names a value is about that value. One that names none may be about a value that not every user may set,
or about one that the config gives to every record: the write is tried again without these, one after the other, before
its event is rejected. What the config gives, and Pipedrive refuses, costs no event: it is left out from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pipedrive_cli.delivery.effects import DeliverySettings, Refusal, Target
from pipedrive_cli.delivery.fold import Candidates, Difference, PendingChange
from pipedrive_cli.delivery.outcomes import blame, blame_constant, inputs_of, refused_addresses
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.model import Complaint, Kind, Outcome, Value

FORBIDDABLE = ("visible_to", "owner_id")  # values that not every user may set: Pipedrive answers 403 to them


class LeftOut(msgspec.Struct, eq=False):
    """What is left out of the write of one record, and whom that costs what."""

    kind: Kind
    settings: DeliverySettings
    event: PendingEvent | None = None  # that is told of the config's values
    refused: dict[int, Outcome] = {}  # id(change) -> outcome, of changes that lost a value
    complaints: list[tuple[PendingEvent, Complaint]] = []
    without: frozenset[tuple[int, str]] = frozenset()  # values of changes: id(change), address
    dropped: frozenset[str] = frozenset()  # addresses that no event asked for
    withheld: frozenset[str] = frozenset()  # addresses that the config gives to new records
    trials: list[tuple[str, ...]] | None = None  # what to try without, one after the other; None: not thought of yet
    suspects: tuple[str, ...] = ()  # what it is tried without at present
    first: tuple[Difference, Refusal] | None = None  # what was refused with all of it

    def begin(self, changes: Sequence[PendingChange]) -> None:
        """Leaves out what the config gives and Pipedrive has refused in this run."""
        if not self.settings.refused_constants:
            return
        constants = self.settings.constants.get(self.kind, {})
        refused = {address for kind, address in self.settings.refused_constants if kind == self.kind}
        self.withheld |= refused
        self.without |= {
            (id(pending), address)
            for address in refused & constants.keys()
            for pending in changes
            if pending.change.fields.get(address) == constants[address].value
        }

    def take_given_up(self, candidates: Candidates) -> None:
        """Leaves out the fields that Pipedrive has refused of every record; the rest of the events is sent."""
        for address, candidate in list(candidates.fields.items()):
            if not self.settings.refused_fields.given_up(self.kind, address, candidate.values[address]):
                continue
            self.dropped |= {address}
            del candidates.fields[address]
            told = Complaint(
                "field_refused",
                "Pipedrive refuses this field of every record: its values are left out",
                field=self.settings.names.get(address, address),
            )
            for pending in candidate.changes:
                if (pending.event, told) not in self.complaints:
                    self.complaints.append((pending.event, told))

    def given(self, target: Target) -> dict[str, Value]:
        """What the config gives to the record, should it be a new one."""
        given = self.settings.new_records.get(self.kind) if target.id is None else None
        return {address: value for address, value in given.items() if address not in self.withheld} if given else {}

    def take(self, refusal: Refusal, difference: Difference, given: Mapping[str, Value]) -> bool:
        """Leaves out what a refusal is about. Returns whether that is anything: then it is tried again.

        `given` is what the config gave to the record, which is not part of the difference.
        """
        named = refused_addresses(refusal.fields, difference, self.settings.key_address.get(self.kind))
        named += [a for a in given if a not in difference.body and a in refusal.fields]
        if named:
            for address in named:
                self._blame(address, difference, refusal)
            self._leave_out(named, difference)
            return True
        if self.trials is None:
            self.first = difference, refusal
            doubtful = self._doubtful(refusal, difference, given)
            self.trials = [(address,) for address in doubtful]
            if len(doubtful) > 1:
                self.trials.append(tuple(doubtful))
        self._put_back()
        if not self.trials:
            return False
        self.suspects = self.trials.pop(0)
        self._leave_out(self.suspects, difference if self.first is None else self.first[0])
        return True

    def may_try_again(self, difference: Difference, given: Mapping[str, Value]) -> bool:
        """Whether it is tried again should it be refused, without a value of the config's."""
        if not (constants := self.settings.constants.get(self.kind)) or self.trials == []:
            return False
        return any(address in difference.body or address in given for address in constants)

    def taken(self) -> None:
        """The write was taken: what it was tried without was the reason of the refusal."""
        if self.first is not None:
            for address in self.suspects:
                self._blame(address, *self.first)
        self.suspects = ()

    def _doubtful(self, refusal: Refusal, difference: Difference, given: Mapping[str, Value]) -> list[str]:
        """The values that may be the reason of a refusal that names none."""
        constants, sent = self.settings.constants.get(self.kind, {}), {**given, **difference.body}
        ours = [address for address, constant in constants.items() if sent.get(address) == constant.value]
        forbidden = FORBIDDABLE if refusal.forbidden else ()
        return list(dict.fromkeys([*(address for address in forbidden if address in sent), *ours]))

    def _leave_out(self, addresses: Iterable[str], difference: Difference) -> None:
        for address in addresses:
            if address not in difference.body:
                self.withheld |= {address}
                continue
            asked = difference.asked_by.get(address, ())
            self.without |= {(id(pending), value) for pending in asked for value in inputs_of(self.kind, address)}
            self.dropped |= set() if asked else {address}

    def _put_back(self) -> None:
        """It was refused without the suspects, too: they are innocent."""
        if self.first is not None:
            for address in self.suspects:
                asked = self.first[0].asked_by.get(address, ())
                self.without -= {(id(p), value) for p in asked for value in inputs_of(self.kind, address)}
                self.dropped -= {address}
                self.withheld -= {address}
        self.suspects = ()

    def _blame(self, address: str, difference: Difference, refusal: Refusal) -> None:
        if address not in difference.body:
            blame_constant(self.kind, address, refusal, self.settings, self.event, self.complaints)
            return
        blame(self.kind, address, difference, refusal, self.settings, self.refused, self.complaints)
