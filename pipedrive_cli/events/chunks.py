"""A source cut into chunks of whole lines, each of which can be read alone, in another process if need be.

A chunk knows where in its source it stands, and the last one also how the source ended; read in order, the chunks give
what reading the source itself gives.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from pipedrive_cli.events.lines import LINE_LIMIT
from pipedrive_cli.events.reading import Reading, cannot_open
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.unpack import Blocks, Trouble, cannot_go_on

CHUNK: Final = 1 << 20  # bytes, some thousand events: passing them on costs little then
BLOCK: Final = 1 << 17  # bytes read at once: as much as stays near the processor while it is worked on


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of one source, of which none but the source's last one lacks its end: `blocks`, or `span`.

    A span is a file and from where to where in it: whoever reads it may be another process, and finds it there.
    `bytes_read` are those taken from the source so far, packed; `trouble` is why it ended early.
    """

    name: str
    named: bool
    first_line: int | None  # how many lines stand before; None: those of the chunks before, which nobody has counted
    blocks: tuple[bytes, ...]
    last: bool
    bytes_read: int
    trouble: Trouble | None = None
    span: tuple[Path, int, int] | None = None

    def __iter__(self) -> Iterator[bytes]:
        if self.span is None:
            yield from self.blocks
            return
        path, start, end = self.span
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while start < end and (block := file.read(min(BLOCK, end - start))):
                start += len(block)
                yield block

    def without_text(self) -> Chunk:
        """The same, with its lines let go."""
        return replace(self, blocks=())

    def reading(self) -> Reading:
        """Its entries, to be taken once, in `lots`; whoever asks is going to decode them all."""
        return Reading(Source(self.name, self.named, None, first_line=self.first_line or 0), self, whole=True)


def chunks(source: Source, size: int = CHUNK) -> Iterator[Chunk]:
    """The source in chunks of `size` bytes or a little more, at least one; the last one may be empty."""
    try:
        stream = source.open()
    except OSError as error:
        yield Chunk(source.name, source.named, source.first_line, (), True, 0, cannot_open(error))
        return
    try:
        yield from _cut(source, Blocks(stream), size)
    finally:
        if stream is not source.stream:
            stream.close()


def _cut(source: Source, blocks: Blocks, size: int) -> Iterator[Chunk]:
    waiting: list[bytes] = []
    held = 0
    line: int | None = source.first_line

    def ready(*, last: bool) -> Chunk:
        return Chunk(source.name, source.named, line, tuple(waiting), last, blocks.bytes_read, blocks.trouble)

    for block in blocks:
        if blocks.plain and source.path is not None:
            yield from _found_in(source.path, source, size)
            return
        end = block.rfind(b"\n") + 1
        if held + len(block) < size or not end:
            held += len(block)
            if end or held <= LINE_LIMIT + size:  # of a line without end no more is kept than tells that it is too long
                waiting.append(block)
            continue
        waiting.append(block[:end])
        yield ready(last=False)
        line = None
        waiting, held = [block[end:]], len(block) - end
    yield ready(last=True)


def _found_in(path: Path, source: Source, size: int) -> Iterator[Chunk]:
    """The chunks of a plain file, of which no more is read here than tells where they end."""
    start, trouble = source.start, None
    line: int | None = source.first_line
    last = False
    try:
        opened = path.open("rb", buffering=0)
    except OSError as error:  # it went away since its first bytes were read
        yield Chunk(source.name, source.named, line, (), True, 0, cannot_open(error))
        return
    with opened as file:
        while not last:
            try:
                found = _line_end(file, start + size)
                last = found is None
                end = max(start, file.seek(0, os.SEEK_END)) if found is None else found
            except OSError as error:
                trouble, last, end = cannot_go_on(error), True, start
            yield Chunk(source.name, source.named, line, (), last, end - source.start, trouble, (path, start, end))
            start, line = end, None


def _line_end(file: BinaryIO, place: int) -> int | None:
    """Where the line that holds the byte before `place` ends; None: it does not."""
    file.seek(place - 1)
    while block := file.read(BLOCK):
        found = block.find(b"\n")
        if found >= 0:
            return file.tell() - len(block) + found + 1
    return None
