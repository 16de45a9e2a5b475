"""What a preview knows of the account: nothing (offline), or what it finds by looking, with GETs alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipedrive_cli.delivery.backlog import Backlog, Job
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.plan import Knowledge, Locate, RecordId, name_key
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.answer import Answer
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
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.preview_memory import Memory
from pipedrive_cli.run.preview_rows import Labels, label
from pipedrive_cli.transform.changes import Kind

KEYED: tuple[Kind, ...] = ("organizations", "products", "persons")


class Known(Protocol):
    """An account, as plans in a preview ask for it. `certain`: what is not there is known not to be there."""

    @property
    def certain(self) -> bool: ...

    async def learn(self, kinds: frozenset[Kind]) -> Account | None:
        """What events of these kinds need to be transformed; None: nothing is known of it."""

    async def prepare(self, jobs: Sequence[Job], *, leads: bool) -> None:
        """Looks up what the jobs of one window are about."""

    async def locate(self, ask: Locate) -> tuple[RecordId, ...]: ...

    def recall(self, kind: Kind, record: RecordId) -> Knowledge: ...

    async def look(self, kind: Kind, record: RecordId) -> Mapping[str, Any] | None: ...

    def input_over(self) -> None:
        """From here on nothing more comes that could bring what is waited for."""


@dataclass(slots=True)
class OnlyLooks:
    """Lets looks through, and nothing else: whatever is wrong elsewhere, a preview cannot write."""

    through: Callable[[Call], Awaitable[Answer]]
    tell: Callable[[Call], None]

    async def send(self, call: Call) -> Answer:
        """The answer to a GET. Raises as `Sender.send` does, and ValueError for anything but a GET."""
        if call.method != "GET":
            raise ValueError(f"a preview must not send {call.label}")
        self.tell(call)
        return await self.through(call)


@dataclass(slots=True)
class Unknown:
    """No account was asked. `tell` is called with the looks that a run would begin with, in an account of any size.

    Whoever somebody waited for until the input's end (the previous person of an alias, a person who is not to be
    created) is taken to be there: only then there is something to be sent.
    """

    memory: Memory
    labels: Labels
    backlog: Backlog
    tell: Callable[[Call], None]
    certain: bool = False
    _told: set[str] = field(default_factory=set)
    _over: bool = False

    async def learn(self, kinds: frozenset[Kind]) -> None:
        self._once(me())
        for kind in sorted(kinds):
            self._once(list_fields(kind))
        if kinds & {"leads", "products"}:
            self._once(currencies())
        if "leads" in kinds:
            self._once(lead_labels())

    async def prepare(self, jobs: Sequence[Job], *, leads: bool) -> None:
        for kind in KEYED:
            if any(job.kind == kind and (job.keys or job.name) for job in jobs):
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

    def input_over(self) -> None:
        self._over = True

    def _once(self, call: Call) -> None:
        if call.target not in self._told:
            self._told.add(call.target)
            self.tell(call)


@dataclass(slots=True)
class Seen:
    """An account that is looked at. `journal` is a scratch journal."""

    knowledge: AccountKnowledge
    directory: Directory
    journal: Journal
    match_email: bool
    labels_needed: bool
    certain: bool = True

    async def learn(self, kinds: frozenset[Kind]) -> Account:
        await self.knowledge.learn(kinds, labels=self.labels_needed or "leads" in kinds)
        return self.knowledge.account

    async def prepare(self, jobs: Sequence[Job], *, leads: bool) -> None:
        for kind in KEYED:
            mine = [job for job in jobs if job.kind == kind]
            keys = [key for job in mine for key in job.keys] + [name_key(j.name) for j in mine if j.name is not None]
            matching = self.match_email and kind == "persons"
            emails = sum(any(part.change.emails for part in job.parts) for job in mine) if matching else 0
            if keys:
                await self.directory.prepare(kind, keys, emails=emails)
        if leads:
            await self.directory.take_over_leads()

    async def locate(self, ask: Locate) -> tuple[RecordId, ...]:
        if ask.kind == "leads":
            return tuple(self.journal.known("leads", [ask.key or ""]).values())
        return await self.directory.locate(ask)

    def recall(self, kind: Kind, record: RecordId) -> Knowledge:
        return self.directory.recall(kind, record)

    async def look(self, kind: Kind, record: RecordId) -> Mapping[str, Any] | None:
        return await self.directory.look(kind, record)

    def input_over(self) -> None:
        pass
