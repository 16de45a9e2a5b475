"""What the library gives its caller: the figures of a moment, requests, and errors by what happens next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import EXIT_CREDENTIALS, EXIT_STOPPED, PipedriveCliError, StopCode
from pipedrive_cli.report.summary import EventCounts, Records, Summary
from pipedrive_cli.run.preview_rows import PlannedRequest


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The figures of one moment of a job. Of `bytes_total` and `tokens_left_today` None means: not known."""

    run: str | None
    phase: str  # a few words: "reading", "writing", "finishing what is in flight"
    file: str
    bytes_read: int
    bytes_total: int | None
    events: EventCounts
    records: Records
    requests: int
    tokens_spent: int
    tokens_left_today: int | None
    waiting_for: str | None  # why nothing is sent: "tomorrow's budget"


@dataclass(frozen=True, slots=True)
class PreviewedRequest:
    """One request that a replay would send. Where an id is not known yet, `path` and `body` have words in braces.

    `action` is create, update, create or update, merge or look up; `events` are the places of the events that ask for
    it: file, line, message id.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None
    action: str
    record: str
    tokens: int
    events: tuple[tuple[str, int, str], ...]
    note: str | None


class RunStopped(PipedriveCliError):
    """The job stopped early: what was sent is recorded, and the same call again goes on from there (exit code 4).

    `summary` is what was done until then, `resume_in` how long to wait before the next call, None if that is not known.
    """

    exit_code = EXIT_STOPPED

    def __init__(
        self, message: str, *, code: StopCode, hint: str | None, summary: Summary, resume_in: timedelta | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.summary = summary
        self.exit_code = summary.exit_code
        self.resume_in = resume_in


class KeyRefused(RunStopped):
    """Pipedrive refused the key: the same call again is of no use before there is another one (exit code 3)."""

    exit_code = EXIT_CREDENTIALS


def figures_of(figures: LiveFigures) -> RunProgress:
    return RunProgress(
        run=figures.run,
        phase=figures.phase,
        file=figures.file,
        bytes_read=figures.bytes_read,
        bytes_total=figures.bytes_total,
        events=EventCounts.of(figures.events_read, dict(figures.outcomes)),
        records=Records.of(dict(figures.records)),
        requests=sum(list(figures.requests.values())),
        tokens_spent=figures.tokens_spent,
        tokens_left_today=figures.tokens_left_today,
        waiting_for=figures.waiting_for,
    )


def previewed(request: PlannedRequest) -> PreviewedRequest:
    return PreviewedRequest(
        request.method,
        request.path,
        None if request.body is None else msgspec.to_builtins(request.body),
        request.action,
        request.record,
        request.tokens,
        tuple((event.place.file, event.place.line, event.message_id) for event in request.events),
        request.note,
    )


def whole(summary: Summary, resume_in: float | None) -> Summary:
    """The summary of a job that came to its end. Raises RunStopped for another one."""
    if summary.status != "stopped":
        return summary
    why = next(problem for problem in summary.problems if problem.code == summary.reason)
    raise stopped_run(why.message, why.code, why.hint, summary, resume_in)


def stopped_run(message: str, code: Any, hint: str | None, summary: Summary, resume_in: float | None) -> RunStopped:
    kind = KeyRefused if summary.exit_code == EXIT_CREDENTIALS else RunStopped
    pause = None if resume_in is None else timedelta(seconds=resume_in)
    return kind(message, code=code, hint=hint, summary=summary, resume_in=pause)
