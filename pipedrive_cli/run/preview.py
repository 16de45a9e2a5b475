"""A preview shows what a replay would send, and sends nothing: it is the run itself, at a paper desk.

The journal is never written and its lock not taken, so that a preview works beside a run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from pipedrive_cli.config import Config, base_address
from pipedrive_cli.delivery.backlog import Backlog
from pipedrive_cli.delivery.courier import Courier
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.journal.past import journal_is_there
from pipedrive_cli.delivery.journal.scratch import scratch
from pipedrive_cli.delivery.run_log import LiveFigures, RunLog
from pipedrive_cli.errors import StopRun
from pipedrive_cli.events.parts import processes_for
from pipedrive_cli.events.rows import RowForm
from pipedrive_cli.events.source import resolve_sources
from pipedrive_cli.pipedrive.catalog import PRICE_PLANS, WINDOW_SECONDS
from pipedrive_cli.report.summary import Summary
from pipedrive_cli.run.intake import Intake
from pipedrive_cli.run.journal_file import named_journal
from pipedrive_cli.run.known_files import KnownFiles
from pipedrive_cli.run.mapping import RunMapping
from pipedrive_cli.run.options import Filters, RunOptions
from pipedrive_cli.run.paper import NoAccount, PaperDesk
from pipedrive_cli.run.plan_name import PlanNaming
from pipedrive_cli.run.preview_rows import Labels, PlannedRequest, RequestLog
from pipedrive_cli.run.reading_list import reading_started
from pipedrive_cli.run.refill import HandledOtherwise
from pipedrive_cli.run.results import clock_wrong, new_run_name, summary_of, twin_records
from pipedrive_cli.run.session import Session
from pipedrive_cli.run.suppression import digest_of, suppressed_people, suppression_list
from pipedrive_cli.run.unfit_advice import with_unfit_values

if TYPE_CHECKING:
    from pipedrive_cli.run.online_account import OnlineAccount

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class PreviewOptions:
    """Options of `preview`. Neither `online` nor `sandbox`: no account is asked."""

    sources: tuple[str, ...]
    online: bool = False
    sandbox: bool = False
    refill: bool = False
    state: Path | None = None
    limit: int | None = None
    filters: Filters = field(default_factory=Filters)
    reread: bool = False
    rows: RowForm | None = None

    @classmethod
    def of(cls, asked: RunOptions) -> PreviewOptions:
        """The look at the account that comes before a run of these options."""
        return cls(
            asked.sources,
            online=True,
            refill=asked.refill,
            limit=asked.limit,
            filters=asked.filters,
            reread=asked.reread,
            rows=asked.rows,
        )


@dataclass(slots=True)
class Preview:
    """One preview. `show` gets each request as it comes; None where only the counts are wanted.

    `foretells` False: it is made for its look-ups, and whoever sends these counts them. `plan` names the writes.
    """

    config: Config
    config_file: str
    options: PreviewOptions
    stdin: BinaryIO | None = None
    show: Callable[[PlannedRequest], None] | None = None
    note: Callable[[str], None] = lambda _: None
    live_figures: LiveFigures = field(default_factory=LiveFigures)
    foretells: bool = True
    plan: PlanNaming | None = None
    run_log: RunLog = field(init=False)
    log: RequestLog = field(init=False)
    names: dict[str, str] = field(default_factory=dict)  # of custom fields, by key, as soon as they are known
    knows_past: bool = field(init=False, default=False)  # there is a journal of earlier runs

    def __post_init__(self) -> None:
        self.run_log = RunLog(0, self.live_figures, journaled=False)
        self.log = RequestLog(
            self.live_figures, self.show, self.foretells, self.names, None if self.plan is None else self.plan.add
        )

    async def run(self) -> Summary:
        """Runs to the end. `seconds` of what it returns are those that the replay would take at the plan's limits.

        Raises `UserMistake`, `ConfigProblems`, and `StopRun` where the account cannot be asked.
        """
        state = named_journal(self.options.state, self.config, sandbox=self.options.sandbox)
        if not (self.options.online or self.options.sandbox):
            with contextlib.ExitStack() as stack:
                journal = None
                if state is not None and journal_is_there(state):
                    journal = stack.enter_context(contextlib.closing(scratch(state)))
                    stack.enter_context(journal.in_use())
                labels = Labels()
                return await self._through(NoAccount(journal, labels, self.log), labels, journal)
        from pipedrive_cli.run.online_account import looking  # noqa: PLC0415 - loads what sends

        async with looking(
            self.config,
            sandbox=self.options.sandbox,
            state=state,
            tell=self.log.look,
            warn=lambda kind, key, ids: self.run_log.problem(twin_records(kind, key, ids)),
        ) as seen:
            return await self.on(seen)

    async def on(self, seen: OnlineAccount) -> Summary:
        """The same with an account that is connected already."""
        return await self._through(seen, Labels(), seen.journal)

    async def _through(self, view: NoAccount | OnlineAccount, labels: Labels, journal: Journal | None) -> Summary:
        """The run itself, at a paper desk. `view` is both the account and its records."""
        listed = suppression_list(self.config, self.note)
        asked = self.options
        sources = resolve_sources(asked.sources, self.stdin, since=asked.filters.since, rows=asked.rows, note=self.note)
        reading_started(self.live_figures, sources)
        clock = None if isinstance(view, NoAccount) else view.clock
        if clock is not None and (wrong := clock_wrong(clock.ahead())) is not None:
            self.run_log.problem(wrong)
        desk = PaperDesk(view, labels, self.log, self.run_log)
        known = Backlog({}) if journal is None else Backlog(journal.aliases(), unknown=journal.unknown_aliases())
        courier = Courier(desk, self.run_log, known)
        mapping = RunMapping(self.config, self.config_file, view, self.run_log, courier)
        otherwise = files = None
        if journal is not None:
            self.knows_past = True
            files = KnownFiles.of(journal, self.config, digest_of(listed), self.options)  # as a replay passes over
            otherwise = HandledOtherwise.of(journal, self.config, refill=self.options.refill)
        intake = Intake(
            sources=sources,
            files=files,
            filters=self.options.filters,
            window=self.config.delivery.lookahead,
            mapping=mapping,
            now=lambda: int((time.time() if clock is None else clock.latest()) * 1_000_000),
            limit=self.options.limit,
            otherwise=otherwise,
            processes=processes_for if otherwise is None else otherwise.processes,
            suppressed=suppressed_people(listed, journal, courier.backlog, keep=False),
        )
        session = Session(intake, mapping, courier, self.run_log)
        stopped = await session.run()
        summary = self._summary(stopped, input_complete=session.input_complete)
        return with_unfit_values(summary, self.run_log.unfit, self.config, self.config_file, view.account)

    def seconds(self) -> float:
        """How long the replay would take at best: the plan's requests per 2 s, searches, and tokens per day."""
        if self.options.sandbox:
            return 0.0
        plan = PRICE_PLANS[self.config.pipedrive.plan]
        total = sum(self.live_figures.requests.values())
        needed = total / plan.allowed(oauth=self.config.pipedrive.oauth_token is not None) * WINDOW_SECONDS
        budget = self.config.delivery.daily_tokens
        if budget is None and self.config.pipedrive.seats is not None:
            budget = plan.tokens(self.config.pipedrive.seats)
        if budget:
            reserve = self.config.delivery.leave_tokens
            usable = max(1.0, budget * (1 - reserve.ratio) if reserve.ratio else budget - reserve.tokens)
            needed += self.live_figures.tokens_spent // usable * DAY
        return needed

    def _summary(self, stopped: StopRun | None, *, input_complete: bool) -> Summary:
        # The figures go through a journal like those of a run, so that one place makes summaries.
        with contextlib.closing(scratch()) as journal:
            with journal.transaction():
                self.run_log.write_to(journal)
            name = new_run_name(datetime.now(UTC))
            seconds = self.seconds()
            summary = summary_of(
                journal,
                0,
                name,
                stopped,
                input_complete=input_complete,
                live_figures=self.live_figures,
                seconds=seconds,
            )
        if self.plan is None or stopped is not None:
            return summary
        return msgspec.structs.replace(summary, plan=self.plan.name)


def shown_address(config: Config, *, sandbox: bool) -> str:
    """The address that requests are shown with. Raises UserMistake where the config does not say it."""
    from pipedrive_cli.run.embedded import ADDRESS  # noqa: PLC0415 - only the sandbox needs it

    return ADDRESS if sandbox else base_address(config)
