"""What a run has done so far, counted as it goes, for whoever watches. Afterwards the journal is the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipedrive_cli.outcomes import Outcome
from pipedrive_cli.transform.changes import Kind


@dataclass(slots=True)
class Tally:
    """Live figures of one run. Whoever works adds to it; whoever shows progress reads it several times a second."""

    run: str | None = None  # the run's name, once it has one
    phase: str = "starting"  # a few words: "reading", "looking up persons", "writing", "waiting for the input's end"
    file: str = ""  # the source being read
    files_begun: int = 0
    files_total: int = 0
    bytes_total: int | None = None  # None: stdin or a pipe among the sources
    bytes_read: int = 0
    events_read: int = 0
    events_wanted: int | None = None  # no more than these, duplicates aside; None: all there are
    filtered: int = 0
    files_passed_over: int = 0  # known from earlier runs, and not read
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    records: Counter[tuple[Kind, str]] = field(default_factory=Counter)  # (kind, created | updated | ...)
    problems: Counter[str] = field(default_factory=Counter)  # by code; what is skipped as it should be is none
    requests: Counter[str] = field(default_factory=Counter)  # by endpoint: "POST /api/v2/persons"
    retried: int = 0
    slowed_down: int = 0  # answers that said: too many requests in these two seconds
    trouble: str | None = None  # why a request had to be repeated, the last time
    tokens_spent: int = 0
    tokens: Counter[str] = field(default_factory=Counter)  # the same by endpoint
    tokens_left_today: int | None = None
    in_flight: int = 0
    requests_allowed: int | None = None  # per 2 s, as last learned
    backlog_records: int = 0  # records of the current window that still wait for their write
    window_records: int = 0  # all records of the current window
    window_events: int = 0  # events that had no outcome when the current window began
    records_planned: int = 0  # the records of all windows so far
    events_planned: int = 0  # events read when the current window began: what the records so far came from
    waiting_for: str | None = None  # why nothing is sent: "Pipedrive's burst limit", "tomorrow's budget"
    waiting_until: float | None = None  # loop time, seconds
