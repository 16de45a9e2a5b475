"""How the events of a count end: most as a number, some as cases to tell of, and copies as their originals do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipedrive_cli.delivery.book import Book
from pipedrive_cli.delivery.cases import PRECEDENCE, Case
from pipedrive_cli.outcomes import HANDLED, Complaint, Outcome
from pipedrive_cli.run.counts.window import Twin, Window


@dataclass(slots=True)
class Endings:
    """Ends events in the book, and knows by their digests which are handled or still open."""

    book: Book
    handled: set[bytes] = field(default_factory=set)
    open: dict[bytes, Case] = field(default_factory=dict)  # of earlier windows, that wait for the rest of the input
    _late: list[tuple[Case, Twin]] = field(default_factory=list)  # those with each of their copies

    def tell(self, complaints: Iterable[Complaint], make: Callable[[], Case]) -> None:
        """Problems of one event; `make` makes it somebody to tell of, which is only done for examples."""
        for complaint in complaints:
            example = None if self.book.knows_enough(complaint) else make()
            self.book.problem(complaint, example, complaint.outcome)

    def end_told(self, complaints: Sequence[Complaint], make: Callable[[], Case]) -> None:
        """An event ends with what it was complained of."""
        self.tell(complaints, make)
        outcome = min((c.outcome for c in complaints if c.outcome is not None), key=PRECEDENCE.index)
        self.count(outcome, 1)

    def end_parts(self, now: Window, rows: Iterable[int], outcome: Outcome, *, lead: bool = False) -> None:
        """One part of each event in these rows has ended; `lead`: the lead, and with it who is named in passing."""
        cases = now.cases
        for row in rows:
            case = cases.get(row)
            if case is None:
                continue
            if lead and now.alone(row):
                case.open -= 1  # the person that it only names
            if case.end_part(outcome):
                self.end(case)

    def end(self, case: Case) -> None:
        """All parts of an event have ended."""
        if case.complaints:
            self.book.end(case)
        else:
            self.count(case.outcome, 1)

    def count(self, outcome: Outcome, n: int) -> None:
        """So many events end of which there is nothing to tell."""
        if n:
            self.book.tally.outcomes[outcome] += n
            self.book.count("outcome", outcome.value, n)

    def end_rows(self, now: Window) -> None:
        """The outcomes of events that are no more than a number, and of the copies of all."""
        told = len(now.cases.keys() & set(now.first.values())) if now.cases else 0
        delivered = len(now.loud - now.cases.keys())
        self.count(Outcome.UNCHANGED, len(now.first) - told - delivered)
        self.count(Outcome.DELIVERED, delivered)
        open_before = self.open
        self.open = {digest: case for digest, case in self.open.items() if case.open}
        self.handled.update(now.first)
        for digest, row in now.first.items() if now.cases else ():
            case = now.cases.get(row)
            if case is not None and (case.open or case.outcome not in HANDLED):
                self.handled.discard(digest)
                if case.open:
                    self.open[digest] = case
        for digest, case in open_before.items():
            if not case.open and case.outcome in HANDLED:
                self.handled.add(digest)
        self._end_copies(now, open_before)

    def _end_copies(self, now: Window, open_before: Mapping[bytes, Case]) -> None:
        late, self._late = self._late, []
        for first, twin in late:
            self._end_copy(first, twin)
        for twin in now.twins:
            row = now.first.get(twin.digest)
            original = open_before.get(twin.digest) if row is None else now.cases.get(row)
            if original is None:
                self.count(Outcome.DUPLICATE, 1)
            else:
                self._end_copy(original, twin)

    def _end_copy(self, first: Case, twin: Twin) -> None:
        if first.open:
            self._late.append((first, twin))
        elif first.outcome in HANDLED or first.outcome is Outcome.SKIPPED:
            self.count(Outcome.DUPLICATE, 1)
        else:
            copy = twin.page.case(twin.row)
            copy.become_copy(first)
            self.book.end(copy)
