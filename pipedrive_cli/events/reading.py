"""Reads one source from start to end, as entries. Tells what is no event file, and where reading had to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count, islice
from typing import Any, cast

import jsonlines

from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.envelope import (
    Head,
    Whole,
    decode_head,
    decode_whole,
    entries,
    is_plain,
    may_hold_events,
    salvaged,
    several_values,
    too_long,
    unreadable,
)
from pipedrive_cli.events.foreign import LOOK, ZEROS, Foreign, kind_of_text
from pipedrive_cli.events.identity import message_identity
from pipedrive_cli.events.lines import EVENT_LIMIT, Lines, tidied
from pipedrive_cli.events.makers import kind_of_objects, maker_in
from pipedrive_cli.events.pages import page_of, page_type
from pipedrive_cli.events.refusal import refusal
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.splitting import outermost
from pipedrive_cli.events.unpack import Blocks, Text, Trouble
from pipedrive_cli.model import Complaint

_CUT_OFF = frozenset({"bad_json", "not_utf8"})  # errors that a missing end of the line can cause
BATCH = 2_000  # entries that are handed on together, at most
ENOUGH = 3  # lines of a pipe that show what it is
_NO_JSON = frozenset({"bad_json", "not_utf8", "not_an_object", "line_too_long", "too_deep"})


class Reading:
    """Iterates over the entries of one source, in the source's order; never raises, whatever the source holds.

    `bytes_read` grows while reading (packed bytes of the file, for progress). After the last entry `complete` says
    whether the source was read to its end. If not, `left` is an entry that was not handed out, with its place (line 0:
    the file as a whole) and why reading ended there; `torn` says that the source breaks off, as it does while its
    writer is at work. So it is with an unfinished last line in a source that was found in a folder. In one that the
    user named that line is all there is, and is refused like any other bad line.

    A source that begins with lines of which none is an event, and which show what it is instead, is left as a whole.

    `line` is the number of the last line that was read.

    `whole`: most events will be used, so that decoding each line fully at once is faster. May be set at any time.

    `pages`: where it is a counter, pages and screens are counted there by their type, and most are not handed out.
    """

    def __init__(self, source: Source, text: Text | None = None, *, begun: bool = False) -> None:
        """`text` is what is read, where somebody has opened the source already; `begun`: other text came before it."""
        self.source = source
        self.whole = True
        self.complete = False
        self.left: Entry | None = None
        self.torn = False
        self.line = source.first_line
        self.pages: Counter[str] | None = None
        self._text = text
        self._unfinished = False  # the last line is
        self._start = b""  # of the text
        self._judged = begun or source.start > 0  # whether the first entries have shown that these are events

    @property
    def bytes_read(self) -> int:
        """Bytes read from the source so far; of a packed file its packed bytes."""
        return 0 if self._text is None else self._text.bytes_read

    def __iter__(self) -> Iterator[Entry]:
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[Entry]]:
        """The entries in batches: those of one block of text together.

        Doing one step for many lines before the next step is faster than line by line: it saves a third of the time.
        """
        if self._text is not None:
            yield from self._batches(self._text)
            return
        if self.source.unfit is not None:
            self._leave(0, self.source.unfit)
            return
        try:
            stream = self.source.open()
        except OSError as error:
            self._leave(0, refusal("source_unreadable", f"it cannot be opened: {error.strerror or error}"))
            return
        try:
            self._text = Blocks(stream, goes_on=self.source.start > 0)
            yield from self._batches(self._text)
        finally:
            if stream is not self.source.stream:
                stream.close()

    def _batches(self, text: Text) -> Iterator[list[Entry]]:
        lines = Lines(self._begun(text), _values_in)
        lines.number = self.source.first_line
        for run in lines.runs():
            found = self._entries_of(run, lines, text)
            # Of a line with a hundred thousand events only some are held at once.
            while batch := list(islice(found, BATCH)):
                if not self._judged:
                    self._judged = True
                    if (kind := self._foreign(batch)) is not None:
                        self._leave_foreign(kind)
                        return
                yield batch
        self.line = lines.number
        self._end(lines, text.trouble)

    def _begun(self, text: Text) -> Iterator[bytes]:
        """The blocks; keeps the start of the text."""
        for number, block in enumerate(text):
            if number == 0:
                self._start = block[:LOOK]
            yield block

    def _entries_of(self, run: list[bytes], lines: Lines, text: Text) -> Iterator[Entry]:
        if lines.within is not None and not lines.too_long:
            return self._values(run, lines, text)
        decode = decode_whole if self.whole else decode_head
        try:
            heads = list(jsonlines.Reader(run, loads=cast(Any, decode)))
        except (ValueError, RecursionError) as error:  # jsonlines' own errors are ValueErrors
            _let_go(error)
            return self._one_by_one(run, lines, text)
        return self._entries(run, heads, lines.number - len(run) + 1)

    def _entries(self, run: list[bytes], heads: list[Head | Whole], first: int) -> Iterator[Entry]:
        pages = self.pages if self._judged else None  # by the first entries it is told whether these are events
        for raw, number, head in zip(tidied(run), count(first), heads):
            message_id = head.message_id
            # Nearly all lines are one bare event, and have all that is asked here.
            if (
                type(message_id) is not str
                or not is_plain(head)
                or (identity := message_identity(message_id)) is None
                or len(raw) > EVENT_LIMIT
            ):
                for entry in entries(raw, head, self.source.name, number):
                    if pages is None or (page := page_of(entry)) is None:
                        yield entry
                    else:
                        pages[page] += 1
                continue
            wire = head if type(head) is Whole else None
            if pages is None or wire is None or (page := page_type(wire, raw)) is None:
                yield Entry(self.source.name, number, raw, None, identity, None, False, None, None, wire)
            else:
                pages[page] += 1

    def _values(self, run: list[bytes], lines: Lines, text: Text) -> Iterator[Entry]:
        """The entries of values of one long line; the last run of such a line is what was left of it."""
        number, before = lines.number, lines.within or 0
        values, rest = (run, b"") if len(run) > 1 else outermost(run[0])
        yield from several_values(values, self.source.name, number, before)
        if rest:
            lines.raw = rest
            yield from self._bad_line(lines, text.trouble)

    def _one_by_one(self, run: list[bytes], lines: Lines, text: Text) -> Iterator[Entry]:
        """The entries of a run of lines of which at least one cannot be decoded."""
        next_head = jsonlines.Reader(lines.told_apart(run), loads=cast(Any, decode_head)).read
        while True:
            try:
                head = cast(Any, next_head())
            except EOFError:
                return
            except (ValueError, RecursionError) as error:
                _let_go(error)
                yield from self._bad_line(lines, text.trouble)
                continue
            yield from entries(lines.raw, head, self.source.name, lines.number)

    def _end(self, lines: Lines, trouble: Trouble | None) -> None:
        """Notes the trouble, if any, that ended the text."""
        if trouble is None:
            if not self._judged and b"\0" in self._start:
                self._leave_foreign(ZEROS)
            self.complete = self.left is None
        elif trouble.kind is not None:
            self._leave_foreign(trouble.kind)
        elif not self._unfinished:
            self._leave(lines.number + 1, refusal(trouble.code, trouble.message), torn=trouble.torn)

    def _bad_line(self, lines: Lines, trouble: Trouble | None) -> Iterator[Entry]:
        name, raw = self.source.name, lines.raw
        self._unfinished = not lines.ended
        if lines.too_long:
            yield too_long(raw, name, lines.number, None, lines.limit)
            return
        found, torn = salvaged(raw, name, lines.number)
        if lines.ended:
            yield from found
            if torn is not None:
                yield unreadable(torn, name, lines.number)
            return
        if torn is None:
            last = next(found, None)
            if last is None or last.refusal is None or last.refusal.code not in _CUT_OFF or last.index is not None:
                yield from () if last is None else (last,)
                yield from found
                if not self.source.named and raw.startswith(b"[{") and not raw.endswith(b"]"):
                    self._leave_torn(lines.number, b"")  # of a list whose end is not there yet
                return
            entry = last
        else:
            yield from found
            raw, entry = torn, unreadable(torn, name, lines.number)
        if trouble is not None:
            self._leave(lines.number, refusal(trouble.code, trouble.message), raw, torn=trouble.torn)
        elif not self._judged and (kind := kind_of_text(self._start, whole=False)) is not None:
            self._leave_foreign(kind)
        elif self.source.named:
            yield entry
        else:
            self._leave_torn(lines.number, raw)

    def _leave_torn(self, line: int, raw: bytes) -> None:
        why = refusal("unfinished_line", "the last line has no end, and is left for another run")
        self._leave(line, why, raw, torn=True)

    def _leave(self, line: int, why: Complaint, raw: bytes = b"", *, torn: bool = False) -> None:
        self.left, self.torn = Entry(self.source.name, line, raw, refusal=why), torn

    def _leave_foreign(self, kind: Foreign) -> None:
        advice = kind.advice_for(None if self.source.path is None else self.source.name)
        if self.source.rows is not None:
            advice = advice.replace("events.ndjson", "events.csv")
        wanted = "lines of events" if self.source.rows is None else "a table"
        self._leave(0, refusal("not_events", f"{kind.what}, not {wanted}: {advice}"))

    def _foreign(self, batch: list[Entry]) -> Foreign | None:
        """What the source is, if its first entries show that it holds no events."""
        refusals = [entry.refusal for entry in batch if entry.refusal is not None]
        if not refusals and self.source.size is not None:
            return kind_of_objects([entry.raw for entry in batch])
        if len(refusals) < len(batch) or (self.source.size is None and len(batch) < ENOUGH):
            return None  # of a pipe the first lines may come alone
        codes = {refused.code for refused in refusals}
        if codes <= _NO_JSON:
            return kind_of_text(self._start)
        same = len({refused.message for refused in refusals}) == 1
        return maker_in(batch[0].raw) if same and codes == {"other_format"} else None


def _values_in(text: bytes) -> tuple[list[bytes], bytes] | None:
    """The values in a long line so far; None: there is none, and what it holds is no batch either."""
    values, rest = outermost(text)
    return (values, rest) if values or may_hold_events(rest) else None


def _let_go(error: BaseException | None) -> None:
    """Breaks the reference cycle of an error and its frame, which would keep a block of text alive."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__
