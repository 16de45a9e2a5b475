"""Folds one part of an archive: reads it, transforms its events, and gives what may have to be kept of them.

Knows nothing of who asks: the command itself, a process beside it, or a worker of a cluster. A part is a file, an
object, or some megabytes of a large plain file. What is folded is handed on whenever it has become much, so that memory
does not grow with the part.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.keeping import KeptEvents, iterate_won
from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.identity import digest
from pipedrive_cli.events.parts import FilePart, part_of, same_file
from pipedrive_cli.events.people import people_of
from pipedrive_cli.events.reading import Reading
from pipedrive_cli.events.source import Source
from pipedrive_cli.model import Complaint, Event, Outcome
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.report.rejects import KEY
from pipedrive_cli.run.options import Filters, passes
from pipedrive_cli.run.settings import delivery_settings
from pipedrive_cli.transform.consent import DENIED
from pipedrive_cli.transform.suppression import SUPPRESSED, Suppression
from pipedrive_cli.transform.transform import Transform, compile_mapping

MUCH: Final = 20_000  # events that are held before what is kept of them is handed on
NOTE: Final = KEY.encode()
LINES: Final = "9"  # the name of what belongs to no record: it sorts behind all of them


class FoldBrief(NamedTuple):
    """What must be known to fold a part. `now` is in microseconds since 1970 UTC: no event is later."""

    config: Config
    account: Account | None
    filters: Filters
    now: int
    all_traits: bool = False
    suppression: Suppression | None = None  # has judged the whole input when parts are folded


class ArchivePart(NamedTuple):
    """One part. `number` is its place among all parts; `part` None: the whole source; `identity` is its file's."""

    number: int
    source: Source
    part: FilePart | None = None
    identity: tuple[int, int] | None = None


class KeptEvent(msgspec.Struct, array_like=True, gc=False):
    """One event that may be kept, with its line: `number` is its place in the input, `owner` its record's name.

    `always`: it is kept whatever the others say. `line` counts from the part's first. `bare`: `raw` is certainly a JSON
    object that has no note of ours.
    """

    number: int
    identity: bytes
    owner: str
    time: int | None
    line: int
    index: int | None
    message_id: str | None
    raw: bytes
    always: bool = False
    cut: bool = False
    code: str | None = None
    alias: bool = False
    bare: bool = False


class Counted(msgspec.Struct):
    """How many events a part had, how many were left out and why, and whether it was read to its end."""

    read: int = 0
    filtered: int = 0
    bytes_read: int = 0
    lines: int = 0
    skipped: dict[tuple[str, str | None], int] = {}  # by code and value
    left: tuple[int, Complaint, bool] | None = None  # where reading ended, why, and whether the source breaks off

    def skip(self, code: str, value: str | None = None, times: int = 1) -> None:
        """Counts events that are left out."""
        self.skipped[code, value] = self.skipped.get((code, value), 0) + times


class Folded(msgspec.Struct, array_like=True):
    """What was folded of some events: the places of each record, the joined names, the events."""

    won: list[tuple[str, bytes]]
    joins: list[tuple[str, str]]
    events: list[KeptEvent]


@dataclass(slots=True)
class PartFold:
    """Folds one part. `pieces` gives what is kept; then `counted` is complete."""

    brief: FoldBrief
    task: ArchivePart
    transform: Transform
    counted: Counted = field(default_factory=Counted)
    _kept: KeptEvents = field(init=False)
    _held: list[KeptEvent] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self._kept = self._new()
        self._number = self.task.number << 32

    def _new(self) -> KeptEvents:
        rules = delivery_settings(self.brief.config, self.transform, self.brief.account or Account()).rules
        return KeptEvents(rules, all_traits=self.brief.all_traits)

    def pieces(self) -> Iterator[Folded]:
        """What is kept of the part, piece by piece."""
        with opened(self.task) as reading:
            if reading is None:
                why = Complaint("source_unreadable", "the file was replaced while it was read")
                self.counted.left = (0, why, False)
            else:
                yield from self._read(reading)

    def _read(self, reading: Reading) -> Iterator[Folded]:
        brief = self.brief
        if not brief.filters and not brief.config.privacy.consent.purposes and brief.suppression is None:
            reading.pages = Counter()  # nothing else decides about them
        for batch in reading.batches():
            self._add(batch)
            self.counted.bytes_read = reading.bytes_read
            if len(self._held) >= MUCH:
                yield self._taken()
        self.counted.bytes_read, self.counted.lines = reading.bytes_read, reading.line
        for page, times in (reading.pages or {}).items():
            self.counted.read += times
            self.counted.skip("type_not_supported", page, times)
        if reading.left is not None:
            why = reading.left.refusal or Complaint("unfinished_line", "the last line has no end")
            self.counted.left = (reading.left.line, why, reading.torn)
        yield self._taken()

    def _taken(self) -> Folded:
        kept, self._kept = self._kept, self._new()
        held, self._held = self._held, []
        needed = kept.settle()
        events = [event for event in held if event.always or event.number in needed]
        return Folded(list(iterate_won(kept)), sorted(kept.joins), events)

    def _add(self, batch: list[Entry]) -> None:
        """First all are decoded, then all are transformed, as in `intake`."""
        counted, brief = self.counted, self.brief
        first = self._number + 1
        self._number += len(batch)
        numbered = list(enumerate(batch, first))
        events = [(number, entry, entry.event(brief.now)) for number, entry in numbered]
        for number, entry, event in events:
            if isinstance(event, Complaint):
                self._add_refused(number, entry, event)
            elif brief.filters and not passes(event, brief.filters):
                counted.filtered += 1
            else:
                counted.read += 1
                self._add_event(number, entry, event)

    def _add_refused(self, number: int, entry: Entry, why: Complaint) -> None:
        """An event that cannot be used, or a line that is none: kept, so that a replay names it as it would have."""
        if self.brief.filters:
            self.counted.filtered += 1
            return
        self.counted.read += 1
        suppression = self.brief.suppression
        if suppression is not None and (people := entry.people()) and suppression.holds_back(people):
            self._skip(SUPPRESSED)
        elif entry.identity is not None and self.transform.denies(entry.consent()):
            self._skip(DENIED)
        elif why.outcome is Outcome.SKIPPED:
            self._skip(why)
        else:
            identity = number.to_bytes(8) if entry.identity is None else digest(entry.identity)
            raw = entry.raw if entry.identity is None else entry.body()
            code = why.code if entry.identity is None else None
            self._held.append(
                KeptEvent(
                    number,
                    identity,
                    LINES,
                    None,
                    entry.line,
                    entry.index,
                    entry.identity,
                    raw,
                    always=True,
                    cut=entry.cut,
                    code=code,
                )
            )

    def _add_event(self, number: int, entry: Entry, event: Event) -> None:
        suppression = self.brief.suppression
        if suppression is not None and suppression.holds_back(people_of(event)):
            self._skip(SUPPRESSED)
            return
        asked = self.transform.transform(event)
        changes, alias, complaints = asked.changes, asked.alias, asked.complaints
        always = alias is not None or any(why.outcome is Outcome.REJECTED for why in complaints)
        if not changes and not always:
            self._skip(next((why for why in complaints if why.outcome is Outcome.SKIPPED), None))
            return
        owner = LINES
        identity = digest(event.identity)
        if changes:
            owner = self._kept.add(changes, identity, number, asked.dropped) or LINES
            always = always or any(change.record.kind == "leads" for change in changes)
        if alias is not None:
            owner = self._kept.add_alias(alias)
        raw = entry.body()
        self._held.append(
            KeptEvent(
                number,
                identity,
                owner,
                event.time,
                entry.line,
                entry.index,
                event.identity,
                raw,
                always,
                alias=alias is not None,
                bare=entry.wire is not None and entry.own is None and NOTE not in raw,
            )
        )

    def _skip(self, why: Complaint | None) -> None:
        code, value = ("nothing_asked", None) if why is None else (why.code, why.value)
        self.counted.skip(code, value if code == "type_not_supported" else None)


def folded(brief: FoldBrief, task: ArchivePart) -> PartFold:
    """The fold of one part, ready to be iterated over."""
    return PartFold(brief, task, compile_mapping(brief.config, brief.account))


def learn_people(brief: FoldBrief, tasks: Iterable[ArchivePart]) -> None:
    """Has the brief's suppression learn what the events of these parts tell of their people. It has yet to judge."""
    if brief.suppression is None:
        return
    for task in tasks:
        with opened(task) as reading:
            for entry in reading or ():
                event = entry.event(brief.now)
                brief.suppression.add(people_of(event) if isinstance(event, Event) else entry.people())


@contextlib.contextmanager
def opened(task: ArchivePart) -> Iterator[Reading | None]:
    """A reading of one part; None: another file has taken its place. Raises OSError."""
    if task.part is None:
        yield read_source(task.source)
        return
    with task.source.open() as file:
        same = task.identity is None or same_file(file, task.identity)
        yield Reading(part_of(task.source, file, task.part, 0)) if same else None
