"""Adds folds of different parts of an archive: the tree in which partial folds become one. Pure.

Adding is associative, commutative and idempotent, as the fold itself is (`delivery/keeping.py`): whatever was added to
what, and in which order, the same events are kept at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, TypeVar

import msgspec

from pipedrive_cli.delivery.keeping import Won, decode_won, encode_won, merge_won, numbers_in, settled
from pipedrive_cli.run.archive_part import Counted, Folded, KeptEvent

FAN_IN: Final = 8  # folds that are added at once
SPARE: Final = 100_000  # events that are held before it is asked which of them may be dropped
Fold = TypeVar("Fold")


class PartialFold(msgspec.Struct, array_like=True):
    """What was folded of some whole parts, and what was counted in each of them."""

    folded: Folded
    counted: dict[int, Counted]


class FoldSum:
    """The sum of folds. It holds the events that may still be kept, and drops those that others have superseded."""

    def __init__(self) -> None:
        self._won: dict[str, Won | bytes] = {}  # packed, while one fold alone knows the name
        self._joins: set[tuple[str, str]] = set()
        self._held: dict[int, KeptEvent] = {}
        self._always: dict[bytes, int] = {}  # the first copy of what is kept whatever the others say
        self._enough = 0

    def add(self, fold: Folded) -> None:
        """Adds what was folded elsewhere."""
        for name, packed in fold.won:
            won = self._won.get(name)
            if won is None:
                self._won[name] = packed
                continue
            if isinstance(won, bytes):
                won = self._won[name] = decode_won(won)
            merge_won(won, decode_won(packed))
        self._joins.update(fold.joins)
        for event in fold.events:
            self._held[event.number] = event
            if event.always:
                self._always[event.identity] = min(event.number, self._always.get(event.identity, event.number))
        if len(self._held) > 2 * self._enough + SPARE:
            self._let_go()

    def total(self) -> Folded:
        """The sum of all that was added."""
        self._let_go()
        places = [(name, won if isinstance(won, bytes) else encode_won(won)) for name, won in self._won.items()]
        return Folded(places, sorted(self._joins), [self._held[number] for number in sorted(self._held)])

    def _let_go(self) -> None:
        """Drops events that have won nothing, and later copies of those that are kept whatever the others say."""
        needed = set(self._always.values())
        for name, won in self._won.items():
            if isinstance(won, bytes):
                needed |= numbers_in(decode_won(won))
            else:
                self._won[name] = least = settled(won)
                needed |= numbers_in(least)
        self._held = {number: event for number, event in self._held.items() if number in needed}
        self._enough = len(self._held)


def sum_of(folds: Iterable[Folded]) -> Folded:
    """The sum of folds, of which there must be one. One alone is its own sum, which need not be unpacked."""
    left = iter(folds)
    first, second = next(left), next(left, None)
    if second is None:
        return first
    total = FoldSum()
    for fold in chain((first, second), left):
        total.add(fold)
    return total.total()


def added(partials: Sequence[PartialFold]) -> PartialFold:
    """Several partial folds as one."""
    counted = {number: each for partial in partials for number, each in partial.counted.items()}
    return PartialFold(sum_of(partial.folded for partial in partials), counted)


def branches(folds: Sequence[Fold], sizes: Sequence[int], most: int) -> list[list[Fold]]:
    """Which folds are added next: neighbours, a few at once, as long as all of them are not too much for one process.

    `sizes` are in bytes, as is `most`. A fold that is alone is added to nothing.
    """
    found: list[list[Fold]] = []
    together = 0
    for fold, size in zip(folds, sizes, strict=True):
        if not found or len(found[-1]) == FAN_IN or together + size > most:
            found.append([])
            together = 0
        found[-1].append(fold)
        together += size
    return found
