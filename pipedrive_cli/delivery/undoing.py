"""What undoing a run does to one record: deleted, given back what it had, or kept and why. Pure.

What people or later runs have changed since is theirs. A record is touched if it changed after the run, or if a later
run, a deal, an activity or a note hangs on it; what cannot be seen counts as there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

from pipedrive_cli.delivery.precedence import (
    FieldState,
    PrecedenceRules,
    RecordState,
    blank,
    comparable,
    ours,
    settled_forms,
)
from pipedrive_cli.model import Kind, Value, Values
from pipedrive_cli.pipedrive.bodies import contact_rows

KeptWhy: TypeAlias = Literal[
    "changed_since",
    "later_run",
    "something_hangs_on_it",
    "not_known_before",
    "merged",
    "not_seen",
    "refused",
    "in_doubt",
]
CONTACTS = ("emails", "phones")
PRICE = "prices."


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record or field that stays, for people to read."""

    kind: Kind
    id: int | str
    why: KeptWhy
    field: str | None = None
    message: str | None = None  # what Pipedrive said


@dataclass(slots=True)
class Undone:
    """What becomes of one record. `body` are the values to give back, by address; None clears."""

    kind: Kind
    id: int | str
    delete: bool = False
    gone: bool = False  # it is not there any more
    body: dict[str, Value] = field(default_factory=dict)
    settled: list[str] = field(default_factory=list)  # addresses that hold again, or still, what they held before
    beside: dict[str, Value] = field(default_factory=dict)  # what must go with the body, as it is
    handed_on: dict[str, Value] = field(default_factory=dict)  # values before, which later runs replaced
    kept: list[KeptRecord] = field(default_factory=list)
    untouched: bool = False  # nobody has changed it since the run
    written_at: str | None = None  # Pipedrive's time of the undo's own write
    refused: dict[str, Value] = field(default_factory=dict)  # what of the body Pipedrive did not take back

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.delete or self.body or self.settled or self.handed_on)


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
        undone.delete = undone.gone = True
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
    then: RecordState | None,
    before: Mapping[str, Value],
    unknown: Sequence[str],
    rules: PrecedenceRules,
    *,
    later: Mapping[str, bool],
) -> Undone:
    """What a record gets back that the run updated. `then` is its state before the run, `before` its values.

    `later` are the addresses that later runs wrote, and whether the later run replaced the value of this run: then the
    value before is handed on to it.
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
        if address in CONTACTS:
            back = contacts_back(address, current, value, state, then, rules)
            if back == _plain(contact_rows(current)):
                undone.settled.append(address)
            else:
                undone.body[address] = back
        elif mine is None or ours(kind, address, mine, current, rules):
            undone.body[address] = value
        else:
            undone.kept.append(KeptRecord(kind, record, "changed_since", address))
    if any(address.startswith(PRICE) for address in undone.body):  # a write replaces the prices of all currencies
        undone.beside = {a: v for a, v in shown.items() if a.startswith(PRICE) and a not in undone.body}
    return undone


def contacts_back(
    name: str,
    current: Value,
    before: Value,
    state: RecordState | None,
    then: RecordState | None,
    rules: PrecedenceRules,
) -> list[dict[str, Value]]:
    """The emails or phones that a person gets back: what the run added goes, and what it took away comes again.

    What people have added since stays, and what they took away stays away.
    """

    def forms_of(rows: Iterable[Mapping[str, Value]]) -> list[str]:
        return [comparable(name, str(row.get("value", "")), rules.country) for row in rows]

    there, had = contact_rows(current), contact_rows(before)
    listed = None if state is None else state.fields.get(name)
    if listed is not None:  # a list that replaced what was there
        sent = contact_rows(listed.sent)
        known, earlier = set(forms_of(sent)), set[str]()
    else:
        sent = contact_rows(None if state is None else state.contacts.get(name))
        known = set(settled_forms(name, () if state is None else state.added.get(name, ()), rules.country))
        earlier = set(settled_forms(name, () if then is None else then.added.get(name, ()), rules.country))
    brought = known - earlier - set(forms_of(had))
    kept = [row for row, form in zip(there, forms_of(there), strict=True) if form not in brought]
    away = {*forms_of(there), *forms_of(sent)}
    kept += [row for row, form in zip(had, forms_of(had), strict=True) if form not in away]
    return _plain(kept)


def _plain(rows: Iterable[Mapping[str, Value]]) -> list[dict[str, Value]]:
    return [{key: row[key] for key in ("value", "label", "primary") if row.get(key) is not None} for row in rows]


def state_given_back(
    state: RecordState | None, before: RecordState | None, given: Sequence[str], *, rekeyed: bool = False
) -> RecordState | None:
    """What the journal knows of a record once `given` addresses hold again what they held before the run.

    `rekeyed`: the record's key is among them.
    """
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
    key = known.key if rekeyed else state.key
    return msgspec.structs.replace(state, fields=fields, added=added, contacts=contacts, inputs=inputs, key=key)


def states_in(state: RecordState) -> tuple[FieldState, ...]:
    """All that is known of a record's values and of the parts of its name."""
    return (*state.fields.values(), *state.inputs.values())


def _all_ours(kind: Kind, shown: Values, state: RecordState, rules: PrecedenceRules) -> bool:
    return all(ours(kind, address, mine, shown.get(address), rules) for address, mine in state.fields.items())


def _equal(kind: Kind, address: str, one: Value, other: Value, rules: PrecedenceRules) -> bool:
    return (blank(one) and blank(other)) or rules.same(kind, address, one, other)
