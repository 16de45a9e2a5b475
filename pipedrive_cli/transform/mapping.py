"""One section of `fields:` compiled: which traits go to which addresses, and which trait names are known.

Made once and used for every event. So everything is prepared: paths are split, converters chosen, trait names
collected in sets. Knows nothing of event types.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from pipedrive_cli.config.known_traits import HOLDERS
from pipedrive_cli.config.mapping_line import MappingLine
from pipedrive_cli.config.paths import SIGN, is_path, steps
from pipedrive_cli.events.lenient import as_list, object_in, structured
from pipedrive_cli.events.whole import whole_event
from pipedrive_cli.model import BrokenText, Complaint, ComplaintCode, Event, Kind, Outcome
from pipedrive_cli.pipedrive.choices import words_beside
from pipedrive_cli.pipedrive.moments import rfc3339
from pipedrive_cli.pipedrive.values import (
    BROKEN,
    Converter,
    NoCurrency,
    Unfit,
    as_it_is,
    longest_kept,
    own_currency,
    says_nothing,
)
from pipedrive_cli.text_forms import knows_nothing, visible
from pipedrive_cli.transform.long_form import HIDDEN, ValueMap, masked, to_masked_text, value_map
from pipedrive_cli.transform.targets import FieldTarget

MOST = 100  # complaints and dropped names of one event at most: a hostile line of 4 MiB could hold a million
REFUSED: Final = object()  # in place of a value that does not fit its field
DEEPEST = 5  # levels: deeper parts of dropped traits are not named, only the object that holds them

BLANK: Final = frozenset({""})

ZONE = frozenset({"timezone_name", "timezone_id"})

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlist = _REPR.maxdict = 3
_REPR.maxlevel = 2
_REPR.maxlong = 40


class MappedField(NamedTuple):
    """One line. `money`: a value without a currency takes the event's. `nothing`: texts that say nothing, and the empty
    one. A text of at most `kept` characters is written as it stands.
    """

    path: str
    first: str  # the first part of the path
    below: tuple[str, ...]  # the other parts
    address: str
    convert: Converter
    kept: int
    money: bool
    name: str
    nothing: Set[str]
    special: SpecialLine | None = None


class SpecialLine(NamedTuple):
    """What few lines have: a path of the whole event, a map, a mask, or other lines that go to the same field."""

    of_event: bool
    map: ValueMap | None
    mask: bool
    rivals: bool


class Notes(msgspec.Struct):
    """Collected while one event is read: complaints, and traits that no mapping names.

    `nothing` are the texts that say nothing, and the empty one.
    """

    nothing: frozenset[str] = BLANK
    complaints: list[Complaint] = []
    dropped: list[tuple[Kind, str]] = []

    def says_nothing(self, value: Any, where: str, name: str = "", words: Set[str] | None = None) -> bool:
        """Whether a value is blank, or a text that says nothing, which is counted. `words` replaces `nothing`."""
        if type(value) is not str:
            return says_nothing(value)
        bare = visible(value)
        if bare not in (self.nothing if words is None else words):
            return False
        if bare:
            self.note_nothing(where + name, value)
        return True

    def note_nothing(self, where: str, value: Any) -> None:
        """Counts a value that says nothing: it is left out as if it were blank."""
        self.count_problem("says_nothing", "a value that says nothing is left out", where, value)

    def reject_value(self, where: str, value: Any, field: str, reason: Unfit | str) -> None:
        """Rejects the event because of a value that does not fit its field; the other fields are written."""
        if isinstance(reason, NoCurrency):
            self.reject("amount_without_currency", f"{field} {reason}", where, value)
            return
        told = BROKEN if isinstance(value, BrokenText) else reason
        if type(value) is str and knows_nothing(value):
            told = f"{told}; if texts like this one say nothing, add them to values.nothing"
        self.reject("bad_value", f"{field} {told}", where, value)

    def reject(self, code: ComplaintCode, message: str, where: str | None = None, value: Any = None) -> None:
        """Adds a complaint that rejects the event, or the part of it at `where`."""
        self.add(Complaint(code, message, where, None if value is None else short(value), Outcome.REJECTED))

    def count_problem(self, code: ComplaintCode, message: str, where: str | None = None, value: Any = None) -> None:
        """Adds a complaint that is only counted."""
        self.add(Complaint(code, message, where, None if value is None else short(value)))

    def drop_trait(self, kind: Kind, name: str) -> None:
        """Adds a trait that no mapping names."""
        if len(self.dropped) < MOST:
            self.dropped.append((kind, name))

    def use_trait(self, kind: Kind, name: str) -> None:
        """Takes back that no mapping names a trait: something else reads it."""
        if (kind, name) in self.dropped:
            self.dropped.remove((kind, name))

    def add(self, complaint: Complaint) -> None:
        """Adds a complaint."""
        # No doubles: a bad currency of an order would be reported for each of its products.
        if len(self.complaints) < MOST and complaint not in self.complaints:
            self.complaints.append(complaint)


def short(value: Any) -> str:
    """The repr of a value, cut to 120 characters."""
    return _REPR.repr(value)[:120]


def _rows(section: MappingSection, nothing: Set[str]) -> tuple[MappedField, ...]:
    aimed = Counter(target.address for _, target in section.lines.values())
    return tuple(
        MappedField(
            path,
            *split_path(path),
            target.address,
            convert := _converter(line, target),
            longest_kept(convert),
            target.type == "monetary",
            target.name,
            words_beside(nothing, target.labels) | BLANK,
            _special(path, line, rivals=aimed[target.address] > 1),
        )
        for path, (line, target) in section.lines.items()
    )


def _special(path: str, line: MappingLine, *, rivals: bool) -> SpecialLine | None:
    special = SpecialLine(is_path(path), value_map(line), line.mask is not None, rivals)
    return special if any(special) else None


def _converter(line: MappingLine, target: FieldTarget) -> Converter:
    if line.mask is not None:
        return to_masked_text  # the field's limit is for what is sent, not for what is masked
    return target.convert or as_it_is


@lru_cache(maxsize=4_096)  # the paths of a config, which every event is asked for
def split_path(path: str) -> tuple[str, tuple[str, ...]]:
    """A trait's name or a path of the event, from the top down."""
    first, *below = steps(path) if is_path(path) else path.split(".")
    return first, tuple(below)


def trait_at(traits: Mapping[str, Any], path: str) -> Any:
    """The value of a trait: along the dots, or under the whole name, as flattened exports write it."""
    first, below = split_path(path)
    found = _descend(traits.get(first), below)
    return traits.get(path) if found is None else found


def value_at(event: Event, first: str, below: tuple[str, ...]) -> Any:
    """The value of a path of the whole event; `$.timestamp` is the event's time as it counts everywhere."""
    if first == "timestamp":
        return None if event.time is None else rfc3339(event.time)
    value = whole_event(event).get(first)
    if not below or value is None:
        return value
    found = _descend(value, below)
    if found is None and isinstance(value, dict):
        found = value.get(".".join(below))  # flattened exports have names with dots
    return found


def _descend(value: Any, parts: tuple[str, ...]) -> Any:
    """The value under the parts of a path, None where it is missing."""
    for part in parts:
        if type(value) is str:
            value = object_in(value)
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _with_currency(value: Any, currency: Any) -> Any:
    """An amount with the currency that stands beside it, unless it has one of its own."""
    if says_nothing(currency):
        return value
    given = value if isinstance(value, dict) else {"value": value}
    return given if own_currency(given) is not None else {**given, "currency": currency}


class MappingSection(NamedTuple):
    """One section of `fields:` before it is compiled: its lines with their targets, and what else is known of it.

    `fixed` are traits that are used without any mapping, `unwanted` those that are not to be sent.
    """

    lines: Mapping[str, tuple[MappingLine, FieldTarget]]
    fixed: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()


class FieldMap:
    """The compiled section for one kind."""

    def __init__(self, kind: Kind, section: MappingSection, nothing: Set[str] = frozenset()) -> None:
        self.kind = kind
        written = {trait: line for trait, line in section.lines.items() if line[1].writable}
        self.types: dict[str, str | None] = {target.address: target.type for _, target in written.values()}
        # In the order of the config: where several lines go to one field, the first that says something counts.
        rows = _rows(section._replace(lines=written), nothing)
        # A plain tuple is taken apart twice as fast as a named one.
        self._rows = tuple((row, row.first, row.below, row.address, row.kept, row.nothing, row.special) for row in rows)
        # Whether an event can have values for this section without having any trait.
        self.of_event: Final = any(row.special is not None and row.special.of_event for row in rows)
        self._unwanted = section.unwanted
        paths = [path.removeprefix(SIGN) for path in section.lines if is_path(path)]
        holders = [f"{holder}." for holder in HOLDERS[kind]]
        by_path = {path.removeprefix(holder) for path in paths for holder in holders if path.startswith(holder)}
        self._mapped = frozenset(section.lines)
        self._known = section.fixed | section.lines.keys() | section.unwanted | by_path

    def wanted(self, traits: Mapping[str, Any]) -> Mapping[str, Any]:
        """The traits without those that the config does not want."""
        if not self._unwanted or self._unwanted.isdisjoint(traits):
            return traits
        return {name: value for name, value in traits.items() if name not in self._unwanted}

    def read(
        self,
        traits: Mapping[str, Any],
        where: str,
        fields: dict[str, Any],
        notes: Notes,
        event: Event,
        currency: Any = None,
    ) -> None:
        """Adds the values of mapped traits and paths to `fields`, unless their field is set already.

        `where` is the prefix of names in complaints (`traits.`); `currency` is for amounts when `traits` have none.
        """
        if not traits and not self.of_event:
            return
        refused: set[str] | None = None  # addresses
        for row, first, below, address, kept, nothing, special in self._rows:
            if special is not None:
                if address not in fields:
                    refused = set() if refused is None else refused
                    self._read_special(row, special, traits, where, fields, notes, event, currency, refused)
                continue
            value = traits.get(first)
            if below:
                value = None if value is None else _descend(value, below)
                if value is None:
                    value = traits.get(row.path)  # flattened exports have names with dots
            if value is None or address in fields:
                continue
            if type(value) is str and len(value) <= kept and visible(value) not in nothing:
                fields[address] = value  # a quick way: nearly all texts
                continue
            if notes.says_nothing(value, where, row.path, nothing):
                continue
            fit = self._fit(value, traits, currency, row, where, notes)
            if fit is not None and fit is not REFUSED:
                fields[address] = fit
        if not self._known.issuperset(traits):
            self._drop_unknown(traits, notes)

    def _read_special(
        self,
        row: MappedField,
        special: SpecialLine,
        traits: Mapping[str, Any],
        where: str,
        fields: dict[str, Any],
        notes: Notes,
        event: Event,
        currency: Any,
        refused: set[str],
    ) -> None:
        """Reads one special line. What does not fit keeps the other lines of its field from being read."""
        if row.address in refused:
            return
        if special.of_event:
            value, where = value_at(event, row.first, row.below), ""
        else:
            value = trait_at(traits, row.path)
        if special.map is None or not special.map.names(value):  # words that say nothing yield to the map
            if says_nothing(value):
                return
            if says_nothing(value, row.nothing):
                notes.note_nothing(where + row.path, None if special.mask else value)
                return
        fit = self._fit(value, traits, currency, row, where, notes)
        if fit is REFUSED:
            refused.add(row.address)
        elif fit is not None:
            fields[row.address] = fit

    def drop_unless_mapped(self, name: str, notes: Notes) -> None:
        """Counts a trait that is known, but not used in this event, unless a mapping names it."""
        if name not in self._mapped:
            notes.drop_trait(self.kind, name)

    def _fit(
        self, value: Any, traits: Mapping[str, Any], currency: Any, row: MappedField, where: str, notes: Notes
    ) -> Any:
        """The value for its field. None where it says nothing; REFUSED, with a complaint, where it does not fit.

        An amount takes the currency of the `traits` beside it, else `currency`.
        """
        special, given = row.special, value
        if type(value) is str and row.kept < 0 and (special is None or not special.mask):
            value = structured(value)
        if type(value) is dict and not row.money and (items := as_list(value)) is not None:
            value = items
        try:
            if special is not None and special.map is not None:
                value = special.map.apply(value)
                if value is None or says_nothing(value):
                    return None
            found = row.convert(_with_currency(value, traits.get("currency") or currency) if row.money else value)
            if special is not None and special.mask:
                found = masked(found)
        except Unfit as reason:
            if special is not None and special.mask:
                notes.reject_value(where + row.path, None, row.name, HIDDEN)
            else:
                notes.reject_value(where + row.path, given, row.name, reason)
            return REFUSED
        if found is None:
            notes.note_nothing(where + row.path, given)
        return self._without_zone(found, where + row.path, notes) if self.kind == "leads" else found

    def _without_zone(self, fit: Any, where: str, notes: Notes) -> Any:
        """Leads are written by v1, which has no place for a time's zone: it reads the time in the user's own."""
        if not isinstance(fit, Mapping) or ZONE.isdisjoint(fit):
            return fit
        zone = next((fit[name] for name in sorted(ZONE) if fit.get(name)), None)
        if not says_nothing(zone):
            notes.count_problem("zone_left_out", f"a lead's time has no zone: {short(zone)} is left out", where)
        return {name: part for name, part in fit.items() if name not in ZONE}

    def _drop_unknown(self, traits: Mapping[str, Any], notes: Notes, above: str = "", depth: int = 1) -> None:
        """Adds unmapped traits to the notes, under the names that a mapping would use: nested ones with dots."""
        known, kind, dropped = self._known, self.kind, notes.dropped
        for key, value in traits.items():
            name = above + key
            if value is None or name in known:
                continue
            if type(value) is dict and value and depth < DEEPEST:
                self._drop_unknown(value, notes, f"{name}.", depth + 1)
            elif len(dropped) < MOST:
                dropped.append((kind, name))
