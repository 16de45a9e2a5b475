"""Virtual time: waiting costs nothing, threads are waited for, and order stays what it would be."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from pipedrive_cli.virtual_time import Stalled, run


def test_three_days_of_sleep_pass_at_once() -> None:
    """A sleep of three days takes no real time and moves the loop's clock by three days."""

    async def main() -> float:
        await asyncio.sleep(3 * 86_400)
        return asyncio.get_running_loop().time()

    began = time.perf_counter()
    assert run(main()) == pytest.approx(3 * 86_400)
    assert time.perf_counter() - began < 60


def test_time_waits_for_work_in_a_thread() -> None:
    """While a thread works the clock does not move, however many timers are due."""

    async def main() -> tuple[list[str], float]:
        order: list[str] = []

        async def sleeper() -> None:
            await asyncio.sleep(3600)
            order.append("slept")

        async def worker() -> float:
            await asyncio.to_thread(time.sleep, 0.05)
            order.append("worked")
            return asyncio.get_running_loop().time()

        _, moment = await asyncio.gather(sleeper(), worker())
        return order, moment

    order, moment = run(main())
    assert order == ["worked", "slept"]
    assert moment == 0


def test_time_waits_for_a_thread_whose_future_was_cancelled() -> None:
    """Giving up on a thread does not let time overtake it: it still does its work at the time it was given."""

    async def main() -> bool:
        finished = threading.Event()
        begun = threading.Event()

        def work() -> None:
            begun.set()
            time.sleep(0.05)
            finished.set()

        task = asyncio.ensure_future(asyncio.to_thread(work))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        await asyncio.sleep(60)
        return finished.is_set()

    assert run(main())


def test_callbacks_run_in_the_order_of_their_times() -> None:
    """Timers fire by time, and of the same time in the order they were set."""

    async def main() -> list[str]:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        loop.call_later(20, order.append, "third")
        loop.call_later(10, order.append, "first")
        loop.call_later(10, order.append, "second")
        loop.call_soon(order.append, "now")
        await asyncio.sleep(30)
        return order

    assert run(main()) == ["now", "first", "second", "third"]


def test_timeouts_fire_in_virtual_time() -> None:
    """A timeout of an hour on something that never comes is over at once, an hour later."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(3600)


def test_a_program_that_can_never_go_on_is_told_so() -> None:
    """Waiting for what nothing can bring about raises, where a real loop would hang."""

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stalled, match="nothing is left to wake one"):
        run(main())


def test_threads_left_over_are_joined_at_the_end() -> None:
    """The loop's executor is shut down in good order, its threads included."""

    async def main() -> str:
        return await asyncio.to_thread(threading.current_thread().__class__.__name__.lower)

    before = threading.active_count()
    run(main())
    assert threading.active_count() == before
