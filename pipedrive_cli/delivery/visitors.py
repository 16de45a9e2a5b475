"""Visitors: anonymous ids of events that this run has skipped. An alias that names one as its previous id is skipped.

Exports are full of page views of visitors, so only hashes are kept, and of so many at most. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipedrive_cli.events.identity import digest

MOST = 1_000_000  # beyond that an alias of a visitor is rejected, as one of somebody unknown


@dataclass(slots=True)
class Visitors:
    """A set of anonymous ids."""

    _hashes: set[int] = field(default_factory=set)

    def add(self, anonymous_id: str) -> None:
        """Notes the anonymous id of an event that was skipped."""
        if len(self._hashes) < MOST:
            self._hashes.add(_hash(anonymous_id))

    def __contains__(self, key: object) -> bool:
        return bool(self._hashes) and isinstance(key, str) and _hash(key) in self._hashes


def _hash(key: str) -> int:
    return int.from_bytes(digest(key)[:8])
