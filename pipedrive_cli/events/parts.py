"""Cuts a plain file into parts of whole lines, which other processes can read; a table, as it seems, between rows."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from typing import BinaryIO, Final, NamedTuple, cast

from pipedrive_cli.events.foreign import kind_of_bytes
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.unpack import is_packed

WORTH: Final = 16 << 20  # bytes: for smaller files starting other processes costs more than it saves
MOST: Final = 3  # processes: the one that takes their results is not faster than three
PART: Final = 1 << 19  # bytes, some hundred events: few enough hand-overs between processes
ROWS: Final = 6  # a row of a table takes about so many times fewer bytes than the event that it means
_LOOK: Final = 1 << 12  # bytes read at once to find the end of a line: most lines are shorter


def processes_for(source: Source) -> int:
    """How many other processes make reading this source faster; 0: none."""
    if source.path is None or source.cloud is not None or source.size is None:
        return 0
    if source.size - source.start < WORTH // (1 if source.rows is None else ROWS):
        return 0
    return min(cores() - 1, MOST) if sys.executable else 0


def cores() -> int:
    """The number of processor cores that we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class FilePart(NamedTuple):
    """The part from byte `start` to byte `end`; None: to the end of the file, where the last line may be unfinished."""

    start: int
    end: int | None


class PartStream(io.RawIOBase):
    """The bytes of one part of an open file. Seeks before each read, so that several parts can share the file."""

    def __init__(self, file: BinaryIO, part: FilePart) -> None:
        super().__init__()
        self._file = file
        self._at, self._end = part

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, and none behind the part's end."""
        left = size if self._end is None else min(size, self._end - self._at)
        self._file.seek(self._at)
        data: bytes = self._file.read(left) or b""
        self._at += len(data)
        return data


def part_of(source: Source, file: BinaryIO, part: FilePart, first_line: int) -> Source:
    """The part as a source of its own; `first_line` is the number of lines before it."""
    stream = cast(BinaryIO, PartStream(file, part))
    return replace(source, stream=stream, start=part.start, first_line=first_line, cut=part.end is not None)


def parts_of(source: Source, file: BinaryIO, size: int) -> list[FilePart]:
    """The parts of a file, each of `size` bytes or a little more. A packed file is one part. Raises OSError.

    The last part has no end, so that lines that are written meanwhile are read, too. The parts of a table end where
    as many quotes were closed as were opened, which is between rows unless a cell holds a lone quote.
    """
    start = source.start
    file.seek(start)
    begin = file.read(_LOOK)
    if is_packed(begin) or (source.rows is not None and kind_of_bytes(begin) is not None):
        return [FilePart(start, None)]
    end_of = _line_end if source.rows is None else _row_end
    parts: list[FilePart] = []
    while (end := end_of(file, start, size)) is not None:
        parts.append(FilePart(start, end))
        start = end
    return [*parts, FilePart(start, None)]


def _row_end(file: BinaryIO, start: int, size: int) -> int | None:
    """As `_line_end`, of the first such line behind which no quoted cell seems to be open."""
    opened, seen = 0, start
    while (end := _line_end(file, start, size)) is not None:
        file.seek(seen)
        opened += file.read(end - seen).count(b'"')
        if opened % 2 == 0:
            return end
        seen, start, size = end, end, _LOOK
    return None


def _line_end(file: BinaryIO, start: int, size: int) -> int | None:
    """The end of the line that holds the last of `size` bytes from `start` on; None if that line is unfinished."""
    file.seek(start + size - 1)
    while block := file.read(_LOOK):
        found = block.find(b"\n")
        if found >= 0:
            return file.tell() - len(block) + found + 1
    return None


def same_file(file: BinaryIO, identity: tuple[int, int]) -> bool:
    """Whether this is the file of that identity: its name may belong to another file by now."""
    return identity_of(file) == identity


def identity_of(file: BinaryIO) -> tuple[int, int]:
    """Device and inode, by which an open file is recognised."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino
