"""Tools to write to a terminal, a pipe or a file: harmless texts, sections, and one write for a whole report.

`console`, `tables` and `live_view` decide what to write. Only they and this module import Rich. Text that comes
from events, files or accounts goes through `visible_text` and into `rich.text.Text`, never into a markup string, so
that a name such as "[bold]" stays a name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from pipedrive_cli.report.safe_stdout import put
from pipedrive_cli.report.safe_text import LIMIT, fit_encoding, visible_text

WIDTH_OF_A_PIPE = 120  # columns without a terminal
MESSAGE_LIMIT = 2_000  # characters of an error or a refusal: Pipedrive's messages can be long


def section_lines(title: str, *parts: RenderableType | None) -> list[RenderableType]:
    """A blank line, the title, and the parts below it; nothing if all parts are None."""
    shown = [indented(part, 2) for part in parts if part is not None]
    return [Text(""), Text(title, style="bold"), *shown] if shown else []


def advice_lines(hint: str | None) -> list[RenderableType]:
    """The hint, indented below its problem."""
    return [indented(safe(hint, limit=MESSAGE_LIMIT))] if hint else []


def indented(part: RenderableType, columns: int = 4) -> RenderableType:
    """`part`, moved to the right."""
    return Padding(part, (0, 0, 0, columns), expand=False)


def joined_words(*texts: Text) -> Text:
    """Joins texts. Begins with an empty one, because the style of a `Text` also applies to all text appended to it."""
    whole = Text(overflow="fold")
    for text in texts:
        whole.append_text(text)
    return whole


def safe(text: str, style: str = "", *, limit: int = LIMIT) -> Text:
    """Any text, with invisible characters escaped, cut to `limit` characters."""
    return Text(visible_text(text, limit), style=style, overflow="fold")


def console_for(file: TextIO) -> Console:
    """A console without markup; its width is the terminal's, else that of COLUMNS, else 120."""
    width = None if is_terminal(file) or "COLUMNS" in os.environ else WIDTH_OF_A_PIPE
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)


def is_terminal(file: IO[str]) -> bool:
    """Whether the stream is open and a terminal."""
    return not file.closed and file.isatty()


def show(console: Console, parts: Iterable[RenderableType]) -> None:
    """Lays the parts out in memory and writes them at once, for the stream's encoding and without trailing blanks."""
    write(console.file, "".join(f"{line.rstrip()}\n" for line in _laid_out(console, parts)))


def line_count(console: Console, parts: Iterable[RenderableType]) -> int:
    """How many lines `show` would write."""
    return len(_laid_out(console, parts))


def _laid_out(console: Console, parts: Iterable[RenderableType]) -> list[str]:
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return captured.get().removesuffix("\n").split("\n")


def write(file: IO[str], text: str) -> None:
    """Writes the text, adapted to the stream's encoding; drops it if the reader has gone."""
    put(file, fit_encoding(text, getattr(file, "encoding", None) or "utf-8"))
