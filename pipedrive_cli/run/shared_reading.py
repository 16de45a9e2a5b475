"""A large input is read and transformed on several cores: some parts of its text here, others by processes of our own.

All files are opened and unpacked here, in the order of the input, a few parts ahead. What a process does not read (it
ended, or an event needs more of the account than was sent) is read here. So no run depends on such a process.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, NamedTuple, cast

from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.parts import PART, ROWS, TextPart, can_be_shared, text_parts
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.tables import TableReading
from pipedrive_cli.events.unpack import Trouble
from pipedrive_cli.run.batches import Batches
from pipedrive_cli.run.beside import Beside
from pipedrive_cli.run.mapping import RunMapping
from pipedrive_cli.run.part_reader import MappingBrief, PartTask, ReadEvent, ReadPart, decode, reading_work
from pipedrive_cli.transform.transform import Transform

AHEAD: Final = 16 << 20  # bytes of text that are unpacked before their turn
MUCH: Final = 12 << 20  # of them, with which it pays to start processes
_PART_ITSELF: Final = 1 << 10  # bytes: so much text takes about as long as a part does that has none
_OURS: Final = 6  # the present share and the next ones are left to us, so that nobody waits for one under way
_ASKED: Final = 2  # shares that a process is given before it has answered: one is under way, another is handed over


class ReadingProcesses:
    """The processes of one run. `close` ends them."""

    def __init__(self, number: int) -> None:
        self._changed = threading.Condition()
        self._brief: MappingBrief | None = None
        self._tasks: dict[int, Sequence[PartTask]] = {}
        self._generation = 0  # of briefs: what was made by earlier ones is of no use
        self._present = 0  # the task whose turn it is
        self._asked: set[int] = set()
        self._made: dict[int, bytes] = {}
        self._closed = False
        self._processes: list[Beside] = []
        self._threads: list[threading.Thread] = []
        with contextlib.suppress(OSError):  # where none can be started, all is read here
            for _ in range(number):
                self._processes.append(Beside(reading_work))
        for process in self._processes:
            thread = threading.Thread(target=self._keep_busy, args=(process,), name="process", daemon=True)
            self._threads.append(thread)
            thread.start()

    def tell(self, brief: MappingBrief | None) -> None:
        """Replaces the brief; None: nothing is to be done. What was made by another one is forgotten."""
        with self._changed:
            self._brief = brief
            self._generation += 1
            self._asked.clear()
            self._made.clear()
            self._changed.notify_all()

    def give(self, number: int, task: Sequence[PartTask]) -> None:
        """Adds a task. Tasks have their turn in the order of their numbers."""
        with self._changed:
            self._tasks[number] = task
            self._changed.notify_all()

    def made(self, number: int) -> bytes:
        """The result of a task whose turn it is; empty where the part is to be read here."""
        with self._changed:
            self._present = number
            self._changed.notify_all()
            while number in self._asked and number not in self._made:
                self._changed.wait()
            self._tasks.pop(number)
            self._asked.discard(number)
            return self._made.pop(number, b"")

    def close(self) -> None:
        """Ends the processes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for process, thread in zip(self._processes, self._threads, strict=True):
            process.kill()
            thread.join()
            process.close()

    def _keep_busy(self, process: Beside) -> None:
        """The thread of one process."""
        asked: deque[tuple[int, int]] = deque()
        alive = process.started()
        while alive:
            while len(asked) < _ASKED and (found := self._next(wait=not asked)) is not None:
                generation, number, brief, task = found
                asked.append((generation, number))
                alive = alive and process.ask(brief, task)
            if not asked:
                return
            made = process.answer() if alive else None
            alive = made is not None
            self._keep(*asked.popleft(), made or b"")
        for each in asked:
            self._keep(*each, b"")

    def _keep(self, generation: int, number: int, made: bytes) -> None:
        with self._changed:
            if generation == self._generation and number in self._asked:
                self._made[number] = made
                self._changed.notify_all()

    def _next(self, *, wait: bool = True) -> tuple[int, int, MappingBrief, Sequence[PartTask]] | None:
        """The next task that is free, as soon as there is one; None: there will be none, or is none now."""
        with self._changed:
            while not self._closed:
                free = (n for n in self._tasks if n >= self._present + _OURS and n not in self._asked)
                number = min(free, default=None)
                if number is not None and self._brief is not None:
                    self._asked.add(number)
                    return self._generation, number, self._brief, self._tasks[number]
                if not wait:
                    return None
                self._changed.wait()
            return None


class _Part(NamedTuple):
    """A part of the input. `text` None: its source is shared with nobody, and read by a reading of its own."""

    reading: Batches
    text: TextPart | None

    @property
    def size(self) -> int:
        """How much there is to read, in bytes of text."""
        if self.text is None:
            return PART
        return _PART_ITSELF + sum(map(len, self.text)) * (1 if self.reading.source.rows is None else ROWS)

    def task(self, now: int) -> PartTask | None:
        """What a process needs to read it; None where it must be read here."""
        source = None if self.text is None else cast(SharedReading, self.reading).source_of(self.text)
        return None if source is None or self.text is None else PartTask(source, self.text, now)


@dataclass(slots=True)
class _Share:
    """Parts that follow each other, which are read here or by one process: one, or some small files."""

    number: int
    parts: deque[_Part]
    size: int
    given: bool = False  # to the processes
    made: Iterator[ReadPart | None] | None = None  # of its parts, from when its turn comes


class SharedInput:
    """The sources of a run, of which processes read parts. `close` ends them.

    `number` is how many there are. `bodies`: the bytes of events are wanted, too; `people`: the people whom they name.
    """

    def __init__(
        self,
        sources: Iterator[Source],
        number: int,
        mapping: RunMapping,
        now: Callable[[], int],
        *,
        bodies: bool,
        people: bool = False,
    ) -> None:
        self.whole = True  # most events will be used
        self._coming = self._shares(sources)
        self._ahead: deque[_Share] = deque()
        self._size = 0  # of what is read ahead
        self._number = number
        self._mapping = mapping
        self._now = now
        self._bodies = bodies
        self._people = people
        self._processes: ReadingProcesses | None = None
        self._told: Transform | None = None  # what the processes transform by

    def readings(self) -> Iterator[Batches]:
        """The readings of the sources, in their order. One is over when the next one is asked for."""
        while self._fill():
            reading = self._ahead[0].parts[0].reading
            if not isinstance(reading, SharedReading):
                self.take(reading)
            yield reading
            while self.take(reading) is not None:
                pass  # nobody wanted it

    def close(self) -> None:
        """Ends the processes."""
        self._coming.close()
        if self._processes is not None:
            self._processes.close()

    def take(self, reading: Batches) -> tuple[TextPart | None, ReadPart | None] | None:
        """The next part of a reading, if it has one, and what a process has read of it; None: it is to be read here."""
        if not self._fill() or self._ahead[0].parts[0].reading is not reading:
            return None
        share = self._ahead[0]
        if share.made is None:
            share.made = self._made(share)
        part = share.parts.popleft()
        if not share.parts:
            self._ahead.popleft()
            self._size -= share.size
        made = next(share.made, None)
        # Since the share was made a part of it may have shown that the account must be asked.
        fits = made is not None and self._told is self._mapping.compiled and not self._mapping.may_renew(made.misfits)
        return part.text, made if fits else None

    def _made(self, share: _Share) -> Iterator[ReadPart | None]:
        """What a process has made of a share whose turn it is."""
        self._hand_out()
        packed = self._processes.made(share.number) if share.given and self._processes is not None else b""
        return iter(decode(packed) if packed else ())

    def _fill(self) -> bool:
        """Reads ahead. Returns whether anything is there."""
        while self._size < AHEAD and (share := next(self._coming, None)) is not None:
            self._ahead.append(share)
            self._size += share.size
        return bool(self._ahead)

    def _shares(self, sources: Iterator[Source]) -> Generator[_Share]:
        numbers = count()
        parts: deque[_Part] = deque()
        size = 0
        for part in self._parts(sources):
            parts.append(part)
            size += part.size
            if size >= PART:
                yield _Share(next(numbers), parts, size)
                parts, size = deque(), 0
        if parts:
            yield _Share(next(numbers), parts, size)

    def _parts(self, sources: Iterator[Source]) -> Iterator[_Part]:
        for source in sources:
            if not can_be_shared(source):
                yield _Part(read_source(source), None)
                continue
            try:
                stream = source.open()
            except OSError:
                yield _Part(read_source(source), None)  # it reports the error
                continue
            reading = SharedReading(source, self)
            with stream:
                for text in text_parts(source, stream, PART if source.rows is None else PART // ROWS):
                    yield _Part(reading, text)
                    if reading.over:
                        break

    def _hand_out(self) -> None:
        """Gives the processes the mapping as it is now, and the shares that come next; starts them where that pays."""
        wanted = self._mapping.compiled if self.whole and self._mapping.kinds else None
        if self._processes is None:
            if wanted is None or self._size < MUCH:
                return
            self._processes = ReadingProcesses(self._number)
        if wanted is not self._told:
            self._told = wanted
            config, account = self._mapping.config.without_secrets, self._mapping.view.account
            brief = MappingBrief(config, account, self._mapping.kinds, self._bodies, self._people)
            self._processes.tell(None if wanted is None else brief)
        now = self._now()
        for share in self._ahead:
            if not share.given and None not in (tasks := [part.task(now) for part in share.parts]):
                share.given = True
                self._processes.give(share.number, cast("list[PartTask]", tasks))


class SharedReading:
    """A reading of a source whose parts are read here or by processes; `batches` are of entries or of read events.

    Its attributes are those of a `Reading`; none holds a part, whose text would then wait for a garbage collection.
    `over`: no more of it is wanted.
    """

    def __init__(self, source: Source, given: SharedInput) -> None:
        self.source = source
        self.complete = False
        self.left: Entry | None = None
        self.torn = False
        self.over = False
        self._input = given
        self._line = source.first_line  # lines before the present part
        self.bytes_read = 0

    @property
    def whole(self) -> bool:
        """Whether most events will be used."""
        return self._input.whole

    @whole.setter
    def whole(self, whole: bool) -> None:
        self._input.whole = whole

    def batches(self) -> Iterator[Sequence[Entry] | Sequence[ReadEvent]]:
        """All events of the source, in its order."""
        while (taken := self._input.take(self)) is not None:
            text, made = taken
            assert text is not None  # noqa: S101 - its own parts have one
            self.bytes_read = text.bytes_read
            if made is None:
                yield from self._read_here(text)
                if not self.complete:
                    self.over = True
                    return
            else:
                for row in made.rows:
                    row.line += self._line
                if made.rows:  # an empty batch does not tell how much is known
                    yield made.rows
                self._line += made.lines
                self.complete = True

    def source_of(self, text: TextPart) -> Source | None:
        """The source of such a part as a process must know it; None where the part must be read here."""
        table = self.source.rows is not None
        if not (text.begins and text.ends) or text.trouble is not None:
            return None
        if table and (self.source.head is None or text.first) and not (text.first and text.last):
            return None
        return replace(self.source, name="", path=None, start=0, first_line=0, cut=not text.last)

    def _read_here(self, text: TextPart, *, to_the_end: bool = False) -> Iterator[Sequence[Entry]]:
        """Reads a part, and those behind it until a line ends. Of a table that may be anywhere."""
        table = self.source.rows is not None
        to_the_end = to_the_end or (table and not (text.begins and text.ends))
        cut = not (text.last or to_the_end)
        onward = _Onward(text, self._more, to_the_end=to_the_end)
        source = replace(self.source, first_line=self._line, cut=cut)
        here = read_source(source, text=onward, begun=not text.first)
        batches = self._batches_of(here)
        if isinstance(here, TableReading):
            # At the end of a part it shows whether it was cut between rows.
            batches = iter(list(batches)) if cut else batches
            if here.cut_within:
                yield from self._read_here(text, to_the_end=True)
                return
        yield from batches
        self._line, self.complete, self.left, self.torn = here.line, here.complete, here.left, here.torn
        if isinstance(here, TableReading):
            self.source = replace(self.source, head=here.head)

    def _batches_of(self, here: Reading) -> Iterator[Sequence[Entry]]:
        here.whole = self.whole
        for batch in filter(None, here.batches()):  # an empty one does not tell how much is known
            yield batch
            here.whole = self.whole

    def _more(self) -> TextPart | None:
        text, _ = self._input.take(self) or (None, None)
        self.bytes_read = self.bytes_read if text is None else text.bytes_read
        return text


class _Onward:
    """A part and what comes behind it as one text: until a line ends, or to the end of the source."""

    def __init__(self, part: TextPart, more: Callable[[], TextPart | None], *, to_the_end: bool) -> None:
        self.bytes_read = part.bytes_read
        self.trouble: Trouble | None = None
        self._part = part
        self._more = more
        self._to_the_end = to_the_end

    def __iter__(self) -> Iterator[bytes]:
        part: TextPart | None = self._part
        while part is not None:
            self.bytes_read, self.trouble = part.bytes_read, part.trouble
            yield from part
            part = None if part.last or (part.ends and not self._to_the_end) else self._more()
