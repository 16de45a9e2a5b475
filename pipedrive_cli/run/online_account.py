"""The account as an online preview reads it: with GETs alone, and with a copy of the account's journal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.budget import Day
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.effects import DeliverySettings, Find, RecordId, Snapshot
from pipedrive_cli.delivery.journal import GroupCommits, Journal
from pipedrive_cli.delivery.journal.contents import contents_of
from pipedrive_cli.delivery.journal.rows import Recalled
from pipedrive_cli.delivery.journal.scratch import scratch
from pipedrive_cli.delivery.precedence import RecordState
from pipedrive_cli.delivery.retry import Failure
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.delivery.sender import ServerClock
from pipedrive_cli.delivery.window import KEYED, Window
from pipedrive_cli.model import Kind, Values
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call
from pipedrive_cli.pipedrive.reading_account import read_me
from pipedrive_cli.run.account import AccountKnowledge
from pipedrive_cli.run.connection import connected, unreachable
from pipedrive_cli.run.cut_undos import catch_up_with_undos
from pipedrive_cli.run.journal_file import default_path


@dataclass(slots=True)
class OnlyLooks:
    """Lets only GETs through: whatever is wrong elsewhere, a preview cannot write."""

    through: Callable[[Call], Awaitable[Answer]]
    tell: Callable[[Call], None]
    note_answer: Callable[[Call, Answer | Exception], None] | None = None

    async def send(self, call: Call) -> Answer:
        """The answer to a GET. Raises as `Sender.send` does, and ValueError for anything but a GET."""
        if call.method != "GET":
            raise ValueError(f"a preview must not send {call.label}")
        self.tell(call)
        if self.note_answer is None:
            return await self.through(call)
        try:
            answer = await self.through(call)
        except Exception as error:
            self.note_answer(call, error)
            raise
        self.note_answer(call, answer)
        return answer


@dataclass(slots=True)
class OnlineAccount:
    """An account that is read. `journal` is a scratch journal; `knowledge.send` lets only GETs through."""

    knowledge: AccountKnowledge
    directory: Directory
    journal: Journal
    certain: bool = True
    clock: ServerClock | None = None

    # -- the account

    @property
    def account(self) -> Account:
        return self.knowledge.account

    async def learn(self, kinds: frozenset[Kind], *, labels: bool) -> None:
        await self.knowledge.learn(kinds, labels=labels)

    async def learn_users(self) -> None:
        await self.knowledge.learn_users()

    async def renew(self, kinds: frozenset[Kind]) -> bool:
        return await self.knowledge.renew(kinds)

    async def reread(self, kind: Kind) -> None:
        await self.knowledge.reread(kind)

    def forget(self) -> None:
        self.knowledge.forget()

    def pin(self, config: Config) -> None:
        self.knowledge.pin(config)

    # -- its records

    def equip(self, settings: DeliverySettings, addresses: Mapping[Kind, frozenset[str]]) -> None:
        self.directory.want(settings.key_address, addresses)

    async def prepare(self, window: Window) -> None:
        # One kind after the other: requests are shown in the order of the kinds.
        for kind in KEYED:
            keys, ids = window.keys(kind), window.ids(kind)
            if keys or ids:
                await self.directory.prepare(kind, keys, ids)
        if window.has_leads:
            await self.directory.leads.take_over()

    async def find(self, effect: Find) -> tuple[RecordId, ...]:
        if effect.kind == "leads":
            lead = self.journal.named("leads", effect.key or "")
            return () if lead is None else (lead,)
        return await self.directory.locate(effect)

    def cached(self, kind: Kind, record: RecordId) -> Snapshot:
        return self.directory.cached(kind, record)

    async def fetch(self, kind: Kind, record: RecordId, *, mapped: bool) -> Values | None:
        return await self.directory.fetch(kind, record, mapped=mapped)

    def load_deleted(self, kind: Kind, key: str) -> RecordState | None:
        return self.journal.load_deleted(kind, key)

    def last_seen(self, kind: Kind, record: RecordId) -> Values | None:
        seen = self.journal.seen(kind, record)
        return None if seen is None else seen.values

    def recall(self, digests: Sequence[bytes]) -> Recalled:
        return self.journal.recall(digests)

    def last_number(self) -> int:
        return self.journal.last_number()

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        return contents_of(self.journal, digests)

    def input_over(self) -> None:
        """Nothing to do: a record that was not found is certainly not there."""


@contextlib.asynccontextmanager
async def looking(
    config: Config,
    *,
    sandbox: bool,
    state: Path | None,
    tell: Callable[[Call], None],
    warn: Callable[[Kind, str, Sequence[int]], None],
    note_answer: Callable[[Call, Answer | Exception], None] | None = None,
    day: Day | None = None,
    max_tokens: int | None = None,
    live_figures: LiveFigures | None = None,
) -> AsyncIterator[OnlineAccount]:
    """The account that the config names, or the embedded sandbox. `tell` is called with each request, before it leaves.

    `note_answer` is given what was answered or raised. `day` and `max_tokens` bound the cost, `live_figures` count it.

    Raises UserMistake without address or key, and StopRun where nobody answers or the key is refused.
    """
    async with connected(
        config, sandbox=sandbox, day=day, max_tokens=max_tokens, live_figures=live_figures
    ) as connection:
        only = OnlyLooks(connection.send, tell, note_answer)
        try:
            account = await read_me(only.send)
        except Failure as failure:
            raise unreachable(failure) from failure
        company = account.company_id or 0
        if state is None and not sandbox:
            state = default_path(company)
        with contextlib.closing(scratch(state)) as journal, journal.in_use():
            journal.bind(company, account.company_name)
            knowledge = AccountKnowledge(account, journal, only.send, connection.clock.latest())
            await catch_up_with_undos(config, journal, knowledge)
            directory = Directory(
                GroupCommits(journal, pause=0.0),
                only.send,
                key_address={},
                wanted={},
                now=asyncio.get_running_loop().time,
                warn=warn,
            )
            yield OnlineAccount(knowledge, directory, journal, clock=connection.clock)
