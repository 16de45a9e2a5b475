"""Which value wins: the precedence of every value, and what is kept of a record to know it. Pure.

Every value that ever stood in a field has a *precedence*, (rank, time, number); the greater one wins, whatever the
order in which files, runs and windows bring them. The number is its event's, in the order in which the journal first
read the events: so of equal times the same value wins on every run. It is 0 where no numbered event has brought the
value. Rank and time:

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
nothing, or what        `LOWEST`            any value at all wins
Pipedrive fills in
======================  ==================  =============================================================

A record that changes its id changes the precedence of its values (`under_former_id`), and a merged record leaves the
better ones to its survivor (`merged_state`). Nothing here knows events: `fold` gives their values these ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec

from pipedrive_cli.model import Kind, Value, Values
from pipedrive_cli.pipedrive.contacts import email_form, former_phone_form, phone_form

NO_TIME = -(1 << 62)  # before any date that an event can bear
FOREIGN = NO_TIME - 1
DEPTHS = 1_000  # every rank is a multiple of this, less the number of aliases that came after the value
DEEPEST = DEPTHS - 1  # aliases that a rank can count
FILL = 1_000
CONTEXT = -1_000
FALLBACK = -1_000_000
LOWEST = (2 * FALLBACK, FOREIGN, 0)
LATEST = 1 << 62  # `oldest` fields hold LATEST - time, so that the oldest event wins
_AGES = 1 << 60  # microseconds: farther from 1970 than any date


Precedence: TypeAlias = tuple[int, int, int]  # rank, time, number


class FieldState(msgspec.Struct, array_like=True):
    """What we know of one field: the precedence of its value, what we last sent, and what the answer showed."""

    rank: int
    time: int
    sent: Value
    seen: Value = None
    number: int = 0

    @property
    def precedence(self) -> Precedence:
        return (self.rank, self.time, self.number)


class RecordState(msgspec.Struct, frozen=True, rename={"carried_over": "owed", "carried_contacts": "owed_contacts"}):
    """What the journal keeps of one record, so that late events, in any order, never bring back an old value."""

    fields: dict[str, FieldState] = {}
    inputs: dict[str, FieldState] = {}  # what a derived name is made of; never sent themselves
    added: dict[str, list[str]] = {}  # emails, phones: comparable forms of those that were settled once
    # Emails, phones: as they were sent or found when one was last settled. By these the record is made anew.
    contacts: dict[str, list[dict[str, Value]]] = {}
    first_update: int | None = None  # the record's update_time when we first saw it, in microseconds
    foreign_rank: int = 0  # of foreign values: below 0 once the record's key is a former id
    former_since: int | None = None  # then: the time of the first alias that made it one
    key: str | None = None  # the record key that the record bears in Pipedrive, as far as we know
    # What the survivor of a merge must still get; `seen` is what the merged record showed.
    carried_over: dict[str, FieldState] = {}
    carried_contacts: dict[str, list[dict[str, Value]]] = {}


UNKNOWN_STATE: Final = RecordState()  # of a record of which nothing is known


@dataclass(frozen=True, slots=True)
class PrecedenceRules:
    """The user's choices that decide which value wins, and how values of a kind's fields compare."""

    existing: Literal["overwrite", "fill", "newest"] = "overwrite"
    contacts: Literal["add", "replace"] = "add"
    name_fallback: tuple[str, ...] = ("email", "user_id")
    same: Callable[[Kind, str, Value, Value], bool] = lambda _kind, _address, a, b: bool(a == b)
    country: str | None = None  # completes national phone numbers


def comparable(contact_field: str, value: str, country: str | None = None) -> str:
    """The form in which two emails or phones are compared; `contacts` has the rules."""
    return phone_form(value, country) if contact_field == "phones" else email_form(value)


def settled_forms(contact_field: str, forms: Iterable[str], country: str | None = None) -> set[str]:
    """The forms of emails or phones that were settled once, whichever form was usual when they were."""
    return {known for form in forms for known in (form, comparable(contact_field, form, country))}


def is_settled(contact_field: str, value: str, form: str, settled: set[str]) -> bool:
    """Whether an email or phone, in this comparable form, was settled once: in the former form of phones, too."""
    return form in settled or (contact_field == "phones" and former_phone_form(value) in settled)


def blank(value: Value) -> bool:
    """Whether a field that shows `value` counts as empty."""
    return not value and (value is None or value in ("", [], {}))


def precedence(kind: Kind, state: RecordState, seen: Values | None, address: str, rules: PrecedenceRules) -> Precedence:
    """The precedence of the value that is in the field now; `seen` as in `fold.compute_difference`."""
    field_state = state.fields.get(address)
    current = None if seen is None else seen.get(address)
    if current is None or blank(current) or (field_state is None and is_placeholder_price(address, current)):
        return LOWEST if field_state is None else field_state.precedence
    if field_state is not None and ours(kind, address, field_state, current, rules):
        return field_state.precedence
    carried_over = state.carried_over.get(address)
    if carried_over is not None and rules.same(kind, address, carried_over.sent, current):
        # A merge has carried it over.
        return carried_over.precedence if field_state is None else max(carried_over.precedence, field_state.precedence)
    if (
        field_state is None
        and carried_over is not None
        and carried_over.seen is not None
        and rules.same(kind, address, carried_over.seen, current)
    ):
        return LOWEST  # a merge has carried over what the former record showed, and a better value is due
    foreign = (state.foreign_rank + (FILL if rules.existing == "fill" else 0), foreign_time(state, rules), 0)
    return foreign if field_state is None else max(foreign, field_state.precedence)


def ours(kind: Kind, address: str, field_state: FieldState, current: Value, rules: PrecedenceRules) -> bool:
    """Whether a field shows what we last wrote there: as we sent it, or as Pipedrive's answer showed it."""
    return rules.same(kind, address, field_state.sent, current) or (
        field_state.seen is not None and rules.same(kind, address, field_state.seen, current)
    )


def foreign_time(state: RecordState, rules: PrecedenceRules) -> int:
    """The time that counts for a value that somebody else wrote: microseconds since 1970 UTC, or `FOREIGN`."""
    if rules.existing != "newest" or state.first_update is None:
        # Of two former records whose values nobody has dated, that of the later alias counts.
        return FOREIGN if state.former_since is None else FOREIGN + max(state.former_since, -_AGES) - _AGES
    return state.first_update + 1  # an event of the same moment is not newer


def is_placeholder_price(address: str, value: Value) -> bool:
    """The 0 that Pipedrive puts where no price was given."""
    amounts = ("price", "cost", "direct_cost")
    return address.startswith("prices.") and isinstance(value, Mapping) and not any(value.get(a) for a in amounts)


def under_former_id(state: RecordState, alias_time: int | None, rules: PrecedenceRules) -> RecordState:
    """The state of a record whose key became a former id at `alias_time`: what was set before ranks one lower."""
    cut = NO_TIME if alias_time is None else alias_time
    foreign_lower = foreign_time(state, rules) <= cut or state.foreign_rank < 0

    def lowered(field_state: FieldState) -> FieldState:
        # What an alias has lowered stays below all values of the current id, however early the next alias was.
        depth = -field_state.rank % DEPTHS
        lower = depth < DEEPEST and (field_state.time <= cut or depth != 0)
        return msgspec.structs.replace(field_state, rank=field_state.rank - lower)

    return msgspec.structs.replace(
        state,
        fields={a: lowered(h) for a, h in state.fields.items()},
        inputs={a: lowered(h) for a, h in state.inputs.items()},
        carried_over={a: lowered(h) for a, h in state.carried_over.items()},
        foreign_rank=state.foreign_rank - foreign_lower,
        former_since=cut if foreign_lower and state.former_since is None else state.former_since,
    )


def merged_state(
    survivor: RecordState,
    former: RecordState,
    survivor_shown: Values,
    former_shown: Values,
    rules: PrecedenceRules,
) -> RecordState:
    """The survivor's state after a merge; `former` has been lowered by `under_former_id`.

    What the former record showed is due to the survivor where it outranks what is there (mostly nothing): nobody
    knows for sure whether Pipedrive's merge carries everything over (emails and phones above all).
    """
    carried_over = dict(survivor.carried_over)
    for address in dict.fromkeys([*former_shown, *former.carried_over]):
        value, field_state = former_shown.get(address), former.fields.get(address)
        fallback = field_state is not None and field_state.rank <= FALLBACK // 2
        if field_state and fallback and ours("persons", address, field_state, value, rules):
            continue  # a fallback is made again from the inputs of both, and what Pipedrive filled in is nobody's value
        best = precedence("persons", former, former_shown, address, rules)
        due = former.carried_over.get(address)
        if due is not None and (blank(value) or due.precedence > best):
            best, value = due.precedence, due.sent
        if (
            address not in ("emails", "phones")
            and not blank(value)
            and best >= precedence("persons", survivor, survivor_shown, address, rules)
            and (address not in carried_over or best > carried_over[address].precedence)
        ):
            rank, time, number = best
            carried_over[address] = FieldState(rank, time, value, former_shown.get(address), number)
    contacts = {
        name: [
            *survivor.carried_contacts.get(name, ()),
            *former.carried_contacts.get(name, ()),
            *former_shown.get(name, ()),
        ]
        for name in ("emails", "phones")
    }
    added = {
        name: sorted({*survivor.added.get(name, ()), *former.added.get(name, ())})
        for name in {*survivor.added, *former.added}
    }
    return msgspec.structs.replace(
        survivor,
        inputs=_higher(survivor.inputs, former.inputs),
        added=added,
        contacts={
            name: [*survivor.contacts.get(name, ()), *former.contacts.get(name, ())]
            for name in {*survivor.contacts, *former.contacts}
        },
        carried_over=carried_over,
        carried_contacts={name: due for name, due in contacts.items() if due},
    )


def _higher(a: Mapping[str, FieldState], b: Mapping[str, FieldState]) -> dict[str, FieldState]:
    both = dict(a)
    for address, field_state in b.items():
        if address not in both or field_state.precedence > both[address].precedence:
            both[address] = field_state
    return both
