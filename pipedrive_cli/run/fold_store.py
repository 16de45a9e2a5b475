"""Where a fold that may outgrow memory lies: an SQLite file beside the output, which does the spilling and the sorting.

SQLite is Python's own, keeps memory within its cache whatever the size, and is whole after a kill: a part counts once
its mark is committed, and what a dead worker had written of a part goes before the part is folded again.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Final
from zlib import crc32

import msgspec

from pipedrive_cli.delivery.keeping import Clusters, Won, decode_won, merge_won, winners
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.run.archive_part import Counted, Folded, KeptEvent

WAIT: Final = 600.0  # seconds for which a worker waits until the others have written
SHARES: Final = 256  # of the records, by a hash of their names: those of one are merged together, in memory
TOGETHER: Final = 16  # shares that are one task
FORM: Final = 3  # of what is stored: a fold that was begun in another form begins anew
CACHE: Final = 32 << 10  # KiB
PAGE: Final = 32 << 10  # bytes: events are large, and lie in their order
NOTHING: Final[Mapping[int, Counted]] = MappingProxyType({})
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meaning (digest BLOB NOT NULL, now INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS done (part INTEGER PRIMARY KEY, counted BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS won (share INTEGER NOT NULL, part INTEGER NOT NULL, records BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS joins (a TEXT NOT NULL, b TEXT NOT NULL, part INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS always (part INTEGER NOT NULL, needed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS aliases (number INTEGER PRIMARY KEY, owner TEXT NOT NULL, time INTEGER);
CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, owner TEXT NOT NULL, time INTEGER, event BLOB NOT NULL);
"""
_encode: Final = msgspec.msgpack.Encoder().encode
encode_counted: Final = _encode
decode_counted: Final = msgspec.msgpack.Decoder(Counted).decode
_event: Final = msgspec.msgpack.Decoder(KeptEvent).decode
_records: Final = msgspec.msgpack.Decoder(list[tuple[str, bytes]]).decode
_needed: Final = msgspec.msgpack.Decoder(list[tuple[bytes, int]]).decode


@contextlib.contextmanager
def trouble_told(option: str, path: Path) -> Iterator[None]:
    """Raises UserMistake where the store cannot be used: the disk is full, or the file is damaged or none of ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise UserMistake(
            f"{option}: what is folded so far cannot be kept in {path}: {error}",
            code="output",
            hint="if the disk is full, make room, and the same command goes on; if the file is damaged, delete it",
        ) from error


class FoldStore:
    """One fold on disk. Several processes may write into it, each through a store of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.touch(mode=0o600)  # events are personal data
        self._db = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")  # what is lost with the machine is folded again
        self._db.execute(f"PRAGMA page_size = {PAGE}")
        self._db.execute(f"PRAGMA cache_size = -{CACHE}")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    def begin(self, digest: bytes, now: int) -> int:
        """Goes on with the fold of this meaning, or begins it anew. Returns its time, after which no event is.

        Parts that could not be read to their end are read again: a store out of reach comes back as it was.
        """
        row = self._db.execute("SELECT digest, now FROM meaning").fetchone()
        if row is not None and bytes(row[0]) == digest:
            unread = [(part,) for part, counted in self.done().items() if counted.left is not None]
            self._db.executemany("DELETE FROM done WHERE part = ?", unread)
            return int(row[1])
        for table in ("meaning", "done", "won", "joins", "always", "aliases", "events"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
        self._db.execute("INSERT INTO meaning VALUES (?, ?)", (digest, now))
        return now

    def done(self) -> dict[int, Counted]:
        """The parts that are folded."""
        return {part: decode_counted(counted) for part, counted in self._db.execute("SELECT part, counted FROM done")}

    def drop_unfinished(self) -> None:
        """Takes out what was written of all parts that were not finished."""
        with self._transaction():
            for table in ("won", "joins", "always"):
                self._db.execute(f"DELETE FROM {table} WHERE part NOT IN (SELECT part FROM done)")  # noqa: S608 - ours
            for table in ("aliases", "events"):
                self._db.execute(f"DELETE FROM {table} WHERE number >> 32 NOT IN (SELECT part FROM done)")  # noqa: S608 - ours

    def add(self, part: int, piece: Folded, done: Mapping[int, Counted] = NOTHING) -> None:
        """Adds a piece of a part's fold, or of several parts under the number of one; `done` are those that it ends."""
        with self._transaction():
            shares: dict[int, list[tuple[str, bytes]]] = {}
            for record in piece.won:
                shares.setdefault(crc32(record[0].encode()) % SHARES, []).append(record)
            self._db.executemany(
                "INSERT INTO won VALUES (?, ?, ?)",
                [(share, part, _encode(records)) for share, records in shares.items()],
            )
            self._db.executemany("INSERT INTO joins VALUES (?, ?, ?)", [(a, b, part) for a, b in piece.joins])
            self._db.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?)",
                [(event.number, event.owner, event.time, _encode(event)) for event in piece.events],
            )
            if always := [event for event in piece.events if event.always]:
                needed = _encode([(event.identity, event.number) for event in always])
                self._db.execute("INSERT INTO always VALUES (?, ?)", (part, needed))
            self._db.executemany(
                "INSERT INTO aliases VALUES (?, ?, ?)",
                [(event.number, event.owner, event.time) for event in always if event.alias],
            )
            rows = [(number, _encode(counted)) for number, counted in done.items()]
            self._db.executemany("INSERT INTO done VALUES (?, ?)", rows)

    def size(self) -> int:
        """In bytes."""
        return self.path.stat().st_size

    def ready(self) -> None:
        """Must be called when all is folded, before it is asked what is needed."""
        self._db.execute("CREATE INDEX IF NOT EXISTS won_by_share ON won (share)")

    def groups(self) -> Iterator[range]:
        """The shares of all records, in groups that can be merged one after the other or at once."""
        for first in range(0, SHARES, TOGETHER):
            yield range(first, first + TOGETHER)

    def needed(self, shares: Iterable[int]) -> bytes:
        """Which events the records of some shares need, packed for `kept`: their places are merged over all parts."""
        found: list[tuple[bytes, int]] = []
        for share in shares:
            records: dict[str, Won] = {}
            for (packed,) in self._db.execute("SELECT records FROM won WHERE share = ?", (share,)):
                for name, places in _records(packed):
                    won = records.get(name)
                    if won is None:
                        records[name] = decode_won(places)
                    else:
                        merge_won(won, decode_won(places))
            for won in records.values():
                found += winners(won).items()
        return _encode(found)

    def kept(self, needed: Iterable[bytes]) -> Iterator[KeptEvent]:
        """The events that must be kept: by record, time and place in the input, each once.

        `needed` are the answers of that name, for all shares.
        """
        joins = list(self._db.execute("SELECT DISTINCT a, b FROM joins ORDER BY a, b"))
        self._db.create_function("record", 1, Clusters(joins).of, deterministic=True)
        self._db.executescript(
            "PRAGMA temp_store = FILE; DROP TABLE IF EXISTS temp.needed; DROP TABLE IF EXISTS temp.chosen;"
            "CREATE TEMP TABLE needed (identity BLOB NOT NULL, number INTEGER NOT NULL);"
        )
        writing = self._db.cursor()
        writing.execute("BEGIN")
        always = (bytes(packed) for (packed,) in self._db.execute("SELECT needed FROM always"))
        for some in chain(always, needed):
            writing.executemany("INSERT INTO needed VALUES (?, ?)", _needed(some))
        writing.execute("COMMIT")
        # Of copies the first counts. That is the one whose time and content a replay would have taken. Copies that
        # have won nothing do not count: how many of them are here depends on where the archive was folded.
        self._db.executescript(
            "CREATE TEMP TABLE chosen (number INTEGER PRIMARY KEY);"
            "INSERT INTO chosen SELECT number FROM (SELECT min(number) AS number FROM needed GROUP BY identity)"
            " ORDER BY number;"
        )
        self._keep_order_of_aliases()
        rows = self._db.execute(
            "SELECT event FROM chosen CROSS JOIN events USING (number) LEFT JOIN late USING (number) "
            "ORDER BY record(owner), coalesce(late.time, events.time), number"
        )
        return (_event(row[0]) for row in rows)

    def _keep_order_of_aliases(self) -> None:
        """Has each alias come after those before it in the input: which of two that contradict counts hangs on that."""
        self._db.executescript(
            "DROP TABLE IF EXISTS temp.late;CREATE TEMP TABLE late (number INTEGER PRIMARY KEY, time INTEGER NOT NULL);"
        )
        record: str | None = None
        newest: int | None = None
        aliases = self._db.execute(
            "SELECT number, record(owner), time FROM chosen JOIN aliases USING (number) ORDER BY record(owner), number"
        )
        for number, found, time in aliases:
            if found != record:
                record, newest = found, None
            if newest is not None and (time is None or time < newest):
                self._db.execute("INSERT INTO late VALUES (?, ?)", (number, newest))
            else:
                newest = time

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # SQLite itself has rolled back where the disk is full
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
