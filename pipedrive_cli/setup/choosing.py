"""The mapping of a config that is being made: what somebody said, what RudderStack was set to, and what is proposed.

In that order of weight. Pure: whoever asks people about it, and whoever writes it down, is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.setup.proposals import (
    BUILT_IN,
    Proposal,
    TraitSeen,
    as_written,
    can_be_mapped,
    fit,
    near_trait,
    propose,
)
from pipedrive_cli.transform.targets import STANDARD, FieldTarget, resolve_field

KEPT_OUT: Final = ""  # said in place of a field: the trait is to be in no mapping
SAID: Final = "as you said"
SET: Final = "from RudderStack's settings"

Maps = Mapping[Kind, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """One trait, and the field it is to go to. `sure` needs nobody's word; `make` is the type of a field to be made.

    `why` are words of ours. `told` is what proposing came to, where it came to something.
    """

    trait: TraitSeen
    field: str | None = None
    why: str = ""
    sure: bool = False
    make: str | None = None
    told: Proposal | None = None
    fitting: int | None = None
    misfit: Any = None
    why_not: str | None = None


@dataclass(slots=True)
class MappingChoice:
    """All rows, by kind and the most frequent first, and in `notes` what deserves a word beside them."""

    account: Account | None
    rows: list[ChoiceRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, kind: Kind) -> list[ChoiceRow]:
        """The rows of one kind."""
        return [row for row in self.rows if row.trait.kind == kind]

    def taken(self, kind: Kind, but: str | None = None) -> dict[str, str]:
        """Field -> trait, for every field of a kind that is mapped to by another trait than `but`."""
        return {row.field: row.trait.path for row in self.of(kind) if row.field and row.trait.path != but}


def choose(
    seen: Sequence[TraitSeen],
    account: Account | None,
    *,
    said: Maps,
    settings: Maps,
    ids: Mapping[Kind, str | None],
) -> MappingChoice:
    """Every trait with its field or without one. `ids` are the fields of the ids, which no trait may have."""
    choice = MappingChoice(account)
    known = {(trait.kind, trait.path): trait for trait in seen if not trait.whole}
    for kind, written in _pairs(said):
        trait = known.get((kind, written[0]), TraitSeen(kind, written[0], 0))
        choice.rows.append(ChoiceRow(trait) if written[1] == KEPT_OUT else judged(trait, written[1], account, SAID))
    for kind, (trait_name, key) in _pairs(settings):
        if not any(row.trait.path == trait_name for row in choice.of(kind)):
            _take_setting(choice, known, kind, trait_name, key, ids.get(kind))
    placed = {(row.trait.kind, row.trait.path) for row in choice.rows}
    taken = {f"{row.trait.kind}/{row.field}" for row in choice.rows if row.field}
    taken |= {f"{kind}/{name}" for kind, name in ids.items() if name}
    left = [trait for trait in seen if (trait.kind, trait.path) not in placed]
    theirs = [row.trait for row in choice.rows]
    choice.rows += [_proposed(each) for each in propose(left, account, taken=taken, placed=theirs)]
    choice.rows.sort(key=lambda row: (KINDS.index(row.trait.kind), row.field is None, -row.trait.count, row.trait.path))
    return choice


def judged(trait: TraitSeen, written: str, account: Account | None, why: str, *, sure: bool = True) -> ChoiceRow:
    """A row for a field that somebody named, with how well the values fit it. A field that is not there may be made."""
    target = resolve_field(trait.kind, written, account)
    if not isinstance(target, FieldTarget):
        return ChoiceRow(trait, written, why, sure)
    fitting, misfit, why_not = fit(trait, target)
    return ChoiceRow(trait, written, why, sure, fitting=fitting, misfit=misfit, why_not=why_not)


def made(row: ChoiceRow) -> ChoiceRow:
    """The row with the field that could be made for it; as it is where none could."""
    told = row.told
    if row.field is not None or told is None or told.new_name is None:
        return row
    return replace(row, field=told.new_name, why="a new field", sure=True, make=told.new_type)


def _pairs(maps: Maps) -> Iterator[tuple[Kind, tuple[str, str]]]:
    for kind in KINDS:
        for pair in maps.get(kind, {}).items():
            yield kind, pair


def _take_setting(
    choice: MappingChoice,
    known: Mapping[tuple[Kind, str], TraitSeen],
    kind: Kind,
    name: str,
    key: str,
    id_field: str | None,
) -> None:
    """One line of RudderStack's settings becomes a row, or a note that says why not."""
    target = resolve_field(kind, key, choice.account)
    field = key
    if choice.account is not None and key not in STANDARD[kind] and isinstance(target, FieldTarget):
        field = as_written(kind, target.address.removeprefix("custom_fields."), target.name, choice.account)
    where = f"RudderStack's settings map {name} of {kind}"
    if not can_be_mapped(kind, name):
        choice.notes.append(f"{where}, which needs no mapping or cannot have one: left out")
    elif isinstance(target, str):
        choice.notes.append(f"{where}, but {target}: left out")
    elif field == id_field or field in choice.taken(kind):
        choice.notes.append(f"{where} to {field}, which another has already: left out")
    else:
        choice.rows.append(_of_setting(choice, known, kind, name, field))


def _of_setting(
    choice: MappingChoice, known: Mapping[tuple[Kind, str], TraitSeen], kind: Kind, name: str, field: str
) -> ChoiceRow:
    trait = known.get((kind, name))
    sampled = [path for each, path in known if each == kind]
    if trait is not None or name in BUILT_IN[kind] or not sampled:
        return judged(trait or TraitSeen(kind, name, 0), field, choice.account, SET)
    placed = {row.trait.path for row in choice.of(kind)}
    meant = near_trait(name, [path for path in sampled if path not in placed])
    if meant is None:
        return ChoiceRow(TraitSeen(kind, name, 0), field, f"{SET}; in none of these events", sure=True)
    choice.notes.append(f"RudderStack's settings map {name} of {kind}, which no event has: was {meant} meant?")
    return judged(known[kind, meant], field, choice.account, f"{SET}, as {name}", sure=False)


def _proposed(found: Proposal) -> ChoiceRow:
    if found.field is None:
        return ChoiceRow(found.trait, told=found)
    return ChoiceRow(
        found.trait,
        found.field,
        found.reason or "",
        found.sure,
        told=found,
        fitting=found.fitting,
        misfit=found.misfit,
        why_not=found.why_not,
    )
