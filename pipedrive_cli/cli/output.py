"""Writes a command's output as `--json`, `--quiet`, `--verbose` and `--log-format` ask for it.

The result goes to stdout, everything else to stderr: text and a live view for people, or lines of JSON for programs.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.config import Config
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.report.console import EXAMPLES_SHOWN, show_note, show_summary
from pipedrive_cli.report.live_view import LiveView
from pipedrive_cli.report.log import JsonLog, LogView
from pipedrive_cli.report.redact import redactor_if
from pipedrive_cli.report.summary import EXAMPLES
from pipedrive_cli.run.replay import Finished


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """The options of the command line for output."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    reports: tuple[Path, ...] = ()
    json_log: bool = False
    metrics: Path | None = None
    redact: bool = False

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """The files that are written after the run, with their options."""
        metrics = () if self.metrics is None else (("--metrics", self.metrics),)
        return (*(("--report", report) for report in dict.fromkeys(self.reports)), *metrics)


class View(Protocol):
    """A view of a run's progress, which is drawn or written on `refresh`."""

    def refresh(self) -> None: ...


class Output:
    """Shows notes, progress and the result of a command."""

    def __init__(self, options: OutputOptions) -> None:
        self._options = options
        self._log = JsonLog() if options.json_log else None
        self._view: LiveView | LogView | None = None
        self._redactor = redactor_if(options.redact)

    def follow(self, config: Config) -> None:
        """From here on the output is as the config says, too."""
        self._redactor = self._redactor or redactor_if(config.report.redact)

    def redacted(self, finished: Finished) -> Finished:
        """What is shown and written of a finished run: without people, where that is asked for."""
        if self._redactor is None:
            return finished
        summary, context = self._redactor.summary(finished.summary), self._redactor.context(finished.context)
        return replace(finished, summary=summary, context=context)

    def note(self, text: str) -> None:
        """Shows a message for people, above the live view if there is one; nothing when quiet."""
        if not self._options.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """The same, also when quiet."""
        if self._redactor is not None:
            text = self._redactor.text(text)
        if self._view is not None:
            self._view.note(text)
        elif self._log is not None:
            self._log.note(text)
        else:
            show_note(text)

    @contextlib.contextmanager
    def watching(
        self, live_figures: LiveFigures, clock: Callable[[], float], *, virtual: bool = False
    ) -> Iterator[View]:
        """Shows the progress of a run; `clock` and `virtual` as for `LiveView`."""
        view: LiveView | LogView
        if self._log is None or self._options.quiet:
            view = LiveView(live_figures, clock, quiet=self._options.quiet, virtual=virtual)
        else:
            view = LogView(live_figures, clock, self._log, virtual=virtual)
        with view:
            self._view = view
            try:
                yield view
            finally:
                self._view = None

    def show_result(self, finished: Finished, *, more: Sequence[str] = (), unlooked: str | None = None) -> None:
        """Shows the report of a finished run; `more` are lines below it, `unlooked` is as for `show_summary`."""
        options, summary = self._options, finished.summary
        scene, passed_over = finished.context.scene, finished.context.passed_over
        nothing_to_say = options.quiet and summary.exit_code == 0
        if self._log is not None and not nothing_to_say:
            self._log.write_summary(
                summary, scene=scene, rejects=finished.rejects, resume_in=finished.resume_in, passed_over=passed_over
            )
        if options.as_json:
            print_json(summary)
            return
        if nothing_to_say or (options.quiet and self._log is not None):
            return
        out = sys.stderr if options.quiet else sys.stdout
        show_summary(
            summary,
            file=out,
            rejects=finished.rejects,
            resume_in=finished.resume_in,
            examples=EXAMPLES if options.verbose else EXAMPLES_SHOWN,
            scene=scene,
            passed_over=passed_over,
            every_endpoint=options.verbose,
            unlooked=unlooked,
        )
        for line in more:
            show_note(line, file=out)
