"""What one entry of the input comes to, in brief: as much as passes from the process that reads to the one that counts.

Reading, decoding and transforming know nothing but the entry and the config, so that they can be done anywhere. What
they bring stands in a brief: by what the event is known again, which records it names, and, packed, what it asks of
them. Few briefs are ever unpacked: of a record that nobody knows yet it does not matter what it is to hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import msgspec

from pipedrive_cli.delivery.journal.rows import digest
from pipedrive_cli.events.chunks import Chunk
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.event import Event
from pipedrive_cli.outcomes import Complaint, cause_of
from pipedrive_cli.run.intake import kinds_of, passes, reason_left
from pipedrive_cli.run.options import Filters
from pipedrive_cli.transform.changes import KINDS, Alias, Change, Kind, RecordName, Transformed
from pipedrive_cli.transform.transform import Transform

# What `Brief.marks` says, one bit each.
LEAD: Final = 1  # its last change is a lead of the person that its only name names
SILENT: Final = 2  # and its other change does no more than name that person
CASE: Final = 4  # it is rejected, or skipped, because of a part of what it says, and yet asks for something
APART: Final = 8  # what it asks for cannot be counted by names alone: an alias, no code, a lead known by its own id
BY_ID: Final = 64  # it names a record by Pipedrive's own id
REFUSED: Final = 16  # it is no event
FILTERED: Final = 32  # a filter option leaves it out

INITIALS: Final[dict[Kind, str]] = {"persons": "p", "organizations": "o", "products": "d", "leads": "l"}
KIND_OF: Final[dict[str, Kind]] = {initial: kind for kind, initial in INITIALS.items()}


class Brief(msgspec.Struct, array_like=True, gc=False):
    """One entry. `names` are the records that its `parts` are about, each an initial of its kind and its key.

    `who` is a `Who`, `parts` are `Change`s, all packed. `kinds` are the kinds of record that such events can be about.
    `dropped` and `told` are the places of the event's unmapped traits, and of its complaints, in the batch, from 1; 0:
    it has none.
    """

    digest: bytes
    marks: int
    kinds: int
    names: list[str]
    parts: list[msgspec.Raw]
    dropped: int
    told: int
    who: msgspec.Raw


class Who(msgspec.Struct, array_like=True, gc=False):
    """Of a brief, what is needed to tell people of it, and the alias that it asks for."""

    line: int
    index: int | None
    message_id: str
    user: str | None
    time: int | None
    alias: Alias | None


class Batch(msgspec.Struct, array_like=True, gc=False):
    """The briefs of one chunk of a source, in order; `left` as in `Reading`: its place and what is wrong with it."""

    briefs: list[Brief]
    dropped: list[tuple[tuple[Kind, str], ...]]
    told: list[tuple[Complaint, ...]]
    left: tuple[int, Complaint] | None


decode_batch: Final = msgspec.msgpack.Decoder(Batch).decode
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_who: Final = msgspec.msgpack.Decoder(Who).decode
_decode_change: Final = msgspec.msgpack.Decoder(Change).decode
_decode_changes: Final = msgspec.msgpack.Decoder(list[Change]).decode


@cache
def bits_of(kinds: frozenset[Kind]) -> int:
    """Kinds of record as one number."""
    return sum(1 << place for place, kind in enumerate(KINDS) if kind in kinds)


# Those of a track depend on its name.
_BITS: Final = {name: bits_of(kinds_of(Event("", name, None))) for name in ("identify", "group", "alias")}


def kinds_in(bits: int) -> frozenset[Kind]:
    """The kinds of record that `bits_of` made a number of."""
    return frozenset(kind for place, kind in enumerate(KINDS) if bits >> place & 1)


def who(brief: Brief) -> Who:
    """Whom to tell people of."""
    return _decode_who(brief.who)


def change(part: msgspec.Raw | bytes) -> Change:
    """One part, unpacked."""
    return _with_link(_decode_change(part))


def changes(packed: bytes) -> list[Change]:
    """Several parts in one piece, unpacked."""
    return [_with_link(found) for found in _decode_changes(packed)]


def _with_link(found: Change) -> Change:
    link = found.fields.get("organization")
    if type(link) is list:  # a struct among values that can be anything loses its type on the way
        found = msgspec.structs.replace(found, fields={**found.fields, "organization": RecordName(*link)})
    return found


def transformed(brief: Brief, of: Who) -> Transformed:
    """All that the event asks for; its complaints and unmapped traits stand in the batch."""
    return Transformed(tuple(map(change, brief.parts)), of.alias)


@dataclass(slots=True)
class Briefing:
    """Makes briefs: what the transform of one run makes of entries. `now` in microseconds since 1970 UTC."""

    transform: Transform
    filters: Filters
    now: int
    _dropped: dict[tuple[tuple[Kind, str], ...], int] = field(default_factory=dict)
    _told: dict[tuple[Complaint, ...], int] = field(default_factory=dict)

    def batch(self, chunk: Chunk) -> bytes:
        """All of a chunk as a `Batch`, packed."""
        self._dropped, self._told = {}, {}
        reading = chunk.reading()
        rows = [self._row(entry) for entry in reading]
        left = reading.left
        told_of_end = None if left is None else (left.line, reason_left(left))
        end = (list(self._dropped), list(self._told), told_of_end)
        try:
            return _encode((rows, *end))
        except (OverflowError, ValueError):
            return _encode(([_tame(row) for row in rows], *end))

    def _row(self, entry: Entry) -> tuple[Any, ...]:
        identity = entry.identity
        key = b"" if identity is None else digest(identity)
        event = entry.event(self.now)
        if type(event) is not Event:
            assert isinstance(event, Complaint)  # noqa: S101 - there is nothing else
            if self.filters:
                return (key, FILTERED, 0, (), (), 0, 0, None)
            of = (entry.line, entry.index, identity or "", None, None, None)
            return (key, REFUSED, 0, (), (), 0, self._tell((event,)), of)
        if self.filters and not passes(event, self.filters):
            return (key, FILTERED, 0, (), (), 0, 0, None)
        result = self.transform.transform(event)
        marks, names = _marks(result)
        dropped = 0
        if result.dropped:
            table = self._dropped
            dropped = table.setdefault(result.dropped, len(table) + 1)
        return (
            key,
            marks,
            _BITS.get(event.type) or bits_of(kinds_of(event)),
            names,
            result.changes,
            dropped,
            self._tell(result.complaints) if result.complaints else 0,
            (entry.line, entry.index, identity, event.user_id or event.anonymous_id, event.time, result.alias),
        )

    def _tell(self, complaints: tuple[Complaint, ...]) -> int:
        unique = tuple({(c.code, cause_of(c.code, c.field)): c for c in reversed(complaints)}.values())
        return self._told.setdefault(unique, len(self._told) + 1)


def _marks(result: Transformed) -> tuple[int, list[str]]:
    marks = 0
    changes = result.changes
    if result.complaints and changes and any(complaint.outcome is not None for complaint in result.complaints):
        marks = CASE
    names = []
    if (alias := result.alias) is not None:
        marks |= APART
        if alias.previous.pipedrive_id is not None or alias.current.pipedrive_id is not None:
            marks |= BY_ID
    for each in changes:
        record = each.record
        kind, key = record.kind, record.key
        if kind == "leads":
            marks |= LEAD | (APART if marks & CASE else 0)  # a rejected one is known by the message id from here on
            said = changes[0]
            if not (said.fields or said.emails or said.phones or said.oldest):
                marks |= SILENT
            continue
        if key is None:
            marks |= APART
            key = ""
        if record.pipedrive_id is not None:
            marks |= BY_ID
        names.append(INITIALS[kind] + key)
    return marks, names


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
