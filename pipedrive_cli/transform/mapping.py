"""One section of `fields:` compiled: which traits go to which addresses, and which trait names are known.

Made once and used for every event. So everything is prepared: paths are split, converters chosen, trait names
collected in sets. Knows nothing of event types.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Set
from typing import Any, NamedTuple

import msgspec

from pipedrive_cli.events.lenient import as_list
from pipedrive_cli.model import BrokenText, Complaint, ComplaintCode, Kind, Outcome
from pipedrive_cli.pipedrive.values import (
    BROKEN,
    Converter,
    NoCurrency,
    Unfit,
    as_it_is,
    says_nothing,
    words_beside,
)
from pipedrive_cli.transform.targets import FieldTarget

MOST = 100  # complaints and dropped names of one event at most: a hostile line of 4 MiB could hold a million
DEEPEST = 5  # levels: deeper parts of dropped traits are not named, only the object that holds them

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlist = _REPR.maxdict = 3
_REPR.maxlevel = 2
_REPR.maxlong = 40


class MappedField(NamedTuple):
    """One mapped trait. `money`: a value without a currency takes the event's. `nothing`: texts that say nothing."""

    path: str
    first: str  # the first part of the path
    below: tuple[str, ...]  # the other parts
    address: str
    convert: Converter
    money: bool
    name: str
    nothing: Set[str]


class Notes(msgspec.Struct):
    """Collected while one event is read: complaints, and traits that no mapping names.

    `nothing` are the texts that say nothing.
    """

    nothing: frozenset[str] = frozenset()
    complaints: list[Complaint] = []
    dropped: list[tuple[Kind, str]] = []

    def says_nothing(self, value: Any, where: str, words: Set[str] | None = None) -> bool:
        """Whether a value is blank, or a text that says nothing, which is counted. `words` replaces `nothing`."""
        if says_nothing(value):
            return True
        if type(value) is str and value.strip() in (self.nothing if words is None else words):
            self.note_nothing(where, value)
            return True
        return False

    def note_nothing(self, where: str, value: Any) -> None:
        """Counts a value that says nothing: it is left out as if it were blank."""
        self.count_problem("says_nothing", "a value that says nothing is left out", where, value)

    def reject_value(self, where: str, value: Any, field: str, reason: Unfit) -> None:
        """Rejects the event because of a value that does not fit its field; the other fields are written."""
        if isinstance(reason, NoCurrency):
            self.reject("amount_without_currency", f"{field} {reason}", where, value)
            return
        told = BROKEN if isinstance(value, BrokenText) else reason
        self.reject("bad_value", f"{field} {told}", where, value)

    def reject(self, code: ComplaintCode, message: str, where: str | None = None, value: Any = None) -> None:
        """Adds a complaint that rejects the event, or the part of it at `where`."""
        self._add(Complaint(code, message, where, None if value is None else short(value), Outcome.REJECTED))

    def count_problem(self, code: ComplaintCode, message: str, where: str | None = None, value: Any = None) -> None:
        """Adds a complaint that is only counted."""
        self._add(Complaint(code, message, where, None if value is None else short(value)))

    def drop_trait(self, kind: Kind, name: str) -> None:
        """Adds a trait that no mapping names."""
        if len(self.dropped) < MOST:
            self.dropped.append((kind, name))

    def _add(self, complaint: Complaint) -> None:
        # No doubles: a bad currency of an order would be reported for each of its products.
        if len(self.complaints) < MOST and complaint not in self.complaints:
            self.complaints.append(complaint)


def short(value: Any) -> str:
    """The repr of a value, cut to 120 characters."""
    return _REPR.repr(value)[:120]


def _parts(path: str) -> tuple[str, tuple[str, ...]]:
    first, *below = path.split(".")
    return first, tuple(below)


def _descend(value: Any, parts: tuple[str, ...]) -> Any:
    """The value under the parts of a path, None where it is missing."""
    for part in parts:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _with_currency(value: Any, currency: Any) -> Any:
    """An amount with the currency that stands beside it, unless it has one of its own."""
    if says_nothing(currency):
        return value
    given = value if isinstance(value, dict) else {"value": value}
    return given if not says_nothing(given.get("currency")) else {**given, "currency": currency}


class FieldMap:
    """The compiled section for one kind. `fixed` are traits that are used without any mapping."""

    def __init__(
        self,
        kind: Kind,
        targets: Mapping[str, FieldTarget],
        fixed: Iterable[str],
        nothing: Set[str] = frozenset(),
    ) -> None:
        self.kind = kind
        self.types: dict[str, str | None] = {target.address: target.type for target in targets.values()}
        # In the order of the config: where two traits go to one field, the first wins.
        self._rows = tuple(
            MappedField(
                path,
                *_parts(path),
                t.address,
                t.convert or as_it_is,
                t.type == "monetary",
                t.name,
                words_beside(nothing, t.labels),
            )
            for path, t in targets.items()
        )
        self._mapped = frozenset(targets)
        self._known = frozenset(fixed) | self._mapped

    def read(
        self, traits: Mapping[str, Any], where: str, fields: dict[str, Any], notes: Notes, currency: Any = None
    ) -> None:
        """Adds the values of mapped traits to `fields`, unless their field is set already.

        `where` is the prefix of names in complaints (`traits.`); `currency` is for amounts when `traits` have none.
        """
        if not traits:
            return
        for row in self._rows:
            path, first, below, address, convert, money, _, nothing = row
            value = traits.get(first)
            if below:
                value = None if value is None else _descend(value, below)
                if value is None:
                    value = traits.get(path)  # flattened exports have names with dots
            if value is None or address in fields:
                continue
            if convert is as_it_is and type(value) is str and (bare := value.strip()) and bare not in nothing:
                fields[address] = value  # a quick way: nearly all values where field types are unknown
                continue
            if notes.says_nothing(value, where + path, nothing):
                continue
            fit = self._fit(value, traits.get("currency") or currency if money else None, row, where, notes)
            if fit is not None:
                fields[row.address] = fit
        known = self._known
        if not known.issuperset(traits):
            for key, value in traits.items():
                if key not in known and value is not None:
                    self._drop(key, value, notes)

    def drop_unless_mapped(self, name: str, notes: Notes) -> None:
        """Counts a trait that is known, but not used in this event, unless a mapping names it."""
        if name not in self._mapped:
            notes.drop_trait(self.kind, name)

    def _fit(self, value: Any, currency: Any, row: MappedField, where: str, notes: Notes) -> Any:
        """The value converted for its field; None where it says nothing or, with a complaint, does not fit."""
        if row.money:
            value = _with_currency(value, currency)
        elif type(value) is dict and (items := as_list(value)) is not None:
            value = items
        try:
            found = row.convert(value)
        except Unfit as reason:
            notes.reject_value(where + row.path, value, row.name, reason)
            return None
        if found is None:
            notes.note_nothing(where + row.path, value)
        return found

    def _drop(self, key: str, value: Any, notes: Notes) -> None:
        """Adds unmapped traits to the notes, under the names that a mapping would use: nested ones with dots."""
        if not isinstance(value, dict):
            notes.drop_trait(self.kind, key)
            return
        waiting = [(key, value, 1)]
        while waiting and len(notes.dropped) < MOST:
            name, found, depth = waiting.pop()
            if name in self._known or found is None:
                continue
            if isinstance(found, dict) and found and depth < DEEPEST:
                waiting.extend((f"{name}.{part}", inner, depth + 1) for part, inner in reversed(found.items()))
            else:
                notes.drop_trait(self.kind, name)
