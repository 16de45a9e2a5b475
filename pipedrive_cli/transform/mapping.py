"""One section of `fields:` compiled: which traits go to which addresses, and which names are known.

Made once, used for every event, so everything that can be prepared is: paths are split, converters chosen, names of
traits gathered in sets. Knows nothing of kinds of events.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from pipedrive_cli.model import Complaint, ComplaintCode, Kind, Outcome
from pipedrive_cli.pipedrive.values import Converter, Unfit, as_it_is, says_nothing
from pipedrive_cli.transform.targets import FieldTarget

MOST = 100  # complaints and dropped names kept of one event: a hostile line of 4 MiB could hold a million
DEEPEST = 5  # how far down names of dropped traits are told: beyond, the object is named as a whole

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlist = _REPR.maxdict = 3
_REPR.maxlevel = 2
_REPR.maxlong = 40


class MappedField(NamedTuple):
    """One mapped trait. `money` asks for the event's currency where the value brings none."""

    path: str
    first: str  # the path's first part
    below: tuple[str, ...]  # and the others
    address: str
    convert: Converter
    money: bool
    name: str


class Notes(msgspec.Struct):
    """What is noticed while one event is read: complaints, and traits that no mapping names."""

    complaints: list[Complaint] = []
    dropped: list[tuple[Kind, str]] = []

    def unfit(self, where: str, value: Any, field: str, reason: Unfit) -> None:
        """A value that was left out: the event is rejected with that field, the rest is written."""
        self.reject("bad_value", f"{field} {reason}", where, value)

    def reject(self, code: ComplaintCode, message: str, where: str | None = None, value: Any = None) -> None:
        """What rejects the event, or the part of it at `where`."""
        self._add(Complaint(code, message, where, None if value is None else short(value), Outcome.REJECTED))

    def count(self, code: ComplaintCode, message: str, where: str | None = None) -> None:
        """A problem that costs the event nothing."""
        self._add(Complaint(code, message, where))

    def drop(self, kind: Kind, name: str) -> None:
        """A trait that no mapping names."""
        if len(self.dropped) < MOST:
            self.dropped.append((kind, name))

    def _add(self, complaint: Complaint) -> None:
        # The products of an order share its currency, and would all complain of it.
        if len(self.complaints) < MOST and complaint not in self.complaints:
            self.complaints.append(complaint)


def short(value: Any) -> str:
    """A value in at most some hundred characters, however large it is."""
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


class FieldMap:
    """The compiled section for one kind. `fixed` are traits that have a meaning without any mapping."""

    def __init__(
        self,
        kind: Kind,
        targets: Mapping[str, FieldTarget],
        fixed: Iterable[str],
        *,
        default_currency: str | None = None,
    ) -> None:
        self.kind = kind
        self.types: dict[str, str | None] = {target.address: target.type for target in targets.values()}
        self._currency = default_currency
        # In the order of the config, which decides where two traits go to one field.
        self._rows = tuple(
            MappedField(path, *_parts(path), t.address, t.convert or as_it_is, t.type == "monetary", t.name)
            for path, t in targets.items()
        )
        self._known = frozenset(fixed) | targets.keys()

    def read(
        self, traits: Mapping[str, Any], where: str, fields: dict[str, Any], notes: Notes, currency: Any = None
    ) -> None:
        """Adds what `traits` hold of the mapped fields to `fields`, where that has not been set.

        `where` is put before names in complaints (`traits.`); `currency` is for amounts when `traits` name none.
        """
        if not traits:
            return
        for row in self._rows:
            path, first, below, address, convert, money, _ = row
            value = traits.get(first)
            if below:
                value = None if value is None else _descend(value, below)
                if value is None:
                    value = traits.get(path)  # flattened exports write the dots into the name
            if value is None or address in fields:
                continue
            if convert is as_it_is and type(value) is str and value and not value.isspace():
                fields[address] = value  # nearly all are, where nobody knows the field's type
                continue
            if says_nothing(value):
                continue
            fit = self._fit(value, traits.get("currency") or currency if money else None, row, where, notes)
            if fit is not None:
                fields[row.address] = fit
        known = self._known
        if not known.issuperset(traits):
            for key, value in traits.items():
                if key not in known and value is not None:
                    self._drop(key, value, notes)

    def _fit(self, value: Any, currency: Any, row: MappedField, where: str, notes: Notes) -> Any:
        """The value as its field takes it, None where it takes none of it."""
        if row.money:
            value = self._with_currency(value, currency, where + row.path, notes)
            if value is None:
                return None
        try:
            return row.convert(value)
        except Unfit as reason:
            notes.unfit(where + row.path, value, row.name, reason)
            return None

    def _with_currency(self, value: Any, code: Any, where: str, notes: Notes) -> dict[str, Any] | None:
        given = dict(value) if isinstance(value, dict) else {"value": value}
        if says_nothing(given.get("currency")):
            given["currency"] = self._currency if says_nothing(code) else code
        if given["currency"] is None:
            notes.count("amount_without_currency", "an amount without a currency is not sent", where)
            return None
        return given

    def _drop(self, key: str, value: Any, notes: Notes) -> None:
        """Notes unmapped traits by the names a mapping would give them: nested ones with dots."""
        if not isinstance(value, dict):
            notes.drop(self.kind, key)
            return
        waiting = [(key, value, 1)]
        while waiting and len(notes.dropped) < MOST:
            name, found, depth = waiting.pop()
            if name in self._known or found is None:
                continue
            if isinstance(found, dict) and found and depth < DEEPEST:
                waiting.extend((f"{name}.{part}", inner, depth + 1) for part, inner in reversed(found.items()))
            else:
                notes.drop(self.kind, name)
