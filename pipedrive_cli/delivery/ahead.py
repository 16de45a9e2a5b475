"""Which records to read together because the next ones of a window are likely to need it too. Pure.

Lists (emails, phones, prices) are replaced whole, so a record is read before such a write once what is known of it is a
minute old: a token each, or ten for a page of a hundred. A page is worth it where looks have been close together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipedrive_cli.pipedrive.catalog import FACTS, MAX_LISTED_IDS

CLOSE = FACTS["persons"].list.tokens // FACTS["persons"].get.tokens  # looks for the price of a page


@dataclass(slots=True)
class Ahead:
    """The records of one window, in the order in which they are taken up. `ids` is asked for when it is needed."""

    ids: Callable[[], Sequence[int]]
    _order: Sequence[int] | None = None
    _places: dict[int, int] = field(default_factory=dict)
    _alone: deque[int] = field(default_factory=lambda: deque(maxlen=CLOSE + 1))  # records that were read one by one
    _end: int | None = None  # where the last page ended

    def page(self, record: int) -> Sequence[int]:
        """This record and those after it, should they be read together; nothing: it is to be read alone."""
        self._alone.append(record)
        if len(self._alone) <= CLOSE:
            return ()
        if self._order is None:
            self._order = self.ids()
            self._places = {each: place for place, each in enumerate(self._order)}
        here, first = self._places.get(record), self._places.get(self._alone[0])
        if here is None:
            return ()
        dense = first is not None and 0 <= here - first <= MAX_LISTED_IDS
        going_on = self._end is not None and 0 <= here - self._end <= CLOSE
        if not dense and not going_on:
            return ()
        self._end = here + MAX_LISTED_IDS
        return self._order[here : self._end]
