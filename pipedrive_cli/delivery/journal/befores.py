"""The journal's memory of what a run has replaced: the values and the state that each record had before it.

Of records that a run created nothing is kept: they go as a whole. Values are kept 30 days, as long as Pipedrive keeps
what is deleted. Here is also when a run wrote, by Pipedrive's clock, and whether it was undone.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Set
from typing import Any

import msgspec

from pipedrive_cli.delivery.journal.journal import Journal
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.model import Kind

KEPT_DAYS = 30
_OBJECT = 0x80  # the first half of the first byte of a small object in msgpack
_UNDER_WAY = "undos under way"
RecordNumber = int | str


class Before(msgspec.Struct, frozen=True):
    """What one run has replaced in one record. `state` None: this tool had never written it.

    `values` are those of the addresses that the run wrote, as far as they were known; None is a blank. `unknown` are
    the addresses whose value nobody knew. `merged`: the run merged another person into it. `updated` is when the record
    was changed last before, as Pipedrive showed it.
    """

    kind: Kind
    id: RecordNumber
    state: RecordState | None
    values: dict[str, Any]
    unknown: tuple[str, ...] = ()
    merged: bool = False
    updated: str | None = None


def note_before(journal: Journal, run: int, before: Before, now: float) -> None:
    """Keeps what a write is about to replace, in a transaction; `now` is seconds since 1970.

    What an earlier write of the run replaced stays.
    """
    if journal.connection.execute(
        "SELECT 1 FROM created WHERE run = ? AND kind = ? AND id = ?", (run, before.kind, before.id)
    ).fetchone():
        return
    if (known := before_of(journal, run, before.kind, before.id)) is not None:
        values = {**before.values, **known.values}
        unknown = {*known.unknown, *(each for each in before.unknown if each not in known.values)}
        before = Before(
            before.kind,
            before.id,
            known.state,
            {address: value for address, value in values.items() if address not in unknown},
            tuple(sorted(unknown)),
            known.merged or before.merged,
            known.updated,
        )
    row = (run, before.kind, before.id, now, _packed(before))
    journal.connection.execute("INSERT OR REPLACE INTO befores VALUES (?, ?, ?, ?, ?)", row)


def before_of(journal: Journal, run: int, kind: Kind, record: RecordNumber) -> Before | None:
    """What a run has replaced in one record."""
    row = journal.connection.execute(
        "SELECT packed FROM befores WHERE run = ? AND kind = ? AND id = ?", (run, kind, record)
    ).fetchone()
    return None if row is None else _unpacked(row[0])


def befores(journal: Journal, run: int) -> list[Before]:
    """All that a run has replaced."""
    rows = journal.connection.execute("SELECT packed FROM befores WHERE run = ? ORDER BY kind, id", (run,))
    return [_unpacked(row[0]) for row in rows]


def later_befores(journal: Journal, run: int, kind: Kind, record: RecordNumber) -> list[tuple[int, Before]]:
    """What later runs have replaced in the same record, by the run's number, the next one first."""
    query = "SELECT run, packed FROM befores WHERE run > ? AND kind = ? AND id = ? ORDER BY run"
    rows = journal.connection.execute(query, (run, kind, record))
    return [(int(number), _unpacked(packed)) for number, packed in rows]


def replace_before(journal: Journal, run: int, before: Before) -> None:
    """Puts another row in the place of one that is there."""
    query = "UPDATE befores SET packed = ? WHERE run = ? AND kind = ? AND id = ?"
    journal.connection.execute(query, (_packed(before), run, before.kind, before.id))


def forget_before(journal: Journal, run: int, kind: Kind, record: RecordNumber) -> None:
    """It was given back: there is nothing more to undo in this record."""
    journal.connection.execute("DELETE FROM befores WHERE run = ? AND kind = ? AND id = ?", (run, kind, record))
    journal.connection.execute("DELETE FROM created WHERE run = ? AND kind = ? AND id = ?", (run, kind, record))


def forget_name(journal: Journal, kind: Kind, key: str, record: RecordNumber) -> None:
    """A key names a record no more."""
    journal.connection.execute("DELETE FROM names WHERE kind = ? AND key = ? AND id = ?", (kind, key, record))


def forget_old_befores(journal: Journal, now: float) -> None:
    """Forgets what is older than Pipedrive keeps deleted records; in a transaction. `now` is seconds since 1970."""
    journal.connection.execute("DELETE FROM befores WHERE noted_at < ?", (now - KEPT_DAYS * 86_400,))


def events_of(journal: Journal, run: int) -> int:
    """How many events a run has handled, save those that an earlier run had: these it has refilled."""
    query = "SELECT count(*) FROM events WHERE run = ? AND earlier IS NULL"
    (found,) = journal.connection.execute(query, (run,)).fetchone()
    return int(found)


def refilled_by(journal: Journal, run: int) -> int:
    """How many events that an earlier run had handled this run has taken up again."""
    query = "SELECT count(*) FROM events WHERE run = ? AND earlier IS NOT NULL"
    (found,) = journal.connection.execute(query, (run,)).fetchone()
    return int(found)


def forget_outcomes(journal: Journal, run: int) -> None:
    """The events of an undone run count as not handled. What it has refilled is handled as it was before it."""
    journal.connection.execute(
        "UPDATE events SET run = earlier, earlier = NULL WHERE run = ? AND earlier IS NOT NULL", (run,)
    )
    journal.connection.execute("DELETE FROM events WHERE run = ?", (run,))


def forget_aliases(journal: Journal, run: int) -> None:
    """The links of an undone run are no links any more, save those of merges, which nothing undoes.

    A previous id is then no name of a record that bears another key.
    """
    joined = {key for before in befores(journal, run) if before.merged for key in journal.keys_of("persons", before.id)}
    found = journal.connection.execute("SELECT previous FROM aliases WHERE run = ?", (run,)).fetchall()
    gone = [previous for (previous,) in found if previous not in joined]
    for previous, record in journal.known("persons", gone).items():
        state = journal.state("persons", record)
        if state is not None and state.key not in (None, previous):
            forget_name(journal, "persons", previous, record)
    journal.connection.executemany("DELETE FROM aliases WHERE previous = ?", [(previous,) for previous in gone])


def later_numbers(journal: Journal, run: int, among: Set[int]) -> frozenset[int]:
    """Which of these numbers are those of events that a later run has handled last.

    A run that only met an event again, as rejected as before, has not: its outcome stays that of the earlier run.
    """
    if not among:
        return frozenset()
    rows = journal.connection.execute("SELECT number FROM events WHERE run > ?", (run,))
    return frozenset(number for (number,) in rows if number in among)


def note_beginning(journal: Journal, run: int, at: float) -> None:
    """The run begins; `at` is Pipedrive's time in seconds since 1970."""
    journal.connection.execute("UPDATE runs SET first_at = ? WHERE number = ?", (at, run))


def note_write(journal: Journal, run: int, at: float) -> None:
    """A write of the run was answered; `at` is the newest time, in seconds since 1970, that Pipedrive gave to one."""
    query = "UPDATE runs SET last_at = max(coalesce(last_at, first_at, 0), ?) WHERE number = ?"
    journal.connection.execute(query, (at, run))


def written_between(journal: Journal, run: int) -> tuple[float, float] | None:
    """From when to when a run may have written, by Pipedrive's clock; None where an older version has kept neither."""
    query = "SELECT first_at, coalesce(last_at, first_at) FROM runs WHERE number = ? AND first_at IS NOT NULL"
    row = journal.connection.execute(query, (run,)).fetchone()
    return None if row is None else (float(row[0]), float(row[1]))


def note_undone(journal: Journal, run: int, when: str) -> None:
    """The run is being undone; `when` is ISO 8601 UTC."""
    journal.connection.execute("UPDATE runs SET undone = ? WHERE number = ?", (when, run))


def undone_at(journal: Journal, run: int) -> str | None:
    """When the run was last undone, or None."""
    row = journal.connection.execute("SELECT undone FROM runs WHERE number = ?", (run,)).fetchone()
    return None if row is None else row[0]


def note_under_way(journal: Journal, run: int, kinds: Collection[Kind]) -> None:
    """An undo of the run begins to write: until its end what the journal knows of its records may be over."""
    journal.set_fact(_UNDER_WAY, {**under_way(journal), run: kinds})


def end_under_way(journal: Journal, run: int) -> None:
    """The journal has all that the undo of the run has done."""
    left = {number: kinds for number, kinds in under_way(journal).items() if number != run}
    journal.set_fact(_UNDER_WAY, left or None)


def under_way(journal: Journal) -> dict[int, frozenset[Kind]]:
    """The runs whose undo has begun to write and has not told its end, with the kinds of records that it is about."""
    return journal.fact(_UNDER_WAY, dict[int, frozenset[Kind]]) or {}


def note_given_back(journal: Journal, kind: Kind, record: RecordNumber, now: str, then: str) -> None:
    """An undo has changed a record at `now`, which is as it was at `then`; both as Pipedrive shows times."""
    journal.set_fact(f"given back {kind} {record}", (now, then))


def changed_at(journal: Journal, kind: Kind, record: RecordNumber, shown: str) -> str:
    """When a record was changed last by anybody but an undo; `shown` is its update_time."""
    given = journal.fact(f"given back {kind} {record}", tuple[str, str])
    return given[1] if given is not None and given[0] == shown else shown


def can_be_undone(journal: Journal) -> frozenset[int]:
    """Numbers of the runs of which something is known that `runs undo` could take back."""
    written = "SELECT run FROM created UNION SELECT run FROM befores"
    rows = journal.connection.execute(f"SELECT number FROM runs WHERE scene = 'account' AND number IN ({written})")  # noqa: S608 - constants
    return frozenset(int(row[0]) for row in rows)


def _packed(before: Before) -> bytes:
    """Names of fields come twice and more in it: compressed it is smaller than the state alone is in `states`."""
    return zlib.compress(msgspec.msgpack.encode(before))


def _unpacked(packed: bytes) -> Before:
    """Rows of older versions are not compressed: they begin as an object does."""
    return msgspec.msgpack.decode(packed if packed[0] & 0xF0 == _OBJECT else zlib.decompress(packed), type=Before)
