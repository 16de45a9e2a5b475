"""A replay: event files into Pipedrive. Puts reading, transform and delivery together, and says how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from pipedrive_cli.config import Config, base_address
from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.brakes import BrakeCounter
from pipedrive_cli.delivery.budget import Pace
from pipedrive_cli.delivery.courier import Courier
from pipedrive_cli.delivery.crew import Crew
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.doubts import Doubts
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.journal import GroupCommits, Journal
from pipedrive_cli.delivery.journal.befores import forget_old_befores, note_beginning
from pipedrive_cli.delivery.journal.journal import IN_MEMORY
from pipedrive_cli.delivery.journal.mappings import note_mapping
from pipedrive_cli.delivery.live_desk import LiveDesk
from pipedrive_cli.delivery.retry import Failure, KindStops
from pipedrive_cli.delivery.run_log import EventResults, LiveFigures, RunLog
from pipedrive_cli.delivery.sender import Sender, ServerClock
from pipedrive_cli.delivery.writes import Writes
from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.events.any_source import read_source
from pipedrive_cli.events.source import Source, resolve_sources
from pipedrive_cli.model import Outcome
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call
from pipedrive_cli.pipedrive.client import Client
from pipedrive_cli.pipedrive.reading_account import read_me
from pipedrive_cli.report.rejects import RejectsWriter
from pipedrive_cli.report.run_context import RunContext
from pipedrive_cli.report.standing_rejects import Since
from pipedrive_cli.report.summary import Summary, problem_group, to_json
from pipedrive_cli.report.timeline import Timeline, packed
from pipedrive_cli.run.account import AccountKnowledge, pins_of
from pipedrive_cli.run.connection import firewall_pause, pause_file, remember_firewall, site_of, to_account, to_sandbox
from pipedrive_cli.run.cut_undos import catch_up_with_undos
from pipedrive_cli.run.intake import Intake
from pipedrive_cli.run.known_files import KnownFiles
from pipedrive_cli.run.mapping import RunMapping
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.reading_list import reading_started
from pipedrive_cli.run.refill import HandledOtherwise
from pipedrive_cli.run.results import clock_wrong, cut_short, new_run_name, summary_of, twin_records
from pipedrive_cli.run.run_files import RunFiles
from pipedrive_cli.run.session import Session
from pipedrive_cli.run.settings import brake_limits, day_budget
from pipedrive_cli.run.spool import Spool
from pipedrive_cli.run.suppression import digest_of, suppressed_people, suppression_list
from pipedrive_cli.run.unfinished import UnfinishedEvents, UnfinishedReading, chosen_run, input_left, sources_as_typed
from pipedrive_cli.run.unfit_advice import with_unfit_values
from pipedrive_cli.run.workers import Workers
from pipedrive_cli.transform.fingerprint import mapping_by_kind
from pipedrive_cli.transform.suppression import SuppressionList

if TYPE_CHECKING:
    from pipedrive_cli.run.preview_rows import PlannedRequest  # few runs have a plan


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended, for whoever reports it."""

    summary: Summary
    rejects: Path | None = None
    resume_in: float | None = None
    context: RunContext = field(default_factory=RunContext)


@dataclass(slots=True)
class Replay:
    """One run. `watch` shows the live figures until the run ends; `note` shows people a message.

    `connect` gives another way to Pipedrive than the config's: a client, and the requests per 2 s to start from.
    `journal` is used instead of the account's own.
    """

    config: Config
    config_file: str
    options: RunOptions
    stdin: BinaryIO | None = None
    watch: Callable[[LiveFigures], contextlib.AbstractAsyncContextManager[None]] | None = None
    note: Callable[[str], None] = lambda _: None
    connect: Callable[[], tuple[Client, int]] | None = None
    journal: Journal | None = None
    foresee: Callable[[PlannedRequest], None] | None = None  # is given the requests first, as a preview shows them
    results: EventResults | None = None  # unless `options` names a file for them
    live_figures: LiveFigures = field(default_factory=LiveFigures)
    used_journal: Path | None = None  # its file, once it is open
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _name: str = ""  # given when it begins
    _sender: Sender | None = None
    _stop_early: StopRun | None = None
    _suppressed: SuppressionList = field(default_factory=SuppressionList)
    _clock: ServerClock = field(default_factory=lambda: ServerClock(time.time))
    _timeline: Timeline | None = None  # begins when delivery begins

    def stop(self, why: StopRun) -> None:
        """Sends nothing new; what is in flight is finished and recorded."""
        self._stop_early = self._stop_early or why
        if self._sender is not None:
            self._sender.stop(why)
            self.live_figures.phase = "finishing what is in flight"

    async def run(self) -> Finished:
        """Runs to the end. Raises `UserMistake` and `StateHeld`, when nothing was sent."""
        if self.options.expect is not None and "-" in self.options.sources:
            raise UserMistake(
                "--expect: standard input can be read once, and a plan is compared before it is sent",
                code="usage",
                hint="write the events into a file first",
            )
        self._name = self.live_figures.run = new_run_name(self._started)
        self.live_figures.events_wanted = self.options.limit
        since = self.options.filters.since
        self._suppressed = suppression_list(self.config, self.note)
        try:
            sources = resolve_sources(
                self.options.sources, _unbuffered(self.stdin), since=since, rows=self.options.rows, note=self.note
            )
        except StopRun as stop:  # a cloud that cannot be reached
            return self._nothing_read(stop)
        files = RunFiles(self.config, self.config_file, self.options)
        files.keep_apart(sources)
        rejects, results = files.rejects(), files.results()
        self.results = results or self.results
        reading_started(self.live_figures, sources)
        door = None if self.options.sandbox or self.connect else pause_file(base_address(self.config), files.state)
        if door is not None and (shut := firewall_pause(door, time.time())) is not None:
            if rejects is not None:
                rejects.discard()
            return self._nothing_read(shut)
        async with contextlib.AsyncExitStack() as stack:
            if results is not None:
                stack.callback(results.close)
            if self.watch is not None:
                await stack.enter_async_context(self.watch(self.live_figures))
            finished = await self._through(sources, rejects, files)
        if results is not None and results.lost is not None:
            self.note(f"--results {results.path} ends before the run does: {results.lost.strerror or results.lost}")
        if door is not None and finished.summary.reason == "firewall":
            remember_firewall(door, time.time())
        return finished

    async def _through(self, sources: list[Source], rejects: RejectsWriter | None, files: RunFiles) -> Finished:
        """From the first request to the last."""
        async with self._connected() as (client, pace):
            day = day_budget(self.config, sandbox=self.options.sandbox)
            sender = self._sender = Sender(
                client,
                pace,
                day,
                self.live_figures,
                max_attempts=self.config.delivery.max_attempts,
                jitter=random.random,
                max_tokens=self.options.max_tokens,
                wait_for_budget=self.options.wait,
                server_time=self._clock.now,
                observers=(self._clock, self),
            )
            if self._stop_early is not None:
                sender.stop(self._stop_early)
            try:
                account = await self._greet(sender)
            except StopRun as stop:
                if rejects is not None:
                    rejects.discard()
                return self._nothing_read(stop)
            with contextlib.ExitStack() as stack:
                if rejects is not None:
                    stack.callback(rejects.discard)  # unless it was brought to its place
                journal = self.journal or stack.enter_context(files.journal(account.account.company_id or 0))
                spool = stack.enter_context(contextlib.closing(Spool(sender.stop)))
                account.journal = journal
                self.used_journal = None if journal.path == IN_MEMORY else journal.path
                if account.account.company_id is not None:
                    site = None if self.options.sandbox else site_of(self.config, account.account.company_domain)
                    journal.bind(account.account.company_id, account.account.company_name, site)
                try:
                    await catch_up_with_undos(self.config, journal, account)
                except StopRun as stop:
                    return self._nothing_read(stop)
                return await self._deliver(sources, rejects, sender, pace, account, journal, spool)

    def _nothing_read(self, stopped: StopRun) -> Finished:
        problem = problem_group(stopped.code, Outcome.PENDING, 0, message=stopped.message, hint=stopped.hint)
        summary = cut_short(stopped, (problem,), self.live_figures, self._name)
        return Finished(summary, None, stopped.resume_in, self._context(None))

    def _context(self, company: str | None) -> RunContext:
        asked, timeline = self.options, self._timeline
        return RunContext(
            scene=asked.scene,
            command=f"{asked.command} {sources_as_typed(asked.sources)}".strip(),
            company=company,
            started=self._started,
            moments=() if timeline is None else timeline.moments,
            passed_over=self.live_figures.files_passed_over,
        )

    async def _greet(self, sender: Sender) -> AccountKnowledge:
        self.live_figures.phase = "looking at the account"
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
        return AccountKnowledge(account, None, sender.send, self._now() / 1_000_000)

    def _now(self) -> int:
        """In microseconds since 1970. The clock of a rehearsal's sandbox is made up."""
        return int((time.time() if self.options.rehearsal else self._clock.latest()) * 1_000_000)

    async def _deliver(
        self,
        sources: list[Source],
        rejects: RejectsWriter | None,
        sender: Sender,
        pace: Pace,
        account: AccountKnowledge,
        journal: Journal,
        spool: Spool,
    ) -> Finished:
        """The run itself, once the account is known. Everything that works together is made here, once."""
        began = asyncio.get_running_loop().time()
        timeline = self._timeline = Timeline(began)
        timeline.add_moment(began, self.live_figures)
        retried = chosen_run(journal, self.options.retry_run) if self.options.retry else None
        kept = UnfinishedReading(journal, journal.unfinished(retried)) if self.options.retry else None
        if kept is not None:
            sources = [kept.source]
            reading_started(self.live_figures, sources)
        files = KnownFiles.of(journal, self.config, digest_of(self._suppressed), self.options)
        run = self._begin(journal)
        unfinished = UnfinishedEvents(
            spool=spool,
            sender=sender,
            live_figures=self.live_figures,
            run=run,
            # A retry's events are kept already, under the run that read them from a file.
            journal=None if self.options.retry else journal,
            rejects=rejects,
            files=files,
            max_failures=self.options.max_failures,
        )
        run_log = RunLog(run, self.live_figures, observer=unfinished, results=self.results)
        if not self.options.rehearsal and (wrong := clock_wrong(self._clock.ahead())) is not None:
            run_log.problem(wrong)
        commits = GroupCommits(journal, stop=sender.stop)
        brakes = BrakeCounter({} if self.options.rehearsal else brake_limits(self.config, self.options.brakes))
        desk = self._desk(sender, commits, run_log, brakes)
        waiting = Backlog(journal.aliases(), spool, journal.unknown_aliases())
        courier = Courier(desk, run_log, waiting, crew=desk.writes.doubts.crew)
        otherwise = HandledOtherwise.of(journal, self.config, refill=self.options.refill, run=run)
        mapping = self._mapping(run, account, run_log, courier, journal)
        intake = Intake(
            sources=sources,
            filters=self.options.filters,
            window=self.config.delivery.lookahead,
            mapping=mapping,
            now=self._now,
            spool=spool,
            limit=self.options.limit,
            files=files,
            otherwise=otherwise,
            processes=otherwise.processes,
            read=read_source if kept is None else lambda _: kept,
            suppressed=suppressed_people(self._suppressed, journal, waiting),
        )
        workers = Workers(pace, self.config.delivery.concurrency)
        session = Session(intake, mapping, courier, run_log, spool, workers)
        self._look_before_sending(session, account, desk, journal, brakes)
        with self._deadline(sender):
            stopped = await session.run()
        rejects_file, stopped = self._record_end(stopped, session, unfinished, commits)
        if self.options.retry and stopped is None:
            stopped = input_left(journal, retried)
        ended = asyncio.get_running_loop().time()
        timeline.add_end(ended, self.live_figures)
        summary = self._conclude(stopped, session, account, journal, run, ended - began)
        with journal.transaction():
            journal.end_run(run, to_json(summary), packed(timeline.moments))
        resume_in = None if stopped is None else stopped.resume_in
        return Finished(summary, rejects_file, resume_in, self._context(account.account.company_name))

    def _mapping(
        self, run: int, account: AccountKnowledge, run_log: RunLog, courier: Courier, journal: Journal
    ) -> RunMapping:
        """The run's mapping. The journal knows from the start, and whenever a kind is learned, which one it is."""
        mapping = RunMapping(self.config, self.config_file, account, run_log, courier)

        def keep() -> None:
            with journal.transaction():
                note_mapping(journal, run, mapping_by_kind(self.config, pins_of(journal)))

        keep()
        mapping.prepared = keep
        return mapping

    def _look_before_sending(
        self, session: Session, account: AccountKnowledge, desk: LiveDesk, journal: Journal, brakes: BrakeCounter
    ) -> None:
        """Has the session look at what it would send first, where a plan is expected, or a brake is set."""
        if self.options.expect is not None or self.foresee is not None:
            session.stop_at_once = lambda: self._other_plan(account, desk.directory, journal)
        if brakes:
            from pipedrive_cli.run.online_account import OnlineAccount  # noqa: PLC0415 - few runs look before they send
            from pipedrive_cli.run.paper_pass import stop_before  # noqa: PLC0415 - as above

            records = OnlineAccount(account, desk.directory, journal)
            session.stop_before = lambda window: stop_before(window, session.courier, records, brakes)

    async def _other_plan(self, account: AccountKnowledge, directory: Directory, journal: Journal) -> StopRun | None:
        """Why nothing is sent: the plan is not the expected one. What is looked up for it serves the run."""
        from pipedrive_cli.run.online_account import OnlineAccount  # noqa: PLC0415 - few runs have a plan
        from pipedrive_cli.run.plan_name import PlanNaming, changed, kept_rows, plans_folder  # noqa: PLC0415 - as above
        from pipedrive_cli.run.preview import Preview, PreviewOptions  # noqa: PLC0415 - as above

        records = OnlineAccount(account, directory, journal)
        asked, plan = self.options, PlanNaming()
        self.live_figures.phase = "comparing the plan"
        look = PreviewOptions.of(asked)
        await Preview(self.config, self.config_file, look, show=self.foresee, plan=plan).on(records)
        if asked.expect is None or plan.name == asked.expect:
            return None
        return changed(asked.expect, plan, kept_rows(asked.expect, plans_folder()))

    def _record_end(
        self, stopped: StopRun | None, session: Session, unfinished: UnfinishedEvents, commits: GroupCommits
    ) -> tuple[Path | None, StopRun | None]:
        """Records what is left once the session is over. Returns the rejects file, and why the run stopped early."""
        journal, intake = commits.journal, session.intake
        # A rehearsal handles nothing: what stands in the rejects file is still to be mended.
        since = Since(journal.over, session.mapping.denies, intake.suppresses, intake.finished)
        try:
            commits.flush()
            session.lost_track = session.lost_track or commits.failed
            with journal.transaction():
                session.run_log.write_to(journal)
        finally:
            # Before the files count as read: after a kill here, the next run writes the same rejects again.
            rejects_file = unfinished.close(None if self.options.rehearsal else since)
        files = unfinished.files
        if unfinished.lost is not None:
            stopped, files = stopped or unfinished.lost, None
        # A file whose events have lost their outcomes must be read again.
        if files is not None and not session.lost_track:
            with journal.transaction():
                files.keep(intake.finished)
        return rejects_file, stopped

    def _conclude(
        self,
        stopped: StopRun | None,
        session: Session,
        account: AccountKnowledge,
        journal: Journal,
        run: int,
        seconds: float,
    ) -> Summary:
        """What the run came to."""
        summary = summary_of(
            journal,
            run,
            self._name,
            stopped,
            input_complete=session.input_complete,
            live_figures=self.live_figures,
            seconds=seconds,
            lost_track=session.lost_track,
            anew=self.options.scene == "sandbox" and journal.path == IN_MEMORY,
        )
        return with_unfit_values(summary, session.run_log.unfit, self.config, self.config_file, account.account)

    def _desk(self, sender: Sender, commits: GroupCommits, run_log: RunLog, brakes: BrakeCounter) -> LiveDesk:
        directory = Directory(
            commits,
            sender.send,
            key_address={},
            wanted={},
            now=asyncio.get_running_loop().time,
            warn=lambda kind, key, ids: run_log.problem(twin_records(kind, key, ids)),
            ours=self._clock.ours,
        )
        doubts = Doubts(
            directory,
            commits,
            self._clock,
            Crew(),
            self.live_figures,
            sender.pause,
            timeout=self.config.delivery.timeout,
            settle=self.config.delivery.settle,
        )
        writes = Writes(sender, directory, commits, doubts, run_log)
        return LiveDesk(sender, directory, commits, run_log, writes, brakes)

    @contextlib.contextmanager
    def _deadline(self, sender: Sender) -> Iterator[None]:
        """Ends the run when its time is over."""
        if self.options.deadline is None:
            yield
            return
        hint = "run again to continue; everything done so far is kept"
        stop = StopRun("the deadline was reached", code="deadline", hint=hint)
        timer = asyncio.get_running_loop().call_later(self.options.deadline, sender.stop, stop)
        try:
            yield
        finally:
            timer.cancel()

    def _begin(self, journal: Journal) -> int:
        """The run's number in the journal."""
        with journal.transaction():
            while journal.has_run(self._name):  # runs that begin in one second may draw one name
                self._name = self.live_figures.run = new_run_name(self._started)
            forget_old_befores(journal, self._clock.now())
            number = journal.begin_run(
                self._name,
                self._started.isoformat(),
                sources_as_typed(self.options.sources),
                command=self.options.command,
                scene=self.options.scene,
            )
            note_beginning(journal, number, self._clock.now())
            return number

    # -- what the run is given

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Client, Pace]]:
        """A client, and the limits to start from."""
        if self.connect is not None:
            client, limit = self.connect()
        else:
            client, limit = (to_sandbox if self.options.sandbox else to_account)(self.config)
        try:
            yield client, Pace(limit)
        finally:
            await client.aclose()

    def note_answer(self, call: Call, answer: Answer) -> None:
        """A moment of the run's timeline, once something is delivered."""
        del call, answer  # that one came is enough
        if self._timeline is not None:
            self._timeline.add_moment(asyncio.get_running_loop().time(), self.live_figures)


def _unbuffered(stdin: BinaryIO | None) -> BinaryIO | None:
    """Standard input without Python's buffer. An interrupted run leaves a thread that waits for the pipe: with the
    buffer locked by it, the process would abort at its end.
    """
    return cast(BinaryIO | None, getattr(stdin, "raw", stdin))
