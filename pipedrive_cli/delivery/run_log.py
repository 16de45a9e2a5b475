"""What a run counts: live figures for progress displays, and the log that goes into the journal.

Between two commits the log collects counts, problems with examples, and the outcomes of events. The next transaction
writes them, so that the numbers in the journal are those of the work in the journal. After the run the journal is the
truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.mappings import note_refilled
from pipedrive_cli.delivery.journal.suppressed import drop_unfinished
from pipedrive_cli.delivery.pending_event import PendingEvent
from pipedrive_cli.delivery.unfit_values import UnfitValues
from pipedrive_cli.model import FILE_PROBLEMS, UNSETTLED, Complaint, Kind, Outcome, Place, cause_of

_Name = TypeVar("_Name")


class _Figures(Counter[_Name]):
    """A `Counter` that is added to as fast as a dictionary: what it has of its own for deleting slows every change."""

    __delitem__ = dict.__delitem__  # type: ignore[assignment] # as every dictionary has it


@dataclass(slots=True)
class LiveFigures:
    """Live figures of one run. Workers add to them; progress displays read them several times a second."""

    run: str | None = None  # the run's name, once it has one
    phase: str = "starting"  # a few words: "reading", "looking up records", "finishing what is in flight"
    file: str = ""  # the source being read
    files_begun: int = 0
    files_total: int = 0
    bytes_total: int | None = None  # None: stdin or a pipe among the sources
    bytes_read: int = 0
    events_read: int = 0
    events_wanted: int | None = None  # no more than these, duplicates aside; None: all there are
    filtered: int = 0
    files_passed_over: int = 0  # known from earlier runs, and not read
    outcomes: Counter[Outcome] = field(default_factory=_Figures)
    records: Counter[tuple[Kind, str]] = field(default_factory=_Figures)  # (kind, created | updated | ...)
    problems: Counter[str] = field(default_factory=Counter)  # by code; events skipped on purpose are none
    requests: Counter[str] = field(default_factory=_Figures)  # by endpoint: "POST /api/v2/persons"
    retried: int = 0
    slowed_down: int = 0  # answers that said: too many requests in these two seconds
    trouble: str | None = None  # why a request had to be repeated, the last time
    tokens_spent: int = 0
    tokens: Counter[str] = field(default_factory=_Figures)  # the same by endpoint
    tokens_left_today: int | None = None
    in_flight: int = 0
    requests_allowed: int | None = None  # per 2 s, as last learned
    backlog_records: int = 0  # records of the current window that still wait for their write
    window_records: int = 0  # all records of the current window
    window_events: int = 0  # events that had no outcome when the current window began
    records_planned: int = 0  # the records of all windows so far
    events_planned: int = 0  # events read when the current window began: what the records so far came from
    in_doubt: dict[int, tuple[str, float]] = field(default_factory=dict)  # records waited for, until when (loop time)
    waiting_for: str | None = None  # why nothing is sent: "Pipedrive's limit of requests", "tomorrow's budget"
    waiting_until: float | None = None  # loop time, seconds
    # Called for each batch that was read: where time stands still meanwhile, no timer wakes a display.
    on_read: Callable[[], None] | None = None


EXAMPLES_KEPT = 20  # per cause and run
FILES_NAMED = 1000  # files with a problem of their own; beyond these they are only counted
FILES_UNREAD = "files_unread"  # the name under which a run counts files that it could not read to their end


class EventObserver(Protocol):
    """Is told of every event that has ended, within the transaction that records it."""

    def note_ended(self, event: PendingEvent) -> None: ...


class EventResults(Protocol):
    """Takes a line for every event that has ended."""

    def add_event(self, event: PendingEvent) -> None: ...

    def add_known_event(self, place: Place, message_id: str) -> None:
        """An event that an earlier run has handled."""


@dataclass(slots=True)
class RunLog:
    """One run's log. `observer` is told of every event that has ended, before it is journaled; so is `results`.

    `journaled` False: the outcomes of single events are not journaled.
    """

    run: int
    live_figures: LiveFigures
    observer: EventObserver | None = None
    journaled: bool = True
    results: EventResults | None = None
    unfit: UnfitValues = field(default_factory=UnfitValues)
    last_number: int = 0  # of the events that were numbered, in this run and earlier ones
    # What was counted since the last transaction: plain dicts, for a `Counter` asks for each name that is new to it.
    _counts: dict[str, dict[str, int]] = field(default_factory=dict)
    _examples: list[tuple[str | int | None, ...]] = field(default_factory=list)
    _kept: Counter[tuple[str, str, str | None]] = field(default_factory=Counter)
    _files: int = 0  # that have a problem as a whole
    _ended: list[tuple[bytes, Outcome]] = field(default_factory=list)
    _dropped: list[bytes] = field(default_factory=list)
    _contents: dict[bytes, int] = field(default_factory=dict)  # of these events
    _refilled: list[bytes] = field(default_factory=list)  # those of them that an earlier run had handled
    _numbered: dict[bytes, int] = field(default_factory=dict)  # the journal does not have these numbers yet
    _outcomes_written: Counter[Outcome] = field(default_factory=Counter)
    _records_written: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    _requests_written: Counter[str] = field(default_factory=Counter)
    _tokens_written: Counter[str] = field(default_factory=Counter)
    _figures_written: Counter[str] = field(default_factory=Counter)

    @property
    def unwritten(self) -> int:
        """How many outcomes and numbers wait for the next transaction."""
        return len(self._ended) + len(self._numbered)

    def number(self, key: bytes, known: Mapping[bytes, int]) -> int:
        """An event's number: the one that it was given when it was first read. `known` are those of earlier events."""
        number = known.get(key, self._numbered.get(key))
        if number is None:
            self.last_number = number = self.last_number + 1
            if self.journaled and key:
                self._numbered[key] = number
        return number

    def count(self, what: str, name: str, n: int = 1) -> None:
        """Adds to what the run has counted under one heading."""
        if (counts := self._counts.get(what)) is None:
            counts = self._counts[what] = {}
        counts[name] = counts.get(name, 0) + n

    def record(self, kind: Kind, action: str) -> None:
        """One record was created, updated, left as it was, or merged."""
        self.live_figures.records[kind, action] += 1

    def problem(self, complaint: Complaint, event: PendingEvent | None = None, outcome: Outcome | None = None) -> None:
        """Counts a problem and keeps the first examples of it."""
        ended = outcome.value if outcome is not None else ""
        if outcome is not Outcome.SKIPPED:
            self.live_figures.problems[complaint.code] += 1
        # The place is on the disk: it is read where it counts.
        file = event.place.file if event is not None and complaint.code in FILE_PROBLEMS else None
        cause = cause_of(complaint.code, complaint.field, file, complaint.value)
        if complaint.code in FILE_PROBLEMS:
            self._files += 1
            cause = cause if self._files <= FILES_NAMED else None
        self.count("problem", f"{complaint.code} {ended}" if cause is None else f"{complaint.code} {ended}\t{cause}")
        if complaint.code == "bad_value" and cause is not None and complaint.value is not None:
            self.unfit.add(cause, complaint.value, None if event is None else event.origin.user)
        if self._kept[complaint.code, ended, cause] >= EXAMPLES_KEPT:
            return
        self._kept[complaint.code, ended, cause] += 1
        origin = event.origin if event is not None else None
        place = origin.place if origin is not None else None
        self._examples.append(
            (
                complaint.code,
                ended,
                complaint.message[:500],
                place.file if place else None,
                place.line or None if place else None,  # line 0: the file as a whole
                place.index if place else None,
                origin.message_id if origin else None,
                origin.user if origin else None,
                complaint.field,
                None if complaint.value is None else complaint.value[:200],
            )
        )

    def end_event(self, event: PendingEvent) -> None:
        """An event has its outcome."""
        outcome = event.outcome
        self.live_figures.outcomes[outcome] += 1
        if event.complaints:
            causes = {(c.code, cause_of(c.code, c.field, None, c.value)): c for c in reversed(event.complaints)}
            for complaint in causes.values():
                # An event has one outcome, the weightiest of its changes': its problems are told with that.
                ended = outcome if outcome in UNSETTLED else complaint.outcome
                self.problem(complaint, event, None if complaint.outcome is None else ended)
        if self.observer is not None:
            self.observer.note_ended(event)
        if self.results is not None:
            self.results.add_event(event)
        if self.journaled and event.digest:
            self._ended.append((event.digest, outcome))
            if event.again:
                self._refilled.append(event.digest)
            if event.content:
                self._contents[event.digest] = event.content

    def end_known_event(self, place: Place, message_id: str) -> None:
        """An event that was handled before came again: the journal keeps the outcome that it has."""
        if self.results is not None:
            self.results.add_known_event(place, message_id)
        self.live_figures.outcomes[Outcome.DUPLICATE] += 1

    def drop_kept(self, digest: bytes) -> None:
        """An event must not be sent any more: what the journal keeps of it for `retry` goes."""
        if self.journaled and digest:
            self._dropped.append(digest)
            self._numbered.pop(digest, None)

    def write_to(self, journal: Journal) -> None:
        """Writes what was collected into the open transaction."""
        self._figures()
        journal.count(self.run, self._counts)
        if self._examples:
            journal.add_examples(self.run, self._examples)
        if self._numbered:
            journal.number_events(self.run, self._numbered, self.last_number)
        if self._refilled:
            note_refilled(journal, self._refilled)
        if self._ended:
            journal.settle_events(self.run, self._ended, self._contents)
        if self._dropped:
            drop_unfinished(journal, self._dropped)
        self._counts, self._examples, self._ended, self._dropped, self._numbered = {}, [], [], [], {}
        self._contents, self._refilled = {}, []

    def _figures(self) -> None:
        """Counts what the live figures have gained since the last transaction."""
        live_figures = self.live_figures
        for outcome, n in live_figures.outcomes.items():
            if n != (before := self._outcomes_written[outcome]):
                self.count("outcome", outcome.value, n - before)
                self._outcomes_written[outcome] = n
        for (kind, action), n in live_figures.records.items():
            if n != (before := self._records_written[kind, action]):
                self.count("record", f"{kind} {action}", n - before)
                self._records_written[kind, action] = n
        for what, counted, written in (
            ("request", live_figures.requests, self._requests_written),
            ("token", live_figures.tokens, self._tokens_written),
        ):
            for label, n in counted.items():
                if n != (before := written[label]):  # tokens of what never arrived are given back
                    self.count(what, label, n - before)
                    written[label] = n
        now = {
            "read": live_figures.events_read,
            "filtered": live_figures.filtered,
            "retried": live_figures.retried,
            "tokens": live_figures.tokens_spent,
            "passed_over": live_figures.files_passed_over,
        }
        for name, n in now.items():
            if n != (before := self._figures_written.get(name, 0)):
                self.count("run", name, n - before)
                self._figures_written[name] = n
