"""Grouped commits: many small records in one durable transaction.

With `synchronous=FULL` a commit waits for the disk. Whoever records something waits for the group that holds it, so
nothing is believed before it is durable, and 240 writes a second cost some twenty waits, not 240.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from pipedrive_cli.delivery.journal.journal import Journal

Record: TypeAlias = Callable[[Journal], None]


class GroupCommits:
    """Collects what is to be recorded and commits it together, in order.

    `pause` is the least time between two commits in seconds; a slow disk stretches it to four times what its last
    commit took, so that at most a fifth of the time is spent waiting for it.
    """

    def __init__(self, journal: Journal, *, pause: float = 0.02) -> None:
        self.journal = journal
        self._pause = pause
        self._waiting: list[tuple[Record, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self.failed = False  # something could not be recorded

    async def record(self, what: Record, *, at_once: bool = False) -> None:
        """Returns once `what` is durable. An error while recording is raised here, and nothing of its group is kept.

        `at_once`: without a pause, for whoever brings a group of its own.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((what, done))
        if at_once:
            self.flush()
        elif self._timer is None:
            self._timer = loop.call_at(max(loop.time(), self._next), self._flush_in_time)
        await done  # nobody else waits for it; where this is cancelled, it is recorded all the same

    def _flush_in_time(self) -> None:
        self._timer = None
        self.flush()

    def flush(self) -> None:
        """Commits what waits, now."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        started = loop.time()
        error: BaseException | None = None
        try:
            with self.journal.transaction():
                for what, _ in waiting:
                    what(self.journal)
        except Exception as raised:  # noqa: BLE001 - each waiter is told; nothing may be lost in a timer callback
            error = raised
            self.failed = True
        self._next = loop.time() + max(self._pause, 4 * (loop.time() - started))
        for _, done in waiting:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
                done.exception()  # the waiter may have been cancelled: asyncio would then complain
