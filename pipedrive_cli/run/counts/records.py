"""The records that a count knows by name: most in a table, and one by one those that are not as plain as that.

One that is looked at by itself stands here as what waited for it when it was created, until a later window names it
again; then the plan that a run would follow says what it holds. Plans that are driven for other records may ask for one
of these; then it is handed over to what they remember, and taken back when nobody needs it there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipedrive_cli.delivery.asks import Home, Linked, RecordId, Save, Terms, Write
from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.cases import Case
from pipedrive_cli.delivery.gathering import Part, time_of
from pipedrive_cli.delivery.plan import bring
from pipedrive_cli.delivery.standing import NO_TIME, RecordState
from pipedrive_cli.outcomes import Outcome
from pipedrive_cli.run.counts.batch import INITIALS, KIND_OF
from pipedrive_cli.run.counts.known import Known
from pipedrive_cli.run.counts.plain import Plain, begun
from pipedrive_cli.run.counts.table import Table
from pipedrive_cli.run.counts.window import Waiting
from pipedrive_cli.run.preview_memory import Memory
from pipedrive_cli.run.preview_plans import Foresight
from pipedrive_cli.run.preview_rows import label
from pipedrive_cli.transform.changes import Kind, RecordName

MANY: Final = 100  # parts that are kept as they are; of more it pays to keep what they come to


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

    def seen_before(self, kind: Kind, record: RecordId) -> Mapping[str, Any] | None:
        return self._shown.get((kind, record))

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
    table: Table = field(default_factory=Table)  # of records that need not be looked at one by one
    abroad: set[str] = field(default_factory=set)  # names of records that plans know, or knew
    _found: dict[str, list[Waiting] | Plain | Known] = field(default_factory=dict)
    _ids: dict[str, int] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory.hand_over = self._hand_over

    @property
    def found(self) -> Collection[str]:
        """The names of records that are looked at one by one."""
        return self._found.keys()

    def new_among(self, names: set[str]) -> set[str]:
        """Those that nobody knows."""
        return names - self.table.names - self._found.keys()

    def none_of(self, names: set[str]) -> bool:
        """Whether nobody knows any of these."""
        return all(names.isdisjoint(known) for known in (self.table.names, self._found.keys(), self.abroad))

    def create(self, name: str, entries: list[Waiting]) -> None:
        """A record was created by what waited for it."""
        self._found[name] = entries
        if len(entries) > MANY:
            self.known(name)

    def known(self, name: str) -> Plain | Known | None:
        """The record of this name if an earlier window has made it."""
        if name in self.table.names:
            self._found[name] = self.table.take_out(name, lambda key: self.id(f"o{key}"))
        found = self._found.get(name)
        if isinstance(found, list):
            found = self._found[name] = self._read(name, found)
        return found

    def put_back(self, name: str) -> None:
        """A record that need not be looked at by itself any more."""
        found = self._found[name]
        if not isinstance(found, list) and self.table.put(name, self.as_plans_know(name, found), self._key_of):
            del self._found[name]

    def _key_of(self, organization: int) -> str | None:
        name = self._names.get(organization, "")
        return name[1:] if name.startswith("o") else None

    def same(self, kind: Kind, address: str, ours: Any, theirs: Any) -> bool:
        """Whether two values of a field are the same to Pipedrive."""
        return self._terms.rules.same(kind, address, ours, theirs)

    @property
    def replaces_contacts(self) -> bool:
        """Whether emails and phones are fields like others, of which a plan keeps more than what is plain."""
        return self._terms.rules.contacts == "replace"

    def _replaced_by(self, entries: list[Waiting]) -> bool:
        return self.replaces_contacts and any(entry.shape.emails or entry.shape.phones for entry in entries)

    def _read(self, name: str, entries: list[Waiting]) -> Plain | Known:
        """The record as its creation has made it."""
        if not entries:
            return Plain()  # only ever named in passing
        if not self._replaced_by(entries):
            plain = begun(sorted(entries, key=_time_of_entry), KIND_OF[name[0]], self.same)
            if plain is not None:
                return plain
        known = Known(RecordState(), {})
        self.bring(name, [part_of(name, entry) for entry in entries], known, create=True)
        return known

    def take(self, record: Plain | Known, name: str, entries: list[Waiting]) -> list[tuple[int, Outcome]] | None:
        """How the rows of these parts end; None: it takes a plan to tell."""
        if any(entry.time is None or entry.former is not None for entry in entries) or self._replaced_by(entries):
            return None
        said = sorted(entries, key=_time_of_entry)
        kind = KIND_OF[name[0]]
        if isinstance(record, Plain):
            written = record.take(said, kind, self.same)
        elif record.state.owed or record.state.owed_contacts:
            return None
        else:
            changes = [entry.change(name) for entry in said]
            written = record.take(changes, kind, self.same, lambda linked: self.id(name_of(linked)))
        if written is None:
            return None
        ends = (Outcome.DELIVERED if each else Outcome.UNCHANGED for each in written)
        return [(entry.row, outcome) for entry, outcome in zip(said, ends, strict=True)]

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
            self._names[found] = name
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
        self._names.setdefault(record, name)
        self._found[name] = Known(found.state, dict(found.values))  # not in the table: what has come may be late for it
        self.abroad.discard(name)
        return True


def time_of_part(part: Part) -> int:
    """The same of a part."""
    return time_of(part.change)


def name_of(record: RecordName) -> str:
    return INITIALS[record.kind] + (record.key or "")


def _time_of_entry(entry: Waiting) -> int:
    return NO_TIME if entry.time is None else entry.time


def part_of(name: str, waiting: Waiting) -> Part:
    """A part as plans take it, of the event in its row."""
    return Part(waiting.change(name), waiting.depth, waiting.row)
