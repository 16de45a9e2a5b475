"""Which value wins: the standing of every value, and what is kept of a record to know it. Pure: no journal, no network.

Every value that ever stood in a field has a *standing*, a pair (rank, time); the greater one wins, whatever the order
in which files, runs and windows bring them:

======================  ==================  =============================================================
value                   rank                time
======================  ==================  =============================================================
own event               0                   the event's, in microseconds since 1970 UTC; none: `NO_TIME`
set under a former id   -1 per alias that   the event's: a value from before its alias ranks below
                        came after it       everything that the current id or the survivor had
foreign (a person or    0; `FILL` for       `FOREIGN`, so that any own event wins (`existing: overwrite`),
another tool wrote it)  `existing: fill`    or update_time at first sight (`newest`); below, under a former id
context.traits          `CONTEXT`           the event's; fills blanks alone
fallback name           `FALLBACK` - level  a name made of an email or an id yields to every other
nothing, or what        `NOWHERE`           any value at all wins
Pipedrive fills in
======================  ==================  =============================================================

It knows nothing of events: `gathering` ranks what they say by these words, `deciding` compares it with what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from pipedrive_cli.pipedrive.sameness import email_form, phone_form
from pipedrive_cli.transform.changes import Kind

NO_TIME = -(1 << 62)  # before any date that an event can bear
FOREIGN = NO_TIME - 1
DEPTHS = 1_000  # every rank is a multiple of this, less the number of aliases that came after the value
FILL = 1_000
CONTEXT = -1_000
FALLBACK = -1_000_000
NOWHERE = (2 * FALLBACK, FOREIGN)
LATEST = 1 << 62  # `oldest` fields hold LATEST - time, so that the oldest event has the greatest standing
_AGES = 1 << 60  # microseconds: farther from 1970 than any date


class Held(msgspec.Struct, array_like=True):
    """What we know of one field: the standing of the value in it, what we last sent, and what the answer showed."""

    rank: int
    time: int
    sent: Any
    seen: Any = None

    @property
    def standing(self) -> tuple[int, int]:
        return (self.rank, self.time)


class RecordState(msgspec.Struct):
    """What the journal keeps of one record, so that late events and odd file orders never bring back an old value."""

    fields: dict[str, Held] = {}
    inputs: dict[str, Held] = {}  # what a derived name is made of; never sent themselves
    added: dict[str, list[str]] = {}  # emails, phones: comparable forms of those that were settled once
    first_update: int | None = None  # the record's update_time when we first saw it, in microseconds
    foreign_rank: int = 0  # below 0 once the record was taken over from a former id
    former_since: int | None = None  # and then: the time of the first alias that made it one
    key: str | None = None  # the record key that the record bears in Pipedrive, as far as we know
    owed: dict[str, Held] = {}  # what the survivor of a merge must still get; `seen`: what the merged record showed
    owed_contacts: dict[str, list[dict[str, Any]]] = {}


@dataclass(frozen=True, slots=True)
class Rules:
    """The user's choices that decide which value wins, and how values of a kind's fields compare."""

    existing: Literal["overwrite", "fill", "newest"] = "overwrite"
    contacts: Literal["add", "replace"] = "add"
    name_fallback: tuple[str, ...] = ("email", "user_id")
    same: Callable[[Kind, str, Any, Any], bool] = lambda _kind, _address, a, b: bool(a == b)


def comparable(contact_field: str, value: str) -> str:
    """The form in which two emails or phones are compared: trimmed and caseless; for phones the digits and +."""
    return phone_form(value) if contact_field == "phones" else email_form(value)


def blank(value: Any) -> bool:
    """Whether a field that shows `value` counts as empty."""
    return not value and (value is None or value in ("", [], {}))


def standing(
    kind: Kind, state: RecordState, seen: Mapping[str, Any] | None, address: str, rules: Rules
) -> tuple[int, int]:
    """The standing of the value that is in the field now; `seen` as in `decide`."""
    held = state.fields.get(address)
    current = None if seen is None else seen.get(address)
    if seen is None or blank(current) or (held is None and _placeholder(address, current)):
        return NOWHERE if held is None else held.standing
    if held is not None and ours(kind, address, held, current, rules):
        return held.standing
    owed = state.owed.get(address)
    if owed is not None and rules.same(kind, address, owed.sent, current):
        return owed.standing if held is None else max(owed.standing, held.standing)  # a merge has carried it over
    if held is None and owed is not None and owed.seen is not None and rules.same(kind, address, owed.seen, current):
        return NOWHERE  # a merge has carried over what the former record showed, and a better value is owed
    foreign = (state.foreign_rank + (FILL if rules.existing == "fill" else 0), foreign_time(state, rules))
    return foreign if held is None else max(foreign, held.standing)


def ours(kind: Kind, address: str, held: Held, current: Any, rules: Rules) -> bool:
    """Whether a field shows what we last wrote there: as we sent it, or as Pipedrive's answer showed it."""
    return rules.same(kind, address, held.sent, current) or (
        held.seen is not None and rules.same(kind, address, held.seen, current)
    )


def foreign_time(state: RecordState, rules: Rules) -> int:
    """The time at which a value counts as set that somebody else wrote, in microseconds since 1970 UTC or `FOREIGN`."""
    if rules.existing != "newest" or state.first_update is None:
        # Of two former records whose values nobody has dated, that of the later alias counts.
        return FOREIGN if state.former_since is None else FOREIGN + max(state.former_since, -_AGES) - _AGES
    return state.first_update + 1  # an event of the same moment is not newer


def _placeholder(address: str, value: Any) -> bool:
    """The 0 that Pipedrive puts where no price was given."""
    amounts = ("price", "cost", "direct_cost")
    return address.startswith("prices.") and isinstance(value, Mapping) and not any(value.get(a) for a in amounts)
