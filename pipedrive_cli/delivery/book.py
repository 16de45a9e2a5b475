"""What a run has to tell, on its way into the journal: counts, problems with examples, and every event's outcome.

It collects between two commits and writes itself into whichever transaction comes next, so that the numbers in the
journal are those of the work in the journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipedrive_cli.delivery.cases import Case
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.tally import Tally
from pipedrive_cli.outcomes import Complaint, Outcome, cause_of
from pipedrive_cli.transform.changes import Kind

EXAMPLES_KEPT = 20  # per cause and run


@dataclass(slots=True)
class Book:
    """One run's book. `on_ended` is told of every event that has ended, before it is journaled.

    `journaled` False: nobody asks a journal what became of an event.
    """

    run: int
    tally: Tally
    on_ended: Callable[[Case], None] | None = None
    journaled: bool = True
    _counts: dict[str, Counter[str]] = field(default_factory=dict)
    _examples: list[tuple[Any, ...]] = field(default_factory=list)
    _kept: Counter[tuple[str, str, str | None]] = field(default_factory=Counter)
    _ended: list[tuple[bytes, Outcome]] = field(default_factory=list)
    _requests_told: Counter[str] = field(default_factory=Counter)
    _tokens_told: Counter[str] = field(default_factory=Counter)
    _told: Counter[str] = field(default_factory=Counter)

    def count(self, what: str, name: str, n: int = 1) -> None:
        """Adds to what the run has counted under one heading."""
        if (counts := self._counts.get(what)) is None:
            counts = self._counts[what] = Counter()
        counts[name] += n

    def record(self, kind: Kind, action: str) -> None:
        """One record was created, updated, left as it was, or merged."""
        self.records(kind, action, 1)

    def records(self, kind: Kind, action: str, n: int) -> None:
        """The same of several records."""
        self.tally.records[kind, action] += n
        self.count("record", f"{kind} {action}", n)

    def problem(self, complaint: Complaint, case: Case | None = None, outcome: Outcome | None = None) -> None:
        """Counts a problem and keeps the first examples of it."""
        ended = outcome.value if outcome is not None else ""
        if outcome is not Outcome.SKIPPED:
            self.tally.problems[complaint.code] += 1
        cause = cause_of(complaint.code, complaint.field)
        self.count("problem", f"{complaint.code} {ended}" if cause is None else f"{complaint.code} {ended}\t{cause}")
        if self._kept[complaint.code, ended, cause] >= EXAMPLES_KEPT:
            return
        self._kept[complaint.code, ended, cause] += 1
        origin = case.origin if case is not None else None
        place = origin.place if origin is not None else None
        self._examples.append(
            (
                complaint.code,
                ended,
                complaint.message[:500],
                place.file if place else None,
                place.line if place else None,
                place.index if place else None,
                origin.message_id if origin else None,
                origin.user if origin else None,
                complaint.field,
                None if complaint.value is None else complaint.value[:200],
            )
        )

    def knows_enough(self, complaint: Complaint) -> bool:
        """Whether further examples of this problem would not be kept."""
        ended = complaint.outcome.value if complaint.outcome is not None else ""
        return self._kept[complaint.code, ended, cause_of(complaint.code, complaint.field)] >= EXAMPLES_KEPT

    def end(self, case: Case) -> None:
        """An event has its outcome."""
        self.tally.outcomes[case.outcome] += 1
        self.count("outcome", case.outcome.value)
        if case.complaints:
            causes = {(c.code, cause_of(c.code, c.field)): c for c in reversed(case.complaints)}
            for complaint in causes.values():
                self.problem(complaint, case, complaint.outcome)
        if self.on_ended is not None:
            self.on_ended(case)
        if self.journaled and case.digest:
            self._ended.append((case.digest, case.outcome))

    def end_known(self) -> None:
        """An event that an earlier run has handled was met again: the journal keeps the outcome that it has."""
        self.tally.outcomes[Outcome.DUPLICATE] += 1
        self.count("outcome", Outcome.DUPLICATE.value)

    def write(self, journal: Journal) -> None:
        """Writes what has come together into the transaction that is open."""
        self._requests()
        for what, counts in self._counts.items():
            journal.count(self.run, what, counts)
        journal.add_examples(self.run, self._examples)
        journal.settle_events(self.run, self._ended)
        self._counts, self._examples, self._ended = {}, [], []

    def _requests(self) -> None:
        tally = self.tally
        for what, counted, told in (
            ("request", tally.requests, self._requests_told),
            ("token", tally.tokens, self._tokens_told),
        ):
            for label, n in counted.items():
                if n > (before := told[label]):
                    self.count(what, label, n - before)
                    told[label] = n
        now = {
            "read": tally.events_read,
            "filtered": tally.filtered,
            "retried": tally.retried,
            "tokens": tally.tokens_spent,
            "passed_over": tally.files_passed_over,
        }
        for name, n in now.items():
            if n > self._told[name]:
                self.count("run", name, n - self._told[name])
                self._told[name] = n
