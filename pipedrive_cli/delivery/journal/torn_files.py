"""The journal's memory of found files that broke off, as runs last saw them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipedrive_cli.delivery.journal.journal import Journal


def torn_file(journal: Journal, path: str) -> bytes | None:
    """The digest of the file at `path` when a run last saw it break off; None: none did, or it has an end now."""
    row = journal.connection.execute("SELECT digest FROM torn_files WHERE path = ?", (path,)).fetchone()
    return None if row is None else bytes(row[0])


def keep_torn_files(journal: Journal, torn: Mapping[str, bytes], ended: Iterable[str]) -> None:
    """Remembers the digests of files that break off, by path, and forgets those that have an end now."""
    journal.connection.executemany("DELETE FROM torn_files WHERE path = ?", [(path,) for path in ended])
    journal.connection.executemany("INSERT OR REPLACE INTO torn_files VALUES (?, ?)", torn.items())
