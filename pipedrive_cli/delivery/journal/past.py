"""The journal for commands that look at past runs: opened read-only, also beside a run.

Forgetting runs is here, too. Outcomes of events, states of records and what `retry` needs are never forgotten.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipedrive_cli.delivery.journal.journal import OUTCOMES, Journal
from pipedrive_cli.delivery.journal.schema import MIGRATIONS, USE_NEWER, is_there
from pipedrive_cli.delivery.journal.scratch import journal_database, scratch
from pipedrive_cli.errors import UserMistake
from pipedrive_cli.model import Kind, Outcome, Place


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Journal]:
    """A journal that can be read and not written. Raises UserMistake where there is none of ours.

    The journal of an older pipedrive-cli is read from an updated copy; the next run updates the journal itself.
    """
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(_connected(path, "ro", older=True))
        if _version(connection) < len(MIGRATIONS):
            yield stack.enter_context(contextlib.closing(scratch(path)))
        else:
            yield Journal(connection, path)


def journal_is_there(path: Path) -> bool:
    """Whether there is a journal to be read. Raises UserMistake where that cannot be seen, or where it is no file."""
    try:
        return is_there(path)
    except (OSError, ValueError) as error:
        raise _no_use(path, getattr(error, "strerror", None) or str(error)) from error


def unfinished_runs(path: Path) -> frozenset[int]:
    """Numbers of the runs that left something for `retry`, or a write whose fate is not known."""
    with _connected(path, "ro", older=True) as connection:
        rows = connection.execute(
            "SELECT run FROM unfinished UNION SELECT run FROM writes WHERE state IN ('sent', 'doubt')"
        )
        return frozenset(row[0] for row in rows)


def last_outcome(journal: Journal, digest: bytes) -> tuple[Outcome, int, bool] | None:
    """An event's last outcome, the number of its run, and whether it waits for `retry`; None: never read."""
    row = journal.connection.execute("SELECT outcome, run FROM events WHERE digest = ?", (digest,)).fetchone()
    waits = journal.connection.execute("SELECT 1 FROM unfinished WHERE digest = ?", (digest,)).fetchone() is not None
    return None if row is None else (OUTCOMES[row[0]], int(row[1]), waits)


def number_of(journal: Journal, digest: bytes) -> int:
    """The number under which the journal first read the event; 0: not known."""
    row = journal.connection.execute("SELECT number FROM events WHERE digest = ?", (digest,)).fetchone()
    return 0 if row is None else int(row[0])


def place_of_unfinished(journal: Journal, digest: bytes) -> Place | None:
    """Where an event stands that is not finished; None for any other."""
    query = "SELECT file, line, place FROM unfinished WHERE digest = ?"
    row = journal.connection.execute(query, (digest,)).fetchone()
    return None if row is None else Place(*row)


def set_by(journal: Journal, number: int) -> Iterator[tuple[Kind, int | str, tuple[str, ...]]]:
    """The records that have fields whose values the event of this number set, with these fields."""
    for kind, record in journal.connection.execute("SELECT kind, id FROM states ORDER BY kind, id").fetchall():
        state = journal.state(kind, record)
        fields = () if state is None else tuple(f for f, each in state.fields.items() if each.number == number)
        if fields:
            yield kind, record, fields


def digests_of(journal: Journal, numbers: Iterable[int]) -> dict[int, str]:
    """The digests of events in hexadecimal, by the numbers under which the journal first read them."""
    marks = ",".join(str(int(number)) for number in sorted(set(numbers)))
    rows = journal.connection.execute(f"SELECT number, digest FROM events WHERE number IN ({marks})")  # noqa: S608 - numbers alone
    return {number: digest.hex() for number, digest in rows}


def forget_runs(path: Path, numbers: Iterable[int]) -> None:
    """Forgets summaries, counts and examples of these runs. Lock the journal first. Never name the newest run.

    A new run's number follows the newest one: if that were gone, its number would come again.
    """
    rows = [(number,) for number in numbers]
    with _connected(path, "rw") as connection:
        connection.execute("BEGIN IMMEDIATE")
        for table, column in (
            ("runs", "number"),
            ("counts", "run"),
            ("examples", "run"),
            ("created", "run"),
            ("befores", "run"),
        ):
            connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", rows)  # noqa: S608 - constants
        connection.execute("COMMIT")


@contextlib.contextmanager
def _connected(path: Path, mode: str, *, older: bool = False) -> Iterator[sqlite3.Connection]:
    if not journal_is_there(path):
        raise _no_use(path, "there is no such file")
    try:
        # Not `with sqlite3.connect(...)`: that one commits, and does not close.
        with contextlib.closing(journal_database(path, mode)) as connection:
            _check(connection, path, older=older)
            yield connection
    except sqlite3.Error as error:
        raise _no_use(path, str(error)) from error


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _check(connection: sqlite3.Connection, path: Path, *, older: bool) -> None:
    version = _version(connection)
    (ours,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('facts', 'runs')").fetchone()
    if ours != 2:
        raise _no_use(path, "it is no journal of pipedrive-cli")
    if version > len(MIGRATIONS):
        raise _no_use(path, "it was written by a newer pipedrive-cli", USE_NEWER)
    if version < len(MIGRATIONS) and not older:
        raise _no_use(path, "it was written by an older pipedrive-cli", "the next `replay` brings it up to date")


def _no_use(path: Path, why: str, hint: str = "name another file with --state") -> UserMistake:
    return UserMistake(f"cannot read the journal {path}: {why}", code="journal", hint=hint)
