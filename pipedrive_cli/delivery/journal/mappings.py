"""The journal's memory of mappings: under which one each run has handled its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from pipedrive_cli.delivery.journal.journal import Journal
from pipedrive_cli.model import Kind

# A mapping by kind of record: its fingerprint, and its lines as people know them.
ByKind: TypeAlias = Mapping[Kind, tuple[bytes, tuple[str, ...]]]


def note_mapping(journal: Journal, run: int, mapping: ByKind) -> None:
    """Keeps under which mapping a run handles its events; in a transaction."""
    rows = [(run, kind, fingerprint) for kind, (fingerprint, _) in mapping.items()]
    journal.connection.executemany("INSERT OR REPLACE INTO mappings VALUES (?, ?, ?)", rows)
    lines = [(fingerprint, msgspec.msgpack.encode(lines)) for fingerprint, lines in mapping.values()]
    journal.connection.executemany("INSERT OR IGNORE INTO mapping_lines VALUES (?, ?)", lines)


def mappings(journal: Journal) -> dict[int, ByKind]:
    """The mappings of all runs that have kept theirs, by the run's number."""
    lines = {
        fingerprint: msgspec.msgpack.decode(packed, type=tuple[str, ...])
        for fingerprint, packed in journal.connection.execute("SELECT fingerprint, lines FROM mapping_lines")
    }
    found: dict[int, dict[Kind, tuple[bytes, tuple[str, ...]]]] = {}
    for run, kind, fingerprint in journal.connection.execute("SELECT run, kind, fingerprint FROM mappings"):
        found.setdefault(run, {})[kind] = (fingerprint, lines.get(fingerprint, ()))
    return dict(found)


def last_run(journal: Journal) -> int:
    """The number of the newest run; 0 where there was none."""
    (number,) = journal.connection.execute("SELECT coalesce(max(number), 0) FROM runs").fetchone()
    return int(number)


def runs_of(journal: Journal, digests: Sequence[bytes]) -> dict[bytes, int]:
    """The numbers of the runs in which these events had their last outcomes."""
    return dict(journal.ask_in("SELECT digest, run FROM events WHERE digest IN ()", digests))


def note_refilled(journal: Journal, digests: Sequence[bytes]) -> None:
    """Of events that are taken up again it is kept which run had handled them first, in a transaction."""
    rows = [(key,) for key in digests]
    journal.connection.executemany("UPDATE events SET earlier = coalesce(earlier, run) WHERE digest = ?", rows)
