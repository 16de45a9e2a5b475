"""Which value wins: changes of one record folded into what its fields should hold. Pure: no journal, no network.

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
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from pipedrive_cli.pipedrive.sameness import email_form, phone_form
from pipedrive_cli.transform.changes import Change, Contact, Kind, Rank

NO_TIME = -(1 << 62)  # before any date that an event can bear
FOREIGN = NO_TIME - 1
_DEPTHS = 1_000  # every rank is a multiple of this, less the number of aliases that came after the value
FILL = 1_000
CONTEXT = -1_000
FALLBACK = -1_000_000
_LEVEL = 10_000  # between two kinds of fallback name: each keeps the rank of what it is made of
NOWHERE = (2 * FALLBACK, FOREIGN)
_LATEST = 1 << 62  # `oldest` fields hold _LATEST - time, so that the oldest event has the greatest standing
_AGES = 1 << 60  # microseconds: farther from 1970 than any date
NAME_INPUTS = ("name", "first_name", "last_name")
FALLBACK_EMAIL = "fallback_email"
_FILLED_IN = frozenset({"visible_to", "tax"})  # what Pipedrive puts into a new record that was made without them


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


class Part(NamedTuple):
    """One change of one event on its way into a fold. `depth` counts the aliases that came after it."""

    change: Change
    depth: int
    case: Any  # the event it belongs to: opaque here, unique per event


class Candidate(NamedTuple):
    """The best value that the waiting changes have for one address, and the parts that ask for it."""

    rank: int
    time: int
    value: Any
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The user's choices that decide which value wins, and how values of a kind's fields compare."""

    existing: Literal["overwrite", "fill", "newest"] = "overwrite"
    contacts: Literal["add", "replace"] = "add"
    name_fallback: tuple[str, ...] = ("email", "user_id")
    same: Callable[[Kind, str, Any, Any], bool] = lambda _kind, _address, a, b: bool(a == b)


@dataclass(slots=True)
class Wanted:
    """What the waiting changes ask of a record: best candidate per address, contacts to have, values for a POST."""

    fields: dict[str, Candidate] = field(default_factory=dict)
    inputs: dict[str, Candidate] = field(default_factory=dict)
    contacts: dict[str, list[tuple[Contact, Part]]] = field(default_factory=dict)
    on_creation: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Decision:
    """What to write: `body` by address, and `settled`, the field states that hold once it is written (or already)."""

    body: dict[str, Any] = field(default_factory=dict)
    settled: dict[str, Held] = field(default_factory=dict)
    inputs: dict[str, Held] = field(default_factory=dict)
    added: dict[str, list[str]] = field(default_factory=dict)
    asked_by: dict[str, tuple[Part, ...]] = field(default_factory=dict)  # address in `body` -> whose wish it is


def comparable(contact_field: str, value: str) -> str:
    """The form in which two emails or phones are compared: trimmed and caseless; for phones the digits and +."""
    return phone_form(value) if contact_field == "phones" else email_form(value)


def blank(value: Any) -> bool:
    """Whether a field that shows `value` counts as empty."""
    return value is None or value in ("", [], {})


def gather(kind: Kind, parts: Sequence[Part], rules: Rules, without: Container[tuple[int, str]] = ()) -> Wanted:
    """The best candidate per address among waiting changes, in the order in which they are given on equal standing.

    `without` names values that Pipedrive refused, as (id of the part, address): the next best one counts.
    """
    wanted = Wanted()
    born: dict[str, tuple[int, Any]] = {}
    for part in parts:
        change, time = part.change, _time(part.change)
        base = 0 if change.rank is Rank.OWN else CONTEXT
        rank = base - part.depth
        for address, value in change.fields.items():
            if without and (id(part), address) in without:
                continue
            target = wanted.inputs if kind == "persons" and address in NAME_INPUTS else wanted.fields
            _offer(target, address, Candidate(rank, time, value, (part,)))
        for address, value in change.oldest.items():
            if without and (id(part), address) in without:
                continue
            oldest_first = NO_TIME if time == NO_TIME else _LATEST - time
            _offer(wanted.fields, address, Candidate(rank, oldest_first, value, (part,)))
        if change.fallback_name:
            _offer(wanted.fields, "name", Candidate(FALLBACK, time, change.fallback_name, (part,)))
        _gather_contacts(wanted, part, rank, time, rules, without)
        for address, value in change.on_creation.items():
            if address not in born or time < born[address][0]:
                born[address] = (time, value)
    wanted.on_creation = {address: value for address, (_, value) in born.items()}
    return wanted


def _gather_contacts(
    wanted: Wanted, part: Part, rank: int, time: int, rules: Rules, without: Container[tuple[int, str]]
) -> None:
    for name, contacts in (("emails", part.change.emails), ("phones", part.change.phones)):
        if not contacts or (without and (id(part), name) in without):
            continue
        if name == "emails":
            _offer(wanted.inputs, FALLBACK_EMAIL, Candidate(rank, time, contacts[0].value, (part,)))
        if rules.contacts == "replace":
            _offer(wanted.fields, name, Candidate(rank, time, contact_list(contacts), (part,)))
        else:
            wanted.contacts.setdefault(name, []).extend((contact, part) for contact in contacts)


def _offer(into: dict[str, Candidate], address: str, candidate: Candidate, *, first: bool = False) -> None:
    """Keeps the better one; on equal standing the later one, or with `first` the one that is there."""
    best = into.get(address)
    if best is None or candidate[:2] > best[:2] or (candidate[:2] == best[:2] and not first):
        into[address] = candidate


def _time(change: Change) -> int:
    return NO_TIME if change.time is None else change.time


def needs_look(kind: Kind, state: RecordState, wanted: Wanted, rules: Rules, key: str | None = None) -> bool:
    """Whether the record's present values must be known before a PATCH (1 token) to decide it rightly.

    A blank can only be filled, and a list only be added to, by somebody who knows what is there.
    """
    if state.owed or state.owed_contacts:
        return True
    if any(
        comparable(name, contact.value) not in state.added.get(name, ())
        for name, contacts in wanted.contacts.items()
        for contact, _ in contacts
    ):
        return True
    candidates = dict(wanted.fields)
    name, _ = _named(kind, state, wanted, rules, key)
    if name is not None:
        candidates["name"] = name
    for address, candidate in candidates.items():
        held = state.fields.get(address)
        if held is None and candidate.rank <= FALLBACK // 2:
            continue  # a record that is there has a name, and it is not ours
        if held is not None and (
            candidate[:2] < held.standing or rules.same(kind, address, candidate.value, held.sent)
        ):
            continue  # superseded or a repetition, whatever is there
        if rules.existing != "overwrite" or candidate.rank < 0 or address.startswith("prices."):
            return True
    return False


def decide(
    kind: Kind,
    state: RecordState,
    seen: Mapping[str, Any] | None,
    wanted: Wanted,
    rules: Rules,
    *,
    key: str | None = None,
) -> Decision:
    """What must be written so that the record holds what the changes ask for.

    `seen` is the record's present values by address, None when nobody looked (then what we last saw counts, and `{}`
    for a record that is about to be created). `key` is the record key, the last resort for a name.
    """
    decision = Decision()
    candidates = dict(wanted.fields)
    for address, held in state.owed.items():
        _offer(candidates, address, Candidate(held.rank, held.time, held.sent, ()), first=True)
    name, decision.inputs = _named(kind, state, wanted, rules, key)
    if name is not None:
        _offer(candidates, "name", name)
    for address, candidate in candidates.items():
        _decide_field(kind, state, seen, address, candidate, rules, decision)
    for contact_field in ("emails", "phones"):
        owed = [(Contact(c["value"], c.get("label")), None) for c in state.owed_contacts.get(contact_field, ())]
        if contacts := [*owed, *wanted.contacts.get(contact_field, ())]:
            _decide_contacts(state, seen, contact_field, contacts, len(owed), decision)
    return decision


def _decide_field(
    kind: Kind,
    state: RecordState,
    seen: Mapping[str, Any] | None,
    address: str,
    candidate: Candidate,
    rules: Rules,
    decision: Decision,
) -> None:
    held = state.fields.get(address)
    if held is not None and rules.same(kind, address, candidate.value, held.sent):
        # It repeats what we last wrote: nothing to ask, even where a person has corrected it since.
        rank, time = max(candidate[:2], held.standing)
        decision.settled[address] = Held(rank, time, held.sent, held.seen)
        return
    current = seen.get(address) if seen is not None else None
    if seen is None and held is None and candidate.rank < 0:
        return  # it could only fill a blank, and nobody has looked: a name made of an id, for a record that has one
    if candidate[:2] < standing(kind, state, seen, address, rules):
        return  # superseded
    settled = Held(candidate.rank, candidate.time, candidate.value)
    decision.settled[address] = settled
    if seen is not None and not blank(current) and rules.same(kind, address, candidate.value, current):
        settled.seen = current
        return
    decision.body[address] = candidate.value
    decision.asked_by[address] = candidate.parts


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
    foreign = (state.foreign_rank + (FILL if rules.existing == "fill" else 0), _foreign_time(state, rules))
    return foreign if held is None else max(foreign, held.standing)


def _foreign_time(state: RecordState, rules: Rules) -> int:
    if rules.existing != "newest" or state.first_update is None:
        # Of two former records whose values nobody has dated, that of the later alias counts.
        return FOREIGN if state.former_since is None else FOREIGN + max(state.former_since, -_AGES) - _AGES
    return state.first_update + 1  # an event of the same moment is not newer


def ours(kind: Kind, address: str, held: Held, current: Any, rules: Rules) -> bool:
    """Whether a field shows what we last wrote there: as we sent it, or as Pipedrive's answer showed it."""
    return rules.same(kind, address, held.sent, current) or (
        held.seen is not None and rules.same(kind, address, held.seen, current)
    )


def _placeholder(address: str, value: Any) -> bool:
    """The 0 that Pipedrive puts where no price was given."""
    amounts = ("price", "cost", "direct_cost")
    return address.startswith("prices.") and isinstance(value, Mapping) and not any(value.get(a) for a in amounts)


def _named(
    kind: Kind, state: RecordState, wanted: Wanted, rules: Rules, key: str | None
) -> tuple[Candidate | None, dict[str, Held]]:
    """The candidate for a name that is made of something else, and the inputs that have changed.

    A person's is the newest full name, or the newest parts if one is newer, or a fallback; others have the fallback.
    """
    changed: dict[str, Held] = {}
    if kind == "persons":
        asked: dict[str, tuple[Part, ...]] = {}
        for address, candidate in wanted.inputs.items():
            held = state.inputs.get(address)
            if held is None or candidate[:2] >= held.standing:
                changed[address] = Held(candidate.rank, candidate.time, candidate.value)
                asked[address] = candidate.parts
        inputs = {**state.inputs, **changed}
        if (derived := _person_name(inputs)) is not None:
            parts = tuple(part for address in NAME_INPUTS for part in asked.get(address, ()))
            return Candidate(*derived, parts), changed
        fallback = _fallback_name(inputs, rules, key)
        return None if fallback is None else Candidate(*fallback, asked.get(FALLBACK_EMAIL, ())), changed
    if kind == "leads" or "name" in wanted.fields or key is None or "name" in state.fields:
        return None, changed
    if kind == "organizations" and not rules.name_fallback:
        return None, changed
    return Candidate(FALLBACK - _LEVEL, NO_TIME, key, ()), changed


def _person_name(inputs: Mapping[str, Held]) -> tuple[int, int, str] | None:
    full = inputs.get("name")
    parts = [held for held in (inputs.get("first_name"), inputs.get("last_name")) if held is not None]
    newest = max((held.standing for held in parts), default=None)
    if full is not None and (newest is None or full.standing >= newest):
        return (full.rank, full.time, full.sent)
    if newest is None:
        return None
    return (*newest, " ".join(str(held.sent) for held in parts))


def _fallback_name(inputs: Mapping[str, Held], rules: Rules, key: str | None) -> tuple[int, int, str] | None:
    for level, source in enumerate(rules.name_fallback):
        if source == "email" and (email := inputs.get(FALLBACK_EMAIL)) is not None:
            return (FALLBACK - level * _LEVEL + email.rank, email.time, email.sent)
        if source == "user_id" and key is not None:
            return (FALLBACK - level * _LEVEL, NO_TIME, key)
    return None


def contact_list(contacts: Iterable[Contact]) -> list[dict[str, Any]]:
    """Contacts in the form of API v2, one of each, the first primary unless the event names another."""
    unique = {contact.value.strip().casefold(): contact for contact in reversed(list(contacts))}
    ordered = list(reversed(unique.values()))
    primary = next((c for c in ordered if c.primary), ordered[0] if ordered else None)
    return [_contact_item(contact, primary=contact is primary) for contact in ordered]


def _contact_item(contact: Contact, *, primary: bool) -> dict[str, Any]:
    item: dict[str, Any] = {"value": contact.value, "primary": primary}
    return item | {"label": contact.label} if contact.label else item


def _decide_contacts(
    state: RecordState,
    seen: Mapping[str, Any] | None,
    name: str,
    contacts: Sequence[tuple[Contact, Part | None]],
    owed: int,
    decision: Decision,
) -> None:
    """A set that grows: what is there stays as it is; what we once added and somebody removed is not added again.

    The first `owed` contacts come from a merged record and are due even though we added them once.
    """
    settled = set(state.added.get(name, ()))
    present = list(decision.body.get(name) or (seen.get(name) if seen is not None else None) or ())
    there = {comparable(name, str(item.get("value", ""))) for item in present}
    fresh: dict[str, Contact] = {}
    asked: list[Part] = []
    for place, (contact, part) in enumerate(contacts):
        form = comparable(name, contact.value)
        if form in fresh or (form in settled and place >= owed):
            continue
        if form in there:
            settled.add(form)
            continue
        fresh[form] = contact
        if part is not None:
            asked.append(part)
    if settled | fresh.keys() != set(state.added.get(name, ())):
        decision.added[name] = sorted(settled | fresh.keys())
    if not fresh:
        return
    if present:
        kept = [{k: item[k] for k in ("value", "primary", "label") if item.get(k) is not None} for item in present]
        decision.body[name] = kept + [_contact_item(contact, primary=False) for contact in fresh.values()]
    else:
        decision.body[name] = contact_list(fresh.values())
    decision.asked_by[name] = tuple(asked)


def settle(
    state: RecordState, decision: Decision, shown: Mapping[str, Any] | None, *, created: bool = False
) -> RecordState:
    """The record's state once `decision` is written; `shown` is what Pipedrive's answer showed, by address."""
    fields = dict(state.fields)
    if created and shown is not None:
        fields.update({a: Held(*NOWHERE, shown[a]) for a in _FILLED_IN if not blank(shown.get(a))})
    for address, held in decision.settled.items():
        seen = held.seen
        if address in decision.body and shown is not None and shown.get(address) != held.sent:
            seen = shown.get(address)
        fields[address] = Held(held.rank, held.time, held.sent, seen)
    return msgspec.structs.replace(
        state,
        fields=fields,
        inputs={**state.inputs, **decision.inputs},
        added={**state.added, **decision.added},
        owed={},
        owed_contacts={},
    )


def drop(decision: Decision, addresses: Iterable[str]) -> Decision:
    """The decision without some addresses: a refused value is neither written nor settled."""
    gone = set(addresses)
    return Decision(
        body={a: v for a, v in decision.body.items() if a not in gone},
        settled={a: h for a, h in decision.settled.items() if a not in gone},
        inputs={} if "name" in gone else decision.inputs,
        added={a: v for a, v in decision.added.items() if a not in gone},
        asked_by={a: p for a, p in decision.asked_by.items() if a not in gone},
    )


def under_former_id(state: RecordState, alias_time: int | None, rules: Rules) -> RecordState:
    """The state of a record whose key became a former id at `alias_time`: what was set before ranks one lower."""
    cut = NO_TIME if alias_time is None else alias_time

    foreign_time = _foreign_time(state, rules)
    foreign_lower = foreign_time <= cut or state.foreign_rank < 0

    def lowered(held: Held) -> Held:
        time = _LATEST - held.time if held.time > _LATEST // 2 else held.time
        # What an alias has put below all that the current id had stays there, however early the next alias was.
        lower = time <= cut or held.rank % _DEPTHS != 0
        return Held(held.rank - lower, held.time, held.sent, held.seen)

    return msgspec.structs.replace(
        state,
        fields={a: lowered(h) for a, h in state.fields.items()},
        inputs={a: lowered(h) for a, h in state.inputs.items()},
        owed={a: lowered(h) for a, h in state.owed.items()},
        foreign_rank=state.foreign_rank - foreign_lower,
        former_since=cut if foreign_lower and state.former_since is None else state.former_since,
    )


def joined(
    survivor: RecordState,
    former: RecordState,
    survivor_shown: Mapping[str, Any],
    former_shown: Mapping[str, Any],
    rules: Rules,
) -> RecordState:
    """The survivor's state after a merge: `former` has been lowered by `under_former_id`.

    What the former record showed is owed to the survivor where it outranks what is there (nothing, mostly): nobody
    knows for sure whether Pipedrive's merge carries everything over (emails and phones above all).
    """
    owed = dict(survivor.owed)
    for address in dict.fromkeys([*former_shown, *former.owed]):
        value, held = former_shown.get(address), former.fields.get(address)
        if held is not None and held.rank <= FALLBACK // 2 and ours("persons", address, held, value, rules):
            continue  # a fallback is made anew from the inputs of both, and what Pipedrive filled in is nobody's word
        rank, time = standing("persons", former, former_shown, address, rules)
        due = former.owed.get(address)
        if due is not None and (blank(value) or due.standing > (rank, time)):
            rank, time, value = due.rank, due.time, due.sent
        if (
            address not in ("emails", "phones")
            and not blank(value)
            and (rank, time) >= standing("persons", survivor, survivor_shown, address, rules)
            and (address not in owed or (rank, time) > owed[address].standing)
        ):
            owed[address] = Held(rank, time, value, former_shown.get(address))
    contacts = {
        name: [*survivor.owed_contacts.get(name, ()), *former.owed_contacts.get(name, ()), *former_shown.get(name, ())]
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
        owed=owed,
        owed_contacts={name: due for name, due in contacts.items() if due},
    )


def _higher(a: Mapping[str, Held], b: Mapping[str, Held]) -> dict[str, Held]:
    both = dict(a)
    for address, held in b.items():
        if address not in both or held.standing > both[address].standing:
            both[address] = held
    return both
