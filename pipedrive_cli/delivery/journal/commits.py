"""Grouped commits: many small records in one durable transaction.

With `synchronous=FULL` a commit waits for the disk. Whoever must know that something is durable waits for the group
that holds it, so nothing is believed before it is durable, and 240 writes a second cost some twenty waits, not 240.
What nobody has to wait for, the outcome of a write, goes along with what others wait for: the next write's intent.

A journal in memory ends with its process, so no commit makes anything durable: whoever waits is let go as if it did,
and the transaction stays open for seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias, TypeVar

from pipedrive_cli.delivery.journal.journal import Journal
from pipedrive_cli.errors import StopRun

T = TypeVar("T")
Record: TypeAlias = Callable[[Journal], T]

OPEN_IN_MEMORY = 5.0  # seconds that a transaction of a journal in memory stays open


class GroupCommits:
    """Collects what is to be recorded and commits it together, in order.

    `pause` is the least time between two commits in seconds; a slow disk stretches it to four times what its last
    commit took, so that at most a fifth of the time is spent waiting for it. `stop` is called with the StopRun of a
    group that could not be committed, before anybody goes on.
    """

    def __init__(
        self, journal: Journal, *, pause: float = 0.02, stop: Callable[[StopRun], None] = lambda _: None
    ) -> None:
        self.journal = journal
        self.at_end: Record[None] | None = None  # is recorded at the end of each group
        self.failed = False  # something could not be recorded
        self._pause = pause
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._group: AbstractContextManager[None] | None = None  # the transaction that is open
        self._begun = 0.0  # when it was begun
        self._waiting: list[asyncio.Future[None]] = []
        self._untold: BaseException | None = None  # an error of a group for which nobody was waiting
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        if journal.group is not None:
            journal.group.commit()
        journal.group = self

    def note(self, what: Record[T]) -> T:
        """Records `what`: the journal shows it at once, and it is durable before anything that is recorded later.

        Returns what it returns. An error while recording is raised here, and nothing of its group is kept.
        """
        self._raise_untold()
        if self._group is None:
            self._begin()
        if self._timer is None:
            self._timer = self._loop.call_at(max(self._loop.time(), self._next), self._end_pause)
        try:
            return what(self.journal)
        except BaseException as error:
            raised = self._end(error)
            self._untold = None  # it is told here
            if raised is None or raised is error:
                raise
            raise raised from error

    async def record(self, what: Record[T], *, at_once: bool = False) -> T:
        """Returns what `what` returns once that is durable; raises what its group raises.

        `at_once`: without a pause, for whoever brings a group of its own.
        """
        recorded = self.note(what)
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(done)
        if at_once:
            self.commit()
        await done  # nobody else waits for it; where this is cancelled, it is recorded all the same
        return recorded

    def flush(self) -> None:
        """Commits what waits, now. Raises an error that nobody was told of."""
        self.commit()
        self._raise_untold()

    def _raise_untold(self) -> None:
        if (error := self._untold) is not None:
            self._untold = None
            raise error

    def drop(self) -> None:
        """Takes back what waits, and tells nobody: the process is about to end."""
        if (group := self._group) is not None:
            self._group = None
            group.__exit__(GeneratorExit, GeneratorExit(), None)

    def commit(self) -> None:
        """Commits what waits, now. Whoever waits is told of an error, else whoever comes next."""
        if self._group is None:
            return
        started = self._loop.time()
        try:
            if self.at_end is not None:
                self.at_end(self.journal)
        except Exception as error:  # noqa: BLE001 - each waiter is told; nothing may be lost in a timer callback
            self._end(error)
        else:
            self._end(None)
        ended = self._loop.time()
        self._next = ended + max(self._pause, 4 * (ended - started))

    def _end_pause(self) -> None:
        now = self._loop.time()
        if self.journal.lasting or self._group is None or now - self._begun >= OPEN_IN_MEMORY:
            self.commit()
        else:
            self._timer, self._next = None, now + self._pause
            self._tell(None)

    def _begin(self) -> None:
        group = self.journal.transaction()
        try:
            group.__enter__()
        except StopRun as stop:
            self.failed = True
            self._stop(stop)
            raise
        self._group, self._begun = group, self._loop.time()

    def _end(self, error: BaseException | None) -> BaseException | None:
        """Commits the open group, or takes it back because of an error, and tells whoever waits for it.

        Returns the error that it has told them.
        """
        group, self._group = self._group, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        assert group is not None  # noqa: S101 - whoever calls this has seen to it
        try:
            if error is None:
                group.__exit__(None, None, None)
            else:
                group.__exit__(type(error), error, error.__traceback__)
        except Exception as raised:  # noqa: BLE001 - as above
            error = raised
        if error is not None:
            self.failed = True
            if isinstance(error, StopRun):
                self._stop(error)
            self._untold = None if self._waiting else error
        self._tell(error)
        return error

    def _tell(self, error: BaseException | None) -> None:
        """Lets go whoever waits, or tells them of an error."""
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
                done.exception()  # the waiter may have been cancelled: asyncio would then complain
