"""An event loop whose time jumps ahead when there is nothing to do but wait, so that days pass in milliseconds.

For rehearsals and tests. Knows nothing of what runs on it: plain asyncio code sleeps, times out and reads
`loop.time()` as usual. Time stands still while code runs and while a thread of the loop's executors works, since a
jump then would overtake the thread's result.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# How long a real wait lasts before the state of things is looked at again; threads and sockets cut it short.
_REAL_WAIT = 0.05


class Stalled(RuntimeError):
    """Everything waits for something that can never happen: no timer, no thread, no socket is left."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop with a clock of its own that starts at zero.

    Only work handed over with `run_in_executor` (`asyncio.to_thread` among it) holds the clock; a thread started by
    other means is not seen. A socket that is being listened to keeps the loop from being called stalled, but not
    the clock from jumping: virtual time and a real network do not go together.
    """

    def __init__(self) -> None:
        self._waits = _JumpingSelector()
        super().__init__(self._waits)

    def time(self) -> float:
        return self._waits.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        holds = self._waits.holds
        work, result = object(), object()
        started = False

        def held() -> T:
            nonlocal started
            started = True
            try:
                return func(*args)
            finally:
                holds.discard(work)

        def settled(future: asyncio.Future[T]) -> None:
            holds.discard(result)
            if future.cancelled() and not started:
                holds.discard(work)  # taken from the queue before its turn; a thread that runs, runs on

        # Two holds: between the end of the function and the arrival of its result, time must not move either.
        holds.update((work, result))
        future: asyncio.Future[T] = super().run_in_executor(executor, held)
        future.add_done_callback(settled)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  asyncio's
        """As asyncio's, which waits in a thread of its own; without a time limit, which would not be real time."""
        self._waits.holds.add(self)
        try:
            await super().shutdown_default_executor()
        finally:
            self._waits.holds.discard(self)


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that, instead of waiting, moves the clock by as long as it was told to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.holds: set[object] = set()  # one for each piece of outside work that time must wait for

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.holds:
            real = _REAL_WAIT if timeout is None else min(timeout, _REAL_WAIT)
            return super().select(real)
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is not None:
            self.now += max(timeout, 0.0)
            return ready
        if len(self.get_map()) > 1:  # more than the pipe by which the loop wakes itself
            return super().select(_REAL_WAIT)
        raise Stalled("nothing can happen any more: every task waits, and nothing is left to wake one")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end in virtual time, as `asyncio.run` does in real time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
