"""What must be written so that a record holds what its changes ask for, and what is known of it once that is done.

Pure: candidates (`gathering`) are weighed against what the record holds (`standing`). Who reads and writes is `plan`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pipedrive_cli.delivery.gathering import Candidate, Part, Wanted, contact_item, contact_list, offer
from pipedrive_cli.delivery.naming import derived_name
from pipedrive_cli.delivery.standing import (
    FALLBACK,
    NOWHERE,
    Held,
    RecordState,
    Rules,
    blank,
    comparable,
    standing,
)
from pipedrive_cli.transform.changes import Contact, Kind

_FILLED_IN = frozenset({"visible_to", "tax"})  # what Pipedrive puts into a new record that was made without them


class Decision(msgspec.Struct):
    """What to write: `body` by address, and `settled`, the field states that hold once it is written (or already)."""

    body: dict[str, Any] = {}
    settled: dict[str, Held] = {}
    inputs: dict[str, Held] = {}
    added: dict[str, list[str]] = {}
    asked_by: dict[str, tuple[Part, ...]] = {}  # address in `body` -> whose wish it is


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
    name, _ = derived_name(kind, state, wanted, rules, key)
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
        offer(candidates, address, Candidate(held.rank, held.time, held.sent, ()), first=True)
    name, decision.inputs = derived_name(kind, state, wanted, rules, key)
    if name is not None:
        offer(candidates, "name", name)
    for address, candidate in candidates.items():
        _decide_field(kind, state, seen, address, candidate, rules, decision)
    for contact_field in ("emails", "phones"):
        if contact_field not in wanted.contacts and contact_field not in state.owed_contacts:
            continue
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
        decision.body[name] = kept + [contact_item(contact, primary=False) for contact in fresh.values()]
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
