"""A replay rehearsed: the whole run against a sandbox with the plan's limits, in virtual time.

Virtual time makes it the real thing, waiting included: bursts, answers that take a while, nights without budget. What
it foretells are the run's own figures. It does not foresee other users of the same account. The sandbox is empty, or
filled with what was read of the real account: see `rehearse_online`. Nothing is written, save to files that options
name: not to the config's journal either, which is the account's.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from pipedrive_cli import virtual_time
from pipedrive_cli.config import Config, PlanName
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.delivery.run_log import LiveFigures
from pipedrive_cli.pipedrive.catalog import PRICE_PLANS
from pipedrive_cli.run.connection import client_of
from pipedrive_cli.run.embedded import furnish, sandbox_currencies
from pipedrive_cli.run.options import RunOptions
from pipedrive_cli.run.replay import Finished, Replay
from pipedrive_cli.run.workers import LATENCY

if TYPE_CHECKING:
    from pipedrive_cli.run.rehearse_online import AccountSnapshot
    from pipedrive_cli.sandbox import Sandbox

DAY = 86_400.0
SEARCH_LAG = 3.0  # seconds that Pipedrive's search has been seen to trail behind writes
LOOK = 5.0  # virtual seconds between two chances to show progress
REDRAW = 0.15  # the same in real seconds, while the account is read


@dataclass(frozen=True, slots=True)
class PricePlanLimits:
    """The plan of a rehearsal, its `seats` (None: not given, one is assumed), and seconds that an answer takes."""

    plan: PlanName
    seats: int | None
    daily_tokens: int | None
    latency: float = LATENCY

    @property
    def assumed(self) -> bool:
        """Whether the day's budget is a guess."""
        return self.seats is None and self.daily_tokens is None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """How a run would end. `finished.summary.seconds` is the foretold time; `tokens_by_day` has no gaps."""

    finished: Finished
    limits: PricePlanLimits
    day_budget: int
    tokens_by_day: tuple[int, ...]
    looked: LiveFigures | None = None  # what reading the real account has cost, if it was read

    @property
    def days(self) -> int:
        """Days on which something is sent."""
        return sum(tokens > 0 for tokens in self.tokens_by_day)


@dataclass(slots=True)
class Rehearsal:
    """One rehearsal. `progress` is called now and then with the figures so far and the loop's clock."""

    config: Config
    config_file: str
    options: RunOptions
    limits: PricePlanLimits
    stdin: BinaryIO | None = None
    note: Callable[[str], None] = lambda _: None
    progress: Callable[[LiveFigures], contextlib.AbstractContextManager[Callable[[], None]]] | None = None
    online: bool = False
    _marks: list[int] = field(default_factory=list)  # tokens spent at the end of each day

    def run(self) -> Rehearsed:
        """Runs to the end, in virtual time. Raises as `Replay.run` does, and StopRun where the reading was cut short.

        With `online` the real account is read first, in real time; `options.max_tokens` bounds what that costs.
        """
        if not self.online:
            return virtual_time.run(self._run(_sandbox(self.config, self.limits), None))
        from pipedrive_cli.run import rehearse_online  # noqa: PLC0415 - most rehearsals ask nobody

        with rehearse_online.read_twice(self.stdin, self.options.sources) as stdin:
            self.stdin = stdin
            look = rehearse_online.look_at_account(self.config, self.config_file, self.options, stdin, self._looking)
            looked = asyncio.run(look)
            if stdin is not None and stdin.seekable():
                stdin.seek(0)
            if self.limits.assumed and looked.daily_tokens:
                self.limits = replace(self.limits, daily_tokens=looked.daily_tokens)
            sandbox = _sandbox(self.config, self.limits, looked)
            with contextlib.closing(rehearse_online.journal_for(looked, sandbox)) as journal:
                rehearsed = virtual_time.run(self._run(sandbox, journal))
        return replace(rehearsed, looked=looked.live_figures)

    async def _run(self, sandbox: Sandbox, journal: Journal | None) -> Rehearsed:
        oauth = self.config.pipedrive.oauth_token is not None
        job = Replay(
            self.config,
            self.config_file,
            replace(self.options, rehearsal=True, max_tokens=None),  # it bounds the cost of reading the account
            stdin=self.stdin,
            watch=self._watch,
            note=self.note,
            connect=lambda: (client_of(sandbox, self.config), PRICE_PLANS[self.limits.plan].allowed(oauth=oauth)),
            journal=journal,
        )
        finished = await job.run()
        marks = [*self._marks, finished.summary.tokens.spent]
        by_day = tuple(after - before for before, after in zip([0, *marks], marks, strict=False))
        return Rehearsed(finished, self.limits, sandbox.options.day_budget, by_day)

    @contextlib.asynccontextmanager
    async def _watch(self, live_figures: LiveFigures) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            show = stack.enter_context(self.progress(live_figures)) if self.progress is not None else None
            tasks = [asyncio.create_task(self._count_days(live_figures))]
            if show is not None:
                live_figures.on_read = show
                tasks.append(asyncio.create_task(_showing(show, live_figures)))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    @contextlib.asynccontextmanager
    async def _looking(self, live_figures: LiveFigures) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            show = stack.enter_context(self.progress(live_figures)) if self.progress is not None else None
            task = None if show is None else asyncio.create_task(_showing(show, live_figures, REDRAW))
            try:
                yield
            finally:
                if task is not None:
                    task.cancel()

    async def _count_days(self, live_figures: LiveFigures) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(DAY * math.floor(loop.time() / DAY + 1) - loop.time())
            self._marks.append(live_figures.tokens_spent)


async def _showing(show: Callable[[], None], live_figures: LiveFigures, every: float = LOOK) -> None:
    """Shows progress now and then, but not all through a night in which nothing is sent."""
    now = asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(max(every, (live_figures.waiting_until or 0.0) - now()))
        show()


def plan_limits(
    config: Config, *, plan: PlanName | None = None, seats: int | None = None, latency: float | None = None
) -> PricePlanLimits:
    """What the config says, or an option in its place; a plan or seats that were asked for beat `daily_tokens`."""
    asked = plan is not None or seats is not None
    return PricePlanLimits(
        plan=plan or config.pipedrive.plan,
        seats=seats or config.pipedrive.seats,
        daily_tokens=None if asked else config.delivery.daily_tokens,
        latency=LATENCY if latency is None else latency,
    )


def _sandbox(config: Config, limits: PricePlanLimits, looked: AccountSnapshot | None = None) -> Sandbox:
    """An account on this plan whose day begins as the rehearsal does: with all of its budget.

    It is empty, or holds what was seen of the real one; its first day is then tomorrow, later than all that was seen.
    """
    from pipedrive_cli.sandbox import Sandbox, SandboxOptions  # noqa: PLC0415 - only rehearsals and --sandbox need it
    from pipedrive_cli.sandbox.clock import LoopClock  # noqa: PLC0415 - as above

    options = SandboxOptions(
        plan=limits.plan,
        seats=limits.seats or 1,
        daily_tokens=limits.daily_tokens,
        latency=limits.latency,
        search_lag=SEARCH_LAG,
    )
    day = time.time() // DAY * DAY
    if looked is None:
        options = replace(options, currencies=sandbox_currencies(config))
        sandbox = Sandbox(options, LoopClock(datetime.fromtimestamp(day, UTC)))
        furnish(sandbox, config)
        return sandbox
    from pipedrive_cli.run.rehearse_online import company, fill  # noqa: PLC0415 - as above

    sandbox = Sandbox(replace(options, **company(looked.account)), LoopClock(datetime.fromtimestamp(day + DAY, UTC)))
    fill(sandbox, looked)
    return sandbox
