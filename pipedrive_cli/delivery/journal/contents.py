"""The journal's memory of what events said: a checksum of each, by which copies that say something else are noticed."""

from __future__ import annotations

from collections.abc import Sequence

from pipedrive_cli.delivery.journal.journal import Journal, chunks


def contents_of(journal: Journal, digests: Sequence[bytes]) -> dict[bytes, int]:
    """Checksums of what these events said when they were handled, of those of which it is known."""
    found: dict[bytes, int] = {}
    for rows in chunks(digests):
        marks = ",".join("?" * len(rows))
        query = f"SELECT digest, content FROM events WHERE digest IN ({marks}) AND content > 0"  # noqa: S608 - marks alone
        found.update(journal.connection.execute(query, rows))
    return found
