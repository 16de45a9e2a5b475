"""A backlog that holds little: each name once, and of what a record was told only what can still count.

A hundred thousand events wait in a window, most of them about records that others are about too. A later event's value
supersedes an earlier one's for good when both call the record by the same name (`delivery.standing`: own events rank
alike, and an alias never lowers the later of two more than the earlier). So the earlier value need not wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import force_setattr

from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.cases import Case, Origin
from pipedrive_cli.delivery.gathering import DATED, Part
from pipedrive_cli.delivery.standing import NO_TIME
from pipedrive_cli.outcomes import Complaint
from pipedrive_cli.transform.changes import (
    NOTHING,
    Change,
    Contact,
    Rank,
    RecordName,
    Transformed,
)


class _Told:
    """What one name's changes in this window have said so far."""

    __slots__ = (
        "born",
        "born_at",
        "emails",
        "newest",
        "oldest",
        "oldest_at",
        "parts",
        "phones",
        "record",
        "round",
        "silence",
    )

    def __init__(self, record: RecordName) -> None:
        self.record = record
        self.parts: list[Part] = []  # where its changes wait, as of `round`
        self.round = -1
        self.newest: dict[tuple[str, ...], tuple[int, Change]] = {}  # addresses -> the newest own change of just these
        self.born = False  # a change says when the record came into being; the oldest one at `born_at`
        self.born_at = NO_TIME
        self.oldest: Mapping[str, Any] | None = None
        self.oldest_at = NO_TIME
        self.emails: tuple[Contact, ...] = ()
        self.phones: tuple[Contact, ...] = ()
        self.silence: dict[bool, Change] = {}

    def silent(self, change: Change) -> Change:
        """One change for all that only name the record: their time decides nothing."""
        return self.silence.setdefault(change.may_create, change)


class LeanBacklog(Backlog):
    """Delivers what `Backlog` does. Changes that were put in must not be used by anybody else.

    `anonymous`: where only the counts are wanted message ids are not kept either (places are); nor, as long as
    `bare_leads` stands, what leads say, for a lead that nobody can know yet is one request whatever that is.
    """

    def __init__(self, aliases: dict[str, tuple[str, int | None]], *, anonymous: bool = False) -> None:
        super().__init__(aliases)
        self._anonymous = anonymous
        self._told: dict[RecordName, _Told] = {}
        self._texts: dict[str, str] = {}
        self._round = 0
        self.bare_leads = anonymous

    def add(self, transformed: Transformed, case: Case) -> Complaint | None:
        origin = case.origin
        user = None if origin.user is None else self._texts.setdefault(origin.user, origin.user)
        message_id = "" if self._anonymous and not case.complaints else origin.message_id
        case.told = Origin(message_id, origin.place, user, origin.time)
        if transformed.alias is not None:
            self._round += 1  # groups may become one
            return super().add(transformed, case)
        for change in transformed.changes:
            case.open += 1
            if change.record.kind == "leads":
                self._put(self._lean_lead(change), case)
            else:
                self._put_lean(change, case)
        return None

    def window_over(self) -> None:
        """What was taken is done."""
        self._told.clear()
        self._round += 1
        self._texts.clear()

    def _put_lean(self, change: Change, case: Case) -> None:
        record = change.record
        told = self._told.get(record)
        if told is None:
            told = self._told[record] = _Told(record)
        if told.round != self._round:
            if record.pipedrive_id is not None:
                self._round += 1  # two names of one record may have met
            told.parts = self._group(self._nodes(record)).parts
            told.round = self._round
        told.parts.append(Part(self._lean(change, told), 0, case))

    def _lean(self, change: Change, told: _Told) -> Change:
        at = NO_TIME if change.time is None else change.time
        fields = change.fields
        born = change.on_creation
        first = change.record.kind in DATED and (at != NO_TIME or bool(born)) and (not told.born or at < told.born_at)
        if first:
            told.born, told.born_at = True, at
        else:
            born = NOTHING
        oldest = change.oldest
        if oldest:
            if told.oldest is not None and NO_TIME < told.oldest_at < at and oldest.keys() <= told.oldest.keys():
                oldest = NOTHING
            elif at != NO_TIME and (told.oldest is None or at < told.oldest_at):
                told.oldest, told.oldest_at = oldest, at
        emails, phones = change.emails, change.phones
        if emails:
            emails = told.emails = told.emails if emails == told.emails else emails
        if phones:
            phones = told.phones = told.phones if phones == told.phones else phones
        if change.rank is Rank.CONTEXT and not (first or fields or emails or phones or oldest):
            return told.silent(change)
        # Every argument, for a struct's missing mapping becomes an empty dict of its own.
        lean = Change(
            told.record,
            change.time,
            change.rank,
            fields or NOTHING,
            emails,
            phones,
            born or NOTHING,
            oldest or NOTHING,
            change.fallback_name,
            change.person,
            change.may_create,
        )
        if fields and change.rank is Rank.OWN:
            shape = tuple(fields)
            newest = told.newest.get(shape)
            if newest is None:
                told.newest[shape] = (at, lean)
            elif at >= newest[0]:
                told.newest[shape] = (at, lean)
                force_setattr(newest[1], "fields", NOTHING)  # it is nobody else's, and so gives back the room
        return lean

    def _lean_lead(self, change: Change) -> Change:
        fields = NOTHING if self.bare_leads else change.fields
        texts = self._texts
        if isinstance(fields, dict):
            for address, value in fields.items():
                if type(value) is str:
                    fields[address] = texts.setdefault(value, value)
        person = change.person
        if person is not None and (told := self._told.get(person)) is not None:
            person = told.record
        return Change(
            change.record, change.time, change.rank, fields, (), (), NOTHING, NOTHING, None, person, change.may_create
        )
