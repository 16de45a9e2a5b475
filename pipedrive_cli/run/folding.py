"""Folds the parts of an archive into a store: here, and by as many processes beside this one as there are cores."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final

from pipedrive_cli.events.parts import WORTH, cores, identity_of, parts_of
from pipedrive_cli.events.source import Source
from pipedrive_cli.run.archive_part import ArchivePart, Counted, FoldBrief, Folded, folded
from pipedrive_cli.run.fold_store import FoldStore

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
    if left:
        store.drop_unfinished()
    for task in (task for task in tasks if task.source.stream is not None or task in left or not apart):
        tell(task, fold_part(store, brief, task))


def _fold_apart(
    store: FoldStore,
    brief: FoldBrief,
    tasks: Sequence[ArchivePart],
    processes: int,
    tell: Callable[[ArchivePart, Counted], None],
) -> list[ArchivePart]:
    """Folds parts in processes beside this one. Returns what is left where one of them has died."""
    secretless = brief._replace(config=brief.config.without_secrets)
    left = list(tasks)
    context = multiprocessing.get_context("spawn")
    waiting: dict[Future[Counted], ArchivePart] = {}
    with ProcessPoolExecutor(processes, context, _begin, (store.path, secretless)) as pool:
        try:
            upcoming = iter(tasks)
            while True:
                while len(waiting) < 2 * processes and (task := next(upcoming, None)) is not None:
                    waiting[pool.submit(_fold_here, task)] = task
                if not waiting:
                    return left
                ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ended:
                    task = waiting.pop(future)
                    tell(task, future.result())
                    left.remove(task)
        except BrokenProcessPool:
            return left  # it is folded here, and what has killed the process is met and told
        finally:
            pool.shutdown(cancel_futures=True)


_store: FoldStore | None = None
_brief: FoldBrief | None = None


def _begin(path: Path, brief: FoldBrief) -> None:
    """The first thing that a process does. It ends with the process that started it, however that one ends."""
    global _store, _brief
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started it hears Ctrl-C
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    _store, _brief = FoldStore(path), brief


def _fold_here(task: ArchivePart) -> Counted:
    if _store is None or _brief is None:
        raise RuntimeError("no fold was begun in this process")
    return fold_part(_store, _brief, task)
