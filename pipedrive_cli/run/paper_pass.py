"""A window on paper first: what its plans would write, counted before anything is sent.

The same courier drives the same plans at a paper desk. The paper desk looks records up where the run itself looks, so
that what was looked up serves the run.
"""

from __future__ import annotations

import copy

import msgspec

from pipedrive_cli.delivery.brakes import BrakeCounter
from pipedrive_cli.delivery.courier import Courier
from pipedrive_cli.delivery.run_log import LiveFigures, RunLog
from pipedrive_cli.delivery.window import Window
from pipedrive_cli.errors import StopRun
from pipedrive_cli.run.paper import AccountRecords, PaperDesk
from pipedrive_cli.run.preview_rows import Labels, RequestLog


async def stop_before(
    window: Window, courier: Courier, records: AccountRecords, brakes: BrakeCounter
) -> StopRun | None:
    """Why the run must stop before it delivers this window, or None. `courier` is the one that would deliver it.

    A record that cannot be looked up counts as nothing: the run creates nothing of it either.
    """
    figures = LiveFigures()
    log = RunLog(0, figures, journaled=False)
    # Each write is counted once more when it leaves, so a deletion that nobody has told of yet may count wrongly here.
    desk = PaperDesk(records, Labels(), RequestLog(figures), log, thorough=False)
    backlog = courier.backlog.empty_copy()
    on_paper = Courier(
        desk,
        log,
        backlog,
        # Nothing is refused on paper, and that says nothing about Pipedrive.
        msgspec.structs.replace(courier.settings, refused_fields=copy.deepcopy(courier.settings.refused_fields)),
        input_over=courier.input_over,
        input_cut=courier.input_cut,
        kinds_stopped=dict(courier.kinds_stopped),
    )
    await on_paper.deliver(window.copy(backlog), 1)
    wanted = {done: sum(n for (_, action), n in figures.records.items() if action == done) for done in brakes.limits}
    return desk.stopped or brakes.stop_before(wanted)
