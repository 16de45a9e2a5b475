"""The leads that an account holds already: their origin_ids, taken over by listing them once.

A lead has no search by its origin_id. So a journal that knows an account's leads knows all of them, or none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from pipedrive_cli.delivery.failing import Failure
from pipedrive_cli.delivery.journal import GroupCommits, Journal, SeenRecord
from pipedrive_cli.delivery.standing import RecordState
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.bodies import values_of
from pipedrive_cli.pipedrive.catalog import Call, list_leads

ASK_AGAIN = 60.0  # seconds before what could not be listed is asked for again


class KnownLeads:
    """What the journal knows of the account's leads. `send` raises Failure for a look that was refused; `now` is the
    loop's time in seconds.
    """

    def __init__(
        self, commits: GroupCommits, send: Callable[[Call], Awaitable[Answer]], now: Callable[[], float]
    ) -> None:
        self._commits = commits
        self._send = send
        self._now = now
        self._turn = asyncio.Lock()
        self._known = commits.journal.fact("leads taken over", bool) is True
        self._unlisted: tuple[float, Failure] | None = None  # when, in loop seconds, and why

    async def take_over(self) -> None:
        """A new journal in an account that is in use takes over the leads' origin_ids, by listing them once.

        Until that has been done nobody knows that a lead is not there. Raises what keeps us from it; whoever asks
        within a minute is told the same.
        """
        async with self._turn:
            if self._known:
                return
            if self._unlisted is not None and self._now() - self._unlisted[0] < ASK_AGAIN:
                raise self._unlisted[1]
            try:
                await self.read(archived=True)
            except Failure as failure:
                self._unlisted = (self._now(), failure)
                raise
            await self._commits.record(lambda journal: journal.set_fact("leads taken over", True))
            self._known = True

    async def read(self, *, updated_since: datetime | None = None, archived: bool) -> None:
        """Reads the leads that bear an origin_id; those we have made are known by it. `archived`: these as well."""
        for shelf in (False, True) if archived else (False,):
            start: int | None = 0
            while start is not None:
                answer = await self._send(list_leads(start, shelf, updated_since=updated_since))
                if not isinstance(answer.data, list):
                    raise Failure("look_up_failed", "Pipedrive's list of leads is no list")
                rows = [
                    SeenRecord(item["id"], str(item["origin_id"]), item.get("update_time"), values_of("leads", item))
                    for item in answer.data
                    if isinstance(item, Mapping) and item.get("origin_id")
                ]
                await self._commits.record(partial(_keep, rows=rows))
                start = answer.next_start


def _keep(journal: Journal, rows: Sequence[SeenRecord]) -> None:
    journal.see("leads", rows)
    known = journal.known("leads", [str(row.key) for row in rows])
    for row in rows:
        if row.key is not None and row.key not in known:
            journal.save_record("leads", row.id, [row.key], RecordState(key=row.key))
