"""A large file is read and transformed on several cores: some of its parts here, the others by processes of our own.

What a process does not read (it ended, the file has changed, an event needs more of the account than was sent) is read
here. So no run depends on such a process.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO, Final

from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.parts import PART, ROWS, FilePart, identity_of, part_of, parts_of
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source
from pipedrive_cli.events.tables import TableReading
from pipedrive_cli.run.beside import Beside
from pipedrive_cli.run.mapping import RunMapping
from pipedrive_cli.run.part_reader import MappingBrief, PartTask, ReadEvent, ReadPart, decode, reading_work
from pipedrive_cli.transform.transform import Transform

AHEAD: Final = 12 << 20  # bytes from processes that nobody has used yet
_OURS: Final = 6  # the present part and the next ones are left to us, so that nobody waits for a part under way
_ASKED: Final = 2  # parts that a process is given before it has answered: one is under way while another is handed over


class ReadingProcesses:
    """The processes of one run. `close` ends them."""

    def __init__(self, number: int) -> None:
        self._changed = threading.Condition()
        self._brief: MappingBrief | None = None
        self._tasks: list[PartTask] = []
        self._generation = 0  # of tasks: results of earlier generations are of no use
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

    def give(self, brief: MappingBrief, tasks: list[PartTask]) -> None:
        """Replaces the brief and the tasks. What was given before is forgotten."""
        with self._changed:
            self._brief, self._tasks = brief, tasks
            self._generation += 1
            self._present = 0
            self._asked.clear()
            self._made.clear()
            self._changed.notify_all()

    def made(self, number: int) -> bytes:
        """The result of a task, to be called in their order; empty where the part is to be read here."""
        with self._changed:
            self._present = number
            self._changed.notify_all()
            if number not in self._asked:
                self._asked.add(number)
                return b""
            while number not in self._made:
                self._changed.wait()
            return self._made.pop(number)

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
            if generation == self._generation:
                self._made[number] = made
                self._changed.notify_all()

    def _next(self, *, wait: bool = True) -> tuple[int, int, MappingBrief, PartTask] | None:
        """The next task that is free, as soon as there is one; None: there will be none, or is none now."""
        with self._changed:
            while not self._closed:
                free = range(self._present + _OURS, len(self._tasks))
                number = next((n for n in free if n not in self._asked), None)
                if number is not None and self._brief is not None and sum(map(len, self._made.values())) < AHEAD:
                    self._asked.add(number)
                    return self._generation, number, self._brief, self._tasks[number]
                if not wait:
                    return None
                self._changed.wait()
            return None


class SharedReading:
    """A reading of a large file whose parts are read here or by processes; `batches` are of entries or of read events.

    Its attributes are those of a `Reading`. `bodies`: the bytes of events are wanted, too; `people`: the people whom
    they name.
    """

    def __init__(
        self,
        source: Source,
        processes: Callable[[], ReadingProcesses],
        mapping: RunMapping,
        now: Callable[[], int],
        *,
        bodies: bool,
        people: bool = False,
    ) -> None:
        self.source = source
        self.whole = True
        self.complete = False
        self.left: Entry | None = None
        self.torn = False
        self._processes = processes
        self._mapping = mapping
        self._now = now
        self._bodies = bodies
        self._people = people
        self._line = source.first_line  # lines before the present part
        self._bytes_before = 0
        self._here: Reading | None = None  # of the present part
        self._cut_within = False  # it ends within a row of a table

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the source so far."""
        return self._bytes_before + (0 if self._here is None else self._here.bytes_read)

    def batches(self) -> Iterator[Sequence[Entry] | Sequence[ReadEvent]]:
        """All events of the file, in its order. The first part is read here: it shows what the mapping needs."""
        try:
            file = self.source.open()
        except OSError:
            yield from self._read_here(self.source)  # it reports the error
            return
        with file:
            try:
                parts = parts_of(self.source, file, PART if self.source.rows is None else PART // ROWS)
            except OSError:
                parts = [FilePart(self.source.start, None)]
            given: Transform | None = None
            first = 0
            for number, part in enumerate(parts):
                made: ReadPart | None = None
                if 0 < number < len(parts) - 1 and self.whole and self._mapping.kinds:
                    if given is not self._mapping.compiled:
                        given, first = self._mapping.compiled, number
                        self._give(file, parts[number:-1])
                    made = self._made(number - first)
                if made is not None:
                    for row in made.rows:
                        row.line += self._line
                    yield made.rows
                    self._line += made.lines
                    self._bytes_before += (part.end or 0) - part.start
                else:
                    before = self.source, self._line, self._bytes_before
                    here = self._read_here(part_of(self.source, file, part, self._line))
                    # Of a part of a table it shows at its end whether it was cut between rows.
                    cut = self.source.rows is not None and part.end is not None
                    read = list(here) if cut else here
                    if cut and self._cut_within:
                        self.source, self._line, self._bytes_before = before
                        rest = FilePart(part.start, None)
                        yield from self._read_here(part_of(self.source, file, rest, self._line))
                        return
                    yield from read
                    if not self.complete:
                        return

    def _read_here(self, source: Source) -> Iterator[Sequence[Entry]]:
        here = self._here = read_source(source)
        here.whole = self.whole
        for batch in filter(None, here.batches()):  # an empty one does not tell how much is known
            yield batch
            here.whole = self.whole
        self._line, self.complete, self.left, self.torn = here.line, here.complete, here.left, here.torn
        if isinstance(here, TableReading):
            self.source, self._cut_within = replace(self.source, head=here.head), here.cut_within
        self._bytes_before += here.bytes_read
        self._here = None

    def _give(self, file: BinaryIO, parts: Sequence[FilePart]) -> None:
        """Gives the processes these parts, and the mapping as it is now."""
        assert self.source.path is not None  # noqa: S101 - a plain file has one
        config = self._mapping.config.without_secrets
        brief = MappingBrief(config, self._mapping.view.account, self._mapping.kinds, self._bodies, self._people)
        now, identity = self._now(), identity_of(file)
        path, rows, head = self.source.path, self.source.rows, self.source.head
        self._processes().give(brief, [PartTask(path, identity, part, now, rows, head) for part in parts])

    def _made(self, number: int) -> ReadPart | None:
        """What a process has read of a part; None where it is to be read here."""
        packed = self._processes().made(number)
        made = decode(packed) if packed else None
        if made is None or self._mapping.may_renew(made.misfits):
            return None
        return made
