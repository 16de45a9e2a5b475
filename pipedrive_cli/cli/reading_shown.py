"""Shows on a terminal how far a command is that only reads, where that takes longer than a moment."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from pipedrive_cli.delivery.run_log import LiveFigures

if TYPE_CHECKING:
    from pipedrive_cli.report.live_view import LiveView  # Rich is for those who wait

AFTER: Final = 1.0  # seconds in which nothing is shown
EVERY: Final = 0.15


class ReadingShown:
    """Draws `figures` while a reading fills them, and removes what it has drawn at the end of its `with` or at `stop`.

    Elsewhere than on a terminal, and where people want it quiet, it draws nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.figures = LiveFigures(on_read=self.refresh)
        self._view: LiveView | None = None
        self._next = time.monotonic() + AFTER if sys.stderr.isatty() and not quiet else float("inf")

    def refresh(self) -> None:
        """Draws, if it is time."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY
        if self._view is None:
            from pipedrive_cli.report.live_view import LiveView  # noqa: PLC0415 - as above

            self._view = LiveView(self.figures, time.monotonic, reads_only=True)
            self._view.start()
        self._view.refresh()

    def note(self, text: str) -> None:
        """Shows a message for people."""
        if self._view is not None:
            self._view.note(text)
            return
        from pipedrive_cli.report.console import show_note  # noqa: PLC0415 - few have something to note

        show_note(text)

    def stop(self) -> None:
        """Shows nothing any more."""
        self._next = float("inf")
        if self._view is not None:
            self._view.stop()
            self._view = None

    def __enter__(self) -> ReadingShown:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
