"""Makes batches of chunks: what the transform of one run makes of the entries, told in brief.

Reading, decoding and transforming know nothing but the entry and the config, so that they can be done in any process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.journal.rows import digest
from pipedrive_cli.events.chunks import Chunk
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.event import Event
from pipedrive_cli.outcomes import Complaint, cause_of
from pipedrive_cli.run.counts.batch import (
    APART,
    BY_ID,
    CASE,
    INITIALS,
    LINK,
    SILENT,
    Shape,
    bits_of,
    encode,
)
from pipedrive_cli.run.intake import kinds_of, passes, reason_left
from pipedrive_cli.run.options import Filters
from pipedrive_cli.transform.changes import Change, Kind, Rank, RecordName, Transformed
from pipedrive_cli.transform.transform import Transform, compile_mapping

# Those of a track depend on its name.
_BITS: Final = {name: bits_of(kinds_of(Event("", name, None))) for name in ("identify", "group", "alias")}


@dataclass(slots=True)
class _Column:
    """The changes of one shape, as they come."""

    place: int
    shape: Shape
    names: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)

    def packed(self) -> tuple[int, list[str], list[int], list[bytes]]:
        """As a `Stretch`."""
        return self.place, self.names, self.rows, self.values


def _packed(value: Any) -> bytes:
    try:
        return encode(value)
    except (OverflowError, ValueError):
        return encode(_tame(value))


@dataclass(slots=True)
class _Sheet:
    """One batch as it is made."""

    places: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    times: list[int | None] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    who: list[tuple[Any, ...]] = field(default_factory=list)
    leads: tuple[list[str], list[int], list[bool], list[bytes]] = field(default_factory=lambda: ([], [], [], []))
    odd: list[tuple[Any, ...]] = field(default_factory=list)
    dropped: list[tuple[int, int]] = field(default_factory=list)
    entries: int = 0
    filtered: int = 0
    _columns: dict[tuple[Any, ...], _Column] = field(default_factory=dict)
    _bits: dict[str, int] = field(default_factory=dict)  # kinds of record by the names of events
    _drops: dict[tuple[tuple[Kind, str], ...], int] = field(default_factory=dict)
    _told: dict[tuple[Complaint, ...], int] = field(default_factory=dict)

    def packed(self, left: tuple[int, Complaint] | None, lines: int) -> bytes:
        """As a `Batch`, packed."""
        whole = (
            self.entries,
            self.filtered,
            self.places if self.filtered or len(self.places) != self.entries else (),
            self.digests,
            self.times,
            self.kinds,
            self.parts,
            _packed(self.who),
            [column.packed() for column in self._columns.values()],
            self.leads,
            self.odd,
            self.dropped,
            [column.shape for column in self._columns.values()],
            list(self._drops),
            list(self._told),
            left,
            lines,
        )
        return _packed(whole)

    def refuse(self, entry: Entry, complaint: Complaint) -> None:
        """An entry that is no event."""
        key = b"" if entry.identity is None else digest(entry.identity)
        who = (entry.line, entry.index, entry.identity or "", None)
        self.odd.append((self.entries, -1, 0, self._tell((complaint,)), key, (), (), None, who))
        self.entries += 1

    def leave_out(self) -> None:
        """An entry that a filter leaves out."""
        self.filtered += 1
        self.entries += 1

    def add(self, entries: Sequence[Entry], events: Sequence[Event], results: Sequence[Transformed]) -> None:
        """Events, and what they ask for."""
        first = len(self.digests)
        self.places += range(self.entries, self.entries + len(entries))
        self.entries += len(entries)
        self.digests += [digest(event.identity) for event in events]
        self.times += [event.time for event in events]
        self.kinds += [
            _BITS.get(event.type) or self._bits.get(event.name or "") or self._bits_of(event) for event in events
        ]
        self.who += [
            (entry.line, entry.index, event.identity, event.user_id or event.anonymous_id)
            for entry, event in zip(entries, events, strict=True)
        ]
        self.parts += [len(result.changes) for result in results]
        for row, result in enumerate(results, first):
            if result.dropped:
                table = self._drops
                self.dropped.append((row, table.setdefault(result.dropped, len(table) + 1)))
            changes = result.changes
            if result.complaints or result.alias is not None or not changes or not _are_plainly_named(changes):
                if self._odd(row, result) & (APART | BY_ID):
                    continue
                if not changes:
                    continue
            if changes[-1].record.kind == "leads":
                self._lead(row, *changes)
            else:
                for each in changes:
                    self._put(row, each)

    def _bits_of(self, event: Event) -> int:
        found = self._bits[event.name or ""] = bits_of(kinds_of(event))
        return found

    def _odd(self, row: int, result: Transformed) -> int:
        """Notes what columns do not tell of a row, and returns its marks."""
        changes, marks = result.changes, _marks(result)
        told = self._tell(result.complaints) if result.complaints else 0
        names = [INITIALS[each.record.kind] + (each.record.key or "") for each in changes]
        apart = (names, changes) if marks & APART else ((), ())
        self.odd.append((self.places[row], row, marks, told, b"", *apart, result.alias, None))
        return marks

    def _lead(self, row: int, said: Change, lead: Change) -> None:
        alone = not (said.fields or said.emails or said.phones or said.on_creation)
        names, rows, silent, asked = self.leads
        names.append(f"p{said.record.key}")
        rows.append(row)
        silent.append(alone)
        asked.append(_packed(lead))
        if not alone:
            self._put(row, said)

    def _put(self, row: int, change: Change) -> None:
        """Puts a change into the column of its shape."""
        record = change.record
        kind = record.kind
        fields, emails, phones = change.fields, change.emails, change.phones
        flags = (change.rank is Rank.OWN) | change.may_create << 1 | (change.fallback_name is not None) << 2
        values = [*fields.values()]
        if LINK in fields:
            values = [value.key if type(value) is RecordName else value for value in values]
        if emails:
            flags |= 8
            values.append(emails)
        if phones:
            flags |= 16
            values.append(phones)
        signature: tuple[Any, ...] = (kind, flags, *fields)
        if change.oldest or change.on_creation:
            values += change.oldest.values()
            values += change.on_creation.values()
            signature = (*signature, None, *change.oldest, None, *change.on_creation)
        column = self._columns.get(signature) or self._column(signature, change)
        column.names.append(INITIALS[kind] + (record.key or ""))
        column.rows.append(row)
        column.values.append(_packed(values))

    def _column(self, signature: tuple[Any, ...], change: Change) -> _Column:
        """A new column for changes that are made like this one."""
        shape = Shape(
            change.record.kind,
            change.rank,
            change.may_create,
            change.fallback_name is not None,
            tuple(change.fields),
            bool(change.emails),
            bool(change.phones),
            tuple(change.oldest),
            tuple(change.on_creation),
        )
        column = self._columns[signature] = _Column(len(self._columns), shape)
        return column

    def _tell(self, complaints: tuple[Complaint, ...]) -> int:
        unique = tuple({(c.code, cause_of(c.code, c.field)): c for c in reversed(complaints)}.values())
        return self._told.setdefault(unique, len(self._told) + 1)


def _are_plainly_named(changes: Sequence[Change]) -> bool:
    return all(map(_is_plainly_named, changes)) and not _names_twice(changes)


def _is_plainly_named(change: Change) -> bool:
    record = change.record
    return record.key is not None and record.pipedrive_id is None


def _names_twice(changes: Sequence[Change]) -> bool:
    """Whether an order has a product in two lines: columns do not tell which of two shapes came first in a row."""
    if len(changes) < 2 or changes[0].record.kind != "products":
        return False
    return len({change.record.key for change in changes}) < len(changes)


def _marks(result: Transformed) -> int:
    changes, alias = result.changes, result.alias
    marks = 0
    if alias is not None:
        marks = APART
        if alias.previous.pipedrive_id is not None or alias.current.pipedrive_id is not None:
            marks |= BY_ID
    elif not changes:
        return SILENT
    if result.complaints and changes and any(complaint.outcome is not None for complaint in result.complaints):
        # A rejected lead is known by the message id from here on.
        marks |= CASE | (APART if changes[-1].record.kind == "leads" else 0)
    if _names_twice(changes):
        marks |= APART
    for each in changes:
        if each.record.key is None:
            marks |= APART
        if each.record.pipedrive_id is not None:
            marks |= BY_ID
    return marks


@dataclass(slots=True)
class Briefing:
    """Makes batches: what the transform of one run makes of entries. `now` in microseconds since 1970 UTC.

    Where processes are not forked it is sent to them: the config alone, for a compiled transform cannot be.
    """

    config: Config
    filters: Filters
    now: int
    _transform: Transform = field(init=False)

    def __post_init__(self) -> None:
        self._transform = compile_mapping(self.config)

    def __reduce__(self) -> tuple[type[Briefing], tuple[Config, Filters, int]]:
        return Briefing, (self.config, self.filters, self.now)

    def batch(self, chunk: Chunk) -> bytes:
        """All of a chunk as a `Batch`, packed."""
        sheet = _Sheet()
        reading = chunk.reading()
        for lot in reading.lots():
            self._add(sheet, lot)
        left = reading.left
        return sheet.packed(None if left is None else (left.line, reason_left(left)), reading.lines)

    def _add(self, sheet: _Sheet, entries: Sequence[Entry]) -> None:
        """Adds some dozen entries. One thing is done to all of them before the next one is: see `Reading.lots`."""
        now, filters, transform = self.now, self.filters, self._transform.transform
        told = [entry.event(now) for entry in entries]
        events = [event for event in told if type(event) is Event]
        if len(events) == len(entries) and not filters:
            sheet.add(entries, events, [transform(event) for event in events])
            return
        for entry, event in zip(entries, told, strict=True):
            if filters and (isinstance(event, Complaint) or not passes(event, filters)):
                sheet.leave_out()
            elif isinstance(event, Complaint):
                sheet.refuse(entry, event)
            else:
                sheet.add((entry,), (event,), (transform(event),))


def _tame(value: Any) -> Any:
    """The same with texts in place of numbers and texts that cannot be packed: for counting one is as good."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return str(value)
    if isinstance(value, msgspec.Struct):
        return tuple(_tame(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return {_tame(name): _tame(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_tame(inner) for inner in value]
    return value
