"""Pending events: events that were read and have no outcome yet. Pure.

A hundred thousand wait in a window. So each holds what decides its outcome, and knows where the rest is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from pipedrive_cli.model import HANDLED, Change, Complaint, Kind, Outcome, Place

# An event with several changes has the first of their outcomes in this order.
WORST_FIRST = (
    Outcome.PENDING,
    Outcome.FAILED,
    Outcome.REJECTED,
    Outcome.DELIVERED,
    Outcome.UNCHANGED,
    Outcome.DUPLICATE,
    Outcome.SKIPPED,
)
_WEIGHT = {outcome: weight for weight, outcome in enumerate(WORST_FIRST)}


class EventOrigin(msgspec.Struct, frozen=True, gc=False):
    """Where an event comes from: what a report about it names."""

    message_id: str
    place: Place
    user: str | None = None
    time: int | None = None  # microseconds since 1970 UTC
    body: int | None = None  # the place of its bytes in the spool
    cut: bool = False  # the bytes are only the beginning of an over-long line


class EventRecord(NamedTuple):
    """A record that a change of an event went to: its id, and `created`, `updated`, `unchanged` or `merged`."""

    kind: Kind
    id: int | str
    action: str


class ChangeStore(Protocol):
    """Keeps waiting changes outside of memory: a window may hold a hundred thousand events, or many more."""

    def origin(self, at: int) -> EventOrigin: ...

    def add(self, piece: bytes) -> int:
        """Keeps a packed change; returns where."""

    def lay(self, change: Change) -> int | None:
        """Keeps a change. Returns its place, or None for one that cannot be kept."""

    def change(self, at: int) -> Change: ...


class PendingEvent(msgspec.Struct, eq=False, gc=False):  # as in `model`: one for every event that waits
    """One event without an outcome. It ends when all its changes have ended, with the first of their outcomes in order.

    `stored_origin` is its origin, or the origin's place in `store`: few events ever need it.
    """

    digest: bytes
    stored_origin: EventOrigin | int
    store: ChangeStore | None = None
    number: int = 0  # in the order in which the journal first read its events
    open: int = 0  # its changes that have not ended, and its alias
    outcome: Outcome = Outcome.SKIPPED
    complaints: tuple[Complaint, ...] = ()
    again: bool = False  # it was handled before, under another mapping: it brings values, and creates nothing
    visitor: str | None = None  # its anonymous id, where it asks for nothing
    records: tuple[EventRecord, ...] = ()  # what became of its changes; kept only where results are written
    content: int = 0  # a checksum of what it says; 0: not known

    @property
    def origin(self) -> EventOrigin:
        """Where the event comes from."""
        if isinstance(self.stored_origin, EventOrigin):
            return self.stored_origin
        assert self.store is not None  # noqa: S101 - only a store gives places
        return self.store.origin(self.stored_origin)

    @property
    def message_id(self) -> str:
        return self.origin.message_id

    @property
    def place(self) -> Place:
        return self.origin.place

    def end_change(self, outcome: Outcome) -> bool:
        """One of its changes ended, or its alias. Returns whether that was the last."""
        self.open -= 1
        if outcome is not self.outcome and _WEIGHT[outcome] < _WEIGHT[self.outcome]:
            self.outcome = outcome
        return self.open == 0

    def add(self, outcome: Outcome) -> None:
        """Takes `outcome` into account."""
        if _WEIGHT[outcome] < _WEIGHT[self.outcome]:
            self.outcome = outcome

    def complain(self, complaint: Complaint) -> None:
        """Adds a complaint."""
        self.complaints = (*self.complaints, complaint)

    def add_complaints(self, complaints: Sequence[Complaint]) -> None:
        """Adds the complaints of its transformation, and takes their outcomes into account."""
        self.complaints = (*self.complaints, *complaints)
        for complaint in complaints:
            if complaint.outcome is not None:
                self.add(complaint.outcome)

    def refuse(self, why: Complaint) -> None:
        """Rejects the event, unless `why` has another outcome."""
        self.complain(why)
        self.add(why.outcome or Outcome.REJECTED)

    def become_copy(self, original: PendingEvent) -> None:
        """Ends as the original has ended: its complaints hold for this copy, too, and both have to be mended."""
        handled = original.outcome in HANDLED or original.outcome is Outcome.SKIPPED
        self.outcome = Outcome.DUPLICATE if handled else original.outcome
        self.complaints = tuple(c for c in original.complaints if c.outcome is self.outcome)
        self.records = original.records
        self.digest = b""  # the original's outcome is the one to remember
