"""What time it is, for a sandbox: its own small idea of a clock, so that virtual time reaches every part of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """`monotonic()` in seconds from an arbitrary start; `now()` as an aware UTC datetime."""

    def monotonic(self) -> float: ...

    def now(self) -> datetime: ...


class LoopClock:
    """Wall time at the start, plus the time that passed in event loops since.

    Outside a loop time stands still; a sandbox that outlives one loop goes on in the next where it stopped.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start or datetime.now(UTC)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._base = 0.0
        self._elapsed = 0.0

    def monotonic(self) -> float:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._elapsed
        if loop is not self._loop:
            self._loop = loop
            self._base = loop.time() - self._elapsed
        self._elapsed = loop.time() - self._base
        return self._elapsed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())


class RequestClock:
    """Another clock, which stands still while a request is answered: all of one request happens at one moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stands = False
        self._monotonic = 0.0
        self._now: datetime | None = None

    def stop(self) -> None:
        """Stands still from here on."""
        self._monotonic, self._now, self._stands = self._clock.monotonic(), None, True

    def go_on(self) -> None:
        self._stands = False

    def monotonic(self) -> float:
        return self._monotonic if self._stands else self._clock.monotonic()

    def now(self) -> datetime:
        if not self._stands:
            return self._clock.now()
        if self._now is None:
            self._now = self._clock.now()
        return self._now


@lru_cache(maxsize=4096)
def rfc3339(seconds: int) -> str:
    """Whole seconds since 1970 as v2 writes a time: `2024-01-01T00:00:00Z`."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}Z"


@lru_cache(maxsize=4096)
def v1_time(seconds: int) -> str:
    """Whole seconds since 1970 as most of v1 writes a time: `2024-01-01 00:00:00`, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ")[:19]


@lru_cache(maxsize=64)
def rfc3339_ms(moment: float) -> str:
    """Seconds since 1970 as leads write a time: `2020-10-14T11:30:36.551Z`."""
    milliseconds = round(moment * 1000)
    return f"{rfc3339(milliseconds // 1000)[:-1]}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=64)
def http_date(seconds: int) -> str:
    """Whole seconds since 1970 as a `Date` header, in English whatever the locale."""
    moment = datetime.fromtimestamp(seconds, UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[moment.month * 3 - 3 : moment.month * 3]
    return f"{day}, {moment.day:02d} {month} {moment.year} {moment:%H:%M:%S} GMT"
