"""One job in a thread of its own, while its caller waits.

So the library can be called anywhere, within a running event loop too; signals stay the caller's; and callbacks are
called in the caller's thread, with its context.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pipedrive_cli.config import Config, notes
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.errors import PipedriveCliError, StopRun, error_in
from pipedrive_cli.library.given import PreviewedRequest, RunProgress, figures_of, previewed, stopped_run
from pipedrive_cli.report.summary import problem_group
from pipedrive_cli.run.preview_rows import PlannedRequest
from pipedrive_cli.run.results import cut_short, new_run_name

T = TypeVar("T")

LOOK = 0.05  # seconds between two looks at a job
MOST_WAITING = 1_000  # messages that the caller has not taken; then the job waits


@dataclass(slots=True)
class Waiting:
    """The caller's side of one job: waits for it, and meanwhile calls the caller's functions."""

    progress: Callable[[RunProgress], object] | None
    every: timedelta
    note: Callable[[str], object] | None
    request: Callable[[PreviewedRequest], object] | None = None
    live_figures: LiveFigures = field(default_factory=LiveFigures)
    messages: queue.Queue[str | PlannedRequest] = field(default_factory=lambda: queue.Queue(MOST_WAITING))

    def notes(self, config: Config) -> None:
        """Warnings about the config."""
        if self.note is not None:
            for text in notes(config):
                self.note(text)

    def result(self, work: Callable[[], Coroutine[Any, Any, T]], stop: Callable[[asyncio.Task[T]], object]) -> T:
        """What `work` comes to. `stop` ends it in order; it is called in the event loop of its thread."""
        begun: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []
        made: list[T] = []
        errors: list[BaseException] = []
        over = threading.Event()

        async def main() -> T:
            task = asyncio.ensure_future(work())
            begun.append((asyncio.get_running_loop(), task))
            return await task

        def run() -> None:
            try:
                made.append(asyncio.run(main()))
            except BaseException as error:  # noqa: BLE001 - it goes on to the caller
                errors.append(error)
            finally:
                over.set()

        thread = threading.Thread(target=run, name="pipedrive-cli", daemon=True)
        thread.start()
        try:
            self._wait(over)
        except BaseException:
            asked = False
            while not over.wait(0 if begun and not asked else LOOK):  # a second signal ends this, too
                self._pass_over()
                if begun and not asked:
                    asked = True
                    loop, task = begun[0]
                    with contextlib.suppress(RuntimeError):  # the loop is closed: the job has come to its end meanwhile
                        loop.call_soon_threadsafe(stop, task)
            raise
        for error in errors:
            raise self._error(error) from None
        return made[0]

    def _wait(self, over: threading.Event) -> None:
        """Until the job is over: short waits, as a wait without an end hears no signal on Windows."""
        since, every = 0.0, self.every.total_seconds()
        while not over.wait(LOOK):
            self._hand_on()
            since += LOOK
            if self.progress is not None and since >= every:
                since = 0.0
                self.progress(figures_of(self.live_figures))
        self._hand_on()
        if self.progress is not None:
            self.progress(figures_of(self.live_figures))

    def _hand_on(self) -> None:
        """Gives the caller what the job has said since the last time."""
        while not self.messages.empty():
            message = self.messages.get()
            if isinstance(message, PlannedRequest):
                if self.request is not None:
                    self.request(previewed(message))
            elif self.note is not None:
                self.note(message)

    def _pass_over(self) -> None:
        """Lets a job go on that waits for the caller to take something."""
        while not self.messages.empty():
            self.messages.get()

    def _error(self, exception: BaseException) -> PipedriveCliError:
        """The error that the caller gets: one that this tool raises on purpose."""
        error = error_in(exception)
        if not isinstance(error, StopRun):
            return error
        figures = self.live_figures
        problems = (problem_group(error.code, None, 1, message=error.message, hint=error.hint),)
        summary = cut_short(error, problems, figures, figures.run or new_run_name(datetime.now(UTC)))
        return stopped_run(error.message, error.code, error.hint, summary, error.resume_in)
