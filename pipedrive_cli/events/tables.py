"""Reads a table (CSV, or Parquet with the extra `parquet`) row by row, as the entries of the events that rows mean.

CSV is read as spreadsheets and warehouses write it: separated by commas, semicolons, tabs or bars, whichever makes the
named columns appear; quoted or not; with a byte order mark, with any line ends, and with a first line `sep=;`. A row
has the number of the line on which it begins. A row of the header again, as joined files have it, is passed over.

A part of a table is read by its `head`. Where a text was cut and ends within a quoted cell, it was not cut between
rows: then its reading is not complete, and whoever has cut it reads on behind the cut.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, Final

from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.envelope import unreadable
from pipedrive_cli.events.foreign import PARQUET
from pipedrive_cli.events.lines import EVENT_LIMIT, KEPT
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.refusal import EventRefused, refusal
from pipedrive_cli.events.rows import Columns, RowEvent, RowForm, TableHead
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.unpack import Text, cannot_go_on

SEPARATORS: Final = (",", ";", "\t", "|")
ROWS: Final = 1_000  # that are handed on together
_LINES_KEPT: Final = 100  # of a row that cannot be read
_UNCLOSED: Final = "a quote is opened in it and not closed"


class TableReading(Reading):
    """A reading of one table. What it promises is what `Reading` does; a torn row is a torn line.

    `head` is known once the header was read. `cut_within`: the text was cut within a row.
    """

    def __init__(self, source: Source, form: RowForm, text: Text | None = None, *, begun: bool = False) -> None:
        super().__init__(source, text, begun=begun)
        self.head = source.head
        self.cut_within = False
        self._form = form
        self._read_of_parquet = 0

    @property
    def bytes_read(self) -> int:
        return self._read_of_parquet or super().bytes_read

    def _batches(self, blocks: Text) -> Iterator[list[Entry]]:
        rows = _Rows(blocks, self.source)
        try:
            columns = self._columns(rows)
        except EventRefused as refused:
            self._leave(0, refused.complaint)
            return
        found = iter(()) if columns is None else self._entries_of_rows(rows, columns, blocks)
        while batch := list(islice(found, ROWS)):
            yield batch
        self.line = rows.line
        trouble = blocks.trouble
        if trouble is not None and trouble.kind is PARQUET:
            yield from self._parquet()
        elif trouble is not None and trouble.kind is not None:
            self._leave_foreign(trouble.kind)
        elif trouble is not None:
            self._leave(rows.line + 1, refusal(trouble.code, trouble.message), torn=trouble.torn)
        else:
            self.complete = self.left is None and not self.cut_within

    def _columns(self, rows: _Rows) -> Columns | None:
        """The columns that the header names. None: the table is empty. Raises EventRefused."""
        if self.head is not None:
            return Columns(self._form, self.head.names)
        header = rows.header(self._form)
        if header is None:
            return None
        if header and header[0].lstrip().startswith(("{", "[{")):
            why = "its first line is JSON, not the names of columns: lines of JSON are read without --as"
            raise EventRefused(refusal("not_events", why))
        self.head = TableHead(header, rows.separator)
        return Columns(self._form, header)

    def _entries_of_rows(self, rows: _Rows, columns: Columns, blocks: Text) -> Iterator[Entry]:
        width = len(columns.names)
        for cells in rows:
            if isinstance(cells, str):
                if self.source.cut and cells == _UNCLOSED:
                    self.cut_within = True
                    return
                yield from self._bad_row(rows, cells)
                continue
            if not any(map(str.strip, cells)) or (
                cells[0].strip() == columns.names[0] and [c.strip() for c in cells] == columns.names
            ):
                continue
            if rows.broken:
                yield unreadable(rows.raw, self.source.name, rows.first)
                continue
            short = width - len(cells)
            if len(cells) <= columns.last_needed and (rows.ended or self.source.named):
                yield from self._bad_row(rows, f"it has {len(cells)} cells, and the header {width}")
                continue
            if short < 0 and any(map(str.strip, cells[width:])):
                yield from self._bad_row(rows, f"it has {len(cells)} cells, and the header {width}")
                continue
            if short > 0 and not rows.ended and not self.source.named:
                self._leave_torn(rows.first, rows.raw)  # its writer may be at work
                return
            whole = cells[:width] if short < 0 else [*cells, *[""] * short]
            yield self._entry(columns.event(whole), rows.first)

    def _bad_row(self, rows: _Rows, why: str) -> Iterator[Entry]:
        if not rows.ended and not self.source.named:
            self._leave_torn(rows.first, rows.raw)
            return
        complaint = refusal("bad_row", f"the row cannot be read: {why}")
        yield Entry(self.source.name, rows.first, rows.raw, refusal=complaint, cut=rows.cut)

    def _entry(self, event: RowEvent, line: int) -> Entry:
        return Entry(self.source.name, line, event.raw, identity=event.identity, wire=event.wire)

    # -- Parquet

    def _parquet(self) -> Iterator[list[Entry]]:
        from pipedrive_cli.events.parquet import ParquetTable, ParquetTrouble  # noqa: PLC0415 - an extra

        try:
            file = self._seekable()
        except OSError as error:
            self._leave(0, refusal("source_unreadable", f"it cannot be opened: {error.strerror or error}"))
            return
        with file:
            try:
                table = ParquetTable(file)
                columns = Columns(self._form, table.columns)
                size = self.source.size or 0
                for rows in table.batches(ROWS):
                    first, self.line = self.line + 1, self.line + len(rows)
                    yield [self._entry(columns.event(row), line) for line, row in enumerate(rows, first)]
                    self._read_of_parquet = size * self.line // max(table.rows, 1)
            except EventRefused as refused:
                self._leave(0, refused.complaint)
            except ParquetTrouble as trouble:
                self._leave(0, refusal("not_events", str(trouble)))
            except OSError as error:
                found = cannot_go_on(error)
                self._leave(self.line + 1, refusal(found.code, found.message))
            else:
                self.complete = True

    def _seekable(self) -> BinaryIO:
        """The file from its end, where Parquet has its table of contents. Raises OSError."""
        if self.source.cloud is not None:
            return self.source.cloud.open_seekable()
        if self.source.path is None or self.source.size is None:
            raise OSError("Parquet is read from its end, which a pipe has not yet: save it as a file")
        return self.source.path.open("rb")


class _Rows:
    """The rows of one CSV text, as lists of cells; text for a row that cannot be read, which says why.

    Of the row handed out last: `first` is its first line, `raw` its text, `broken` whether a byte of it is no UTF-8,
    `ended` whether a line end comes after it. `line` is the last line read, `separator` what separates cells.
    """

    def __init__(self, blocks: Text, source: Source) -> None:
        stream = io.BufferedReader(_BlockStream(blocks))
        encoding = "utf-8-sig" if source.head is None else "utf-8"
        self._lines = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
        self.separator = "," if source.head is None else source.head.separator
        self._kept: list[str] = []
        self.line = self.first = source.first_line
        self.ended = True

    def header(self, form: RowForm) -> list[str] | None:
        """The names of the columns; None where there is no line. Tells what separates cells. Raises EventRefused."""
        for text in self._taken():
            line = text.strip("\r\n")
            if self.line == 1 and line[:4].lower() == "sep=" and len(line) == 5:
                self.separator = line[4]
                continue
            if not line.strip(" \t\0,;|"):
                continue
            if not line.isascii() and _is_broken(line):
                why = "the names of its columns are not UTF-8: save it as “CSV UTF-8”, or convert it with iconv"
                raise EventRefused(refusal("not_events", why))
            return self._split(text, form)
        return None

    def _split(self, text: str, form: RowForm) -> list[str]:
        """The cells of the header, by the separator that makes the named columns appear, or else the most columns."""
        found: list[tuple[int, int, str, list[str]]] = []
        for separator in dict.fromkeys((self.separator, *SEPARATORS)):
            try:
                cells = next(csv.reader([text], delimiter=separator, strict=True), [])
            except csv.Error:
                continue
            named = {cell.strip() for cell in cells}
            found.append((sum(column in named for column in form.columns), len(cells), separator, cells))
        if not found:
            raise EventRefused(refusal("not_events", "the names of its columns cannot be read: a quote is not closed"))
        _, _, self.separator, cells = max(found, key=lambda each: each[:2])
        return cells

    def __iter__(self) -> Iterator[list[str] | str]:
        csv.field_size_limit(EVENT_LIMIT)
        reader = csv.reader(self._taken(), delimiter=self.separator, strict=True)
        while True:
            self._kept.clear()
            self.first = self.line + 1
            try:
                yield next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield _plain_words(str(error))

    def _taken(self) -> Iterator[str]:
        for text in self._lines:
            self.line += 1
            self.ended = text[-1:] in ("\n", "\r")
            if len(self._kept) < _LINES_KEPT:
                self._kept.append(text)
            yield text

    @property
    def raw(self) -> bytes:
        """The row as it stands in the file, at most so much of it as is kept of what is too long."""
        text = "".join(self._kept).rstrip("\r\n").encode("utf-8", "surrogateescape")
        return text[:KEPT] if self.cut else text

    @property
    def cut(self) -> bool:
        """Whether `raw` is only the row's beginning."""
        return len(self._kept) >= _LINES_KEPT or sum(map(len, self._kept)) > EVENT_LIMIT

    @property
    def broken(self) -> bool:
        return any(not text.isascii() and _is_broken(text) for text in self._kept)


def _is_broken(text: str) -> bool:
    """Whether bytes that are no UTF-8 stand in a text that was read with them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _plain_words(error: str) -> str:
    if "unexpected end of data" in error:
        return _UNCLOSED
    if "field larger" in error:
        return f"a cell is longer than {EVENT_LIMIT >> 20} MiB, or a quote is opened in it and not closed"
    if "expected after" in error:
        return "behind a closing quote comes neither a separator nor the line's end"
    return error


class _BlockStream(io.RawIOBase):
    """Blocks of text as a stream of bytes."""

    def __init__(self, blocks: Text) -> None:
        super().__init__()
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
