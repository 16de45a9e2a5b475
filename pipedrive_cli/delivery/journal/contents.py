"""The journal's memory of what events said: a checksum of each, by which copies that say something else are noticed."""

from __future__ import annotations

from collections.abc import Sequence

from pipedrive_cli.delivery.journal.journal import Journal


def contents_of(journal: Journal, digests: Sequence[bytes]) -> dict[bytes, int]:
    """Checksums of what these events said when they were handled, of those of which it is known."""
    return dict(journal.ask_in("SELECT digest, content FROM events WHERE digest IN () AND content > 0", digests))
