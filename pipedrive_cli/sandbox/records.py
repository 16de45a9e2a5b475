"""Records of one kind, kept so that listing stays fast with many thousands: by id, and by time of change.

Knows nothing of HTTP, of fields or of what a value means.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from pipedrive_cli.sandbox.wire import JsonObject

RecordId = int | str

# Below this many changes a filtered listing sorts them; above, walking all records in order is cheaper.
_FEW = 2000


@dataclass(slots=True)
class Record:
    """One record. `number` orders records of a kind by creation and is the id, save for leads.

    `added` and `updated` are seconds since 1970: whole ones, but milliseconds for leads.
    """

    id: RecordId
    number: int
    values: JsonObject
    added: float
    updated: float
    custom: JsonObject = field(default_factory=dict)
    deleted: bool = False
    deals: int = 0  # open deals that hang on it


class Store:
    """All records of one kind, the deleted ones included."""

    def __init__(self) -> None:
        self.records: dict[RecordId, Record] = {}
        self._by_number: dict[int, Record] = {}
        self._living: list[int] = []
        self._last = 0  # the highest number given
        self._changes: list[tuple[float, int]] = []  # (updated, number), appended as time goes on

    def __len__(self) -> int:
        return len(self._living)

    def next_number(self) -> int:
        return self._last + 1

    def add(self, record: Record) -> None:
        self.records[record.id] = record
        self._by_number[record.number] = record
        self._living.append(record.number)
        self._last = record.number
        self._log(record)

    def load(self, record: Record) -> None:
        """Takes in a record of another account, whatever its number and time; in the place of one that is there."""
        if record.number not in self._by_number:
            insort(self._living, record.number)
        self.records[record.id] = self._by_number[record.number] = record
        self._last = max(self._last, record.number)
        self._log(record)

    def touch(self, record: Record, moment: float) -> None:
        """Notes a change made at `moment`, which is never before an earlier one."""
        if record.updated != moment:
            record.updated = moment
            self._log(record)

    def delete(self, record: Record, moment: float) -> None:
        record.deleted = True
        self.touch(record, moment)
        del self._living[bisect_left(self._living, record.number)]

    def get(self, record_id: RecordId) -> Record | None:
        """The record if it lives."""
        found = self.records.get(record_id)
        return None if found is None or found.deleted else found

    def living(self, *, after: int = 0, descending: bool = False) -> Iterator[Record]:
        """Living records in order of number, beginning past `after` (when descending: before it, 0 for the end)."""
        if descending:
            end = bisect_left(self._living, after) if after else len(self._living)
            numbers: Iterator[int] = (self._living[index] for index in range(end - 1, -1, -1))
        else:
            numbers = islice(self._living, bisect_right(self._living, after), None)
        return (self._by_number[number] for number in numbers)

    def changed_since(self, moment: float, *, after: int = 0) -> Iterator[Record]:
        """Living records updated at `moment` or later, in order of number, beginning past `after`."""
        start = bisect_left(self._changes, (moment, 0))
        if len(self._changes) - start > _FEW:
            return (record for record in self.living(after=after) if record.updated >= moment)
        numbers = sorted({number for _, number in islice(self._changes, start, None) if number > after})
        found = (self._by_number[number] for number in numbers)
        return (record for record in found if not record.deleted)

    def _log(self, record: Record) -> None:
        entry = (record.updated, record.number)
        if self._changes and entry < self._changes[-1]:
            insort(self._changes, entry)  # several changes in one second, out of order of number
        else:
            self._changes.append(entry)
