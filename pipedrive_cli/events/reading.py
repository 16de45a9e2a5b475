"""One source read from its start to its end, as entries. Decides what a last line without an end is worth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, cast

import jsonlines

from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.envelope import Head, Whole, decode_head, decode_whole, entries, is_plain, unreadable
from pipedrive_cli.events.identity import message_identity
from pipedrive_cli.events.lines import KEPT, LINE_LIMIT, Lines, tidied
from pipedrive_cli.events.refusal import refusal
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.unpack import Blocks, Trouble

UNREAD = frozenset({"source_unreachable", "source_unreadable"})  # the rest is there, and may be read another time
_CUT_OFF = frozenset({"bad_json", "not_utf8"})  # what may be wrong with a line only because its end is missing


def read_source(source: Source) -> Reading:
    """A reading of `source`, to be iterated over once. Memory stays constant whatever the size of the source."""
    return Reading(source)


class Reading:
    """Iterates over the entries of one source, in their order there; never raises for what stands in it.

    `bytes_read` grows as it goes (packed bytes of the file, for progress). After the last entry `complete` says
    whether the source was read to its end; where it is False `left` is an entry that was not handed out but left for
    another time, with its place and what is wrong. A source that was found, not named, leaves what breaks off, for its
    writer may not be done with it; of a named one the same is refused like any other bad line. What a cloud or a
    network did not hand over is left in either case.

    `line` is the number of the last line, once it has been read.

    `whole`: each event is going to be looked at, so that decoding it once and for all pays. It may be set at any time.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.whole = True
        self.complete = False
        self.left: Entry | None = None
        self.line = source.first_line
        self._blocks: Blocks | None = None
        self._torn = False  # the last line has no end, and is not whole

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the source so far; of a packed file as they stand on disk."""
        return 0 if self._blocks is None else self._blocks.bytes_read

    def __iter__(self) -> Iterator[Entry]:
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[Entry]]:
        """The entries, as many at a time as a block of the text holds.

        A processor is faster at one thing done many times than at many things by turns: a third of all the time.
        """
        try:
            stream = self.source.open()
        except OSError as error:
            complaint = refusal("source_unreadable", f"the file cannot be opened: {error.strerror or error}")
            yield list(self._end_badly(Entry(self.source.name, 1, b"", refusal=complaint)))
            return
        try:
            self._blocks = Blocks(stream, goes_on=self.source.start > 0)
            yield from self._batches(self._blocks)
        finally:
            if stream is not self.source.stream:
                stream.close()

    def _batches(self, blocks: Blocks) -> Iterator[list[Entry]]:
        lines = Lines(blocks)
        lines.number = self.source.first_line
        for run in lines.runs():
            decode = decode_whole if self.whole else decode_head
            try:
                heads = list(jsonlines.Reader(run, loads=cast(Any, decode)))
            except (ValueError, RecursionError) as error:  # jsonlines' own errors are ValueErrors
                _let_go(error)
                yield list(self._one_by_one(run, lines, blocks))
                continue
            batch: list[Entry] = []
            for raw, number, head in zip(tidied(run), count(lines.number - len(run) + 1), heads):
                entry = self._plain_entry(raw, number, head)
                if entry is not None:
                    batch.append(entry)
                else:
                    batch += entries(raw, head, self.source.name, number)
            yield batch
        self.line = lines.number
        yield list(self._end(lines, blocks.trouble))

    def _one_by_one(self, run: list[bytes], lines: Lines, blocks: Blocks) -> Iterator[Entry]:
        """The entries of lines of which at least one is not what a line should be."""
        next_head = jsonlines.Reader(lines.told_apart(run), loads=cast(Any, decode_head)).read
        while True:
            try:
                head = cast(Any, next_head())
            except EOFError:
                return
            except (ValueError, RecursionError) as error:
                _let_go(error)
                yield from self._bad_line(lines, blocks.trouble)
                continue
            yield from entries(lines.raw, head, self.source.name, lines.number)

    def _plain_entry(self, raw: bytes, number: int, head: Head | Whole) -> Entry | None:
        """The entry of a line that is an event and nothing else, as nearly all are."""
        message_id = head.message_id
        if type(message_id) is not str or not is_plain(head):
            return None
        identity = message_identity(message_id)
        if identity is None:
            return None
        wire = head if type(head) is Whole else None
        return Entry(self.source.name, number, raw, None, identity, None, False, None, None, wire)

    def _end(self, lines: Lines, trouble: Trouble | None) -> Iterable[Entry]:
        """What the end of the text has to say."""
        if trouble is None:
            self.complete = self.left is None
        elif not self._torn:
            return self._end_badly(Entry(self.source.name, lines.number + 1, b"", refusal=refusal(*trouble)))
        return ()

    def _bad_line(self, lines: Lines, trouble: Trouble | None) -> Iterator[Entry]:
        name = self.source.name
        self._torn = not lines.ended
        if lines.too_long:
            message = f"the line is longer than {LINE_LIMIT >> 20} MiB; its first {KEPT} bytes are kept"
            yield Entry(name, lines.number, lines.raw, refusal=refusal("line_too_long", message), cut=True)
            return
        entry = unreadable(lines.raw, name, lines.number)
        if lines.ended or entry.refusal is None or entry.refusal.code not in _CUT_OFF:
            yield entry
            return
        if trouble is not None:
            entry.refusal = refusal(*trouble)
        yield from self._end_badly(entry)

    def _end_badly(self, entry: Entry) -> Iterator[Entry]:
        code = None if entry.refusal is None else entry.refusal.code
        elsewhere = code == "source_unreachable" or (code in UNREAD and self.source.cloud is not None)
        if self.source.named and not elsewhere:
            yield entry
        elif self.left is None:
            if entry.refusal is not None and entry.refusal.code in _CUT_OFF:
                entry.refusal = refusal("unfinished_line", "the last line has no end, and is left for another run")
            self.left = entry


def _let_go(error: BaseException | None) -> None:
    """Breaks the circle of an error and the frame it was raised in, which would keep a block of text each."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__
