"""What becomes of an event, and what is told about one: the words that every part shares.

They name no record and no request: reading says them, transforming says them, delivery says them, the report counts
them.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

# Of these the field is the cause: each is mended in a place of its own, in the mapping or in what wrote the events.
_OF_A_FIELD = frozenset({"bad_value", "refused_value", "amount_without_currency"})
_ANY_ITEM = re.compile(r"\[\d+\]")  # the tenth product of an order has no cause of its own


class Outcome(StrEnum):
    """What became of an event; every event ends in exactly one."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    FAILED = "failed"
    PENDING = "pending"


HANDLED = frozenset({Outcome.DELIVERED, Outcome.UNCHANGED})  # these alone make a later copy a duplicate
UNFINISHED = frozenset({Outcome.FAILED, Outcome.PENDING})  # what `retry` sends again
UNSETTLED = UNFINISHED | {Outcome.REJECTED}  # with one of these a run is not complete


class Complaint(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Something to tell about one event. `outcome` None is a counted problem that costs the event nothing."""

    code: str
    message: str
    field: str | None = None  # the trait or property, as the user wrote it: `traits.age`
    value: str | None = None  # a short repr of the offending value, unescaped: whoever shows it escapes it
    outcome: Outcome | None = None


def cause_of(code: str, field: str | None) -> str | None:
    """What tells problems of one code apart, where their code does not: the field, with any item of a list as `[]`."""
    return _ANY_ITEM.sub("[]", field) if code in _OF_A_FIELD and field else None
