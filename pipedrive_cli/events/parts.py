"""A plain file cut into parts of whole lines, each of which can be read alone, in another process if need be."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from typing import BinaryIO, Final, NamedTuple, cast

from pipedrive_cli.events.source import Source
from pipedrive_cli.events.unpack import is_packed

WORTH: Final = 8 << 20  # bytes of a file from which on other processes pay: a few times what starting one costs
MOST: Final = 3  # processes that one that takes what they make keeps up with
PART: Final = 1 << 20  # bytes, some thousand events: passing them on costs little then
_LOOK: Final = 1 << 12  # bytes in which the end of a line is looked for: most lines are shorter


def processes_for(source: Source) -> int:
    """How many processes beside this one pay for reading this source; 0: none do."""
    if source.path is None or source.cloud is not None or source.size is None or source.size - source.start < WORTH:
        return 0
    return min(cores() - 1, MOST) if sys.executable else 0


def cores() -> int:
    """How many processes of ours can be at work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class FilePart(NamedTuple):
    """From where to where in the file; `end` None: as far as it goes. Only such a one may lack its last line's end."""

    start: int
    end: int | None


class PartStream(io.RawIOBase):
    """The bytes of one part. It moves about in a file that stays open."""

    def __init__(self, file: BinaryIO, part: FilePart) -> None:
        super().__init__()
        self._file = file
        self._at, self._end = part

    def read(self, size: int = -1, /) -> bytes:
        """As much as is asked for, or what there is until the part's end."""
        left = size if self._end is None else min(size, self._end - self._at)
        self._file.seek(self._at)
        data: bytes = self._file.read(left) or b""
        self._at += len(data)
        return data


def part_of(source: Source, file: BinaryIO, part: FilePart, first_line: int) -> Source:
    """The part as a source of its own; `first_line` is how many lines stand before it."""
    stream = cast(BinaryIO, PartStream(file, part))
    return replace(source, stream=stream, start=part.start, first_line=first_line)


def parts_of(source: Source, file: BinaryIO, size: int) -> list[FilePart]:
    """The parts of a file, each of `size` bytes or a little more. Of a packed one there is one. Raises OSError.

    The last one has no end, so that whoever reads it meets whatever the file's end is by then.
    """
    start = source.start
    file.seek(start)
    if is_packed(file.read(8)):
        return [FilePart(start, None)]
    parts: list[FilePart] = []
    while (end := _line_end(file, start + size)) is not None:
        parts.append(FilePart(start, end))
        start = end
    return [*parts, FilePart(start, None)]


def _line_end(file: BinaryIO, place: int) -> int | None:
    """Where the line that holds the byte before `place` ends; None: it does not."""
    file.seek(place - 1)
    while block := file.read(_LOOK):
        found = block.find(b"\n")
        if found >= 0:
            return file.tell() - len(block) + found + 1
    return None


def same_file(file: BinaryIO, identity: tuple[int, int]) -> bool:
    """Whether this is the file that bears this identity on its disk: a name may stand for another one by now."""
    return identity_of(file) == identity


def identity_of(file: BinaryIO) -> tuple[int, int]:
    """What tells an open file from others."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino
