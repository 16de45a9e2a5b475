"""The windows of one run: events are taken up, records looked up, jobs delivered, until the input is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipedrive_cli.config import Config
from pipedrive_cli.delivery.asks import Refusal
from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.book import Book
from pipedrive_cli.delivery.budget import Pace, concurrency
from pipedrive_cli.delivery.cases import Case, Origin
from pipedrive_cli.delivery.courier import Courier
from pipedrive_cli.delivery.directory import Directory
from pipedrive_cli.delivery.doubt import Doubts
from pipedrive_cli.delivery.failing import Failure, KindStops
from pipedrive_cli.delivery.journal import GroupCommits
from pipedrive_cli.delivery.sender import Sender
from pipedrive_cli.delivery.tally import Tally
from pipedrive_cli.delivery.window import Window
from pipedrive_cli.delivery.writes import Writes
from pipedrive_cli.errors import EXIT_USAGE, StopRun
from pipedrive_cli.events.event import Event
from pipedrive_cli.events.reading import Reading, read
from pipedrive_cli.events.source import Source
from pipedrive_cli.outcomes import Complaint
from pipedrive_cli.run.account import AccountKnowledge, problems_of, raise_problems, told_moved
from pipedrive_cli.run.intake import Intake, kinds_of
from pipedrive_cli.run.known_files import KnownFiles
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.retrying import KeptEvents
from pipedrive_cli.run.spool import Spool
from pipedrive_cli.run.terms import names_of, terms_of
from pipedrive_cli.transform.changes import KINDS, Kind, Transformed
from pipedrive_cli.transform.transform import Transform, compile_mapping

LATENCY = 0.15  # seconds an answer takes, until some have been measured
SLOW_ANSWER = 0.6  # seconds that an answer may take without the limit going unused
MOST_WORKERS = 128
HIGHEST_LIMIT = 480  # requests per 2 s that any plan allows; the sandbox's own, without end, asks for no more


@dataclass(slots=True)
class Work:
    """The windows of one run: read, deliver, until the input is over. `wrote` tells whether anything was sent yet."""

    config: Config
    config_file: str
    options: RunOptions
    tally: Tally
    server_time: Callable[[], float]
    wrote: Callable[[], bool]
    sender: Sender
    pace: Pace
    account: AccountKnowledge
    commits: GroupCommits
    book: Book
    spool: Spool
    files: KnownFiles | None = None  # None: every file is read
    kept: KeptEvents | None = None  # the input of a retry
    input_complete: bool = False
    lost_track: bool = False  # of some events: what became of them could not be recorded
    _transform: Transform | None = None
    _prepared: frozenset[Kind] = frozenset()
    _courier: Courier | None = None
    _intake: Intake | None = None
    _kinds_stopped: dict[Kind, KindStops] = field(default_factory=dict)
    _renewed: frozenset[Kind] = frozenset()  # kinds whose fields were asked for again because a value did not fit
    _moved: set[str] = field(default_factory=set)  # paths of the config that were warned of

    async def through(self, sources: list[Source]) -> StopRun | None:
        """Returns why the run stopped early, or None."""
        tally = self.tally
        backlog = Backlog(self.commits.journal.aliases(), self.spool)
        intake = self._intake = Intake(
            sources=sources,
            filters=self.options.filters,
            window=self.config.delivery.lookahead,
            book=self.book,
            backlog=backlog,
            spool=self.spool,
            journal=self.commits.journal,
            transform=self._transformed,
            prepare=self._prepare,
            renew=self._renew,
            now=lambda: time.time_ns() // 1000,
            limit=self.options.limit,
            files=self.files,
            read=read if self.kept is None else self._read_kept,
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
                self._courier.input_cut = not intake.complete or intake.unread() is not None
            while len(backlog):
                await self._window(backlog)
            if self._courier is not None and self.sender.stopped is None:
                await self._courier.look_once_more()
            if self._kinds_stopped:
                self.sender.stop(_kind_refused(next(iter(self._kinds_stopped.values()))))
            if (unread := intake.unread()) is not None:
                self.sender.stop(unread)
        except (StopRun, Failure, KindStops, Refusal) as trouble:
            # Only what a run asks for on its own account ends here: a record's troubles are the courier's.
            self.lost_track = True  # of what was under way, should its disk have failed
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

    def _read_kept(self, source: Source) -> Reading:
        del source
        assert self.kept is not None  # noqa: S101 - asked for by a retry alone
        return self.kept

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
                case = Case(b"", Origin(entry.identity or "", entry.place))
                self.book.problem(Complaint(reason.code, reason.message), case)
        self.commits.flush()
        self.lost_track = self.lost_track or self.commits.failed
        with self.commits.journal.transaction():
            self.book.write(self.commits.journal)
            # A file whose events have lost their outcomes must be read again.
            if self.files is not None and self._intake is not None and not self.lost_track:
                self.files.keep(self._intake.finished)

    async def _settle_doubts(self) -> None:
        """Every run settles what is in doubt before anything else."""
        if self.commits.journal.open_writes():
            kinds: frozenset[Kind] = frozenset(write.kind for write in self.commits.journal.open_writes())
            await self._prepare(kinds)
            assert self._courier is not None  # noqa: S101 - made by _prepare
            writes = self.commits.journal.open_writes()
            await self._courier.writes.doubts.settle_writes(self.commits, writes, self.server_time())

    async def _window(self, backlog: Backlog) -> None:
        """Delivers all that waits."""
        if self._courier is None or not len(backlog):
            return
        tally = self.tally
        courier = self._courier
        window = Window(backlog)
        tally.window_records = tally.backlog_records = len(window)
        tally.window_events = tally.events_read - tally.outcomes.total()
        tally.records_planned += len(window)
        tally.events_planned = tally.events_read
        if self.sender.stopped is None:
            tally.phase = "looking up records"
            try:
                kinds: tuple[Kind, ...] = ("organizations", "products", "persons")
                await asyncio.gather(*(self._look_up(kind, window) for kind in kinds))
                if window.has_leads:
                    await courier.directory.leads.take_over()
            except KindStops as stops:
                courier.kinds_stopped.setdefault(stops.kind, stops)
            except Failure:
                pass  # each job meets the trouble itself, and creates nothing
            except StopRun as stop:
                self.sender.stop(stop)
        tally.phase = "writing" if self.sender.stopped is None else "recording what is left"
        await courier.deliver(window, self._workers())
        self.commits.flush()

    async def _look_up(self, kind: Kind, window: Window) -> None:
        keys, ids = window.keys(kind), window.ids(kind)
        if keys or ids:
            assert self._courier is not None  # noqa: S101 - only a prepared run has jobs
            await self._courier.directory.prepare(kind, keys, ids)

    def _workers(self) -> int:
        wish = self.config.delivery.concurrency
        if isinstance(wish, int):
            return wish
        # More than a usual latency asks for: the limiter, not the number of workers, sets the pace.
        latency = max(SLOW_ANSWER, 2 * self.pace.usual)
        return min(MOST_WORKERS, concurrency(min(self.pace.limit, HIGHEST_LIMIT), latency) + 8)

    def _transformed(self, event: Event) -> Transformed:
        assert self._transform is not None or not self._prepared  # noqa: S101 - prepare comes first
        if self._transform is None:
            self._transform = compile_mapping(self.config, self.account.account)
        return self._transform.transform(event)

    async def _prepare(self, kinds: frozenset[Kind]) -> None:
        """Learns what events of these kinds need of the account; a config that does not fit it ends the run here."""
        config = self.config
        self._prepared |= kinds
        await self._learn(kinds)
        problems = problems_of(config, self.account.account, self._prepared)
        if problems:
            self.account.forget()  # somebody may have made the field a minute ago
            await self._learn(self._prepared)
            problems = problems_of(config, self.account.account, self._prepared)
        if problems and self.wrote():
            raise StopRun(
                f"the config does not fit the account: {problems[0].path} {problems[0].message}",
                code="config",
                exit_code=EXIT_USAGE,
                hint="`pipedrive-cli check` lists every problem; run again to continue",
            )
        raise_problems(self.config_file, problems)
        self._warn_of_moved()
        self.account.pin(config)
        self._transform = compile_mapping(config, self.account.account)
        self._equip(self._transform)

    def _warn_of_moved(self) -> None:
        """Fields that are not called any more as the config calls them: each is told once in a run."""
        for complaint, place in told_moved(self.config, self.config_file, self.account.account, self._prepared):
            if complaint.field not in self._moved:
                self._moved.add(complaint.field or "")
                self.book.problem(complaint, Case(b"", Origin("", place)))

    async def _renew(self, event: Event) -> bool:
        """A value fits no field as the account is known: perhaps it is known from yesterday. Returns whether it was."""
        kinds = kinds_of(event) - self._renewed
        if not kinds:
            return False
        self._renewed |= kinds
        renewed = await self.account.renew(kinds)
        if renewed:
            await self._prepare(kinds)
        return renewed

    async def _learn(self, kinds: frozenset[Kind]) -> None:
        """A kind whose fields the key may not even read is a kind that stops: the others go on."""
        for kind in sorted(kinds):
            try:
                await self.account.learn(frozenset({kind}), labels=kind == "leads")
            except KindStops as stops:
                self._kinds_stopped.setdefault(stops.kind, stops)

    def _equip(self, transform: Transform) -> None:
        """Gives the courier what the mapping has become."""
        terms = terms_of(self.config, transform, self.account.account)
        wanted = {kind: transform.addresses(kind) for kind in KINDS}
        self.sender.names = names_of(self.account.account)
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
        doubts = Doubts(directory, self.config.delivery.settle)
        writes = Writes(self.sender, directory, self.commits, doubts, self.book.run, self.server_time)
        self._courier = Courier(
            self.sender,
            directory,
            self.commits,
            self.book,
            self._intake.backlog,
            terms,
            writes,
            kinds_stopped=self._kinds_stopped,
        )

    def _warn_of_twins(self, kind: Kind, key: str, ids: Any) -> None:
        listed = ", ".join(str(i) for i in list(ids)[:10])
        self.book.problem(
            Complaint("twin_records", f"{kind} {listed} all bear {key!r}; the oldest, {ids[0]}, is taken", value=key)
        )

    def unfinished(self, file: str, failures: int) -> None:
        """Told of every event that is failed or pending; too many failures end the run."""
        if self.files is not None:
            self.files.unfinished(file)
        most = self.options.max_failures
        if most is not None and failures >= most:
            self.sender.stop(
                StopRun(
                    f"{failures} events have failed, as many as --max-failures allows",
                    code="max_failures",
                    hint="see the problems below; run again to continue",
                )
            )

    def _deadline(self) -> asyncio.TimerHandle | None:
        if self.options.deadline is None:
            return None
        stop = StopRun(
            "the deadline was reached", code="deadline", hint="run again to continue; everything done so far is kept"
        )
        return asyncio.get_running_loop().call_later(self.options.deadline, self.sender.stop, stop)


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
