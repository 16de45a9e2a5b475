"""Splits a stream into numbered lines, without line ends, byte order marks and outer blanks. Knows nothing of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

LINE_LIMIT: Final = 4 << 20  # bytes; far above what any SDK sends, far below what memory minds
KEPT: Final = 1024  # bytes kept of a longer line

_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n\x0b\x0c"
_RECORD_SEPARATOR: Final = b"\x1e"  # opens each record in RFC 7464 text sequences
_TOO_LONG: Final = b"?"  # handed out in place of a line over the limit: not blank, and no JSON


class Lines:
    """Iterates over the lines of a stream of blocks.

    The attributes describe the line handed out last: its `number` from 1, its bytes `raw` (the first KiB of a line
    over the limit), `too_long`, and `ended` (False for a last line without a newline).
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.number = 0
        self.raw = b""
        self.too_long = False
        self.ended = True

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

        `number` is that of the run's last line. A line over the limit, or without a newline, is a run of its own.
        """
        open_line = _OpenLine()
        for block in self._blocks:
            first, *others = block.split(b"\n")
            open_line.add(first)
            if not others:
                continue
            run = self._joined(open_line)
            open_line = _OpenLine()
            open_line.add(others.pop())
            if self.too_long:
                yield run
                run, self.too_long = [], False
            if run := run + others:
                self.number += len(others)
                yield run
        if open_line.size:
            self.ended = False
            yield self._joined(open_line)
            self.too_long = False

    def _joined(self, pieces: _OpenLine) -> list[bytes]:
        """The line whose pieces were collected from several blocks."""
        self.number += 1
        self.too_long = pieces.size > LINE_LIMIT
        line = b"".join(pieces.parts)
        if not self.too_long:
            return [line]
        self.raw = line
        return [_TOO_LONG]


class _OpenLine:
    """A line whose end has not been read yet. Of a line over the limit only the start is kept."""

    __slots__ = ("parts", "size")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= LINE_LIMIT:
            self.parts.append(piece)
        else:
            self.parts = [b"".join([*self.parts, piece])[:KEPT]]


def tidied(run: Iterable[bytes]) -> Iterator[bytes]:
    """The lines without outer blanks, byte order marks and record separators."""
    return (line if line[:1] == b"{" and line[-1:] == b"}" else _tidied(line) for line in run)


def _tidied(line: bytes) -> bytes:
    line = line.strip(_BLANK)
    while line.startswith((_BOM, _RECORD_SEPARATOR)):
        line = line.removeprefix(_BOM).removeprefix(_RECORD_SEPARATOR).strip(_BLANK)
    return line
