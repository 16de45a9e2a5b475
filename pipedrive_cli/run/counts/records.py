"""The records that a count knows by name: what waits to be unpacked, and what plans would have made of the others.

A record that was created stands here as the packed changes that created it. Only when a later window names it again
they are unpacked, and the plan that a run would follow says what it holds. Plans that are driven for other records
may ask for one of these; then it is handed over to what they remember, and taken back when nobody needs it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipedrive_cli.delivery.asks import Home, Linked, RecordId, Save, Terms, Write
from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.cases import Case
from pipedrive_cli.delivery.gathering import Part
from pipedrive_cli.delivery.plan import bring
from pipedrive_cli.delivery.standing import RecordState
from pipedrive_cli.run.counts.brief import INITIALS, KIND_OF, change, changes
from pipedrive_cli.run.counts.plain import Plain, begun, taken, time_of
from pipedrive_cli.run.preview_memory import Memory
from pipedrive_cli.run.preview_plans import Foresight
from pipedrive_cli.run.preview_rows import label
from pipedrive_cli.transform.changes import Change, Kind, RecordName

Packed = bytes | list[Any]  # the changes that created a record: in one piece, or as they waited (parts, packed or not)


@dataclass(slots=True)
class Known:
    """A record as the preview would have made it."""

    state: RecordState
    values: dict[str, Any]


class Remembered(Memory):
    """What plans are told: records that were counted by name are handed over when a plan asks for them."""

    def __init__(self) -> None:
        super().__init__(_no_journal)
        self.hand_over: Callable[[Kind, str], None] = lambda _kind, _key: None
        self._shown: dict[tuple[Kind, RecordId], Mapping[str, Any]] = {}

    def made(self, kind: Kind, key: str, record: RecordId, state: RecordState, values: Mapping[str, Any]) -> None:
        self._shown[kind, record] = values
        super().made(kind, key, record, state, values)

    def window_over(self) -> None:
        """What was last seen of a record stays known, as a journal would keep it, also where a merge came since."""
        for at, record in self._made.items():
            if record.values is not None:
                self._shown[at] = record.values
            elif at in self._shown:
                self._made[at] = record._replace(values=self._shown[at])

    def ended(self, case: Case) -> None:
        case.digest = b""  # the book would keep it for a journal

    def find(self, kind: Kind, key: str) -> RecordId | None:
        self.hand_over(kind, key)
        return super().find(kind, key)


def _no_journal() -> Any:
    raise AssertionError("a count keeps what it knows in memory")


@dataclass(slots=True)
class Records:
    """Records by name: an initial of the kind and the key. `foresight` drives plans, and remembers by `memory`."""

    foresight: Foresight
    memory: Remembered
    abroad: set[str] = field(default_factory=set)  # names of records that plans know, or knew
    _found: dict[str, Packed | Plain | Known] = field(default_factory=dict)
    _fresh: list[str] = field(default_factory=list)  # names of those whose changes still lie where they waited
    _ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory.hand_over = self._hand_over

    def none_of(self, names: set[str]) -> bool:
        """Whether nobody knows any of these."""
        return not any(name in self._found or name in self.abroad for name in names)

    def create(self, name: str, parts: list[Any]) -> None:
        """A record was created by these parts."""
        self._found[name] = parts
        self._fresh.append(name)

    def window_over(self) -> None:
        """Another window begins. What made records is kept in one piece: the chunks that it came in are large."""
        for name in self._fresh:
            parts = self._found.get(name)
            if isinstance(parts, list) and not any(isinstance(part, Part) for part in parts):
                self._found[name] = b"\xdd" + len(parts).to_bytes(4) + b"".join(parts)  # a list, as msgpack has it
        self._fresh.clear()

    def known(self, name: str) -> Plain | Known | None:
        """The record of this name if an earlier window has made it."""
        found = self._found.get(name)
        if isinstance(found, list | bytes):
            found = self._found[name] = self._read(name, found)
        return found

    def _read(self, name: str, packed: Packed) -> Plain | Known:
        """The record as its creation has made it."""
        if isinstance(packed, bytes):
            parts = [Part(found, 0, None) for found in changes(packed)]
        else:
            parts = [part_of(part, None) for part in packed]
        if not parts:
            return Plain()  # only ever named in passing
        if not any(part.depth for part in parts):
            ordered = sorted((part.change for part in parts), key=time_of)
            plain = begun(ordered, KIND_OF[name[0]], self._terms.rules.same)
            if plain is not None:
                return plain
        known = Known(RecordState(), {})
        self.bring(name, parts, known, create=True)
        return known

    def take(self, record: Plain | Known, name: str, rows: list[int], packed: list[Any]) -> list[bool] | None:
        """Which of these parts a record is written for; None: it takes a plan to tell.

        `rows` and `packed` are put in the order of time.
        """
        if any(type(part) is Part for part in packed):
            return None
        found = [change(part) for part in packed]
        if len(found) > 1:
            order = sorted(range(len(found)), key=lambda place: time_of(found[place]))
            rows[:] = [rows[place] for place in order]
            found = [found[place] for place in order]
        kind, same = KIND_OF[name[0]], self._terms.rules.same
        if isinstance(record, Plain):
            return record.take(found, kind, same)
        if record.state.owed or record.state.owed_contacts:
            return None
        return taken(record.state, record.values, found, kind, same, lambda linked: self.id(name_of(linked)))

    def as_plans_know(self, name: str, record: Plain | Known) -> Known:
        """The same record with its state and what it shows."""
        if isinstance(record, Known):
            return record
        rules = self._terms.rules
        state = record.state(KIND_OF[name[0]], name[1:], rules, lambda linked: self.id(name_of(linked)))
        shown = record.shown(state)
        address = self._terms.key_address.get(KIND_OF[name[0]])
        if address is not None:
            shown[address] = name[1:]
        known = self._found[name] = Known(state, shown | {"id": self.id(name)})
        return known

    def bring(self, name: str, parts: list[Part], known: Known, *, create: bool = False) -> Save:
        """Follows the plan that brings `parts` into the record, and brings what is known of it up to date."""
        kind, key = KIND_OF[name[0]], name[1:]
        parts.sort(key=time_of_part)
        job = Job(kind, key, [key], [], None, parts, [])
        record = self.id(name)
        home = Home(None if create else record, known.state, known.values)
        plan = bring(job, home, parts, self._terms)
        answer: Any = None
        while True:
            ask = plan.send(answer)
            if isinstance(ask, Linked):
                answer = self.id(name_of(ask.name))
            elif isinstance(ask, Write):
                answer = known.values = {**known.values, **ask.fields, "id": record}
            elif isinstance(ask, Save):
                known.state = ask.state or known.state
                return ask
            else:
                raise AssertionError(f"of a record that this preview has made nothing else is asked: {ask}")  # noqa: TRY004 - no argument is at fault

    def id(self, name: str) -> int:
        found = self._ids.get(name)
        if found is None:
            kind = KIND_OF[name[0]]
            found = self._ids[name] = self.foresight.labels.mint(kind, label(kind, name[1:]))
        return found

    @property
    def _terms(self) -> Terms:
        terms = self.foresight.terms
        assert terms is not None  # noqa: S101 - there are no parts before an event was transformed
        return terms

    def _hand_over(self, kind: Kind, key: str) -> None:
        """A plan asks for this record: from here on it is what the plan knows of it."""
        name = INITIALS[kind] + key
        found = self.known(name)
        if found is not None:
            known = self.as_plans_know(name, found)
            del self._found[name]
            self.abroad.add(name)
            self.memory.made(kind, key, self.id(name), known.state, known.values)

    def take_back(self, name: str) -> bool:
        """Whether a record that plans have brought where it is can be counted on by name again; then it is.

        So can one of which nothing has come.
        """
        kind, key = KIND_OF[name[0]], name[1:]
        record = self.memory.find(kind, key)
        if record is None:
            return True
        found = self.memory.recall(kind, record)
        if not isinstance(record, int) or found is None or found.state is None or found.values is None:
            return False
        if found.state.owed or found.state.owed_contacts:
            return False
        self._ids[name] = record
        self._found[name] = Known(found.state, dict(found.values))
        return True


def time_of_part(part: Part) -> int:
    """The same of a part."""
    return time_of(part.change)


def name_of(record: RecordName) -> str:
    return INITIALS[record.kind] + (record.key or "")


def unpacked(part: msgspec.Raw | Part) -> Change:
    return part.change if isinstance(part, Part) else change(part)


def part_of(part: msgspec.Raw | Part, row: int | None) -> Part:
    return part._replace(case=row) if isinstance(part, Part) else Part(change(part), 0, row)
