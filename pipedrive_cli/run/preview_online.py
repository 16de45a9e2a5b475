"""A preview that looks at the account, with GETs alone, and with a copy of the account's journal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.asks import Knowledge, Locate, RecordId, Terms, name_key
from pipedrive_cli.delivery.backlog import Job
from pipedrive_cli.delivery.budget import Day
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.failing import Failure, KindStops
from pipedrive_cli.delivery.journal import GroupCommits, Journal
from pipedrive_cli.delivery.journal.scratch import scratch
from pipedrive_cli.delivery.standing import RecordState
from pipedrive_cli.delivery.tally import Tally
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call
from pipedrive_cli.pipedrive.reading_account import read_me
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.asking import connected, unreachable
from pipedrive_cli.run.preview_account import KEYED
from pipedrive_cli.run.state import default_path
from pipedrive_cli.transform.changes import KINDS, Kind
from pipedrive_cli.transform.transform import Transform


@dataclass(slots=True)
class OnlyLooks:
    """Lets looks through, and nothing else: whatever is wrong elsewhere, a preview cannot write."""

    through: Callable[[Call], Awaitable[Answer]]
    tell: Callable[[Call], None]
    heard: Callable[[Call, Answer | Exception], None] | None = None

    async def send(self, call: Call) -> Answer:
        """The answer to a GET. Raises as `Sender.send` does, and ValueError for anything but a GET."""
        if call.method != "GET":
            raise ValueError(f"a preview must not send {call.label}")
        self.tell(call)
        if self.heard is None:
            return await self.through(call)
        try:
            answer = await self.through(call)
        except Exception as error:
            self.heard(call, error)
            raise
        self.heard(call, answer)
        return answer


@dataclass(slots=True)
class Seen:
    """An account that is looked at. `journal` is a scratch journal; `knowledge.send` lets looks through alone."""

    knowledge: AccountKnowledge
    directory: Directory
    journal: Journal
    config: Config
    certain: bool = True

    async def learn(self, kinds: frozenset[Kind], *, anew: bool = False) -> Account:
        if anew:
            self.knowledge.forget()
        await self.knowledge.learn(kinds, labels=bool(self.config.leads.label_ids) or "leads" in kinds)
        return self.knowledge.account

    def equip(self, terms: Terms, transform: Transform) -> None:
        self.directory.want(terms.key_address, {kind: transform.addresses(kind) for kind in KINDS})

    async def prepare(self, jobs: Sequence[Job], *, leads: bool) -> None:
        # What cannot be looked up now is met by each job itself.
        with contextlib.suppress(Failure, KindStops):
            for kind in KEYED:
                await self._prepare(kind, [job for job in jobs if job.kind == kind])
            if leads:
                await self.directory.leads.take_over()

    async def _prepare(self, kind: Kind, jobs: Sequence[Job]) -> None:
        keys = [key for job in jobs for key in job.keys] + [name_key(j.name) for j in jobs if j.name is not None]
        ids = [record for job in jobs for record in job.ids]
        if keys or ids:
            await self.directory.prepare(kind, keys, ids)

    async def locate(self, ask: Locate) -> tuple[RecordId, ...]:
        if ask.kind == "leads":
            return tuple(self.journal.known("leads", [ask.key or ""]).values())
        return await self.directory.locate(ask)

    def recall(self, kind: Kind, record: RecordId) -> Knowledge:
        return self.directory.recall(kind, record)

    async def look(self, kind: Kind, record: RecordId) -> Mapping[str, Any] | None:
        return await self.directory.look(kind, record)

    def lost(self, kind: Kind, key: str) -> RecordState | None:
        return self.journal.lost(kind, key)

    def input_over(self) -> None:
        """Whoever was waited for is not there: that is certain here."""


@contextlib.asynccontextmanager
async def looking(
    config: Config,
    *,
    sandbox: bool,
    state: Path | None,
    tell: Callable[[Call], None],
    warn: Callable[[Kind, str, Sequence[int]], None],
    heard: Callable[[Call, Answer | Exception], None] | None = None,
    day: Day | None = None,
    max_tokens: int | None = None,
    tally: Tally | None = None,
) -> AsyncIterator[Seen]:
    """The account that the config names, or the embedded sandbox. `tell` is called with every look, before it leaves.

    `heard` is given what was answered or raised. `day` and `max_tokens` bound what looking may cost, `tally` counts it.

    Raises UserMistake without address or key, and StopRun where nobody answers or the key is refused.
    """
    async with connected(config, sandbox=sandbox, day=day, max_tokens=max_tokens, tally=tally) as line:
        only = OnlyLooks(line.send, tell, heard)
        try:
            account = await read_me(only.send)
        except Failure as failure:
            raise unreachable(failure) from failure
        company = account.company_id or 0
        if state is None and not sandbox:
            state = default_path(company)
        with contextlib.closing(scratch(state)) as journal:
            journal.bind(company, account.company_name)
            knowledge = AccountKnowledge(account, journal, only.send, time.time())
            directory = Directory(
                GroupCommits(journal, pause=0.0),
                only.send,
                key_address={},
                wanted={},
                now=asyncio.get_running_loop().time,
                warn=warn,
            )
            yield Seen(knowledge, directory, journal, config)
