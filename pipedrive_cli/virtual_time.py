"""An event loop whose time jumps ahead when there is nothing to do but wait, so that days pass in milliseconds.

For rehearsals and tests. Knows nothing of the code that it runs: plain asyncio code sleeps, times out and reads
`loop.time()` as usual. Time stands still while code runs and while a thread of the loop's executors works: a jump
would overtake the thread's result.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Seconds of one real wait before the loop checks again; threads and sockets cut it short.
_REAL_WAIT = 0.05
# Turns of the loop between two looks at what signals and threads have sent, where nothing else is listened to: a look
# is a system call, and costs as much as a small turn. What a thread sends is in the loop's queue already.
_TURNS_PER_LOOK = 50


class Stalled(RuntimeError):
    """Every task waits, and no timer, thread or socket is left that could wake one."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop with a clock of its own that starts at zero.

    Only work given to `run_in_executor` (or `asyncio.to_thread`) holds the clock; a thread started in another way does
    not. While a socket is open the loop never counts as stalled, but the clock jumps all the same: virtual time and a
    real network do not go together.
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
                holds.discard(work)  # cancelled while it was queued; a thread that has started runs on

        # Two holds: between the end of the function and the arrival of its result, time must not move either.
        holds.update((work, result))
        future: asyncio.Future[T] = super().run_in_executor(executor, held)
        future.add_done_callback(settled)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  asyncio's
        """As in asyncio, which waits in a thread of its own. The time limit is ignored: it would be virtual time."""
        self._waits.holds.add(self)
        try:
            await super().shutdown_default_executor()
        finally:
            self._waits.holds.discard(self)


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that does not wait, but moves the clock ahead by the timeout."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.holds: set[object] = set()  # one for each piece of executor work that the clock must wait for
        self._turns = 0  # since the last look

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout != 0 and self.holds:
            return super().select(_REAL_WAIT if timeout is None else min(timeout, _REAL_WAIT))
        sockets = len(self.get_map()) > 1  # besides the pipe by which the loop wakes itself
        self._turns += 1
        if timeout is None or sockets or self._turns >= _TURNS_PER_LOOK:
            self._turns = 0
            if ready := super().select(0):
                return ready
        if timeout is not None:
            self.now += max(timeout, 0.0)
            return []
        if sockets:
            return super().select(_REAL_WAIT)
        raise Stalled("nothing can happen any more: every task waits, and nothing is left to wake one")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end in virtual time, as `asyncio.run` does in real time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
