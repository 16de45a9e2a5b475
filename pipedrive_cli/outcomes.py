"""What becomes of an event, and what is told about one: the words that every part shares.

They name no record and no request: reading says them, transforming says them, delivery says them, the report counts
them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """What became of an event; every event ends in exactly one."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    FAILED = "failed"
    PENDING = "pending"


class Complaint(msgspec.Struct, frozen=True, gc=False):
    """Something to tell about one event. `outcome` None is a counted problem that costs the event nothing."""

    code: str
    message: str
    field: str | None = None  # the trait or property, as the user wrote it: `traits.age`
    value: str | None = None  # a short repr of the offending value, unescaped: whoever shows it escapes it
    outcome: Outcome | None = None
