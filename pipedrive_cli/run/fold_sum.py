"""Adds folds of different parts of an archive: the tree in which partial folds become one. Pure.

Adding is associative, commutative and idempotent, as the fold itself is (`delivery/keeping.py`): whatever was added to
what, and in which order, the same events are kept at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, TypeVar

import msgspec

from pipedrive_cli.delivery.keeping import KeptEvents, decode_won, iterate_won
from pipedrive_cli.delivery.precedence import PrecedenceRules
from pipedrive_cli.run.archive_part import Counted, Folded, KeptEvent

FAN_IN: Final = 8  # folds that are added at once
SPARE: Final = 50_000  # events that are held before it is asked which of them may be dropped
Fold = TypeVar("Fold")


class PartialFold(msgspec.Struct, array_like=True):
    """What was folded of some whole parts, and what was counted in each of them."""

    folded: Folded
    counted: dict[int, Counted]


class FoldSum:
    """The sum of folds. It holds the events that may still be kept, and drops those that others have superseded."""

    def __init__(self) -> None:
        self._kept = KeptEvents(PrecedenceRules())  # decides nothing here: claims are compared as they stand
        self._held: dict[int, KeptEvent] = {}
        self._always: dict[bytes, KeptEvent] = {}
        self._enough = 0

    def add(self, fold: Folded) -> None:
        """Adds what was folded elsewhere."""
        other = KeptEvents(PrecedenceRules())
        other.won = {name: decode_won(packed) for name, packed in fold.won}
        other.joins = set(fold.joins)
        self._kept.merge(other)
        for event in fold.events:
            self._held[event.number] = event
            if event.always:
                first = self._always.setdefault(event.identity, event)
                if event.number < first.number:
                    self._always[event.identity] = event
        if len(self._held) > 2 * self._enough + SPARE:
            self._let_go()

    def total(self) -> Folded:
        """The sum of all that was added."""
        self._let_go()
        events = [self._held[number] for number in sorted(self._held)]
        return Folded(list(iterate_won(self._kept)), sorted(self._kept.joins), events)

    def _let_go(self) -> None:
        """Drops events that have won nothing, and later copies of those that are kept whatever the others say."""
        needed = self._kept.numbers() | {event.number for event in self._always.values()}
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
