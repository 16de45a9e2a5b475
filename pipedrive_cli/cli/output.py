"""How a command tells what it does, as `--json`, `--quiet`, `--verbose` and `--log-format` ask for it.

stdout has the result, stderr all else: words and a live view for people, or lines of JSON for programs.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipedrive_cli.cli.printing import print_json
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.report.console import EXAMPLES_SHOWN, show_note, show_summary
from pipedrive_cli.report.live_view import LiveView
from pipedrive_cli.report.log import JsonLog, LogView
from pipedrive_cli.report.summary import EXAMPLES
from pipedrive_cli.run.replay import Finished


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How the result is to be told: the options of the command line."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    reports: tuple[Path, ...] = ()
    json_log: bool = False
    metrics: Path | None = None


class View(Protocol):
    """Progress that is drawn, or written, when it is asked to."""

    def refresh(self) -> None: ...


class Output:
    """What a command says while it works, and at its end."""

    def __init__(self, telling: OutputOptions) -> None:
        self._telling = telling
        self._log = JsonLog() if telling.json_log else None
        self._view: LiveView | LogView | None = None

    def note(self, text: str) -> None:
        """A message for people; nothing when quiet. Above the moving lines where there are some."""
        if self._telling.quiet:
            return
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
        """The progress of a run; `clock` and `virtual` as for `LiveView`."""
        view: LiveView | LogView
        if self._log is None or self._telling.quiet:
            view = LiveView(live_figures, clock, quiet=self._telling.quiet, virtual=virtual)
        else:
            view = LogView(live_figures, clock, self._log, virtual=virtual)
        with view:
            self._view = view
            try:
                yield view
            finally:
                self._view = None

    def ended(self, finished: Finished, *, more: Sequence[str] = ()) -> None:
        """How it ended, `more` being lines below the report."""
        telling, summary = self._telling, finished.summary
        scene, passed_over = finished.context.scene, finished.context.passed_over
        nothing_to_say = telling.quiet and summary.exit_code == 0
        if self._log is not None and not nothing_to_say:
            self._log.ended(
                summary, scene=scene, rejects=finished.rejects, resume_in=finished.resume_in, passed_over=passed_over
            )
        if telling.as_json:
            print_json(summary)
            return
        if nothing_to_say or (telling.quiet and self._log is not None):
            return
        out = sys.stderr if telling.quiet else sys.stdout
        show_summary(
            summary,
            file=out,
            rejects=finished.rejects,
            resume_in=finished.resume_in,
            examples=EXAMPLES if telling.verbose else EXAMPLES_SHOWN,
            scene=scene,
            passed_over=passed_over,
            every_endpoint=telling.verbose,
        )
        for line in more:
            show_note(line, file=out)
