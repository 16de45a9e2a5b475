"""The workers of a window: while one of them has to wait for Pipedrive, another takes its place.

So only the record that is waited for stands still, and what hangs on it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

MOST_ASIDE = 500  # jobs that wait at once; each holds its changes in memory


class Crew:
    """Workers that take up one job after the other."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None
        self._next_job: Callable[[], Awaitable[bool]] | None = None
        self._aside = 0
        self._surplus = 0  # workers too many, since somebody who stood aside is back

    async def work(self, workers: int, next_job: Callable[[], Awaitable[bool]]) -> None:
        """Has so many workers call `next_job` until it returns False: nothing is left."""
        self._next_job, self._surplus = next_job, 0
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for _ in range(workers):
                    group.create_task(self._toil(next_job))
        finally:
            self._group = None

    async def _toil(self, next_job: Callable[[], Awaitable[bool]]) -> None:
        while await next_job():
            if self._surplus:
                self._surplus -= 1
                return

    @contextlib.asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """The job of this worker waits: somebody else works on."""
        if self._group is None or self._next_job is None or self._aside >= MOST_ASIDE:
            yield
            return
        substitute: Coroutine[Any, Any, None] = self._toil(self._next_job)
        try:
            self._group.create_task(substitute)
        except RuntimeError:  # the group is ending, because of somebody's trouble
            substitute.close()
            yield
            return
        self._aside += 1
        try:
            yield
        finally:
            self._aside -= 1
            self._surplus += 1
