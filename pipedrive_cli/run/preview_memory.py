"""What a preview would have done so far: the records it would have made, and the events that would be handled.

The present window's stand in memory, those before in a scratch journal. The journal is only written down to when
reading goes on: a preview of one window, which is nearly every preview, never needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipedrive_cli.delivery.asks import Knowledge, RecordId, Save
from pipedrive_cli.delivery.cases import Case
from pipedrive_cli.delivery.journal import Journal, SeenRecord
from pipedrive_cli.delivery.standing import RecordState
from pipedrive_cli.outcomes import HANDLED, Outcome
from pipedrive_cli.transform.changes import Kind


class _Made(NamedTuple):
    state: RecordState
    values: Mapping[str, Any] | None


@dataclass(slots=True)
class Memory:
    """`journal` is a scratch journal, or None as long as nothing needs one; `open_journal` makes it."""

    open_journal: Callable[[], Journal]
    journal: Journal | None = None
    _ids: dict[tuple[Kind, str], RecordId] = field(default_factory=dict)
    _made: dict[tuple[Kind, RecordId], _Made] = field(default_factory=dict)
    _gone: dict[tuple[Kind, int], int | None] = field(default_factory=dict)  # -> the survivor of a merge
    _handled: list[bytes] = field(default_factory=list)
    _changed: set[tuple[Kind, RecordId]] = field(default_factory=set)  # records of the account, in earlier windows
    _over: bool = False

    def window_over(self) -> None:
        """All of a window is done: what it did is written down before the next event is read."""
        self._over = True

    def handled(self, digests: Sequence[bytes]) -> set[bytes]:
        """Which of these events were handled in an earlier window, or by an earlier run."""
        if self._over:
            self._write_down()
        return set() if self.journal is None else self.journal.handled(digests)

    def ended(self, case: Case) -> None:
        """An event has its outcome."""
        if case.digest and case.outcome in HANDLED:
            self._handled.append(case.digest)
        case.digest = b""  # the book would keep it for a journal

    def saved(self, save: Save, values: Mapping[str, Any] | None) -> None:
        """A record would be as `save` says; `values` is what it would show, None where nobody has looked."""
        if save.id is None:
            return
        if save.merged is not None and isinstance(save.id, int):
            self._gone[save.kind, save.merged] = save.id
            self._made.pop((save.kind, save.merged), None)
        if save.kind == "leads" and all(outcome is not Outcome.REJECTED for _, outcome in save.parts):
            return  # nothing is read of it again: its event is remembered as handled
        for key in save.keys:
            self._ids[save.kind, key] = save.id
        if save.state is not None:
            self._made[save.kind, save.id] = _Made(save.state, values)

    def made(self, kind: Kind, key: str, record: RecordId, state: RecordState, values: Mapping[str, Any]) -> None:
        """A record that this preview has made elsewhere."""
        self._ids[kind, key] = record
        self._made[kind, record] = _Made(state, values)

    def forget(self, kind: Kind, record: RecordId) -> None:
        """The record is not in Pipedrive any more."""
        self._made.pop((kind, record), None)
        if isinstance(record, int):
            self._gone[kind, record] = None

    def find(self, kind: Kind, key: str) -> RecordId | None:
        """The record that this window has made or met under a key."""
        record = self._ids.get((kind, key))
        while isinstance(record, int) and (kind, record) in self._gone:
            record = self._gone[kind, record]
        return record

    def recall(self, kind: Kind, record: RecordId) -> Knowledge | None:
        """What the preview itself would have written, None where it would have written nothing."""
        made = self._made.get((kind, record))
        if made is not None:
            return Knowledge(made.state, made.values, shown=made.values is not None)
        unborn = isinstance(record, int) and record < 0
        if self.journal is None or not (unborn or (kind, record) in self._changed):
            return Knowledge() if unborn else None
        seen = self.journal.seen(kind, record)
        state = self.journal.state(kind, record)
        return Knowledge(state) if seen is None else Knowledge(state, seen.values, shown=True)

    def seen_before(self, kind: Kind, record: RecordId) -> Mapping[str, Any] | None:
        """What the record showed when an earlier window, or an earlier run, last saw it."""
        seen = None if self.journal is None else self.journal.seen(kind, record)
        return None if seen is None else seen.values

    def _write_down(self) -> None:
        self._over = False
        if self.journal is None:
            self.journal = self.open_journal()
        journal = self.journal
        with journal.transaction():
            for (kind, gone), survivor in self._gone.items():
                if survivor is None:
                    journal.forget_record(kind, gone)
                else:
                    journal.merge_records(kind, gone, survivor)
            keys: dict[tuple[Kind, RecordId], list[str]] = {}
            for kind, key in self._ids:
                if (named := self.find(kind, key)) is not None:
                    keys.setdefault((kind, named), []).append(key)
            for (kind, record), made in self._made.items():
                journal.save_record(kind, record, keys.get((kind, record), ()), made.state)
                if kind != "leads" and made.values is not None:
                    journal.see(kind, [SeenRecord(record, None, None, dict(made.values))])
                    if isinstance(record, int) and record > 0:
                        self._changed.add((kind, record))
            journal.settle_events(0, ((digest, Outcome.DELIVERED) for digest in self._handled))
        self._ids.clear()
        self._made.clear()
        self._gone.clear()
        self._handled.clear()
