"""The log of a run for programs, on stderr (`--log-format json`): one JSON object a line, and nothing else.

Every line has `time` (UTC), `level`, `event`, `run` (null until the run has a name), `message` and `fields`. `event` is
one of started, progress, note, problem, dropped_traits, ended, error. Logs are kept long and read by many people: of a
replayed event they hold the place and the id, but no value.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO, TypeAlias

import msgspec

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import EXIT_OK, EXIT_PARTIAL, ConfigProblems, PipedriveCliError
from pipedrive_cli.model import Outcome
from pipedrive_cli.report import progress, wording
from pipedrive_cli.report.live_view import LINE_EVERY
from pipedrive_cli.report.summary import Example, ProblemGroup, Summary
from pipedrive_cli.report.terminal import write
from pipedrive_cli.version import __version__

Level: TypeAlias = Literal["info", "warning", "error"]

_LEVELS: Mapping[Outcome | None, Level] = {
    Outcome.REJECTED: "error",
    Outcome.FAILED: "error",
    Outcome.PENDING: "warning",
    Outcome.SKIPPED: "info",
    None: "warning",
}


class JsonLog:
    """Writes the lines, on stderr unless `file` is given. `run` is the run's name, None until it is known."""

    def __init__(self, file: TextIO | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._file = file or sys.stderr
        self._now = now
        self.run: str | None = None

    def line(self, level: Level, event: str, message: str, **fields: Any) -> None:
        """Writes one line, in ASCII: text of events cannot control a terminal, and any encoding can hold the line."""
        time = self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        whole = {"time": time, "level": level, "event": event, "run": self.run, "message": message, "fields": fields}
        write(self._file, json.dumps(msgspec.to_builtins(whole)) + "\n")

    def note(self, text: str) -> None:
        """Writes a message for people."""
        self.line("warning", "note", text)

    def error(self, error: PipedriveCliError) -> None:
        """Writes why nothing was done; every mistake of a config has its own line."""
        if not isinstance(error, ConfigProblems):
            self.line("error", "error", error.message, code=error.code, exit_code=error.exit_code, hint=error.hint)
            return
        for problem in error.problems:
            place = {"file": error.file, "line": problem.line, "path": problem.path or None}
            self.line(
                "error",
                "error",
                f"{problem.path}: {problem.message}" if problem.path else problem.message,
                code=error.code,
                exit_code=error.exit_code,
                hint=problem.hint,
                **place,
            )

    def write_summary(
        self,
        summary: Summary,
        *,
        scene: wording.Scene,
        rejects: Path | None = None,
        resume_in: float | None = None,
        passed_over: int = 0,
    ) -> None:
        """Writes a line for every kind of problem, and one for the run; parameters as for `show_summary`."""
        self.run = summary.run
        for problem in summary.problems:
            self._problem(problem)
        if any(summary.dropped_traits.values()):
            self.line("info", "dropped_traits", "traits that are in no mapping", **summary.dropped_traits)
        self.line(
            _level_of(summary.exit_code),
            "ended",
            wording.headline(summary, scene=scene, passed_over=passed_over),
            status=summary.status,
            exit_code=summary.exit_code,
            reason=summary.reason,
            input_complete=summary.input_complete,
            filtered=summary.filtered,
            events=summary.events,
            records=summary.records,
            requests={"total": summary.requests.total, "retried": summary.requests.retried},
            tokens={"spent": summary.tokens.spent, "left_today": summary.tokens.left_today},
            seconds=summary.seconds,
            rejects=None if rejects is None else str(rejects),
            resume_in=resume_in,
            next_steps=wording.next_steps(summary, rejects=rejects, resume_in=resume_in, scene=scene),
        )

    def _problem(self, problem: ProblemGroup) -> None:
        self.line(
            _LEVELS.get(problem.outcome, "warning"),
            "problem",
            problem.message,
            code=problem.code,
            outcome=problem.outcome,
            count=problem.count,
            hint=problem.hint,
            examples=[_place(example) for example in problem.examples],
        )


class LogView:
    """The progress of one run as lines of this log; it has the methods of `LiveView`."""

    def __init__(
        self, live_figures: LiveFigures, clock: Callable[[], float], log: JsonLog, *, virtual: bool = False
    ) -> None:
        self._live_figures = live_figures
        self._clock = clock
        self._log = log
        self._meter = progress.Meter(live_figures, virtual=virtual)
        self._next_line = 0.0

    def refresh(self) -> None:
        """Writes the present figures when the next line is due."""
        now = self._clock()
        figures = self._meter.measure(now)
        if now >= self._next_line:
            self._next_line = now + LINE_EVERY
            self._log.line("info", "progress", self._live_figures.phase, **progress.sample(self._live_figures, figures))

    def note(self, text: str) -> None:
        self._log.note(text)

    def __enter__(self) -> LogView:
        live_figures = self._live_figures
        self._log.run = live_figures.run
        self._next_line = self._clock() + LINE_EVERY
        fields = {"version": __version__, "files": live_figures.files_total, "bytes": live_figures.bytes_total}
        self._log.line("info", "started", f"run {live_figures.run} has begun", **fields)
        return self

    def __exit__(self, *_: object) -> None:
        """Does nothing: there are no lines to remove."""


def _level_of(exit_code: int) -> Level:
    if exit_code == EXIT_OK:
        return "info"
    return "warning" if exit_code == EXIT_PARTIAL else "error"


def _place(example: Example) -> dict[str, Any]:
    return {name: getattr(example, name) for name in ("file", "line", "index", "message_id", "field")}
