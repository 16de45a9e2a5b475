"""A reading process decodes and transforms the events of one part of a text, and packs them in one piece.

It is sent the mapping, then one part after the other. It ends when its input ends, and so with the process that
started it, however that one ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, cast

import msgspec

from pipedrive_cli.config import Config
from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.entry import Entry
from pipedrive_cli.events.identity import digest
from pipedrive_cli.events.parts import TextPart
from pipedrive_cli.events.people import People, people_of
from pipedrive_cli.events.source import Source
from pipedrive_cli.model import Complaint, Kind
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.transform.consent import DENIED
from pipedrive_cli.transform.packing import PackedTransformed, packable
from pipedrive_cli.transform.transform import compile_mapping, kinds_of


class MappingBrief(NamedTuple):
    """What a process must know before it gets parts. `bodies`: the bytes of events are wanted, too; `people`: the
    people whom they name.
    """

    config: Config
    account: Account | None
    kinds: frozenset[Kind]  # that the mapping is prepared for
    bodies: bool
    people: bool = False


class PartTask(NamedTuple):
    """One part of a source, read from its beginning. `now` is in microseconds since 1970 UTC: no event is later."""

    source: Source
    part: TextPart
    now: int


class ReadEvent(msgspec.Struct, gc=False, array_like=True):
    """One entry of a part: its place, and either what its event asks for or why it is refused."""

    digest: bytes  # empty: the event has no identity
    message_id: str
    line: int  # from 1, within the part
    index: int | None
    user: str | None = None
    time: int | None = None
    body: bytes | None = None
    transformed: PackedTransformed | None = None
    refusal: Complaint | None = None
    cut: bool = False
    people: People | None = None
    content: int = 0  # a checksum of what the event says; 0: not known
    visitor: str | None = None  # the event's anonymous id, where it asks for nothing


class ReadPart(msgspec.Struct, array_like=True):
    """The events of a part. `misfits` are kinds of which a value does not fit its field as the field is known."""

    rows: list[ReadEvent]
    lines: int
    misfits: frozenset[Kind]


class NotOurs(Exception):
    """The process that started this one must read the part: it needs more than is known here."""


encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(list[ReadPart | None]).decode


class PartReader:
    """Reads parts by one brief."""

    def __init__(self, brief: MappingBrief) -> None:
        self._brief = brief
        self._transform = compile_mapping(brief.config, brief.account)

    def make(self, task: PartTask) -> ReadPart:
        """Reads one part. Raises NotOurs."""
        reading = read_source(task.source, text=task.part, begun=not task.part.first)
        rows: list[ReadEvent] = []
        misfits: frozenset[Kind] = frozenset()
        for batch in reading.batches():
            misfits |= self._add(batch, task.now, rows)
        if not reading.complete:
            raise NotOurs
        return ReadPart(rows, reading.line, misfits)

    def _add(self, batch: Sequence[Entry], now: int, rows: list[ReadEvent]) -> frozenset[Kind]:
        """Adds the events of a batch to `rows`. First all are decoded, then all are transformed, as in `intake`."""
        ready, bodies, with_people = self._brief.kinds, self._brief.bodies, self._brief.people
        transform, asks, denies = self._transform.transform, self._transform.asks, self._transform.denies
        misfits: frozenset[Kind] = frozenset()
        for entry, event in zip(batch, [entry.event(now) for entry in batch], strict=True):
            identity = entry.identity
            key = b"" if identity is None else digest(identity)
            people: People | None = None
            if with_people:
                people = entry.people() if isinstance(event, Complaint) else people_of(event)
            if asks and key and denies(entry.consent() if isinstance(event, Complaint) else event.consent):
                # They tell whether it was delivered before, and which one; nothing keeps them.
                rows.append(ReadEvent(key, identity or "", entry.line, entry.index, refusal=DENIED, people=people))
                continue
            if isinstance(event, Complaint):
                body = (entry.body() if key else entry.raw) if bodies else None
                told = self._transform.told(event)
                rows.append(
                    ReadEvent(
                        key, identity or "", entry.line, entry.index, None, None, body, None, told, entry.cut, people
                    )
                )
                continue
            kinds = kinds_of(event)
            if not kinds <= ready:
                raise NotOurs
            asked = transform(event)
            if asked.complaints and asked.misfit:
                misfits |= kinds
            visitor = event.anonymous_id
            rows.append(
                ReadEvent(
                    key,
                    event.identity,
                    entry.line,
                    entry.index,
                    event.user_id or visitor,
                    event.time,
                    entry.body() if bodies else None,
                    cast(PackedTransformed, packable(asked)),  # once it is packed
                    None,
                    False,
                    people,
                    entry.content_of(event),
                    None if asked.changes else visitor,
                )
            )
        return misfits


def reading_work(brief: MappingBrief) -> Callable[[Sequence[PartTask]], bytes]:
    """What a process beside this one does with parts, by this brief. Where it makes nothing of one, that is read
    elsewhere.
    """
    reader = PartReader(brief)

    def made(task: PartTask) -> ReadPart | None:
        try:
            return reader.make(task)
        except NotOurs:
            return None

    return lambda tasks: encode([made(task) for task in tasks])
