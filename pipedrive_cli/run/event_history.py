"""What the journal knows of one event or one user, for whoever is asked "why does the CRM say that?".

Reads the journal alone; nobody is asked. What stands in Pipedrive may have been changed by people since.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.past import (
    digests_of,
    last_outcome,
    number_of,
    place_of_unfinished,
    reading,
    set_by,
)
from pipedrive_cli.delivery.precedence import CONTEXT, LATEST, LOWEST, NO_TIME, FieldState
from pipedrive_cli.events.identity import digest
from pipedrive_cli.model import Kind, Place, Value
from pipedrive_cli.pipedrive.moments import rfc3339
from pipedrive_cli.report.summary import Example
from pipedrive_cli.report.wording import place_words
from pipedrive_cli.run.account import Kept
from pipedrive_cli.run.past import PAGES

_CUSTOM = "custom_fields."
_DIGEST = re.compile(r"[0-9a-f]{32}")


class ProblemKnown(msgspec.Struct, frozen=True):
    """What was wrong with an event, as far as its run kept it among its examples."""

    code: str
    outcome: str | None
    message: str
    field: str | None


class RecordTouched(msgspec.Struct, frozen=True):
    """A record that the event went to, and those of its fields whose values are the event's."""

    kind: Kind
    id: int | str
    url: str | None
    fields: tuple[str, ...]


class EventKnown(msgspec.Struct, frozen=True):
    """One event: its last outcome, and the run that it had it in. `waiting`: `retry` sends it again.

    `place` is where it stands, if that is known; `records` those that it went to.
    """

    message_id: str
    outcome: str
    run: str | None  # None: that run was forgotten
    started: str | None
    waiting: bool
    place: str | None
    problems: tuple[ProblemKnown, ...]
    records: tuple[RecordTouched, ...]


class FieldKnown(msgspec.Struct, frozen=True):
    """One field as this tool last wrote it: the value, and the time of the event that it came from (UTC)."""

    field: str
    value: Value
    time: str | None
    event: str | None  # the digest of the event, which `runs events` takes too; None: not known
    source: str  # an event of its own, group or track in passing, a name that was made, or Pipedrive itself


class RecordKnown(msgspec.Struct, frozen=True):
    """One record: its id in Pipedrive, all its names, and what this tool wrote into it."""

    kind: Kind
    id: int | str
    names: tuple[str, ...]
    aliases: tuple[dict[str, str | None], ...]  # previous, current, time
    fields: tuple[FieldKnown, ...]


def known_event(path: Path, message_id: str) -> EventKnown | None:
    """What is known of an event; None: no run has read it, or none to its end. Raises UserMistake."""
    with reading(path) as journal:
        key = digest(message_id)
        row = last_outcome(journal, key)
        if row is None and _DIGEST.fullmatch(message_id):
            key = bytes.fromhex(message_id)
            row = last_outcome(journal, key)
        if row is None:
            return None
        outcome, number, waiting = row
        name, started = next(((name, at) for each, name, at, _ in journal.runs() if each == number), (None, None))
        examples = [each for each in journal.examples(number) if each[6] == message_id]
        place = place_of_unfinished(journal, key)
        if place is None:
            place = next((Place(each[3], each[4] or 0, each[5]) for each in examples if each[3] is not None), None)
        return EventKnown(
            message_id,
            outcome.value,
            name,
            started,
            waiting,
            None if place is None else place_words(Example(place.file, place.line or None, None, None, place.index)),
            tuple(ProblemKnown(each[0], each[1] or None, each[2], each[8]) for each in examples),
            tuple(_records(journal, message_id, number_of(journal, key))),
        )


def _records(journal: Journal, message_id: str, number: int) -> Iterator[RecordTouched]:
    """The lead that an event made, and the records that show what it said."""
    site = journal.fact("site", str)
    leads = journal.known("leads", [message_id]).values()
    touched: dict[tuple[Kind, int | str], tuple[str, ...]] = {("leads", lead): () for lead in leads}
    if number:
        touched |= {(kind, record): fields for kind, record, fields in set_by(journal, number)}
    for (kind, record), fields in touched.items():
        called = _field_names(journal, kind)
        named = tuple(sorted(called.get(each, each) for each in fields))
        yield RecordTouched(kind, record, None if site is None else f"{site}/{PAGES[kind]}/{record}", named)


def known_user(path: Path, user: str) -> RecordKnown | None:
    """What is known of a user's person; None: no run has written one. Raises UserMistake."""
    with reading(path) as journal:
        steps = journal.aliases()
        current = user
        while (step := steps.get(current)) is not None:
            current = step[0]
        found = journal.known("persons", [user, current])
        record = found.get(current, found.get(user))
        if record is None:
            return None
        names = tuple(sorted({*journal.keys_of("persons", record), current}))
        aliases = tuple(
            {"previous": previous, "current": step[0], "time": _moment(step[1])}
            for previous, step in sorted(steps.items())
            if previous in names or step[0] in names
        )
        return RecordKnown("persons", record, names, aliases, tuple(_fields(journal, record)))


def _fields(journal: Journal, record: int | str) -> Iterator[FieldKnown]:
    state = journal.state("persons", record)
    if state is None:
        return
    called = _field_names(journal, "persons")
    events = digests_of(journal, [each.number for each in state.fields.values() if each.number])
    for address, each in sorted(state.fields.items(), key=lambda item: called.get(item[0], item[0])):
        yield FieldKnown(
            called.get(address, address), each.sent, _moment(each.time), events.get(each.number), _source(each)
        )
    for contacts, forms in sorted(state.added.items()):
        yield FieldKnown(contacts, forms, None, None, "event")


def _field_names(journal: Journal, kind: Kind) -> Mapping[str, str]:
    """The names of custom fields by address, as the journal keeps them for a day or longer."""
    kept = journal.fact(f"fields {kind}", Kept)
    return {} if kept is None else {f"{_CUSTOM}{field.key}": field.name for field in kept.fields if field.custom}


def _source(state: FieldState) -> str:
    if state.precedence == LOWEST:
        return "Pipedrive itself"
    if state.rank <= CONTEXT * 2:
        return "a name that was made"
    return "group or track" if state.rank <= CONTEXT // 2 else "event"


def _moment(time: int | None) -> str | None:
    if time is None or time <= NO_TIME:
        return None
    try:
        return rfc3339(LATEST - time if time > LATEST // 2 else time)
    except OverflowError:
        return None
