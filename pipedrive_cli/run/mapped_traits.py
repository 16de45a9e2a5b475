"""The traits that the config maps, as events bring them: how often each occurs, and which values its field cannot take.

A mapping that no event uses is a slip in the config. One whose field takes none of the values has the wrong field.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.config.mapping_line import MappingLine
from pipedrive_cli.config.paths import is_path
from pipedrive_cli.errors import ConfigProblem
from pipedrive_cli.events.lenient import as_list
from pipedrive_cli.model import KINDS, Complaint, Event, JsonObject, Kind, cause_of
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.values import says_nothing
from pipedrive_cli.report.wording import first_of
from pipedrive_cli.run.advice import made_for_it
from pipedrive_cli.text_forms import caseless_form
from pipedrive_cli.transform.long_form import value_map
from pipedrive_cli.transform.mapping import split_path, trait_at, value_at
from pipedrive_cli.transform.targets import FieldTarget, resolve_field

ENOUGH = 3  # values of which not one fits: by then it is the field that is wrong, and not an event
VALUES_KEPT = 500  # different values of one trait
VALUES_SHOWN = 5
CHOICES = frozenset({"enum", "set", "lead_labels"})

_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})

Trait = tuple[Kind, str]
TraitObjects = tuple[Kind, str, Sequence[JsonObject]]  # the kind, how complaints begin its paths, the objects


@dataclass(slots=True)
class MappedTraits:
    """Counts over many events."""

    config: Config
    seen: Counter[Trait] = field(default_factory=Counter)
    unfit: Counter[Trait] = field(default_factory=Counter)
    looked: Counter[Kind] = field(default_factory=Counter)
    _values: dict[Trait, Counter[str]] = field(default_factory=dict)
    _mapped: dict[Kind, dict[str, MappingLine]] = field(init=False)

    def __post_init__(self) -> None:
        self._mapped = {kind: self.config.fields.lines(kind) for kind in KINDS}

    def add_event(self, event: Event, complaints: Sequence[Complaint]) -> list[Trait | None]:
        """Counts what one event brings. Returns the mapped trait that each complaint is about, if any."""
        places: dict[str, Kind] = {}
        for kind, where, objects in objects_of(event):
            places[where] = kind
            mapped = self._mapped[kind]
            for traits in objects:
                if not traits and not any(map(is_path, mapped)):
                    continue
                self.looked[kind] += 1
                for trait in mapped:
                    value = value_at(event, *split_path(trait)) if is_path(trait) else trait_at(traits, trait)
                    if not says_nothing(value):
                        self.seen[kind, trait] += 1
        return [self._trait(complaint, places) for complaint in complaints]

    def wrong(self, account: Account | None) -> Iterator[ConfigProblem]:
        """Mappings to a field that none of the values fits."""
        for (kind, trait), count in self.unfit.items():
            if count == self.seen[kind, trait] >= ENOUGH:
                target = self._target(kind, trait, account)
                if target is not None:
                    shown = self._values_shown((kind, trait))
                    message = f"not one of {count:,} values fits {described(target)}: {shown}"
                    better = made_for_it(kind, trait, account)
                    meant = None if better in (None, target.name) else f"map it to {better}, if that is meant; or "
                    yield ConfigProblem(
                        path_of(kind, trait), message, hint=f"{meant or ''}{self._remedy((kind, trait), target)}"
                    )

    def unused(self, dropped: Mapping[Kind, Mapping[str, int]]) -> Iterator[ConfigProblem]:
        """Mapped traits that no event has, with the unmapped one that was perhaps meant."""
        for kind in KINDS:
            for trait in self._mapped[kind] if self.looked[kind] else ():
                if not self.seen[kind, trait]:
                    near = get_close_matches(trait, dropped.get(kind, {}), 1)
                    meant = f"did you mean {near[0]}? {dropped[kind][near[0]]:,} have that one" if near else None
                    usual = "see how your events spell it, or take this line out"
                    message = f"no event about {kind} has this trait ({self.looked[kind]:,} looked at)"
                    yield ConfigProblem(path_of(kind, trait), message, hint=meant or usual)

    def advice(self, trait: Trait, place: str, account: Account | None) -> str | None:
        """What to do about the values of this trait that do not fit; `place` is where the config maps it."""
        if (target := self._target(*trait, account)) is None:
            return None
        unfit, seen = self.unfit[trait], max(self.unfit[trait], self.seen[trait])
        values = self._values.get(trait, Counter()).most_common()
        return unfit_words(f"{unfit:,} of {seen:,} values", target, trait, self._line(trait), place, values)

    def _target(self, kind: Kind, trait: str, account: Account | None) -> FieldTarget | None:
        target = resolve_field(kind, self._mapped[kind][trait].field, account)
        return target if isinstance(target, FieldTarget) and target.type is not None else None

    def _line(self, trait: Trait) -> MappingLine:
        return self._mapped[trait[0]][trait[1]]

    def _remedy(self, trait: Trait, target: FieldTarget) -> str:
        return _remedy(target, trait[1], self._line(trait), [*self._values.get(trait, ())])

    def _values_shown(self, trait: Trait) -> str:
        return values_shown(self._values.get(trait, Counter()).most_common())

    def _trait(self, complaint: Complaint, places: Mapping[str, Kind]) -> Trait | None:
        where = cause_of(complaint.code, complaint.field)
        if where is None:
            return None
        for place, kind in places.items():
            name = where if is_path(where) else where.removeprefix(place)
            if (name != where or is_path(where)) and name in self._mapped[kind]:
                if complaint.code == "bad_value":
                    self.unfit[kind, name] += 1
                    values = self._values.setdefault((kind, name), Counter())
                    if complaint.value is not None and (complaint.value in values or len(values) < VALUES_KEPT):
                        values[complaint.value] += 1
                return kind, name
        return None


def described(target: FieldTarget) -> str:
    """A field for people: `Age, a field of type double`."""
    return f"{target.name}, a field of type {target.type}"


def values_shown(values: Sequence[tuple[str, int]]) -> str:
    """`'Messe' × 147, 'Fair' × 3 and 2 more`."""
    return first_of([f"{value} × {count:,}" for value, count in values[:VALUES_SHOWN]], VALUES_SHOWN, whole=len(values))


def unfit_words(
    which: str, target: FieldTarget, trait: Trait, line: MappingLine, place: str, values: Sequence[tuple[str, int]]
) -> str:
    """What does not fit which field, where that is mapped, and what mends it."""
    listed = f": {values_shown(values)}" if values else ""
    remedy = _remedy(target, trait[1], line, [value for value, _ in values])
    return f"{which} do not fit {described(target)} ({place}){listed}. {remedy[0].upper()}{remedy[1:]}."


def _remedy(target: FieldTarget, trait: str, line: MappingLine, values: Sequence[str]) -> str:
    known = value_map(line)
    if known is not None and line.other == "reject" and not all(known.names(_bare(each)) for each in values):
        return "add the values to the line's `map`, or say with `other` what becomes of them"
    if target.type == "lead_labels":
        return "add what is missing to the lead labels in Pipedrive, or mend the values"
    if target.type in CHOICES:
        says = f"{{field: {_yaml(target.name)}, map: {{{_yaml(_bare(values[0]) if values else 'VALUE')}: OPTION}}}}"
        return (
            "`pipedrive-cli fields create SOURCE --options` makes the options that are missing; or say in the config "
            f"which option is meant: `{_yaml(trait)}: {says}`"
        )
    return (
        "mend the values, map the trait to a field of a fitting type, or list under `values.nothing` what says nothing"
    )


def _bare(value: str) -> str:
    """A value as it is told, without its quotes."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _yaml(text: str) -> str:
    """A text as it may stand in a line of YAML."""
    plain = re.fullmatch(r"[^\W\d][\w .-]*", text) and text == text.strip() and text.casefold() not in _YAML_WORDS
    return text if plain else msgspec.json.encode(text).decode()


def objects_of(event: Event) -> Iterator[TraitObjects]:
    """The kinds of record whose traits an event has, and the objects that hold these."""
    if event.type == "identify":
        yield "persons", "traits.", (event.traits,)
        return
    if event.type == "group":
        yield "organizations", "traits.", (event.traits,)
    elif event.type == "track":
        name = caseless_form(event.name or "")
        if name == "product viewed":
            yield "products", "properties.", (event.properties,)
            return  # it says nothing of its person
        if name == "order completed":
            items = as_list(event.properties.get("products")) or []
            yield "products", "properties.products[].", [item for item in items if isinstance(item, dict)]
            return
        yield "leads", "properties.", (event.properties,)
    if event.context_traits:
        yield "persons", "context.traits.", (event.context_traits,)


def path_of(kind: Kind, trait: str) -> str:
    """The key of the config that maps a trait."""
    return f"fields.{kind}.{trait}"
