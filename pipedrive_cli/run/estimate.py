"""What events would cost at most, judged by them alone: all the writes, if Pipedrive has nothing of it yet, and looking
up, which costs least where the account is empty and most where it holds everything among much else.

No account is asked and no plan is made, so it is quick; `preview --summary` and `rehearse` know better, and are slower.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipedrive_cli.model import KINDS, Kind, Transformed
from pipedrive_cli.pipedrive.catalog import ARCHIVED_LEADS, CURRENCIES, FACTS, LEAD_LABELS, ME, MERGE, USERS, Endpoint

READS_OF_A_MERGE: Final = 2
# Of one record: its key and its email or name are searched, what is found is read, and listing may cost as much again.
SEARCHES: Final = 2
READS: Final = 5
READS_OF_A_LEAD: Final = 2  # its person and its organization


@dataclass(frozen=True, slots=True)
class Cost:
    """The most that it can cost. `records` counts different ones by kind; a merge costs two reads as well.

    `written` are the tokens of writes, `looked_up` those of look-ups in an empty account, and `looked_up_most` in any,
    but for listing the leads that it holds.
    """

    written: int
    looked_up: int
    looked_up_most: int
    requests: int
    records: dict[Kind, int]
    merges: int

    @property
    def least(self) -> int:
        """The tokens in an empty account."""
        return self.written + self.looked_up

    @property
    def most(self) -> int:
        """The tokens in any account."""
        return self.written + self.looked_up_most


@dataclass(slots=True)
class Estimate:
    """Counts different records over many events: hashes of their keys are kept, not the keys.

    `window` is how many events are read ahead: a record may be written once in every window.
    """

    window: int
    _records: dict[Kind, set[int]] = field(default_factory=dict)
    _in_window: set[tuple[Kind, int]] = field(default_factory=set)
    _writes: dict[Kind, int] = field(default_factory=dict)
    _events: int = 0
    _merges: int = 0

    def add_event(self, transformed: Transformed) -> None:
        """Counts what one event asks for."""
        self._events += 1
        if self._events % self.window == 0:
            self._in_window.clear()
        for change in transformed.changes:
            name, kind = change.record, change.record.kind
            known = hash(name.key or name.name or name.pipedrive_id)
            if kind != "leads":
                self._records.setdefault(kind, set()).add(known)
                if (kind, known) in self._in_window:
                    continue
                self._in_window.add((kind, known))
            self._writes[kind] = self._writes.get(kind, 0) + 1
        if transformed.alias is not None:
            self._merges += 1

    def cost(self, scale: float = 1.0) -> Cost:
        """The cost of all; `scale` is the number of all events, divided by that of the counted ones."""
        counts = {kind: round(len(self._records.get(kind, ())) * scale) for kind in KINDS}
        writes = {kind: round(self._writes.get(kind, 0) * scale) for kind in KINDS}
        counts["leads"] = writes["leads"]
        merges = round(self._merges * scale)
        written = sum(_creation(kind).tokens * n for kind, n in writes.items())
        written += merges * (MERGE.tokens + READS_OF_A_MERGE * FACTS["persons"].get.tokens)
        requests = sum(writes.values()) + merges * (1 + READS_OF_A_MERGE)
        least = _learning({kind for kind, n in counts.items() if n}) if written else 0
        most = least + sum(_looking(kind) * n for kind, n in counts.items())
        most += USERS.tokens if written else 0
        # Before a list of emails or prices is written again, the record is read.
        most += sum((n - counts[kind]) * FACTS[kind].get.tokens for kind, n in writes.items())
        return Cost(written, least, most, requests, {kind: n for kind, n in counts.items() if n}, merges)


def _creation(kind: Kind) -> Endpoint:
    return FACTS[kind].create


def _learning(kinds: set[Kind]) -> int:
    """The tokens for what has to be known of the account, and for a page of each list."""
    tokens = ME.tokens + sum(FACTS[kind].list_fields.tokens + FACTS[kind].list.tokens for kind in kinds)
    if "leads" in kinds:
        tokens += LEAD_LABELS.tokens + ARCHIVED_LEADS.tokens
    return tokens + (CURRENCIES.tokens if kinds & {"leads", "products"} else 0)


def _looking(kind: Kind) -> int:
    """The most tokens that looking for one record may take."""
    if kind == "leads":
        return READS_OF_A_LEAD * FACTS["persons"].get.tokens
    return 2 * SEARCHES * FACTS[kind].search.tokens + READS * FACTS[kind].get.tokens
