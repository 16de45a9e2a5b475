"""Cuts what is read into parts of whole lines, which other processes can read: texts, and the bytes of plain files."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, NamedTuple, cast

from pipedrive_cli.events.event_files import is_packed_file
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.unpack import Blocks, Trouble, is_packed

WORTH: Final = 16 << 20  # bytes of text: for less of it starting other processes costs more than it saves
MOST: Final = 3  # processes: the one that takes their results is not faster than three
PART: Final = 1 << 19  # bytes of text, some hundred events: few enough hand-overs between processes
ROWS: Final = 6  # a row of a table takes about so many times fewer bytes than the event that it means
PACKED: Final = 8  # and a packed event than the same one unpacked
_LONG: Final = 4  # a text without the end of a line is a part of its own when it is so many times as long as others
_LOOK: Final = 1 << 12  # bytes read at once to find the end of a line: most lines are shorter


def processes_for(sources: Sequence[Source]) -> int:
    """How many other processes make reading these sources faster; 0: none."""
    if sum(map(_weight, sources)) < WORTH or not sys.executable:
        return 0
    return min(cores() - 1, MOST)


def can_be_shared(source: Source) -> bool:
    """Whether the source is a file of this machine, which gives its text without waiting for anybody."""
    return source.path is not None and source.size is not None and source.cloud is None and source.unfit is None


def _weight(source: Source) -> int:
    """The bytes of text that the source holds, as far as its size and name tell."""
    size = (source.size or 0) if can_be_shared(source) else 0
    return size * (1 if source.rows is None else ROWS) * (PACKED if is_packed_file(source.name) else 1)


def cores() -> int:
    """The number of processor cores that we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part of an unpacked text, iterable in blocks.

    `begins` and `ends`: it begins and ends between lines; of a table, as it seems, between rows. `first`, `last`: of
    its source. `trouble` is what ended the text. `bytes_read` are the bytes of the source up to the part's end.
    """

    blocks: list[bytes]
    first: bool
    last: bool
    begins: bool
    ends: bool
    trouble: Trouble | None
    bytes_read: int

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.blocks)


def text_parts(source: Source, stream: BinaryIO, size: int) -> Iterator[TextPart]:
    """The text of an open source in parts, each of `size` bytes or a little more. The last one may be empty.

    `size` is more than a block has, by the first of which it is judged what a source is.
    A line, or row, that is much longer than a part is in several, which neither begin nor end between lines.
    """
    text = Blocks(stream, goes_on=source.start > 0)
    table = source.rows is not None
    first, begins = source.start == 0, True
    held: list[bytes] = []
    length = quotes = 0
    for block in text:
        held.append(block)
        length += len(block)
        end = 0
        if length >= size:
            end = _rows_end(block, quotes) if table else block.rfind(b"\n") + 1
        quotes += block.count(b'"') if table else 0
        if end or length >= _LONG * size:
            held[-1], rest = (block[:end], block[end:]) if end else (block, b"")
            yield TextPart(held, first, False, begins, end > 0, None, text.bytes_read)
            first, begins = False, end > 0
            held, length, quotes = [rest] if rest else [], len(rest), rest.count(b'"') if table else 0
    yield TextPart(held, first, True, begins, True, text.trouble, text.bytes_read)


def _rows_end(block: bytes, quotes: int) -> int:
    """The end of the last line of a block behind which no quoted cell seems to be open; 0: there is none.

    As many quotes were closed as were opened, unless a cell holds a lone one. `quotes` came before the block.
    """
    opened, end = quotes + block.count(b'"'), len(block)
    while (found := block.rfind(b"\n", 0, end)) >= 0:
        opened -= block.count(b'"', found, end)
        if opened % 2 == 0:
            return found + 1
        end = found
    return 0


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

    The last part has no end, so that lines that are written meanwhile are read, too.
    """
    start = source.start
    file.seek(start)
    if is_packed(file.read(_LOOK)):
        return [FilePart(start, None)]
    parts: list[FilePart] = []
    while (end := _line_end(file, start, size)) is not None:
        parts.append(FilePart(start, end))
        start = end
    return [*parts, FilePart(start, None)]


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
