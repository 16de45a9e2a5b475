"""Folds the parts of an archive into a store: here, and by as many processes beside this one as there are cores."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pipedrive_cli.events.parts import WORTH, cores, identity_of, parts_of
from pipedrive_cli.events.source import Source
from pipedrive_cli.run.archive_part import ArchivePart, Counted, FoldBrief, Folded, folded
from pipedrive_cli.run.beside import Beside
from pipedrive_cli.run.fold_store import FoldStore, decode_counted, encode_counted

PART: Final = 8 << 20  # bytes of a large plain file that are folded at once
EMPTY: Final = Folded([], [], [])


def parts_of_archive(sources: Sequence[Source]) -> Iterator[ArchivePart]:
    """The parts, in the order of the input: large plain files are cut, all others are one part each."""
    number = 0
    for source in sources:
        cuts = []
        identity = None
        if source.path is not None and source.rows is None and (source.size or 0) >= WORTH and source.unfit is None:
            try:
                with source.open() as file:
                    cuts, identity = parts_of(source, file, PART), identity_of(file)
            except OSError:
                cuts = []  # reading it will say what is wrong
        if len(cuts) < 2:
            yield ArchivePart(number, source)
            number += 1
            continue
        for cut in cuts:
            yield ArchivePart(number, source, cut, identity)
            number += 1


def fold_part(store: FoldStore, brief: FoldBrief, task: ArchivePart) -> Counted:
    """Folds one part into the store. Raises what reading its file does not explain."""
    fold = folded(brief, task)
    for piece in fold.pieces():
        store.add(task.number, piece)
    store.add(task.number, EMPTY, {task.number: fold.counted})
    return fold.counted


def fold_parts(
    store: FoldStore, brief: FoldBrief, tasks: Sequence[ArchivePart], tell: Callable[[ArchivePart, Counted], None]
) -> None:
    """Folds the parts into the store, on all cores where there is enough to do. `tell` is called after each."""
    processes = min(cores(), len(tasks))
    size = sum(task.source.size or 0 for task in {task.source.name: task for task in tasks}.values())
    apart = [task for task in tasks if task.source.stream is None]
    if processes < 2 or size < WORTH or len(apart) < 2:
        apart = []
    left = _fold_apart(store, brief, apart, processes, tell) if apart else []
    done: dict[int, Counted] = {}
    if left:
        store.drop_unfinished()
        done = store.done()  # a process may have died behind its last word to the store
    for task in (task for task in tasks if task.source.stream is not None or task in left or not apart):
        tell(task, done[task.number] if task.number in done else fold_part(store, brief, task))


def _fold_apart(
    store: FoldStore,
    brief: FoldBrief,
    tasks: Sequence[ArchivePart],
    processes: int,
    tell: Callable[[ArchivePart, Counted], None],
) -> list[ArchivePart]:
    """Folds parts in processes beside this one. Returns what is left: of a process that has died, its part; after a
    part that could not be folded, all that were not begun. They are folded here, and what went wrong is met and told.
    """
    told = _StoreBrief(store.path, brief._replace(config=brief.config.without_secrets))
    upcoming = queue.SimpleQueue[ArchivePart]()
    for task in tasks:
        upcoming.put(task)
    ended = queue.SimpleQueue[tuple[ArchivePart | None, bytes]]()
    over = threading.Event()

    def keep_busy(process: Beside) -> None:
        made: bytes | None = b"-"
        with contextlib.suppress(queue.Empty):
            while made is not None and not over.is_set():
                task = upcoming.get_nowait()
                made = process.done(told, task)
                ended.put((task, made or b""))
                if made == b"":
                    over.set()
        ended.put((None, b""))

    left = {task.number: task for task in tasks}
    crew: list[tuple[Beside, threading.Thread]] = []
    try:
        with contextlib.suppress(OSError):  # where none can be started, all is folded here
            for _ in range(processes):
                process = Beside(folding_work)
                thread = threading.Thread(target=keep_busy, args=(process,), name="process", daemon=True)
                crew.append((process, thread))
                thread.start()
        busy = len(crew)
        while busy:
            ready, made = ended.get()
            if ready is None:
                busy -= 1
            elif made:
                tell(ready, decode_counted(made))
                del left[ready.number]
        return list(left.values())
    finally:
        over.set()
        for process, thread in crew:
            process.kill()
            thread.join()
            process.close()


class _StoreBrief(NamedTuple):
    """What a process beside this one must know."""

    path: Path
    brief: FoldBrief


def folding_work(told: _StoreBrief) -> Callable[[ArchivePart], bytes]:
    """What a process beside this one does with a part: it folds it into the store, and tells what was counted."""
    store = FoldStore(told.path)
    return lambda task: encode_counted(fold_part(store, told.brief, task))
