"""Reads one source from start to end, as entries. Decides what happens to an unfinished last line."""

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

UNREAD = frozenset({"source_unreachable", "source_unreadable"})  # a later run may be able to read the rest
_CUT_OFF = frozenset({"bad_json", "not_utf8"})  # errors that a missing end of the line can cause


def read_source(source: Source) -> Reading:
    """A reading of `source`, to be iterated over once. Its memory does not grow with the size of the source."""
    return Reading(source)


class Reading:
    """Iterates over the entries of one source, in the source's order; never raises, whatever the source holds.

    `bytes_read` grows while reading (packed bytes of the file, for progress). After the last entry `complete` says
    whether the source was read to its end. If not, `left` is an entry that was not handed out but left for a later
    run, with its place and its problem. In a source that was found in a folder an unfinished last line is left, since
    its writer may still be at work; in a source that the user named it is refused like any other bad line. Bytes that
    a cloud or a network did not deliver are left in both cases.

    `line` is the number of the last line that was read.

    `whole`: most events will be used, so that decoding each line fully at once is faster. May be set at any time.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.whole = True
        self.complete = False
        self.left: Entry | None = None
        self.line = source.first_line
        self._blocks: Blocks | None = None
        self._torn = False  # the last line is unfinished

    @property
    def bytes_read(self) -> int:
        """Bytes read from the source so far; of a packed file its packed bytes."""
        return 0 if self._blocks is None else self._blocks.bytes_read

    def __iter__(self) -> Iterator[Entry]:
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[Entry]]:
        """The entries in batches: those of one block of text together.

        Doing one step for many lines before the next step is faster than line by line: it saves a third of the time.
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
        """The entries of a run of lines of which at least one cannot be decoded."""
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
        """The entry of a line that is one bare event, as nearly all are; None for any other line."""
        message_id = head.message_id
        if type(message_id) is not str or not is_plain(head):
            return None
        identity = message_identity(message_id)
        if identity is None:
            return None
        wire = head if type(head) is Whole else None
        return Entry(self.source.name, number, raw, None, identity, None, False, None, None, wire)

    def _end(self, lines: Lines, trouble: Trouble | None) -> Iterable[Entry]:
        """The entry, if any, for the trouble that ended the text. Sets `complete`."""
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
    """Breaks the reference cycle of an error and its frame, which would keep a block of text alive."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__
