"""What the journal keeps of people who must not be sent: salted hashes of their names, and why each is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipedrive_cli.delivery.journal.journal import Journal


def kept_names(journal: Journal) -> list[tuple[bytes, bytes]]:
    """(hash of a name, hash of the name because of which it is suppressed) of all that were ever kept."""
    return journal.connection.execute("SELECT name, because FROM suppressed").fetchall()


def suppress(journal: Journal, rows: Iterable[tuple[bytes, bytes]]) -> None:
    """Keeps such rows; in a transaction."""
    journal.connection.executemany("INSERT OR IGNORE INTO suppressed VALUES (?, ?)", rows)


def drop_unfinished(journal: Journal, digests: Iterable[bytes]) -> None:
    """Forgets the bodies of events that `retry` must not send any more; in a transaction."""
    journal.connection.executemany("DELETE FROM unfinished WHERE digest = ?", [(each,) for each in digests])


def ids_by_email(journal: Journal, emails: Sequence[str]) -> list[tuple[str, str]]:
    """(user id, email) of every person who was seen with one of these emails, in the form that `see` keeps."""
    named = "SELECT n.key, e.email FROM seen_emails e JOIN names n ON n.kind = 'persons' AND n.id = e.id"
    shown = "SELECT s.key, e.email FROM seen_emails e JOIN seen s ON s.kind = 'persons' AND s.id = e.id"
    found = [row for query in (named, shown) for row in journal.ask_in(f"{query} WHERE e.email IN ()", emails)]
    return [(key, email) for key, email in found if key is not None]
