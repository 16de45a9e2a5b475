"""A scratch journal for commands that only look: a private copy that vanishes with the process.

The original is opened read-only, also while a run is writing it, and nothing beside it is left behind.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from pipedrive_cli.delivery.journal.journal import Journal
from pipedrive_cli.delivery.journal.schema import USE_NEWER, NewerJournalError, is_there, migrate
from pipedrive_cli.errors import UserMistake


def scratch(original: Path | None = None) -> Journal:
    """A journal that starts as `original` is now (empty where there is none). Raises UserMistake if it is unusable."""
    # SQLite's own temporary database: in memory while it is small, else in a file that nobody else can see.
    db = sqlite3.connect("", isolation_level=None)
    try:
        if original is not None and is_there(original):
            with contextlib.closing(journal_database(original, "ro")) as source:
                source.backup(db)
        db.execute("PRAGMA journal_mode = MEMORY")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -16384")
        migrate(db)
    except (sqlite3.Error, OSError, ValueError) as error:
        db.close()
        another = "name another file with --state, or mend this one's place and permissions"
        raise UserMistake(
            f"cannot read the journal {original}: {error}",
            code="journal",
            hint=USE_NEWER if isinstance(error, NewerJournalError) else another,
        ) from error
    return Journal(db, original or Path())


def journal_database(path: Path, mode: str) -> sqlite3.Connection:
    """The journal's database, to be read (`ro`) or written (`rw`)."""
    # Without a -wal file nobody is writing; saying so keeps SQLite from laying its own files beside the journal, which
    # it could not do where nothing may be written.
    alone = mode == "ro" and not path.with_name(f"{path.name}-wal").exists()
    place = f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if alone else ''}"
    return sqlite3.connect(place, uri=True, isolation_level=None, timeout=30)
