"""A source cut into chunks of whole lines, each of which can be read alone, in another process if need be.

A chunk knows where in its source it stands, and the last one also how the source ended; read in order, the chunks give
what reading the source itself gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipedrive_cli.events.lines import LINE_LIMIT
from pipedrive_cli.events.reading import Reading, cannot_open
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.unpack import Blocks, Trouble

CHUNK: Final = 1 << 20  # bytes, some thousand events: passing them on costs little then


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of one source, of which none but the source's last one lacks its end: `blocks`, or `span`.

    A span is a file and from where to where in it: whoever reads it may be another process, and finds it there.
    `bytes_read` are those taken from the source so far, packed; `trouble` is why it ended early.
    """

    name: str
    named: bool
    first_line: int  # how many lines stand before
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
            while start < end and (block := file.read(end - start)):
                start += len(block)
                yield block

    def without_text(self) -> Chunk:
        """The same, with its lines let go."""
        return replace(self, blocks=())

    def reading(self) -> Reading:
        """Its entries, to be iterated over once; whoever asks is going to decode them all."""
        return Reading(Source(self.name, self.named, None, first_line=self.first_line), self, whole=True)


def chunks(source: Source, size: int = CHUNK) -> Iterator[Chunk]:
    """The source in chunks of `size` bytes or a little more, at least one."""
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
    line, start = source.first_line, source.start

    def ready(*, last: bool) -> Chunk:
        span = (source.path, start, start + held) if source.path is not None and blocks.plain else None
        if span is None or held > LINE_LIMIT + size:
            return Chunk(source.name, source.named, line, tuple(waiting), last, blocks.bytes_read, trouble)
        return Chunk(source.name, source.named, line, (), last, blocks.bytes_read, trouble, span)

    trouble = None
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if held + len(block) < size or not end:
            held += len(block)
            if end or held <= LINE_LIMIT + size:  # of a line without end no more is kept than tells that it is too long
                waiting.append(block)
            continue
        waiting.append(block[:end])
        held += end
        yield ready(last=False)
        line += sum(piece.count(b"\n") for piece in waiting)
        start += held
        waiting, held = [block[end:]], len(block) - end
    trouble = blocks.trouble
    yield ready(last=True)
