"""Equal things made one. A hundred thousand events wait in a window, and most of them say what others say too.

Changes what nothing can see: a change that comes out is equal to the one that went in, save a time of creation that an
older change of the same record gives already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipedrive_cli.delivery.standing import NO_TIME
from pipedrive_cli.transform.changes import NOTHING, Change, Contact, RecordName, Transformed


class _Said:
    """What one record was told last in this window."""

    __slots__ = ("born", "born_at", "emails", "fields", "phones", "record")

    def __init__(self, record: RecordName) -> None:
        self.record = record
        self.fields: dict[tuple[str, ...], Mapping[str, Any]] = {}  # by which addresses they are about
        self.emails: tuple[Contact, ...] = ()
        self.phones: tuple[Contact, ...] = ()
        self.born: Mapping[str, Any] | None = None  # what the oldest change says of a creation, and its time
        self.born_at = NO_TIME


class Sparing:
    """Makes what waits small. One for a run; `forget` when a window is over."""

    def __init__(self) -> None:
        self._said: dict[RecordName, _Said] = {}
        self._texts: dict[str, str] = {}

    def spare(self, transformed: Transformed) -> Transformed:
        """The same, with what it shares with others shared. Nobody else may use what was handed in."""
        if not transformed.changes:
            return transformed
        changes = tuple([self._change(change) for change in transformed.changes])
        return Transformed(changes, transformed.alias, transformed.complaints, transformed.dropped)

    def text(self, text: str) -> str:
        """The one text that is equal to this one."""
        return self._texts.setdefault(text, text)

    def forget(self) -> None:
        """What waited is delivered."""
        self._said.clear()
        self._texts.clear()

    def _change(self, change: Change) -> Change:
        record, person = change.record, change.person
        fields, emails, phones, born = change.fields, change.emails, change.phones, change.on_creation
        if person is not None and (known := self._said.get(person)) is not None:
            person = known.record
        if record.kind == "leads":
            fields = self._texts_shared(fields)
        else:
            said = self._said.get(record)
            if said is None:
                said = self._said[record] = _Said(record)
            record = said.record
            if fields:
                last = said.fields.get(shape := tuple(fields))
                fields = last if last == fields else self._texts_shared(fields)
                said.fields[shape] = fields
            if emails:
                emails = said.emails = said.emails if emails == said.emails else emails
            if phones:
                phones = said.phones = said.phones if phones == said.phones else phones
            if born:
                at = NO_TIME if change.time is None else change.time
                if said.born is not None and at >= said.born_at and born.keys() <= said.born.keys():
                    born = NOTHING
                elif said.born is None or at < said.born_at:
                    said.born, said.born_at = born, at
        # Every argument, for a mapping that is left out becomes an empty one of its own.
        return Change(
            record,
            change.time,
            change.rank,
            fields or NOTHING,
            emails,
            phones,
            born or NOTHING,
            change.oldest or NOTHING,
            change.fallback_name,
            person,
            change.may_create,
        )

    def _texts_shared(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        share = self._texts.setdefault
        return {address: share(value, value) if type(value) is str else value for address, value in fields.items()}
