"""What events would cost at most, judged by them alone: all the writes, if Pipedrive has nothing of it yet.

No account is asked and no plan is made, so it is quick; `preview --summary` and `rehearse` know better, and are slower.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipedrive_cli.model import KINDS, Kind, Transformed
from pipedrive_cli.pipedrive.catalog import FACTS, MERGE, Endpoint

READS_OF_A_MERGE = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """The most that writing can cost. `records` counts different ones by kind; a merge costs two reads as well."""

    tokens: int
    requests: int
    records: dict[Kind, int]
    merges: int


@dataclass(slots=True)
class Estimate:
    """Counts different records over many events: hashes of their keys are kept, not the keys."""

    _records: dict[Kind, set[int]] = field(default_factory=dict)
    _leads: int = 0
    _merges: int = 0

    def add_event(self, transformed: Transformed) -> None:
        """Counts what one event asks for."""
        for change in transformed.changes:
            if change.record.kind == "leads":
                self._leads += 1
            else:
                name = change.record
                known = name.key or name.name or name.pipedrive_id
                self._records.setdefault(name.kind, set()).add(hash(known))
        if transformed.alias is not None:
            self._merges += 1

    def cost(self, scale: float = 1.0) -> Cost:
        """The cost of all; `scale` is the number of all events, divided by that of the counted ones."""
        counts = {kind: round(len(self._records.get(kind, ())) * scale) for kind in KINDS}
        counts["leads"] = round(self._leads * scale)
        merges = round(self._merges * scale)
        tokens = sum(_creation(kind).tokens * n for kind, n in counts.items())
        tokens += merges * (MERGE.tokens + READS_OF_A_MERGE * FACTS["persons"].get.tokens)
        requests = sum(counts.values()) + merges * (1 + READS_OF_A_MERGE)
        return Cost(tokens, requests, {kind: n for kind, n in counts.items() if n}, merges)


def _creation(kind: Kind) -> Endpoint:
    return FACTS[kind].create
