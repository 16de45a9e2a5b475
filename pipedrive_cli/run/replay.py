"""The job: event files into Pipedrive. Puts reading, transform and delivery together, and says how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from pipedrive_cli.config import Config, address, credentials
from pipedrive_cli.delivery.backlog import Backlog, Case, Job
from pipedrive_cli.delivery.book import Book
from pipedrive_cli.delivery.budget import Day, Pace, concurrency
from pipedrive_cli.delivery.courier import Courier, in_order
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.doubt import Doubts
from pipedrive_cli.delivery.journal import GroupCommits, Journal
from pipedrive_cli.delivery.journal.journal import IN_MEMORY
from pipedrive_cli.delivery.leads import lead_job
from pipedrive_cli.delivery.plan import Refusal, name_key
from pipedrive_cli.delivery.sender import Failure, KindStops, Sender
from pipedrive_cli.delivery.tally import Tally
from pipedrive_cli.errors import EXIT_USAGE, ConfigProblems, StopRun
from pipedrive_cli.events.event import Event
from pipedrive_cli.events.source import Source, resolve
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import PLANS, WINDOW_SECONDS, Call
from pipedrive_cli.pipedrive.client import Client
from pipedrive_cli.pipedrive.reading_account import read_me
from pipedrive_cli.report.rejects import Note, RejectsWriter
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.account import AccountKnowledge, problems_of, raise_problems
from pipedrive_cli.run.embedded import ADDRESS, embedded_sandbox
from pipedrive_cli.run.intake import Intake, reading_started
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.spool import Held, Spool
from pipedrive_cli.run.state import default_path, held
from pipedrive_cli.run.telling import summary_of
from pipedrive_cli.run.terms import terms_of
from pipedrive_cli.secret import Secret
from pipedrive_cli.transform.changes import KINDS, Complaint, Kind, Outcome, Transformed
from pipedrive_cli.transform.transform import Transform, compile_mapping

LATENCY = 0.15  # seconds an answer takes, until some have been measured
MOST_WORKERS = 128


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended, for whoever tells it."""

    summary: Summary
    rejects: Path | None = None
    resume_in: float | None = None


@dataclass(slots=True)
class Replay:
    """One run. `watch` is started with the tally and told to stop at the end; `note` tells people something.

    `connect` gives another way to Pipedrive than the config's: a client, and the requests per 2 s to start from.
    """

    config: Config
    config_file: str
    options: RunOptions
    stdin: BinaryIO | None = None
    watch: Callable[[Tally], contextlib.AbstractAsyncContextManager[None]] | None = None
    note: Callable[[str], None] = lambda _: None
    connect: Callable[[], tuple[Client, int]] | None = None
    tally: Tally = field(default_factory=Tally)
    _sender: Sender | None = None
    _stop_early: StopRun | None = None
    _server_offset: float | None = None
    _wrote: bool = False

    def stop(self, why: StopRun) -> None:
        """Stop taking, finish what is in flight, record, say what is left."""
        self._stop_early = self._stop_early or why
        if self._sender is not None:
            self._sender.stop(why)

    async def run(self) -> Finished:
        """Runs to the end. Raises `UserMistake` and `StateHeld` when nothing was sent, and `StopRun` likewise."""
        sources = resolve(self.options.sources, self.stdin, note=self.note)
        rejects = self._rejects(sources)
        reading_started(self.tally, sources)
        async with self._connected() as (client, pace):
            day = Day(self._daily_tokens(), self._leave())
            sender = self._sender = Sender(
                client,
                pace,
                day,
                self.tally,
                max_attempts=self.config.delivery.max_attempts,
                jitter=random.random,
                max_tokens=self.options.max_tokens,
                wait_for_budget=self.options.wait,
            )
            sender.on_answer = self._heard
            if self._stop_early is not None:
                sender.stop(self._stop_early)
            account = await self._greet(sender)
            with self._journal(account.account.company_id or 0) as journal:
                account.journal = journal
                if account.account.company_id is not None:
                    journal.bind(account.account.company_id, account.account.company_name)
                return await self._deliver(sources, rejects, sender, pace, account, journal)

    async def _greet(self, sender: Sender) -> AccountKnowledge:
        self.tally.phase = "looking at the account"
        try:
            account = await read_me(sender.send)
        except (Failure, KindStops, Refusal) as failure:
            raise StopRun(
                f"Pipedrive cannot be reached: {failure.message}",
                code="unreachable",
                hint="check the network and pipedrive.company_domain, then run again",
            ) from failure
        if account.admin is False:
            self.note(
                f"{account.user_name or 'The user of this key'} is no admin: records that this user cannot see "
                "count as absent, and would be created a second time"
            )
        return AccountKnowledge(account, None, sender.send, time.time())

    async def _deliver(
        self,
        sources: list[Source],
        rejects: RejectsWriter | None,
        sender: Sender,
        pace: Pace,
        account: AccountKnowledge,
        journal: Journal,
    ) -> Finished:
        started, began = datetime.now(UTC), asyncio.get_running_loop().time()
        name = f"{started:%Y-%m-%dT%H-%M-%SZ}-{secrets.token_hex(2)}"
        with journal.transaction():
            run = journal.begin_run(name, started.isoformat())
        spool = Spool()
        book = Book(run, self.tally, on_ended=lambda case: _keep(case, spool, rejects, journal, run))
        work = _Work(self, sender, pace, account, GroupCommits(journal), book, spool)
        stopped: StopRun | None = None
        try:
            async with contextlib.AsyncExitStack() as stack:
                if self.watch is not None:
                    await stack.enter_async_context(self.watch(self.tally))
                stopped = await work.through(sources)
        except ConfigProblems:
            if rejects is not None:
                rejects.discard()
            raise
        finally:
            spool.close()
        work.finish()
        written = rejects.close() if rejects is not None else None
        seconds = asyncio.get_running_loop().time() - began
        summary = summary_of(
            journal, run, name, stopped, input_complete=work.input_complete, tally=self.tally, seconds=seconds
        )
        with journal.transaction():
            from pipedrive_cli.report.summary import to_json  # noqa: PLC0415 - at the end alone

            journal.end_run(run, to_json(summary))
        return Finished(summary, written, None if stopped is None else stopped.resume_in)

    # -- what the run is given

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Client, Pace]]:
        """A client, and the limits to start from."""
        connect = self.connect or (self._to_sandbox if self.options.sandbox else self._to_account)
        client, limit = connect()
        try:
            yield client, Pace(limit)
        finally:
            await client.aclose()

    def _to_sandbox(self) -> tuple[Client, int]:
        from pipedrive_cli.sandbox import SandboxTransport  # noqa: PLC0415 - only the sandbox needs it

        sandbox = embedded_sandbox(self.config)
        key = ("x-api-token", Secret(sandbox.options.api_token))
        client = Client(ADDRESS, key, timeout=self.config.delivery.timeout, transport=SandboxTransport(sandbox))
        return client, PLANS["unlimited"].requests

    def _to_account(self) -> tuple[Client, int]:
        plan = PLANS[self.config.pipedrive.plan]
        key = credentials(self.config)
        client = Client(address(self.config), key, timeout=self.config.delivery.timeout, connections=MOST_WORKERS)
        return client, plan.oauth_requests if key[0].lower() == "authorization" else plan.requests

    @contextlib.contextmanager
    def _journal(self, company: int) -> Iterator[Journal]:
        path = self.options.state or self.config.state
        if path is None:
            path = IN_MEMORY if self.options.sandbox else default_path(company)
        with contextlib.ExitStack() as stack:
            if path != IN_MEMORY:
                stack.enter_context(held(path))
            journal = Journal.open(path)
            stack.callback(journal.close)
            yield journal

    def _rejects(self, sources: list[Source]) -> RejectsWriter | None:
        if self.options.rejects is None:
            return None
        return RejectsWriter(self.options.rejects, [s.path for s in sources if s.path is not None])

    def _daily_tokens(self) -> int | None:
        if self.options.sandbox:
            return None
        if self.config.delivery.daily_tokens is not None:
            return self.config.delivery.daily_tokens
        seats = self.config.pipedrive.seats
        return None if seats is None else PLANS[self.config.pipedrive.plan].tokens(seats)

    def _leave(self) -> float:
        reserve = self.config.delivery.leave_tokens
        return reserve.ratio if reserve.ratio else float(reserve.tokens)

    def _heard(self, call: Call, answer: Answer) -> None:
        if call.method != "GET":
            self._wrote = True
        if (date := answer.date) is not None:
            self._server_offset = date.timestamp() - asyncio.get_running_loop().time()

    def server_time(self) -> float:
        """Pipedrive's clock as last heard, seconds since 1970."""
        offset = self._server_offset
        return time.time() if offset is None else asyncio.get_running_loop().time() + offset

    @property
    def wrote(self) -> bool:
        """Whether anything was written in this run."""
        return self._wrote


def _keep(case: Case, spool: Spool, rejects: RejectsWriter | None, journal: Journal, run: int) -> None:
    """What becomes of an ended event's bytes: into the rejects file, and into the journal while it is unfinished."""
    held: Held | None = case.body
    if held is None or case.outcome not in {Outcome.REJECTED, Outcome.FAILED, Outcome.PENDING}:
        return
    raw = spool.get(held)
    if case.digest and case.outcome is not Outcome.REJECTED:
        journal.keep_unfinished(run, [(case.digest, case.place.file, case.place.line, case.place.index, raw)])
    if rejects is None or case.outcome is Outcome.PENDING:
        return
    reason = next((c for c in case.complaints if c.outcome is case.outcome), None) or Complaint("failed", "it failed")
    note = Note(
        file=case.place.file,
        line=case.place.line,
        index=case.place.index,
        identity=case.message_id or None,
        time=case.time,
        outcome=case.outcome,
        code=reason.code,
        message=reason.message,
        field=reason.field,
    )
    rejects.add(raw, note, cut=held.cut)


def _kind_refused(stops: KindStops) -> StopRun:
    return StopRun(
        f"Pipedrive takes nothing more of {stops.kind}: {stops.message}",
        code="kind_refused",
        hint="mend the key's permissions or the plan's limits, then run again: what waits is kept",
    )


def _cannot_look(trouble: Failure | KindStops | Refusal) -> StopRun:
    return StopRun(
        f"Pipedrive could not be asked for what this run needs: {trouble.message}",
        code="look_up_failed",
        hint="run again later to continue; nothing was guessed",
    )


@dataclass(slots=True)
class _Work:
    """The windows of one run: read, deliver, until the input is over."""

    replay: Replay
    sender: Sender
    pace: Pace
    account: AccountKnowledge
    commits: GroupCommits
    book: Book
    spool: Spool
    input_complete: bool = False
    _transform: Transform | None = None
    _prepared: frozenset[Kind] = frozenset()
    _courier: Courier | None = None
    _intake: Intake | None = None

    async def through(self, sources: list[Source]) -> StopRun | None:
        """Returns why the run stopped early, or None."""
        replay = self.replay
        tally = replay.tally
        backlog = Backlog(self.commits.journal.aliases())
        intake = self._intake = Intake(
            sources=sources,
            filters=replay.options.filters,
            window=replay.config.delivery.lookahead,
            book=self.book,
            backlog=backlog,
            spool=self.spool,
            journal=self.commits.journal,
            transform=self._transformed,
            prepare=self._prepare,
            now=lambda: time.time_ns() // 1000,
            limit=replay.options.limit,
            stopped=lambda: self.sender.stopped is not None,
        )
        timer = self._deadline()
        try:
            await self._settle_doubts()
            async for _ in intake.windows():
                await self._window(backlog)
                intake.end_twins()  # they need their bytes
                self.spool_restart(backlog)
                tally.phase = "reading"
            if self.sender.stopped is None and intake.complete:
                await self._window(backlog)
            if self._courier is not None:
                self._courier.input_over = True
            while len(backlog):
                await self._window(backlog)
            if self._courier is not None and self._courier.kinds_stopped:
                self.sender.stop(_kind_refused(next(iter(self._courier.kinds_stopped.values()))))
        except (StopRun, Failure, KindStops, Refusal) as trouble:
            # Only what a run asks for on its own account ends here: a record's troubles are the courier's.
            self.sender.stop(trouble if isinstance(trouble, StopRun) else _cannot_look(trouble))
            if self._courier is not None:
                self._courier.input_over = True
                await self._window(backlog)  # nothing is sent any more: what waits is recorded as pending
        finally:
            if timer is not None:
                timer.cancel()
        intake.end_twins()
        self.input_complete = intake.complete and not intake.left
        return self.sender.stopped

    def spool_restart(self, backlog: Backlog) -> None:
        if not len(backlog):
            self.spool.restart()

    def finish(self) -> None:
        """Writes what is left to tell into the journal."""
        if self._intake is not None:
            for (kind, name), n in self._intake.dropped.items():
                self.book.count("dropped", f"{kind} {name}", n)
            for entry in self._intake.left:
                reason = entry.refusal or Complaint("unfinished_line", "the last line has no end")
                case = Case(b"", entry.identity or "", entry.place, None)
                self.book.problem(Complaint(reason.code, reason.message), case)
        self.commits.flush()
        with self.commits.journal.transaction():
            self.book.write(self.commits.journal)

    async def _settle_doubts(self) -> None:
        """Every run settles what is in doubt before anything else."""
        if self.commits.journal.open_writes():
            kinds: frozenset[Kind] = frozenset(write.kind for write in self.commits.journal.open_writes())
            await self._prepare(kinds)
            assert self._courier is not None  # noqa: S101 - made by _prepare
            writes = self.commits.journal.open_writes()
            await self._courier.doubts.settle_writes(self.commits, writes, self.replay.server_time())

    async def _window(self, backlog: Backlog) -> None:
        """Delivers all that waits."""
        if self._courier is None or not len(backlog):
            return
        tally = self.replay.tally
        courier = self._courier
        jobs, leads = backlog.take()
        all_jobs = in_order([*jobs, *(lead_job(change, case) for change, case in leads)])
        tally.window_records = tally.backlog_records = len(all_jobs)
        if self.sender.stopped is None:
            tally.phase = "looking up records"
            try:
                await asyncio.gather(*(self._look_up(kind, jobs) for kind in ("organizations", "products", "persons")))
                if leads:
                    await courier.directory.take_over_leads()
            except KindStops as stops:
                courier.kinds_stopped.setdefault(stops.kind, stops)
            except Failure:
                pass  # each job meets the trouble itself, and creates nothing
            except StopRun as stop:
                self.sender.stop(stop)
        tally.phase = "writing"
        await courier.deliver(all_jobs, self._workers())
        self.commits.flush()

    async def _look_up(self, kind: Kind, jobs: list[Job]) -> None:
        mine = [job for job in jobs if job.kind == kind]
        keys = [key for job in mine for key in job.keys] + [name_key(job.name) for job in mine if job.name is not None]
        matching = self.replay.config.identity.match_email and kind == "persons"
        emails = sum(any(part.change.emails for part in job.parts) for job in mine) if matching else 0
        if keys:
            assert self._courier is not None  # noqa: S101 - only a prepared run has jobs
            await self._courier.directory.prepare(kind, keys, emails=emails)

    def _workers(self) -> int:
        wish = self.replay.config.delivery.concurrency
        if isinstance(wish, int):
            return wish
        # Twice what the limit and a usual latency ask for: the limiter, not the number of workers, sets the pace.
        return min(MOST_WORKERS, 2 * concurrency(min(self.pace.limit, 100 * WINDOW_SECONDS), LATENCY) + 8)

    def _transformed(self, event: Event) -> Transformed:
        assert self._transform is not None or not self._prepared  # noqa: S101 - prepare comes first
        if self._transform is None:
            self._transform = compile_mapping(self.replay.config, self.account.account)
        return self._transform.transform(event)

    async def _prepare(self, kinds: frozenset[Kind]) -> None:
        """Learns what events of these kinds need of the account; a config that does not fit it ends the run here."""
        config = self.replay.config
        labels = bool(config.leads.label_ids) or "leads" in kinds
        await self.account.learn(kinds, labels=labels)
        self._prepared |= kinds
        problems = problems_of(config, self.account.account, self._prepared)
        if problems:
            self.account.forget()  # somebody may have made the field a minute ago
            await self.account.learn(self._prepared, labels=labels)
            problems = problems_of(config, self.account.account, self._prepared)
        if problems and self.replay.wrote:
            raise StopRun(
                f"the config does not fit the account: {problems[0].path} {problems[0].message}",
                code="config",
                exit_code=EXIT_USAGE,
                hint="`pipedrive-cli check` lists every problem; run again to continue",
            )
        raise_problems(self.replay.config_file, problems)
        self._transform = compile_mapping(config, self.account.account)
        self._equip(self._transform)

    def _equip(self, transform: Transform) -> None:
        """Gives the courier what the mapping has become."""
        terms = terms_of(self.replay.config, transform, self.account.account)
        wanted = {kind: transform.addresses(kind) for kind in KINDS}
        if self._courier is not None:
            self._courier.terms = terms
            self._courier.directory.want(terms.key_address, wanted)
            return
        directory = Directory(
            self.commits,
            self.sender.send,
            key_address=terms.key_address,
            wanted=wanted,
            now=asyncio.get_running_loop().time,
            warn=self._warn_of_twins,
        )
        assert self._intake is not None  # noqa: S101 - made before anything is prepared
        self._courier = Courier(
            self.sender,
            directory,
            self.commits,
            self.book,
            self._intake.backlog,
            terms,
            Doubts(directory, self.replay.config.delivery.settle),
            self.replay.server_time,
        )

    def _warn_of_twins(self, kind: Kind, key: str, ids: Any) -> None:
        listed = ", ".join(str(i) for i in list(ids)[:10])
        self.book.problem(
            Complaint("twin_records", f"{kind} {listed} all bear {key!r}; the oldest, {ids[0]}, is taken", value=key)
        )

    def _deadline(self) -> asyncio.TimerHandle | None:
        if self.replay.options.deadline is None:
            return None
        stop = StopRun(
            "the deadline was reached", code="deadline", hint="run again to continue; everything done so far is kept"
        )
        return asyncio.get_running_loop().call_later(self.replay.options.deadline, self.sender.stop, stop)
