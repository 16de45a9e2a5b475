"""What a chunk of the input comes to, in columns: as it passes from the process that reads to the one that counts.

Told by columns, not event by event: nearly all that is done to them is then done to a thousand at once, by Python's own
dicts and sets. A batch is packed, and so are values within it: most are never looked into, and any two of them can be
compared as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import msgspec

from pipedrive_cli.outcomes import Complaint
from pipedrive_cli.transform.changes import KINDS, NOTHING, Alias, Change, Contact, Kind, Rank, RecordName

# What `Odd.marks` says, one bit each.
CASE: Final = 1  # it is rejected, or skipped, because of a part of what it says, and yet asks for something
APART: Final = 2  # what it asks for names do not tell: an alias, no code, one code twice, a lead known by its own id
BY_ID: Final = 4  # it names a record by Pipedrive's own id
SILENT: Final = 8  # it asks for nothing

INITIALS: Final[dict[Kind, str]] = {"persons": "p", "organizations": "o", "products": "d", "leads": "l"}
KIND_OF: Final[dict[str, Kind]] = {initial: kind for kind, initial in INITIALS.items()}
LINK: Final = "organization"  # the address whose value is a record's name
PARTS_OF_A_NAME: Final = frozenset({"first_name", "last_name"})


class Shape(msgspec.Struct, array_like=True, eq=False, frozen=True):
    """What changes that are made alike have in common: all but the record's key, the time and the values.

    The values come in this order: those of `addresses`, emails, phones, those of `oldest` and of `creation`. The
    organization in a link is its key alone. Each batch brings its shapes; whoever takes batches keeps one of each.
    """

    kind: Kind
    rank: Rank
    may_create: bool
    fallback: bool  # it comes with a name made from the record's key
    addresses: tuple[str, ...]
    emails: bool
    phones: bool
    oldest: tuple[str, ...]
    creation: tuple[str, ...]

    @property
    def silent(self) -> bool:
        """It does no more than name its record."""
        return not (self.addresses or self.emails or self.phones or self.oldest)

    @property
    def plain(self) -> bool:
        """A newer one of these simply takes the place of an older one."""
        if self.rank is not Rank.OWN:
            return self.silent
        return not self.fallback and len(self.oldest) < 2 and PARTS_OF_A_NAME.isdisjoint(self.addresses)

    @property
    def keys(self) -> tuple[str, ...]:
        """What a newer value takes the place of an older one in, as the values begin: addresses, and contact fields."""
        return (*self.addresses, *("emails",) * self.emails, *("phones",) * self.phones)


class Stretch(msgspec.Struct, array_like=True):
    """Changes of one shape: whose, by an initial of the kind and the key; in which rows; the values of each."""

    shape: int  # its place in the batch
    names: list[str]
    rows: list[int]
    values: list[bytes]  # each packed: few are ever looked into


class Leads(msgspec.Struct, array_like=True):
    """Leads: the names of their persons, their rows, whether their events say nothing else, and the packed changes."""

    names: list[str]
    rows: list[int]
    alone: list[bool]
    changes: list[bytes]


class Odd(msgspec.Struct, array_like=True):
    """An entry that is more than its columns say. `place` is its own among the batch's entries; without a row (-1) it
    is no event.

    `told` is the place of its complaints in the batch, from 1; 0: there are none. With `APART` all that it asks for
    stands in `changes`, about records of these `names`, and nothing in the columns.
    """

    place: int
    row: int
    marks: int
    told: int
    digest: bytes
    names: list[str]
    changes: list[Change]
    alias: Alias | None
    who: Who | None  # where it has no row


class Who(msgspec.Struct, array_like=True, gc=False):
    """Of an event, what is needed to tell people of it."""

    line: int
    index: int | None
    message_id: str
    user: str | None


class Batch(msgspec.Struct, array_like=True):
    """The entries of one chunk of a source, in columns. A row is an event that no filter leaves out.

    By row: `places` among the entries (none: the same as the rows), `digests`, `times`, `kinds` (what kinds of record
    such an event can be about, as `bits_of` has it), `parts` (how many changes it asks for), `who` (packed).
    `dropped` are places in `drops`, from 1, of those that have unmapped traits, with their rows. `left` as in
    `Reading`: its place and what is wrong with it. `lines` are those of the chunk, and with the source's first chunk
    those before it; all lines are counted so.
    """

    entries: int
    filtered: int
    places: list[int]
    digests: list[bytes]
    times: list[int | None]
    kinds: list[int]
    parts: list[int]
    who: bytes  # packed in itself, so that the rest of the batch need not stay in memory for it
    stretches: list[Stretch]
    leads: Leads
    odd: list[Odd]
    dropped: list[tuple[int, int]]
    shapes: list[Shape]
    drops: list[tuple[tuple[Kind, str], ...]]
    told: list[tuple[Complaint, ...]]
    left: tuple[int, Complaint] | None
    lines: int


decode_batch: Final = msgspec.msgpack.Decoder(Batch).decode
unpacked: Final = msgspec.msgpack.Decoder(list[Any]).decode  # the values of a stretch
decode_who: Final = msgspec.msgpack.Decoder(list[Who]).decode
decode_lead: Final = msgspec.msgpack.Decoder(Change).decode
encode: Final = msgspec.msgpack.Encoder().encode


@cache
def bits_of(kinds: frozenset[Kind]) -> int:
    """Kinds of record as one number."""
    return sum(1 << place for place, kind in enumerate(KINDS) if kind in kinds)


def kinds_in(bits: int) -> frozenset[Kind]:
    """The kinds of record that `bits_of` made a number of."""
    return frozenset(kind for place, kind in enumerate(KINDS) if bits >> place & 1)


def contacts_of(kept: Iterable[Iterable[Any]]) -> tuple[Contact, ...]:
    """Emails or phones, as a change has them, from the values of one."""
    return tuple(Contact(*contact) for contact in kept)


def change(name: str, time: int | None, shape: Shape, values: Iterable[Any]) -> Change:
    """One change of a stretch; `name` is its record's."""
    said = iter(values)
    fields = dict(zip(shape.addresses, said, strict=False))
    if LINK in fields:
        fields[LINK] = RecordName("organizations", fields[LINK])
    return Change(
        RecordName(shape.kind, name[1:]),
        time,
        shape.rank,
        fields,
        contacts_of(next(said)) if shape.emails else (),
        contacts_of(next(said)) if shape.phones else (),
        oldest=dict(zip(shape.oldest, said, strict=False)),
        on_creation=dict(zip(shape.creation, said, strict=False)),
        fallback_name=name[1:] if shape.fallback else None,
        may_create=shape.may_create,
    )


def only_named(lead: Change) -> Change:
    """What a lead that stands `alone` says of its person."""
    assert lead.person is not None  # noqa: S101 - it is somebody's
    return Change(lead.person, lead.time, Rank.CONTEXT, NOTHING, (), (), NOTHING, NOTHING)
