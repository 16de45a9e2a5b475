"""The options that events need and the account's fields lack: found by reading the events, and made."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipedrive_cli.config import Config
from pipedrive_cli.config.mapping_line import MappingLine
from pipedrive_cli.config.paths import is_path
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.events.source import Source
from pipedrive_cli.model import KINDS, Complaint, Event, Kind, Value
from pipedrive_cli.pipedrive.account import Account, Field
from pipedrive_cli.pipedrive.catalog import create_options
from pipedrive_cli.pipedrive.values import Converter, Unfit, plain, says_nothing
from pipedrive_cli.run.connection import Connection
from pipedrive_cli.run.custom_fields import CHOICES, fields_of, make_once
from pipedrive_cli.run.first_events import FirstEvents
from pipedrive_cli.run.mapped_traits import objects_of
from pipedrive_cli.text_forms import caseless_form, label_form
from pipedrive_cli.transform.long_form import ValueMap, value_map
from pipedrive_cli.transform.mapping import split_path, trait_at, value_at
from pipedrive_cli.transform.pins import Pins
from pipedrive_cli.transform.targets import FieldTarget, resolve_field
from pipedrive_cli.transform.transform import compile_mapping

LONGEST = 255  # characters of a label
MOST = 200  # new options of one field: what has more different values is no choice


@dataclass(frozen=True, slots=True)
class WantedOptions:
    """Options that a field is to get: label -> how many events bring it."""

    kind: Kind
    field: Field
    labels: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One line of the mapping that goes to a field of options."""

    trait: str
    map: ValueMap | None
    field: Field
    convert: Converter


async def lacking_options(
    connection: Connection, config: Config, sources: Sequence[Source], pinned: Pins | None = None
) -> list[WantedOptions]:
    """What the events name and no option of its field is, the most frequent first. Raises StopRun."""
    choices: dict[Kind, list[_Choice]] = {}
    for kind in KINDS:
        lines = config.fields.lines(kind)
        fields = await fields_of(connection, kind) if lines else ()
        choices[kind] = list(_choices(kind, lines, Account(fields={kind: fields}, pinned=pinned or {})))
    found: dict[tuple[Kind, str], Counter[str]] = {}
    fields_by_key: dict[tuple[Kind, str], Field] = {}
    denies, nothing = compile_mapping(config).denies, frozenset(config.values.nothing)
    now = int(connection.clock.latest() * 1_000_000)
    for entry in FirstEvents(sources, None):
        event = entry.event(now)
        if isinstance(event, Complaint) or denies(event.consent):
            continue
        for kind, _, objects in objects_of(event):
            for choice in choices[kind]:
                for traits in objects:
                    for label in _missing(choice, _value(choice, event, traits), nothing):
                        found.setdefault((kind, choice.field.key), Counter())[label] += 1
                        fields_by_key[kind, choice.field.key] = choice.field
    wanted = [
        WantedOptions(kind, fields_by_key[kind, key], _in_one_spelling(counts)) for (kind, key), counts in found.items()
    ]
    for each in wanted:
        if len(each.labels) > MOST:
            raise UserMistake(
                f"the field {each.field.name} of {each.kind} would get {len(each.labels):,} new options",
                code="usage",
                hint="so many different values are text: map the trait to a field of type text",
            )
    return wanted


def _in_one_spelling(counts: Counter[str]) -> dict[str, int]:
    """The labels, the most frequent first. Those that differ in case alone mean one option: the usual spelling's."""
    spellings: dict[str, str] = {}
    together: Counter[str] = Counter()
    for label, number in counts.most_common():
        together[spellings.setdefault(caseless_form(label), label)] += number
    return dict(together.most_common())


async def add_options(connection: Connection, wanted: WantedOptions) -> None:
    """Makes the options of one field; without an answer, looks whether they were made. Raises StopRun."""

    async def made() -> WantedOptions | None:
        fields = await fields_of(connection, wanted.kind)
        there = {option.label for field in fields if field.key == wanted.field.key for option in field.options}
        return wanted if wanted.labels.keys() <= there else None

    call = create_options(wanted.kind, wanted.field.key, wanted.labels)
    what = f"options of {wanted.field.name} of {wanted.kind}"
    await make_once(connection, call, what, "changing fields takes an admin's API token", made)


def _choices(kind: Kind, lines: dict[str, MappingLine], account: Account) -> Iterator[_Choice]:
    for trait, line in lines.items():
        target = resolve_field(kind, line.field, account)
        if not isinstance(target, FieldTarget) or target.type not in CHOICES or target.convert is None:
            continue
        field = next((f for f in account.fields[kind] if f.custom and f.address == target.address), None)
        if field is not None and line.mask is None:
            yield _Choice(trait, value_map(line), field, target.convert)


def _value(choice: _Choice, event: Event, traits: object) -> Value:
    if is_path(choice.trait):
        return value_at(event, *split_path(choice.trait))
    return trait_at(traits, choice.trait) if isinstance(traits, dict) else None


def _missing(choice: _Choice, value: Value, nothing: frozenset[str]) -> Iterator[str]:
    """The labels in a value that are none of the field's options. What the line's map rejects asks for none."""
    if says_nothing(value, nothing):
        return
    if choice.map is not None:
        value = _mapped(choice.map, value)
    try:
        if value is None or says_nothing(value, nothing) or choice.convert(value) is not None:
            return
    except Unfit:
        pass
    items = value if isinstance(value, list) else value.split(",") if _listed(choice, value) else [value]
    for item in items:
        label = None if isinstance(item, bool) else plain(item)
        if label is None or says_nothing(label, nothing) or len(label := label_form(label)) > LONGEST:
            continue
        try:
            choice.convert(label)
        except Unfit:
            yield label


def _mapped(known: ValueMap, value: Value) -> Value:
    """What stands for a value, or for those items of a list that the map takes."""
    kept = []
    for item in value if isinstance(value, list) else [value]:
        with contextlib.suppress(Unfit):
            stands = known.apply(item)
            kept += stands if isinstance(stands, list) else [] if stands is None else [stands]
    return (kept or None) if isinstance(value, list) or len(kept) > 1 else kept[0] if kept else None


def _listed(choice: _Choice, value: Value) -> bool:
    return choice.field.type == "set" and isinstance(value, str)
