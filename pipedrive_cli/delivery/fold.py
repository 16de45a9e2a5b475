"""Folds the changes that wait for one record into one difference from what the record holds. Pure.

First the candidates: the best value per address of what the events say (`collect_candidates`), and a name where no
event gives it whole (`display_name`). Then the difference: what must be written so that the record holds them
(`compute_difference`), and what is known of the record once that is done (`settled_state`). The table in `precedence`
says which value wins. Who reads and writes is `upsert`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from pipedrive_cli.delivery.precedence import (
    CONTEXT,
    FALLBACK,
    LATEST,
    LOWEST,
    NO_TIME,
    FieldState,
    PrecedenceRules,
    RecordState,
    blank,
    comparable,
    precedence,
)
from pipedrive_cli.model import Change, Contact, Kind, Rank
from pipedrive_cli.pipedrive.moments import rfc3339

NAME_INPUTS = ("name", "first_name", "last_name")
FALLBACK_EMAIL = "fallback_email"
DATED: frozenset[Kind] = frozenset({"persons", "organizations"})  # are sent with an add_time: the oldest event's time


class PendingChange(NamedTuple):
    """One change of one event on its way into a fold. `depth` counts the aliases that came after it."""

    change: Change
    depth: int
    case: Any  # the event it belongs to: opaque here, unique per event


class Candidate(NamedTuple):
    """The best value that the waiting changes have for one address, and the parts that ask for it."""

    rank: int
    time: int
    value: Any
    parts: tuple[PendingChange, ...]


_Best: TypeAlias = tuple[int, int, Any, PendingChange]  # a candidate on its way: rank, time, value, and who asks for it


class Candidates(msgspec.Struct):
    """What the waiting changes ask of a record: best candidate per address, contacts to have, values for a POST."""

    fields: dict[str, Candidate] = {}
    inputs: dict[str, Candidate] = {}
    contacts: dict[str, list[tuple[Contact, PendingChange]]] = {}
    on_creation: dict[str, Any] = {}


def collect_candidates(
    kind: Kind, parts: Sequence[PendingChange], rules: PrecedenceRules, without: Container[tuple[int, str]] = ()
) -> Candidates:
    """The best candidate per address among waiting changes, in the order in which they are given on equal standing.

    `without` names values that Pipedrive refused, as (id of the part, address): the next best one counts.
    """
    wanted = Candidates()
    best: dict[str, _Best] = {}
    inputs: dict[str, _Best] = {} if kind == "persons" else best
    born: Change | None = None  # the oldest that says when the record came into being
    for part in parts:
        change = part.change
        time = NO_TIME if change.time is None else change.time
        rank = (0 if change.rank is Rank.OWN else CONTEXT) - part.depth
        for address, value in change.fields.items():
            if without and (id(part), address) in without:
                continue
            into = inputs if address in NAME_INPUTS else best
            other = into.get(address)
            if other is None or rank > other[0] or (rank == other[0] and time >= other[1]):
                into[address] = (rank, time, value, part)
        if change.oldest:
            oldest_first = NO_TIME if time == NO_TIME else LATEST - time
            for address, value in change.oldest.items():
                if without and (id(part), address) in without:
                    continue
                _keep(best, address, (rank, oldest_first, value, part))
        if change.fallback_name:
            _keep(best, "name", (FALLBACK, time, change.fallback_name, part))
        if change.emails or change.phones:
            _gather_contacts(wanted, best, inputs, part, rank, time, rules, without)
        if kind in DATED and (time != NO_TIME or change.on_creation) and (born is None or time < time_of(born)):
            born = change
    wanted.fields = {address: Candidate(r, t, value, (part,)) for address, (r, t, value, part) in best.items()}
    if inputs is not best:
        wanted.inputs = {address: Candidate(r, t, value, (part,)) for address, (r, t, value, part) in inputs.items()}
    if born is not None:
        wanted.on_creation = dict(born.on_creation) or {"add_time": rfc3339(time_of(born))}
    return wanted


def _keep(into: dict[str, _Best], address: str, new: _Best) -> None:
    """Keeps the better one; on equal standing the later one."""
    other = into.get(address)
    if other is None or new[:2] >= other[:2]:
        into[address] = new


def _gather_contacts(
    wanted: Candidates,
    best: dict[str, _Best],
    inputs: dict[str, _Best],
    part: PendingChange,
    rank: int,
    time: int,
    rules: PrecedenceRules,
    without: Container[tuple[int, str]],
) -> None:
    for name, contacts in (("emails", part.change.emails), ("phones", part.change.phones)):
        if not contacts or (without and (id(part), name) in without):
            continue
        if name == "emails":
            _keep(inputs, FALLBACK_EMAIL, (rank, time, contacts[0].value, part))
        if rules.contacts == "replace":
            _keep(best, name, (rank, time, contact_list(contacts), part))
        else:
            wanted.contacts.setdefault(name, []).extend([(contact, part) for contact in contacts])


def keep_better(into: dict[str, Candidate], address: str, candidate: Candidate, *, first: bool = False) -> None:
    """Keeps the better one; on equal standing the later one, or with `first` the one that is there."""
    best = into.get(address)
    if best is None or candidate[:2] > best[:2] or (candidate[:2] == best[:2] and not first):
        into[address] = candidate


def time_of(change: Change) -> int:
    """When its event happened; without a time it is older than all others."""
    return NO_TIME if change.time is None else change.time


def contact_list(contacts: Iterable[Contact]) -> list[dict[str, Any]]:
    """Contacts in the form of API v2, one of each, the first primary unless the event names another."""
    unique = {contact.value.strip().casefold(): contact for contact in reversed(list(contacts))}
    ordered = list(reversed(unique.values()))
    primary = next((c for c in ordered if c.primary), ordered[0] if ordered else None)
    return [contact_item(contact, primary=contact is primary) for contact in ordered]


def contact_item(contact: Contact, *, primary: bool) -> dict[str, Any]:
    """One email or phone in the form of API v2; without a label Pipedrive gives it its own."""
    item: dict[str, Any] = {"value": contact.value, "primary": primary}
    return item | {"label": contact.label} if contact.label else item


_LEVEL = 10_000  # between two kinds of fallback name: each keeps the rank of what it is made of


def display_name(
    kind: Kind, state: RecordState, wanted: Candidates, rules: PrecedenceRules, key: str | None
) -> tuple[Candidate | None, dict[str, FieldState]]:
    """The candidate for a name that is made of something else, and the inputs that have changed.

    A person's is the newest full name, or the newest parts if one is newer, or a fallback; others have the fallback.
    """
    changed: dict[str, FieldState] = {}
    if kind == "persons":
        asked: dict[str, tuple[PendingChange, ...]] = {}
        for address, candidate in wanted.inputs.items():
            held = state.inputs.get(address)
            if held is None or candidate[:2] >= held.precedence:
                changed[address] = FieldState(candidate.rank, candidate.time, candidate.value)
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


def _person_name(inputs: Mapping[str, FieldState]) -> tuple[int, int, str] | None:
    full = inputs.get("name")
    parts = [held for held in (inputs.get("first_name"), inputs.get("last_name")) if held is not None]
    newest = max((held.precedence for held in parts), default=None)
    if full is not None and (newest is None or full.precedence >= newest):
        return (full.rank, full.time, full.sent)
    if newest is None:
        return None
    return (*newest, " ".join(str(held.sent) for held in parts))


def _fallback_name(
    inputs: Mapping[str, FieldState], rules: PrecedenceRules, key: str | None
) -> tuple[int, int, str] | None:
    for level, source in enumerate(rules.name_fallback):
        if source == "email" and (email := inputs.get(FALLBACK_EMAIL)) is not None:
            return (FALLBACK - level * _LEVEL + email.rank, email.time, email.sent)
        if source == "user_id" and key is not None:
            return (FALLBACK - level * _LEVEL, NO_TIME, key)
    return None


_FILLED_IN = frozenset({"visible_to", "tax"})  # what Pipedrive puts into a new record that was made without them


class Difference(msgspec.Struct):
    """What to write: `body` by address, and `settled`, the field states that hold once it is written (or already)."""

    body: dict[str, Any] = {}
    settled: dict[str, FieldState] = {}
    inputs: dict[str, FieldState] = {}
    added: dict[str, list[str]] = {}
    asked_by: dict[str, tuple[PendingChange, ...]] = {}  # address in `body` -> whose wish it is


def needs_look(
    kind: Kind, state: RecordState, wanted: Candidates, rules: PrecedenceRules, key: str | None = None
) -> bool:
    """Whether the record's present values must be known before a PATCH (1 token) to decide it rightly.

    A blank can only be filled, and a list only be added to, by somebody who knows what is there.
    """
    if state.carried_over or state.carried_contacts:
        return True
    if any(
        comparable(name, contact.value) not in state.added.get(name, ())
        for name, contacts in wanted.contacts.items()
        for contact, _ in contacts
    ):
        return True
    candidates = dict(wanted.fields)
    name, _ = display_name(kind, state, wanted, rules, key)
    if name is not None:
        candidates["name"] = name
    for address, candidate in candidates.items():
        held = state.fields.get(address)
        if held is None and candidate.rank <= FALLBACK // 2:
            continue  # a record that is there has a name, and it is not ours
        if held is not None and (
            candidate[:2] < held.precedence or rules.same(kind, address, candidate.value, held.sent)
        ):
            continue  # superseded or a repetition, whatever is there
        if rules.existing != "overwrite" or candidate.rank < 0 or address.startswith("prices."):
            return True
    return False


def compute_difference(
    kind: Kind,
    state: RecordState,
    seen: Mapping[str, Any] | None,
    wanted: Candidates,
    rules: PrecedenceRules,
    *,
    key: str | None = None,
) -> Difference:
    """What must be written so that the record holds what the changes ask for.

    `seen` is the record's present values by address, None when nobody looked (then what we last saw counts, and `{}`
    for a record that is about to be created). `key` is the record key, the last resort for a name.
    """
    decision = Difference()
    candidates = dict(wanted.fields)
    for address, held in state.carried_over.items():
        keep_better(candidates, address, Candidate(held.rank, held.time, held.sent, ()), first=True)
    name, decision.inputs = display_name(kind, state, wanted, rules, key)
    if name is not None:
        keep_better(candidates, "name", name)
    for address, candidate in candidates.items():
        _decide_field(kind, state, seen, address, candidate, rules, decision)
    for contact_field in ("emails", "phones"):
        if contact_field not in wanted.contacts and contact_field not in state.carried_contacts:
            continue
        carried_over = [
            (Contact(c["value"], c.get("label")), None) for c in state.carried_contacts.get(contact_field, ())
        ]
        if contacts := [*carried_over, *wanted.contacts.get(contact_field, ())]:
            _decide_contacts(state, seen, contact_field, contacts, len(carried_over), decision)
    return decision


def _decide_field(
    kind: Kind,
    state: RecordState,
    seen: Mapping[str, Any] | None,
    address: str,
    candidate: Candidate,
    rules: PrecedenceRules,
    decision: Difference,
) -> None:
    held = state.fields.get(address)
    if held is not None and rules.same(kind, address, candidate.value, held.sent):
        # It repeats what we last wrote: nothing to ask, even where a person has corrected it since.
        rank, time = max(candidate[:2], held.precedence)
        decision.settled[address] = FieldState(rank, time, held.sent, held.seen)
        return
    current = seen.get(address) if seen is not None else None
    if seen is None and held is None and candidate.rank < 0:
        return  # it could only fill a blank, and nobody has looked: a name made of an id, for a record that has one
    if candidate[:2] < precedence(kind, state, seen, address, rules):
        return  # superseded
    settled = FieldState(candidate.rank, candidate.time, candidate.value)
    decision.settled[address] = settled
    if seen is not None and not blank(current) and rules.same(kind, address, candidate.value, current):
        settled.seen = current
        return
    decision.body[address] = candidate.value
    decision.asked_by[address] = candidate.parts


def _decide_contacts(
    state: RecordState,
    seen: Mapping[str, Any] | None,
    name: str,
    contacts: Sequence[tuple[Contact, PendingChange | None]],
    carried_over: int,
    decision: Difference,
) -> None:
    """A set that grows: what is there stays as it is; what we once added and somebody removed is not added again.

    The first `carried_over` contacts come from a merged record and are due even though we added them once.
    """
    settled = set(state.added.get(name, ()))
    present = list(decision.body.get(name) or (seen.get(name) if seen is not None else None) or ())
    there = {comparable(name, str(item.get("value", ""))) for item in present}
    fresh: dict[str, Contact] = {}
    asked: list[PendingChange] = []
    for place, (contact, part) in enumerate(contacts):
        form = comparable(name, contact.value)
        if form in fresh or (form in settled and place >= carried_over):
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
        decision.body[name] = kept + [contact_item(contact, primary=False) for contact in fresh.values()]
    else:
        decision.body[name] = contact_list(fresh.values())
    decision.asked_by[name] = tuple(asked)


def settled_state(
    state: RecordState, decision: Difference, shown: Mapping[str, Any] | None, *, created: bool = False
) -> RecordState:
    """The record's state once `decision` is written; `shown` is what Pipedrive's answer showed, by address."""
    fields = dict(state.fields)
    if created and shown is not None:
        fields.update({a: FieldState(*LOWEST, shown[a]) for a in _FILLED_IN if not blank(shown.get(a))})
    for address, held in decision.settled.items():
        seen = held.seen
        if address in decision.body and shown is not None and shown.get(address) != held.sent:
            seen = shown.get(address)
        fields[address] = FieldState(held.rank, held.time, held.sent, seen)
    return msgspec.structs.replace(
        state,
        fields=fields,
        inputs={**state.inputs, **decision.inputs},
        added={**state.added, **decision.added},
        carried_over={},
        carried_contacts={},
    )


def without(decision: Difference, addresses: Iterable[str]) -> Difference:
    """The decision without some addresses: a refused value is neither written nor settled."""
    gone = set(addresses)
    return Difference(
        body={a: v for a, v in decision.body.items() if a not in gone},
        settled={a: h for a, h in decision.settled.items() if a not in gone},
        inputs={} if "name" in gone else decision.inputs,
        added={a: v for a, v in decision.added.items() if a not in gone},
        asked_by={a: p for a, p in decision.asked_by.items() if a not in gone},
    )
