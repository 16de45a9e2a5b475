"""Chooses the mapping of a new config: from the user's options, then RudderStack's settings, then proposals.

Earlier sources take precedence. Pure: asking people and writing the config is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipedrive_cli.config.known_traits import ALWAYS_READ
from pipedrive_cli.model import KINDS, Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.setup.proposals import (
    Proposal,
    TraitSeen,
    as_written,
    can_be_mapped,
    fit,
    near_trait,
    propose,
)
from pipedrive_cli.transform.targets import STANDARD, FieldTarget, resolve_field

KEPT_OUT: Final = ""  # given in place of a field: the trait is not to be mapped
GIVEN: Final = "as you said"
FROM_SETTINGS: Final = "from RudderStack's settings"

Maps = Mapping[Kind, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """One trait, and its field. `sure`: nobody needs to confirm it. `make` is the type of a field that is to be made.

    `why` is the reason, for people. `proposal` is what was proposed for the trait, if anything. `kept_out`: somebody
    wants no field for it, a new one neither.
    """

    trait: TraitSeen
    field: str | None = None
    why: str = ""
    sure: bool = False
    make: str | None = None
    proposal: Proposal | None = None
    fitting: int | None = None
    misfit: Any = None
    why_not: str | None = None
    kept_out: bool = False


@dataclass(slots=True)
class MappingChoice:
    """All rows, sorted by kind and with the most frequent first, and remarks about them in `notes`."""

    account: Account | None
    rows: list[ChoiceRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rows_of(self, kind: Kind) -> list[ChoiceRow]:
        """The rows of one kind."""
        return [row for row in self.rows if row.trait.kind == kind]

    def taken_fields(self, kind: Kind, but: str | None = None) -> dict[str, str]:
        """Field -> trait, for every field of a kind that has a trait other than `but`."""
        return {row.field: row.trait.path for row in self.rows_of(kind) if row.field and row.trait.path != but}


def choose(
    seen: Sequence[TraitSeen], account: Account | None, *, given: Maps, settings: Maps, ids: Mapping[Kind, str | None]
) -> MappingChoice:
    """Every trait, with its field or without one. `ids` are the fields for the ids, which no trait may have."""
    choice = MappingChoice(account)
    known = {(trait.kind, trait.path): trait for trait in seen if not trait.whole}
    for kind, written in _pairs(given):
        trait = known.get((kind, written[0]), TraitSeen(kind, written[0], 0))
        choice.rows.append(ChoiceRow(trait) if written[1] == KEPT_OUT else named_row(trait, written[1], account, GIVEN))
    for kind, (trait_name, key) in _pairs(settings):
        if not any(row.trait.path == trait_name for row in choice.rows_of(kind)):
            _add_setting(choice, known, kind, trait_name, key, ids.get(kind))
    placed = {(row.trait.kind, row.trait.path) for row in choice.rows}
    taken = {f"{row.trait.kind}/{row.field}" for row in choice.rows if row.field}
    taken |= {f"{kind}/{name}" for kind, name in ids.items() if name}
    left = [trait for trait in seen if (trait.kind, trait.path) not in placed]
    with_field = [row.trait for row in choice.rows]
    choice.rows += [_proposed_row(each) for each in propose(left, account, taken=taken, placed=with_field)]
    choice.rows.sort(key=lambda row: (KINDS.index(row.trait.kind), row.field is None, -row.trait.count, row.trait.path))
    return choice


def named_row(trait: TraitSeen, written: str, account: Account | None, why: str, *, sure: bool = True) -> ChoiceRow:
    """The row for a field that somebody named, and how well the values fit. A field that is missing can be made."""
    target = resolve_field(trait.kind, written, account)
    if not isinstance(target, FieldTarget):
        return ChoiceRow(trait, written, why, sure)
    fitting, misfit, why_not = fit(trait, target)
    return ChoiceRow(trait, written, why, sure, fitting=fitting, misfit=misfit, why_not=why_not)


def with_new_field(row: ChoiceRow) -> ChoiceRow:
    """The row with the new field that can be made for its trait; unchanged where none can."""
    proposal = row.proposal
    if row.field is not None or proposal is None or proposal.new_name is None:
        return row
    return replace(row, field=proposal.new_name, why="a new field", sure=True, make=proposal.new_type)


def _pairs(maps: Maps) -> Iterator[tuple[Kind, tuple[str, str]]]:
    for kind in KINDS:
        for pair in maps.get(kind, {}).items():
            yield kind, pair


def _add_setting(
    choice: MappingChoice,
    known: Mapping[tuple[Kind, str], TraitSeen],
    kind: Kind,
    name: str,
    key: str,
    id_field: str | None,
) -> None:
    """Adds a row for one line of RudderStack's settings, or a note that says why it is left out."""
    target = resolve_field(kind, key, choice.account)
    field = key
    if choice.account is not None and key not in STANDARD[kind] and isinstance(target, FieldTarget):
        field = as_written(kind, target.address.removeprefix("custom_fields."), target.name, choice.account)
    where = f"RudderStack's settings map {name} of {kind}"
    if not can_be_mapped(kind, name):
        choice.notes.append(f"{where}, which needs no mapping or cannot have one: left out")
    elif isinstance(target, str):
        choice.notes.append(f"{where}, but {target}: left out")
    elif field == id_field or field in choice.taken_fields(kind):
        choice.notes.append(f"{where} to {field}, which another has already: left out")
    else:
        choice.rows.append(_setting_row(choice, known, kind, name, field))


def _setting_row(
    choice: MappingChoice, known: Mapping[tuple[Kind, str], TraitSeen], kind: Kind, name: str, field: str
) -> ChoiceRow:
    trait = known.get((kind, name))
    sampled = [path for each, path in known if each == kind]
    if trait is not None or name in ALWAYS_READ[kind] or not sampled:
        return named_row(trait or TraitSeen(kind, name, 0), field, choice.account, FROM_SETTINGS)
    placed = {row.trait.path for row in choice.rows_of(kind)}
    meant = near_trait(name, [path for path in sampled if path not in placed])
    if meant is None:
        return ChoiceRow(TraitSeen(kind, name, 0), field, f"{FROM_SETTINGS}; in none of these events", sure=True)
    choice.notes.append(f"RudderStack's settings map {name} of {kind}, which no event has: was {meant} meant?")
    return named_row(known[kind, meant], field, choice.account, f"{FROM_SETTINGS}, as {name}", sure=False)


def _proposed_row(found: Proposal) -> ChoiceRow:
    if found.field is None:
        return ChoiceRow(found.trait, proposal=found)
    return ChoiceRow(
        found.trait,
        found.field,
        found.reason or "",
        found.sure,
        proposal=found,
        fitting=found.fitting,
        misfit=found.misfit,
        why_not=found.why_not,
    )
