"""The journal's tables, and how an older journal becomes a newer one.

What is missing and the version number that says it ran are one transaction: a new journal waits for its disk once, and
one that cannot be brought up to date stays as it was. A migration is never changed once it landed.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

from pipedrive_cli.errors import StopRun

MIGRATIONS: tuple[str, ...] = (
    """
    -- One value per line that outlives a run: the company this journal belongs to, listings, pinned field names.
    CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

    CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,          -- 2026-11-23T09-15-02Z-7f3a
        started TEXT NOT NULL,              -- ISO 8601 UTC
        sources TEXT NOT NULL DEFAULT '',   -- what it read, as it was written on the command line
        summary BLOB                        -- the JSON of the summary at the run's end; NULL: it died or is under way
    );

    -- What a run has counted so far: outcomes, requests, tokens, records, dropped traits.
    CREATE TABLE counts (
        run INTEGER NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL,
        PRIMARY KEY (run, what, name)
    ) WITHOUT ROWID;

    -- Up to some examples per problem and run; how many there were is in counts.
    CREATE TABLE examples (
        run INTEGER NOT NULL, code TEXT NOT NULL, outcome TEXT NOT NULL, message TEXT NOT NULL, file TEXT, line INTEGER,
        place INTEGER, message_id TEXT, user TEXT, field TEXT, value TEXT
    );
    CREATE INDEX examples_by_run ON examples (run, code);

    -- The last outcome of every event, by a 128-bit digest of its identity.
    CREATE TABLE events (digest BLOB PRIMARY KEY, outcome INTEGER NOT NULL, run INTEGER NOT NULL) WITHOUT ROWID;

    -- Bodies of events that are not finished, so that `retry` needs no files.
    CREATE TABLE unfinished (
        digest BLOB PRIMARY KEY, run INTEGER NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL, place INTEGER,
        identity TEXT NOT NULL, body BLOB NOT NULL
    ) WITHOUT ROWID;

    -- Files that were found and read to their end with nothing left to do. `lines` 0: it cannot be continued.
    CREATE TABLE files (
        path TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL, digest BLOB NOT NULL,
        lines INTEGER NOT NULL, meaning BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX files_by_digest ON files (digest);

    -- Record keys: how events name a record. Several keys may name one record (aliases).
    CREATE TABLE names (kind TEXT NOT NULL, key TEXT NOT NULL, id NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
    CREATE INDEX names_by_id ON names (kind, id);

    -- Former ids: from `time` on (microseconds; NULL: an alias without time) `previous` is another name of `current`.
    CREATE TABLE aliases (previous TEXT PRIMARY KEY, current TEXT NOT NULL, time INTEGER) WITHOUT ROWID;

    -- What we wrote into a record and when its values were said: see precedence.RecordState.
    CREATE TABLE states (kind TEXT NOT NULL, id NOT NULL, state BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;

    -- Records as listings and answers showed them: the directory.
    CREATE TABLE seen (
        kind TEXT NOT NULL, id INTEGER NOT NULL, key TEXT, updated TEXT, shown BLOB NOT NULL, PRIMARY KEY (kind, id)
    ) WITHOUT ROWID;
    CREATE INDEX seen_by_key ON seen (kind, key) WHERE key IS NOT NULL;
    CREATE TABLE seen_emails (email TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (email, id)) WITHOUT ROWID;
    CREATE INDEX seen_emails_by_id ON seen_emails (id);

    -- Records that a run created, for `runs show --records`.
    CREATE TABLE created (run INTEGER NOT NULL, kind TEXT NOT NULL, id NOT NULL, key TEXT, PRIMARY KEY (run, kind, id))
        WITHOUT ROWID;

    -- Writes that cannot be repeated, from before they leave until their answer is known.
    CREATE TABLE writes (
        number INTEGER PRIMARY KEY, run INTEGER NOT NULL, verb TEXT NOT NULL, kind TEXT NOT NULL, key TEXT,
        target TEXT, picture BLOB, sent_at REAL NOT NULL, state TEXT NOT NULL
    );
    CREATE INDEX open_writes ON writes (state) WHERE state IN ('sent', 'doubt');
    """,
    """
    ALTER TABLE runs ADD COLUMN command TEXT NOT NULL DEFAULT '';        -- replay, retry, rehearse; '': not known
    ALTER TABLE runs ADD COLUMN scene TEXT NOT NULL DEFAULT 'account';   -- account, sandbox, foretold
    ALTER TABLE runs ADD COLUMN course BLOB;                             -- its moments, packed; NULL: as for summary
    """,
    """
    -- Files that were found and broke off, as a run last saw them: one that has not changed since is not being written.
    CREATE TABLE torn_files (path TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
    """,
    """
    -- What it takes to believe that a write in doubt was not done. NULL: an older pipedrive-cli has written it.
    ALTER TABLE writes ADD COLUMN left_at REAL;   -- when it left by this machine's clock; `sent_at` is Pipedrive's
    ALTER TABLE writes ADD COLUMN patience REAL;  -- seconds for which it may be under way
    ALTER TABLE writes ADD COLUMN floor INTEGER;  -- the highest id known before it left: what it makes has a higher one
    ALTER TABLE writes ADD COLUMN since REAL;     -- what it makes was added later than this, by Pipedrive's clock
    """,
    """
    -- The mapping of each run, by kind: which events know nothing of a field that was added since.
    CREATE TABLE mappings (run INTEGER NOT NULL, kind TEXT NOT NULL, fingerprint BLOB NOT NULL, PRIMARY KEY (run, kind))
        WITHOUT ROWID;
    CREATE TABLE mapping_lines (fingerprint BLOB PRIMARY KEY, lines BLOB NOT NULL) WITHOUT ROWID;
    """,
    """
    -- What a run has replaced in records that were there: the values and the state before. For `runs undo`.
    CREATE TABLE befores (
        run INTEGER NOT NULL, kind TEXT NOT NULL, id NOT NULL, noted_at REAL NOT NULL, packed BLOB NOT NULL,
        PRIMARY KEY (run, kind, id)
    ) WITHOUT ROWID;
    CREATE INDEX befores_by_record ON befores (kind, id);
    """,
    """
    -- Organizations without a group id are known by their names: they are listed once more, with these.
    DELETE FROM facts WHERE name = 'listing organizations';
    """,
    """
    -- Names of people who must not be sent, as salted hashes. `because` is the hash of the email that an id came with:
    -- it counts as long as that email is suppressed. Of a name that was forgotten it is the name's own hash.
    CREATE TABLE suppressed (name BLOB NOT NULL, because BLOB NOT NULL, PRIMARY KEY (name, because)) WITHOUT ROWID;
    """,
    """
    -- Records of people who were forgotten, until they are deleted from Pipedrive.
    CREATE TABLE to_delete (kind TEXT NOT NULL, id NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
    """,
    """
    ALTER TABLE events ADD COLUMN content INTEGER;  -- a checksum of what the event said; NULL: not known
    """,
    """
    ALTER TABLE aliases ADD COLUMN run INTEGER;  -- the run that has brought it, for `runs undo`; NULL: not known
    """,
    """
    -- The place of an event in the order in which this journal first read its events; 0: an older pipedrive-cli did.
    ALTER TABLE events ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    """,
    """
    -- 1: the alias was rejected, for nobody bore its previous id; its link is kept for whoever comes late.
    ALTER TABLE aliases ADD COLUMN unknown INTEGER NOT NULL DEFAULT 0;
    """,
    """
    -- For `runs undo`, by Pipedrive's clock (seconds since 1970): before a run's first write, and after its last one;
    -- and when it was undone (ISO 8601 UTC). NULL: not known, not undone.
    ALTER TABLE runs ADD COLUMN first_at REAL;
    ALTER TABLE runs ADD COLUMN last_at REAL;
    ALTER TABLE runs ADD COLUMN undone TEXT;
    ALTER TABLE events ADD COLUMN earlier INTEGER;  -- the run that had handled it before a refill did; NULL: none
    """,
)


USE_NEWER = "use that version: with another journal nobody would know what has been delivered"


class NewerJournalError(ValueError):
    """A newer pipedrive-cli has written the journal."""


def is_there(path: Path) -> bool:
    """Whether a file stands at `path`.

    Raises OSError where nobody may look, and for what is no regular file: SQLite would wait for a pipe for ever.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise OSError("that is no regular file")
    return True


class FileInPlace:
    """Whether the journal's path leads to the file that was opened there. `opened` None: nothing can happen to it.

    SQLite would go on writing into a file that nobody sees.
    """

    def __init__(self, path: Path, opened: os.stat_result | None) -> None:
        self._path = path
        self._opened = opened
        self._taken: StopRun | None = None

    def check(self, connection: sqlite3.Connection) -> None:
        """Raises StopRun where the file was taken away, the same one ever after.

        Where nothing stands in its place, all that it holds is written there again for the next run.
        """
        if self._taken is None and self._opened is not None:
            self._taken = self._missing(connection, self._opened)
        if self._taken is not None:
            raise self._taken

    def _missing(self, connection: sqlite3.Connection, opened: os.stat_result) -> StopRun | None:
        try:
            if os.path.samestat(self._path.stat(), opened):
                return None
            what, hint = "was replaced by another file", "bring it back from a copy if there is one"
        except OSError:
            what, hint = "is gone", "without it the account's records are looked up anew"
            if _written_again(connection, self._path):
                what, hint = "was gone, and was written again", "the same command goes on from there"
        return StopRun(
            f"the journal {self._path} {what} while the run went on",
            code="journal",
            hint=f"keep whatever cleans up away from it, then run again: {hint}",
        )


def _written_again(connection: sqlite3.Connection, path: Path) -> bool:
    beside = path.with_name(f".{path.name}.again")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with contextlib.closing(sqlite3.connect(beside)) as copy:
            connection.backup(copy)
        os.link(beside, path)  # unlike a renaming, it takes the place of no journal that a new run has begun
    except (OSError, sqlite3.Error):
        return False
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    return True


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the journal to the newest version.

    Raises ValueError with a message for people when a newer pipedrive-cli or another program has written it.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
        raise ValueError("it is the database of another program")
    if version > len(MIGRATIONS):
        raise NewerJournalError(
            f"it was written by a newer pipedrive-cli (journal version {version}, this one knows {len(MIGRATIONS)})"
        )
    if missing := MIGRATIONS[version:]:
        connection.executescript(f"BEGIN; {';'.join(missing)}; PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;")
