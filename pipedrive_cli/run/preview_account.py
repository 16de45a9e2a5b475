"""What a preview knows of an account: here, nothing. Loads nothing that could send; `preview_online` is the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipedrive_cli.delivery.asks import Knowledge, Locate, RecordId, Terms, name_key
from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.standing import RecordState
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.catalog import (
    Call,
    currencies,
    get,
    lead_labels,
    list_fields,
    list_leads,
    listing,
    me,
)
from pipedrive_cli.run.preview_memory import Memory
from pipedrive_cli.run.preview_rows import Labels, label
from pipedrive_cli.transform.changes import Kind
from pipedrive_cli.transform.transform import Transform

KEYED: tuple[Kind, ...] = ("organizations", "products", "persons")


class Known(Protocol):
    """An account, as plans in a preview ask for it. `certain`: what is not there is known not to be there."""

    @property
    def certain(self) -> bool: ...

    async def learn(self, kinds: frozenset[Kind], *, anew: bool = False) -> Account | None:
        """What events of these kinds need to be transformed; None: nothing is known of it.

        `anew`: what was kept from earlier did not do.
        """

    def equip(self, terms: Terms, transform: Transform) -> None:
        """What the mapping has become."""

    async def prepare(self, jobs: Sequence[Job], *, leads: bool) -> None:
        """Looks up what the jobs of one window are about."""

    async def locate(self, ask: Locate) -> tuple[RecordId, ...]: ...

    def recall(self, kind: Kind, record: RecordId) -> Knowledge: ...

    async def look(self, kind: Kind, record: RecordId) -> Mapping[str, Any] | None: ...

    def lost(self, kind: Kind, key: str) -> RecordState | None: ...

    def input_over(self) -> None:
        """From here on nothing more comes that could bring what is waited for."""


@dataclass(slots=True)
class Unknown:
    """No account was asked. `tell` is called with the looks that a run would begin with, in an account of any size.

    Whoever somebody waited for until the input's end (the previous person of an alias, a person who is not to be
    created) is taken to be there: only then there is something to be sent.
    """

    memory: Memory
    labels: Labels
    tell: Callable[[Call], None]
    certain: bool = False
    _told: set[str] = field(default_factory=set)
    _over: bool = False

    async def learn(self, kinds: frozenset[Kind], *, anew: bool = False) -> None:
        del anew  # nothing is kept
        self._once(me())
        for kind in sorted(kinds):
            self._once(list_fields(kind))
        if kinds & {"leads", "products"}:
            self._once(currencies())
        if "leads" in kinds:
            self._once(lead_labels())

    def equip(self, terms: Terms, transform: Transform) -> None:
        pass

    async def prepare(self, jobs: Sequence[Job], *, leads: bool) -> None:
        self.meet({job.kind for job in jobs if job.keys or job.name}, leads=leads)

    def meet(self, kinds: Collection[Kind], *, leads: bool) -> None:
        """Tells the looks for records of these kinds that are known by a key."""
        for kind in KEYED:
            if kind in kinds:
                self._once(listing(kind))
        if leads:
            self._once(list_leads())
            self._once(list_leads(archived=True))

    async def locate(self, ask: Locate) -> tuple[RecordId, ...]:
        key = ask.key if ask.key is not None else name_key(ask.name) if ask.email is None else None
        if key is None:
            return ()
        if self.memory.journal is not None and (own := self.memory.journal.known(ask.kind, [key])):
            return tuple(own.values())
        if self._over and ask.kind == "persons" and ask.key is not None:
            return (self.labels.mint("persons", label("persons", ask.key)),)
        return ()

    def recall(self, kind: Kind, record: RecordId) -> Knowledge:
        journal = self.memory.journal
        return Knowledge(None if journal is None else journal.state(kind, record))

    async def look(self, kind: Kind, record: RecordId) -> Mapping[str, Any]:
        self.tell(get(kind, record))
        return {}

    def lost(self, kind: Kind, key: str) -> RecordState | None:
        del kind, key
        return None

    def input_over(self) -> None:
        self._over = True

    def _once(self, call: Call) -> None:
        if call.target not in self._told:
            self._told.add(call.target)
            self.tell(call)
