"""Folds the parts of an archive into a store: here, and by as many processes beside this one as there are cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from pipedrive_cli.events.parts import WORTH, cores, identity_of, parts_of
from pipedrive_cli.events.source import Source
from pipedrive_cli.run.archive_part import ArchivePart, Counted, FoldBrief, Folded, KeptEvent, folded
from pipedrive_cli.run.beside import shared_out
from pipedrive_cli.run.fold_store import FoldStore, decode_counted, encode_counted

PART: Final = 8 << 20  # bytes of a large plain file that are folded at once
MUCH: Final = 128 << 20  # bytes of a store: to merge less, starting other processes costs more than it saves
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
    size = sum(task.source.size or 0 for task in {task.source.name: task for task in tasks}.values())
    apart = [task for task in tasks if task.source.stream is None]
    if cores() < 2 or size < WORTH or len(apart) < 2:
        apart = []
    told = _StoreBrief(store.path, brief._replace(config=brief.config.without_secrets))
    left = shared_out(folding_work, told, apart, cores(), lambda task, made: tell(task, decode_counted(made)))
    done: dict[int, Counted] = {}
    if left:
        store.drop_unfinished()
        done = store.done()  # a process may have died behind its last word to the store
    for task in (task for task in tasks if task.source.stream is not None or task in left or not apart):
        tell(task, done[task.number] if task.number in done else fold_part(store, brief, task))


class _StoreBrief(NamedTuple):
    """What a process beside this one must know."""

    path: Path
    brief: FoldBrief


def folding_work(told: _StoreBrief) -> Callable[[ArchivePart], bytes]:
    """What a process beside this one does with a part: it folds it into the store, and tells what was counted."""
    store = FoldStore(told.path)
    return lambda task: encode_counted(fold_part(store, told.brief, task))


def kept_events(store: FoldStore) -> Iterator[KeptEvent]:
    """The events that must be kept: by record, time and place in the input, each once.

    What each record needs of all parts is found on all cores, where much is folded.
    """
    store.ready()
    found: list[bytes] = []
    left = list(store.groups())
    if cores() > 1 and store.size() >= MUCH:
        left = shared_out(merging_work, store.path, left, cores(), lambda _, needed: found.append(needed))
    return store.kept(chain(found, map(store.needed, left)))


def merging_work(path: Path) -> Callable[[range], bytes]:
    """What a process beside this one does with some records: it tells which events they need."""
    return FoldStore(path).needed
