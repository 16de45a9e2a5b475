"""A backlog that holds little: each name once, and of what a record was told only what can still count.

A hundred thousand events wait in a window, most of them about records that others are about too. A later event's value
supersedes an earlier one's for good when both call the record by the same name (`delivery.fold`: own events rank alike,
and an alias never lowers the later of two more than the earlier). So the earlier value need not wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipedrive_cli.delivery.backlog import Backlog, Case
from pipedrive_cli.delivery.fold import NO_TIME
from pipedrive_cli.transform.changes import NOTHING, Change, Complaint, Contact, Rank, RecordName, Transformed


class _Told:
    """What one name's changes in this window have said so far."""

    __slots__ = ("born", "born_at", "contacts", "holders", "oldest", "oldest_at", "record")

    def __init__(self, record: RecordName) -> None:
        self.record = record
        self.holders: dict[str, tuple[int, dict[str, Any]]] = {}  # address -> the newest own change: time, fields
        self.born: Mapping[str, Any] | None = None  # what the oldest change says of a creation
        self.born_at = NO_TIME
        self.oldest: Mapping[str, Any] | None = None
        self.oldest_at = NO_TIME
        self.contacts: dict[tuple[Contact, ...], tuple[Contact, ...]] = {}


class LeanBacklog(Backlog):
    """Delivers what `Backlog` does. Changes that were put in must not be used by anybody else."""

    def __init__(self, aliases: dict[str, tuple[str, int | None]]) -> None:
        super().__init__(aliases)
        self._told: dict[RecordName, _Told] = {}
        self._texts: dict[str, str] = {}

    def add(self, transformed: Transformed, case: Case) -> Complaint | None:
        if case.user is not None:
            case.user = self._texts.setdefault(case.user, case.user)
        changes = tuple([self._lean(change) for change in transformed.changes])
        return super().add(Transformed(changes, transformed.alias), case)

    def window_over(self) -> None:
        """What was taken is done."""
        self._told.clear()
        self._texts.clear()

    def _lean(self, change: Change) -> Change:
        record = change.record
        if record.kind == "leads":
            return self._lean_lead(change)
        told = self._told.get(record)
        if told is None:
            told = self._told[record] = _Told(record)
        at = NO_TIME if change.time is None else change.time
        fields = change.fields
        if change.rank is Rank.OWN and isinstance(fields, dict):
            _supersede(told.holders, at, fields)
        born = change.on_creation
        if born:
            if told.born is not None and at >= told.born_at and born.keys() <= told.born.keys():
                born = NOTHING
            elif told.born is None or at < told.born_at:
                told.born, told.born_at = born, at
        oldest = change.oldest
        if oldest:
            if told.oldest is not None and NO_TIME < told.oldest_at < at and oldest.keys() <= told.oldest.keys():
                oldest = NOTHING
            elif at != NO_TIME and (told.oldest is None or at < told.oldest_at):
                told.oldest, told.oldest_at = oldest, at
        emails, phones = change.emails, change.phones
        if emails:
            emails = told.contacts.setdefault(emails, emails)
        if phones:
            phones = told.contacts.setdefault(phones, phones)
        return Change(
            told.record,
            change.time,
            change.rank,
            fields or NOTHING,
            emails,
            phones,
            born,
            oldest,
            change.fallback_name,
            change.person,
            change.may_create,
        )

    def _lean_lead(self, change: Change) -> Change:
        fields = change.fields
        texts = self._texts
        if isinstance(fields, dict):
            for address, value in fields.items():
                if type(value) is str:
                    fields[address] = texts.setdefault(value, value)
        person = change.person
        if person is not None and (told := self._told.get(person)) is not None:
            return Change(change.record, change.time, change.rank, fields, person=told.record)
        return change


def _supersede(holders: dict[str, tuple[int, dict[str, Any]]], at: int, fields: dict[str, Any]) -> None:
    """Takes from the older changes of one name what `fields` says anew at `at`."""
    mine = (at, fields)
    for address in fields:
        holder = holders.get(address)
        if holder is None:
            holders[address] = mine
        elif at >= holder[0]:
            holders[address] = mine
            older = holder[1]
            del older[address]
            if not older:
                older.clear()  # gives back the room too
