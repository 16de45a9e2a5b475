"""What undoing a run does to one record: deleted, given back what it had, or kept and why. Pure.

What people or later runs have changed since is theirs. A record is touched if it changed after the run, or if a later
run, a deal, an activity or a note hangs on it; what cannot be seen counts as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

from pipedrive_cli.delivery.precedence import FieldState, PrecedenceRules, RecordState, blank, ours
from pipedrive_cli.model import Kind, Value, Values

KeptWhy: TypeAlias = Literal[
    "changed_since", "later_run", "something_hangs_on_it", "not_known_before", "merged", "not_seen", "refused"
]


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record or field that stays, for people to read."""

    kind: Kind
    id: int | str
    why: KeptWhy
    field: str | None = None


@dataclass(slots=True)
class Undone:
    """What becomes of one record. `body` are the values to give back, by address; None clears."""

    kind: Kind
    id: int | str
    delete: bool = False
    body: dict[str, Value] = field(default_factory=dict)
    settled: list[str] = field(default_factory=list)  # addresses that hold again, or still, what they held before
    handed_on: dict[str, Value] = field(default_factory=dict)  # values before, which later runs replaced
    kept: list[KeptRecord] = field(default_factory=list)


def undo_creation(
    kind: Kind,
    record: int | str,
    shown: Values | None,
    state: RecordState | None,
    rules: PrecedenceRules,
    *,
    changed: bool,
    later: bool,
    hangs: bool,
) -> Undone:
    """What becomes of a record that the run created. `shown` None: it is gone already.

    `changed`: its update_time is later than the run; `later`: a later run wrote it; `hangs`: something hangs on it.
    """
    undone = Undone(kind, record)
    if shown is None:
        undone.delete = True
        return undone
    why: KeptWhy | None = None
    if later:
        why = "later_run"
    elif hangs:
        why = "something_hangs_on_it"
    elif changed or (state is not None and not _all_ours(kind, shown, state, rules)):
        why = "changed_since"
    if why is not None:
        undone.kept.append(KeptRecord(kind, record, why))
    else:
        undone.delete = True
    return undone


def undo_update(
    kind: Kind,
    record: int | str,
    shown: Values | None,
    state: RecordState | None,
    before: Mapping[str, Value],
    unknown: Sequence[str],
    rules: PrecedenceRules,
    *,
    later: Mapping[str, bool],
) -> Undone:
    """What a record gets back that the run updated. `later` are the addresses that later runs wrote.

    The value of `later` is whether that run replaced the one of this run: then the value before is handed on to it.
    """
    undone = Undone(kind, record)
    if shown is None:
        undone.kept.append(KeptRecord(kind, record, "not_seen"))
        return undone
    for address in unknown:
        undone.kept.append(KeptRecord(kind, record, "not_known_before", address))
    for address, value in before.items():
        current = shown.get(address)
        if address in later:
            if later[address]:
                undone.handed_on[address] = value
            undone.kept.append(KeptRecord(kind, record, "later_run", address))
            continue
        if _equal(kind, address, current, value, rules):
            undone.settled.append(address)
            continue
        mine = None if state is None else state.fields.get(address)
        if address in {"emails", "phones"} or mine is None or ours(kind, address, mine, current, rules):
            undone.body[address] = value
        else:
            undone.kept.append(KeptRecord(kind, record, "changed_since", address))
    return undone


def state_given_back(state: RecordState | None, before: RecordState | None, given: Sequence[str]) -> RecordState | None:
    """What the journal knows of a record once `given` addresses hold again what they held before the run."""
    if state is None:
        return before
    known = RecordState() if before is None else before
    fields: dict[str, FieldState] = dict(state.fields)
    for address in given:
        fields.pop(address, None)
        if address in known.fields:
            fields[address] = known.fields[address]
    added = {name: forms for name, forms in state.added.items() if name not in given}
    added |= {name: forms for name, forms in known.added.items() if name in given}
    contacts = {name: items for name, items in state.contacts.items() if name not in given}
    contacts |= {name: items for name, items in known.contacts.items() if name in given}
    inputs = state.inputs if "name" not in given else known.inputs
    if before is None and not fields:
        return None
    return msgspec.structs.replace(state, fields=fields, added=added, contacts=contacts, inputs=inputs)


def _all_ours(kind: Kind, shown: Values, state: RecordState, rules: PrecedenceRules) -> bool:
    return all(ours(kind, address, mine, shown.get(address), rules) for address, mine in state.fields.items())


def _equal(kind: Kind, address: str, one: Value, other: Value, rules: PrecedenceRules) -> bool:
    return (blank(one) and blank(other)) or rules.same(kind, address, one, other)
