"""Folds the changes that wait for one record into one difference from what the record holds. Pure.

First the candidates: the best value per address of what the events say (`collect_candidates`), and a name where no
event gives it whole (`display_name`). Then the difference: what must be written so that the record holds them
(`compute_difference`), and what is known of the record once that is done (`settled_state`). The table in `precedence`
says which value wins. `upsert` reads and writes.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.precedence import (
    CONTEXT,
    FALLBACK,
    LATEST,
    LOWEST,
    NO_TIME,
    FieldState,
    Precedence,
    PrecedenceRules,
    RecordState,
    blank,
    comparable,
    is_settled,
    ours,
    precedence,
    settled_forms,
)
from pipedrive_cli.model import Change, Contact, Kind, Rank, Value, Values
from pipedrive_cli.pipedrive.bodies import contact_rows
from pipedrive_cli.pipedrive.moments import rfc3339

NAME_INPUTS = ("name", "first_name", "last_name")
FALLBACK_EMAIL = "fallback_email"
_OWN = Rank.OWN
DATED: frozenset[Kind] = frozenset({"persons", "organizations"})  # are sent with an add_time: the oldest event's time


class PendingChange(msgspec.Struct, frozen=True, eq=False, gc=False):  # as in `model`: one for every change
    """One change of one event on its way into a fold. `depth` counts the aliases that came after it."""

    change: Change
    depth: int
    event: PendingEvent


class Candidate(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Values by address that have one precedence, and the changes that ask for them: mostly what one change sets."""

    precedence: Precedence
    values: Values
    changes: tuple[PendingChange, ...]

    @property
    def rank(self) -> int:
        return self.precedence[0]

    def settled(self, address: str, seen: Value = None) -> FieldState:
        """The state of a field that gets its value from here, and then shows `seen`."""
        rank, time, number = self.precedence
        return FieldState(rank, time, self.values[address], seen, number)


class Candidates(msgspec.Struct):
    """What the waiting changes ask of a record: best candidate per address, contacts to have, values for a POST."""

    fields: dict[str, Candidate] = {}
    inputs: dict[str, Candidate] = {}
    contacts: dict[str, dict[str, tuple[Contact, PendingChange]]] = {}  # by value, the first that has it
    on_creation: dict[str, Value] = {}
    may_create: bool = False  # whether any change may create the record


def collect_candidates(
    kind: Kind, changes: Sequence[PendingChange], rules: PrecedenceRules, without: Container[tuple[int, str]] = ()
) -> Candidates:
    """The best candidate per address among waiting changes. Of equal precedence the later one in the list counts.

    `without` names values that Pipedrive refused, as (id of the change, address): the next best one counts.
    """
    candidates = Candidates()
    best, highest = candidates.fields, LOWEST
    may_create, dated = False, kind in DATED
    born: Change | None = None  # the oldest change that says when the record began
    born_at = 0
    for pending in changes:
        change = pending.change
        may_create = may_create or change.may_create
        time, number = NO_TIME if change.time is None else change.time, pending.event.number
        rank = (0 if change.rank is _OWN else CONTEXT) - pending.depth
        mine, asking = (rank, time, number), (pending,)
        if change.fields:
            offer = Candidate(mine, change.fields, asking)
            if mine >= highest and not without:  # as nearly always: changes come in the order of their times
                highest = mine
                best.update(dict.fromkeys(change.fields, offer))
            else:
                _keep_better_ones(best, offer, without)
        if change.oldest:
            oldest_first = NO_TIME if time == NO_TIME else LATEST - time
            offer = Candidate((rank, oldest_first, -number), change.oldest, asking)
            highest = max(highest, offer.precedence)
            _keep_better_ones(best, offer, without)
        if change.fallback_name:
            keep_better(best, "name", Candidate((FALLBACK, time, number), {"name": change.fallback_name}, asking))
        if change.emails or change.phones:
            _collect_contacts(candidates, pending, mine, rules, without)
        if dated and (born is None or time < born_at) and (time != NO_TIME or change.on_creation):
            born, born_at = change, time
    candidates.may_create = may_create
    if kind == "persons":
        candidates.inputs = {a: best.pop(a) for a in NAME_INPUTS if a in best} | candidates.inputs
    if born is not None:
        candidates.on_creation = dict(born.on_creation) or {"add_time": rfc3339(born_at)}
    return candidates


def _keep_better_ones(into: dict[str, Candidate], offer: Candidate, without: Container[tuple[int, str]]) -> None:
    """Keeps the values of an offer that are better than what is there, save those `without` which it has to be."""
    for address in offer.values:
        if (id(offer.changes[0]), address) not in without:
            keep_better(into, address, offer)


def _collect_contacts(
    candidates: Candidates,
    pending: PendingChange,
    mine: Precedence,
    rules: PrecedenceRules,
    without: Container[tuple[int, str]],
) -> None:
    for name, contacts in (("emails", pending.change.emails), ("phones", pending.change.phones)):
        if not contacts or (without and (id(pending), name) in without):
            continue
        if name == "emails":
            first = Candidate(mine, {FALLBACK_EMAIL: contacts[0].value}, (pending,))
            keep_better(candidates.inputs, FALLBACK_EMAIL, first)
        if rules.contacts == "replace":
            listed = contact_list(name, contacts, rules.country)
            keep_better(candidates.fields, name, Candidate(mine, {name: listed}, (pending,)))
        else:
            known = candidates.contacts.setdefault(name, {})
            for contact in contacts:
                if contact.value not in known:
                    known[contact.value] = (contact, pending)


def keep_better(into: dict[str, Candidate], address: str, candidate: Candidate, *, first: bool = False) -> None:
    """Keeps the better one; of equal precedence the later one, or with `first` the one that is there."""
    best = into.get(address)
    if (
        best is None
        or candidate.precedence > best.precedence
        or (candidate.precedence == best.precedence and not first)
    ):
        into[address] = candidate


def time_of(change: Change) -> int:
    """When its event happened; without a time it is older than all others."""
    return NO_TIME if change.time is None else change.time


def contact_list(name: str, contacts: Iterable[Contact], country: str | None = None) -> list[dict[str, Value]]:
    """Contacts in the form of API v2, one of each, the first primary unless the event names another.

    `name` says whether they are emails or phones.
    """
    unique: dict[str, Contact] = {}
    for contact in contacts:
        unique.setdefault(comparable(name, contact.value, country), contact)
    return _contact_items(list(unique.values()))


def _contact_items(contacts: Sequence[Contact]) -> list[dict[str, Value]]:
    if not contacts:
        return []
    primary = next((contact for contact in contacts if contact.primary), contacts[0])
    return [contact_item(contact, primary=contact is primary) for contact in contacts]


def contact_item(contact: Contact, *, primary: bool) -> dict[str, Value]:
    """One email or phone in the form of API v2; without a label Pipedrive gives it its own."""
    item: dict[str, Value] = {"value": contact.value, "primary": primary}
    return item | {"label": contact.label} if contact.label else item


_LEVEL = 10_000  # ranks between two kinds of fallback name; each has the rank of its source within them


def display_name(
    kind: Kind, state: RecordState, candidates: Candidates, rules: PrecedenceRules, key: str | None
) -> tuple[Candidate | None, dict[str, FieldState]]:
    """The candidate for a name that no event gives whole, and the inputs of names that have changed.

    A person has the newest full name, or first and last name if one of these is newer, or a fallback; others only that.
    """
    changed: dict[str, FieldState] = {}
    if kind == "persons":
        for address, candidate in candidates.inputs.items():
            field_state = state.inputs.get(address)
            if field_state is None or candidate.precedence >= field_state.precedence:
                changed[address] = candidate.settled(address)
        inputs = {**state.inputs, **changed} if state.inputs else changed
        if (derived := _person_name(inputs)) is not None:
            asked = [candidates.inputs[address].changes for address in NAME_INPUTS if address in changed]
            return Candidate(*derived, asked[0] if len(asked) == 1 else tuple(chain.from_iterable(asked))), changed
        if (fallback := _fallback_name(inputs, rules, key)) is None:
            return None, changed
        email = candidates.inputs[FALLBACK_EMAIL].changes if FALLBACK_EMAIL in changed else ()
        return Candidate(*fallback, email), changed
    if kind == "leads" or "name" in candidates.fields or key is None or "name" in state.fields:
        return None, changed
    if kind == "organizations" and not rules.name_fallback:
        return None, changed
    return Candidate((FALLBACK - _LEVEL, NO_TIME, 0), {"name": key}, ()), changed


def _person_name(inputs: Mapping[str, FieldState]) -> tuple[Precedence, Values] | None:
    full = inputs.get("name")
    names = [name for name in (inputs.get("first_name"), inputs.get("last_name")) if name is not None]
    if not names:
        return None if full is None else (full.precedence, {"name": full.sent})
    newest = max(name.precedence for name in names)
    if full is not None and full.precedence >= newest:
        return full.precedence, {"name": full.sent}
    return newest, {"name": " ".join(str(name.sent) for name in names)}


def _fallback_name(
    inputs: Mapping[str, FieldState], rules: PrecedenceRules, key: str | None
) -> tuple[Precedence, Values] | None:
    for level, source in enumerate(rules.name_fallback):
        if source == "email" and (email := inputs.get(FALLBACK_EMAIL)) is not None:
            return (FALLBACK - level * _LEVEL + email.rank, email.time, email.number), {"name": email.sent}
        if source == "user_id" and key is not None:
            return (FALLBACK - level * _LEVEL, NO_TIME, 0), {"name": key}
    return None


_FILLED_IN = frozenset({"visible_to", "tax"})  # what Pipedrive itself fills in in a new record


class Difference(msgspec.Struct):
    """What to write: `body` by address. `settled` are the field states that hold once it is written."""

    body: dict[str, Value] = {}
    settled: dict[str, FieldState] = {}
    inputs: dict[str, FieldState] = {}
    added: dict[str, list[str]] = {}
    contacts: dict[str, list[dict[str, Value]]] = {}  # emails, phones: all that the record then has
    asked_by: dict[str, tuple[PendingChange, ...]] = {}  # address in `body` -> who asks for it
    kept: dict[str, tuple[PendingChange, ...]] = {}  # what somebody has changed since we wrote it -> who asked for it

    def write(self, winners: Mapping[str, Candidate]) -> None:
        """Has values written that have won."""
        body, settled, asked_by = self.body, self.settled, self.asked_by
        for address, candidate in winners.items():
            rank, time, number = candidate.precedence
            value = body[address] = candidate.values[address]
            settled[address] = FieldState(rank, time, value, None, number)
            asked_by[address] = candidate.changes


def needs_look(
    kind: Kind, state: RecordState, candidates: Candidates, rules: PrecedenceRules, key: str | None = None
) -> bool:
    """Whether the record's present values must be read (1 token) before a PATCH can be decided.

    Only a plan that knows what is there can fill a blank or add to a list.
    """
    if state.carried_over or state.carried_contacts:
        return True
    for listed, contacts in candidates.contacts.items():
        forms = settled_forms(listed, state.added.get(listed, ()), rules.country)
        if not all(
            is_settled(listed, contact.value, comparable(listed, contact.value, rules.country), forms)
            for contact, _ in contacts.values()
        ):
            return True
    best = dict(candidates.fields)
    name, _ = display_name(kind, state, candidates, rules, key)
    if name is not None:
        best["name"] = name
    for address, candidate in best.items():
        field_state = state.fields.get(address)
        if field_state is None and candidate.rank <= FALLBACK // 2:
            continue  # a record that is there has a name, and it is not ours
        if field_state is not None and (
            candidate.precedence < field_state.precedence
            or rules.same(kind, address, candidate.values[address], field_state.sent)
        ):
            continue  # superseded or a repetition, whatever is there
        if rules.existing != "overwrite" or candidate.rank < 0 or address.startswith("prices."):
            return True
        if field_state is not None and only_again(candidate.changes):
            return True
    return False


def compute_difference(
    kind: Kind,
    state: RecordState,
    seen: Values | None,
    candidates: Candidates,
    rules: PrecedenceRules,
    *,
    key: str | None = None,
) -> Difference:
    """What must be written so that the record holds what the changes ask for.

    `seen` are the record's present values by address: None when nobody looked (then what we last wrote counts), `{}`
    for a record that is about to be created. `key` is the record key, the last resort for a name.
    """
    difference = Difference()
    best = dict(candidates.fields)
    for address, field_state in state.carried_over.items():
        keep_better(best, address, Candidate(field_state.precedence, {address: field_state.sent}, ()), first=True)
    name, difference.inputs = display_name(kind, state, candidates, rules, key)
    if name is not None:
        keep_better(best, "name", name)
    if seen == {} and not state.fields:  # nothing is there that could win
        difference.write(best)
    else:
        for address, candidate in best.items():
            _decide_field(kind, state, seen, address, candidate, rules, difference)
    if not (candidates.contacts or state.carried_contacts):
        return difference
    for contact_field in ("emails", "phones"):
        if contact_field not in candidates.contacts and contact_field not in state.carried_contacts:
            continue
        carried_over = [
            (Contact(c["value"], c.get("label"), c.get("primary")), None)
            for c in state.carried_contacts.get(contact_field, ())
        ]
        if contacts := [*carried_over, *candidates.contacts.get(contact_field, {}).values()]:
            _decide_contacts(state, seen, contact_field, contacts, len(carried_over), rules, difference)
    return difference


def _decide_field(
    kind: Kind,
    state: RecordState,
    seen: Values | None,
    address: str,
    candidate: Candidate,
    rules: PrecedenceRules,
    difference: Difference,
) -> None:
    field_state, value = state.fields.get(address), candidate.values[address]
    if field_state is not None and rules.same(kind, address, value, field_state.sent):
        # It repeats what we last wrote: nothing to write, even where a person has corrected the field since.
        rank, time, number = max(candidate.precedence, field_state.precedence)
        difference.settled[address] = FieldState(rank, time, field_state.sent, field_state.seen, number)
        return
    current = seen.get(address) if seen is not None else None
    if seen is None and field_state is None and candidate.rank < 0:
        return  # it can only fill a blank, and nobody has looked: the record has a name, and this one is made of an id
    # Of a record that has nothing there, everything wins.
    if (field_state is not None or current is not None) and candidate.precedence < precedence(
        kind, state, seen, address, rules
    ):
        return  # superseded
    if (
        field_state is not None
        and seen is not None
        and only_again(candidate.changes)
        and not ours(kind, address, field_state, current, rules)
        and not rules.same(kind, address, value, current)
    ):
        # A mapping that was changed must not undo what a person has put right since.
        difference.kept[address] = candidate.changes
        return
    if current is not None and not blank(current) and rules.same(kind, address, value, current):
        difference.settled[address] = candidate.settled(address, current)
        return
    difference.write({address: candidate})


def only_again(changes: Sequence[PendingChange]) -> bool:
    """Whether all of these are of events that were handled before: they bring values, and create nothing."""
    if not changes or not changes[0].event.again:
        return False
    return all(pending.event.again for pending in changes)


def _decide_contacts(
    state: RecordState,
    seen: Values | None,
    name: str,
    contacts: Sequence[tuple[Contact, PendingChange | None]],
    carried_over: int,
    rules: PrecedenceRules,
    difference: Difference,
) -> None:
    """Contacts only grow: what is there stays as it is; what we once added and somebody removed is not added again.

    The first `carried_over` contacts come from a merged record: they are added even if we added them once.
    """
    country = rules.country
    before = set(state.added.get(name, ()))
    settled, known = set(before), settled_forms(name, before, country)
    # What older journals know of a record may have blank rows.
    shown = difference.body.get(name) or (None if seen is None else seen.get(name))
    present = contact_rows(shown) if shown else []
    there = {comparable(name, str(item.get("value", "")), country) for item in present}
    fresh: dict[str, Contact] = {}
    asked: list[PendingChange] = []
    for place, (contact, pending) in enumerate(contacts):
        form = comparable(name, contact.value, country)
        if form in fresh or (known and place >= carried_over and is_settled(name, contact.value, form, known)):
            continue
        if form in there:
            settled.add(form)
            continue
        fresh[form] = contact
        if pending is not None:
            asked.append(pending)
    kept = [{k: item[k] for k in ("value", "primary", "label") if item.get(k) is not None} for item in present]
    if kept:
        all_of_them = kept + [contact_item(contact, primary=False) for contact in fresh.values()]
    else:
        all_of_them = _contact_items(list(fresh.values()))
    settled.update(fresh)
    if settled != before:
        difference.added[name] = sorted(settled)
        difference.contacts[name] = all_of_them
    if fresh:
        difference.body[name] = all_of_them
        difference.asked_by[name] = tuple(asked)


def settled_state(
    state: RecordState, difference: Difference, shown: Values | None, *, created: bool = False, key: str | None = None
) -> RecordState:
    """The record's state once `difference` is written; `shown` is what Pipedrive's answer showed, by address.

    `key` is the record key that was written, if one was.
    """
    fields = dict(state.fields)
    if created and shown is not None:
        for address in _FILLED_IN:
            if address in shown and not blank(shown[address]):
                fields[address] = FieldState(*LOWEST[:2], shown[address])
    fields.update(difference.settled)
    if shown is not None and not difference.body.items() <= shown.items():
        for address, sent in difference.body.items():
            settled, seen = difference.settled.get(address), shown.get(address)
            if settled is not None and seen != sent:
                fields[address] = FieldState(settled.rank, settled.time, sent, seen, settled.number)
    return RecordState(
        fields,
        {**state.inputs, **difference.inputs} if difference.inputs else state.inputs,
        {**state.added, **difference.added} if difference.added else state.added,
        {**state.contacts, **difference.contacts} if difference.contacts else state.contacts,
        state.first_update,
        state.foreign_rank,
        state.former_since,
        state.key if key is None else key,
    )


def without(difference: Difference, addresses: Iterable[str]) -> Difference:
    """The difference without some addresses: a refused value is neither written nor settled."""
    gone = set(addresses)
    return Difference(
        body={a: v for a, v in difference.body.items() if a not in gone},
        settled={a: h for a, h in difference.settled.items() if a not in gone},
        inputs={} if "name" in gone else difference.inputs,
        added={a: v for a, v in difference.added.items() if a not in gone},
        contacts={a: v for a, v in difference.contacts.items() if a not in gone},
        asked_by={a: p for a, p in difference.asked_by.items() if a not in gone},
        kept=difference.kept,
    )
