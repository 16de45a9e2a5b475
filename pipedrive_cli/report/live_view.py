"""The live view of a run: a few lines that redraw themselves on a terminal, and plain lines where there is none.

No row is cut without an ellipsis: what a narrow terminal has no room for goes into further rows, and a low one leaves
out what matters least.

Decides nothing else: figures and sentences come from `progress`, and `safe_text` makes event data harmless.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TextIO

from rich.console import Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.report import progress
from pipedrive_cli.report.safe_text import fit_encoding, visible_text
from pipedrive_cli.report.terminal import MESSAGE_LIMIT, console_for, is_terminal, joined_words, show, write

LINE_EVERY = 5.0  # seconds between two lines of progress in a log
BAR = range(10, 61)  # columns
LABEL = 9  # columns
FILE_AT_LEAST = 20  # columns of its name beside the phase
HOUR_SHOWN = 60.0  # with fewer seconds left the hour of the end is not shown
_STYLES = {"waiting": "yellow", "problems": "yellow", "repeated": "yellow"}


class LiveView:
    """The progress of one run on stderr, drawn whenever `refresh` is called; the view has no thread of its own.

    On a terminal: a few lines that are redrawn, and removed at `stop`, because the report follows. Elsewhere: one plain
    line every five seconds. Quiet: nothing. `clock` is the event loop's time in seconds; with `virtual` it is real
    time, for a run in virtual time. Call `refresh` four to eight times a second. `reads_only`: nothing is sent, so
    nothing is said of it.
    """

    def __init__(
        self,
        live_figures: LiveFigures,
        clock: Callable[[], float],
        *,
        file: TextIO | None = None,
        quiet: bool = False,
        virtual: bool = False,
        reads_only: bool = False,
    ) -> None:
        self._live_figures = live_figures
        self._reads_only = reads_only
        self._clock = clock
        self._meter = progress.Meter(live_figures, virtual=virtual, reads_only=reads_only)
        self._quiet = quiet
        self._console = console_for(file or sys.stderr)
        # Not Console.is_terminal: FORCE_COLOR asks for colours, not for cursor movements in a log file.
        self._moving = is_terminal(self._console.file) and not self._console.is_dumb_terminal
        self._live: Live | None = None
        self._began = self._next_line = 0.0
        self._drawn: tuple[int, list[int]] = (0, [])  # at the last drawing: the terminal's width, and that of each row

    def start(self) -> None:
        """Starts to draw."""
        self._began = self._clock()
        self._next_line = self._began + LINE_EVERY
        if self._moving and not self._quiet:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._live.start()
            self.refresh()

    def refresh(self) -> None:
        """Draws the present figures; without a terminal only when the next line is due."""
        if self._quiet:
            return
        now = self._clock()
        figures = self._meter.measure(now)
        if self._live is not None:
            rows = self._rows(figures, now)
            self._clear_wrapped()
            self._live.update(Group(*rows), refresh=True)
            self._drawn = self._console.width, [row.cell_len for row in rows[: self._console.height]]
        elif not self._moving and now >= self._next_line:
            self._next_line = now + LINE_EVERY
            write(self._console.file, progress.one_line(self._live_figures, figures, _hour_of_end(figures)) + "\n")

    def note(self, text: str) -> None:
        """Shows a message for people, above the moving lines; nothing when quiet."""
        if self._quiet:
            return
        line = self._text(visible_text(text, MESSAGE_LIMIT))
        if self._live is not None:
            self._console.print(line)
        else:
            show(self._console, [line])

    def stop(self) -> None:
        """Removes the moving lines. May be called again."""
        if self._live is not None:
            self._clear_wrapped()
            self._live.stop()
            self._live = None

    def __enter__(self) -> LiveView:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _clear_wrapped(self) -> None:
        """Clears the rows that Rich does not know of: a terminal that became narrower has folded the drawn rows."""
        columns, rows = self._drawn
        width = max(1, self._console.width)
        if width >= columns:
            return
        folded = sum(max(0, -(-cells // width) - 1) for cells in rows)
        up = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
        self._console.control(Control(ControlType.CARRIAGE_RETURN, *(up * folded)))
        self._drawn = width, []

    def _rows(self, figures: progress.Figures, now: float) -> list[Text]:
        """All rows, none wider or more than the terminal has room for; a last one of `…` where some gave way."""
        room = max(1, self._console.width - 1)  # some terminals begin a new row after a full one
        head = self._head(now, room)
        if figures.settled is not None and figures.read is not None:
            head += self._bar(figures, figures.settled, figures.read, room)
        lines = progress.lines(self._live_figures, figures, reads_only=self._reads_only)
        folded = [(line.weight, self._folded(line, room)) for line in lines]
        height = max(1, self._console.height - 1 - len(head))
        kept = folded
        while sum(len(rows) for _, rows in kept) + (kept is not folded) > height and kept:
            least = min(weight for weight, _ in kept)
            last = max(place for place, (weight, _) in enumerate(kept) if weight == least)
            kept = kept[:last] + kept[last + 1 :]
        rows = head + [row for _, rows in kept for row in rows]
        if kept is not folded:
            rows.append(self._text("…", "dim"))
        for row in rows:
            row.no_wrap = True
            row.truncate(room, overflow="ellipsis")
        return rows

    def _head(self, now: float, room: int) -> list[Text]:
        """The phase, how long the run takes already, and the file: on a row of its own where one is too short."""
        phase, file = progress.progress_headline(self._live_figures)
        head = joined_words(
            self._text(visible_text(phase), "bold"), self._text(f"  {progress.countdown(now - self._began)}", "dim")
        )
        if not file:
            return [head]
        shown = self._text(visible_text(file), "dim")
        if head.cell_len + 2 + min(shown.cell_len, FILE_AT_LEAST) > room:
            return [head, shown]
        return [joined_words(head, Text("  "), shown)]

    def _folded(self, line: progress.Line, room: int) -> list[Text]:
        """The line's rows: no part is cut, and as many of them stand side by side as there is room for."""
        columns = max(1, room - LABEL)
        texts: list[Text] = []
        for part in line.parts:
            text = self._text(part)
            if texts and texts[-1].cell_len + len(progress.BETWEEN) + text.cell_len <= columns:
                texts[-1] = joined_words(texts[-1], self._text(progress.BETWEEN), text)
            else:
                texts += text.wrap(self._console, columns, overflow="fold")
        label = self._text(f"{line.label:<{LABEL}}", _STYLES.get(line.label, "dim"))
        return [joined_words(Text(" " * LABEL) if number else label, text) for number, text in enumerate(texts)]

    def _bar(self, figures: progress.Figures, settled: float, read: float, room: int) -> list[Text]:
        """The bar of done, read and remaining input, in three different signs, for terminals without colours."""
        share, left = f" {settled:4.0%}", progress.time_left_words(figures, _hour_of_end(figures))
        beside = self._text(f"{share}  {left}" if left else share)
        if beside.cell_len + BAR.start > room:
            beside = self._text(share)
        columns = min(max(room - beside.cell_len, 1), BAR.stop - 1)
        done = int(columns * settled)
        known = max(done, int(columns * read)) - done
        bar = joined_words(
            self._text("━" * done, "green"),
            self._text("─" * known),
            self._text("┈" * (columns - done - known), "dim"),
            beside,
        )
        below = left and left not in beside.plain
        return [bar, *(self._text(left).wrap(self._console, room, overflow="fold") if below else ())]

    def _text(self, text: str, style: str = "") -> Text:
        return Text(fit_encoding(text, self._console.encoding), style=style)


def _hour_of_end(figures: progress.Figures) -> str | None:
    """The hour of the end in local time; with the date if it is not today."""
    if figures.seconds_left is None or figures.seconds_left < HOUR_SHOWN:
        return None
    now = datetime.now().astimezone()
    end = now + timedelta(seconds=figures.seconds_left)
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%a %d %b %H:%M}"
