"""Splits a stream into numbered lines, without line ends and what surrounds a record.

A line without an end in sight is cut into the values that stand in it, so that a file without line ends needs no more
memory than one with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

LINE_LIMIT: Final = 64 << 20  # bytes of a line that holds many events
EVENT_LIMIT: Final = 4 << 20  # bytes of one event; far above what any SDK sends
KEPT: Final = 1024  # bytes kept of what is longer

_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n\x0b\x0c\x00"  # programs in C write zero bytes between records
_RECORD_SEPARATOR: Final = b"\x1e"  # opens each record in RFC 7464 text sequences
_TOO_LONG: Final = b"?"  # handed out in place of a line over the limit: not blank, and no JSON

Cut = Callable[[bytes], tuple[list[bytes], bytes] | None]


class Lines:
    """Iterates over the lines of a stream of blocks.

    The attributes describe the line handed out last: its `number` from 1, its bytes `raw` (the first KiB of a line
    over the limit), `too_long`, and `ended` (False for a last line without a newline). `cut` finds the values in a long
    line that has no end yet, and what stands behind them; None: it is not worth waiting for the line's end.
    """

    def __init__(self, blocks: Iterable[bytes], cut: Cut = lambda text: ([], text)) -> None:
        self._blocks = blocks
        self._cut = cut
        self.number = 0
        self.raw = b""
        self.too_long = False
        self.ended = True
        self.limit = EVENT_LIMIT  # of the line that was too long
        self.within: int | None = None  # the run is of values of one line; so many of that line came before

    def __iter__(self) -> Iterator[bytes]:
        for run in self.runs():
            yield from self.told_apart(run)

    def told_apart(self, run: list[bytes]) -> Iterator[bytes]:
        """The lines of the run handed out last, one by one and tidied (see `tidied`), without blank ones."""
        if self.too_long:
            yield _TOO_LONG
            return
        last = self.number
        for number, line in enumerate(run, last - len(run) + 1):
            raw = _tidied(line)
            if raw:
                self.number, self.raw = number, raw
                yield raw
        self.number = last

    def runs(self) -> Iterator[list[bytes]]:
        """The lines in runs: those of one block together, untidied, with blank lines among them.

        `number` is that of the run's last line. A line over the limit, or without a newline, is a run of its own; so
        are the values that were cut out of a long one (`within`).
        """
        open_line = _OpenLine()
        for block in self._blocks:
            first, *others = block.split(b"\n")
            open_line.add(first)
            if not others:
                yield from self._values_of(open_line)
                continue
            run = self._joined(open_line)
            open_line = _OpenLine()
            open_line.add(others.pop())
            if self.too_long or self.within is not None:
                yield run
                run, self.too_long, self.within = [], False, None
            if run := run + others:
                self.number += len(others)
                yield run
        if open_line.size:
            self.ended = False
            yield self._joined(open_line)
            self.too_long = False

    def _values_of(self, line: _OpenLine) -> Iterator[list[bytes]]:
        """The values that stand in a long line so far."""
        if line.size < line.looked_at or line.too_long:
            return
        found = self._cut(b"".join(line.parts))
        if found is None:
            line.give_up()
            return
        values, rest = found
        if values:
            self.number += 1
            self.within = line.taken
            yield values
            self.number -= 1
            self.within = None
            line.start_again(rest, len(values))
        line.looked_at = max(EVENT_LIMIT, 2 * line.size)

    def _joined(self, pieces: _OpenLine) -> list[bytes]:
        """The line whose pieces were collected from several blocks."""
        self.number += 1
        self.too_long = pieces.too_long
        self.within = pieces.taken or None
        line = b"".join(pieces.parts)
        if not self.too_long:
            return [line]
        self.raw, self.limit = line, pieces.limit
        return [_TOO_LONG]


class _OpenLine:
    """A line whose end has not been read yet. Of a line over the limit only the start is kept."""

    __slots__ = ("limit", "looked_at", "parts", "size", "taken", "too_long")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.limit = EVENT_LIMIT
        self.too_long = False
        self.looked_at = EVENT_LIMIT  # bytes from which on it is worth looking for values
        self.taken = 0  # values that were cut out of it

    def add(self, piece: bytes) -> None:
        if not self.size:
            piece = piece.lstrip(_BLANK)
            # Only in brackets there may be many events.
            self.limit = LINE_LIMIT if piece.removeprefix(_BOM)[:1] in (b"{", b"[") else EVENT_LIMIT
        self.size += len(piece)
        if self.size <= self.limit:
            self.parts.append(piece)
        else:
            self.too_long = True
            self.parts = [b"".join([*self.parts, piece])[:KEPT]]

    def give_up(self) -> None:
        """Keeps no more than the start of the line, however long it will be."""
        self.limit, self.too_long = EVENT_LIMIT, True
        self.parts = [b"".join(self.parts)[:KEPT]]

    def start_again(self, rest: bytes, taken: int) -> None:
        """Goes on with what stands behind values that were taken out."""
        self.parts, self.size = [rest], len(rest)
        self.taken += taken


def tidied(run: Iterable[bytes]) -> Iterator[bytes]:
    """The lines without outer blanks, byte order marks, record separators, and what makes them lines of a list."""
    return (line if line[:1] == b"{" and line[-1:] == b"}" else _tidied(line) for line in run)


def _tidied(line: bytes) -> bytes:
    line = line.strip(_BLANK)
    while line.startswith((_BOM, _RECORD_SEPARATOR)):
        line = line.removeprefix(_BOM).removeprefix(_RECORD_SEPARATOR).strip(_BLANK)
    return line
