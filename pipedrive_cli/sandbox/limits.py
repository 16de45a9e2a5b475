"""Pipedrive's limits: requests per two seconds, tokens per day, and the firewall for those who do not listen."""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime, timedelta

from pipedrive_cli.sandbox.clock import Clock
from pipedrive_cli.sandbox.options import SandboxOptions
from pipedrive_cli.sandbox.wire import Refusal, gateway

WINDOW = 2.0
SEARCHES_PER_WINDOW = 10
_FIREWALL_MEMORY = 60.0
_COUNTED_METHODS = frozenset({"POST", "PUT"})  # by the older daily limit, of which little is known


class Limits:
    """Counts what one company's requests use up."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._recent: dict[bool, deque[float]] = {False: deque(), True: deque()}  # by whether OAuth was used
        self._searches: deque[float] = deque()
        self._refused: deque[float] = deque()
        self._firewall_until = -math.inf
        self._day_ends = clock.now()
        self._left = options.day_budget
        self._spent_up = False
        self._writes_left = options.daily_requests

    def blocked(self) -> bool:
        """Whether the firewall is down."""
        return self._clock.monotonic() < self._firewall_until

    def admit(self, method: str, tokens: int, *, oauth: bool, search: bool) -> None:
        """Counts a request and its price. Raises `Refusal`, a 429, for one too many; that one counts for nothing."""
        now = self._clock.monotonic()
        recent = self._recent[oauth]
        self._forget(recent, now)
        if len(recent) >= self._options.burst_limit(oauth=oauth):
            self._note_refusal(now)
            raise self.burst(self._wait(recent, now), oauth=oauth)
        if search:
            self._forget(self._searches, now)
            if len(self._searches) >= SEARCHES_PER_WINDOW and self._options.plan != "unlimited":
                self._note_refusal(now)
                raise self.burst(self._wait(self._searches, now), oauth=oauth)
        self._begin_day()
        writes = method in _COUNTED_METHODS and self._writes_left is not None
        if writes and self._writes_left == 0:
            self._note_refusal(now)
            raise self.daily()
        if self._spent_up or tokens > self._left:
            # One request that did not fit ends the day for all, cheap ones too: nothing known says otherwise.
            self._spent_up = True
            self._note_refusal(now)
            raise self.daily()
        self._left -= tokens
        if writes and self._writes_left is not None:
            self._writes_left -= 1
        recent.append(now)
        if search:
            self._searches.append(now)

    def headers(self, method: str, *, oauth: bool) -> dict[str, str]:
        """The rate limit headers of an answer given now."""
        if not self._options.headers:
            return {}
        recent = self._recent[oauth]
        limit = self._options.burst_limit(oauth=oauth)
        now = self._clock.monotonic()
        self._forget(recent, now)
        self._begin_day()
        shown = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(limit - len(recent)),
            "x-ratelimit-reset": str(self._wait(recent, now)),
            "x-daily-ratelimit-token-limit": str(self._options.day_budget),
            "x-daily-ratelimit-token-remaining": str(0 if self._spent_up else self._left),
        }
        if self._writes_left is not None and method in _COUNTED_METHODS:
            shown["x-daily-requests-left"] = str(self._writes_left)
        return shown

    def daily(self) -> Refusal:
        """The refusal of a day that is spent, with the seconds until midnight; a fault gives it as well."""
        seconds = math.ceil((self.end_of_day() - self._clock.now()).total_seconds())
        headers: dict[str, str] = {}
        if self._options.headers:
            headers = {"retry-after": str(max(1, seconds)), "x-daily-ratelimit-token-remaining": "0"}
        return gateway(429, "daily request budget exceeded", headers)

    def burst(self, wait: int = 1, *, oauth: bool) -> Refusal:
        """The refusal of one request too many, to be tried again after `wait` seconds; a fault gives it as well."""
        headers: dict[str, str] = {}
        if self._options.headers:
            headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(wait)}
            headers["x-ratelimit-limit"] = str(self._options.burst_limit(oauth=oauth))
            if self._options.burst_retry_after:
                headers["retry-after"] = str(wait)
        return gateway(429, "Request over limit", headers)

    def end_of_day(self) -> datetime:
        self._begin_day()
        return self._day_ends

    def _note_refusal(self, now: float) -> None:
        threshold = self._options.firewall_after
        if not threshold:
            return
        self._refused.append(now)
        while self._refused[0] <= now - _FIREWALL_MEMORY:
            self._refused.popleft()
        if len(self._refused) > threshold:
            self._firewall_until = now + self._options.firewall_seconds
            self._refused.clear()

    def _begin_day(self) -> None:
        now = self._clock.now()
        if now < self._day_ends:
            return
        local = now.astimezone(self._options.reset_zone)
        midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        self._day_ends = midnight.astimezone(now.tzinfo)
        self._left = self._options.day_budget
        self._writes_left = self._options.daily_requests
        self._spent_up = False

    @staticmethod
    def _forget(times: deque[float], now: float) -> None:
        while times and times[0] <= now - WINDOW:
            times.popleft()

    @staticmethod
    def _wait(times: deque[float], now: float) -> int:
        """Whole seconds until the oldest request leaves the window."""
        return max(1, math.ceil(times[0] + WINDOW - now)) if times else math.ceil(WINDOW)
