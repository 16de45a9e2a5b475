"""What the journal reads and writes. The only module that knows sqlite3's errors; it knows nothing of Pipedrive.

Reads are immediate; writes happen inside `transaction()`. Times are as the columns say; keys are exact text.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec

from pipedrive_cli.delivery.journal.rows import (
    Departure,
    KnownFile,
    OpenWrite,
    Recalled,
    UnfinishedEvent,
    states_before,
)
from pipedrive_cli.delivery.journal.schema import USE_NEWER, FileInPlace, NewerJournalError, is_there, migrate
from pipedrive_cli.delivery.journal.seen import SeenRows
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.model import HANDLED, UNFINISHED, Kind, Outcome

IN_MEMORY = Path(":memory:")
OUTCOMES = tuple(Outcome)  # a row has their number here
_NUMBERS = {outcome: number for number, outcome in enumerate(OUTCOMES)}
_HANDLED = frozenset(map(OUTCOMES.index, HANDLED))
_OVER = _HANDLED | {OUTCOMES.index(Outcome.SKIPPED)}
_UNFINISHED = frozenset(map(OUTCOMES.index, UNFINISHED))
_PENDING = OUTCOMES.index(Outcome.PENDING)

_decode_state = msgspec.msgpack.Decoder(RecordState).decode
_encode = msgspec.msgpack.Encoder().encode
_T = TypeVar("_T")
Row: TypeAlias = tuple[Any, ...]  # as SQLite gives it
NO_CONTENTS: Mapping[bytes, int] = {}


class OpenGroup(Protocol):
    """Records that share a transaction, which may be open."""

    def commit(self) -> None:
        """Commits what is open, before somebody else's transaction."""

    def drop(self) -> None:
        """Takes back what is open."""


class Journal(SeenRows):
    """One account's memory. Open it with `Journal.open`; it is used from one thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path, file: os.stat_result | None = None) -> None:
        """`file` is what was opened at `path`; None: the journal is this process's own, and ends with it."""
        super().__init__(connection)
        self.path = path
        self.lasting = file is not None  # whether what is committed outlives the process
        self._place = FileInPlace(path, file)
        self.group: OpenGroup | None = None  # what is committed together, see `commits`
        # What hardly any journal has is looked for once, not in each transaction: a run is alone with its journal.
        self._some_unfinished: bool | None = None  # None: nobody has looked yet
        self._deleted: set[str] | None = None  # names of facts: what deleted records get when they are made again

    @classmethod
    def open(cls, path: Path = IN_MEMORY) -> Journal:
        """Opens or makes the journal, for its owner's eyes alone. Raises UserMistake when it is no journal of ours."""
        in_memory = path == IN_MEMORY
        db: sqlite3.Connection | None = None
        try:
            if not in_memory:
                is_there(path)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(path, isolation_level=None, timeout=30)
            file = None if in_memory else path.stat()
            migrate(db)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA cache_size = -16384")
            db.execute("PRAGMA temp_store = MEMORY")
        except (sqlite3.Error, OSError, ValueError) as error:
            if db is not None:
                db.close()
            another = "name another file with --state, or mend this one's place and permissions"
            raise UserMistake(
                f"cannot use the journal {path}: {error}",
                code="journal",
                hint=USE_NEWER if isinstance(error, NewerJournalError) else another,
            ) from error
        return cls(db, path, file)

    @property
    def connection(self) -> sqlite3.Connection:
        """For the modules of this folder, which ask questions of their own."""
        return self._db

    def close(self) -> None:
        """Closes the file; what was committed stays."""
        if self.group is not None:
            self.group.drop()
        self._db.close()

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """For as long as it is used: raises StopRun where a read finds the file damaged, or its disk fails."""
        try:
            yield
        except* sqlite3.Error as errors:
            first: BaseException = errors
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise StopRun(
                f"the journal {self.path} cannot be read: {first}",
                code="journal",
                hint="mend its disk or bring the file back from a copy; without it, --state begins a new one",
            ) from first

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and durable at the end. Raises StopRun when the disk refuses: then nothing may be sent.

        So it does when somebody has deleted, moved or replaced the file: what is written would be seen by nobody.
        """
        if self.group is not None:
            self.group.commit()
        self._place.check(self._db)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            raise StopRun(
                f"the journal {self.path} cannot be written: {error}",
                code="journal",
                hint="make room on its disk, then run again: what was under way is looked for first",
            ) from error

    # -- facts

    def fact(self, name: str, type_: type[_T]) -> _T | None:
        """A remembered value, or None."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else msgspec.msgpack.decode(row[0], type=type_)

    def set_fact(self, name: str, value: object) -> None:
        """Remembers `value` (anything msgspec can encode) under `name`; None forgets it."""
        if value is None:
            self._db.execute("DELETE FROM facts WHERE name = ?", (name,))
        else:
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, _encode(value)))

    def bind(self, company_id: int, company_name: str | None, site: str | None = None) -> None:
        """Ties the journal to one company for good. Raises UserMistake when it belongs to another one.

        `site` is the address of the company's web app, where there is one.
        """
        self.must_be_of(company_id, company_name)
        with self.transaction():
            if self.fact("company", tuple[int, str]) is None:
                self.set_fact("company", (company_id, company_name or ""))
            if site is not None:
                self.set_fact("site", site)

    def must_be_of(self, company_id: int, company_name: str | None) -> None:
        """Raises UserMistake when the journal belongs to another company."""
        owner = self.fact("company", tuple[int, str])
        if owner is not None and owner[0] != company_id:
            raise UserMistake(
                f"the journal {self.path} belongs to the company {owner[1] or owner[0]} (id {owner[0]}), "
                f"but this API token opens {company_name or company_id} (id {company_id})",
                code="journal_of_another_company",
                hint="leave out --state and `state:` to have one journal per company, or name another file",
            )

    # -- runs

    def begin_run(
        self, name: str, started: str, sources: str = "", *, command: str = "", scene: str = "account"
    ) -> int:
        """Notes that a run began; returns its number. `command` and `scene` are for its page."""
        cursor = self._db.execute(
            "INSERT INTO runs (name, started, sources, command, scene) VALUES (?, ?, ?, ?, ?)",
            (name, started, sources, command, scene),
        )
        return int(cursor.lastrowid or 0)

    def has_run(self, name: str) -> bool:
        """Whether a run has this name."""
        return self._db.execute("SELECT 1 FROM runs WHERE name = ?", (name,)).fetchone() is not None

    def end_run(self, run: int, summary: bytes, timeline: bytes | None = None) -> None:
        """Keeps the run's summary as it was at its end, and forgets writes that need no watching any more."""
        self._db.execute("UPDATE runs SET summary = ?, course = ? WHERE number = ?", (summary, timeline, run))
        self._db.execute("DELETE FROM writes WHERE state IN ('done', 'refused', 'absent')")

    def runs(self) -> list[tuple[int, str, str, bytes | None]]:
        """(number, name, started, summary) of all runs, newest first."""
        return self._db.execute("SELECT number, name, started, summary FROM runs ORDER BY number DESC").fetchall()

    def sources_of(self, run: int) -> str:
        """What a run read, as it was written on the command line."""
        row = self._db.execute("SELECT sources FROM runs WHERE number = ?", (run,)).fetchone()
        return "" if row is None else str(row[0])

    def setting_of(self, run: int) -> tuple[str, str]:
        """(command, scene) of a run."""
        row = self._db.execute("SELECT command, scene FROM runs WHERE number = ?", (run,)).fetchone()
        return ("", "account") if row is None else (str(row[0]), str(row[1]))

    def timeline_of(self, run: int) -> bytes | None:
        """How a run went over time, as `end_run` was given it."""
        row = self._db.execute("SELECT course FROM runs WHERE number = ?", (run,)).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def count(self, run: int, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Adds to what a run has counted: by heading, and by name."""
        self._db.executemany(
            "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
            [(run, what, name, n) for what, names in counts.items() for name, n in names.items() if n],
        )

    def counts(self, run: int, what: str) -> dict[str, int]:
        """What a run has counted under one heading."""
        return dict(self._db.execute("SELECT name, n FROM counts WHERE run = ? AND what = ?", (run, what)))

    def add_examples(self, run: int, rows: Iterable[Sequence[object]]) -> None:
        """Rows of (code, outcome, message, file, line, place, message_id, user, field, value)."""
        self._db.executemany(
            "INSERT INTO examples SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?",
            [(run, *row) for row in rows],
        )

    def examples(self, run: int) -> list[Row]:
        """The examples of a run, in the order in which they were added."""
        return self._db.execute(
            "SELECT code, outcome, message, file, line, place, message_id, user, field, value FROM examples "
            "WHERE run = ? ORDER BY rowid",
            (run,),
        ).fetchall()

    # -- events

    def recall(self, digests: Sequence[bytes]) -> Recalled:
        """Which of these events were delivered or found unchanged before: only those make a later copy a duplicate.

        And the numbers of those that were read before.
        """
        handled: set[bytes] = set()
        numbers: dict[bytes, int] = {}
        for key, outcome, number in self.ask_in(
            "SELECT digest, outcome, number FROM events WHERE digest IN ()", digests
        ):
            numbers[key] = number
            if outcome in _HANDLED:
                handled.add(key)
        return Recalled(handled, numbers)

    def last_number(self) -> int:
        """The number of the event that was numbered last."""
        return self.fact("events numbered", int) or 0

    def number_events(self, run: int, numbers: Mapping[bytes, int], last: int) -> None:
        """Notes the numbers of events that were never read before; they are pending. `last`: the last one given."""
        rows = [(key, _PENDING, run, number) for key, number in numbers.items()]
        self._db.executemany("INSERT OR IGNORE INTO events (digest, outcome, run, number) VALUES (?, ?, ?, ?)", rows)
        self.set_fact("events numbered", last)

    def _with_outcome(self, digests: Sequence[bytes], outcomes: frozenset[int]) -> set[bytes]:
        rows = self.ask_in("SELECT digest, outcome FROM events WHERE digest IN ()", digests)
        return {digest for digest, outcome in rows if outcome in outcomes}

    def over(self, digests: Sequence[bytes]) -> set[bytes]:
        """Which of these events need nothing any more: handled, or skipped when they were last read."""
        return self._with_outcome(digests, _OVER)

    def settle_events(
        self, run: int, outcomes: Iterable[tuple[bytes, Outcome]], contents: Mapping[bytes, int] = NO_CONTENTS
    ) -> None:
        """Keeps the outcomes of events in this run; `contents` are checksums of what they said, where known."""
        rows = [(key, _NUMBERS[outcome], run, contents.get(key)) for key, outcome in outcomes]
        self._db.executemany(
            "INSERT INTO events (digest, outcome, run, content) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET content = excluded.content, outcome = excluded.outcome, "
            "run = iif(outcome = excluded.outcome AND earlier IS NULL, run, excluded.run)",  # met, not touched
            rows,
        )
        if self._some_unfinished is None:
            self._some_unfinished = self._db.execute("SELECT 1 FROM unfinished LIMIT 1").fetchone() is not None
        if self._some_unfinished:
            over = [(row[0],) for row in rows if row[1] not in _UNFINISHED]
            self._db.executemany("DELETE FROM unfinished WHERE digest = ?", over)

    def keep_unfinished(self, run: int, rows: Iterable[tuple[bytes, str, int, int | None, str, bytes]]) -> None:
        """Bodies of events that `retry` will need: rows of (digest, file, line, index, identity, body)."""
        self._some_unfinished = True
        self._db.executemany(
            "INSERT OR REPLACE INTO unfinished VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(row[0], run, *row[1:]) for row in rows],
        )

    def unfinished(self, run: int | None = None) -> list[UnfinishedEvent]:
        """Unfinished events of all runs or of one, without their bodies, in the order of their files."""
        where, values = ("", ()) if run is None else (" WHERE run = ?", (run,))
        query = (
            f"SELECT digest, run, file, line, place, identity FROM unfinished{where} ORDER BY run, file, line, place"  # noqa: S608 - constants
        )
        return [UnfinishedEvent(*row) for row in self._db.execute(query, values)]

    def unfinished_body(self, key: bytes) -> bytes | None:
        """The bytes of one unfinished event."""
        row = self._db.execute("SELECT body FROM unfinished WHERE digest = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    # -- files

    def known_file(self, path: str) -> KnownFile | None:
        """What is known of the file at `path` since it was last read to its end."""
        row = self._db.execute("SELECT * FROM files WHERE path = ?", (path,)).fetchone()
        return None if row is None else KnownFile(*row)

    def known_content(self, content: bytes, meaning: bytes) -> bool:
        """Whether a file of this content, under whatever name, was read to its end with the same `meaning`."""
        query = "SELECT 1 FROM files WHERE digest = ? AND meaning = ? LIMIT 1"
        return self._db.execute(query, (content, meaning)).fetchone() is not None

    def known_sizes(self) -> frozenset[int]:
        """The sizes of all files that were read to their end."""
        return frozenset(size for (size,) in self._db.execute("SELECT DISTINCT size FROM files"))

    def keep_file(self, known: KnownFile) -> None:
        """Remembers a file that was read to its end."""
        self._db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", known)

    # -- records

    def state(self, kind: Kind, record: int | str) -> RecordState | None:
        """What we wrote into a record, or None when we never did."""
        row = self._db.execute("SELECT state FROM states WHERE kind = ? AND id = ?", (kind, record)).fetchone()
        return None if row is None else _decode_state(row[0])

    def save_record(self, kind: Kind, record: int | str, keys: Iterable[str], state: RecordState) -> None:
        """Remembers a record's state and that all `keys` name it.

        A former id that names another record is not taken from that: its alias may have failed, and be tried again.
        """
        self._db.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?)", (kind, record, _encode(state)))
        for key in keys:
            self.name(kind, key, record, anew=state.key is None or state.key == key)

    def note_created(self, run: int, kind: Kind, record: int | str, key: str | None) -> None:
        """A run has created this record: `runs show --records` names it, and `runs undo` deletes it."""
        self._db.execute("INSERT OR IGNORE INTO created VALUES (?, ?, ?, ?)", (run, kind, record, key))

    def created(self, run: int) -> list[tuple[Kind, int | str, str | None]]:
        """(kind, id, key) of the records that a run created."""
        return self._db.execute("SELECT kind, id, key FROM created WHERE run = ? ORDER BY kind, id", (run,)).fetchall()

    def forget_record(self, kind: Kind, record: int | str) -> None:
        """The record is gone from Pipedrive: its keys name nothing any more."""
        self._db.execute("DELETE FROM names WHERE kind = ? AND id = ?", (kind, record))
        self._db.execute("DELETE FROM states WHERE kind = ? AND id = ?", (kind, record))
        self.unsee(kind, [record])

    def keep_deleted(self, kind: Kind, key: str, state: RecordState | None) -> None:
        """Keeps what a deleted record gets when it is created again; None: it is there again."""
        name = f"lost {kind} {key}"
        if state is not None:
            self._names_of_deleted().add(name)
        if name in self._names_of_deleted():
            self.set_fact(name, state)

    def load_deleted(self, kind: Kind, key: str) -> RecordState | None:
        """What the deleted record of this key gets when it is created again, or None."""
        name = f"lost {kind} {key}"
        return self.fact(name, RecordState) if name in self._names_of_deleted() else None

    def _names_of_deleted(self) -> set[str]:
        if self._deleted is None:
            self._deleted = {row[0] for row in self._db.execute("SELECT name FROM facts WHERE name LIKE 'lost %'")}
        return self._deleted

    def merge_records(self, kind: Kind, loser: int, survivor: int) -> None:
        """All that named the loser names the survivor; the loser's state is gone."""
        self._db.execute("UPDATE names SET id = ? WHERE kind = ? AND id = ?", (survivor, kind, loser))
        self.forget_record(kind, loser)

    def aliases(self) -> dict[str, tuple[str, int | None]]:
        """previous -> (current, time) of all aliases that were ever settled."""
        rows = self._db.execute("SELECT previous, current, time FROM aliases")
        return {previous: (current, time) for previous, current, time in rows}

    def add_alias(
        self, previous: str, current: str, time: int | None, run: int | None = None, *, unknown: bool = False
    ) -> None:
        """From `time` on, `previous` is another name of `current`. What is stored already stays.

        `unknown`: nobody has borne the previous id yet.
        """
        self._db.execute(
            "INSERT INTO aliases (previous, current, time, run, unknown) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET unknown = min(unknown, excluded.unknown) WHERE current = excluded.current",
            (previous, current, time, run, unknown),
        )

    def unknown_aliases(self) -> frozenset[str]:
        """The previous ids that nobody had borne when their aliases were read."""
        return frozenset(row[0] for row in self._db.execute("SELECT previous FROM aliases WHERE unknown"))

    # -- writes that cannot be repeated

    def begin_write(
        self,
        run: int,
        verb: str,
        kind: Kind,
        *,
        key: str | None,
        target: str | None,
        picture: object,
        departure: Departure,
    ) -> int:
        """Notes a POST or a merge before it leaves."""
        cursor = self._db.execute(
            "INSERT INTO writes "
            "(run, verb, kind, key, target, picture, sent_at, left_at, patience, floor, since, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'sent')",
            (run, verb, kind, key, target, _encode(picture), *departure),
        )
        return int(cursor.lastrowid or 0)

    def delay_write(self, number: int, sent_at: float, left_at: float) -> None:
        """Notes that a write leaves later than was noted: it had to wait."""
        self._db.execute("UPDATE writes SET sent_at = ?, left_at = ? WHERE number = ?", (sent_at, left_at, number))

    def move_write(self, number: int, to: str) -> None:
        """Moves a write to another state. Raises ValueError for a transition that is not in `TRANSITIONS`."""
        # SQLite would make a table of `IN (?, ?, ?)`, each time.
        query = "UPDATE writes SET state = ? WHERE number = ? AND (state = ? OR state = ? OR state = ?)"
        if self._db.execute(query, (to, number, *states_before(to))).rowcount != 1:
            row = self._db.execute("SELECT state FROM writes WHERE number = ?", (number,)).fetchone()
            raise ValueError(f"write {number} cannot go from {row and row[0]} to {to}")

    def open_writes(self) -> list[OpenWrite]:
        """Writes whose fate is not known, oldest first."""
        rows = self._db.execute(
            "SELECT number, run, verb, kind, key, target, picture, state, sent_at, left_at, patience, floor, since "
            "FROM writes WHERE state IN ('sent', 'doubt') ORDER BY number"
        )
        return [
            OpenWrite(
                number, run, verb, kind, key, target, msgspec.msgpack.decode(picture), Departure(*departure), state
            )
            for number, run, verb, kind, key, target, picture, state, *departure in rows
        ]
