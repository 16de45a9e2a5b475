"""The rows that the journal gives and takes, and the states of a write. No SQL here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import NamedTuple

import msgspec

from pipedrive_cli.model import JsonObject, Kind, Value

# The guarded transitions of a write that cannot be repeated. `sent`: it may be on its way, or the process died.
# `doubt`: no answer said what became of it. `absent`: we looked, later than any lag, and it had not happened.
TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {
        ("sent", "done"),
        ("sent", "refused"),
        ("sent", "doubt"),
        ("sent", "absent"),
        ("doubt", "done"),
        ("doubt", "absent"),
        ("absent", "sent"),
        ("absent", "done"),
    }
)
MOST_BEFORE = 3  # states that lead to one


@lru_cache
def states_before(state: str) -> tuple[str | None, ...]:
    """The states from which a write may go to this one, with None for what is missing of `MOST_BEFORE`."""
    before = sorted(one for one, other in TRANSITIONS if other == state)
    return (*before, *[None] * (MOST_BEFORE - len(before)))


WRITE_STATES = ("sent", "done", "refused", "doubt", "absent")


class SeenRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as a listing or an answer showed it: values by address."""

    id: int | str
    key: str | None
    updated: str | None
    values: dict[str, Value]


class Recalled(NamedTuple):
    """What is known of some events: which were handled, and the numbers of others that were read before."""

    handled: Set[bytes]
    numbers: Mapping[bytes, int]


class KnownFile(NamedTuple):
    """A file that was read to its end: digest, number of lines (0: not to be continued), digest of the config."""

    path: str
    size: int
    changed: int  # nanoseconds since 1970
    digest: bytes
    lines: int
    meaning: bytes


class UnfinishedEvent(NamedTuple):
    """An event that a run left failed or pending, by its place in the input."""

    digest: bytes
    run: int
    file: str
    line: int
    place: int | None  # within a batch line
    identity: str


class Departure(NamedTuple):
    """What is noted of a write before it leaves, so that its absence can be believed later. Times: seconds since 1970.

    None: it was noted by an older pipedrive-cli.
    """

    sent_at: float  # by Pipedrive's clock
    left_at: float | None  # by this machine's
    patience: float | None  # seconds for which it may be under way
    floor: int | None  # the highest id known of its kind: what it makes has a higher one
    since: float | None  # what it makes is added later than this, by Pipedrive's clock


class OpenWrite(NamedTuple):
    """A write whose fate is not known: a create or a merge."""

    number: int
    run: int
    verb: str
    kind: Kind
    key: str | None
    target: str | None
    picture: JsonObject
    departure: Departure
    state: str


def name_hash(salt: bytes, kind: str, name: str) -> bytes:
    """Under which the journal remembers that a name is suppressed: nobody can read the name out of it.

    `kind` is id, email or pipedrive_id. The salt is the journal's own, so hashes of two journals tell nothing together.
    """
    return hashlib.blake2b(f"{kind}\0{name}".encode("utf-8", "surrogatepass"), digest_size=16, key=salt).digest()
