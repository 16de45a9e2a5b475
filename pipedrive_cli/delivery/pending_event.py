"""Cases: events under way, from the moment they are taken up until they have an outcome. Pure.

A hundred thousand wait in a window. So a case holds what decides about its event, and knows where the rest of it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from pipedrive_cli.model import HANDLED, Change, Complaint, Outcome, Place

# An event with several parts has the first of their outcomes that stands here.
PRECEDENCE = (
    Outcome.PENDING,
    Outcome.FAILED,
    Outcome.REJECTED,
    Outcome.DELIVERED,
    Outcome.UNCHANGED,
    Outcome.DUPLICATE,
    Outcome.SKIPPED,
)
_WEIGHT = {outcome: weight for weight, outcome in enumerate(PRECEDENCE)}


class EventOrigin(msgspec.Struct, frozen=True, gc=False):
    """Whose an event is and where it stands: what is told when there is something to tell about it."""

    message_id: str
    place: Place
    user: str | None = None
    time: int | None = None  # microseconds since 1970 UTC
    body: int | None = None  # where its bytes lie: opaque here
    cut: bool = False  # they are but the beginning of an over-long line


class ChangeStore(Protocol):
    """Keeps what waits elsewhere than in memory: a window may hold a hundred thousand events, or many more."""

    def origin(self, at: int) -> EventOrigin: ...

    def add(self, piece: bytes) -> int:
        """Keeps a packed change; returns where."""

    def lay(self, change: Change) -> int | None:
        """Keeps a change; returns where, or None for one that it cannot keep."""

    def change(self, at: int) -> Change: ...


class PendingEvent(msgspec.Struct, eq=False, gc=False):  # as in `model`: one for every event that waits
    """One event under way. It ends when all its parts have ended, with the first of their outcomes that applies.

    `told` is its origin, or where `store` has it: hardly an event is ever asked for it.
    """

    digest: bytes
    told: EventOrigin | int
    store: ChangeStore | None = None
    open: int = 0
    outcome: Outcome = Outcome.SKIPPED
    complaints: tuple[Complaint, ...] = ()

    @property
    def origin(self) -> EventOrigin:
        """Whose it is and where it stands."""
        if isinstance(self.told, EventOrigin):
            return self.told
        assert self.store is not None  # noqa: S101 - it has told where
        return self.store.origin(self.told)

    @property
    def message_id(self) -> str:
        return self.origin.message_id

    @property
    def place(self) -> Place:
        return self.origin.place

    def end_part(self, outcome: Outcome) -> bool:
        """One of its parts ended. Returns whether that was the last one."""
        self.open -= 1
        self.add(outcome)
        return self.open == 0

    def add(self, outcome: Outcome) -> None:
        """Takes `outcome` into account."""
        if _WEIGHT[outcome] < _WEIGHT[self.outcome]:
            self.outcome = outcome

    def complain(self, complaint: Complaint) -> None:
        """Notes what is to be told when it has ended."""
        self.complaints = (*self.complaints, complaint)

    def add_complaints(self, complaints: Sequence[Complaint]) -> None:
        """Notes what its transformation has to tell, and what outcome that has."""
        self.complaints = (*self.complaints, *complaints)
        for complaint in complaints:
            if complaint.outcome is not None:
                self.add(complaint.outcome)

    def refuse(self, why: Complaint) -> None:
        """It is rejected, unless `why` has another outcome."""
        self.complain(why)
        self.add(why.outcome or Outcome.REJECTED)

    def become_copy(self, original: PendingEvent) -> None:
        """Ends as the original has ended: what is wrong with that is wrong with it too, counted and mended at both."""
        handled = original.outcome in HANDLED or original.outcome is Outcome.SKIPPED
        self.outcome = Outcome.DUPLICATE if handled else original.outcome
        self.complaints = tuple(c for c in original.complaints if c.outcome is self.outcome)
        self.digest = b""  # the original's outcome is the one to remember
