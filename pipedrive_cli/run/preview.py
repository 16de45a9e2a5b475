"""What a replay of the same events would send, and nothing sent: reading, transform and plans without a delivery.

The journal is never written and its lock not taken, so that a preview works beside a run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from pipedrive_cli.config import Config, address
from pipedrive_cli.delivery.book import Book
from pipedrive_cli.delivery.cases import Case, Origin
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.scratch import scratch
from pipedrive_cli.delivery.tally import Tally
from pipedrive_cli.delivery.window import in_order
from pipedrive_cli.errors import StopRun
from pipedrive_cli.events.event import Place
from pipedrive_cli.events.source import Source, resolve
from pipedrive_cli.outcomes import Complaint
from pipedrive_cli.pipedrive.account import Account
from pipedrive_cli.pipedrive.catalog import PLANS, WINDOW_SECONDS, Call
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.account import problems_of, raise_problems, told_moved
from pipedrive_cli.run.counts.brief import Briefing
from pipedrive_cli.run.counts.counting import Counting, NotByName
from pipedrive_cli.run.counts.elsewhere import processes_for
from pipedrive_cli.run.counts.records import Remembered
from pipedrive_cli.run.intake import Intake, reading_started, reason_left, unread
from pipedrive_cli.run.options import Filters
from pipedrive_cli.run.preview_account import Known, Unknown
from pipedrive_cli.run.preview_backlog import LeanBacklog
from pipedrive_cli.run.preview_memory import Memory
from pipedrive_cli.run.preview_plans import Foresight
from pipedrive_cli.run.preview_rows import Labels, Requested
from pipedrive_cli.run.telling import named, summary_of
from pipedrive_cli.run.terms import names_of, terms_of
from pipedrive_cli.transform.changes import Kind, Transformed
from pipedrive_cli.transform.transform import Transform, compile_mapping

if TYPE_CHECKING:
    from pipedrive_cli.run.preview_online import Seen

DAY = 86_400.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PreviewOptions:
    """Options of `preview`. Neither `online` nor `sandbox`: nobody is asked anything."""

    sources: tuple[str, ...]
    online: bool = False
    sandbox: bool = False
    state: Path | None = None
    limit: int | None = None
    filters: Filters = field(default_factory=Filters)


@dataclass(slots=True)
class Preview:
    """One preview. `show` is given each request as it comes, None where only the counts are wanted.

    `names` is filled with what people call custom fields, by key, as soon as the account has told.
    """

    config: Config
    config_file: str
    options: PreviewOptions
    stdin: BinaryIO | None = None
    show: Callable[[Requested], None] | None = None
    note: Callable[[str], None] = lambda _: None
    tally: Tally = field(default_factory=Tally)
    foretells: bool = True  # False: it is made for its looks, which somebody else counts
    names: dict[str, str] = field(default_factory=dict)

    async def run(self) -> Summary:
        """Runs to the end. `seconds` of what it returns are those that the replay would take at the plan's limits.

        Raises `UserMistake`, `ConfigProblems`, and `StopRun` where an account that is to be asked cannot be.
        """
        state = self.options.state or self.config.state
        if not (self.options.online or self.options.sandbox):
            if state is None or not state.exists():
                return await self._through(None, None, [])
            with contextlib.closing(scratch(state)) as journal:
                return await self._through(None, journal, [])
        from pipedrive_cli.run.preview_online import looking  # noqa: PLC0415 - loads what sends

        twins: list[Complaint] = []
        async with looking(
            self.config,
            sandbox=self.options.sandbox,
            state=state,
            tell=self.looked,
            warn=lambda kind, key, ids: twins.append(twin_records(kind, key, ids)),
        ) as seen:
            return await self.on(seen, twins)

    async def on(self, seen: Seen, twins: list[Complaint]) -> Summary:
        """The same in an account that is looked at already."""
        return await self._through(seen, seen.journal, twins)

    async def _through(self, seen: Known | None, journal: Journal | None, twins: list[Complaint]) -> Summary:
        sources = resolve(self.options.sources, self.stdin, since=self.options.filters.since, note=self.note)
        reading_started(self.tally, sources)
        if seen is None and journal is None and self._countable(sources):
            with contextlib.suppress(NotByName):
                return await _Work(self, None, None, [], by_name=True).counted(sources)
            self.tally = Tally()  # what was counted so far does not count
            reading_started(self.tally, sources)
        with contextlib.ExitStack() as closing:

            def opened() -> Journal:
                return closing.enter_context(contextlib.closing(scratch()))

            return await _Work(self, seen, journal, twins, open_journal=opened).through(sources)

    def _countable(self, sources: Sequence[Source]) -> bool:
        """Whether names may be enough to count by: nobody is asked, nothing is shown, and whoever is named is created.

        Should they turn out not to be, the sources are read again.
        """
        identity = self.config.identity
        return (
            self.show is None
            and self.options.limit is None
            and identity.create_missing_persons
            and "user_id" in identity.name_fallback
            and all(source.size is not None for source in sources)
        )

    def looked(self, call: Call) -> None:
        """A run would begin with, or need, this look."""
        self.count(call)
        if self.show is not None:
            self.show(Requested(call, "look up"))

    def count(self, call: Call, times: int = 1) -> None:
        """A run would send this, so many times."""
        if not self.foretells:
            return
        self.tally.tokens_spent += call.tokens * times
        self.tally.tokens[call.label] += call.tokens * times
        self.tally.requests[call.label] += times

    def seconds(self) -> float:
        """How long the replay would take at best: the plan's requests per 2 s, searches, and tokens per day."""
        if self.options.sandbox:
            return 0.0
        plan = PLANS[self.config.pipedrive.plan]
        total = sum(self.tally.requests.values())
        needed = total / plan.allowed(oauth=self.config.pipedrive.oauth_token is not None) * WINDOW_SECONDS
        budget = self.config.delivery.daily_tokens
        if budget is None and self.config.pipedrive.seats is not None:
            budget = plan.tokens(self.config.pipedrive.seats)
        if budget:
            reserve = self.config.delivery.leave_tokens
            usable = max(1.0, budget * (1 - reserve.ratio) if reserve.ratio else budget - reserve.tokens)
            needed += self.tally.tokens_spent // usable * DAY
        return needed


@dataclass(slots=True)
class _Work:
    """The windows of one preview. `seen` None: nobody is asked. `journal` is a scratch journal or None."""

    preview: Preview
    seen: Known | None
    journal: Journal | None
    twins: list[Complaint] = field(default_factory=list)
    by_name: bool = False  # it is for `counted`
    open_journal: Callable[[], Journal] = scratch  # for what does not stay in memory
    _memory: Memory = field(init=False)
    _book: Book = field(init=False)
    _backlog: LeanBacklog = field(init=False)
    _known: Known = field(init=False)
    _foresight: Foresight = field(init=False)
    _transform: Transform | None = None
    _prepared: frozenset[Kind] = frozenset()
    _moved: set[str] = field(default_factory=set)  # paths of the config that were warned of

    def __post_init__(self) -> None:
        preview, labels = self.preview, Labels()
        self._memory = Remembered() if self.by_name else Memory(self.open_journal, self.journal)
        self._book = Book(0, preview.tally, on_ended=self._memory.ended)
        self._backlog = LeanBacklog(
            {} if self.journal is None else self.journal.aliases(), anonymous=preview.show is None
        )
        self._backlog.bare_leads = preview.show is None and self.journal is None
        self._known = self.seen or Unknown(self._memory, labels, preview.looked)
        self._foresight = Foresight(
            self._known,
            self._memory,
            labels,
            self._book,
            self._backlog,
            count=preview.count,
            show=preview.show,
            look=preview.looked,
        )

    async def through(self, sources: list[Source]) -> Summary:
        """Reads the sources to their end, and drives the plans of all that they hold."""
        intake = Intake(
            sources=sources,
            filters=self.preview.options.filters,
            window=self.preview.config.delivery.lookahead,
            book=self._book,
            backlog=self._backlog,
            spool=None,
            journal=self._memory,
            transform=self._transformed,
            prepare=self._prepare,
            now=lambda: time.time_ns() // 1000,
            limit=self.preview.options.limit,
            stopped=lambda: self._foresight.stopped is not None,
        )
        async for _ in intake.windows():
            await self._window()
            self._memory.window_over()
            self._backlog.bare_leads = False
        await self._window()  # before the input is over, also where a limit ends it: nobody was waited for yet
        self._foresight.input_over(cut=not intake.complete)
        while len(self._backlog):
            await self._window()
        intake.end_twins()
        for (kind, name), n in intake.dropped.items():
            self._book.count("dropped", f"{kind} {name}", n)
        left = [(entry.place, reason_left(entry)) for entry in intake.left]
        return self._summary(input_complete=intake.complete, left=left)

    async def counted(self, sources: list[Source]) -> Summary:
        """The same by names alone, where they are enough. Raises `NotByName`."""
        preview, memory = self.preview, self._memory
        assert isinstance(memory, Remembered) and isinstance(self._known, Unknown)  # noqa: S101 - made so
        counting = Counting(
            preview.config.delivery.lookahead,
            self._book,
            self._backlog,
            self._foresight,
            memory,
            preview.count,
            self._prepare,
            self._known.meet,
            cache(lambda kind, address: self._transform is None or self._transform.type_at(kind, address) is not None),
        )
        briefing = Briefing(preview.config, preview.options.filters, time.time_ns() // 1000)
        await counting.through(sources, briefing.batch, processes_for(preview.tally.bytes_total))
        for (kind, name), n in counting.dropped.items():
            self._book.count("dropped", f"{kind} {name}", n)
        return self._summary(input_complete=counting.complete, left=counting.left)

    async def _window(self) -> None:
        jobs, leads = self._backlog.take()
        self._backlog.window_over()
        if not jobs and not leads:
            return
        jobs = in_order(jobs)
        try:
            await self._known.prepare(jobs, leads=bool(leads))
        except StopRun as stop:
            self._foresight.stopped = stop
        jobs.reverse()
        leads.reverse()
        self._foresight.next_window()
        await self._foresight.deliver(_emptied(jobs))
        await self._foresight.deliver_leads(_emptied(leads))

    def _transformed(self, event: Any) -> Transformed:
        if self._transform is None:
            self._transform = compile_mapping(self.preview.config)  # of a type that needs nothing of the account
        return self._transform.transform(event)

    async def _prepare(self, kinds: frozenset[Kind]) -> None:
        """Learns what events of these kinds need of the account; a config that does not fit it ends the preview."""
        config = self.preview.config
        account = await self._known.learn(kinds)
        self._prepared |= kinds
        problems = problems_of(config, account or Account(), self._prepared)
        if problems and account is not None:  # somebody may have made the field a minute ago
            account = await self._known.learn(self._prepared, anew=True)
            problems = problems_of(config, account or Account(), self._prepared)
        raise_problems(self.preview.config_file, problems)
        for complaint, place in told_moved(config, self.preview.config_file, account or Account(), self._prepared):
            if complaint.field not in self._moved:
                self._moved.add(complaint.field or "")
                self._book.problem(complaint, Case(b"", Origin("", place)))
        self._transform = compile_mapping(config, account)
        self.preview.names.update(names_of(account or Account()))
        self._foresight.terms = terms_of(config, self._transform, account or Account())
        self._known.equip(self._foresight.terms, self._transform)

    def _summary(self, *, input_complete: bool, left: Sequence[tuple[Place, Complaint]]) -> Summary:
        for twin in self.twins:
            self._book.problem(twin)
        for place, reason in left:
            self._book.problem(Complaint(reason.code, reason.message), Case(b"", Origin("", place)))
        # The figures go through a journal like those of a run, so that one place makes summaries.
        with contextlib.closing(scratch()) as journal:
            with journal.transaction():
                self._book.write(journal)
            name = named(datetime.now(UTC))
            return summary_of(
                journal,
                0,
                name,
                self._foresight.stopped or unread(left),
                input_complete=input_complete and not left,
                tally=self.preview.tally,
                seconds=self.preview.seconds(),
            )


def _emptied(items: list[T]) -> Iterator[T]:
    """The items from the last to the first, each let go of once it is handed out: they hold much of the memory."""
    while items:
        yield items.pop()


def twin_records(kind: Kind, key: str, ids: Sequence[int]) -> Complaint:
    """The warning about several records with one key."""
    listed = ", ".join(str(record) for record in ids[:10])
    return Complaint("twin_records", f"{kind} {listed} all bear {key!r}; the oldest, {ids[0]}, is taken", value=key)


def shown_address(config: Config, *, sandbox: bool) -> str:
    """The address that requests are shown with. Raises UserMistake where the config does not say it."""
    from pipedrive_cli.run.embedded import ADDRESS  # noqa: PLC0415 - only the sandbox needs it

    return ADDRESS if sandbox else address(config)
