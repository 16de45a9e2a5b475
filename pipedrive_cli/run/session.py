"""The engine of a run: events are read, records looked up, jobs delivered, until the input is over.

Whoever sends, rehearses or previews runs this same session. Only the desk differs (`delivery.desk`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipedrive_cli.delivery.courier import Courier
from pipedrive_cli.delivery.effects import Refusal
from pipedrive_cli.delivery.pending_event import EventOrigin, PendingEvent
from pipedrive_cli.delivery.retry import Failure, KindStops
from pipedrive_cli.delivery.run_log import FILES_UNREAD, RunLog
from pipedrive_cli.delivery.window import Window
from pipedrive_cli.errors import StopRun
from pipedrive_cli.events.source import named_columns
from pipedrive_cli.run.intake import Intake
from pipedrive_cli.run.mapping import RunMapping
from pipedrive_cli.run.spool import Spool

if TYPE_CHECKING:
    from pipedrive_cli.run.workers import Workers  # a preview needs none of it, and starts sooner


@dataclass(slots=True)
class Session:
    """The windows of one run: read, deliver, until the input is over.

    `spool` None: what waits is in memory. `workers` None: one, which keeps the order of what is shown.
    """

    intake: Intake
    mapping: RunMapping
    courier: Courier
    run_log: RunLog
    spool: Spool | None = None
    workers: Workers | None = None
    stop_before: Callable[[Window], Awaitable[StopRun | None]] | None = None  # why a window must not be delivered
    stop_at_once: Callable[[], Awaitable[StopRun | None]] | None = None  # why nothing must be read or sent
    lost_track: bool = False  # the outcomes of some events could not be recorded

    @property
    def input_complete(self) -> bool:
        """Whether the whole input was read, unfinished last lines too."""
        return self.intake.complete and not self.intake.left

    async def run(self) -> StopRun | None:
        """Returns why the run stopped early, or None."""
        intake, courier = self.intake, self.courier
        desk, backlog = courier.desk, courier.backlog
        self.run_log.last_number = desk.last_number()
        try:
            await self._settle_doubts()
            if self.stop_at_once is not None and (other_plan := await self.stop_at_once()) is not None:
                desk.stop(other_plan)
            elif desk.stopped is None:
                await self._deliver_windows()
            if desk.stopped is None:
                backlog.wake()
                await self._deliver_window()  # before the input is over, also where a limit ends it
            courier.input_over = True
            courier.input_cut = not intake.complete or any(left.more_to_come for left in intake.left)
            desk.input_over()
            backlog.wake()
            while backlog:
                await self._deliver_window()
            if desk.stopped is None:
                await desk.look_once_more()
            if courier.kinds_stopped:
                desk.stop(_kind_refused(next(iter(courier.kinds_stopped.values()))))
            if (unread := intake.unread()) is not None:
                desk.stop(unread)
        except (StopRun, Failure, KindStops, Refusal) as trouble:
            # Only a request of the run itself ends here: the courier ends the troubles of records.
            self.lost_track = True  # of the pending events, if the disk has failed
            desk.stop(trouble if isinstance(trouble, StopRun) else _cannot_look(trouble))
            courier.input_over = True
            backlog.wake()
            await self._deliver_window()  # nothing is sent any more: what waits is recorded as pending
        intake.end_copies()
        self._report_the_rest()
        return desk.stopped

    async def _deliver_windows(self) -> None:
        backlog = self.courier.backlog
        async for _ in self.intake.windows():
            await self._deliver_window()
            if self.spool is not None and not backlog:
                self.intake.end_copies()  # while the spool has their bytes
                self.spool.restart()
            self.run_log.live_figures.phase = "reading"

    async def _settle_doubts(self) -> None:
        """Every run settles what is in doubt before anything else."""
        if kinds := self.courier.desk.kinds_in_doubt():
            await self.mapping.prepare(kinds)
            await self.courier.desk.settle_doubts()

    async def _deliver_window(self) -> None:
        """Delivers all that is due."""
        courier, live_figures = self.courier, self.run_log.live_figures
        if not courier.backlog.is_due:
            return
        window = Window(courier.backlog)
        live_figures.window_records = live_figures.backlog_records = len(window)
        live_figures.window_events = live_figures.events_read - live_figures.outcomes.total()
        live_figures.records_planned += len(window)
        live_figures.events_planned = live_figures.events_read
        if courier.desk.stopped is None:
            live_figures.phase = "looking up records"
            try:
                await courier.desk.prepare(window)
            except KindStops as stops:
                courier.kinds_stopped.setdefault(stops.kind, stops)
            except Failure:
                pass  # each job meets the failure itself, and creates nothing
            except StopRun as stop:
                courier.desk.stop(stop)
        if courier.desk.stopped is None and self.stop_before is not None:
            live_figures.phase = "counting what would be written"
            if (too_many := await self.stop_before(window)) is not None:
                courier.desk.stop(too_many)
        live_figures.phase = "writing" if courier.desk.stopped is None else "recording what is left"
        await courier.deliver(window, 1 if self.workers is None else self.workers.number())
        courier.desk.window_over()

    def _report_the_rest(self) -> None:
        """Reports what is known only at the end: traits that nobody mapped, and lines that were left."""
        used = named_columns(self.intake.sources)
        for (kind, name), n in self.intake.dropped.items():
            if name not in used:
                self.run_log.count("dropped", f"{kind} {name}", n)
        for left in self.intake.left:
            self.run_log.problem(left.why, PendingEvent(b"", EventOrigin("", left.place)))
            if left.verdict != "excused":
                self.run_log.count("run", FILES_UNREAD)


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
